/* kube/lines.h: lines out of chunks that end anywhere.  Private to kube/ and its tests. */
#pragma once
#include "base/strbuf.h"

enum { KUBE_LINE_BYTES = 4 << 20 };

struct kube_lines {
    struct strbuf rest; /* the beginning of a line whose end has not come yet */
};

/* Called with each line, without its end; n > 0.  False: no more. */
typedef bool kube_line_fn(void *ctx, const char *line, size_t n);
/* Empty lines are left out.  False: fn said so, or a line is longer than KUBE_LINE_BYTES. */
bool kube_lines_feed(struct kube_lines *l, const char *bytes, size_t n, kube_line_fn *fn,
                     void *ctx);
void kube_lines_done(struct kube_lines *l); /* forgets what is left; the memory too */
