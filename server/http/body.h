/* http/body.h: from bytes to a checked JSON value to the handler's struct.  Pure: everything it
 * finds goes into the reply. */
#pragma once
#include "http/http.h"

/* Parses: depth, duplicate keys, UTF-8, trailing text.  *ret is yours.  E_INVALID_BODY with the
 * field named in r. */
MUSTCHECK Status body_parse(const char *text, size_t n, struct reply *r, json_t **ret);
/* Checks the value against the schema and fills a struct of schema->size in the reply's arena, or
 * nothing at all: E_INVALID_BODY lists every error (at most 20). */
MUSTCHECK Status body_decode(const struct body_schema *schema, json_t *body, struct reply *r,
                             void **ret);
