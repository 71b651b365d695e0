/* worker/deployment_flags.h: what a release changes of flags (release.flags, in the plan): made by
 * steps, in the transaction that ends the step; taken back in the one that decides to take the
 * deployment back.
 *
 * A flag that somebody changed since is left as it is, and named; a flag never refuses or delays
 * anything that goes backward. */
#pragma once
#include "worker/job.h"
#include "worker/transition.h"

/* Whether j->changes end a step that changes flags, or begin to take such a deployment back. */
bool deployment_flags_change(const struct job *j);
/* tick_commit of `changes` (its JSON text) together with that; *ret_rows as job_commit has them.
 * E_OVERLOADED: others have the app's flags locked; again later. */
MUSTCHECK Status deployment_flags_commit(struct db_pool *p, const struct job *j,
                                         const char *changes, struct db_rows **ret_rows);
/* What the step that changes flags at `at` would do, and whether it can. */
void deployment_flags_look(struct db_pool *p, const struct job *j, const char *at,
                           struct seen_flags *ret);
/* Takes back what this deployment and those after it in the environment changed, and turns off what
 * requires a later version than the one that will serve (NULL: serves).  Where others have the
 * app's flags locked it is done by the sweep, soon after. */
MUSTCHECK Status deployment_flags_take_back(struct db_tx *tx, const char *environment_id,
                                            const char *since, const char *version,
                                            struct actor by);
/* Takes back what is still due, and turns off what is on where too old a version serves, however
 * that came; `changed` is told the flags' topic. */
void deployment_flags_sweep(struct db_pool *p, void (*changed)(void *ctx, const char *topic),
                            void *ctx);
