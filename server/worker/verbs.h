/* worker/verbs.h: what people ask of a deployment, each in a transaction of the caller's: state,
 * fence, records.
 *
 * All of them: E_NOT_FOUND; E_WRONG_STATE with ret->state (in the arena); the caller wakes the
 * worker after the commit. */
#pragma once
#include "base/arena.h"
#include "db/db.h"
#include "worker/gates.h"
#include "worker/transition.h"

struct verb_request {
    const char *deployment_id;
    const char *reason; /* NULL: none given */
    struct actor by;
    struct arena *arena;
};
struct verb_result {
    const char *state;         /* of E_WRONG_STATE */
    const char *detail;        /* of E_WRONG_STATE: why, where the state alone does not say it */
    const char *deployment_id; /* of rollback and traffic: the one that carries it */
    struct gate_verdict gate;  /* of E_BLOCKED; the caller's */
    bool existing;             /* of rollback: that one was there already, nothing was changed */
};

/* State undoing, epoch + 1, lease cleared; of one that is undoing already it joins. */
MUSTCHECK Status deployment_abort(struct db_tx *tx, const struct verb_request *in,
                                  struct verb_result *ret);
MUSTCHECK Status deployment_promote(struct db_tx *tx, const struct verb_request *in,
                                    struct verb_result *ret);
/* Stops at the next step boundary. */
MUSTCHECK Status deployment_pause(struct db_tx *tx, const struct verb_request *in,
                                  struct verb_result *ret);
MUSTCHECK Status deployment_resume(struct db_tx *tx, const struct verb_request *in,
                                   struct verb_result *ret);
MUSTCHECK Status deployment_cancel(struct db_tx *tx, const struct verb_request *in,
                                   struct verb_result *ret);
/* Of a stuck one: tries again what was refused. */
MUSTCHECK Status deployment_retry(struct db_tx *tx, const struct verb_request *in,
                                  struct verb_result *ret);
/* Of a stuck one: a person says how it ended; writes nothing to the cluster. */
MUSTCHECK Status deployment_resolve(struct db_tx *tx, const struct verb_request *in, bool succeeded,
                                    struct verb_result *ret);

struct rollback_ask {
    const char *app, *environment;
    const char *of;      /* a deployment's id, or NULL: the one that was active last */
    const char *version; /* to, or NULL */
    const char *id;      /* of the rollback, if one is made */
    const char *reason;
    struct actor by;
    struct arena *arena;
};
/* Law 2: ends what is active, begins the rollback, fences; two people at once do not toggle. */
MUSTCHECK Status deployment_rollback(struct db_tx *tx, const struct rollback_ask *in,
                                     struct verb_result *ret);

/* Traffic to the color of a plan of traffic_plan(): to the previous one it is a rollback, to any
 * other a deployment of kind traffic, which gates may forbid.  E_ENVIRONMENT_BUSY (with
 * ret->deployment_id) when one is active, E_NO_CAPACITY without capacity, E_BLOCKED. */
MUSTCHECK Status deployment_traffic(struct db_tx *tx, const struct rollback_ask *in,
                                    const json_t *plan, bool capacity, struct verb_result *ret);
