/* worker/flag_schedule.h: changes of flags whose time has come.  Every server looks; one of them
 * makes each change, in one transaction with the schedule's end. */
#pragma once
#include "db/db.h"

/* Makes those that are due, some at a time, and tells each by `changed`: topics of the bus. What
 * fails for now stays due. */
void flag_schedules_apply(struct db_pool *pool, void (*changed)(void *ctx, const char *topic),
                          void *ctx);
