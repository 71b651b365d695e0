#include "db/idempotency.h"
#include "base/cleanup.h"

enum { IN_FLIGHT_MS = 5000 };

struct idempotency_answer idempotency_answer(const struct db_rows *rows) {
    return (struct idempotency_answer){
        .fingerprint = db_text(rows, 0, "fingerprint"),
        .status = db_int(rows, 0, "status"),
        .body = db_text(rows, 0, "body"),
        .location = db_text(rows, 0, "location"),
        .etag = db_text(rows, 0, "etag"),
    };
}

Status db_idempotency_find(struct db_pool *p, const struct idempotency_key *k,
                           struct db_rows **ret) {
    return db_once(p, SQL_IDEMPOTENCY_FIND, ret, DB_PARAMS(k->issuer, k->subject, k->key));
}

Status db_idempotency_find_in(struct db_tx *tx, const struct idempotency_key *k,
                              struct db_rows **ret) {
    return db_query(tx, SQL_IDEMPOTENCY_FIND, ret, DB_PARAMS(k->issuer, k->subject, k->key));
}

Status db_idempotency_take(struct db_tx *tx, const struct idempotency_key *k, bool *ret_taken) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query_waiting(tx, IN_FLIGHT_MS, SQL_IDEMPOTENCY_TAKE, &rows,
                                DB_PARAMS(k->issuer, k->subject, k->key, k->fingerprint));

    *ret_taken = s == STATUS_OK && db_rows_count(rows) > 0;
    return s == E_OVERLOADED ? E_IDEMPOTENCY_IN_FLIGHT : s;
}

/* Parameters of keep.sql, as an array that lives as long as the block around it. */
#define KEEP_PARAMS(k, answer)                                                                     \
    DB_PARAMS((k)->issuer, (k)->subject, (k)->key, (k)->fingerprint,                               \
              (answer)->status ? DB_INT((answer)->status) : NULL, (answer)->body,                  \
              (answer)->location, (answer)->etag)

Status db_idempotency_keep(struct db_tx *tx, const struct idempotency_key *k,
                           const struct idempotency_answer *answer) {
    return db_query(tx, SQL_IDEMPOTENCY_KEEP, NULL, KEEP_PARAMS(k, answer));
}

Status db_idempotency_settle(struct db_pool *p, const struct idempotency_key *k,
                             const struct idempotency_answer *answer, bool *ret_kept) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_once(p, SQL_IDEMPOTENCY_KEEP, &rows, KEEP_PARAMS(k, answer));

    *ret_kept = s == STATUS_OK && db_rows_count(rows) > 0;
    return s;
}

Status db_idempotency_purge(struct db_pool *p, int64_t limit, size_t *ret_dropped) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_once(p, SQL_IDEMPOTENCY_PURGE, &rows, DB_PARAMS(DB_INT(limit)));

    *ret_dropped = db_rows_count(rows);
    return s;
}
