#include "db/flag_request.h"
#include "base/cleanup.h"

struct flag_request_row flag_request_row(const struct db_rows *rows, size_t i) {
    return (struct flag_request_row){
        .id = db_text(rows, i, "id"),
        .environment_id = db_text(rows, i, "environment_id"),
        .state = db_text(rows, i, "state"),
        .flags = db_text(rows, i, "flags"),
        .changes = db_text(rows, i, "changes"),
        .reason = db_text(rows, i, "reason"),
        .requested_by = db_text(rows, i, "requested_by"),
        .approvals = db_text(rows, i, "approvals"),
        .stale = db_text(rows, i, "stale"),
        .ended_by = db_text(rows, i, "ended_by"),
        .note = db_text(rows, i, "note"),
        .needed = db_int(rows, i, "needed"),
        .revision = db_int(rows, i, "revision"),
        .requested_us = db_time(rows, i, "requested_at"),
        .expires_us = db_time(rows, i, "expires_at"),
        .ended_us = db_time(rows, i, "ended_at"),
    };
}

Status db_flag_request_insert(struct db_tx *tx, const struct flag_request_row *row,
                              bool *ret_made) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_FLAG_REQUEST_INSERT, &rows,
                        DB_PARAMS(row->id, row->environment_id, row->changes, row->reason,
                                  row->requested_by, DB_INT(FLAG_REQUESTS_OPEN)));

    *ret_made = db_rows_count(rows) > 0;
    return s;
}

Status db_flag_request_list(struct db_pool *p, const struct flag_request_filter *filter,
                            const char *after, int64_t limit, struct db_rows **ret) {
    return db_once(p, SQL_FLAG_REQUEST_FIND, ret,
                   DB_PARAMS(filter->app, filter->environment, filter->id, filter->state, after,
                             DB_INT(limit)));
}

Status db_flag_request_get(struct db_tx *tx, const struct flag_request_filter *filter,
                           struct db_rows **ret) {
    return db_query(tx, SQL_FLAG_REQUEST_FIND, ret,
                    DB_PARAMS(filter->app, filter->environment, filter->id, NULL, NULL, "1"));
}

Status db_flag_request_approve(struct db_tx *tx, const char *id, const char *by, const char *note,
                               bool *ret_new) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_FLAG_REQUEST_APPROVE, &rows, DB_PARAMS(id, by, note));

    *ret_new = db_rows_count(rows) > 0;
    return s;
}

Status db_flag_request_end(struct db_tx *tx, const struct flag_request_end *end) {
    return db_query(tx, SQL_FLAG_REQUEST_END, NULL,
                    DB_PARAMS(end->id, end->state, end->by, end->note,
                              end->revision ? DB_INT(end->revision) : NULL));
}
