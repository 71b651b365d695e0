/* http/uri.c: libmicrohttpd decodes the path before anybody sees it, so that "/admin%00/x" becomes
 * "/admin" and
 * "%2e%2e%2f" becomes "../" (measured).  The edge therefore routes on the raw text, and refuses
 * what has two readings. */
#include "http/uri.h"
#include <string.h>

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The length of the well-formed UTF-8 sequence at s, or 0 (RFC 3629: no surrogates, no overlong
 * forms). */
static size_t utf8_length(const unsigned char *s, size_t n) {
    size_t need = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 4;

    if (s[0] >= 0x80 && (s[0] < 0xc2 || s[0] > 0xf4))
        return 0;
    if (n < need)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return need;
}

bool text_plain(const char *text, size_t n) {
    const unsigned char *s = (const unsigned char *)text;

    for (size_t i = 0, step; i < n; i += step) {
        if (s[i] < 0x20 || s[i] == 0x7f)
            return false;
        step = utf8_length(s + i, n - i);
        if (!step)
            return false;
    }
    return true;
}

/* Decodes %XX, and '+' where asked.  NULL when an escape is not one, or the text is not plain. */
static const char *decode(struct arena *a, const char *raw, size_t n, bool plus) {
    char *out = arena_alloc(a, n + 1);
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        char c = raw[i];

        if (c == '%') {
            int high = i + 2 < n ? hex_value(raw[i + 1]) : -1;
            int low = high >= 0 ? hex_value(raw[i + 2]) : -1;

            if (low < 0)
                return NULL;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[len++] = c;
    }
    out[len] = '\0';
    return text_plain(out, len) ? out : NULL;
}

static const char *raw_path_fault(const char *raw, size_t n) {
    if (n == 0 || raw[0] != '/')
        return "The request target must be a path that begins with '/'.";
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)raw[i];

        if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '#')
            return "The path holds a character that must be percent-encoded.";
        if (c != '%')
            continue;
        if (i + 2 >= n || hex_value(raw[i + 1]) < 0 || hex_value(raw[i + 2]) < 0)
            return "The path holds a '%' that is not followed by two hexadecimal digits.";
        switch (hex_value(raw[i + 1]) << 4 | hex_value(raw[i + 2])) {
        case 0x00:
        case '/':
        case '\\':
        case '.':
            return "The path holds an encoded '/', '\\', '.' or NUL.";
        default:
            break;
        }
    }
    return NULL;
}

Status uri_split(struct arena *a, const char *raw, struct uri *ret, const char **reterr) {
    size_t n = strcspn(raw, "?");
    const char *at = raw + 1, *end = raw + n;

    *ret = (struct uri){.path = arena_strndup(a, raw, n),
                        .query = raw[n] == '?' ? arena_strdup(a, raw + n + 1) : NULL};
    *reterr = raw_path_fault(raw, n);
    if (*reterr)
        return E_INVALID_PATH;
    while (at <= end) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        size_t len = (size_t)((slash ? slash : end) - at);

        if ((len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.')) {
            *reterr = "The path holds a segment '.' or '..'.";
            return E_INVALID_PATH;
        }
        if (ret->segments < URI_SEGMENTS_MAX) {
            ret->segment[ret->segments] = decode(a, at, len, false);
            if (!ret->segment[ret->segments]) {
                *reterr = "The path is not plain UTF-8 text.";
                return E_INVALID_PATH;
            }
        }
        if (ret->segments <= URI_SEGMENTS_MAX)
            ret->segments++;
        at += len + 1;
    }
    return STATUS_OK;
}

/* As many as it may have: most queries are short, and an event stream keeps its own. */
static struct uri_pair *pairs_for(struct arena *a, const char *raw) {
    size_t n = 1;

    for (; *raw && n < URI_QUERY_MAX; raw++)
        n += *raw == '&';
    return arena_alloc(a, n * sizeof(struct uri_pair));
}

Status uri_query(struct arena *a, const char *raw, struct uri_query *ret, const char **retname,
                 const char **reterr) {
    *retname = "";
    *ret = (struct uri_query){.pair = raw ? pairs_for(a, raw) : NULL};
    while (raw && *raw) {
        size_t n = strcspn(raw, "&"), name = strcspn(raw, "=&");
        struct uri_pair *p = &ret->pair[ret->n];

        if (n > 0) {
            if (ret->n == URI_QUERY_MAX) {
                *reterr = "The query has too many parts.";
                return E_INVALID_QUERY;
            }
            p->name = decode(a, raw, name, true);
            p->value = name < n ? decode(a, raw + name + 1, n - name - 1, true) : "";
            if (!p->name || !p->value) {
                if (p->name)
                    *retname = p->name;
                *reterr = "Not plain UTF-8 text in percent-encoding.";
                return E_INVALID_QUERY;
            }
            ret->n++;
        }
        raw += n + (raw[n] == '&');
    }
    return STATUS_OK;
}
