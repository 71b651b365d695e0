/* flags/unleash_names.h: what Unleash calls it.  Private to flags/unleash*.c. */
#pragma once
#include "base/json.h"
#include <stdbool.h>

/* A key of Unleash's in our spelling, or of ours in Unleash's; the key itself where it is the same
 * in both. */
const char *unleash_to_native(const char *key);
const char *unleash_from_native(const char *key);
/* Keys that Unleash sends and that say nothing about who gets what. */
bool unleash_ignores(const char *key);

/* A copy with all keys renamed, but those of `parameters`, which are words of strategies; yours. */
json_t *unleash_renamed(const json_t *v, const char *(*name)(const char *key));
