/* db/app.h: rows of apps.  Rows are the caller's to free; the texts of a struct are borrowed from
 * them. */
#pragma once
#include "db/db.h"

struct app_row {
    const char *name, *spec; /* spec: JSON text */
    int64_t revision, created_us, updated_us;
};
struct app_row app_row(const struct db_rows *rows, size_t i);

/* No row: no such app. */
MUSTCHECK Status db_app_get(struct db_pool *p, const char *name, struct db_rows **ret);
MUSTCHECK Status db_app_lock(struct db_tx *tx, const char *name, struct db_rows **ret);
/* Keeps it from being deleted while the transaction lasts.  Refuses E_NOT_FOUND. */
MUSTCHECK Status db_app_share(struct db_tx *tx, const char *name);
/* No row: somebody else made it meanwhile. */
MUSTCHECK Status db_app_insert(struct db_tx *tx, const char *name, const char *spec,
                               struct db_rows **ret);
MUSTCHECK Status db_app_update(struct db_tx *tx, const char *name, const char *spec,
                               struct db_rows **ret);
/* Refuses E_IN_USE while it has environments. */
MUSTCHECK Status db_app_delete(struct db_tx *tx, const char *name);
/* After the name `after` (NULL: from the first), of those in apps (text[]; NULL: all). */
MUSTCHECK Status db_app_list(struct db_pool *p, const char *after, const char *apps, int64_t limit,
                             struct db_rows **ret);
