#include "db/cluster.h"
#include "base/cleanup.h"

struct cluster_row cluster_row(const struct db_rows *rows, size_t i) {
    return (struct cluster_row){
        .name = db_text(rows, i, "name"),
        .spec = db_text(rows, i, "spec"),
        .uid = db_text(rows, i, "uid"),
        .revision = db_int(rows, i, "revision"),
        .created_us = db_time(rows, i, "created_at"),
        .updated_us = db_time(rows, i, "updated_at"),
    };
}

Status db_cluster_get(struct db_pool *p, const char *name, struct db_rows **ret) {
    return db_once(p, SQL_CLUSTER_GET, ret, DB_PARAMS(name));
}

Status db_cluster_lock(struct db_tx *tx, const char *name, struct db_rows **ret) {
    return db_query(tx, SQL_CLUSTER_LOCK, ret, DB_PARAMS(name));
}

Status db_cluster_insert(struct db_tx *tx, const char *name, const char *spec, const char *uid,
                         struct db_rows **ret) {
    return db_query(tx, SQL_CLUSTER_INSERT, ret, DB_PARAMS(name, spec, uid));
}

Status db_cluster_update(struct db_tx *tx, const char *name, const char *spec, const char *uid,
                         struct db_rows **ret) {
    return db_query(tx, SQL_CLUSTER_UPDATE, ret, DB_PARAMS(name, spec, uid));
}

Status db_cluster_identify(struct db_pool *p, const char *name, int64_t revision, const char *uid) {
    return db_once(p, SQL_CLUSTER_IDENTIFY, NULL, DB_PARAMS(name, DB_INT(revision), uid));
}

Status db_cluster_used(struct db_tx *tx, const char *name, bool *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_CLUSTER_USED, &rows, DB_PARAMS(name));

    if (s == STATUS_OK)
        *ret = db_bool(rows, 0, "used");
    return s;
}

Status db_cluster_delete(struct db_tx *tx, const char *name) {
    return db_query(tx, SQL_CLUSTER_DELETE, NULL, DB_PARAMS(name));
}

Status db_cluster_list(struct db_pool *p, const char *after, int64_t limit, struct db_rows **ret) {
    return db_once(p, SQL_CLUSTER_LIST, ret, DB_PARAMS(after, DB_INT(limit)));
}

Status db_cluster_targets(struct db_pool *p, const char *name, int64_t limit,
                          struct db_rows **ret) {
    return db_once(p, SQL_CLUSTER_TARGETS, ret, DB_PARAMS(name, DB_INT(limit)));
}
