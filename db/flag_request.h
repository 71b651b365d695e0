/* db/flag_request.h: changes of flags that somebody asks for and others approve.  Rows are the
 * caller's to free; the texts of a struct are borrowed from them.  Who writes holds db_flag_lock.
 */
#pragma once
#include "db/db.h"

enum { FLAG_REQUESTS_OPEN = 100 }; /* in an environment */

struct flag_request_row {
    const char *id, *environment_id;
    const char *state;   /* pending, approved, applied, rejected, canceled, expired */
    const char *flags;   /* JSON text: their names */
    const char *changes; /* JSON text: [{flag, set, before, after}]; NULL in a list */
    const char *reason, *requested_by;
    const char *approvals; /* JSON text: [{by, note, at_us}] */
    const char *stale;     /* JSON text: what was changed since, ["flag checkout"] */
    const char *ended_by, *note;
    int64_t needed, revision; /* revision 0: it made no change */
    int64_t requested_us, expires_us, ended_us;
};
struct flag_request_row flag_request_row(const struct db_rows *rows, size_t i);

/* row: id, environment_id, changes, reason, requested_by.  *ret_made false: FLAG_REQUESTS_OPEN are
 * open. */
MUSTCHECK Status db_flag_request_insert(struct db_tx *tx, const struct flag_request_row *row,
                                        bool *ret_made);
struct flag_request_filter {
    const char *app, *environment;
    const char *id, *state; /* each NULL: any */
};
/* Newest first, from behind the id `after` (NULL: from the newest). */
MUSTCHECK Status db_flag_request_list(struct db_pool *p, const struct flag_request_filter *filter,
                                      const char *after, int64_t limit, struct db_rows **ret);
MUSTCHECK Status db_flag_request_get(struct db_tx *tx, const struct flag_request_filter *filter,
                                     struct db_rows **ret);
/* *ret_new false: `by` approved it before.  Refuses E_FORBIDDEN: no person, or who asked for it. */
MUSTCHECK Status db_flag_request_approve(struct db_tx *tx, const char *id, const char *by,
                                         const char *note, bool *ret_new);
struct flag_request_end {
    const char *id, *state; /* applied, rejected, canceled */
    const char *by, *note;
    int64_t revision; /* of applied */
};
MUSTCHECK Status db_flag_request_end(struct db_tx *tx, const struct flag_request_end *end);
