/* db/idempotency.h: keys of POSTs that create, with the answers that are given again (api.md,
 * Idempotency-Key). */
#pragma once
#include "db/db.h"

struct idempotency_key {
    const char *issuer, *subject, *key;
    const char *fingerprint; /* of the request: SHA-256, hex */
};
struct idempotency_answer {
    const char *fingerprint;            /* of the request that was answered */
    int64_t status;                     /* 0: not yet, what the request began is at location */
    const char *body, *location, *etag; /* body NULL: not yet; the last two may be NULL */
};
/* Of a row of db_idempotency_find; borrowed from it. */
struct idempotency_answer idempotency_answer(const struct db_rows *rows);

/* No row: not answered, or more than 24 hours ago. */
MUSTCHECK Status db_idempotency_find(struct db_pool *p, const struct idempotency_key *k,
                                     struct db_rows **ret);
MUSTCHECK Status db_idempotency_find_in(struct db_tx *tx, const struct idempotency_key *k,
                                        struct db_rows **ret);
/* The first statement of the transaction that does the work: waits for another transaction that
 * has the key.  *ret_taken false: that one did the work.  Refuses E_IDEMPOTENCY_IN_FLIGHT after
 * five seconds. */
MUSTCHECK Status db_idempotency_take(struct db_tx *tx, const struct idempotency_key *k,
                                     bool *ret_taken);
/* The answer, in the same transaction. */
MUSTCHECK Status db_idempotency_keep(struct db_tx *tx, const struct idempotency_key *k,
                                     const struct idempotency_answer *answer);
/* The answer of what was begun.  *ret_kept false: somebody else was faster. */
MUSTCHECK Status db_idempotency_settle(struct db_pool *p, const struct idempotency_key *k,
                                       const struct idempotency_answer *answer, bool *ret_kept);
/* Drops at most `limit` expired keys. */
MUSTCHECK Status db_idempotency_purge(struct db_pool *p, int64_t limit, size_t *ret_dropped);
