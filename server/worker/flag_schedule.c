#include "worker/flag_schedule.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "db/flag_schedule.h"
#include "worker/flag_change.h"
#include <inttypes.h>

enum { AT_ONCE = 64, WAIT_MS = 250 };

struct due {
    const char *id, *flag;
    struct flag_change change;
    bool ended, changed; /* by us: the schedule; the flag */
};

static struct record_entry entry_of(const struct due *d, const char *action) {
    return (struct record_entry){.app = d->change.app,
                                 .environment = d->change.environment,
                                 .actor = d->change.by.json,
                                 .from = d->change.by.from,
                                 .action = action,
                                 .subject = d->flag};
}

static Status end_failed(struct db_tx *tx, struct due *d, const char *why) {
    const struct flag_schedule_end end = {.id = d->id, .state = "failed", .failure = why};
    struct record_entry entry = entry_of(d, "flag.schedule_failed");
    json_auto_t *data = json_pack("{s:s, s:s}", "schedule", d->id, "failure", why);
    _cleanup_free_ char *text = json_text(data), *message = NULL;
    Status s = db_flag_schedule_end(tx, &end, &d->ended);

    message = xasprintf("A change of flag %s was due in %s, and could not be made: %s", d->flag,
                        d->change.environment, why);
    entry.message = message;
    entry.data = text;
    return s == STATUS_OK ? record_append(tx, &entry) : s;
}

/* Why the change does not apply any more, yours; NULL: it does. */
static char *objection(const struct db_rows *schedule, const struct flag_state_row *there) {
    int64_t meant = db_int(schedule, 0, "if_revision");

    if (!db_bool(schedule, 0, "there"))
        return xstrdup("the flag, or its environment, was deleted");
    if (db_bool(schedule, 0, "asked"))
        return xstrdup("by now changes of flags need approval there");
    if (!db_null(schedule, 0, "if_revision") && meant != there->revision)
        return xasprintf("it was changed since: it is revision %" PRId64 ", not %" PRId64,
                         there->revision, meant);
    return NULL;
}

static Status end_applied(struct db_tx *tx, struct due *d, struct flag_state_row *there,
                          json_t *state) {
    const struct flag_schedule_end end = {
        .id = d->id, .state = "applied", .revision = d->change.revision};
    Status s = db_flag_schedule_end(tx, &end, &d->ended);

    if (s == STATUS_OK)
        s = flag_state_store(tx, &d->change, there, state, "flag.configured",
                             "configured, as scheduled,");
    d->changed = s == STATUS_OK;
    return s;
}

static Status apply(struct db_tx *tx, struct due *d, const struct db_rows *schedule) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_auto_t *errors = json_array(), *state = NULL, *change = db_json(schedule, 0, "change");
    _cleanup_free_ char *why = NULL;
    struct flag_state_row there;
    Status s = db_flag_state_in(tx, d->change.app, d->change.environment, d->flag, &rows);

    if (s != STATUS_OK)
        return s;
    there = flag_state_row(rows, 0);
    why = objection(schedule, &there);
    if (why)
        return end_failed(tx, d, why);
    s = flag_state_with(tx, d->change.app, &there, change, "", errors, &state);
    if (s != STATUS_OK)
        return s;
    if (json_array_size(errors) == 0)
        return end_applied(tx, d, &there, state);
    why = xasprintf("%s: %s", json_str(json_array_get(errors, 0), "field", ""),
                    json_str(json_array_get(errors, 0), "detail", ""));
    return end_failed(tx, d, why);
}

static Status apply_tx(struct db_tx *tx, void *ctx) {
    struct due *d = ctx;
    _cleanup_(db_rows_free) struct db_rows *schedule = NULL;
    Status s = flag_change_begin(tx, &d->change);

    d->ended = d->changed = false;
    if (s == STATUS_OK)
        s = db_flag_schedule_take(tx, d->id, &schedule);
    if (s != STATUS_OK || db_rows_count(schedule) == 0)
        return s;
    d->change.by.json = db_text(schedule, 0, "created_by");
    d->change.reason = db_text(schedule, 0, "reason");
    s = apply(tx, d, schedule);
    d->change.by.json = d->change.reason = NULL;
    return s;
}

void flag_schedules_apply(struct db_pool *pool, void (*changed)(void *ctx, const char *topic),
                          void *ctx) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    char topic[FLAG_TOPIC];

    if (db_flag_schedule_due(pool, AT_ONCE, &rows))
        return;
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        struct due d = {.id = db_text(rows, i, "id"),
                        .flag = db_text(rows, i, "flag"),
                        .change = {.app = db_text(rows, i, "app"),
                                   .environment = db_text(rows, i, "environment"),
                                   .by = {.from = "schedule"},
                                   .source = "schedule",
                                   .wait_ms = WAIT_MS}};
        Status s = db_tx_run(pool, "flag_schedule", DB_READ_COMMITTED, apply_tx, &d);

        if (s == E_OVERLOADED) /* somebody has this app's flags: the rest with the next scan */
            return;
        if (s != STATUS_OK)
            log_event(LOG_WARNING, "scheduled change of a flag not made", "schedule", d.id, "why",
                      db_fault_text(), NULL);
        if (s == STATUS_OK && d.ended)
            changed(ctx, db_text(rows, i, "environment_id")); /* its record went on */
        if (s == STATUS_OK && d.changed)
            changed(ctx, flag_topic(d.change.app, d.change.environment, topic));
    }
}
