/* base/strbuf.h: a growing byte string with a maximum.
 *
 * Appending past the maximum stores nothing more and marks the buffer overflowed: check
 * `overflowed` once, at the end.  Not shared between threads. */
#pragma once
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct strbuf {
    char *data; /* owned; NUL-terminated whenever not NULL */
    size_t len, cap, max;
    bool overflowed;
};

#define STRBUF(maximum) ((struct strbuf){.max = (maximum)})
void strbuf_add_slowly(struct strbuf *b, const void *bytes, size_t n); /* private */
/* Inline for what has room, so that short and literal pieces cost what copying them costs. */
static inline void strbuf_add(struct strbuf *b, const void *bytes, size_t n) {
    if (b->overflowed || n >= b->cap - b->len) {
        strbuf_add_slowly(b, bytes, n);
        return;
    }
    if (n)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
}
static inline void strbuf_adds(struct strbuf *b, const char *s) {
    strbuf_add(b, s, strlen(s));
}
void strbuf_addf(struct strbuf *b, const char *format, ...) PRINTF(2, 3);
/* As a JSON string, with its quotes; `s` is UTF-8. */
void strbuf_add_json(struct strbuf *b, const char *s);
void strbuf_clear(struct strbuf *b); /* length 0, keeps the memory and the maximum */
char *strbuf_take(struct strbuf *b); /* the string (never NULL), yours; leaves an empty buffer */
/* Makes one line of a text that quotes others': control characters become spaces. */
void text_one_line(char *s);
void strbuf_done(struct strbuf *b); /* NULL-safe, idempotent */
static inline void strbuf_done_cleanup(struct strbuf *b) {
    strbuf_done(b);
}

/* Copies UTF-8, at most n - 1 bytes of it; what does not fit ends with "…", after a whole letter.
 * n at least 4. */
void text_cut(char *ret, size_t n, const char *text);
