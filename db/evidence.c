#include "db/evidence.h"
#include "base/cleanup.h"

struct evidence_row evidence_row(const struct db_rows *rows, size_t i) {
    return (struct evidence_row){
        .id = db_text(rows, i, "id"),
        .item = db_text(rows, i, "item"),
        .state = db_text(rows, i, "state"),
        .source = db_text(rows, i, "source"),
        .summary = db_text(rows, i, "summary"),
        .environment = db_text(rows, i, "environment"),
        .url = db_text(rows, i, "url"),
        .content_digest = db_text(rows, i, "content_digest"),
        .report_id = db_text(rows, i, "report_id"),
        .by = db_text(rows, i, "by"),
        .number = db_int(rows, i, "number"),
        .observed_us = db_time(rows, i, "observed_at"),
        .expires_us = db_time(rows, i, "expires_at"),
    };
}

Status db_evidence_insert(struct db_tx *tx, const struct evidence_row *row, const char *release_id,
                          const char *environment_id) {
    return db_query(tx, SQL_EVIDENCE_INSERT, NULL,
                    DB_PARAMS(row->id, release_id, environment_id, row->item, row->state,
                              row->source, row->url, row->summary, row->content_digest,
                              row->report_id, DB_TIMESTAMP(row->observed_us),
                              row->expires_us ? DB_TIMESTAMP(row->expires_us) : NULL, row->by));
}

Status db_evidence_list(struct db_pool *p, const char *release_id, const char *item,
                        const char *environment_id, int64_t before, int64_t limit,
                        struct db_rows **ret) {
    return db_once(
        p, SQL_EVIDENCE_LIST, ret,
        DB_PARAMS(release_id, item, environment_id, before ? DB_INT(before) : NULL, DB_INT(limit)));
}

Status db_evidence_item(struct db_tx *tx, const char *template, int64_t version, const char *item,
                        struct db_rows **ret) {
    return db_query(tx, SQL_EVIDENCE_ITEM, ret, DB_PARAMS(template, DB_INT(version), item));
}

Status db_report_insert(struct db_tx *tx, const char *id, const char *release_id,
                        const struct report_row *row) {
    _cleanup_free_ char *gzip = db_bytea_text(row->gzip, row->gzip_n);

    return db_query(
        tx, SQL_EVIDENCE_REPORT_INSERT, NULL,
        DB_PARAMS(id, release_id, row->media_type, DB_INT(row->size), row->sha256, gzip));
}

Status db_report_get(struct db_pool *p, const char *release_id, const char *id,
                     struct db_rows **ret) {
    return db_once(p, SQL_EVIDENCE_REPORT_GET, ret, DB_PARAMS(release_id, id));
}
