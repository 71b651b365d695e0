/* http/jsonscan.h: what one wants to know of JSON text before, and after, jansson has parsed it. */
#pragma once
#include "base/arena.h"
#include <stddef.h>

/* A body that may be larger than others (route.max_body) may have more values, too. */
enum { JSON_DEPTH_MAX = 32, JSON_VALUES_MAX = 65536, JSON_LARGE_VALUES_MAX = 4 * JSON_VALUES_MAX };

/* How deep arrays and objects nest, and about how many values there are; correct for valid JSON,
 * any number for other. */
struct json_shape {
    size_t depth, values;
};
struct json_shape jsonscan_shape(const char *text, size_t n);
/* RFC 6901 pointer to where the first `position` bytes of the text lead: the key just read or the
 * item being read. */
const char *jsonscan_pointer(struct arena *a, const char *text, size_t position);
