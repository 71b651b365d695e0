/* worker/start.h: what it takes to make a deployment active.  The cluster is looked at and the plan
 * fixed outside any transaction; the transaction that makes it active holds only if nothing changed
 * since, and asks the gates (law 4). */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include "db/deployment.h"
#include "kube/kube.h"
#include "worker/gates.h"

struct start_plan {
    struct kube_clusters *clusters;
    const struct deployment_basis *basis;
    const json_t *params; /* the deployment's own, or NULL */
    struct arena *arena;
};
/* The plan (yours).  E_CLUSTER_UNAVAILABLE, E_INVALID_BODY (of the manifests), with a sentence in
 * *reterr (in the arena). */
MUSTCHECK Status start_plan(const struct start_plan *in, json_t **ret, const char **reterr);
/* [{name, title}] of a deployment of that plan, if it begins now.  Yours. */
json_t *start_steps(const struct deployment_basis *basis, const json_t *plan);
/* What the gates say, in a transaction that has the environment's lock; the checklist is in use
 * from now on. */
MUSTCHECK Status start_gates(struct db_tx *tx, const struct deployment_basis *basis,
                             const struct gate_ask *ask, struct gate_verdict *ret);
