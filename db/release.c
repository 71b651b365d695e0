#include "db/release.h"
#include "base/cleanup.h"
#include <string.h>

struct release_row release_row(const struct db_rows *rows, size_t i, bool whole) {
    return (struct release_row){
        .id = db_text(rows, i, "id"),
        .app = db_text(rows, i, "app"),
        .version = db_text(rows, i, "version"),
        .version_key = db_text(rows, i, "version_key"),
        .image = db_text(rows, i, "image"),
        .digest = db_text(rows, i, "digest"),
        .commit = db_text(rows, i, "commit"),
        .notes = db_text(rows, i, "notes"),
        .manifests = whole ? db_text(rows, i, "manifests") : NULL,
        .migrations = db_text(rows, i, "migrations"),
        .flags = db_text(rows, i, "flags"),
        .source = db_text(rows, i, "source"),
        .content_digest = db_text(rows, i, "content_digest"),
        .created_by = db_text(rows, i, "created_by"),
        .yank_reason = db_text(rows, i, "yank_reason"),
        .created_us = db_time(rows, i, "created_at"),
        .yanked_us = db_time(rows, i, "yanked_at"),
    };
}

Status db_release_get(struct db_pool *p, const char *app, const char *version_key,
                      struct db_rows **ret) {
    return db_once(p, SQL_RELEASE_GET, ret, DB_PARAMS(app, version_key));
}

Status db_release_get_in(struct db_tx *tx, const char *app, const char *version_key,
                         struct db_rows **ret) {
    return db_query(tx, SQL_RELEASE_GET, ret, DB_PARAMS(app, version_key));
}

Status db_release_insert(struct db_tx *tx, const struct release_new *in, bool *ret_made) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_free_ char *precedence = db_bytea_text(in->precedence, in->precedence_len);
    Status s;

    s = db_query(tx, SQL_RELEASE_INSERT, &rows,
                 DB_PARAMS(in->id, in->app, in->version, in->version_key, precedence, in->image,
                           in->digest, in->commit, in->notes, in->manifests, in->migrations,
                           in->flags, in->source, in->content_digest, in->created_by));
    *ret_made = db_rows_count(rows) > 0;
    return s;
}

Status db_release_yank(struct db_tx *tx, const char *app, const char *version_key,
                       const char *reason, bool *ret_done) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_RELEASE_YANK, &rows, DB_PARAMS(app, version_key, reason));

    *ret_done = db_rows_count(rows) > 0;
    return s;
}

Status db_release_list(struct db_pool *p, const char *app, const unsigned char *precedence,
                       size_t precedence_len, const char *version_key, int64_t limit,
                       struct db_rows **ret) {
    _cleanup_free_ char *after = precedence ? db_bytea_text(precedence, precedence_len) : NULL;

    return db_once(p, SQL_RELEASE_LIST, ret, DB_PARAMS(app, after, version_key, DB_INT(limit)));
}
