/* db/release.h: rows of releases.  Rows are the caller's to free; the texts of a struct are
 * borrowed from them. */
#pragma once
#include "db/db.h"

struct release_row {
    const char *id, *app, *version, *version_key, *image;
    const char *digest, *commit, *notes,
        *manifests;                          /* NULL where it has none; manifests: of a get only */
    const char *migrations, *flags, *source; /* JSON texts; source may be NULL */
    const char *content_digest, *created_by; /* created_by: JSON text */
    const char *yank_reason;
    int64_t created_us, yanked_us;
};
/* whole: of db_release_get, whose rows carry manifests. */
struct release_row release_row(const struct db_rows *rows, size_t i, bool whole);

struct release_new {
    const char *id, *app, *version, *version_key, *image, *digest, *commit, *notes, *manifests;
    const char *migrations, *flags, *source, *content_digest, *created_by;
    const unsigned char *precedence;
    size_t precedence_len;
};

MUSTCHECK Status db_release_get(struct db_pool *p, const char *app, const char *version_key,
                                struct db_rows **ret);
MUSTCHECK Status db_release_get_in(struct db_tx *tx, const char *app, const char *version_key,
                                   struct db_rows **ret);
/* *ret_made false: this version exists. */
MUSTCHECK Status db_release_insert(struct db_tx *tx, const struct release_new *in, bool *ret_made);
/* *ret_done false: there is no such release, or it was yanked already. */
MUSTCHECK Status db_release_yank(struct db_tx *tx, const char *app, const char *version_key,
                                 const char *reason, bool *ret_done);
/* Newest first, those that come after a version (precedence NULL: from the newest). */
MUSTCHECK Status db_release_list(struct db_pool *p, const char *app,
                                 const unsigned char *precedence, size_t precedence_len,
                                 const char *version_key, int64_t limit, struct db_rows **ret);
