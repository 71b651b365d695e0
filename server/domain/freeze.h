/* domain/freeze.h: when a freeze may be: in one window, or in one again each week.  Pure. */
#pragma once
#include "base/json.h"
#include <stdint.h>

enum { FREEZE_DAYS_MAX = 366, FREEZE_WEEK_S = 7 * 86400, FREEZE_WEEKLY_MIN_S = 60 };

/* What is wrong with the times of a POST /freezes whose fields are in order:
 * {environment?, app?, starts_at, ends_at | weekly {days [], start, duration_s, timezone}}.  Adds
 * to errors (base/field_errors.h).  Whether the time zone exists is the database's to say. */
void freeze_check(const json_t *body, int64_t now_us, json_t *errors);
