/* worker/rollback_verb.c: a rollback is begun in one transaction: its target is absolute, from rows
 * alone (design.md, Undo). */
#include "base/cleanup.h"
#include "base/trace.h"
#include "rollout/rollback.h"
#include "worker/deployment_flags.h"
#include "worker/verbs.h"
#include <string.h>

struct last {
    struct db_rows *rows; /* owned */
    json_t *plan;         /* owned */
    const char *id, *kind, *state, *rollback_of;
    bool active, succeeded, switched, wrote, history_lost;
};

static void last_done_cleanup(struct last *l) {
    db_rows_free(l->rows);
    json_decref(l->plan);
}

static bool active_state(const char *state) {
    static const char *const states[] = {"running", "paused", "undoing", "stuck"};

    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(states[i], state) == 0)
            return true;
    return false;
}

static Status refuse(struct verb_result *ret, const char *state, const char *detail) {
    ret->state = state;
    ret->detail = detail;
    return E_WRONG_STATE;
}

static Status find_last(struct db_tx *tx, const char *environment_id, struct verb_result *ret,
                        struct last *l) {
    /* a statement of its own: what the tick before us committed is in the next one's snapshot */
    Status s = db_query(tx, SQL_TICK_LOCK_LEASE, NULL, DB_PARAMS(environment_id));

    if (!s)
        s = db_query(tx, SQL_TICK_LAST_ACTIVE, &l->rows, DB_PARAMS(environment_id));
    if (s)
        return s;
    if (db_rows_count(l->rows) == 0)
        return refuse(ret, "none", "Nothing was deployed here: there is nothing to return to.");
    l->id = db_text(l->rows, 0, "id");
    l->kind = db_text(l->rows, 0, "kind");
    l->state = db_text(l->rows, 0, "state");
    l->rollback_of = db_text(l->rows, 0, "rollback_of");
    l->plan = db_json(l->rows, 0, "plan");
    l->active = active_state(l->state);
    l->succeeded = strcmp(l->state, "succeeded") == 0;
    l->switched = db_bool(l->rows, 0, "switched");
    l->wrote = db_bool(l->rows, 0, "wrote");
    l->history_lost = l->active && db_bool(l->rows, 0, "history_lost");
    return STATUS_OK;
}

static Color color_of(const json_t *place, Color otherwise) {
    Color c = otherwise;

    return color_find(json_str(place, "color", NULL), &c) ? c : otherwise;
}

static bool same_version(const char *a, const char *b) {
    return strcmp(a + (*a == 'v'), b + (*b == 'v')) == 0;
}

/* The color that serves as far as rows know. */
static Color serving(const struct last *l) {
    Color target = color_of(json_object_get(l->plan, "target"), COLOR_GREEN);

    return l->succeeded || (l->active && l->switched) ? target : color_other(target);
}

/* Whether that version serves as far as rows know. */
static bool serves(const struct last *l, const char *version) {
    const json_t *target = json_object_get(l->plan, "target");
    bool there = serving(l) == color_of(target, COLOR_GREEN);
    const json_t *place = there ? target : json_object_get(l->plan, "from");

    return same_version(json_str(place, "version", ""), version);
}

/* The deployment whose `from` is returned to, and the color that traffic leaves. */
struct basis {
    const char *id; /* in the arena */
    json_t *plan;   /* owned */
    Color leaves;
};

static Status find_basis(struct db_tx *tx, const struct rollback_ask *in,
                         const char *environment_id, const struct last *l, struct verb_result *ret,
                         struct basis *basis) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const char *state;
    Status s;

    if (in->version && serves(l, in->version) &&
        serving(l) == color_of(json_object_get(l->plan, "target"), COLOR_GREEN))
        return refuse(ret, arena_strdup(in->arena, l->state),
                      arena_printf(in->arena, "%s serves already.", in->version));
    if ((!in->of && !in->version) || (in->version && serves(l, in->version))) {
        basis->id = l->id;
        basis->plan = json_incref(l->plan);
        basis->leaves = color_other(color_of(json_object_get(l->plan, "from"), COLOR_BLUE));
        return STATUS_OK;
    }
    s = db_query(tx, SQL_TICK_ROLLBACK_BASIS, &rows,
                 DB_PARAMS(environment_id, in->of, in->version));
    if (s)
        return s;
    if (db_rows_count(rows) == 0)
        return in->version
                   ? refuse(ret, arena_strdup(in->arena, l->state),
                            arena_printf(
                                in->arena,
                                "%s never served here before something replaced it: deploy it.",
                                in->version))
                   : E_NOT_FOUND;
    state = db_text(rows, 0, "state");
    if (in->of && strcmp(in->of, l->id) != 0 &&
        (strcmp(state, "succeeded") != 0 || db_bool(rows, 0, "overtaken")))
        return refuse(ret, arena_strdup(in->arena, state),
                      "It is neither active nor did it put there what serves.");
    basis->id = arena_strdup(in->arena, db_text(rows, 0, "id"));
    basis->plan = db_json(rows, 0, "plan");
    /* another deployment has had the color since: without its template nobody knows whose pods
     * those are (model/README.md, finding 3) */
    if (strcmp(basis->id, l->id) != 0 &&
        !json_is_object(json_at(basis->plan, "resolved", "from", "template", NULL)))
        return refuse(ret, arena_strdup(in->arena, state),
                      "What ran there before is not on record: deploy it instead.");
    basis->leaves = in->version
                        ? serving(l)
                        : color_other(color_of(json_object_get(basis->plan, "from"), COLOR_BLUE));
    return STATUS_OK;
}

