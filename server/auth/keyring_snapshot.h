/* auth/keyring_snapshot.h: the keys as they were once read from the database (internal to the ring,
 * auth/keyring.h).  Immutable but for when each was last used: any number of threads look keys up
 * at once. */
#pragma once
#include "auth/apikey.h"
#include "auth/apisig.h"
#include "auth/principal.h"
#include "auth/vault.h"
#include "base/arena.h"

struct db_rows;
struct key_snapshot_row;
struct keyring_snapshot;

/* With the rights that a token with the row's claims would have; malloc'd.  NULL: a role that this
 * version does not know. */
struct principal *keyring_principal(const struct key_snapshot_row *row);

/* From rows of db_key_snapshot; *ret_unopened: how many secrets could not be read, and are left
 * out. */
struct keyring_snapshot *keyring_snapshot_read(const struct vault *vault,
                                               const struct db_rows *rows, size_t *ret_unopened);
void keyring_snapshot_free(struct keyring_snapshot *s); /* NULL-safe; wipes */

/* Whose it is at that time; NULL: nobody's.  Borrowed from the snapshot.  A key of kind signature
 * sends nothing, and one of kind api signs nothing: its digest is no secret to sign with. */
const struct principal *keyring_signer(struct keyring_snapshot *s, const struct apisig *a,
                                       const struct apisig_message *m, int64_t now_us);
const struct principal *keyring_sender(struct keyring_snapshot *s, const char *id,
                                       const unsigned char digest[APIKEY_DIGEST], int64_t now_us);

/* Takes over when keys were last used; nobody may read either snapshot meanwhile.  from may be
 * NULL. */
void keyring_snapshot_inherit(struct keyring_snapshot *to, struct keyring_snapshot *from);
/* The same for the database: uuid[] and timestamptz[] in the arena; false when none was used. */
bool keyring_snapshot_used(struct keyring_snapshot *s, struct arena *arena, char **ret_ids,
                           char **ret_times);
