/* http/reply.c: what handlers say, kept until the answer is rendered. */
#include "base/strbuf.h"
#include "http/http.h"
#include "http/page.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ERRORS_MAX = 20, DETAIL_MAX = 1024 };

/* Text from outside may be no UTF-8, which JSON cannot carry. */
static json_t *json_text_or_empty(const char *s) {
    json_t *v = json_string(s);

    return v ? v : json_string("");
}

PRINTF(2, 0)
static char *formatted(struct arena *a, const char *format, va_list args) {
    char text[DETAIL_MAX];

    vsnprintf(text, sizeof text, format, args);
    return arena_strdup(a, text);
}

Status reply_refuse(struct reply *r, Status s, const char *format, ...) {
    va_list args;

    va_start(args, format);
    r->detail = formatted(r->arena, format, args);
    va_end(args);
    return s;
}

PRINTF(4, 0)
static void add_error(struct reply *r, const char *field, const char *code, const char *format,
                      va_list args) {
    json_t *error;

    if (!r->errors)
        r->errors = json_array();
    if (json_array_size(r->errors) >= ERRORS_MAX)
        return;
    error = json_object();
    json_object_set_new(error, "field", json_text_or_empty(field));
    json_object_set_new(error, "code", json_string(code));
    json_object_set_new(error, "detail", json_text_or_empty(formatted(r->arena, format, args)));
    json_array_append_new(r->errors, error);
}

Status reply_field_error(struct reply *r, const char *field, const char *code, const char *format,
                         ...) {
    va_list args;

    va_start(args, format);
    add_error(r, field, code, format, args);
    va_end(args);
    return E_INVALID_BODY;
}

Status reply_query_error(struct reply *r, const char *name, const char *code, const char *format,
                         ...) {
    va_list args;

    va_start(args, format);
    add_error(r, name, code, format, args);
    va_end(args);
    return E_INVALID_QUERY;
}

void reply_extra(struct reply *r, const char *key, json_t *value) {
    if (!r->extra)
        r->extra = json_object();
    json_object_set_new(r->extra, key, value);
}

void reply_list(struct reply *r, json_t *items, const char *next) {
    json_t *list = json_object();

    json_object_set_new(list, "items", items);
    json_object_set_new(list, "next_cursor",
                        next ? json_string(cursor_encode(r->arena, next)) : json_null());
    json_decref(r->json);
    r->json = list;
}

Status reply_park(struct reply *r, const char *topic, int64_t until_us) {
    r->park_topic = arena_strdup(r->arena, topic);
    r->park_until_us = until_us;
    return STATUS_OK;
}

Status reply_stream(struct reply *r, const struct stream_source *source, void *ctx) {
    r->stream = source;
    r->stream_ctx = ctx;
    return STATUS_OK;
}
