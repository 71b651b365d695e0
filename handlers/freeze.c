/* handlers/freeze.c: windows in which deployments (never rollbacks) are refused: begun, listed,
 * ended.  A freeze names its app and environment, so that it also holds what is made again under
 * those names. */
#include "db/freeze.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "db/app.h"
#include "db/gate.h"
#include "domain/freeze.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include <stdlib.h>
#include <string.h>

enum { REASON_MIN = 3, REASON_MAX = 1000, START_MAX = 64, TIMEZONE_MAX = 64 };

struct freeze_in {
    const char *app, *environment, *reason;
    int64_t starts_us, ends_us;
    json_t *weekly;
    bool let_running_finish;
};

static const struct field weekly_fields[] = {
    {.name = "days",
     .type = FIELD_STRINGS,
     .offset = FIELD_NOWHERE,
     .required = true,
     .min = 1,
     .max = 7},
    {.name = "start", /* freeze_check() says HH:MM of whatever else it is */
     .type = FIELD_STRING,
     .offset = FIELD_NOWHERE,
     .required = true,
     .max = START_MAX},
    {.name = "duration_s",
     .type = FIELD_INT,
     .offset = FIELD_NOWHERE,
     .required = true,
     .min = FREEZE_WEEKLY_MIN_S,
     .max = FREEZE_WEEK_S - 1},
    {.name = "timezone",
     .type = FIELD_STRING,
     .offset = FIELD_NOWHERE,
     .required = true,
     .min = 1,
     .max = TIMEZONE_MAX},
};
static const struct body_schema weekly_schema = {
    .name = "FreezeWeekly",
    .fields = weekly_fields,
    .count = sizeof weekly_fields / sizeof *weekly_fields,
};

static Status freeze_schema_check(const json_t *body, struct reply *r) {
    json_auto_t *errors = json_array();

    freeze_check(body, clock_now_us(), errors);
    return refuse_errors(r, errors);
}

#define AT(member) .offset = offsetof(struct freeze_in, member)
static const struct field freeze_fields[] = {
    {.name = "app", .type = FIELD_NAME, AT(app)},
    {.name = "environment", .type = FIELD_NAME, AT(environment)},
    {.name = "reason",
     .type = FIELD_STRING,
     AT(reason),
     .required = true,
     .min = REASON_MIN,
     .max = REASON_MAX},
    {.name = "starts_at", .type = FIELD_TIME, AT(starts_us)},
    {.name = "ends_at", .type = FIELD_TIME, AT(ends_us)},
    {.name = "weekly", .type = FIELD_OBJECT, AT(weekly), .schema = &weekly_schema},
    {.name = "let_running_finish", .type = FIELD_BOOL, AT(let_running_finish)},
};
#undef AT
const struct body_schema freeze_schema = {
    .name = "FreezeInput",
    .fields = freeze_fields,
    .count = sizeof freeze_fields / sizeof *freeze_fields,
    .size = sizeof(struct freeze_in),
    .check = freeze_schema_check,
};

/* ---- what is answered ---- */

/* {days, start, duration_s, timezone} in this order (jsonb has its own). */
static json_t *weekly_json(const char *text) {
    json_auto_t *weekly = json_parse(text);
    json_t *out = json_object();

    for (size_t i = 0; i < weekly_schema.count; i++)
        json_object_set(out, weekly_fields[i].name, json_object_get(weekly, weekly_fields[i].name));
    return out;
}

static json_t *window_json(int64_t starts_us, int64_t ends_us) {
    json_t *out = json_object();

    if (!starts_us)
        return json_decref(out), json_null();
    json_set_time(out, "starts_at", starts_us);
    json_set_time(out, "ends_at", ends_us);
    return out;
}

static json_t *freeze_json(const struct freeze_row *row) {
    json_t *out = json_object();

    json_set_str(out, "id", row->id);
    json_set_str(out, "app", row->app);
    json_set_str(out, "environment", row->environment);
    json_set_str(out, "reason", row->reason);
    if (row->weekly)
        json_object_set_new(out, "weekly", weekly_json(row->weekly));
    else
        json_object_update_new(out, window_json(row->starts_us, row->ends_us));
    json_object_set_new(out, "let_running_finish", json_boolean(row->let_running_finish));
    json_object_set_new(out, "active", json_boolean(row->active));
    json_object_set_new(out, "next", window_json(row->next_starts_us, row->next_ends_us));
    json_object_set_new(out, "created_by", actor_value(row->created_by));
    json_set_time(out, "created_at", row->created_us);
    if (row->ended_by) {
        json_set_time(out, "ended_at", row->ended_us);
        json_object_set_new(out, "ended_by", actor_value(row->ended_by));
    }
    return out;
}

static json_t *running_json(const struct db_rows *rows) {
    json_t *out = json_array();

    for (size_t i = 0; i < db_rows_count(rows); i++)
        json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:b}", "deployment",
                                             db_text(rows, i, "deployment"), "app",
                                             db_text(rows, i, "app"), "environment",
                                             db_text(rows, i, "environment"), "finishes",
                                             db_bool(rows, i, "finishes")));
    return out;
}

