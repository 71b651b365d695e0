/* worker/worker.h: the threads that carry deployments: scanner, lease renewer, workers, one
 * reserved for undo. */
#pragma once
#include "base/json.h"
#include "db/bus.h"
#include "db/db.h"
#include "db/session.h"
#include "kube/kube.h"

struct worker;
struct worker_settings {
    struct db_pool *pool, *reserved_pool; /* reserved: one connection, for undo */
    struct db_replica *replica;           /* our number and its advisory lock */
    struct bus *bus;
    struct kube_clusters *clusters;
    int threads; /* workers beside the reserved one; 0: this process carries nothing */
    int64_t lease_ms, renew_ms, scan_ms;
    const char *outbound_allow; /* for checks that name a url */
};
struct worker *worker_new(const struct worker_settings *in); /* borrows everything */
/* Starts the threads, once: when the schema is known to be ours.  What was woken before is carried
 * from then on. */
void worker_begin(struct worker *w);
/* Stops claiming, lets ticks under way end, gives leases back, frees.  A second before timeout_ms
 * (at once when there is less) every call to a cluster is canceled, for good: a tick that hung in
 * one then ends within that second.  A database that does not answer costs its own deadlines. */
void worker_free(struct worker *w, int timeout_ms);
/* There is (or may be) work in this environment.  Any thread, never blocks. */
void worker_wake(struct worker *w, const char *environment_id);
/* An abort was committed there: the reserved worker takes it, whatever the others are doing. */
void worker_wake_undo(struct worker *w, const char *environment_id);
/* Something changed in the cluster: for kube_clusters_new's on_change.  Never blocks. */
void worker_object_changed(struct worker *w, const char *cluster, KubeKind kind,
                           const char *namespace_, const char *name);
json_t *worker_stats(struct worker *w); /* {waiting, queued, running} */
