/* db/key.h: rows of keys and their sealed secrets.  Rows are the caller's to free; the texts of a
 * struct are borrowed from them. */
#pragma once
#include "db/db.h"

enum { KEY_SEALED_MAX = 512, KEY_DIGEST = 32, KEY_SECRET_NAME = 64 };

struct key_row {
    const char *id, *name, *kind, *principal_kind;
    const char *roles, *apps; /* JSON arrays */
    const char *environment;  /* NULL: all of its apps */
    const char *created_by;   /* JSON */
    const char *secrets;      /* JSON: [{slot, created_us, expires_us?}], oldest first */
    int64_t created_us, expires_us, last_used_us; /* 0: never */
};
struct key_row key_row(const struct db_rows *rows, size_t i);

struct key_new {
    const char *id, *name, *kind, *principal_kind, *created_by;
    const char *roles, *apps; /* text[] */
    const char *environment;  /* NULL: all of its apps */
    int64_t expires_us;       /* 0: never */
};
MUSTCHECK Status db_key_insert(struct db_tx *tx, const struct key_new *k);
/* No row: no such key. */
MUSTCHECK Status db_key_get(struct db_pool *p, const char *id, struct db_rows **ret);
MUSTCHECK Status db_key_get_in(struct db_tx *tx, const char *id, struct db_rows **ret);
/* apps: text[] of those that the caller reaches; NULL for all. */
MUSTCHECK Status db_key_list(struct db_pool *p, const char *after, const char *apps, int64_t limit,
                             struct db_rows **ret);
/* Others that change this key wait until the transaction ends. */
MUSTCHECK Status db_key_lock(struct db_tx *tx, const char *id);
MUSTCHECK Status db_key_delete(struct db_tx *tx, const char *id);
/* Notes when keys were used, where that is later than what is there; ids, times: uuid[],
 * timestamptz[], in pairs. */
MUSTCHECK Status db_key_used(struct db_pool *p, const char *ids, const char *times);

struct key_secret_row {
    const char *key_id, *kek; /* kek NULL: it has a digest */
    int64_t slot;
    unsigned char sealed[KEY_SEALED_MAX], digest[KEY_DIGEST];
    size_t sealed_n;
};
/* What its encryption is bound to: "KEY/SLOT".  Returns `text`. */
char *key_secret_name(const struct key_secret_row *s, char text[KEY_SECRET_NAME]);
MUSTCHECK Status db_key_secret_insert(struct db_tx *tx, const struct key_secret_row *s);
/* Forgets the secrets that have ended. */
MUSTCHECK Status db_key_secret_purge(struct db_tx *tx, const char *id);
/* Lets the secrets before `slot` end in overlap_s, or earlier where they would have. */
MUSTCHECK Status db_key_secret_end(struct db_tx *tx, const char *id, int64_t slot,
                                   int64_t overlap_s);
/* Refuses E_NOT_FOUND. */
MUSTCHECK Status db_key_secret_delete(struct db_tx *tx, const char *id, int64_t slot);

/* One secret that counts, with whom it speaks for: rows of db_key_snapshot. */
struct key_snapshot_row {
    const char *name, *principal_kind, *roles, *apps; /* roles, apps: JSON arrays */
    const char *environment;                          /* NULL: all of its apps */
    int64_t expires_us;                               /* of key or secret; 0: never */
    struct key_secret_row secret;
};
MUSTCHECK Status db_key_snapshot(struct db_pool *p, struct db_rows **ret);
struct key_snapshot_row key_snapshot_row(const struct db_rows *rows, size_t i);

/* Secrets that another key-encryption key than `kek` sealed, after a position (after_key NULL: from
 * the first), locked. */
MUSTCHECK Status db_key_sealed_otherwise(struct db_tx *tx, const char *kek, const char *after_key,
                                         int64_t after_slot, int64_t limit, struct db_rows **ret);
struct key_secret_row key_secret_row(const struct db_rows *rows, size_t i);
MUSTCHECK Status db_key_seal_again(struct db_tx *tx, const struct key_secret_row *s);
