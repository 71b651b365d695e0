/* worker/gates.h: loads the facts, asks the gate (domain/gate.h), and notes when it opens or
 * closes.
 *
 * A transaction that changes a gate fact:
 *
 *     s = db_gate_lock(tx, environment_id, NULL, NULL, &environments);      first (law 4)
 *     …   the fact is stored, its own record appended
 *     s = gates_changed(tx, &change, &effect);                              last
 *
 * The lock's statement is what serialises it with the commit of a cut-over: it comes before
 * anything that the fact is checked against is read. */
#pragma once
#include "base/arena.h"
#include "db/gate.h"
#include "domain/gate.h"
#include "worker/transition.h"

/* E_NOT_FOUND: no such environment.  ret is the caller's: gate_verdict_done(). */
MUSTCHECK Status gates_look(struct db_pool *p, const struct gate_ask *in, GateWhen when,
                            struct gate_verdict *ret);
/* The same within a transaction that has the environment's lock. */
MUSTCHECK Status gates_look_in(struct db_tx *tx, const struct gate_ask *in, GateWhen when,
                               struct gate_verdict *ret);

/* Before the first fact about a release is stored, in an environment of an app or (NULL) in each:
 * notes what the gate says without it, so that an opening or a closing is recorded where there was
 * one.  Within the lock. */
MUSTCHECK Status gates_first(struct db_tx *tx, const char *app, const char *environment,
                             const char *release_id, const char *version_key);

struct gate_change {
    const char *environment_id, *release_id, *version_key; /* whose facts changed */
    struct actor by;                                       /* who did it, as its records say */
    struct arena *arena;
};
struct gate_effect {
    bool effective;            /* false: the cut-over of deployment_id was committed before */
    bool open;                 /* what the gate says now */
    const char *deployment_id; /* NULL when effective; in the arena */
};
/* Looks again, appends gate.opened or gate.closed to the environment's chain where it is another
 * answer than before. */
MUSTCHECK Status gates_changed(struct db_tx *tx, const struct gate_change *in,
                               struct gate_effect *ret);