static json_t *steps_of(const char *kind, const json_t *plan) {
    size_t n = 0;
    const struct step_row *rows = job_steps(kind, "", &n);
    json_t *all = step_rows_json(rows, n);

    while (n-- > 0)
        if (rows[n].adopts && !json_bool(plan, "history_lost", false))
            json_array_remove(all, n);
    return all;
}

static Status record(struct db_tx *tx, const struct rollback_ask *in, const char *id,
                     const char *action, json_t *data, const char *message) {
    json_auto_t *owned = data;
    _cleanup_free_ char *text = json_text(owned);
    const struct record_entry entry = {.app = in->app,
                                       .environment = in->environment,
                                       .actor = in->by.json,
                                       .from = in->by.from,
                                       .action = action,
                                       .subject = id,
                                       .message = message,
                                       .data = text,
                                       .deployment_id = id};

    return record_append(tx, &entry);
}

/* Inserts the deployment and fences whoever held the lease. */
static Status begin(struct db_tx *tx, const struct rollback_ask *in, const char *environment_id,
                    const char *kind, const json_t *plan, const char *of) {
    json_auto_t *steps = steps_of(kind, plan);
    _cleanup_free_ char *steps_text = json_text(steps), *plan_text = json_text(plan);
    const char *version = json_str(json_object_get(plan, "target"), "version", "");
    char trace[TRACE_KEPT_TEXT];
    Status s = db_query(tx, SQL_TICK_FENCE, NULL, DB_PARAMS(environment_id));

    return s ? s
             : db_query(tx, SQL_TICK_BEGIN, NULL,
                        DB_PARAMS(in->id, environment_id, kind, version, in->reason, in->by.json,
                                  plan_text, of, steps_text, trace_kept(trace_current(), trace)));
}

static Status record_begin(struct db_tx *tx, const struct rollback_ask *in, const char *kind,
                           const json_t *plan) {
    const json_t *target = json_object_get(plan, "target");
    const char *version = json_str(target, "version", "");
    json_t *data = json_pack("{s:s, s:s, s:s, s:s?}", "kind", kind, "version", version, "color",
                             json_str(target, "color", ""), "reason", in->reason);
    Status s =
        record(tx, in, in->id, "deployment.created", data,
               arena_printf(in->arena, "%s to %s was asked for.",
                            strcmp(kind, "rollback") == 0 ? "Rollback" : "Traffic", version));

    return s ? s : record(tx, in, in->id, "deployment.started", json_object(), "It began.");
}

/* What the rollback takes back is noted there; what was active ends. */
static Status take_over(struct db_tx *tx, const struct rollback_ask *in, const struct last *l) {
    const struct transition_row *row = transition_find(l->state, EVENT_TAKEN_OVER);
    Status s;

    if (!l->active && !l->succeeded)
        return STATUS_OK;
    s = db_query(tx, SQL_TICK_TAKE_OVER, NULL, DB_PARAMS(l->id, in->id, DB_BOOL(l->active)));
    if (s || !row)
        return s;
    return record(tx, in, l->id, row->action, json_pack("{s:s}", "by", in->id), row->title);
}

/* A rollback that is there already: asked for twice, or stuck and to be tried again. */
static Status join(struct db_tx *tx, const struct rollback_ask *in, const struct last *l,
                   struct verb_result *ret) {
    const struct verb_request again = {l->id, in->reason, in->by, in->arena};

    ret->deployment_id = arena_strdup(in->arena, l->id);
    ret->existing = true;
    return strcmp(l->state, "stuck") == 0 ? deployment_retry(tx, &again, ret) : STATUS_OK;
}

