/* http/page.c: pages of lists, and preconditions.  A cursor is base64url(checksum, position):
 * opaque, so that its form can change; checked, so that a mangled one is refused instead of
 * skipping items. */
#include "http/page.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/ids.h"
#include "http/http.h"
#include <string.h>

enum { CHECKSUM = 4, CURSOR_MAX = 2048, LIMIT_DEFAULT = 50, LIMIT_MAX = 200 };

char *cursor_encode(struct arena *a, const char *position) {
    size_t n = strlen(position);
    unsigned char digest[SHA256_BYTES];
    char *bytes = arena_alloc(a, CHECKSUM + n);
    _cleanup_free_ char *text = NULL;

    digest_of(position, n, digest);
    memcpy(bytes, digest, CHECKSUM);
    memcpy(bytes + CHECKSUM, position, n);
    text = base64url_encode(bytes, CHECKSUM + n);
    return arena_strdup(a, text);
}

char *cursor_decode(struct arena *a, const char *text) {
    unsigned char digest[SHA256_BYTES], *bytes;
    size_t n = strlen(text);
    long len;

    if (n > CURSOR_MAX)
        return NULL;
    bytes = arena_alloc(a, n + 2);
    len = base64url_decode(text, n, bytes);
    if (len < CHECKSUM)
        return NULL;
    digest_of(bytes + CHECKSUM, (size_t)len - CHECKSUM, digest);
    if (memcmp(bytes, digest, CHECKSUM) != 0)
        return NULL;
    return arena_strndup(a, (char *)bytes + CHECKSUM, (size_t)len - CHECKSUM);
}

static bool limit_parse(const char *text, int64_t *ret) {
    size_t n = strlen(text);

    *ret = 0;
    if (n < 1 || n > 3 || strspn(text, "0123456789") != n)
        return false;
    for (; *text; text++)
        *ret = *ret * 10 + (*text - '0');
    return *ret >= 1 && *ret <= LIMIT_MAX;
}

Status request_page(const struct request *q, struct page *ret, struct reply *r) {
    const char *limit = request_query(q, "limit"), *cursor = request_query(q, "cursor");
    Status s = STATUS_OK;

    *ret = (struct page){.limit = LIMIT_DEFAULT};
    if (limit && !limit_parse(limit, &ret->limit))
        s = reply_query_error(r, "limit", "range", "Must be a number from 1 to %d.", LIMIT_MAX);
    if (cursor) {
        ret->after = cursor_decode(q->arena, cursor);
        if (!ret->after)
            s = reply_query_error(r, "cursor", "format", "Not a next_cursor of this server.");
    }
    return s;
}

bool etag_listed(const char *list, const char *etag) {
    size_t n = strlen(etag);

    for (const char *at = list; *at;) {
        size_t skip = strspn(at, " \t,");
        size_t len;

        at += skip;
        len = strcspn(at, ",");
        while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t'))
            len--;
        if (len == 1 && *at == '*')
            return true;
        if (len > 2 && !memcmp(at, "W/", 2)) {
            at += 2;
            len -= 2;
        }
        if (len == n + 2 && at[0] == '"' && at[n + 1] == '"' && !memcmp(at + 1, etag, n))
            return true;
        at += strcspn(at, ",");
    }
    return false;
}

Status request_if_match(const struct request *q, const char *etag, struct reply *r) {
    const char *given = request_header(q, "If-Match");

    if (!given)
        return reply_refuse(
            r, E_PRECONDITION_REQUIRED,
            "It exists with other content: say which one you replace with If-Match.");
    if (!etag_listed(given, etag))
        return reply_refuse(r, E_PRECONDITION_FAILED,
                            "If-Match does not name what is there now: read it again.");
    return STATUS_OK;
}
