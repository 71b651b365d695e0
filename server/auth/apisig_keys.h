/* auth/apisig_keys.h: who may sign: a snapshot of the database's keys that I/O threads read without
 * blocking, and the nonces of signed writes.
 *
 * One thread of its own reads the keys again when the bus says so (`system/keys`), else every five
 * seconds, and makes and drops the partitions of nonces.  While the database is away the last
 * snapshot stays. */
#pragma once
#include "auth/apisig.h"
#include "auth/principal.h"
#include "auth/vault.h"
#include "base/arena.h"

struct bus;
struct db_pool;

#define APISIG_ISSUER "sluice-key" /* of every principal that signs; its subject is the keyid */
#define APISIG_BUILTIN                                                                             \
    "builtin" /* the keyid of API_SIGNATURE_SECRET: kind ci, role ci, all apps                     \
               */
#define APISIG_TOPIC "system/keys"

struct apisig_settings {
    const char *builtin_secret;           /* copied; NULL: there is no builtin key */
    const struct vault *vault;            /* borrowed */
    struct db_pool *pool, *reserved_pool; /* borrowed; pool NULL: only the builtin key, no thread */
    struct bus *bus;                      /* borrowed, ends before this; NULL: only polls */
};
struct apisig_keys;
struct apisig_keys *apisig_keys_new(const struct apisig_settings *in);
void apisig_keys_free(struct apisig_keys *k); /* NULL-safe; ends the thread, wipes */

/* Whether one of the key's secrets signed this message, now (wall clock).  The principal lives in
 * the arena.  Any thread, never blocks for the database.  Refuses E_UNAUTHENTICATED (one answer for
 * a key that is unknown, revoked or expired, and for a wrong MAC), E_DATABASE_UNAVAILABLE while no
 * snapshot was read yet. */
MUSTCHECK Status apisig_keys_verify(struct apisig_keys *k, const struct apisig *a,
                                    const struct apisig_message *m, int64_t now_us,
                                    struct arena *arena, const struct principal **ret);

/* Takes the signature's nonce, or refuses E_UNAUTHENTICATED: it was taken before.  In a transaction
 * of its own, so that a replay is refused while the first request is still being served; blocks for
 * the database, with `urgent` on a connection kept for that. */
MUSTCHECK Status apisig_keys_take_nonce(struct apisig_keys *k, const struct apisig *a, bool urgent);

/* Reads the keys again, so that what was just committed counts for whatever comes next to this
 * server; blocks for the database. */
void apisig_keys_reload(struct apisig_keys *k);
