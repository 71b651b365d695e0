#include "worker/deployment_flags.h"
#include "base/cleanup.h"
#include "base/field_errors.h"
#include "base/strbuf.h"
#include "worker/flag_change.h"
#include <string.h>

enum { WAIT_MS = 250, AT_ONCE = 100 };

/* ---- forward ---- */

static const char *first_error(const json_t *errors) {
    return json_str(json_array_get(errors, 0), "detail", "");
}

/* Why a change cannot be made, into why; else empty.  *ret_state is what the flag is to be, yours.
 */
static Status judge(struct db_tx *tx, const struct job *j, const json_t *change,
                    const struct db_rows *rows, json_t **ret_state, struct strbuf *why) {
    const struct flag_state_row row = flag_state_row(rows, 0);
    const char *name = json_str(change, "flag", "");
    json_auto_t *errors = json_array();
    Status s;

    if (!row.flag) {
        strbuf_addf(why, "App %s has no flag %s.", j->app, name);
        return STATUS_OK;
    }
    s = flag_state_with(tx, j->app, &row, json_object_get(change, "set"), "", errors, ret_state);
    if (json_array_size(errors))
        strbuf_addf(why, "Flag %s cannot be changed so: %s", name, first_error(errors));
    return s;
}

struct looking {
    const struct job *j;
    const char *at;
    struct seen_flags *seen;
};

static Status look_fn(struct db_tx *tx, void *ctx) {
    const struct looking *l = ctx;
    struct strbuf wrong = STRBUF(sizeof l->seen->wrong), what = STRBUF(64 * 1024);
    const json_t *change;
    Status s = STATUS_OK;

    for (size_t i = 0; !s && (change = plan_flag_change(l->j->plan_json, l->at, &i)); i++) {
        _cleanup_(db_rows_free) struct db_rows *rows = NULL;
        const char *name = json_str(change, "flag", "");
        json_auto_t *state = NULL;

        s = db_flag_state_in(tx, l->j->app, l->j->environment, name, &rows);
        if (!s && !wrong.len)
            s = judge(tx, l->j, change, rows, &state, &wrong);
        strbuf_addf(&what, "%s%s: %s", i ? ", " : "", name,
                    json_bool(state, "killed", false)    ? "killed, and stays so"
                    : json_bool(state, "enabled", false) ? "on"
                                                         : "off");
    }
    text_cut(l->seen->wrong, sizeof l->seen->wrong, wrong.data ? wrong.data : "");
    text_cut(l->seen->what, sizeof l->seen->what, what.data ? what.data : "");
    l->seen->known = s == STATUS_OK;
    strbuf_done(&wrong);
    strbuf_done(&what);
    return s;
}

void deployment_flags_look(struct db_pool *p, const struct job *j, const char *at,
                           struct seen_flags *ret) {
    struct looking l = {j, at, ret};

    *ret = (struct seen_flags){0};
    if (db_tx_run(p, "deployment_flags_look", DB_READ_COMMITTED, look_fn, &l))
        ret->known = false;
}

/* ---- what was changed ---- */

static Status note(struct db_tx *tx, const struct job *j, const json_t *change,
                   const json_t *before, const struct flag_state_row *was, int64_t revision,
                   const char *why) {
    _cleanup_free_ char *text = before ? json_text(before) : NULL;

    return db_query(tx, SQL_DEPLOYMENT_FLAG_INSERT, NULL,
                    DB_PARAMS(j->deployment_id, j->environment_id, json_str(change, "flag", ""),
                              json_str(change, "at", ""), why ? "left" : "applied", text,
                              DB_INT(was ? was->revision : 0), DB_INT(revision), why));
}

static Status apply_one(struct db_tx *tx, const struct job *j, const struct flag_change *c,
                        const json_t *change) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const char *name = json_str(change, "flag", "");
    struct strbuf why = STRBUF(SEEN_TEXT * 2);
    json_auto_t *state = NULL, *before = NULL;
    struct flag_state_row row, was;
    Status s = db_flag_state_in(tx, j->app, j->environment, name, &rows);

    if (!s)
        s = judge(tx, j, change, rows, &state, &why);
    if (!s && why.len) {
        s = note(tx, j, change, NULL, NULL, 0, why.data);
    } else if (!s) {
        row = was = flag_state_row(rows, 0);
        before = was.revision ? flag_state(&was) : NULL;
        s = note(tx, j, change, before, &was, c->revision, NULL);
        if (!s)
            s = flag_state_store(tx, c, &row, state, "flag.configured",
                                 json_bool(state, "enabled", false) ? "turned on" : "turned off");
    }
    strbuf_done(&why);
    return s;
}

