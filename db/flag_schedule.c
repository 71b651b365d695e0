#include "db/flag_schedule.h"
#include "base/cleanup.h"

struct flag_schedule_row flag_schedule_row(const struct db_rows *rows, size_t i) {
    return (struct flag_schedule_row){
        .id = db_text(rows, i, "id"),
        .state = db_text(rows, i, "state"),
        .change = db_text(rows, i, "change"),
        .at_us = db_time(rows, i, "at"),
        .if_revision = db_null(rows, i, "if_revision") ? -1 : db_int(rows, i, "if_revision"),
        .reason = db_text(rows, i, "reason"),
        .failure = db_text(rows, i, "failure"),
        .created_by = db_text(rows, i, "created_by"),
        .ended_by = db_text(rows, i, "ended_by"),
        .revision = db_int(rows, i, "revision"),
        .created_us = db_time(rows, i, "created_at"),
        .ended_us = db_time(rows, i, "ended_at"),
    };
}

Status db_flag_schedule_insert(struct db_tx *tx, const char *environment_id, const char *flag,
                               const struct flag_schedule_row *row, bool *ret_made) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s =
        db_query(tx, SQL_FLAG_SCHEDULE_INSERT, &rows,
                 DB_PARAMS(row->id, environment_id, flag, DB_TIMESTAMP(row->at_us), row->change,
                           row->if_revision < 0 ? NULL : DB_INT(row->if_revision), row->reason,
                           row->created_by, DB_INT(FLAG_SCHEDULES_PENDING)));

    *ret_made = db_rows_count(rows) > 0;
    return s;
}

Status db_flag_schedule_get(struct db_tx *tx, const char *environment_id, const char *flag,
                            const char *id, struct db_rows **ret) {
    return db_query(tx, SQL_FLAG_SCHEDULE_FIND, ret,
                    DB_PARAMS(environment_id, flag, id, NULL, NULL, "1"));
}

Status db_flag_schedule_list(struct db_pool *p, const struct flag_schedule_filter *filter,
                             const char *after, int64_t limit, struct db_rows **ret) {
    return db_once(p, SQL_FLAG_SCHEDULE_FIND, ret,
                   DB_PARAMS(filter->environment_id, filter->flag, filter->id, filter->state, after,
                             DB_INT(limit)));
}

Status db_flag_schedule_due(struct db_pool *p, int64_t limit, struct db_rows **ret) {
    return db_once(p, SQL_FLAG_SCHEDULE_DUE, ret, DB_PARAMS(DB_INT(limit)));
}

Status db_flag_schedule_take(struct db_tx *tx, const char *id, struct db_rows **ret) {
    return db_query(tx, SQL_FLAG_SCHEDULE_TAKE, ret, DB_PARAMS(id));
}

Status db_flag_schedule_end(struct db_tx *tx, const struct flag_schedule_end *end,
                            bool *ret_ended) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_FLAG_SCHEDULE_END, &rows,
                        DB_PARAMS(end->id, end->state, end->by, end->failure,
                                  end->revision ? DB_INT(end->revision) : NULL));

    *ret_ended = db_rows_count(rows) > 0;
    return s;
}
