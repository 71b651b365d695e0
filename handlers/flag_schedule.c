/* handlers/flag_schedule.c: changes of what a flag is in an environment that are to be made at a
 * time (worker/flag_schedule.h makes them): asked for, listed, canceled. */
#include "db/flag_schedule.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "handlers/answer.h"
#include "handlers/flag.h"
#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include <string.h>

static json_t *schedule_json(const struct flag_schedule_row *row) {
    json_auto_t *change = json_parse(row->change);
    json_t *out = json_object();

    json_set_str(out, "id", row->id);
    json_set_str(out, "state", row->state);
    json_set_time(out, "at", row->at_us);
    json_object_set_new(out, "change", flag_form(&flag_change_schema, change));
    json_object_set_new(out, "if_revision",
                        row->if_revision < 0 ? json_null() : json_integer(row->if_revision));
    json_set_str(out, "reason", row->reason);
    json_object_set_new(out, "created_by", actor_value(row->created_by));
    json_set_time(out, "created_at", row->created_us);
    json_set_time(out, "ended_at", row->ended_us);
    json_object_set_new(out, "ended_by", row->ended_by ? actor_value(row->ended_by) : json_null());
    json_set_str(out, "failure", row->failure);
    json_object_set_new(out, "revision", row->revision ? json_integer(row->revision) : json_null());
    return out;
}

struct schedule_write {
    struct flag_state_change w;
    struct flag_schedule_row row;
    const json_t *change;
};

static Status schedule_record(struct db_tx *tx, const struct schedule_write *v, const char *action,
                              const char *done, json_t *data) {
    const struct flag_change *c = &v->w.change;
    const struct record_about about = {
        .app = c->app, .environment = c->environment, .action = action, .subject = v->w.flag};
    char at[TIME_TEXT];

    return record_by_caller(v->w.q, tx, &about, data, "A change of flag %s in %s at %s was %s%s%s",
                            v->w.flag, c->environment, clock_format(v->row.at_us, at), done,
                            v->row.reason ? ": " : ".", v->row.reason ? v->row.reason : "");
}

/* ---- POST ---- */

/* What the change would make of the flag now. */
static Status check_change(struct db_tx *tx, struct schedule_write *v) {
    json_auto_t *errors = json_array(), *state = NULL;
    Status s =
        flag_state_with(tx, v->w.change.app, &v->w.there, v->change, "/change", errors, &state);

    return s == STATUS_OK ? refuse_errors(v->w.r, errors) : s;
}

static Status schedule_answer(struct db_tx *tx, struct schedule_write *v) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct flag_state_change *w = &v->w;
    Status s = db_flag_schedule_get(tx, w->there.environment_id, w->there.flag, v->row.id, &rows);
    struct flag_schedule_row row;

    if (s != STATUS_OK)
        return s;
    row = flag_schedule_row(rows, 0);
    w->r->location =
        arena_printf(w->q->arena, "/api/v1/apps/%s/environments/%s/flags/%s/schedule/%s",
                     w->change.app, w->change.environment, w->flag, row.id);
    answer(w->r, 201, schedule_json(&row));
    return schedule_record(tx, v, "flag.scheduled", "scheduled", json_incref(w->r->json));
}

static Status schedule_create_tx(struct db_tx *tx, void *ctx) {
    struct schedule_write *v = ctx;
    struct flag_state_change *w = &v->w;
    bool made = false;
    Status s = flag_state_begin(tx, w);

    if (s == STATUS_OK)
        s = check_change(tx, v);
    if (s == STATUS_OK)
        s = db_flag_schedule_insert(tx, w->there.environment_id, w->there.flag, &v->row, &made);
    if (s == STATUS_OK && !made)
        return reply_field_error(w->r, "/at", "range",
                                 "Has to be to come, at most a year away, and at most %d wait of a "
                                 "flag in an environment.",
                                 FLAG_SCHEDULES_PENDING);
    return s == STATUS_OK ? schedule_answer(tx, v) : explain_approval(tx, &w->change, s, w->r);
}

static Status schedule_make(struct request *q, struct reply *r, void *ctx) {
    return idempotent_tx(q, r, "flag_schedule_create", schedule_create_tx, ctx);
}

static void schedule_announce(struct schedule_write *v, Status s) {
    if (s == STATUS_OK && v->w.rows)
        announce(v->w.q, v->w.there.environment_id);
    db_rows_free(TAKE_PTR(v->w.rows));
}

