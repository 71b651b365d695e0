/* handlers/idempotency.h: Idempotency-Key on POSTs that create (api.md): a request that is sent
 * again gets the answer that it got, and makes nothing twice.
 *
 *     static Status create(struct request *q, struct reply *r, void *ctx) {   what the POST does
 *         …
 *         return idempotent_tx(q, r, "release_create", release_create_tx, ctx);
 *     }
 *     return idempotent_run(q, r, create, &ctx);
 */
#pragma once
#include "handlers/context.h"

typedef Status create_fn(struct request *q, struct reply *r, void *ctx);

/* Runs `create`, or puts the kept answer into r where the key has one: before anything is done,
 * and instead of a refusal that came because another request with the key was faster.  Without the
 * header it only runs `create`.  Refuses E_INVALID_REQUEST (no key as api.md has it),
 * E_IDEMPOTENCY_MISMATCH, E_IDEMPOTENCY_IN_FLIGHT, and what `create` refuses, of which nothing is
 * kept. */
MUSTCHECK Status idempotent_run(struct request *q, struct reply *r, create_fn *create, void *ctx);
/* db_tx_run for the transaction of `create` that makes things: takes the key first and keeps last
 * what fn answered (status, json, location and etag of r, all set by fn).  r->replayed: fn did not
 * run, another request with the key was answered. */
MUSTCHECK Status idempotent_tx(struct request *q, struct reply *r, const char *name, db_tx_fn *fn,
                               void *ctx);

/* Where the answer comes later than the transaction (rollback, traffic): fn sets only r->location,
 * of what it began, and the answer is kept by idempotent_settle before it is given.  idempotent_run
 * and idempotent_tx then also return with r->begun: another request with the key began what is at
 * r->location, and its answer is to be waited for. */
MUSTCHECK Status idempotent_settle(struct request *q, struct reply *r);
