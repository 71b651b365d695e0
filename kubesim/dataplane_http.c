/* kubesim/dataplane_http.c: a line at a time in heads, a length at a time in bodies. */
#include "kubesim/dataplane_http.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEAD_MAX = 16384 };

static void copy(char *to, size_t room, const char *from, size_t n) {
    if (n >= room)
        n = room - 1;
    memcpy(to, from, n);
    to[n] = 0;
}

/* "GET /path?query HTTP/1.1" */
static bool request_line(struct http_scan *s) {
    const char *target = strchr(s->line, ' ');
    const char *after = target != NULL ? strchr(target + 1, ' ') : NULL;

    if (target == NULL || target == s->line)
        return false;
    if (after == NULL && s->line_len == sizeof s->line - 1)
        after = s->line + s->line_len; /* a target longer than the buffer */
    else if (after == NULL || strncmp(after, " HTTP/1.", 8) != 0)
        return false;
    s->http10 = *after != 0 && after[8] == '0';
    s->close = s->http10;
    s->head = strncmp(s->line, "HEAD ", 5) == 0;
    target++;
    copy(s->path, sizeof s->path, target, (size_t)(after - target));
    s->path[strcspn(s->path, "?#")] = 0;
    return true;
}

/* "HTTP/1.1 200 OK" */
static bool status_line(struct http_scan *s) {
    const char *code = s->line + 9;

    if (strncmp(s->line, "HTTP/1.", 7) != 0 || s->line_len < 12 || s->line[8] != ' ')
        return false;
    for (int i = 0; i < 3; i++) {
        if (!isdigit((unsigned char)code[i]))
            return false;
    }
    s->status = (unsigned)(100 * (code[0] - '0') + 10 * (code[1] - '0') + (code[2] - '0'));
    s->http10 = s->line[7] == '0';
    s->close = s->http10;
    return true;
}

/* Whether a comma-separated value holds a word. */
static bool lists(const char *value, const char *word) {
    size_t n = strlen(word);

    for (const char *p = value; *p != 0;) {
        p += strspn(p, " \t,");
        if (strncasecmp(p, word, n) == 0 && strchr(" \t,", p[n]) != NULL)
            return true;
        p += strcspn(p, ",");
    }
    return false;
}

static void length_header(struct http_scan *s, const char *value) {
    size_t digits = strspn(value, "0123456789");
    unsigned long long length = strtoull(value, NULL, 10);

    if (digits == 0 || digits > 18 || value[digits] != 0 || (s->sized && s->left != length))
        s->bad_head = true;
    s->sized = true;
    s->left = length;
}

static void header_line(struct http_scan *s) {
    char *value = strchr(s->line, ':');

    if (value == NULL || value == s->line) {
        s->bad_head = true;
        return;
    }
    *value++ = 0;
    value += strspn(value, " \t");
    for (char *end = value + strlen(value); end > value && strchr(" \t", end[-1]) != NULL;)
        *--end = 0;
    if (strcasecmp(s->line, "content-length") == 0)
        length_header(s, value);
    else if (strcasecmp(s->line, "transfer-encoding") == 0)
        s->chunked = lists(value, "chunked");
    else if (strcasecmp(s->line, "expect") == 0)
        s->expects = lists(value, "100-continue");
    else if (strcasecmp(s->line, "connection") == 0)
        s->close = lists(value, "close") || (s->http10 && !lists(value, "keep-alive"));
    else if (s->answers && strcasecmp(s->line, "x-version") == 0)
        copy(s->version, sizeof s->version, value, strlen(value));
}

/* Where the scan goes on after a complete head. */
static enum scan_at body_start(struct http_scan *s) {
    if (s->answers && s->status < 200)
        return SCAN_START;
    if (s->answers && (s->bodiless || s->status == 204 || s->status == 304))
        return SCAN_ENDED;
    if (s->chunked)
        return SCAN_CHUNK_SIZE;
    if (s->sized)
        return s->left > 0 ? SCAN_LENGTH : SCAN_ENDED;
    return s->answers ? SCAN_UNTIL_CLOSE : SCAN_ENDED;
}

