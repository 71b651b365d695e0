/* cli/sse.h: a reader of event streams (WHATWG HTML, server-sent events), fed with whatever bytes
 * come. */
#pragma once
#include "base/strbuf.h"

struct sse_event {
    const char *id;    /* the last id so far; "" before the first */
    const char *event; /* "message" when not named */
    const char *text;  /* the data lines, joined by newlines */
};
typedef void sse_fn(void *ctx, const struct sse_event *event);

struct sse {
    struct strbuf line, id, event, text;
    bool any_text, after_cr;
    sse_fn *on_event; /* its texts live until it returns */
    void *ctx;
};

/* An event larger than `max` bytes is dropped whole. */
struct sse sse_new(size_t max, sse_fn *on_event, void *ctx);
void sse_feed(struct sse *s, const char *bytes, size_t n);
/* A new connection begins: what was incomplete is dropped, the id stays. */
void sse_restart(struct sse *s);
void sse_done(struct sse *s);
