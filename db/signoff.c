#include "db/signoff.h"

struct signoff_row signoff_row(const struct db_rows *rows, size_t i) {
    return (struct signoff_row){
        .id = db_text(rows, i, "id"),
        .release_id = db_text(rows, i, "release_id"),
        .environment_id = db_text(rows, i, "environment_id"),
        .deployment_id = db_text(rows, i, "deployment_id"),
        .environment = db_text(rows, i, "environment"),
        .role = db_text(rows, i, "role"),
        .decision = db_text(rows, i, "decision"),
        .note = db_text(rows, i, "note"),
        .by = db_text(rows, i, "by"),
        .withdrawn_by = db_text(rows, i, "withdrawn_by"),
        .bound = db_text(rows, i, "bound"),
        .content_digest = db_text(rows, i, "content_digest"),
        .checklist = db_text(rows, i, "checklist"),
        .created_us = db_time(rows, i, "created_at"),
        .withdrawn_us = db_time(rows, i, "withdrawn_at"),
    };
}

Status db_signoff_bound(struct db_tx *tx, const struct signoff_of *of, struct db_rows **ret) {
    return db_query(tx, SQL_SIGNOFF_BOUND, ret,
                    DB_PARAMS(of->release_id, of->environment_id, of->deployment_id));
}

Status db_signoff_replace(struct db_tx *tx, const struct signoff_of *of, const char *by,
                          struct db_rows **ret) {
    return db_query(tx, SQL_SIGNOFF_REPLACE, ret,
                    DB_PARAMS(of->release_id, of->environment_id, of->deployment_id, by));
}

Status db_signoff_insert(struct db_tx *tx, const struct signoff_of *of,
                         const struct signoff_row *in) {
    return db_query(tx, SQL_SIGNOFF_INSERT, NULL,
                    DB_PARAMS(in->id, of->release_id, of->environment_id, of->deployment_id,
                              in->role, in->decision, in->note, in->by));
}

Status db_signoff_withdraw(struct db_tx *tx, const char *id, const char *by, struct db_rows **ret) {
    return db_query(tx, SQL_SIGNOFF_WITHDRAW, ret, DB_PARAMS(id, by));
}

Status db_signoff_settle(struct db_tx *tx, const char *deployment_id, const char *environment_id,
                         struct db_rows **ret) {
    return db_query(tx, SQL_SIGNOFF_SETTLE, ret, DB_PARAMS(deployment_id, environment_id));
}

Status db_signoff_awaited(struct db_pool *p, const char *deployment_id, struct db_rows **ret) {
    return db_once(p, SQL_SIGNOFF_AWAITED, ret, DB_PARAMS(deployment_id));
}

Status db_signoff_get(struct db_pool *p, const char *id, struct db_rows **ret) {
    return db_once(p, SQL_SIGNOFF_GET, ret, DB_PARAMS(id));
}

Status db_signoff_get_in(struct db_tx *tx, const char *id, struct db_rows **ret) {
    return db_query(tx, SQL_SIGNOFF_GET, ret, DB_PARAMS(id));
}

Status db_signoff_list(struct db_pool *p, const struct signoff_of *of, const char *after,
                       int64_t limit, struct db_rows **ret) {
    return db_once(
        p, SQL_SIGNOFF_LIST, ret,
        DB_PARAMS(of->release_id, of->environment_id, of->deployment_id, after, DB_INT(limit)));
}
