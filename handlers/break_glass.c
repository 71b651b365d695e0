/* handlers/break_glass.c: freezes of one environment lifted for at most an hour, loudly: one person
 * asks with a reason, another confirms. */
#include "db/break_glass.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "db/gate.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "handlers/idempotency.h"

enum { REASON_MIN = 10, REASON_MAX = 1000, OPEN_MIN_S = 60, OPEN_MAX_S = 3600 };

struct break_glass_in {
    const char *reason;
    int64_t duration_s;
};
static const struct field break_glass_fields[] = {
    {.name = "reason",
     .type = FIELD_STRING,
     .offset = offsetof(struct break_glass_in, reason),
     .required = true,
     .min = REASON_MIN,
     .max = REASON_MAX},
    {.name = "duration_s",
     .type = FIELD_INT,
     .offset = offsetof(struct break_glass_in, duration_s),
     .required = true,
     .min = OPEN_MIN_S,
     .max = OPEN_MAX_S},
};
const struct body_schema break_glass_schema = {
    .name = "BreakGlassInput",
    .fields = break_glass_fields,
    .count = sizeof break_glass_fields / sizeof *break_glass_fields,
    .size = sizeof(struct break_glass_in),
};

static json_t *break_glass_json(const struct break_glass_row *row) {
    json_t *out = json_object();

    json_set_str(out, "id", row->id);
    json_set_str(out, "state", row->state);
    json_set_str(out, "reason", row->reason);
    json_object_set_new(out, "duration_s", json_integer(row->duration_s));
    json_object_set_new(out, "requested_by", actor_value(row->requested_by));
    json_set_time(out, "requested_at", row->requested_us);
    if (row->confirmed_by) {
        json_object_set_new(out, "confirmed_by", actor_value(row->confirmed_by));
        json_set_time(out, "confirmed_at", row->confirmed_us);
        json_set_time(out, "until", row->until_us);
    }
    json_object_set_new(out, "deployments", json_parse(row->deployments));
    return out;
}

/* ---- the transaction ---- */

struct break_glass_write {
    struct request *q;
    struct reply *r;
    const char *app, *environment, *id;
    const struct break_glass_in *in;
    struct db_rows *environments; /* the one that is locked */
};

static Status begin(struct db_tx *tx, struct break_glass_write *w,
                    const char **ret_environment_id) {
    Status s;

    db_rows_free(TAKE_PTR(w->environments));
    s = db_gate_lock(tx, NULL, w->app, w->environment, &w->environments);
    if (s == STATUS_OK && db_rows_count(w->environments) == 0)
        return environment_missing(w->r, w->app, w->environment);
    *ret_environment_id = s == STATUS_OK ? db_text(w->environments, 0, "id") : NULL;
    return s;
}

static struct record_about about(const struct break_glass_write *w, const char *action) {
    return (struct record_about){
        .app = w->app, .environment = w->environment, .action = action, .subject = w->id};
}

/* ---- asked for ---- */

static Status break_glass_request_tx(struct db_tx *tx, void *ctx) {
    struct break_glass_write *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const struct break_glass_row asked = {.id = w->id,
                                          .reason = w->in->reason,
                                          .duration_s = w->in->duration_s,
                                          .requested_by = w->q->principal->actor_json};
    const struct record_about requested = about(w, "breakglass.requested");
    const char *environment_id = NULL;
    struct break_glass_row row;
    Status s = begin(tx, w, &environment_id);

    if (s == STATUS_OK)
        s = db_break_glass_insert(tx, environment_id, &asked);
    if (s == STATUS_OK)
        s = db_break_glass_get(tx, environment_id, w->id, &rows);
    if (s != STATUS_OK)
        return s;
    row = break_glass_row(rows, 0);
    answer(w->r, 201, break_glass_json(&row));
    return record_by_caller(w->q, tx, &requested, break_glass_json(&row),
                            "%s asks to lift the freezes of %s/%s for %lld s; somebody else has to "
                            "confirm it: %s",
                            w->q->principal->subject, w->app, w->environment,
                            (long long)row.duration_s, row.reason);
}

static Status break_glass_make(struct request *q, struct reply *r, void *ctx) {
    return idempotent_tx(q, r, "break_glass_request", break_glass_request_tx, ctx);
}