Status flag_schedule_create(struct request *q, const void *in, struct reply *r) {
    json_auto_t *change = flag_form(&flag_change_schema, json_object_get(q->json, "change"));
    _cleanup_free_ char *text = json_text(change);
    char id[UUID_TEXT];
    struct schedule_write v = {
        .w = {.q = q, .r = r},
        .change = change,
        .row = {.id = uuid_v7(id),
                .change = text,
                .if_revision = json_int(q->json, "if_revision", -1),
                .reason = json_str(q->json, "reason", NULL),
                .created_by = q->principal->actor_json},
    };
    Status s = flag_state_path(&v.w, v.row.reason);

    (void)in;
    if (s == STATUS_OK && json_object_size(change) == 0)
        s = reply_field_error(r, "/change", "missing", "Says nothing that is to be another then.");
    if (s != STATUS_OK || !clock_parse(json_str(q->json, "at", ""), &v.row.at_us))
        return s;
    s = idempotent_run(q, r, schedule_make, &v);
    schedule_announce(&v, s);
    return s;
}

/* ---- DELETE ---- */

static Status path_schedule(const struct request *q, const char **ret, struct reply *r) {
    *ret = request_param(q, "schedule");
    return uuid_valid(*ret) ? STATUS_OK
                            : invalid_path(r, "schedule", "is no id: a UUID in lower case");
}

static Status schedule_missing(struct reply *r, const char *id) {
    return reply_refuse(r, E_NOT_FOUND, "The flag has no schedule %s there.", id);
}

static Status schedule_cancel_tx(struct db_tx *tx, void *ctx) {
    struct schedule_write *v = ctx;
    struct flag_state_change *w = &v->w;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const struct flag_schedule_end end = {
        .id = v->row.id, .state = "canceled", .by = w->q->principal->actor_json};
    bool ended = false;
    Status s = flag_state_begin(tx, w);

    if (s == STATUS_OK)
        s = db_flag_schedule_get(tx, w->there.environment_id, w->there.flag, end.id, &rows);
    if (s == STATUS_OK && db_rows_count(rows) == 0)
        return schedule_missing(w->r, end.id);
    if (s == STATUS_OK)
        s = db_flag_schedule_end(tx, &end, &ended);
    if (s != STATUS_OK)
        return s;
    v->row = flag_schedule_row(rows, 0);
    v->row.id = end.id;
    v->row.reason = NULL; /* that one was for the change */
    if (!ended) {
        reply_extra(w->r, "state", json_string(v->row.state));
        reply_extra(w->r, "allowed", json_array());
        return reply_refuse(w->r, E_WRONG_STATE, "It is %s.", v->row.state);
    }
    w->r->status = 204;
    return schedule_record(tx, v, "flag.schedule_canceled", "canceled",
                           json_pack("{s:s}", "schedule", end.id));
}

Status flag_schedule_cancel(struct request *q, const void *in, struct reply *r) {
    struct schedule_write v = {.w = {.q = q, .r = r}};
    Status s = flag_state_path(&v.w, NULL);

    (void)in;
    if (s == STATUS_OK)
        s = path_schedule(q, &v.row.id, r);
    if (s == STATUS_OK)
        s = db_tx_run(context_of(q)->pool, "flag_schedule_cancel", DB_READ_COMMITTED,
                      schedule_cancel_tx, &v);
    schedule_announce(&v, s);
    return s;
}

/* ---- GET ---- */

Status flag_schedule_list(struct request *q, const void *in, struct reply *r) {
    static const char *const states[] = {"pending", "applied", "failed", "canceled", NULL};
    _cleanup_(db_rows_free) struct db_rows *flag = NULL, *rows = NULL;
    struct flag_schedule_filter filter = {0};
    struct page page;
    json_t *items;
    Status s = query_word(q, "state", states, &filter.state, r);

    (void)in;
    if (s == STATUS_OK)
        s = page_of_ids(q, &page, r);
    if (s == STATUS_OK)
        s = path_flag_state(q, &flag, r);
    if (s != STATUS_OK)
        return s;
    filter.environment_id = flag_state_row(flag, 0).environment_id;
    filter.flag = flag_state_row(flag, 0).flag;
    s = db_flag_schedule_list(context_of(q)->pool, &filter, page.after, page.limit + 1, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        const struct flag_schedule_row row = flag_schedule_row(rows, i);

        json_array_append_new(items, schedule_json(&row));
    }
    reply_list(r, items, page_next(&page, rows, "id"));
    return STATUS_OK;
}

Status flag_schedule_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *flag = NULL, *rows = NULL;
    struct flag_schedule_filter filter = {0};
    struct flag_schedule_row row;
    Status s = path_schedule(q, &filter.id, r);

    (void)in;
    if (s == STATUS_OK)
        s = path_flag_state(q, &flag, r);
    if (s != STATUS_OK)
        return s;
    filter.environment_id = flag_state_row(flag, 0).environment_id;
    filter.flag = flag_state_row(flag, 0).flag;
    s = db_flag_schedule_list(context_of(q)->pool, &filter, NULL, 1, &rows);
    if (s == STATUS_OK && db_rows_count(rows) == 0)
        return schedule_missing(r, filter.id);
    if (s != STATUS_OK)
        return s;
    row = flag_schedule_row(rows, 0);
    return answer(r, 200, schedule_json(&row));
}
