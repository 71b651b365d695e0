#include "cli/sse.h"
#include <string.h>

struct sse sse_new(size_t max, sse_fn *on_event, void *ctx) {
    return (struct sse){.line = STRBUF(max),
                        .id = STRBUF(max),
                        .event = STRBUF(max),
                        .text = STRBUF(max),
                        .on_event = on_event,
                        .ctx = ctx};
}

static const char *text_of(const struct strbuf *b) {
    return b->data ? b->data : "";
}

static void sse_dispatch(struct sse *s) {
    struct sse_event event = {
        .id = text_of(&s->id),
        .event = s->event.len ? text_of(&s->event) : "message",
        .text = text_of(&s->text),
    };

    if (s->any_text && !s->text.overflowed)
        s->on_event(s->ctx, &event);
    strbuf_clear(&s->event);
    strbuf_clear(&s->text);
    s->any_text = false;
}

static void sse_field(struct sse *s, const char *name, size_t n, const char *value) {
    if (n == 4 && memcmp(name, "data", 4) == 0) {
        if (s->any_text)
            strbuf_adds(&s->text, "\n");
        strbuf_adds(&s->text, value);
        s->any_text = true;
    } else if (n == 5 && memcmp(name, "event", 5) == 0) {
        strbuf_clear(&s->event);
        strbuf_adds(&s->event, value);
    } else if (n == 2 && memcmp(name, "id", 2) == 0) {
        strbuf_clear(&s->id);
        strbuf_adds(&s->id, value);
    }
}

static void sse_line(struct sse *s) {
    const char *line = text_of(&s->line), *value;
    size_t n = strcspn(line, ":");

    if (s->line.overflowed) {
        s->text.overflowed = true; /* so that the event it belongs to is dropped */
    } else if (!*line) {
        sse_dispatch(s);
    } else if (n > 0) { /* a line that begins with a colon is a comment */
        value = line[n] ? line + n + 1 : "";
        sse_field(s, line, n, *value == ' ' ? value + 1 : value);
    }
    strbuf_clear(&s->line);
}

void sse_feed(struct sse *s, const char *bytes, size_t n) {
    for (; n; bytes++, n--) {
        bool second_half = s->after_cr && *bytes == '\n'; /* of a CR LF */

        s->after_cr = *bytes == '\r';
        if (second_half)
            continue;
        if (*bytes == '\r' || *bytes == '\n')
            sse_line(s);
        else
            strbuf_add(&s->line, bytes, 1);
    }
}

void sse_restart(struct sse *s) {
    strbuf_clear(&s->line);
    strbuf_clear(&s->event);
    strbuf_clear(&s->text);
    s->any_text = s->after_cr = false;
}

void sse_done(struct sse *s) {
    strbuf_done(&s->line);
    strbuf_done(&s->id);
    strbuf_done(&s->event);
    strbuf_done(&s->text);
}
