/* db/cluster.h: rows of clusters.  Rows are the caller's to free; the texts of a struct are
 * borrowed from them. */
#pragma once
#include "db/db.h"

struct cluster_row {
    const char *name, *spec, *uid; /* spec: JSON text; uid: NULL until it was reached once */
    int64_t revision, created_us, updated_us;
};
struct cluster_row cluster_row(const struct db_rows *rows, size_t i);

/* No row: no such cluster. */
MUSTCHECK Status db_cluster_get(struct db_pool *p, const char *name, struct db_rows **ret);
MUSTCHECK Status db_cluster_lock(struct db_tx *tx, const char *name, struct db_rows **ret);
/* No row: somebody else made it meanwhile.  uid may be NULL. */
MUSTCHECK Status db_cluster_insert(struct db_tx *tx, const char *name, const char *spec,
                                   const char *uid, struct db_rows **ret);
MUSTCHECK Status db_cluster_update(struct db_tx *tx, const char *name, const char *spec,
                                   const char *uid, struct db_rows **ret);
/* Keeps the uid of a cluster that had none; nothing when the cluster changed since. */
MUSTCHECK Status db_cluster_identify(struct db_pool *p, const char *name, int64_t revision,
                                     const char *uid);
MUSTCHECK Status db_cluster_used(struct db_tx *tx, const char *name, bool *ret);
/* Refuses E_IN_USE while environments live in it. */
MUSTCHECK Status db_cluster_delete(struct db_tx *tx, const char *name);
MUSTCHECK Status db_cluster_list(struct db_pool *p, const char *after, int64_t limit,
                                 struct db_rows **ret);
/* Rows: namespace, service, blue, green, manifests: what its environments name there, by namespace.
 */
MUSTCHECK Status db_cluster_targets(struct db_pool *p, const char *name, int64_t limit,
                                    struct db_rows **ret);
