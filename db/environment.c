#include "db/environment.h"
#include "base/cleanup.h"

struct environment_row environment_row(const struct db_rows *rows, size_t i) {
    return (struct environment_row){
        .id = db_text(rows, i, "id"),
        .app = db_text(rows, i, "app"),
        .name = db_text(rows, i, "name"),
        .cluster = db_text(rows, i, "cluster"),
        .namespace_ = db_text(rows, i, "namespace"),
        .spec = db_text(rows, i, "spec"),
        .cluster_spec = db_text(rows, i, "cluster_spec"),
        .cluster_revision = db_int(rows, i, "cluster_revision"),
        .active_id = db_text(rows, i, "active_id"),
        .revision = db_int(rows, i, "revision"),
        .manifests_revision = db_int(rows, i, "manifests_revision"),
        .created_us = db_time(rows, i, "created_at"),
        .updated_us = db_time(rows, i, "updated_at"),
        .thawed_until_us = db_time(rows, i, "thawed_until"),
    };
}

Status db_environment_get(struct db_pool *p, const char *app, const char *name,
                          struct db_rows **ret) {
    return db_once(p, SQL_ENVIRONMENT_GET, ret, DB_PARAMS(app, name));
}

Status db_environment_get_in(struct db_tx *tx, const char *app, const char *name,
                             struct db_rows **ret) {
    return db_query(tx, SQL_ENVIRONMENT_GET, ret, DB_PARAMS(app, name));
}

Status db_environment_lock(struct db_tx *tx, const char *app, const char *name,
                           struct db_rows **ret) {
    return db_query(tx, SQL_ENVIRONMENT_LOCK, ret, DB_PARAMS(app, name));
}

Status db_environment_insert(struct db_tx *tx, const struct environment_new *in, bool *ret_made) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s =
        db_query(tx, SQL_ENVIRONMENT_INSERT, &rows,
                 DB_PARAMS(in->id, in->app, in->name, in->cluster, in->namespace_, in->spec));

    *ret_made = db_rows_count(rows) > 0;
    return s;
}

Status db_environment_update(struct db_tx *tx, const struct environment_new *in) {
    return db_query(tx, SQL_ENVIRONMENT_UPDATE, NULL,
                    DB_PARAMS(in->id, in->cluster, in->namespace_, in->spec));
}

Status db_environment_delete(struct db_tx *tx, const char *id) {
    return db_query(tx, SQL_ENVIRONMENT_DELETE, NULL, DB_PARAMS(id));
}

Status db_environment_list(struct db_pool *p, const char *app, const char *after, int64_t limit,
                           struct db_rows **ret) {
    return db_once(p, SQL_ENVIRONMENT_LIST, ret, DB_PARAMS(app, after, DB_INT(limit)));
}

Status db_environment_claim(struct db_tx *tx, const char *id, const char *cluster_uid,
                            const char *namespace_, const char *objects, struct db_rows **ret) {
    Status s = db_query(tx, SQL_ENVIRONMENT_RELEASE_OBJECTS, NULL, DB_PARAMS(id));

    if (s != STATUS_OK)
        return s;
    return db_query(tx, SQL_ENVIRONMENT_CLAIM_OBJECTS, ret,
                    DB_PARAMS(id, cluster_uid, namespace_, objects));
}

struct manifests_row manifests_row(const struct db_rows *rows, size_t i) {
    return (struct manifests_row){
        .id = db_text(rows, i, "id"),
        .spec = db_text(rows, i, "spec"),
        .manifests = db_text(rows, i, "manifests"),
        .revision = db_int(rows, i, "manifests_revision"),
        .created_us = db_time(rows, i, "created_at"),
    };
}

Status db_manifests_get(struct db_pool *p, const char *app, const char *name,
                        struct db_rows **ret) {
    return db_once(p, SQL_ENVIRONMENT_MANIFESTS_GET, ret, DB_PARAMS(app, name));
}

Status db_manifests_lock(struct db_tx *tx, const char *app, const char *name,
                         struct db_rows **ret) {
    return db_query(tx, SQL_ENVIRONMENT_MANIFESTS_LOCK, ret, DB_PARAMS(app, name));
}

Status db_manifests_put(struct db_tx *tx, const char *id, const char *manifests,
                        int64_t *ret_revision) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_ENVIRONMENT_MANIFESTS_PUT, &rows, DB_PARAMS(id, manifests));

    if (s == STATUS_OK && db_rows_count(rows) == 0)
        return FAULT_BUG; /* the caller has it locked */
    if (s == STATUS_OK)
        *ret_revision = db_int(rows, 0, "manifests_revision");
    return s;
}

Status db_environment_left_behind(struct db_pool *p, const char *id, const char *selector_key,
                                  const char *color, struct db_rows **ret) {
    return db_once(p, SQL_ENVIRONMENT_LEFT_BEHIND, ret, DB_PARAMS(id, selector_key, color));
}
