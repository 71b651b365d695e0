/* worker/cutover.h: law 4: the gates are asked in the transaction that commits the intent to
 * switch. */
#pragma once
#include "worker/job.h"

/* Whether j->changes hold a cut-over that gates may forbid: never one of a rollback. */
bool cutover_is_gated(const struct job *j);
/* tick_commit of `changes` (its JSON text) where the gates are open; *ret_rows as SQL_TICK_COMMIT
 * has them.  Closed: nothing was stored, ret_gate says why. */
MUSTCHECK Status cutover_commit(struct db_pool *p, const struct job *j, const char *changes,
                                struct db_rows **ret_rows, struct seen_gate *ret_gate);
/* What the gates say now, for the steps that ask. */
void cutover_gates(struct db_pool *p, const struct job *j, struct seen_gate *ret);
