/* worker/observe.h: from Kubernetes objects to struct seen. */
#pragma once
#include "base/json.h"
#include "kube/kube.h"
#include "rollout/seen.h"

/* Reads everything from the API server now (waits; at most 3 s a read).  seen->reachable tells
 * whether it worked. */
void observe_now(struct kube_cluster *c, const json_t *spec, struct seen *ret);
/* From the watch cache; not reachable while a watch was not live for 30 s. */
void observe_cached(struct kube_cluster *c, const json_t *spec, struct seen *ret);
/* The `status` of an environment but `deployment`: {active, previous, drift, observed_at, error?}
 * (api.md). */
json_t *observe_status(const json_t *spec, const struct seen *seen);
