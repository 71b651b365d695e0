/* db/checkpoint.h: signed checkpoints of the record chains: made by one server, read by all, sent
 * by one at a time. */
#pragma once
#include "db/db.h"

/* Whether this transaction is the one that may make a checkpoint now; the others pass by. */
MUSTCHECK Status db_checkpoint_turn(struct db_tx *tx, bool *ret);
/* Columns: number, hash (of the last one; 0 and null without), at (now), due. */
MUSTCHECK Status db_checkpoint_due(struct db_tx *tx, int64_t every_s, int64_t every_records,
                                   struct db_rows **ret);
/* The heads of all chains in one snapshot, by name.  Columns: name, length, head. */
MUSTCHECK Status db_checkpoint_heads(struct db_tx *tx, struct db_rows **ret);

struct checkpoint_row {
    int64_t number, made_us, records, chains;
    const char *hash, *note; /* base64 of the text's SHA-256; the signed note */
};
MUSTCHECK Status db_checkpoint_insert(struct db_tx *tx, const struct checkpoint_row *in);

/* Those after a number, oldest first; rows by checkpoint_row(). */
MUSTCHECK Status db_checkpoint_after(struct db_pool *p, int64_t after, int64_t limit,
                                     struct db_rows **ret);
struct checkpoint_row checkpoint_row(const struct db_rows *rows, size_t i); /* borrows */

/* One row: number (0: none yet), made_at, age_s, records_since, sent, tries, error. */
MUSTCHECK Status db_checkpoint_state(struct db_pool *p, struct db_rows **ret);

/* Sending: the next one that the receiver has not, for whoever asks first; nobody else gets it
 * within hold_s.  At most one row: number, hash, note. */
MUSTCHECK Status db_checkpoint_claim(struct db_pool *p, int64_t hold_s, struct db_rows **ret);
MUSTCHECK Status db_checkpoint_sent(struct db_pool *p, int64_t number);
/* It is due again after a pause that grows with each try. */
MUSTCHECK Status db_checkpoint_unsent(struct db_pool *p, int64_t number, const char *error);
