/* handlers/flag_request.c: changes of flags that somebody asks for: made, listed, shown with what
 * they would change. */
#include "handlers/flag_request.h"
#include "base/cleanup.h"
#include "base/field_errors.h"
#include "base/ids.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include <stdio.h>
#include <string.h>

enum { CHANGES_MAX = 1 << 20 }; /* bytes, with what the flags are before and after */

Status path_flag_request(const struct request *q, struct flag_request_filter *ret,
                         struct reply *r) {
    Status s = path_place(q, &ret->app, &ret->environment, r);

    ret->id = request_param(q, "request");
    if (s == STATUS_OK && !uuid_valid(ret->id))
        s = invalid_path(r, "request", "is no id: a UUID in lower case");
    return s;
}

Status flag_request_missing(struct reply *r, const char *id) {
    return reply_refuse(r, E_NOT_FOUND, "The environment has no request %s.", id);
}

/* ---- as it is answered ---- */

static json_t *changes_json(const char *text) {
    json_auto_t *stored = json_parse(text);
    json_t *out = json_array(), *change;
    size_t i;

    json_array_foreach(stored, i, change) {
        const json_t *before = json_object_get(change, "before");
        const json_t *after = json_object_get(change, "after");

        json_array_append_new(
            out, json_pack("{s:s, s:o, s:o, s:o}", "flag", json_str(change, "flag", ""), "set",
                           flag_request_set(json_object_get(change, "set")), "before",
                           flag_state_spec(before, json_bool(before, "killed", false)), "after",
                           flag_state_spec(after, json_bool(after, "killed", false))));
    }
    return out;
}

static json_t *approvals_json(const char *text) {
    json_auto_t *stored = json_parse(text);
    json_t *out = json_array(), *approval;
    size_t i;

    json_array_foreach(stored, i, approval) {
        _cleanup_free_ char *by = json_text(json_object_get(approval, "by"));
        json_t *one = json_pack("{s:o}", "by", actor_value(by));

        json_set_str(one, "note", json_str(approval, "note", NULL));
        json_set_time(one, "at", json_int(approval, "at_us", 0));
        json_array_append_new(out, one);
    }
    return out;
}

json_t *flag_request_json(const struct flag_request_row *row) {
    json_t *out = json_object();

    json_set_str(out, "id", row->id);
    json_set_str(out, "state", row->state);
    json_object_set_new(out, "flags", json_parse(row->flags));
    if (row->changes)
        json_object_set_new(out, "changes", changes_json(row->changes));
    json_set_str(out, "reason", row->reason);
    json_object_set_new(out, "requested_by", actor_value(row->requested_by));
    json_set_time(out, "requested_at", row->requested_us);
    json_set_time(out, "expires_at", row->expires_us);
    json_object_set_new(out, "needed", json_integer(row->needed));
    json_object_set_new(out, "approvals", approvals_json(row->approvals));
    json_object_set_new(out, "stale", json_parse(row->stale));
    json_set_time(out, "ended_at", row->ended_us);
    json_object_set_new(out, "ended_by", row->ended_by ? actor_value(row->ended_by) : json_null());
    json_set_str(out, "note", row->note);
    json_object_set_new(out, "revision", row->revision ? json_integer(row->revision) : json_null());
    return out;
}

Status flag_request_answer(struct db_tx *tx, const struct flag_request_filter *of, unsigned status,
                           struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct flag_request_row row;
    Status s = db_flag_request_get(tx, of, &rows);

    if (s != STATUS_OK)
        return s;
    row = flag_request_row(rows, 0);
    return answer(r, status, flag_request_json(&row));
}

/* ---- POST ---- */

struct asking {
    struct request *q;
    struct reply *r;
    struct flag_request_filter of;
    struct flag_change change;
    char environment_id[UUID_TEXT]; /* set within */
};

static bool named_before(const json_t *changes, size_t i, const char *flag) {
    for (size_t k = 0; k < i; k++)
        if (strcmp(json_str(json_array_get(changes, k), "flag", ""), flag) == 0)
            return true;
    return false;
}

/* What a change makes of `there`, added to `out`, or what is wrong with it, to `errors`. */
static Status add_change(struct db_tx *tx, const struct asking *w,
                         const struct flag_state_row *there, const json_t *asked, const char *at,
                         json_t *errors, json_t *out) {
    json_t *set = flag_request_set(asked), *before = flag_state(there), *after = NULL;
    Status s = flag_state_with(tx, w->of.app, there, set, at, errors, &after);

    if (json_equal(before, after))
        field_error(errors, at, "missing", "Says nothing that is to be another.");
    json_array_append_new(out, json_pack("{s:s, s:o, s:o, s:o}", "flag", there->flag, "set", set,
                                         "before", before, "after", after));
    return s;
}

static Status read_change(struct db_tx *tx, struct asking *w, size_t i, json_t *errors,
                          json_t *out) {
    const json_t *changes = json_object_get(w->q->json, "changes");
    const json_t *asked = json_array_get(changes, i);
    const char *flag = json_str(asked, "flag", "");
    _cleanup_free_ char *of_flag = xasprintf("/changes/%zu/flag", i);
    _cleanup_free_ char *of_set = xasprintf("/changes/%zu/set", i);
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_flag_state_in(tx, w->of.app, w->of.environment, flag, &rows);
    struct flag_state_row there;

    if (s != STATUS_OK)
        return s;
    there = flag_state_row(rows, 0);
    if (!there.environment_id)
        return environment_missing(w->r, w->of.app, w->of.environment);
    snprintf(w->environment_id, sizeof w->environment_id, "%s", there.environment_id);
    if (!there.flag)
        field_error(errors, of_flag, "unknown", "App %s has no flag %s.", w->of.app, flag);
    else if (named_before(changes, i, flag))
        field_error(errors, of_flag, "duplicate", "Each flag once.");
    else
        s = add_change(tx, w, &there, json_object_get(asked, "set"), of_set, errors, out);
    return s;
}