Status break_glass_request(struct request *q, const void *body, struct reply *r) {
    char id[UUID_TEXT];
    struct break_glass_write w = {.q = q, .r = r, .in = body, .id = uuid_v7(id)};
    Status s = path_place(q, &w.app, &w.environment, r);

    if (s == STATUS_OK)
        s = only_people(q, "break the glass", r);
    if (s == STATUS_OK)
        s = idempotent_run(q, r, break_glass_make, &w);
    db_rows_free(w.environments);
    return s;
}

/* ---- confirmed ---- */

static Status refuse_state(const struct break_glass_row *row, struct reply *r) {
    reply_extra(r, "state", json_string(row->state));
    reply_extra(r, "allowed", json_array());
    return reply_refuse(r, E_WRONG_STATE, "%s",
                        row->confirmed_by ? "It was confirmed before."
                                          : "Nobody confirmed it within an hour: ask again.");
}

static Status opened_record(struct db_tx *tx, const struct break_glass_write *w,
                            const struct break_glass_row *row) {
    json_auto_t *requested_by = json_parse(row->requested_by);
    const struct record_about opened = about(w, "breakglass.opened");
    char until[TIME_TEXT];

    return record_by_caller(w->q, tx, &opened, break_glass_json(row),
                            "GLASS BROKEN: no freeze holds %s/%s until %s; asked for by %s, "
                            "confirmed by %s: %s",
                            w->app, w->environment, clock_format(row->until_us, until),
                            json_str(requested_by, "subject", "?"), w->q->principal->subject,
                            row->reason);
}

/* Also the answer, and the record, of what was opened. */
static Status opened(struct db_tx *tx, const struct break_glass_write *w,
                     const char *environment_id) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct break_glass_row row;
    Status s = db_gate_touch(tx, environment_id);

    if (s == STATUS_OK)
        s = db_break_glass_get(tx, environment_id, w->id, &rows);
    if (s != STATUS_OK)
        return s;
    row = break_glass_row(rows, 0);
    answer(w->r, 200, break_glass_json(&row));
    return opened_record(tx, w, &row);
}

static Status break_glass_confirm_tx(struct db_tx *tx, void *ctx) {
    struct break_glass_write *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const char *environment_id = NULL;
    struct break_glass_row row;
    bool open = false;
    Status s = begin(tx, w, &environment_id);

    if (s == STATUS_OK)
        s = db_break_glass_get(tx, environment_id, w->id, &rows);
    if (s == STATUS_OK && db_rows_count(rows) == 0)
        return reply_refuse(w->r, E_NOT_FOUND, "Nobody asked to break the glass with the id %s.",
                            w->id);
    if (s != STATUS_OK)
        return s;
    row = break_glass_row(rows, 0);
    if (is_caller(w->q, row.requested_by))
        return reply_refuse(w->r, E_FORBIDDEN, "You asked for it: another person confirms it.");
    s = db_break_glass_confirm(tx, w->id, w->q->principal->actor_json, &open);
    if (s == STATUS_OK && !open)
        return refuse_state(&row, w->r);
    return s == STATUS_OK ? opened(tx, w, environment_id) : s;
}

Status break_glass_confirm(struct request *q, const void *in, struct reply *r) {
    struct break_glass_write w = {.q = q, .r = r, .id = request_param(q, "id")};
    Status s = path_place(q, &w.app, &w.environment, r);

    (void)in;
    if (s == STATUS_OK && !uuid_valid(w.id))
        s = invalid_path(r, "id", "is no id: a UUID in lower case");
    if (s == STATUS_OK)
        s = only_people(q, "break the glass", r);
    if (s == STATUS_OK)
        s = db_tx_run(context_of(q)->pool, "break_glass_confirm", DB_READ_COMMITTED,
                      break_glass_confirm_tx, &w);
    if (s == STATUS_OK)
        announce(q, db_text(w.environments, 0, "id"));
    db_rows_free(w.environments);
    return s;
}

/* ---- GET ---- */

Status break_glass_list(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *environments = NULL, *rows = NULL;
    struct page page;
    json_t *items;
    Status s = path_environment(q, &environments, r);

    (void)in;
    if (s == STATUS_OK)
        s = page_of_ids(q, &page, r);
    if (s == STATUS_OK)
        s = db_break_glass_list(context_of(q)->pool, environment_row(environments, 0).id,
                                page.after, page.limit + 1, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        const struct break_glass_row row = break_glass_row(rows, i);

        json_array_append_new(items, break_glass_json(&row));
    }
    reply_list(r, items, page_next(&page, rows, "id"));
    return STATUS_OK;
}
