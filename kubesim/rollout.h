/* kubesim/rollout.h: how a Deployment's ReplicaSets are scaled against each other; the arithmetic
 * of kube-controller-manager's RollingUpdate and Recreate. */
#pragma once
#include "kubesim/sim.h"

struct rollout {
    int64_t replicas, max_surge, max_unavailable;
    bool recreate;
    struct slot *new_set;   /* of the current template; NULL: none yet */
    struct slot **old_sets; /* owned array, oldest first */
    size_t n_old;
    bool created, found; /* new_set was made now; an old one became the new one now */
};

/* From a Deployment's spec; the sets are the caller's to fill in. */
struct rollout rollout_new(const json_t *spec);
/* Scales the sets one step nearer. */
void rollout_step(struct sim *sim, struct rollout *r);
/* The counts of .status; zeros are left out, as Kubernetes does. */
json_t *rollout_status(const struct rollout *r);
bool rollout_complete(const struct rollout *r, const json_t *status);
bool rollout_got_further(const json_t *before, const json_t *after);

int64_t set_wanted(const struct slot *rs);                 /* spec.replicas */
int64_t set_count(const struct slot *rs, const char *key); /* of its status */
void set_scale(struct sim *sim, const struct rollout *r, struct slot *rs, int64_t replicas);
