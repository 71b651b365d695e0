/* handlers/unleash.h: what the files of Unleash's client API share. */
#pragma once
#include "flags/snapshot.h"
#include "http/http.h"

/* An ETag over what an answer is made of: the environment's flags and a text; in the arena. */
const char *unleash_etag(const struct snapshot *s, const char *text, struct arena *arena);
/* Whether the caller has that already: then the reply is 304. */
bool unleash_unchanged(const struct request *q, struct reply *r);
