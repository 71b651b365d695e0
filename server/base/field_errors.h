/* base/field_errors.h: what a rule says about a body: [{field, code, detail}], as answers carry
 * it. */
#pragma once
#include "base/json.h"
#include "base/status.h"

/* Adds one; field is an RFC 6901 pointer. */
void field_error(json_t *errors, const char *field, const char *code, const char *format, ...)
    PRINTF(4, 5);
/* A pointer of a printf format, with ~ and / of `key` escaped and appended; yours. */
char *field_below(const char *field, const char *key);