/* Changes them; what cannot be changed any more is left, which deployment_flag says. */
static Status apply(struct db_tx *tx, const struct job *j, const char *at) {
    _cleanup_free_ char *reason = xasprintf("%s is deployed (%s)", j->version, j->deployment_id);
    struct flag_change c = {.app = j->app,
                            .environment = j->environment,
                            .by = worker_actor,
                            .source = "deployment",
                            .reason = reason,
                            .wait_ms = WAIT_MS}; /* a rollback may be waiting for the lease */
    const json_t *change;
    Status s = flag_change_begin(tx, &c);

    for (size_t i = 0; !s && (change = plan_flag_change(j->plan_json, at, &i)); i++)
        s = apply_one(tx, j, &c, change);
    return s;
}

/* ---- backward ---- */

struct taking_back {
    const char *environment_id, *app, *environment;
    const char
        *version; /* that will serve: what requires a later one goes off; NULL: that serves */
    struct actor by;
    struct flag_change change; /* set within */
};

static Status end_one(struct db_tx *tx, const struct db_rows *due, size_t i, const char *why) {
    return db_query(tx, SQL_DEPLOYMENT_FLAG_END, NULL,
                    DB_PARAMS(db_text(due, i, "deployment_id"), db_text(due, i, "flag"),
                              db_text(due, i, "at"), why ? "left" : "restored", why));
}

/* The row at i and those after it that changed the same flag, the last change first: each is taken
 * back as long as nobody else came in between.  *ret_end: the first of another flag. */
static Status walk_back(struct db_tx *tx, const struct db_rows *due, size_t i, int64_t expected,
                        json_t **ret_state, size_t *ret_end) {
    const char *flag = db_text(due, i, "flag");
    Status s = STATUS_OK;

    for (; !s && i < db_rows_count(due) && strcmp(db_text(due, i, "flag"), flag) == 0; i++) {
        if (db_int(due, i, "revision") != expected) {
            s = end_one(tx, due, i, "Somebody changed it since: it is left as it is.");
            continue;
        }
        json_decref(*ret_state);
        *ret_state = db_null(due, i, "before") ? flag_state(&(struct flag_state_row){0})
                                               : db_json(due, i, "before");
        expected = db_int(due, i, "before_revision");
        s = end_one(tx, due, i, NULL);
    }
    *ret_end = i;
    return s;
}

static Status take_flag_back(struct db_tx *tx, struct taking_back *t, const struct db_rows *due,
                             size_t i, size_t *ret_end) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_auto_t *state = NULL, *errors = json_array();
    struct flag_state_row row;
    Status s = db_flag_state_in(tx, t->app, t->environment, db_text(due, i, "flag"), &rows);

    if (s)
        return s;
    row = flag_state_row(rows, 0);
    s = walk_back(tx, due, i, row.flag ? row.revision : -1, &state, ret_end);
    if (s || !state)
        return s;
    s = flag_state_check(tx, t->app, &row, state, "", errors);
    if (s)
        return s;
    for (; json_array_size(errors) && i < *ret_end; i++) { /* a segment that is gone */
        s = end_one(tx, due, i, first_error(errors));
        if (s || i + 1 == *ret_end)
            return s;
    }
    return flag_state_store(tx, &t->change, &row, state, "flag.restored", "restored");
}

/* Whether a row of flag/guarded requires a later version than `serves` (NULL: what serves). */
static bool too_old(const struct db_rows *rows, size_t i, const char *serves) {
    serves = serves ? serves : db_text(rows, i, "serves");
    return serves && version_before(serves, db_text(rows, i, "requires"));
}

/* Turns off what requires a later version than the one that serves, or is to. */
static Status guard(struct db_tx *tx, struct taking_back *t) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_FLAG_GUARDED, &rows, DB_PARAMS(t->environment_id));

    t->change.reason = "an older version serves than it requires";
    t->change.revision++; /* what was just restored may go off again */
    for (size_t i = 0; !s && i < db_rows_count(rows); i++) {
        _cleanup_(db_rows_free) struct db_rows *there = NULL;
        json_auto_t *state = NULL;
        struct flag_state_row row;

        if (!too_old(rows, i, t->version))
            continue;
        s = db_flag_state_in(tx, t->app, t->environment, db_text(rows, i, "flag"), &there);
        if (s)
            return s;
        row = flag_state_row(there, 0);
        state = flag_state(&row);
        json_object_set_new(state, "enabled", json_false());
        s = flag_state_store(tx, &t->change, &row, state, "flag.disabled", "disabled");
    }
    return s;
}

