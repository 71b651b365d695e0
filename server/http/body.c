/* http/body.c: body schemas are data, so that every route refuses bad input alike, names the field,
 * and the same tables are compared with openapi.yaml. */
#include "http/body.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "http/jsonscan.h"
#include "http/uri.h"
#include <inttypes.h>
#include <string.h>

enum { STRING_MAX = 1024, COUNT_MAX = 100, POINTER_MAX = 1024 };

Status body_parse(const char *text, size_t n, struct reply *r, json_t **ret) {
    struct json_shape shape = jsonscan_shape(text, n);
    size_t most = n > BODY_MAX ? JSON_LARGE_VALUES_MAX : JSON_VALUES_MAX;
    json_error_t e;
    const char *field, *code;

    *ret = NULL;
    if (shape.depth > JSON_DEPTH_MAX)
        return reply_field_error(r, "", "range", "Nested deeper than %d levels.", JSON_DEPTH_MAX);
    if (shape.values > most)
        return reply_field_error(r, "", "too-long", "More than %zu values.", most);
    *ret = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (*ret)
        return STATUS_OK;
    code = "format";
    if (json_error_code(&e) == json_error_duplicate_key)
        code = "duplicate";
    else if (json_error_code(&e) == json_error_numeric_overflow)
        code = "range";
    field = jsonscan_pointer(r->arena, text,
                             e.position > 0 && (size_t)e.position <= n ? (size_t)e.position : n);
    if (!text_plain(field, strlen(field)))
        field = "";
    return reply_field_error(
        r, field, code, "Line %d, column %d: %s.", e.line, e.column,
        json_error_code(&e) == json_error_duplicate_key ? "the key is there twice" : e.text);
}

/* A place in the body: the pointer is built only when an error needs it. */
struct place {
    const struct place *in;
    const char *key; /* NULL: index */
    size_t index;
};

struct decoder {
    struct reply *r;
    bool failed;
};

static void place_pointer(const struct place *p, struct strbuf *out) {
    if (!p)
        return;
    place_pointer(p->in, out);
    if (!p->key) {
        strbuf_addf(out, "/%zu", p->index);
        return;
    }
    strbuf_adds(out, "/");
    for (const char *c = p->key; *c; c++)
        strbuf_adds(out, *c == '~' ? "~0" : *c == '/' ? "~1" : (const char[]){*c, '\0'});
}

static void fail(struct decoder *d, const struct place *at, const char *code, const char *detail) {
    _cleanup_(strbuf_done) struct strbuf pointer = STRBUF(POINTER_MAX);

    place_pointer(at, &pointer);
    d->failed = true;
    (void)reply_field_error(d->r, pointer.data ? pointer.data : "", code, "%s", detail);
}
#define FAILF(d, at, code, ...) fail(d, at, code, arena_printf((d)->r->arena, __VA_ARGS__))

static void decode_object(struct decoder *d, const struct body_schema *schema, json_t *v,
                          const struct place *at, char *base);

static void store(char *base, const struct field *f, const void *value, size_t n) {
    if (base && f->offset != FIELD_NOWHERE)
        memcpy(base + f->offset, value, n);
}

static bool word_among(const char *words, const char *word) {
    size_t n = strlen(word);

    for (const char *at = words; n && *at;) {
        size_t len = strcspn(at, "|");

        if (len == n && !memcmp(at, word, n))
            return true;
        at += len + (at[len] == '|');
    }
    return false;
}

static bool length_fits(struct decoder *d, const struct place *at, int64_t n, int64_t min,
                        int64_t max, const char *unit) {
    if (n > max)
        FAILF(d, at, "too-long", "At most %" PRId64 " %s.", max, unit);
    else if (n < min)
        FAILF(d, at, "range", "At least %" PRId64 " %s.", min, unit);
    return n >= min && n <= max;
}

/* ---- one function per kind of value ---- */

static void decode_string(struct decoder *d, const struct field *f, json_t *v,
                          const struct place *at, char *base) {
    const char *text = json_string_value(v);
    int64_t time_us;

    if (!text) {
        fail(d, at, "type", "Must be a string.");
        return;
    }
    if (f->type == FIELD_NAME && !name_valid(text))
        fail(d, at, "format",
             "A name has 1 to 63 of a-z, 0-9 and '-', and neither begins nor ends with '-'.");
    else if (f->type == FIELD_ENUM && !word_among(f->words, text))
        FAILF(d, at, "range", "Must be one of %s.", f->words);
    else if (f->type == FIELD_TIME && !clock_parse(text, &time_us))
        fail(d, at, "format", "Must be a time as 2026-11-24T21:53:28Z (RFC 3339).");
    else if (f->type == FIELD_STRING && !length_fits(d, at, (int64_t)json_string_length(v), f->min,
                                                     f->max ? f->max : STRING_MAX, "bytes"))
        return;
    else if (f->type == FIELD_TIME)
        store(base, f, &time_us, sizeof time_us);
    else
        store(base, f, &text, sizeof text);
}

static void decode_int(struct decoder *d, const struct field *f, json_t *v, const struct place *at,
                       char *base) {
    int64_t n = json_integer_value(v);

    if (!json_is_integer(v))
        fail(d, at, "type", "Must be an integer.");
    else if ((f->min || f->max) && (n < f->min || n > f->max))
        FAILF(d, at, "range", "Must be from %" PRId64 " to %" PRId64 ".", f->min, f->max);
    else
        store(base, f, &n, sizeof n);
}

