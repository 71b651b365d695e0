#include "db/break_glass.h"
#include "base/cleanup.h"

struct break_glass_row break_glass_row(const struct db_rows *rows, size_t i) {
    return (struct break_glass_row){
        .id = db_text(rows, i, "id"),
        .reason = db_text(rows, i, "reason"),
        .state = db_text(rows, i, "state"),
        .requested_by = db_text(rows, i, "requested_by"),
        .confirmed_by = db_text(rows, i, "confirmed_by"),
        .deployments = db_text(rows, i, "deployments"),
        .duration_s = db_int(rows, i, "duration_s"),
        .requested_us = db_time(rows, i, "requested_at"),
        .confirmed_us = db_time(rows, i, "confirmed_at"),
        .until_us = db_time(rows, i, "until"),
    };
}

Status db_break_glass_get(struct db_tx *tx, const char *environment_id, const char *id,
                          struct db_rows **ret) {
    return db_query(tx, SQL_BREAK_GLASS_FIND, ret, DB_PARAMS(environment_id, id, NULL, "1"));
}

Status db_break_glass_list(struct db_pool *p, const char *environment_id, const char *after,
                           int64_t limit, struct db_rows **ret) {
    return db_once(p, SQL_BREAK_GLASS_FIND, ret,
                   DB_PARAMS(environment_id, NULL, after, DB_INT(limit)));
}

Status db_break_glass_insert(struct db_tx *tx, const char *environment_id,
                             const struct break_glass_row *row) {
    return db_query(tx, SQL_BREAK_GLASS_INSERT, NULL,
                    DB_PARAMS(row->id, environment_id, row->reason, DB_INT(row->duration_s),
                              row->requested_by));
}

Status db_break_glass_confirm(struct db_tx *tx, const char *id, const char *by, bool *ret_open) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_BREAK_GLASS_CONFIRM, &rows, DB_PARAMS(id, by));

    *ret_open = db_rows_count(rows) > 0;
    return s;
}
