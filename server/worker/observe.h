/* worker/observe.h: from Kubernetes objects to struct seen; the caller releases that with
 * seen_done(). */
#pragma once
#include "base/json.h"
#include "kube/kube.h"
#include "rollout/seen.h"
#include "rollout/step.h"

/* Reads everything from the API server now (waits; at most 3 s a read).  seen->reachable tells
 * whether it worked. */
void observe_now(struct kube_cluster *c, const json_t *spec, struct seen *ret);
/* For a plan: Service and workloads as they are now, their pods from the watch cache where that is
 * live and shows that something serves; else observe_now(). */
void observe_start(struct kube_cluster *c, const json_t *spec, struct seen *ret);
/* From the watch cache; not reachable while a watch was not live for 30 s. */
void observe_cached(struct kube_cluster *c, const json_t *spec, struct seen *ret);
/* What every step sees: the watch cache, with Service and workloads read now where it does not show
 * them yet as our own last write left them, so that no write of ours is taken for somebody else's;
 * without a live cache observe_now(). */
void observe_after_writes(struct kube_cluster *c, const struct plan *p, const struct journal *j,
                          struct seen *ret);
/* The same, with Service and workloads read from the API server for this very decision. */
void observe_named(struct kube_cluster *c, const struct plan *p, const struct journal *j,
                   struct seen *ret);
/* What a step that must see fresh things sees: the watch cache where it provably is newer than
 * every write in the journal (objects' and counted pods' resourceVersions: design.md law 6, "a
 * watch event newer than the seizure counts"), with Service and workloads read now before the first
 * write; else observe_now(). */
void observe_fresh(struct kube_cluster *c, const struct plan *p, const struct journal *j,
                   struct seen *ret);
/* The same, with Service and workloads read from the API server for this very decision: what the
 * cut-over relies on may have been changed or deleted a moment ago.  service: as the write found
 * it, which it is conditional on; borrowed. */
void observe_cutover(struct kube_cluster *c, const struct plan *p, const struct journal *j,
                     json_t *service, struct seen *ret);
/* All of them say what somebody else changed since (rollout/left.h). */
/* Whether an autoscaler scales that Deployment. */
bool observe_autoscaler(struct kube_cluster *c, const char *namespace_, const char *workload);
/* The `status` of an environment but `deployment`: {active, previous, drift, observed_at, error?}
 * (api.md). */
json_t *observe_status(const struct seen *seen, int64_t observed_us /* wall clock */);
