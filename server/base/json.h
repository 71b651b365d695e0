/* base/json.h: the few lines around jansson that every layer needs. */
#pragma once
#include "base/status.h"
#include <jansson.h>
#include <stdbool.h>

/* The value at a path of object keys ("spec", "template", NULL); borrowed; NULL when any is
 * missing. */
json_t *json_at(const json_t *v, ...) __attribute__((sentinel));
/* The string at key, or `otherwise` when absent or no string.  Borrowed from `v`. */
const char *json_str(const json_t *v, const char *key, const char *otherwise);
int64_t json_int(const json_t *v, const char *key, int64_t otherwise);
bool json_bool(const json_t *v, const char *key, bool otherwise);
/* The value at an RFC 6901 pointer ("/spec/ports/0"); borrowed; NULL when there is none. */
json_t *json_pointer(const json_t *v, const char *pointer);
/* Those of an array by the text that they have at `key`, the first of each; yours. */
json_t *json_by(const json_t *list, const char *key);
/* Compact text, keys in the order they were set; yours. */
char *json_text(const json_t *v);
char *json_line(const json_t *v); /* the same and a newline */
/* Parses text of which one already knows that it is JSON (a database column, our own output); NULL
 * otherwise. */
json_t *json_parse(const char *text);
/* Sets a string, or null for NULL. */
void json_set_str(json_t *object, const char *key, const char *value);
/* Sets an RFC 3339 time from microseconds, or null for 0. */
void json_set_time(json_t *object, const char *key, int64_t us);
