/* handlers/flag_state.c: what a flag is in an environment: its strategies, on and off, and the kill
 * switch. */
#include "base/cleanup.h"
#include "base/field_errors.h"
#include "handlers/answer.h"
#include "handlers/flag.h"
#include "handlers/handlers.h"

/* takes state */
static json_t *state_json(const char *app, const char *environment,
                          const struct flag_state_row *row, json_t *state) {
    json_t *out =
        json_pack("{s:s, s:s, s:s}", "app", app, "environment", environment, "flag", row->flag);

    json_object_update_new(out, flag_state_spec(state, row->killed));
    json_object_set_new(out, "stale", json_boolean(row->stale));
    json_object_set_new(out, "revision", json_integer(row->revision));
    json_set_time(out, "created_at", row->created_us);
    json_set_time(out, "updated_at", row->updated_us);
    json_decref(state);
    return out;
}

const char *flag_state_etag(const struct request *q, const struct flag_state_row *row) {
    return row->revision ? etag_of(q->arena, row->revision, row->created_us) : NULL;
}

/* takes state */
static Status state_answer(const struct flag_state_change *w, unsigned status, json_t *state) {
    w->r->etag = flag_state_etag(w->q, &w->there);
    return answer(w->r, status, state_json(w->change.app, w->change.environment, &w->there, state));
}

/* ---- a change ---- */

Status flag_state_path(struct flag_state_change *w, const char *reason) {
    const char *app = NULL, *environment = NULL;
    Status s = path_place(w->q, &app, &environment, w->r);

    w->change = caller_change(w->q, app, environment, reason);
    return s == STATUS_OK ? path_flag(w->q, "flag", &w->flag, w->r) : s;
}

/* Whether what db_flag_state found is there. */
static Status found(const char *app, const char *environment, const char *flag,
                    const struct db_rows *rows, struct reply *r) {
    const struct flag_state_row row = flag_state_row(rows, 0);

    if (!row.environment_id)
        return environment_missing(r, app, environment);
    return row.flag ? STATUS_OK : flag_missing(r, FLAG_DEFINITION, app, flag);
}

Status flag_state_begin(struct db_tx *tx, struct flag_state_change *w) {
    Status s = begin_change(tx, &w->change, w->r);

    db_rows_free(TAKE_PTR(w->rows));
    if (s == STATUS_OK)
        s = db_flag_state_in(tx, w->change.app, w->change.environment, w->flag, &w->rows);
    if (s != STATUS_OK)
        return s;
    w->there = flag_state_row(w->rows, 0);
    return found(w->change.app, w->change.environment, w->flag, w->rows, w->r);
}

static Status state_fits(struct db_tx *tx, const struct flag_state_change *w, const json_t *state) {
    json_auto_t *errors = json_array();
    Status s = flag_state_check(tx, w->change.app, &w->there, state, "", errors);

    return s == STATUS_OK ? refuse_errors(w->r, errors) : s;
}

Status flag_state_end(struct db_tx *tx, struct flag_state_change *w, json_t *state,
                      const char *action, const char *done) {
    bool made = w->there.revision == 0;
    Status s = state_fits(tx, w, state);

    if (s == STATUS_OK)
        s = flag_state_store(tx, &w->change, &w->there, state, action, done);
    return s == STATUS_OK ? state_answer(w, made ? 201 : 200, json_incref(state))
                          : explain_approval(tx, &w->change, s, w->r);
}

Status flag_state_run(struct flag_state_change *w, db_tx_fn *fn) {
    Status s = db_tx_run(request_pool(w->q), "flag_state", DB_READ_COMMITTED, fn, w);

    if (s == STATUS_OK) {
        announce_flags(w->q, w->change.app, w->change.environment);
        announce(w->q, w->there.environment_id); /* its record went on */
    }
    db_rows_free(TAKE_PTR(w->rows));
    return s;
}

/* ---- PUT ---- */

static Status state_put_tx(struct db_tx *tx, void *ctx) {
    struct flag_state_change *w = ctx;
    json_auto_t *state = NULL, *stored = NULL;
    enum put_what what = PUT_KEEP;
    Status s = flag_state_begin(tx, w);

    if (s != STATUS_OK)
        return s;
    state = flag_state_spec(w->q->json, w->there.killed);
    stored = flag_state(&w->there);
    s = put_rule(w->q, flag_state_etag(w->q, &w->there), json_equal(stored, state), &what, w->r);
    if (s != STATUS_OK)
        return s;
    return what == PUT_KEEP ? state_answer(w, 200, TAKE_PTR(stored))
                            : flag_state_end(tx, w, state, "flag.configured", "configured");
}

