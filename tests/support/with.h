/* tests/support/with.h: JSON of a test with one value replaced. */
#pragma once
#include "base/cleanup.h"
#include "base/json.h"
#include <check.h>
#include <string.h>

/* The text with `value` (JSON) at a pointer ("/a/b": the parent is there; added to a parent that is
 * an array); yours. */
static inline json_t *json_with(const char *text, const char *pointer, const char *value) {
    json_t *body = json_parse(text), *parent;
    const char *last = strrchr(pointer, '/');
    _cleanup_free_ char *above = xstrndup(pointer, (size_t)(last - pointer));

    parent = json_pointer(body, above);
    ck_assert_msg(parent != NULL, "%s", pointer);
    if (json_is_array(parent))
        json_array_append_new(parent, json_parse(value));
    else
        json_object_set_new(parent, last + 1, json_parse(value));
    return body;
}
