/* domain/check.h: one machine check of an environment: a request and what its answer has to be. */
#pragma once
#include "base/json.h"
#include <stdbool.h>

/* Whether people can follow it: http or https, a host and no credentials. */
bool link_valid(const char *url);

/* Adds what is wrong with a list of checks ("health", "smoke", "production"); NULL: an absent list.
 */
void checks_check(const json_t *checks, const char *list, json_t *errors);
/* The check with its defaults, in the order of api.md; yours. */
json_t *check_spec(const json_t *check);