/* "Every app", "shop", "shop/production". */
static const char *place_text(struct arena *a, const struct freeze_row *row) {
    if (!row->app)
        return "Every app";
    return row->environment ? arena_printf(a, "%s/%s", row->app, row->environment) : row->app;
}

/* "from … to …", "each friday, saturday at 18:00 (Europe/Berlin) for 3600 s". */
static const char *when_text(struct arena *a, const struct freeze_row *row) {
    json_auto_t *weekly = json_parse(row->weekly ? row->weekly : "null");
    const char *days = "";
    char from[TIME_TEXT], to[TIME_TEXT];
    json_t *day;
    size_t i;

    if (!row->weekly)
        return arena_printf(a, "from %s to %s", clock_format(row->starts_us, from),
                            clock_format(row->ends_us, to));
    json_array_foreach(json_object_get(weekly, "days"), i, day) days =
        arena_printf(a, "%s%s%s", days, *days ? ", " : "", json_string_value(day));
    return arena_printf(a, "each %s at %s (%s) for %lld s", days, json_str(weekly, "start", ""),
                        json_str(weekly, "timezone", ""),
                        (long long)json_int(weekly, "duration_s", 0));
}

/* ---- the transactions ---- */

struct freeze_write {
    struct request *q;
    struct reply *r;
    struct freeze_row row;        /* of a DELETE: what was found */
    struct db_rows *environments; /* that it concerns: id */
};

/* Who a freeze concerns has to be the caller's. */
static Status reaches(const struct request *q, const char *app, struct reply *r) {
    if (app)
        return app_allowed(q, app, r);
    return caller_sees_all(q) ? STATUS_OK
                              : reply_refuse(r, E_FORBIDDEN,
                                             "A freeze without app is for every app, and your "
                                             "credential does not reach all.");
}

static Status begin(struct db_tx *tx, struct freeze_write *w) {
    db_rows_free(TAKE_PTR(w->environments));
    return db_gate_lock(tx, NULL, w->row.app, w->row.environment, &w->environments);
}

static Status record(struct db_tx *tx, const struct freeze_write *w, const struct freeze_row *row,
                     bool ended) {
    const struct record_about about = {.app = row->app,
                                       .environment = row->environment,
                                       .action = ended ? "freeze.ended" : "freeze.created",
                                       .subject = row->id};
    struct arena *a = w->q->arena;

    return record_by_caller(w->q, tx, &about, freeze_json(row), "%s is %s %s: %s",
                            place_text(a, row), ended ? "no longer frozen" : "frozen",
                            when_text(a, row), row->reason);
}

static void announce_all(const struct freeze_write *w) {
    for (size_t i = 0; i < db_rows_count(w->environments); i++)
        announce(w->q, db_text(w->environments, i, "id"));
}

static Status freeze_create_tx(struct db_tx *tx, void *ctx) {
    struct freeze_write *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL, *running = NULL;
    struct freeze_row row;
    char id[UUID_TEXT];
    Status s = begin(tx, w);

    if (s == STATUS_OK && w->row.environment && db_rows_count(w->environments) == 0)
        return reply_field_error(w->r, "/environment", "unknown", "App %s has no environment %s.",
                                 w->row.app, w->row.environment);
    w->row.id = uuid_v7(id);
    if (s == STATUS_OK)
        s = db_freeze_insert(tx, &w->row);
    if (s == STATUS_OK)
        s = db_freeze_get_in(tx, id, &rows);
    if (s != STATUS_OK)
        return s;
    row = freeze_row(rows, 0);
    if (row.active)
        s = db_freeze_running(tx, &row, &running);
    if (s == STATUS_OK)
        s = db_gate_touch_all(tx, row.app, row.environment);
    if (s != STATUS_OK)
        return s;
    w->r->location = arena_printf(w->q->arena, "/api/v1/freezes/%s", id);
    answer(w->r, 201, freeze_json(&row));
    json_object_set_new(w->r->json, "running", running_json(running));
    return record(tx, w, &row, false);
}

static Status freeze_end_tx(struct db_tx *tx, void *ctx) {
    struct freeze_write *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    bool ended = false;
    Status s = begin(tx, w);
    struct freeze_row row;

    if (s == STATUS_OK)
        s = db_freeze_end(tx, w->row.id, w->q->principal->actor_json, &ended);
    if (s == STATUS_OK)
        s = db_freeze_get_in(tx, w->row.id, &rows);
    if (s != STATUS_OK)
        return s;
    row = freeze_row(rows, 0);
    if (!ended) {
        reply_extra(w->r, "state", json_string("ended"));
        reply_extra(w->r, "allowed", json_array());
        return reply_refuse(w->r, E_WRONG_STATE, "The freeze is %s.",
                            row.ended_by ? "ended" : "over");
    }
    s = db_gate_touch_all(tx, row.app, row.environment);
    w->r->status = 204;
    return s == STATUS_OK ? record(tx, w, &row, true) : s;
}

