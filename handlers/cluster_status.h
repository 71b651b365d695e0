/* handlers/cluster_status.h: what is known of a cluster from outside: does it answer, who is it,
 * what may we do there. */
#pragma once
#include "db/cluster.h"
#include "handlers/context.h"

/* {reachable, version, uid, missing_permissions[], checked_at, error?}, at most 10 s old; asks the
 * cluster (at most a few seconds) when it has to and may: without `ask` an old one, or NULL. Yours.
 */
json_t *cluster_status(struct server_context *context, const struct cluster_row *cluster, bool ask);
/* Who it is: the uid of namespace kube-system, from its row, else by asking; what is learnt is
 * kept.  In the arena. Refuses E_CLUSTER_UNAVAILABLE. */
MUSTCHECK Status cluster_uid(const struct request *q, const struct cluster_row *cluster,
                             const char **ret, struct reply *r);
/* The cluster of a row.  E_CLUSTER_UNAVAILABLE when its kubeconfig cannot be read (any more). */
MUSTCHECK Status cluster_of(const struct request *q, const char *name, const char *spec,
                            int64_t revision, struct kube_cluster **ret, struct reply *r);
