#include "db/app.h"
#include "base/cleanup.h"

struct app_row app_row(const struct db_rows *rows, size_t i) {
    return (struct app_row){
        .name = db_text(rows, i, "name"),
        .spec = db_text(rows, i, "spec"),
        .revision = db_int(rows, i, "revision"),
        .created_us = db_time(rows, i, "created_at"),
        .updated_us = db_time(rows, i, "updated_at"),
    };
}

Status db_app_get(struct db_pool *p, const char *name, struct db_rows **ret) {
    return db_once(p, SQL_APP_GET, ret, DB_PARAMS(name));
}

Status db_app_lock(struct db_tx *tx, const char *name, struct db_rows **ret) {
    return db_query(tx, SQL_APP_LOCK, ret, DB_PARAMS(name));
}

Status db_app_share(struct db_tx *tx, const char *name) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_APP_SHARE, &rows, DB_PARAMS(name));

    return s == STATUS_OK && db_rows_count(rows) == 0 ? E_NOT_FOUND : s;
}

Status db_app_insert(struct db_tx *tx, const char *name, const char *spec, struct db_rows **ret) {
    return db_query(tx, SQL_APP_INSERT, ret, DB_PARAMS(name, spec));
}

Status db_app_update(struct db_tx *tx, const char *name, const char *spec, struct db_rows **ret) {
    return db_query(tx, SQL_APP_UPDATE, ret, DB_PARAMS(name, spec));
}

Status db_app_delete(struct db_tx *tx, const char *name) {
    return db_query(tx, SQL_APP_DELETE, NULL, DB_PARAMS(name));
}

Status db_app_list(struct db_pool *p, const char *after, const char *apps, int64_t limit,
                   struct db_rows **ret) {
    return db_once(p, SQL_APP_LIST, ret, DB_PARAMS(after, apps, DB_INT(limit)));
}
