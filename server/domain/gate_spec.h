/* domain/gate_spec.h: what an environment asks for before and after a deployment: rules that types
 * and ranges alone cannot say, and the full form. */
#pragma once
#include "base/json.h"

enum { SIGNOFF_ROLES = 7 };
/* In which people sign, as a schema has them. */
#define SIGNOFF_ROLE_WORDS "engineering|qa|devops|product|customer-success|support|final"

/* Adds {field, code, detail} rows to errors.  The body's types and ranges hold already. */
void gate_spec_check(const json_t *body, json_t *errors);
/* The body in the order of api.md with its defaults; yours.  Of a stored spec the same spec. */
json_t *gate_spec(const json_t *body);
