/* auth/jwks.h: where issuers' public keys come from, and how they stay fresh.
 *
 * One thread reads the files and fetches the URLs, one at a time, so that no key set is ever
 * fetched twice at once.  Whoever verifies takes the latest set and never waits for it. */
#pragma once
#include "auth/auth.h"
#include "auth/keys.h"

struct jwks; /* all sources, and their thread */
struct key_source;

/* Of `in` only fetch and times are used, and fetch_ctx is borrowed. */
struct jwks *jwks_new(const struct auth_settings *in);
/* All strings are borrowed until jwks_free. */
struct key_origin {
    const char *issuer, *alg;
    const char *pem_file, *jwks_file, *jwks_url; /* one of them */
    const char *ca_pem;                          /* of jwks_url; may be NULL */
};
/* Only before jwks_start.  Lives as long as `j`. */
struct key_source *jwks_add(struct jwks *j, const struct key_origin *from);
/* Gets the keys now, and waits.  false with one line in reterr.  Only before jwks_start. */
bool jwks_load(struct key_source *s, char *reterr, size_t n);
size_t jwks_count(struct key_source *s); /* how many keys there are */
/* From now on they are fetched and refreshed in the background. */
void jwks_start(struct jwks *j);
void jwks_stop(struct jwks *j); /* ends the thread: the keys stay as they are, and grow old */
void jwks_free(struct jwks *j); /* NULL-safe; ends the thread */

typedef enum KeyFound {
    KEY_FOUND,
    KEY_UNKNOWN,     /* not one of the issuer's keys; it is asked for them soon */
    KEY_UNAVAILABLE, /* there are none, or they are too old */
} KeyFound;
/* *ret_set, yours to unref, keeps *ret_key alive; *ret_left_s: how long the keys stay usable
 * unless they are fetched again.  All three are set only with KEY_FOUND.  Any thread, never blocks
 * for a fetch. */
KeyFound jwks_find(struct key_source *s, const char *kid, struct key_set **ret_set,
                   EVP_PKEY **ret_key, int64_t *ret_left_s);
/* Changes whenever a key was withdrawn: what was verified with it counts no more. */
uint64_t jwks_generation(const struct jwks *j);
