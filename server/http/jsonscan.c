/* http/jsonscan.c: jansson refuses duplicate keys, but does not say where; and it nests 2,048
 * levels and spends 79 bytes on each byte of "[{},{},…" (measured).  One pass over the text before
 * it bounds both; a second one, after a failure only, turns the byte at which jansson stopped into
 * the pointer of the field. */
#include "http/jsonscan.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

/* The byte after the string that begins at text[i] == '"'. */
static size_t string_end(const char *text, size_t n, size_t i) {
    for (i++; i < n && text[i] != '"'; i++)
        if (text[i] == '\\')
            i++;
    return i < n ? i + 1 : n;
}

struct json_shape jsonscan_shape(const char *text, size_t n) {
    struct json_shape shape = {.values = 1};
    size_t depth = 0;

    for (size_t i = 0; i < n; i++) {
        switch (text[i]) {
        case '"':
            i = string_end(text, n, i) - 1;
            break;
        case '[':
        case '{':
            shape.values++;
            if (++depth > shape.depth)
                shape.depth = depth;
            break;
        case ']':
        case '}':
            depth -= depth > 0;
            break;
        case ',':
            shape.values++;
            break;
        default:
            break;
        }
    }
    return shape;
}

struct level {
    bool object, in_value;
    size_t index;    /* of an array */
    const char *key; /* of an object: raw text, or NULL */
    size_t key_len;
};

static void pointer_add(struct strbuf *out, const char *key, size_t n) {
    strbuf_add(out, "/", 1);
    for (size_t i = 0; i < n; i++) {
        if (key[i] == '~')
            strbuf_add(out, "~0", 2);
        else if (key[i] == '/')
            strbuf_add(out, "~1", 2);
        else
            strbuf_add(out, &key[i], 1);
    }
}

/* A key as it is written may hold escapes. */
static void pointer_add_raw(struct strbuf *out, const char *raw, size_t n) {
    json_auto_t *key =
        memchr(raw, '\\', n) ? json_loadb(raw - 1, n + 2, JSON_DECODE_ANY, NULL) : NULL;

    if (key)
        pointer_add(out, json_string_value(key), json_string_length(key));
    else
        pointer_add(out, raw, n);
}

static const char *pointer_text(struct arena *a, const struct level *level, size_t levels) {
    _cleanup_(strbuf_done) struct strbuf out = STRBUF(1024);

    for (size_t i = 0; i < levels; i++) {
        if (!level[i].object)
            strbuf_addf(&out, "/%zu", level[i].index);
        else if (level[i].key)
            pointer_add_raw(&out, level[i].key, level[i].key_len);
        else
            break;
    }
    return arena_strdup(a, out.data ? out.data : "");
}

const char *jsonscan_pointer(struct arena *a, const char *text, size_t position) {
    struct level level[JSON_DEPTH_MAX] = {0};
    size_t levels = 0;

    for (size_t i = 0; i < position; i++) {
        struct level *in = levels ? &level[levels - 1] : NULL;

        switch (text[i]) {
        case '"': {
            size_t end = string_end(text, position, i);

            if (in && in->object && !in->in_value) {
                bool whole = end > i + 1 && text[end - 1] == '"';

                in->key = whole ? text + i + 1 : NULL;
                in->key_len = whole ? end - i - 2 : 0;
            }
            i = end - 1;
            break;
        }
        case '[':
        case '{':
            if (levels == JSON_DEPTH_MAX)
                return pointer_text(a, level, levels);
            level[levels++] = (struct level){.object = text[i] == '{'};
            break;
        case ']':
        case '}':
            levels -= levels > 0;
            break;
        case ':':
            if (in)
                in->in_value = true;
            break;
        case ',':
            if (in) {
                in->in_value = false;
                in->index++;
            }
            break;
        default:
            break;
        }
    }
    return pointer_text(a, level, levels);
}
