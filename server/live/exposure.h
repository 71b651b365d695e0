/* live/exposure.h: counts that flag clients report, gathered in memory and written by a thread, so
 * that a report costs no request a transaction.
 *
 * Bounded: what finds no room until the next write is dropped, and counted.  A crash loses what was
 * not written, at most EXPOSURE_FLUSH_MS of it. */
#pragma once
#include "base/json.h"
#include <stdbool.h>

struct db_pool;
struct exposure;
enum { EXPOSURE_FLUSH_MS = 5000, EXPOSURE_MAX = 20000 };

struct exposure *exposure_new(struct db_pool *pool, int64_t flush_ms); /* borrows */
void exposure_free(struct exposure *e); /* NULL-safe; writes what there is, if it can */

struct exposure_count {                                     /* borrowed */
    const char *environment_id, *flag, *app_name, *variant; /* variant "": the flag itself */
    int64_t hour;                                           /* hours since 1970 */
    int64_t yes, no;
};
/* Any thread; never blocks for the database. */
void exposure_add(struct exposure *e, const struct exposure_count *c);
json_t *exposure_stats(struct exposure *e); /* {waiting, written, dropped, ok} */
