#include "domain/freeze.h"
#include "base/clock.h"
#include "base/field_errors.h"
#include <stdio.h>
#include <string.h>

enum { DAYS = 7, DAY_S = 86400 };
static const char *const day_names[DAYS] = {"monday", "tuesday",  "wednesday", "thursday",
                                            "friday", "saturday", "sunday"};

/* DAYS: none of them. */
static size_t day_of(const char *name) {
    size_t day = 0;

    while (day < DAYS && strcmp(day_names[day], name) != 0)
        day++;
    return day;
}

static bool time_of_day(const char *text) {
    static const char *const digits[] = {"012", "0123456789", ":", "012345", "0123456789", NULL};
    size_t i = 0;

    while (digits[i] && text[i] && strchr(digits[i], text[i]))
        i++;
    return !digits[i] && !text[i] && (text[0] < '2' || text[1] < '4');
}

/* All windows are equally long: the week is full when none of the spans from one start to the next
 * is longer. */
static bool whole_week(const bool on[DAYS], int64_t duration_s) {
    bool any = false;

    for (size_t day = 0; day < DAYS; day++) {
        size_t next = 1;

        if (!on[day])
            continue;
        any = true;
        while (!on[(day + next) % DAYS])
            next++;
        if ((int64_t)next * DAY_S > duration_s)
            return false;
    }
    return any;
}

static void check_weekly(const json_t *weekly, json_t *errors) {
    bool on[DAYS] = {false};
    char field[48];
    json_t *name;
    size_t i;

    json_array_foreach(json_object_get(weekly, "days"), i, name) {
        size_t day = day_of(json_string_value(name));

        snprintf(field, sizeof field, "/weekly/days/%zu", i);
        if (day == DAYS)
            field_error(errors, field, "enum", "One of monday, tuesday … sunday.");
        else if (on[day])
            field_error(errors, field, "duplicate", "It is named twice.");
        else
            on[day] = true;
    }
    if (!time_of_day(json_str(weekly, "start", "")))
        field_error(errors, "/weekly/start", "format", "A local time, HH:MM.");
    if (whole_week(on, json_int(weekly, "duration_s", 0)))
        field_error(errors, "/weekly", "range",
                    "It would hold the whole week: nothing could ever be deployed.");
}

static void check_once(int64_t starts_us, int64_t ends_us, int64_t now_us, json_t *errors) {
    if (ends_us <= now_us) /* also where a freeze that begins now would end before that */
        field_error(errors, "/ends_at", "range", "It lies in the past.");
    else if (ends_us <= starts_us)
        field_error(errors, "/ends_at", "range", "It is not after starts_at.");
    else if (ends_us - starts_us > FREEZE_DAYS_MAX * (int64_t)DAY_S * US_PER_S)
        field_error(errors, "/ends_at", "range", "It is more than %d days after starts_at.",
                    FREEZE_DAYS_MAX);
}

void freeze_check(const json_t *body, int64_t now_us, json_t *errors) {
    const json_t *weekly = json_object_get(body, "weekly");
    int64_t starts_us = 0, ends_us = 0;
    bool starts = clock_parse(json_str(body, "starts_at", ""), &starts_us);
    bool ends = clock_parse(json_str(body, "ends_at", ""), &ends_us);

    if (json_str(body, "environment", NULL) && !json_str(body, "app", NULL))
        field_error(errors, "/app", "required", "Whose environment it is.");
    if (json_is_object(weekly)) {
        if (starts || ends)
            field_error(errors, starts ? "/starts_at" : "/ends_at", "conflict",
                        "A weekly freeze has no window of its own.");
        check_weekly(weekly, errors);
        return;
    }
    if (!starts)
        field_error(errors, "/starts_at", "required",
                    "A freeze has starts_at and ends_at, or weekly.");
    if (!ends)
        field_error(errors, "/ends_at", "required",
                    "A freeze has starts_at and ends_at, or weekly.");
    if (starts && ends)
        check_once(starts_us, ends_us, now_us, errors);
}
