/* db/break_glass.h: freezes of an environment lifted for a while, by two people.  Rows are the
 * caller's to free; the texts of a struct are borrowed. */
#pragma once
#include "db/db.h"

struct break_glass_row {
    const char *id, *reason;
    const char *state;                       /* requested, open, over */
    const char *requested_by, *confirmed_by; /* JSON texts; confirmed_by NULL: nobody */
    const char *deployments;                 /* JSON text: ids of what went out meanwhile */
    int64_t duration_s, requested_us, confirmed_us, until_us; /* the last two 0: not confirmed */
};
struct break_glass_row break_glass_row(const struct db_rows *rows, size_t i);

/* No row: the environment has no such one. */
MUSTCHECK Status db_break_glass_get(struct db_tx *tx, const char *environment_id, const char *id,
                                    struct db_rows **ret);
/* Newest first, from behind the id `after` (NULL: from the newest). */
MUSTCHECK Status db_break_glass_list(struct db_pool *p, const char *environment_id,
                                     const char *after, int64_t limit, struct db_rows **ret);
/* Of row only what is asked for: id, reason, duration_s, requested_by. */
MUSTCHECK Status db_break_glass_insert(struct db_tx *tx, const char *environment_id,
                                       const struct break_glass_row *row);
/* *ret_open false: it was not `requested` (any more). */
MUSTCHECK Status db_break_glass_confirm(struct db_tx *tx, const char *id, const char *by,
                                        bool *ret_open);
