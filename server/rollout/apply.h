/* rollout/apply.h: how a version is brought onto an idle workload.  Each function answers true when
 * it decided. */
#pragma once
#include "rollout/step.h"

/* Takes hold of the Service, the target and the workload that traffic may return to: what is
 * observed later counts. */
bool apply_seize(const struct step_ask *a, struct decision *d);
/* Writes the documents in order (or, without any, the image), the workload last. */
bool apply_documents(const struct step_ask *a, struct decision *d);
/* As soon as all new pods exist, puts the team's own roll-out strategy back (design.md, "An idle
 * color"). */
bool apply_restore_strategy(const struct step_ask *a, struct decision *d);
/* An autoscaler decides how many pods the target has: then no count is written.  At 0 replicas
 * Kubernetes lets it rest, and a workload that is not there yet has no count to keep: then a number
 * begins it. */
bool apply_count_is_theirs(const struct step_ask *a);
/* The team's own strategy of the target, new. */
json_t *apply_own_strategy(const struct plan *p);