static void decode_bool(struct decoder *d, const struct field *f, json_t *v, const struct place *at,
                        char *base) {
    bool yes = json_is_true(v);

    if (!json_is_boolean(v))
        fail(d, at, "type", "Must be true or false.");
    else
        store(base, f, &yes, sizeof yes);
}

static void decode_strings(struct decoder *d, const struct field *f, json_t *v,
                           const struct place *at, char *base) {
    size_t n = json_array_size(v);
    const char **list;

    if (!json_is_array(v)) {
        fail(d, at, "type", "Must be an array of strings.");
        return;
    }
    if (!length_fits(d, at, (int64_t)n, f->min, f->max ? f->max : COUNT_MAX, "strings"))
        return;
    list = arena_alloc(d->r->arena, (n + 1) * sizeof *list);
    for (size_t i = 0; i < n; i++) {
        const struct place here = {.in = at, .index = i};
        json_t *item = json_array_get(v, i);

        list[i] = json_string_value(item);
        if (!list[i])
            fail(d, &here, "type", "Must be a string.");
        else
            length_fits(d, &here, (int64_t)json_string_length(item), 0, STRING_MAX, "bytes");
    }
    store(base, f, &list, sizeof list);
}

static void decode_objects(struct decoder *d, const struct field *f, json_t *v,
                           const struct place *at, char *base) {
    if (!json_is_array(v)) {
        fail(d, at, "type", "Must be an array of objects.");
        return;
    }
    if (!length_fits(d, at, (int64_t)json_array_size(v), f->min, f->max ? f->max : COUNT_MAX,
                     "items"))
        return;
    for (size_t i = 0; i < json_array_size(v); i++) {
        const struct place here = {.in = at, .index = i};

        decode_object(d, f->schema, json_array_get(v, i), &here, NULL);
    }
    store(base, f, &v, sizeof v);
}

static void decode_value(struct decoder *d, const struct field *f, json_t *v,
                         const struct place *at, char *base);

static void decode_map(struct decoder *d, const struct field *f, json_t *v, const struct place *at,
                       char *base) {
    const char *key;
    json_t *value;

    if (!json_is_object(v)) {
        fail(d, at, "type", "Must be an object.");
        return;
    }
    if (!length_fits(d, at, (int64_t)json_object_size(v), f->min, f->max ? f->max : COUNT_MAX,
                     "keys"))
        return;
    json_object_foreach(v, key, value) {
        const struct place here = {.in = at, .key = key};

        if (strlen(key) > STRING_MAX)
            fail(d, &here, "too-long", "At most 1024 bytes.");
        else if (f->schema)
            decode_value(d, &f->schema->fields[0], value, &here, NULL);
    }
    store(base, f, &v, sizeof v);
}

static void decode_value(struct decoder *d, const struct field *f, json_t *v,
                         const struct place *at, char *base) {
    switch (f->type) {
    case FIELD_STRING:
    case FIELD_NAME:
    case FIELD_ENUM:
    case FIELD_TIME:
        decode_string(d, f, v, at, base);
        return;
    case FIELD_INT:
        decode_int(d, f, v, at, base);
        return;
    case FIELD_BOOL:
        decode_bool(d, f, v, at, base);
        return;
    case FIELD_STRINGS:
        decode_strings(d, f, v, at, base);
        return;
    case FIELD_OBJECT:
        decode_object(d, f->schema, v, at, NULL);
        store(base, f, &v, sizeof v);
        return;
    case FIELD_OBJECTS:
        decode_objects(d, f, v, at, base);
        return;
    case FIELD_MAP:
        decode_map(d, f, v, at, base);
        return;
    case FIELD_ANY:
        store(base, f, &v, sizeof v);
        return;
    }
}

static const struct field *field_named(const struct body_schema *schema, const char *name) {
    for (size_t i = 0; i < schema->count; i++)
        if (!strcmp(schema->fields[i].name, name))
            return &schema->fields[i];
    return NULL;
}

static void decode_object(struct decoder *d, const struct body_schema *schema, json_t *v,
                          const struct place *at, char *base) {
    const char *key;
    json_t *value;

    if (!json_is_object(v)) {
        fail(d, at, "type", "Must be an object.");
        return;
    }
    json_object_foreach(v, key, value) {
        const struct place here = {.in = at, .key = key};

        if (!schema->open && !field_named(schema, key))
            fail(d, &here, "unknown", "There is no such field.");
    }
    for (size_t i = 0; i < schema->count; i++) {
        const struct field *f = &schema->fields[i];
        const struct place here = {.in = at, .key = f->name};

        value = json_object_get(v, f->name);
        if (value && !json_is_null(value))
            decode_value(d, f, value, &here, base);
        else if (f->required)
            fail(d, &here, "missing", "Required.");
    }
}

Status body_decode(const struct body_schema *schema, json_t *body, struct reply *r, void **ret) {
    struct decoder d = {.r = r};
    char *base = arena_alloc(r->arena, schema->size ? schema->size : 1);

    *ret = NULL;
    decode_object(&d, schema, body, NULL, base);
    if (d.failed)
        return E_INVALID_BODY;
    if (schema->check) {
        Status s = schema->check(body, r);

        if (s != STATUS_OK)
            return s;
    }
    *ret = base;
    return STATUS_OK;
}
