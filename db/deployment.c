#include "db/deployment.h"
#include "base/cleanup.h"
#include "base/trace.h"
#include <string.h>

struct deployment_row deployment_row(const struct db_rows *rows, size_t i) {
    return (struct deployment_row){
        .id = db_text(rows, i, "id"),
        .environment_id = db_text(rows, i, "environment_id"),
        .app = db_text(rows, i, "app"),
        .environment = db_text(rows, i, "environment"),
        .version = db_text(rows, i, "version"),
        .strategy = db_text(rows, i, "strategy"),
        .kind = db_text(rows, i, "kind"),
        .state = db_text(rows, i, "state"),
        .reason = db_text(rows, i, "reason"),
        .current_step = db_text(rows, i, "current_step"),
        .acceptance = db_text(rows, i, "acceptance"),
        .rolled_back_by = db_text(rows, i, "rolled_back_by"),
        .rollback_of = db_text(rows, i, "rollback_of"),
        .requested_by = db_text(rows, i, "requested_by"),
        .from = db_text(rows, i, "from"),
        .to = db_text(rows, i, "to"),
        .failure = db_text(rows, i, "failure"),
        .steps = db_text(rows, i, "steps"),
        .confirmed_us = db_time(rows, i, "confirmed_at"),
        .created_us = db_time(rows, i, "created_at"),
        .started_us = db_time(rows, i, "started_at"),
        .ended_us = db_time(rows, i, "ended_at"),
    };
}

struct deployment_row deployment_row_whole(const struct db_rows *rows) {
    struct deployment_row row = deployment_row(rows, 0);

    row.waivers = db_text(rows, 0, "waivers");
    row.flags = db_text(rows, 0, "flags");
    return row;
}

Status db_deployment_get(struct db_pool *p, const char *id, struct db_rows **ret) {
    return db_once(p, SQL_DEPLOYMENT_GET, ret, DB_PARAMS(id));
}

Status db_deployment_get_in(struct db_tx *tx, const char *id, struct db_rows **ret) {
    return db_query(tx, SQL_DEPLOYMENT_GET, ret, DB_PARAMS(id));
}

Status db_deployment_list(struct db_pool *p, const struct deployment_filter *filter,
                          const char *after, int64_t limit, struct db_rows **ret) {
    return db_once(p, SQL_DEPLOYMENT_LIST, ret,
                   DB_PARAMS(after, filter->apps, filter->app, filter->environment, filter->state,
                             filter->version_key, DB_INT(limit)));
}

Status db_deployment_prepare(struct db_pool *p, const char *app, const char *environment,
                             const char *version_key, struct db_rows **ret) {
    return db_once(p, SQL_DEPLOYMENT_PREPARE, ret, DB_PARAMS(app, environment, version_key));
}

struct deployment_basis deployment_basis(const struct db_rows *rows) {
    return (struct deployment_basis){
        .environment_id = db_text(rows, 0, "environment_id"),
        .spec = db_text(rows, 0, "spec"),
        .manifests = db_text(rows, 0, "manifests"),
        .cluster = db_text(rows, 0, "cluster"),
        .cluster_spec = db_text(rows, 0, "cluster_spec"),
        .release_id = db_text(rows, 0, "release_id"),
        .version = db_text(rows, 0, "version"),
        .image = db_text(rows, 0, "image"),
        .digest = db_text(rows, 0, "digest"),
        .flags = db_text(rows, 0, "flags"),
        .active_id = db_text(rows, 0, "active_id"),
        .revision = db_int(rows, 0, "revision"),
        .cutover = db_int(rows, 0, "cutover"),
        .cluster_revision = db_int(rows, 0, "cluster_revision"),
        .yanked = db_bool(rows, 0, "yanked"),
        .gated = db_bool(rows, 0, "gated"),
    };
}

Status db_deployment_begin(struct db_tx *tx, const struct deployment_basis *basis) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s =
        db_query(tx, SQL_ENVIRONMENT_BEGIN, &rows,
                 DB_PARAMS(basis->environment_id, DB_INT(basis->revision), DB_INT(basis->cutover)));

    return s == STATUS_OK && db_rows_count(rows) == 0 ? E_PRECONDITION_FAILED : s;
}

Status db_deployment_insert(struct db_tx *tx, const struct deployment_new *in) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    char trace[TRACE_KEPT_TEXT];
    Status s = db_query(tx, SQL_DEPLOYMENT_INSERT, &rows,
                        DB_PARAMS(in->id, in->environment_id, in->app, in->environment,
                                  in->release_id, in->strategy, in->reason, in->requested_by,
                                  in->plan, in->steps, trace_kept(trace_current(), trace)));

    if (s == E_WRONG_STATE && !strcmp(db_tx_constraint(tx), "deployment_one_active"))
        return E_ENVIRONMENT_BUSY;
    return s == STATUS_OK && db_rows_count(rows) == 0 ? E_RELEASE_YANKED : s;
}

Status db_deployment_insert_blocked(struct db_tx *tx, const struct deployment_new *in,
                                    int64_t look_at_us) {
    char trace[TRACE_KEPT_TEXT];

    return db_query(tx, SQL_DEPLOYMENT_INSERT_BLOCKED, NULL,
                    DB_PARAMS(in->id, in->environment_id, in->release_id, in->strategy, in->reason,
                              in->requested_by, in->plan,
                              look_at_us ? DB_TIMESTAMP(look_at_us) : NULL,
                              trace_kept(trace_current(), trace)));
}

Status db_deployment_start(struct db_tx *tx, const char *id, const char *plan, const char *steps) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_DEPLOYMENT_START, &rows, DB_PARAMS(id, plan, steps));

    if (s == E_WRONG_STATE && !strcmp(db_tx_constraint(tx), "deployment_one_active"))
        return E_ENVIRONMENT_BUSY;
    return s == STATUS_OK && db_rows_count(rows) == 0 ? E_WRONG_STATE : s;
}

Status db_deployment_active(struct db_pool *p, const char *environment_id, struct db_rows **ret) {
    return db_once(p, SQL_DEPLOYMENT_ACTIVE, ret, DB_PARAMS(environment_id));
}

Status db_deployment_states(struct db_pool *p, struct db_rows **ret) {
    return db_once(p, SQL_DEPLOYMENT_STATES, ret, DB_NO_PARAMS);
}