Status flag_state_put(struct request *q, const void *in, struct reply *r) {
    struct flag_state_change w = {.q = q, .r = r};
    Status s = flag_state_path(&w, json_str(q->json, "reason", NULL));

    (void)in;
    return s == STATUS_OK ? flag_state_run(&w, state_put_tx) : s;
}

/* ---- enable, disable, kill, unkill ---- */

struct flag_switch {
    struct flag_state_change w;
    const char *key, *action, *done;
    bool value, always; /* always: never asks for If-Match */
};

static Status switch_tx(struct db_tx *tx, void *ctx) {
    struct flag_switch *v = ctx;
    struct flag_state_change *w = &v->w;
    json_auto_t *state = NULL;
    Status s = flag_state_begin(tx, w);

    if (s == STATUS_OK && !v->always)
        s = delete_rule(w->q, flag_state_etag(w->q, &w->there), w->r);
    if (s != STATUS_OK)
        return s;
    state = flag_state(&w->there);
    if (json_bool(state, v->key, false) == v->value)
        return state_answer(w, 200, TAKE_PTR(state));
    json_object_set_new(state, v->key, json_boolean(v->value));
    if (v->value && !v->always) /* what it requires may not serve here */
        s = state_fits(tx, w, state);
    if (s == STATUS_OK)
        s = flag_state_store(tx, &w->change, &w->there, state, v->action, v->done);
    return s == STATUS_OK ? state_answer(w, 200, TAKE_PTR(state))
                          : explain_approval(tx, &w->change, s, w->r);
}

static Status switch_flag(struct flag_switch *v) {
    Status s = flag_state_path(&v->w, json_str(v->w.q->json, "reason", NULL));

    return s == STATUS_OK ? flag_state_run(&v->w, switch_tx) : s;
}

Status flag_enable(struct request *q, const void *in, struct reply *r) {
    struct flag_switch v = {.w = {.q = q, .r = r},
                            .key = "enabled",
                            .action = "flag.enabled",
                            .done = "enabled",
                            .value = true};

    (void)in;
    return switch_flag(&v);
}

Status flag_disable(struct request *q, const void *in, struct reply *r) {
    struct flag_switch v = {
        .w = {.q = q, .r = r}, .key = "enabled", .action = "flag.disabled", .done = "disabled"};

    (void)in;
    return switch_flag(&v);
}

Status flag_kill(struct request *q, const void *in, struct reply *r) {
    struct flag_switch v = {.w = {.q = q, .r = r},
                            .key = "killed",
                            .action = "flag.killed",
                            .done = "killed",
                            .value = true,
                            .always = true};

    (void)in;
    return switch_flag(&v);
}

Status flag_unkill(struct request *q, const void *in, struct reply *r) {
    struct flag_switch v = {.w = {.q = q, .r = r},
                            .key = "killed",
                            .action = "flag.unkilled",
                            .done = "brought back to life"};

    (void)in;
    return switch_flag(&v);
}

/* ---- GET ---- */

Status path_flag_state(const struct request *q, struct db_rows **ret, struct reply *r) {
    const char *app = NULL, *environment = NULL, *flag = NULL;
    Status s = path_place(q, &app, &environment, r);

    if (s == STATUS_OK)
        s = path_flag(q, "flag", &flag, r);
    if (s == STATUS_OK)
        s = db_flag_state(context_of(q)->pool, app, environment, flag, ret);
    return s == STATUS_OK ? found(app, environment, flag, *ret, r) : s;
}

Status flag_state_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct flag_state_row row;
    Status s = path_flag_state(q, &rows, r);

    (void)in;
    if (s != STATUS_OK)
        return s;
    row = flag_state_row(rows, 0);
    r->live = true; /* time makes it stale */
    r->etag = flag_state_etag(q, &row);
    return answer(
        r, 200,
        state_json(request_param(q, "app"), request_param(q, "env"), &row, flag_state(&row)));
}

Status flag_state_list(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *environments = NULL, *rows = NULL;
    struct environment_row environment;
    struct page page;
    json_t *items;
    Status s = path_environment(q, &environments, r);

    (void)in;
    if (s == STATUS_OK)
        s = request_page(q, &page, r);
    if (s != STATUS_OK)
        return s;
    environment = environment_row(environments, 0);
    s = db_flag_states(context_of(q)->pool, environment.id, environment.app, page.after,
                       page.limit + 1, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        const struct flag_state_row row = flag_state_row(rows, i);

        json_array_append_new(
            items, state_json(environment.app, environment.name, &row, flag_state(&row)));
    }
    reply_list(r, items, page_next(&page, rows, "flag"));
    return STATUS_OK;
}
