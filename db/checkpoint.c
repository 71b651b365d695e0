#include "db/checkpoint.h"
#include "base/cleanup.h"

enum { LOCK_CLASS = 1397510482, LOCK_KEY = 1 }; /* of pg_try_advisory_xact_lock */

Status db_checkpoint_turn(struct db_tx *tx, bool *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s =
        db_query(tx, SQL_CHECKPOINT_TURN, &rows, DB_PARAMS(DB_INT(LOCK_CLASS), DB_INT(LOCK_KEY)));

    *ret = s == STATUS_OK && db_bool(rows, 0, "mine");
    return s;
}

Status db_checkpoint_due(struct db_tx *tx, int64_t every_s, int64_t every_records,
                         struct db_rows **ret) {
    return db_query(tx, SQL_CHECKPOINT_DUE, ret, DB_PARAMS(DB_INT(every_s), DB_INT(every_records)));
}

Status db_checkpoint_heads(struct db_tx *tx, struct db_rows **ret) {
    return db_query(tx, SQL_CHECKPOINT_HEADS, ret, DB_NO_PARAMS);
}

Status db_checkpoint_insert(struct db_tx *tx, const struct checkpoint_row *in) {
    return db_query(tx, SQL_CHECKPOINT_INSERT, NULL,
                    DB_PARAMS(DB_INT(in->number), DB_TIMESTAMP(in->made_us), DB_INT(in->records),
                              DB_INT(in->chains), in->hash, in->note));
}

Status db_checkpoint_after(struct db_pool *p, int64_t after, int64_t limit, struct db_rows **ret) {
    return db_once(p, SQL_CHECKPOINT_AFTER, ret, DB_PARAMS(DB_INT(after), DB_INT(limit)));
}

struct checkpoint_row checkpoint_row(const struct db_rows *rows, size_t i) {
    return (struct checkpoint_row){
        .number = db_int(rows, i, "number"),
        .made_us = db_time(rows, i, "made_at"),
        .records = db_int(rows, i, "records"),
        .chains = db_int(rows, i, "chains"),
        .hash = db_text(rows, i, "hash"),
        .note = db_text(rows, i, "note"),
    };
}

Status db_checkpoint_state(struct db_pool *p, struct db_rows **ret) {
    return db_once(p, SQL_CHECKPOINT_STATE, ret, DB_NO_PARAMS);
}

Status db_checkpoint_claim(struct db_pool *p, int64_t hold_s, struct db_rows **ret) {
    return db_once(p, SQL_CHECKPOINT_CLAIM, ret, DB_PARAMS(DB_INT(hold_s)));
}

Status db_checkpoint_sent(struct db_pool *p, int64_t number) {
    return db_once(p, SQL_CHECKPOINT_SENT, NULL, DB_PARAMS(DB_INT(number)));
}

Status db_checkpoint_unsent(struct db_pool *p, int64_t number, const char *error) {
    return db_once(p, SQL_CHECKPOINT_UNSENT, NULL, DB_PARAMS(DB_INT(number), error));
}