static Status environment_of(struct db_tx *tx, const struct rollback_ask *in, const char **ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_TICK_ROLLBACK_BEGIN, &rows, DB_PARAMS(in->app, in->environment));

    if (s)
        return s;
    if (db_rows_count(rows) == 0)
        return E_NOT_FOUND;
    *ret = arena_strdup(in->arena, db_text(rows, 0, "environment_id"));
    return STATUS_OK;
}

/* Begins the rollback of what is known of the environment. */
static Status roll_back(struct db_tx *tx, const struct rollback_ask *in, const char *environment_id,
                        const struct last *l, struct verb_result *ret) {
    struct rollback_request request = {.last = l->plan,
                                       .pre_empts = l->active,
                                       .wrote = l->wrote,
                                       .history_lost = l->history_lost};
    struct basis basis = {0};
    json_auto_t *plan = NULL, *basis_plan = NULL;
    const char *why = NULL;
    Status s = find_basis(tx, in, environment_id, l, ret, &basis);

    if (s)
        return s;
    request.basis = basis_plan = basis.plan;
    request.leaves = basis.leaves;
    plan = rollback_plan(&request, in->arena, &why);
    if (!plan)
        return refuse(ret, arena_strdup(in->arena, l->state), why);
    s = take_over(tx, in, l);
    if (!s)
        s = deployment_flags_take_back(tx, environment_id, basis.id,
                                       json_str(json_object_get(plan, "target"), "version", NULL),
                                       in->by);
    if (!s)
        s = begin(tx, in, environment_id, "rollback", plan, l->id);
    if (s)
        return s;
    ret->deployment_id = in->id;
    return record_begin(tx, in, "rollback", plan);
}

/* Whether the rollback that was active last is the one that is asked for. */
static bool asks_the_same(const struct rollback_ask *in, const struct last *l) {
    const char *of = l->rollback_of ? l->rollback_of : "";

    if (in->of)
        return strcmp(in->of, l->id) == 0 || strcmp(in->of, of) == 0;
    return !in->version || serves(l, in->version);
}

Status deployment_rollback(struct db_tx *tx, const struct rollback_ask *in,
                           struct verb_result *ret) {
    _cleanup_(last_done) struct last l = {0};
    const char *environment_id;
    Status s = environment_of(tx, in, &environment_id);

    if (!s)
        s = find_last(tx, environment_id, ret, &l);
    if (s)
        return s;
    if (strcmp(l.kind, "rollback") == 0 && asks_the_same(in, &l))
        return join(tx, in, &l, ret);
    return roll_back(tx, in, environment_id, &l, ret);
}

/* The version that the color runs goes through the gates as if it was deployed. */
static Status ask_gates(struct db_tx *tx, const struct rollback_ask *in, const char *environment_id,
                        const json_t *plan, struct gate_verdict *ret) {
    const char *version = json_str(json_object_get(plan, "target"), "version", "");
    const struct gate_ask ask = {.environment_id = environment_id,
                                 .version_key = version + (*version == 'v'),
                                 .requested_by = in->by.json};
    Status s;

    gate_verdict_done(ret);
    s = gates_look_in(tx, &ask, GATE_TRAFFIC, ret);
    return s || ret->open ? s : E_BLOCKED;
}

Status deployment_traffic(struct db_tx *tx, const struct rollback_ask *in, const json_t *plan,
                          bool capacity, struct verb_result *ret) {
    _cleanup_(last_done) struct last l = {0};
    const char *environment_id, *color = json_str(json_object_get(plan, "target"), "color", "");
    Status s = environment_of(tx, in, &environment_id);

    if (!s)
        s = find_last(tx, environment_id, ret, &l);
    if (s && s != E_WRONG_STATE)
        return s;
    if (!s && l.active) {
        ret->deployment_id = arena_strdup(in->arena, l.id);
        return E_ENVIRONMENT_BUSY;
    }
    if (!s && l.succeeded && strcmp(l.kind, "deploy") == 0 &&
        strcmp(json_str(json_object_get(l.plan, "from"), "color", ""), color) == 0)
        return roll_back(tx, in, environment_id, &l, ret);
    if (!capacity)
        return E_NO_CAPACITY;
    s = ask_gates(tx, in, environment_id, plan, &ret->gate);
    if (!s)
        s = begin(tx, in, environment_id, "traffic", plan, NULL);
    if (s)
        return s;
    ret->deployment_id = in->id;
    return record_begin(tx, in, "traffic", plan);
}
