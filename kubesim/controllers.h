/* kubesim/controllers.h: what makes the cluster live.  Every stored write puts the objects that it
 * concerns into one queue; after each round of the loop the queue is emptied, each kind by its own
 * controller: deployment.c, replicaset.c, kubelet.c (pods), service.c (EndpointSlices, proxies). */
#pragma once
#include "kubesim/sim.h"

/* The store's hook. */
void controllers_on_event(void *ctx, struct slot *slot, const struct event *event);
/* The loop's hook: empties the queue. */
int64_t controllers_drain(void *ctx);
/* Ends what is attached to objects, before the store is freed. */
void controllers_stop(struct sim *sim);

/* What clients' writes need of the controllers. */
/* Before a creation: gives a Service its address, checks a Pod against quotas.  A Status refuses.
 */
json_t *controllers_admit(struct sim *sim, const struct kind *kind, json_t *body, bool dry_run);
/* Keeps what a replacing write may leave out (a Service's address). */
void controllers_admit_update(const struct kind *kind, const json_t *before, json_t *body);
/* Deletes now (true: the slot is gone) or begins to: pods terminate, finalizers are waited for.
 * grace_s -1: the pod's own. */
bool controllers_delete(struct sim *sim, struct slot *slot, int grace_s);
/* After an update: ends an object that waited for its finalizers. */
void controllers_finalized(struct sim *sim, struct slot *slot);

/* Shared by the controllers. */
void ctl_enqueue(struct sim *sim, struct slot *slot);
/* Stores `body` (taken) unless nothing differs. */
void ctl_write(struct sim *sim, struct slot *slot, json_t *body);
/* A copy of the current body to change: metadata and status are its own, the rest is shared. */
json_t *ctl_copy(const struct slot *slot);
/* Whether the object's controller is `owner`. */
bool ctl_owned_by(const struct slot *slot, const struct slot *owner);
bool ctl_terminating(const struct slot *slot);
json_t *ctl_owner_reference(const struct slot *owner);
/* Sets a condition of a list; times move as Kubernetes moves them. */
void ctl_condition(json_t *conditions, const char *type, const char *status, const char *reason,
                   const char *message);
void ctl_condition_remove(json_t *conditions, const char *type);
json_t *ctl_condition_of(const json_t *conditions, const char *type); /* borrowed or NULL */
/* `n` random characters as in generated names. */
char *ctl_random_name(char *text, size_t n);
/* Records an Event about an object; the same one again only counts up. */
void ctl_event(struct sim *sim, const struct slot *about, const char *type, const char *reason,
               const char *message);
/* "exceeded quota: …" when the namespace takes no more pods, else NULL; yours. */
char *ctl_quota_exceeded(struct sim *sim, const char *ns);

/* One per kind: brings what the cluster has nearer to what the object asks for. */
void deployment_ctl_sync(struct sim *sim, struct slot *slot);
void deployment_ctl_gone(struct sim *sim, struct slot *slot);
void replicaset_ctl_sync(struct sim *sim, struct slot *slot);
void replicaset_ctl_gone(struct sim *sim, struct slot *slot);
void kubelet_sync(struct sim *sim, struct slot *slot);
void kubelet_gone(struct sim *sim, struct slot *slot);
/* Starts the termination of a pod; true when it is gone at once. */
bool kubelet_terminate(struct sim *sim, struct slot *slot, int grace_s);
/* Behaviors were set: every pod looks again. */
void kubelet_behave(struct sim *sim);
/* {"items": [{name, image, ready, ready_at}]} of a namespace; ready_at, to the microsecond, is when
 * the pod last became ready, null before; yours. */
json_t *kubelet_list(struct sim *sim, const char *ns);
bool pod_ready(const json_t *body);
void service_ctl_sync(struct sim *sim, struct slot *slot);
void service_ctl_gone(struct sim *sim, struct slot *slot);
/* Gives a Service its address and opens it; a Status when there is none left. */
json_t *service_ctl_admit(struct sim *sim, json_t *body);
/* A pod of the namespace changed (either may be NULL). */
void service_ctl_pod(struct sim *sim, const char *ns, const json_t *before, const json_t *after);
/* "IP:PORT" that a Service really listens on, yours; NULL when it does not. */
char *service_ctl_address(struct sim *sim, const char *ns, const char *name);