static Status take_back(struct db_tx *tx, void *ctx) {
    struct taking_back *t = ctx;
    _cleanup_(db_rows_free) struct db_rows *due = NULL;
    Status s;

    t->change = (struct flag_change){.app = t->app,
                                     .environment = t->environment,
                                     .by = t->by,
                                     .source = "deployment",
                                     .reason = "the deployment that changed it is taken back",
                                     .wait_ms = WAIT_MS};
    s = flag_change_begin(tx, &t->change);
    if (!s)
        s = db_query(tx, SQL_DEPLOYMENT_FLAG_DUE, &due, DB_PARAMS(t->environment_id));
    for (size_t i = 0; !s && i < db_rows_count(due);)
        s = take_flag_back(tx, t, due, i, &i);
    return s ? s : guard(tx, t);
}

Status deployment_flags_take_back(struct db_tx *tx, const char *environment_id, const char *since,
                                  const char *version, struct actor by) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct taking_back t = {.environment_id = environment_id, .version = version, .by = by};
    Status s = db_query(tx, SQL_DEPLOYMENT_FLAG_TAKE_BACK, &rows, DB_PARAMS(environment_id, since));

    if (s || db_rows_count(rows) == 0)
        return s;
    t.app = db_text(rows, 0, "app");
    t.environment = db_text(rows, 0, "environment");
    s = db_savepoint(tx, take_back, &t);
    return s > STATUS_OK ? STATUS_OK : s; /* then it is due, and the sweep does it */
}

/* ---- with the commits of a job ---- */

bool deployment_flags_change(const struct job *j) {
    const char *state = json_str(j->changes, "state", "");

    return json_object_get(j->changes, "flags") ||
           (json_object_get(j->plan_json, "flags") && strcmp(state, "undoing") == 0);
}

struct committing {
    const struct job *j;
    const char *changes;
    struct db_rows **rows;
};

static Status commit_fn(struct db_tx *tx, void *ctx) {
    const struct committing *c = ctx;
    const struct job *j = c->j;
    const char *at = json_str(j->changes, "flags", NULL);
    Status s = db_query(tx, SQL_TICK_LOCK_LEASE, NULL, DB_PARAMS(j->environment_id));

    if (!s)
        s = at ? apply(tx, j, at)
               : deployment_flags_take_back(tx, j->environment_id, j->deployment_id, NULL,
                                            worker_actor);
    if (!s)
        s = job_commit_in(tx, j, c->changes, c->rows);
    return s || db_bool(*c->rows, 0, "held") ? s : E_PRECONDITION_FAILED;
}

Status deployment_flags_commit(struct db_pool *p, const struct job *j, const char *changes,
                               struct db_rows **ret_rows) {
    struct committing c = {j, changes, ret_rows};
    Status s = db_tx_run(p, "deployment_flags_commit", DB_READ_COMMITTED, commit_fn, &c);

    return s == E_PRECONDITION_FAILED ? STATUS_OK : s; /* the lease is another's: the rows say so */
}

/* ---- later ---- */

struct sweeping {
    struct db_pool *pool;
    void (*changed)(void *ctx, const char *topic);
    void *ctx;
};

static void sweep_one(const struct sweeping *s, const struct db_rows *rows, size_t i) {
    struct taking_back t = {.environment_id = db_text(rows, i, "environment_id"),
                            .app = db_text(rows, i, "app"),
                            .environment = db_text(rows, i, "environment"),
                            .by = worker_actor};
    char topic[FLAG_TOPIC];

    if (db_tx_run(s->pool, "deployment_flags", DB_READ_COMMITTED, take_back, &t) == STATUS_OK)
        s->changed(s->ctx, flag_topic(t.app, t.environment, topic));
}

void deployment_flags_sweep(struct db_pool *p, void (*changed)(void *ctx, const char *topic),
                            void *ctx) {
    _cleanup_(db_rows_free) struct db_rows *due = NULL;
    _cleanup_(db_rows_free) struct db_rows *guarded = NULL;
    const struct sweeping s = {p, changed, ctx};

    if (db_once(p, SQL_DEPLOYMENT_FLAG_ENVIRONMENTS, &due, DB_PARAMS(DB_INT(AT_ONCE))) ||
        db_once(p, SQL_FLAG_GUARDED, &guarded, DB_PARAMS(NULL)))
        return;
    for (size_t i = 0; i < db_rows_count(due); i++)
        sweep_one(&s, due, i);
    for (size_t i = 0; i < db_rows_count(guarded); i++)
        if (too_old(guarded, i, NULL))
            sweep_one(&s, guarded, i);
}