/* The record holds what approvers see. */
static Status asking_record(struct db_tx *tx, const struct asking *w, json_t *changes) {
    const struct record_about about = {.app = w->of.app,
                                       .environment = w->of.environment,
                                       .action = "flag.requested",
                                       .subject = w->of.id};
    json_t *data = record_of_spec(changes);
    size_t n = json_array_size(changes);

    json_object_set(data, "flags", json_object_get(w->r->json, "flags"));
    json_set_str(data, "reason", w->change.reason);
    return record_by_caller(w->q, tx, &about, data,
                            "%s asks for a change of %zu flag%s of %s in %s: %s",
                            w->q->principal->subject, n, n == 1 ? "" : "s", w->of.app,
                            w->of.environment, w->change.reason);
}

static Status asking_store(struct db_tx *tx, struct asking *w, json_t *changes) {
    _cleanup_free_ char *text = json_text(changes);
    const struct flag_request_row row = {.id = w->of.id,
                                         .environment_id = w->environment_id,
                                         .changes = text,
                                         .reason = w->change.reason,
                                         .requested_by = w->change.by.json};
    bool made = false;
    Status s;

    if (strlen(text) > CHANGES_MAX)
        return reply_field_error(w->r, "/changes", "too-long",
                                 "With what the flags are now they are more than %d bytes: ask for "
                                 "them one by one.",
                                 CHANGES_MAX);
    s = db_flag_request_insert(tx, &row, &made);
    if (s == STATUS_OK && !made)
        return reply_field_error(w->r, "", "range", "%d requests are open there, at most.",
                                 FLAG_REQUESTS_OPEN);
    if (s == STATUS_OK)
        s = flag_request_answer(tx, &w->of, 201, w->r);
    return s == STATUS_OK ? asking_record(tx, w, changes) : s;
}

static Status asking_tx(struct db_tx *tx, void *ctx) {
    struct asking *w = ctx;
    json_auto_t *changes = json_array(), *errors = json_array();
    size_t n = json_array_size(json_object_get(w->q->json, "changes"));
    Status s = begin_change(tx, &w->change, w->r);

    for (size_t i = 0; s == STATUS_OK && i < n; i++)
        s = read_change(tx, w, i, errors, changes);
    if (s == STATUS_OK)
        s = refuse_errors(w->r, errors);
    if (s != STATUS_OK)
        return s;
    w->r->location = arena_printf(w->q->arena, "/api/v1/apps/%s/environments/%s/flag-requests/%s",
                                  w->of.app, w->of.environment, w->of.id);
    return asking_store(tx, w, changes);
}

static Status asking_make(struct request *q, struct reply *r, void *ctx) {
    return idempotent_tx(q, r, "flag_request_create", asking_tx, ctx);
}

Status flag_request_create(struct request *q, const void *in, struct reply *r) {
    char id[UUID_TEXT];
    struct asking w = {.q = q, .r = r, .of = {.id = uuid_v7(id)}};
    Status s = path_place(q, &w.of.app, &w.of.environment, r);

    (void)in;
    if (s != STATUS_OK)
        return s;
    w.change = caller_change(q, w.of.app, w.of.environment, json_str(q->json, "reason", NULL));
    s = idempotent_run(q, r, asking_make, &w);
    if (s == STATUS_OK && *w.environment_id)
        announce(q, w.environment_id);
    return s;
}

/* ---- GET ---- */

Status flag_request_list(struct request *q, const void *in, struct reply *r) {
    static const char *const states[] = {"pending",  "approved", "applied", "rejected",
                                         "canceled", "expired",  NULL};
    _cleanup_(db_rows_free) struct db_rows *environment = NULL, *rows = NULL;
    struct flag_request_filter filter = {0};
    struct page page;
    json_t *items;
    Status s = query_word(q, "state", states, &filter.state, r);

    (void)in;
    if (s == STATUS_OK)
        s = page_of_ids(q, &page, r);
    if (s == STATUS_OK)
        s = path_environment(q, &environment, r);
    if (s != STATUS_OK)
        return s;
    filter.app = environment_row(environment, 0).app;
    filter.environment = environment_row(environment, 0).name;
    s = db_flag_request_list(context_of(q)->pool, &filter, page.after, page.limit + 1, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        const struct flag_request_row row = flag_request_row(rows, i);

        json_array_append_new(items, flag_request_json(&row));
    }
    reply_list(r, items, page_next(&page, rows, "id"));
    return STATUS_OK;
}

Status flag_request_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct flag_request_filter of = {0};
    struct flag_request_row row;
    Status s = path_flag_request(q, &of, r);

    (void)in;
    if (s == STATUS_OK)
        s = db_flag_request_list(context_of(q)->pool, &of, NULL, 1, &rows);
    if (s == STATUS_OK && db_rows_count(rows) == 0)
        return flag_request_missing(r, of.id);
    if (s != STATUS_OK)
        return s;
    row = flag_request_row(rows, 0);
    return answer(r, 200, flag_request_json(&row));
}