/* ---- POST ---- */

static Status freeze_make(struct request *q, struct reply *r, void *ctx) {
    return idempotent_tx(q, r, "freeze_create", freeze_create_tx, ctx);
}

static Status app_known(const struct request *q, const char *app, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = app ? db_app_get(context_of(q)->pool, app, &rows) : STATUS_OK;

    if (s == STATUS_OK && app && db_rows_count(rows) == 0)
        return reply_field_error(r, "/app", "unknown", "There is no app %s.", app);
    return s;
}

static Status zone_known(const struct request *q, const json_t *weekly, struct reply *r) {
    bool known = true;
    Status s = weekly
                   ? db_freeze_zone(context_of(q)->pool, json_str(weekly, "timezone", ""), &known)
                   : STATUS_OK;

    if (s == STATUS_OK && !known)
        return reply_field_error(
            r, "/weekly/timezone", "unknown",
            "No time zone like Europe/Berlin, or UTC, that the database knows.");
    return s;
}

Status freeze_create(struct request *q, const void *body, struct reply *r) {
    const struct freeze_in *in = body;
    _cleanup_free_ char *weekly = in->weekly ? json_text(in->weekly) : NULL;
    struct freeze_write w = {.q = q,
                             .r = r,
                             .row = {.app = in->app,
                                     .environment = in->environment,
                                     .reason = in->reason,
                                     .weekly = weekly,
                                     .starts_us = in->starts_us,
                                     .ends_us = in->ends_us,
                                     .let_running_finish = in->let_running_finish,
                                     .created_by = q->principal->actor_json}};
    Status s = reaches(q, in->app, r);

    if (s == STATUS_OK)
        s = app_known(q, in->app, r);
    if (s == STATUS_OK)
        s = zone_known(q, in->weekly, r);
    if (s == STATUS_OK)
        s = idempotent_run(q, r, freeze_make, &w);
    if (s == STATUS_OK && !r->replayed)
        announce_all(&w);
    db_rows_free(w.environments);
    return s;
}

/* ---- DELETE and GET ---- */

/* {freeze} of the path, of everybody or of an app of the caller's; *ret is yours.  Refuses
 * E_INVALID_PATH, E_NOT_FOUND, E_FORBIDDEN. */
static Status path_freeze(const struct request *q, struct db_rows **ret, struct reply *r) {
    const char *id = request_param(q, "freeze"), *app;
    Status s;

    if (!uuid_valid(id))
        return invalid_path(r, "freeze", "is no freeze's id: a UUID in lower case");
    s = db_freeze_get(context_of(q)->pool, id, ret);
    if (s == STATUS_OK && db_rows_count(*ret) == 0)
        return reply_refuse(r, E_NOT_FOUND, "There is no freeze %s.", id);
    app = s == STATUS_OK ? freeze_row(*ret, 0).app : NULL;
    return app ? app_allowed(q, app, r) : s;
}

Status freeze_end(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct freeze_write w = {.q = q, .r = r};
    Status s = path_freeze(q, &rows, r);

    (void)in;
    if (s != STATUS_OK)
        return s;
    w.row = freeze_row(rows, 0);
    s = reaches(q, w.row.app, r);
    if (s == STATUS_OK)
        s = db_tx_run(context_of(q)->pool, "freeze_end", DB_READ_COMMITTED, freeze_end_tx, &w);
    if (s == STATUS_OK)
        announce_all(&w);
    db_rows_free(w.environments);
    return s;
}

Status freeze_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = path_freeze(q, &rows, r);
    struct freeze_row row;

    (void)in;
    if (s != STATUS_OK)
        return s;
    row = freeze_row(rows, 0);
    return answer(r, 200, freeze_json(&row));
}

static Status read_filter(struct request *q, struct freeze_filter *ret, struct reply *r) {
    Status s = STATUS_OK;

    *ret = (struct freeze_filter){.apps = caller_apps(q),
                                  .app = request_query(q, "app"),
                                  .environment = request_query(q, "environment"),
                                  .active = request_query(q, "active")};
    if (ret->app && !name_valid(ret->app))
        s = reply_query_error(r, "app", "format", "Not a name.");
    if (ret->environment && !name_valid(ret->environment))
        s = reply_query_error(r, "environment", "format", "Not a name.");
    if (ret->active && strcmp(ret->active, "true") != 0 && strcmp(ret->active, "false") != 0)
        s = reply_query_error(r, "active", "enum", "true or false.");
    return s;
}

Status freeze_list(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct freeze_filter filter;
    struct page page;
    json_t *items;
    Status s = read_filter(q, &filter, r);

    (void)in;
    if (s == STATUS_OK)
        s = page_of_ids(q, &page, r);
    if (s == STATUS_OK)
        s = db_freeze_list(context_of(q)->pool, &filter, page.after, page.limit + 1, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        const struct freeze_row row = freeze_row(rows, i);

        json_array_append_new(items, freeze_json(&row));
    }
    reply_list(r, items, page_next(&page, rows, "id"));
    return STATUS_OK;
}
