#include "base/json.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#ifdef __SANITIZE_THREAD__
/* jansson counts references with atomics that ThreadSanitizer does not see in the library, so the
 * end of a value that two threads read looks like a race; and its inline functions look at the
 * counter plainly, to leave the immortal values alone, before they change it atomically. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) {
    return "called_from_lib:libjansson.so\n"
           "race_top:json_incref\n"
           "race_top:json_decref\n";
}
#endif

json_t *json_at(const json_t *v, ...) {
    const json_t *at = v;
    const char *key;
    va_list args;

    va_start(args, v);
    while (at && (key = va_arg(args, const char *)))
        at = json_object_get(at, key);
    va_end(args);
    return at ? (json_t *)(uintptr_t)at : NULL;
}

const char *json_str(const json_t *v, const char *key, const char *otherwise) {
    const char *s = json_string_value(json_object_get(v, key));

    return s ? s : otherwise;
}

int64_t json_int(const json_t *v, const char *key, int64_t otherwise) {
    const json_t *n = json_object_get(v, key);

    return json_is_integer(n) ? (int64_t)json_integer_value(n) : otherwise;
}

bool json_bool(const json_t *v, const char *key, bool otherwise) {
    const json_t *b = json_object_get(v, key);

    return json_is_boolean(b) ? json_is_true(b) : otherwise;
}

/* Decodes ~0 and ~1 of one reference token in place. */
static void unescape(char *token) {
    char *out = token;

    for (const char *in = token; *in; in++) {
        if (*in == '~' && (in[1] == '0' || in[1] == '1'))
            *out++ = *++in == '0' ? '~' : '/';
        else
            *out++ = *in;
    }
    *out = '\0';
}

static json_t *child(const json_t *v, const char *token) {
    size_t index = 0;

    if (json_is_object(v))
        return json_object_get(v, token);
    if (!json_is_array(v) || !*token || strlen(token) > 9 || (token[0] == '0' && token[1]))
        return NULL;
    for (const char *c = token; *c; c++) {
        if (!isdigit((unsigned char)*c))
            return NULL;
        index = index * 10 + (size_t)(*c - '0');
    }
    return json_array_get(v, index);
}

json_t *json_pointer(const json_t *v, const char *pointer) {
    const json_t *at = v;

    while (at && *pointer) {
        _cleanup_free_ char *token = NULL;
        size_t n;

        if (*pointer != '/')
            return NULL;
        n = strcspn(++pointer, "/");
        token = xstrndup(pointer, n);
        unescape(token);
        at = child(at, token);
        pointer += n;
    }
    return at ? (json_t *)(uintptr_t)at : NULL;
}

json_t *json_by(const json_t *list, const char *key) {
    json_t *out = json_object(), *one;
    size_t i;

    json_array_foreach(list, i, one) {
        const char *name = json_str(one, key, NULL);

        if (name && !json_object_get(out, name))
            json_object_set(out, name, one);
    }
    return out;
}

char *json_text(const json_t *v) {
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

    if (!text)
        die("out of memory");
    return text;
}

char *json_line(const json_t *v) {
    char *text = json_text(v);
    size_t n = strlen(text);

    text = xrealloc(text, n + 2);
    memcpy(text + n, "\n", 2);
    return text;
}

json_t *json_parse(const char *text) {
    return text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
}

void json_set_str(json_t *object, const char *key, const char *value) {
    json_object_set_new(object, key, value ? json_string(value) : json_null());
}

void json_set_time(json_t *object, const char *key, int64_t us) {
    char text[TIME_TEXT];

    json_set_str(object, key, us ? clock_format(us, text) : NULL);
}
