#include "base/trace.h"
#include "base/ids.h"
#include <stdio.h>
#include <string.h>

enum { ID_N = 32, SPAN_N = 16, PARENT_N = 55 };

static _Thread_local struct trace current;

/* Exactly n digits of lower-case hex; not_zero: one of them is no 0. */
static bool hex(const char *s, size_t n, bool not_zero) {
    return strspn(s, "0123456789abcdef") >= n && (!not_zero || strspn(s, "0") < n);
}

bool trace_parse(const char *t, struct trace *ret) {
    size_t n = strlen(t);

    if (n < PARENT_N || !hex(t, 2, false) || !memcmp(t, "ff", 2) || t[2] != '-' ||
        !hex(t + 3, ID_N, true) || t[35] != '-' || !hex(t + 36, SPAN_N, true) || t[52] != '-' ||
        !hex(t + 53, 2, false))
        return false;
    /* versions to come may say more, after another hyphen (§4 of the standard) */
    if (n > PARENT_N && (!memcmp(t, "00", 2) || t[PARENT_N] != '-'))
        return false;
    memcpy(ret->id, t + 3, ID_N);
    ret->id[ID_N] = '\0';
    ret->sampled = strchr("13579bdf", t[54]) != NULL;
    return true;
}

void trace_of_uuid(const char *uuid, struct trace *ret) {
    size_t n = 0;

    for (; *uuid && n < ID_N; uuid++)
        if (*uuid != '-')
            ret->id[n++] = *uuid;
    ret->id[n] = '\0';
    ret->sampled = false;
}

char *trace_kept(const struct trace *t, char text[TRACE_KEPT_TEXT]) {
    if (!*t->id)
        return NULL;
    snprintf(text, TRACE_KEPT_TEXT, "%s-%s", t->id, t->sampled ? "01" : "00");
    return text;
}

void trace_from_kept(const char *kept, struct trace *ret) {
    *ret = (struct trace){0};
    if (!kept || strlen(kept) != TRACE_KEPT_TEXT - 1 || !hex(kept, ID_N, true))
        return;
    memcpy(ret->id, kept, ID_N);
    ret->sampled = kept[TRACE_KEPT_TEXT - 2] == '1';
}

const struct trace *trace_current(void) {
    return &current;
}

const char *trace_current_id(void) {
    return *current.id ? current.id : NULL;
}

void trace_enter(const struct trace *t) {
    if (t)
        current = *t;
    else
        *current.id = '\0';
}

char *trace_header(char text[TRACE_HEADER_TEXT]) {
    unsigned char span[SPAN_N / 2];
    char span_text[SPAN_N + 1];

    if (!*current.id)
        return NULL;
    unique_bytes(span, sizeof span);
    span[0] |= 1; /* never all zero */
    snprintf(text, TRACE_HEADER_TEXT, "traceparent: 00-%s-%s-%s", current.id,
             hex_encode(span, sizeof span, span_text), current.sampled ? "01" : "00");
    return text;
}
