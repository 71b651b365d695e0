/* db/evidence.h: what CI and other programs found about the items of a release.  Rows are the
 * caller's to free; the texts of a struct are borrowed. */
#pragma once
#include "db/db.h"

struct evidence_row {
    const char *id, *item, *state, *source, *summary;
    const char *environment;                     /* its name; NULL: every one */
    const char *url;                             /* NULL: none */
    const char *content_digest, *report_id, *by; /* report_id: NULL without; by: JSON text */
    int64_t number, observed_us, expires_us;     /* expires_us 0: never */
};
struct evidence_row evidence_row(const struct db_rows *rows, size_t i);
/* environment_id in place of row->environment; row->number is the database's. */
MUSTCHECK Status db_evidence_insert(struct db_tx *tx, const struct evidence_row *row,
                                    const char *release_id, const char *environment_id);
/* Each NULL: any.  before: only what came before that number; 0: all.  Newest first. */
MUSTCHECK Status db_evidence_list(struct db_pool *p, const char *release_id, const char *item,
                                  const char *environment_id, int64_t before, int64_t limit,
                                  struct db_rows **ret);
/* Column item (JSON): of a version of a template; no row: it has no such item. */
MUSTCHECK Status db_evidence_item(struct db_tx *tx, const char *template, int64_t version,
                                  const char *item, struct db_rows **ret);

/* A report that evidence was read from, compressed (server/report). */
struct report_row {
    const char *media_type, *sha256; /* sha256: of the `size` bytes that it had */
    int64_t size;
    const unsigned char *gzip;
    size_t gzip_n;
};
MUSTCHECK Status db_report_insert(struct db_tx *tx, const char *id, const char *release_id,
                                  const struct report_row *row);
/* Columns media_type, bytes, sha256, gzip; no row: there is none. */
MUSTCHECK Status db_report_get(struct db_pool *p, const char *release_id, const char *id,
                               struct db_rows **ret);
