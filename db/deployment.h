/* db/deployment.h: rows of deployments, as people read them, and the start of one.  The runner's
 * own statements are the worker's.  Rows are the caller's to free; the texts of a struct are
 * borrowed from them. */
#pragma once
#include "db/db.h"

struct deployment_row {
    const char *id, *environment_id, *app, *environment, *version, *strategy, *kind, *state;
    const char *reason, *current_step, *acceptance, *rolled_back_by, *rollback_of;
    const char *requested_by, *from, *to, *failure, *steps, *waivers,
        *flags; /* JSON texts; failure and steps may be NULL; the last two: of a whole row */
    int64_t confirmed_us, created_us, started_us, ended_us;
};
struct deployment_row deployment_row(const struct db_rows *rows, size_t i);
/* The row of db_deployment_get, which says more than a list's. */
struct deployment_row deployment_row_whole(const struct db_rows *rows);

/* No row: no such deployment. */
MUSTCHECK Status db_deployment_get(struct db_pool *p, const char *id, struct db_rows **ret);
MUSTCHECK Status db_deployment_get_in(struct db_tx *tx, const char *id, struct db_rows **ret);

/* NULL: any. */
struct deployment_filter {
    const char *apps; /* text[]: those that the caller may see */
    const char *app, *environment, *state, *version_key;
};
/* Newest first, older than the id `after` (NULL: from the newest). */
MUSTCHECK Status db_deployment_list(struct db_pool *p, const struct deployment_filter *filter,
                                    const char *after, int64_t limit, struct db_rows **ret);

/* What a create needs to know.  No row: no such environment; release_id NULL: no such release. */
struct deployment_basis {
    const char *environment_id, *spec,
        *manifests; /* manifests: the release's, else the environment's, else NULL */
    const char *cluster, *cluster_spec;
    const char *release_id, *version, *image, *digest, *flags, *active_id; /* flags: JSON text */
    int64_t revision, cutover, cluster_revision;
    bool yanked, gated; /* gated: the environment has gates */
};
MUSTCHECK Status db_deployment_prepare(struct db_pool *p, const char *app, const char *environment,
                                       const char *version_key, struct db_rows **ret);
struct deployment_basis deployment_basis(const struct db_rows *rows);

struct deployment_new {
    const char *id, *environment_id, *app, *environment, *release_id, *strategy, *reason;
    const char *requested_by, *plan, *steps; /* JSON texts; steps: [{name, title}] */
};
/* Law 4, the first statement: E_PRECONDITION_FAILED when the environment changed or a deployment
 * ended since the basis was read. */
MUSTCHECK Status db_deployment_begin(struct db_tx *tx, const struct deployment_basis *basis);
/* Refuses E_ENVIRONMENT_BUSY (law 1), E_RELEASE_YANKED. */
MUSTCHECK Status db_deployment_insert(struct db_tx *tx, const struct deployment_new *in);
/* Waits for its gates.  in->plan: only its params (JSON) count; look_at_us 0: never by time alone.
 */
MUSTCHECK Status db_deployment_insert_blocked(struct db_tx *tx, const struct deployment_new *in,
                                              int64_t look_at_us);
/* A blocked one becomes active.  Refuses E_ENVIRONMENT_BUSY, E_WRONG_STATE: it is not blocked. */
MUSTCHECK Status db_deployment_start(struct db_tx *tx, const char *id, const char *plan,
                                     const char *steps);
/* No row: none is active. */
MUSTCHECK Status db_deployment_active(struct db_pool *p, const char *environment_id,
                                      struct db_rows **ret);
/* Rows: state, count. */
MUSTCHECK Status db_deployment_states(struct db_pool *p, struct db_rows **ret);
