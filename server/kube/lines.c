#include "kube/lines.h"
#include <string.h>

void kube_lines_done(struct kube_lines *l) {
    strbuf_done(&l->rest);
}

/* The line whose end has come: from the buffer if its beginning is there. */
static bool line_end(struct kube_lines *l, const char *bytes, size_t n, kube_line_fn *fn,
                     void *ctx) {
    bool more;

    if (l->rest.len == 0)
        return n == 0 || fn(ctx, bytes, n);
    strbuf_add(&l->rest, bytes, n);
    more = !l->rest.overflowed && fn(ctx, l->rest.data, l->rest.len);
    strbuf_clear(&l->rest);
    return more;
}

bool kube_lines_feed(struct kube_lines *l, const char *bytes, size_t n, kube_line_fn *fn,
                     void *ctx) {
    const char *end;

    l->rest.max = KUBE_LINE_BYTES;
    while ((end = memchr(bytes, '\n', n))) {
        size_t length = (size_t)(end - bytes);

        if (length > KUBE_LINE_BYTES || !line_end(l, bytes, length, fn, ctx))
            return false;
        bytes = end + 1;
        n -= length + 1;
    }
    strbuf_add(&l->rest, bytes, n);
    return !l->rest.overflowed;
}
