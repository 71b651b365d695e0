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

/* What a segment is called here: a name that may be one stays; else each run of characters that
 * names may not have is one '-', none first or last, cut to what names may have; "" where nothing
 * is left.  Yours. */
char *unleash_segment_name(const char *name);

/* The fields of flags and segments ("flags", "segments") that Unleash's exports have no place for:
 * they are in `sluice` of ours, by name. "a|b|c" */
const char *unleash_ours(const char *kind);

/* A copy with all keys renamed, but those of `parameters`, which are words of strategies; yours. */
json_t *unleash_renamed(const json_t *v, const char *(*name)(const char *key));