static enum scanned broken(struct http_scan *s, unsigned status) {
    s->at = SCAN_BROKEN;
    s->status = status;
    return SCANNED_BAD;
}

static enum scanned first_line(struct http_scan *s) {
    if (s->line_len == 0) /* RFC 9112 §2.2: empty lines before a request */
        return SCANNED_ALL;
    s->chunked = s->sized = s->bad_head = s->expects = s->head = s->post = false;
    s->left = 0;
    s->version[0] = 0;
    if (!(s->answers ? status_line(s) : request_line(s)))
        return broken(s, 400);
    s->at = SCAN_HEAD;
    return SCANNED_ALL;
}

static enum scanned head_line(struct http_scan *s) {
    if (s->line_len > 0) {
        header_line(s);
        return SCANNED_ALL;
    }
    if (s->bad_head || (!s->answers && s->sized && s->chunked))
        return broken(s, 400);
    s->head_bytes = 0;
    s->post = s->chunked || s->left > 0;
    s->at = body_start(s);
    return SCANNED_HEAD;
}

static enum scanned chunk_size_line(struct http_scan *s) {
    char *end;

    if (!isxdigit((unsigned char)s->line[0]) || strspn(s->line, "0123456789abcdefABCDEF") > 15)
        return broken(s, 400);
    s->left = strtoull(s->line, &end, 16);
    s->at = s->left > 0 ? SCAN_CHUNK : SCAN_TRAILER;
    if (s->left > 0)
        s->left += 2; /* and its CRLF */
    return SCANNED_ALL;
}

static enum scanned complete_line(struct http_scan *s) {
    enum scanned happened;

    if (s->line_len > 0 && s->line[s->line_len - 1] == '\r')
        s->line_len--;
    s->line[s->line_len] = 0;
    if (s->at == SCAN_START)
        happened = first_line(s);
    else if (s->at == SCAN_HEAD)
        happened = head_line(s);
    else if (s->at == SCAN_CHUNK_SIZE)
        happened = chunk_size_line(s);
    else {
        happened = SCANNED_ALL;
        if (s->line_len == 0)
            s->at = SCAN_ENDED;
    }
    s->line_len = 0;
    return happened;
}

static size_t scan_line(struct http_scan *s, const char *bytes, size_t n, enum scanned *ret) {
    const char *newline = memchr(bytes, '\n', n);
    size_t used = newline != NULL ? (size_t)(newline - bytes) + 1 : n;
    size_t text = newline != NULL ? used - 1 : used;
    size_t room = sizeof s->line - 1 - s->line_len;

    if (text > 0 || s->at != SCAN_START)
        s->head_bytes += used;
    memcpy(s->line + s->line_len, bytes, text < room ? text : room);
    s->line_len += text < room ? text : room;
    if (s->head_bytes > HEAD_MAX)
        *ret = broken(s, 431);
    else if (newline != NULL)
        *ret = complete_line(s);
    return used;
}

static size_t scan_body(struct http_scan *s, size_t n) {
    size_t used = n < s->left ? n : (size_t)s->left;

    s->left -= used;
    s->head_bytes = 0;
    if (s->left == 0)
        s->at = s->at == SCAN_CHUNK ? SCAN_CHUNK_SIZE : SCAN_ENDED;
    return used;
}

size_t http_scan(struct http_scan *s, const char *bytes, size_t n, enum scanned *ret) {
    size_t used = 0;

    *ret = SCANNED_ALL;
    while (*ret == SCANNED_ALL) {
        if (s->at == SCAN_ENDED) {
            s->at = SCAN_START;
            s->head_bytes = 0;
            *ret = SCANNED_END;
        } else if (used == n) {
            break;
        } else if (s->at == SCAN_LENGTH || s->at == SCAN_CHUNK) {
            used += scan_body(s, n - used);
        } else if (s->at == SCAN_UNTIL_CLOSE || s->at == SCAN_BROKEN) {
            used = n;
        } else {
            used += scan_line(s, bytes + used, n - used, ret);
        }
    }
    return used;
}
