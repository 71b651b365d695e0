/* auth/keyring.h: who calls with a key: a snapshot of the database's keys that I/O threads read
 * without blocking, and the nonces of signed writes.
 *
 * One thread of its own reads the keys again when the bus says so (`system/keys`), else every five
 * seconds, makes and drops the partitions of nonces, and every three minutes writes down when each
 * key was last used.  While the database is away the last snapshot stays. */
#pragma once
#include "auth/apisig.h"
#include "auth/principal.h"
#include "auth/vault.h"
#include "base/arena.h"

struct bus;
struct db_pool;

#define KEY_ISSUER "sluice-key" /* of every principal with a key; its subject is the key's id */
/* The keyid of API_SIGNATURE_SECRET: kind ci, role ci, all apps. */
#define KEY_BUILTIN "builtin"
#define KEY_TOPIC   "system/keys"

struct keyring_settings {
    const char *builtin_secret;           /* copied; NULL: there is no builtin key */
    const struct vault *vault;            /* borrowed */
    struct db_pool *pool, *reserved_pool; /* borrowed; pool NULL: only the builtin key, no thread */
    struct bus *bus;                      /* borrowed, ends before this; NULL: only polls */
};
struct keyring;
struct keyring *keyring_new(const struct keyring_settings *in);
void keyring_free(struct keyring *k); /* NULL-safe; ends the thread, wipes */

/* Whether one of the key's secrets signed this message, now (wall clock).  The principal lives in
 * the arena.  Any thread, never blocks for the database.  Refuses E_UNAUTHENTICATED (one answer for
 * a key that is unknown, revoked or expired, and for a wrong MAC), E_DATABASE_UNAVAILABLE while no
 * snapshot was read yet. */
MUSTCHECK Status keyring_verify(struct keyring *k, const struct apisig *a,
                                const struct apisig_message *m, int64_t now_us, struct arena *arena,
                                const struct principal **ret);

/* Whose API key this text is, now; the rest as keyring_verify.  Text of any form: what is no key is
 * E_UNAUTHENTICATED. */
MUSTCHECK Status keyring_find(struct keyring *k, const char *text, int64_t now_us,
                              struct arena *arena, const struct principal **ret);

/* Takes the signature's nonce, or refuses E_UNAUTHENTICATED: it was taken before.  In a transaction
 * of its own, so that a replay is refused while the first request is still being served; blocks for
 * the database, with `urgent` on a connection kept for that. */
MUSTCHECK Status keyring_take_nonce(struct keyring *k, const struct apisig *a, bool urgent);

/* Reads the keys again, so that what was just committed counts for whatever comes next to this
 * server; blocks for the database. */
void keyring_reload(struct keyring *k);

/* Writes down when keys were last used, as far as this server knows; the thread does it, also at
 * its end. */
Status keyring_note_uses(struct keyring *k);
