/* worker/dry_run.h: what a deployment would write, tried on the API server with dryRun=All: the
 * steps' own decisions, one after the other, as if each write had been made and all pods had become
 * ready. */
#pragma once
#include "worker/job.h"

struct dry_run {
    json_t *changes; /* [{verb: create | apply | patch, kind, name, before, after}] of the writes
                        that change something; owned */
    const char *code, *hint; /* what it would fail with; NULL: it would not */
    char detail[SEEN_TEXT * 2];
};
struct dry_run_request {
    struct db_pool *pool;
    struct kube_cluster *cluster;
    const char *environment_id, *app, *environment;
    const json_t *plan; /* of plan_make() */
};
/* Waits for the cluster; nothing is stored, nothing in the cluster changes.  Refuses
 * E_CLUSTER_UNAVAILABLE with ret->detail. */
MUSTCHECK Status dry_run_deployment(const struct dry_run_request *in, struct dry_run *ret);
void dry_run_done(struct dry_run *r); /* NULL-safe, idempotent */
static inline void dry_run_done_cleanup(struct dry_run *r) {
    dry_run_done(r);
}
