/* kubesim/defaults.h: what the API server adds to an object, and what it refuses. */
#pragma once
#include "kubesim/kinds.h"
#include <jansson.h>

/* Fills in the values that Kubernetes would. */
void defaults_set(const struct kind *kind, json_t *body);
/* NULL, or a Status (400, 422) that names the fields.  `before` is NULL on creation. */
json_t *validate(const struct kind *kind, const json_t *before, const json_t *body);
