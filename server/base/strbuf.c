#include "base/strbuf.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool strbuf_room(struct strbuf *b, size_t n) {
    if (b->overflowed || n > b->max - b->len) {
        b->overflowed = true;
        return false;
    }
    if (b->len + n + 1 > b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 64;

        if (cap < b->len + n + 1)
            cap = b->len + n + 1;
        if (cap - 1 > b->max)
            cap = b->max + 1;
        b->data = xrealloc(b->data, cap);
        b->cap = cap;
    }
    return true;
}

void strbuf_add_slowly(struct strbuf *b, const void *bytes, size_t n) {
    if (!strbuf_room(b, n))
        return;
    if (n)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void strbuf_addf(struct strbuf *b, const char *format, ...) {
    va_list args, again;
    int n;

    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0 && strbuf_room(b, (size_t)n)) {
        vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void strbuf_add_json(struct strbuf *b, const char *s) {
    static const char hex[] = "0123456789abcdef";

    strbuf_add(b, "\"", 1);
    while (*s) {
        size_t plain = 0;

        while ((unsigned char)s[plain] >= 0x20 && s[plain] != '"' && s[plain] != '\\')
            plain++;
        strbuf_add(b, s, plain);
        s += plain;
        if (*s == '"' || *s == '\\')
            strbuf_add(b, (char[]){'\\', *s++}, 2);
        else if (*s) {
            strbuf_add(b, (char[]){'\\', 'u', '0', '0', hex[*s >> 4], hex[*s & 15]}, 6);
            s++;
        }
    }
    strbuf_add(b, "\"", 1);
}

void strbuf_clear(struct strbuf *b) {
    b->len = 0;
    b->overflowed = false;
    if (b->data)
        b->data[0] = '\0';
}

char *strbuf_take(struct strbuf *b) {
    char *s = b->data ? b->data : xstrdup("");

    *b = STRBUF(b->max);
    return s;
}

void strbuf_done(struct strbuf *b) {
    if (b)
        free(strbuf_take(b));
}

void text_one_line(char *s) {
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            *s = ' ';
}

void text_cut(char *ret, size_t n, const char *text) {
    size_t length = strlen(text), at = n - sizeof "…";

    if (length < n) {
        memcpy(ret, text, length + 1);
        return;
    }
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80)
        at--;
    memcpy(ret, text, at);
    memcpy(ret + at, "…", sizeof "…");
}
