/* db/flag_schedule.h: changes of flags that are to be made at a time.  Rows are the caller's to
 * free; the texts of a struct are borrowed from them. */
#pragma once
#include "db/db.h"

enum { FLAG_SCHEDULES_PENDING = 100 }; /* of a flag in an environment */

struct flag_schedule_row {
    const char *id, *state;
    const char *change; /* JSON text: {enabled?, strategies?, default_variant?} */
    int64_t at_us;
    int64_t if_revision; /* -1: whatever the flag's revision is by then */
    const char *reason, *failure, *created_by, *ended_by;
    int64_t revision, created_us, ended_us; /* revision 0: it made no change */
};
struct flag_schedule_row flag_schedule_row(const struct db_rows *rows, size_t i);

/* row: id, change, at_us, if_revision, reason, created_by.  *ret_made false: its time is over or
 * more than a year away, or FLAG_SCHEDULES_PENDING wait.  Refuses E_APPROVAL_REQUIRED. */
MUSTCHECK Status db_flag_schedule_insert(struct db_tx *tx, const char *environment_id,
                                         const char *flag, const struct flag_schedule_row *row,
                                         bool *ret_made);
MUSTCHECK Status db_flag_schedule_get(struct db_tx *tx, const char *environment_id,
                                      const char *flag, const char *id, struct db_rows **ret);
struct flag_schedule_filter {
    const char *environment_id, *flag;
    const char *id, *state; /* each NULL: any */
};
/* Newest first, from behind the id `after` (NULL: from the newest). */
MUSTCHECK Status db_flag_schedule_list(struct db_pool *p, const struct flag_schedule_filter *filter,
                                       const char *after, int64_t limit, struct db_rows **ret);

/* Columns: id, app, environment, environment_id, flag. */
MUSTCHECK Status db_flag_schedule_due(struct db_pool *p, int64_t limit, struct db_rows **ret);
/* Columns: change, if_revision, reason, created_by, there (the flag that was meant), asked
 * (for approvals, by its environment).  No row: somebody else was faster. */
MUSTCHECK Status db_flag_schedule_take(struct db_tx *tx, const char *id, struct db_rows **ret);
/* How it ends; each is NULL or 0 but for its state. *ret_ended false: it had ended before. */
struct flag_schedule_end {
    const char *id, *state; /* applied, failed, canceled */
    const char *by;         /* of canceled: JSON text */
    const char *failure;    /* of failed */
    int64_t revision;       /* of applied */
};
MUSTCHECK Status db_flag_schedule_end(struct db_tx *tx, const struct flag_schedule_end *end,
                                      bool *ret_ended);
