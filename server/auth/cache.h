/* auth/cache.h: tokens that were verified, until they expire.
 *
 * Keyed by the SHA-256 of a token's whole text: one key is one text, but not one identity (the same
 * claims may be signed into many texts), so nothing but the next presentation of the same text may
 * be looked up here.  Bounded: TOKEN_CACHE_ENTRIES, in sets of eight with the least recently used
 * leaving; any thread.  `generation` changes when a key is withdrawn: what was verified before it
 * is not found any more. */
#pragma once
#include "auth/principal.h"
#include "base/arena.h"

enum { TOKEN_KEY = 32, TOKEN_CACHE_ENTRIES = 16384 };

struct token_cache;
struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *c);
/* A copy in the arena; NULL when it is not there or has expired. */
const struct principal *token_cache_get(struct token_cache *c, const unsigned char key[TOKEN_KEY],
                                        uint64_t generation, int64_t now_s, struct arena *arena);
/* Copies the principal. */
void token_cache_put(struct token_cache *c, const unsigned char key[TOKEN_KEY], uint64_t generation,
                     const struct principal *p, int64_t now_s, int64_t until_s);
