/* live/recent.h: answers of a moment ago, for whoever asks the same again.
 *
 * One is given again for RECENT_MS at most, and only while nothing was told that it depends on, and
 * while this process hears the other servers: so it is never from before a write that this server
 * answered, and from before one of another server only until that one's NOTIFY is here.  Any
 * thread; nothing blocks. */
#pragma once
#include "base/arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus;
struct recent;

enum {
    RECENT_MS = 100,
    RECENT_TOPICS = 3,   /* what an answer depends on */
    RECENT_BODY = 16384, /* bytes; a larger one is not kept */
};

/* Texts are borrowed. */
struct recent_answer {
    const char *key, *etag, *body;
    const char *topics[RECENT_TOPICS]; /* only for recent_keep: the bus's, or recent_tell's */
    int64_t began_us;                  /* monotonic, from before the first look at anything */
};

struct recent *recent_new(struct bus *bus); /* borrows; before who waits for what the bus tells */
void recent_free(struct recent *r);         /* after the bus; NULL-safe */

/* What depends on this topic is not given any more; NULL: nothing is.  The bus's topics come by
 * themselves. */
void recent_tell(struct recent *r, const char *topic);
void recent_keep(struct recent *r, const struct recent_answer *answer);
/* false: there is none that may be given, or it is yours to ask for a new one before its time is
 * over.  The etag is in the arena, the body the caller's. */
bool recent_find(struct recent *r, const char *key, struct arena *arena, const char **ret_etag,
                 char **ret_body);
