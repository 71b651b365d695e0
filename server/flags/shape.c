#include "flags/shape.h"
#include "base/cleanup.h"
#include "base/field_errors.h"
#include <string.h>

/* Where we are, and how many errors are enough. */
struct at {
    const char *field;
    size_t max;
    json_t *errors;
};

static bool full(const struct at *at) {
    return json_array_size(at->errors) >= at->max;
}

#define WRONG(at, code, ...)                                                                       \
    do {                                                                                           \
        if (!full(at))                                                                             \
            field_error((at)->errors, (at)->field, code, __VA_ARGS__);                             \
    } while (0)

bool shape_word(const char *words, const char *word) {
    size_t n = strlen(word);

    for (const char *w = words; n; w += strcspn(w, "|") + 1) {
        size_t length = strcspn(w, "|");

        if (length == n && memcmp(w, word, n) == 0)
            return true;
        if (!w[length])
            break;
    }
    return false;
}

static void check_text(const json_t *v, int64_t min, int64_t max, const struct at *at) {
    int64_t n = (int64_t)json_string_length(v);

    if (!json_is_string(v))
        WRONG(at, "type", "Must be a string.");
    else if (strlen(json_string_value(v)) != (size_t)n)
        WRONG(at, "format", "Must not hold a NUL.");
    else if (n < min)
        WRONG(at, "too-short", "At least %lld bytes.", (long long)min);
    else if (n > max)
        WRONG(at, "too-long", "At most %lld bytes.", (long long)max);
}

static void check_int(const json_t *v, int64_t min, int64_t max, const struct at *at) {
    if (!json_is_integer(v))
        WRONG(at, "type", "Must be an integer.");
    else if (json_integer_value(v) < min || json_integer_value(v) > max)
        WRONG(at, "range", "From %lld to %lld.", (long long)min, (long long)max);
}

/* The array's size when it is one and not too long; else 0. */
static size_t array_of(const struct shape_key *key, const json_t *v, const struct at *at) {
    if (!json_is_array(v))
        WRONG(at, "type", "Must be an array.");
    else if ((int64_t)json_array_size(v) > key->max)
        WRONG(at, "too-long", "At most %lld of them.", (long long)key->max);
    else
        return json_array_size(v);
    return 0;
}

static void check_each(const struct shape_key *key, const json_t *v, const struct at *at) {
    for (size_t i = 0, n = array_of(key, v, at); i < n && !full(at); i++) {
        const json_t *one = json_array_get(v, i);
        _cleanup_free_ char *field = NULL;
        struct at below = {.max = at->max, .errors = at->errors};

        /* A hundred thousand values: the pointer is made only where it will be said. */
        if (key->type == SHAPE_TEXTS && json_is_string(one) &&
            (int64_t)json_string_length(one) <= key->text_max &&
            strlen(json_string_value(one)) == json_string_length(one))
            continue;
        below.field = field = xasprintf("%s/%zu", at->field, i);
        if (key->type == SHAPE_TEXTS)
            check_text(one, 0, key->text_max, &below);
        else
            shape_check(key->of, one, field, at->max, at->errors);
    }
}

static void check_map(const struct shape_key *key, const json_t *v, const struct at *at) {
    const char *name;
    json_t *one;

    if (!json_is_object(v)) {
        WRONG(at, "type", "Must be an object.");
        return;
    }
    if ((int64_t)json_object_size(v) > key->max) {
        WRONG(at, "too-long", "At most %lld keys.", (long long)key->max);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)v, name, one) {
        _cleanup_free_ char *field = field_below(at->field, name);
        struct at below = {.field = field, .max = at->max, .errors = at->errors};

        check_text(one, 0, key->text_max, &below);
    }
}

bool shape_check_key(const struct shape_key *key, const json_t *v, const char *field, size_t max,
                     json_t *errors) {
    struct at at = {.field = field, .max = max, .errors = errors};
    size_t before = json_array_size(errors);

    switch (key->type) {
    case SHAPE_TEXT:
        check_text(v, key->min, key->max, &at);
        break;
    case SHAPE_WORD:
        if (!json_is_string(v))
            WRONG(&at, "type", "Must be a string.");
        else if (!shape_word(key->words, json_string_value(v)))
            WRONG(&at, "enum", "One of %s.", key->words);
        break;
    case SHAPE_INT:
        check_int(v, key->min, key->max, &at);
        break;
    case SHAPE_BOOL:
        if (!json_is_boolean(v))
            WRONG(&at, "type", "Must be true or false.");
        break;
    case SHAPE_TEXTS:
    case SHAPE_LIST:
        check_each(key, v, &at);
        break;
    case SHAPE_MAP:
        check_map(key, v, &at);
        break;
    case SHAPE_OBJECT:
        shape_check(key->of, v, field, max, errors);
        break;
    case SHAPE_ANY:
        break;
    }
    return json_array_size(errors) == before;
}

static const struct shape_key *key_named(const struct shape *shape, const char *name) {
    for (size_t i = 0; i < shape->count; i++)
        if (strcmp(shape->keys[i].name, name) == 0)
            return &shape->keys[i];
    return NULL;
}

bool shape_check(const struct shape *shape, const json_t *v, const char *field, size_t max,
                 json_t *errors) {
    size_t before = json_array_size(errors);
    struct at at = {.field = field, .max = max, .errors = errors};
    const char *name;
    json_t *one;

    if (!json_is_object(v)) {
        WRONG(&at, "type", "Must be an object.");
        return json_array_size(errors) == before;
    }
    json_object_foreach((json_t *)(uintptr_t)v, name, one) {
        _cleanup_free_ char *below = field_below(field, name);
        const struct shape_key *key = key_named(shape, name);
        struct at there = {.field = below, .max = max, .errors = errors};

        if (!key)
            WRONG(&there, "unknown", "There is no such field.");
        else if (!json_is_null(one))
            shape_check_key(key, one, below, max, errors);
    }
    for (size_t i = 0; i < shape->count; i++) {
        const json_t *there = json_object_get(v, shape->keys[i].name);
        _cleanup_free_ char *below = field_below(field, shape->keys[i].name);
        struct at missing = {.field = below, .max = max, .errors = errors};

        if (shape->keys[i].required && (!there || json_is_null(there)))
            WRONG(&missing, "required", "This field is required.");
    }
    return json_array_size(errors) == before;
}
