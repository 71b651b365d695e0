/* db/environment.h: rows of environments.  Rows are the caller's to free; the texts of a struct are
 * borrowed from them. */
#pragma once
#include "db/db.h"

struct environment_row {
    const char *id, *app, *name, *cluster, *namespace_, *spec; /* spec: JSON text */
    const char *cluster_spec;                                  /* JSON text */
    const char *active_id;                                     /* its active deployment, or NULL */
    int64_t cluster_revision, revision, manifests_revision, created_us, updated_us;
    int64_t thawed_until_us; /* an open break-glass lifts its freezes until then; 0: none does */
};
struct environment_row environment_row(const struct db_rows *rows, size_t i);

/* No row: no such environment. */
MUSTCHECK Status db_environment_get(struct db_pool *p, const char *app, const char *name,
                                    struct db_rows **ret);
MUSTCHECK Status db_environment_get_in(struct db_tx *tx, const char *app, const char *name,
                                       struct db_rows **ret);
/* No deployment of it starts before the transaction ends. */
MUSTCHECK Status db_environment_lock(struct db_tx *tx, const char *app, const char *name,
                                     struct db_rows **ret);
struct environment_new {
    const char *id, *app, *name, *cluster, *namespace_, *spec;
};
/* *ret_made false: somebody else made it meanwhile.  Refuses E_IN_USE when app or cluster do not
 * exist. */
MUSTCHECK Status db_environment_insert(struct db_tx *tx, const struct environment_new *in,
                                       bool *ret_made);
MUSTCHECK Status db_environment_update(struct db_tx *tx, const struct environment_new *in);
/* What the last write to each shared object left: kind (NULL: there was none), name, comparable,
 * resource_version, age_us.  In the first row, which is always there, `since`: when traffic last
 * came to that color by a write of ours, or NULL. */
MUSTCHECK Status db_environment_left_behind(struct db_pool *p, const char *id,
                                            const char *selector_key, const char *color,
                                            struct db_rows **ret);
MUSTCHECK Status db_environment_delete(struct db_tx *tx, const char *id);
MUSTCHECK Status db_environment_list(struct db_pool *p, const char *app, const char *after,
                                     int64_t limit, struct db_rows **ret);

/* Law 1: replaces the environment's claims with these objects ([{kind, name}]) of a cluster's
 * namespace.  Rows: those that another environment has: kind, name, app, environment (the last two
 * may be null). */
MUSTCHECK Status db_environment_claim(struct db_tx *tx, const char *id, const char *cluster_uid,
                                      const char *namespace_, const char *objects,
                                      struct db_rows **ret);

struct manifests_row {
    const char *id, *spec, *manifests; /* manifests: NULL when there are none */
    int64_t revision, created_us;
};
struct manifests_row manifests_row(const struct db_rows *rows, size_t i);
MUSTCHECK Status db_manifests_get(struct db_pool *p, const char *app, const char *name,
                                  struct db_rows **ret);
MUSTCHECK Status db_manifests_lock(struct db_tx *tx, const char *app, const char *name,
                                   struct db_rows **ret);
MUSTCHECK Status db_manifests_put(struct db_tx *tx, const char *id, const char *manifests,
                                  int64_t *ret_revision);
