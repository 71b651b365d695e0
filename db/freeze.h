/* db/freeze.h: freezes.  Rows are the caller's to free; the texts of a struct are borrowed. */
#pragma once
#include "db/db.h"

struct freeze_row {
    const char *id, *reason;
    const char *app, *environment; /* NULL: every one */
    const char *weekly;            /* JSON text; NULL: once, from starts_us to ends_us */
    int64_t starts_us, ends_us;
    bool let_running_finish;
    /* What it is now: read only.  over: by time, or because it was ended. */
    bool active, over;
    int64_t next_starts_us, next_ends_us; /* the window that holds, else the first to come; or 0 */
    const char *created_by, *ended_by;    /* JSON texts; ended_by NULL: nobody ended it */
    int64_t created_us, ended_us;
};
struct freeze_row freeze_row(const struct db_rows *rows, size_t i);

/* Each NULL: any. */
struct freeze_filter {
    const char *apps; /* text[]: freezes of these and those of all */
    const char *app, *environment, *active;
};
/* No row: there is no such freeze. */
MUSTCHECK Status db_freeze_get(struct db_pool *p, const char *id, struct db_rows **ret);
MUSTCHECK Status db_freeze_get_in(struct db_tx *tx, const char *id, struct db_rows **ret);
/* Newest first, from behind the id `after` (NULL: from the newest). */
MUSTCHECK Status db_freeze_list(struct db_pool *p, const struct freeze_filter *filter,
                                const char *after, int64_t limit, struct db_rows **ret);
MUSTCHECK Status db_freeze_insert(struct db_tx *tx, const struct freeze_row *row);
/* *ret_ended false: it was ended before, or is over. */
MUSTCHECK Status db_freeze_end(struct db_tx *tx, const char *id, const char *by, bool *ret_ended);
/* Whether freezes may follow this time zone. */
MUSTCHECK Status db_freeze_zone(struct db_pool *p, const char *name, bool *ret_known);
/* What is active where the freeze holds (at most 200).  Columns: deployment, app, environment,
 * finishes. */
MUSTCHECK Status db_freeze_running(struct db_tx *tx, const struct freeze_row *row,
                                   struct db_rows **ret);
