/* db/exposure.h: what flag clients report of their evaluations, by the hour. */
#pragma once
#include "db/db.h"

enum { EXPOSURE_KEEP_DAYS = 90 };

/* counts: JSON array of {environment_id, flag, app_name, hour, variant, yes, no}, each row once. */
MUSTCHECK Status db_exposure_add(struct db_pool *p, const char *counts);
/* Newest first.  Columns: hour, app_name, yes, no, variants, last_at. */
MUSTCHECK Status db_exposure_list(struct db_pool *p, const char *environment_id, const char *flag,
                                  int64_t hours, struct db_rows **ret);
/* One row.  Column: last_at, null: never. */
MUSTCHECK Status db_exposure_last_seen(struct db_pool *p, const char *environment_id,
                                       const char *flag, struct db_rows **ret);
/* Of the flags that a deployment's release declares, since the hour in which traffic was switched:
 * columns since, flag, yes, no, variants, last_at; one row, without a flag, where it declares none.
 */
MUSTCHECK Status db_exposure_since_switch(struct db_pool *p, const char *deployment_id,
                                          struct db_rows **ret);
MUSTCHECK Status db_exposure_forget(struct db_pool *p);
