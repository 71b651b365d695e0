#include "db/freeze.h"
#include "base/cleanup.h"

struct freeze_row freeze_row(const struct db_rows *rows, size_t i) {
    return (struct freeze_row){
        .id = db_text(rows, i, "id"),
        .reason = db_text(rows, i, "reason"),
        .app = db_text(rows, i, "app"),
        .environment = db_text(rows, i, "environment"),
        .weekly = db_text(rows, i, "weekly"),
        .starts_us = db_time(rows, i, "starts_at"),
        .ends_us = db_time(rows, i, "ends_at"),
        .let_running_finish = db_bool(rows, i, "let_running_finish"),
        .active = db_bool(rows, i, "active"),
        .over = db_bool(rows, i, "over"),
        .next_starts_us = db_time(rows, i, "next_starts_at"),
        .next_ends_us = db_time(rows, i, "next_ends_at"),
        .created_by = db_text(rows, i, "created_by"),
        .ended_by = db_text(rows, i, "ended_by"),
        .created_us = db_time(rows, i, "created_at"),
        .ended_us = db_time(rows, i, "ended_at"),
    };
}

#define ONE(id) DB_PARAMS(id, NULL, NULL, NULL, NULL, NULL, "1")

Status db_freeze_get(struct db_pool *p, const char *id, struct db_rows **ret) {
    return db_once(p, SQL_FREEZE_FIND, ret, ONE(id));
}

Status db_freeze_get_in(struct db_tx *tx, const char *id, struct db_rows **ret) {
    return db_query(tx, SQL_FREEZE_FIND, ret, ONE(id));
}

Status db_freeze_list(struct db_pool *p, const struct freeze_filter *filter, const char *after,
                      int64_t limit, struct db_rows **ret) {
    return db_once(p, SQL_FREEZE_FIND, ret,
                   DB_PARAMS(NULL, filter->apps, filter->app, filter->environment, filter->active,
                             after, DB_INT(limit)));
}

Status db_freeze_insert(struct db_tx *tx, const struct freeze_row *row) {
    return db_query(tx, SQL_FREEZE_INSERT, NULL,
                    DB_PARAMS(row->id, row->app, row->environment, row->reason,
                              row->weekly ? NULL : DB_TIMESTAMP(row->starts_us),
                              row->weekly ? NULL : DB_TIMESTAMP(row->ends_us), row->weekly,
                              DB_BOOL(row->let_running_finish), row->created_by));
}

Status db_freeze_end(struct db_tx *tx, const char *id, const char *by, bool *ret_ended) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_FREEZE_END, &rows, DB_PARAMS(id, by));

    *ret_ended = db_rows_count(rows) > 0;
    return s;
}

Status db_freeze_zone(struct db_pool *p, const char *name, bool *ret_known) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_once(p, SQL_FREEZE_ZONE, &rows, DB_PARAMS(name));

    *ret_known = db_rows_count(rows) > 0;
    return s;
}

Status db_freeze_running(struct db_tx *tx, const struct freeze_row *row, struct db_rows **ret) {
    return db_query(tx, SQL_FREEZE_RUNNING, ret,
                    DB_PARAMS(row->app, row->environment, DB_BOOL(row->let_running_finish)));
}
