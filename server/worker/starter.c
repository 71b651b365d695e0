#include "worker/starter.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "db/record.h"
#include "worker/deployment_flags.h"
#include "worker/flag_schedule.h"
#include "worker/start.h"
#include <pthread.h>
#include <string.h>

/* A cluster that does not answer is asked again after this long. */
enum { AT_ONCE = 64, AGAIN_S = 5 };

struct starter {
    struct starter_settings in;
    pthread_mutex_t lock;
    pthread_cond_t tick;
    bool stopping;
    pthread_t thread;
};

/* ---- gates that are to be looked at again ---- */

struct due {
    const char *environment_id, *release_id, *version_key;
    struct arena *arena;
};

static Status look_again(struct db_tx *tx, void *ctx) {
    const struct due *due = ctx;
    _cleanup_(db_rows_free) struct db_rows *locked = NULL;
    const struct gate_change change = {due->environment_id, due->release_id, due->version_key,
                                       worker_actor, due->arena};
    struct gate_effect effect;
    Status s = db_gate_lock(tx, due->environment_id, NULL, NULL, &locked);

    return s ? s : gates_changed(tx, &change, &effect);
}

static void sweep(struct starter *st) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;

    if (db_once(st->in.pool, SQL_GATE_DUE, &rows, DB_PARAMS(DB_INT(AT_ONCE))))
        return;
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        struct due due = {db_text(rows, i, "environment_id"), db_text(rows, i, "release_id"),
                          db_text(rows, i, "version_key"), &arena};

        if (db_tx_run(st->in.pool, "gate_look", DB_READ_COMMITTED, look_again, &due) == STATUS_OK)
            st->in.changed(st->in.ctx, due.environment_id);
    }
}

/* ---- flags, which gates may look at ---- */

struct flags_due {
    const char *environment_id;
    int64_t revision;
};

static Status flags_seen(struct db_tx *tx, void *ctx) {
    const struct flags_due *due = ctx;
    _cleanup_(db_rows_free) struct db_rows *locked = NULL;
    Status s = db_gate_lock(tx, due->environment_id, NULL, NULL, &locked);

    return s ? s : db_gate_flags_seen(tx, due->environment_id, due->revision);
}

/* Whoever changes a flag, a kill above all, waits for no gate: gates follow. */
static void follow_flags(struct starter *st) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;

    if (db_gate_flags_due(st->in.pool, AT_ONCE, &rows))
        return;
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        struct flags_due due = {db_text(rows, i, "environment_id"), db_int(rows, i, "revision")};

        if (db_tx_run(st->in.pool, "gate_flags", DB_READ_COMMITTED, flags_seen, &due))
            return; /* with the next scan */
    }
}

/* ---- blocked deployments ---- */

struct waiting {
    struct starter *st;
    const char *id, *app, *environment, *version_key, *environment_id;
    int64_t gate_version, now_us; /* now_us: as PostgreSQL has it */
    json_t *params;               /* owned */
    struct db_rows *rows;         /* owned; the basis is borrowed from it */
    struct deployment_basis basis;
    const char *plan, *steps; /* JSON texts, set for the transaction */
    const char *failure;      /* JSON of {code, detail, hint}, or NULL */
    struct arena arena;       /* owned */
};

static void waiting_done_cleanup(struct waiting *w) {
    json_decref(w->params);
    db_rows_free(w->rows);
    arena_done(&w->arena);
}

static Status wait_on(const struct waiting *w, int64_t look_at_us) {
    return db_once(
        w->st->in.pool, SQL_GATE_WAIT, NULL,
        DB_PARAMS(w->id, DB_INT(w->gate_version), look_at_us ? DB_TIMESTAMP(look_at_us) : NULL));
}

static Status record(struct db_tx *tx, struct waiting *w, const struct transition_row *row,
                     const char *detail) {
    const struct record_entry entry = {
        .app = w->app,
        .environment = w->environment,
        .actor = worker_actor.json,
        .from = worker_actor.from,
        .action = row->action,
        .subject = w->id,
        .message = *detail ? arena_printf(&w->arena, "%s: %s", row->title, detail) : row->title,
        .data = w->failure,
        .deployment_id = w->id};

    return record_append(tx, &entry);
}

/* It ends without having begun. */
static Status end_tx(struct db_tx *tx, void *ctx) {
    struct waiting *w = ctx;
    const struct transition_row *row =
        transition_find("blocked", w->failure ? EVENT_REFUSED : EVENT_CANCEL);
    json_auto_t *failure = json_parse(w->failure);
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_TICK_VERB_STATE, &rows, DB_PARAMS(w->id));

    if (s || strcmp(db_text(rows, 0, "state"), "blocked") != 0)
        return s; /* a person was faster */
    s = db_query(tx, SQL_TICK_VERB_STATE_SET, NULL,
                 DB_PARAMS(w->id, row->to, "false", NULL, NULL, w->failure));
    return s ? s : record(tx, w, row, json_str(failure, "detail", "its environment was deleted"));
}

static Status start_tx(struct db_tx *tx, void *ctx) {
    struct waiting *w = ctx;
    _cleanup_(gate_verdict_done) struct gate_verdict v = {0};
    const struct gate_ask ask = {
        .environment_id = w->environment_id, .version_key = w->version_key, .deployment_id = w->id};
    Status s = db_deployment_begin(tx, &w->basis);

    if (!s)
        s = start_gates(tx, &w->basis, &ask, &v);
    if (s || !v.open)
        return s ? s : E_BLOCKED;
    s = db_deployment_start(tx, w->id, w->plan, w->steps);
    return s ? s : record(tx, w, transition_find("blocked", EVENT_OPEN), "");
}

/* The plan cannot be made: for now, or never. */
static Status not_planned(struct waiting *w, Status why, const char *sentence) {
    json_auto_t *failure = NULL;
    _cleanup_free_ char *text = NULL;

    if (why != E_INVALID_BODY)
        return wait_on(w, w->now_us + AGAIN_S * US_PER_S);
    failure = json_pack("{s:s, s:s, s:s}", "code", "invalid-target", "detail", sentence, "hint",
                        "Correct the manifests, then deploy again.");
    text = json_text(failure);
    w->failure = text;
    return db_tx_run(w->st->in.pool, "deployment_end", DB_READ_COMMITTED, end_tx, w);
}

/* The gates are open: the cluster is looked at, and it begins, if they still are. */
static Status begin(struct waiting *w) {
    const struct start_plan in = {w->st->in.clusters, &w->basis, w->params, &w->arena};
    json_auto_t *plan = NULL, *steps = NULL;
    _cleanup_free_ char *plan_text = NULL, *steps_text = NULL;
    const char *why = "";
    Status s = start_plan(&in, &plan, &why);

    if (s)
        return not_planned(w, s, why);
    plan_text = json_text(plan);
    steps = start_steps(&w->basis, plan);
    steps_text = json_text(steps);
    w->plan = plan_text;
    w->steps = steps_text;
    crash_point(CRASH_BEFORE_START);
    s = db_tx_run(w->st->in.pool, "deployment_start", DB_READ_COMMITTED, start_tx, w);
    crash_point(CRASH_AFTER_START);
    if (s)
        return s; /* something changed meanwhile, which raised the version: looked at again */
    log_event(LOG_INFO, "transition", "deployment", w->id, "app", w->app, "environment",
              w->environment, "version", w->version_key, "to", "running", NULL);
    w->st->in.began(w->st->in.ctx, w->environment_id);
    return STATUS_OK;
}

/* Closed, or another deployment is active: until something changes, or its time comes. */
static Status look(struct waiting *w) {
    _cleanup_(gate_verdict_done) struct gate_verdict v = {0};
    const struct gate_ask ask = {
        .environment_id = w->environment_id, .version_key = w->version_key, .deployment_id = w->id};
    Status s =
        db_deployment_prepare(w->st->in.pool, w->app, w->environment, w->version_key, &w->rows);

    if (s || db_rows_count(w->rows) == 0)
        return s;
    w->basis = deployment_basis(w->rows);
    s = gates_look(w->st->in.pool, &ask, GATE_START, &v);
    if (s)
        return s;
    if (!v.open || w->basis.active_id)
        return wait_on(w, v.next_us);
    return begin(w);
}

static bool stopping(struct starter *st) {
    bool stopping;

    pthread_mutex_lock(&st->lock);
    stopping = st->stopping;
    pthread_mutex_unlock(&st->lock);
    return stopping;
}

static void start_waiting(struct starter *st) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;

    if (db_once(st->in.pool, SQL_GATE_WAITING, &rows, DB_PARAMS(DB_INT(AT_ONCE))))
        return;
    for (size_t i = 0; i < db_rows_count(rows) && !stopping(st); i++) {
        _cleanup_(waiting_done) struct waiting w = {
            .st = st,
            .id = db_text(rows, i, "id"),
            .app = db_text(rows, i, "app"),
            .environment = db_text(rows, i, "environment"),
            .version_key = db_text(rows, i, "version_key"),
            .environment_id = db_text(rows, i, "environment_id"),
            .gate_version = db_int(rows, i, "gate_version"),
            .now_us = db_time(rows, i, "now"),
            .params = db_json(rows, i, "params"),
        };
        Status s = w.environment_id
                       ? look(&w)
                       : db_tx_run(st->in.pool, "deployment_end", DB_READ_COMMITTED, end_tx, &w);

        if (s < STATUS_OK)
            log_event(LOG_WARNING, "blocked deployment not looked at", "deployment", w.id, "why",
                      db_fault_text(), NULL);
    }
}

/* ---- the thread ---- */

static void *starter_thread(void *arg) {
    struct starter *st = arg;

    pthread_mutex_lock(&st->lock);
    while (!st->stopping) {
        pthread_mutex_unlock(&st->lock);
        follow_flags(st);
        sweep(st);
        deployment_flags_sweep(st->in.pool, st->in.changed, st->in.ctx);
        flag_schedules_apply(st->in.pool, st->in.changed, st->in.ctx);
        start_waiting(st);
        pthread_mutex_lock(&st->lock);
        if (!st->stopping)
            clock_cond_wait(&st->tick, &st->lock,
                            clock_monotonic_us() + st->in.scan_ms * US_PER_MS);
    }
    pthread_mutex_unlock(&st->lock);
    return NULL;
}

struct starter *starter_new(const struct starter_settings *in) {
    struct starter *st = xcalloc(1, sizeof *st);

    st->in = *in;
    pthread_mutex_init(&st->lock, NULL);
    clock_cond_init(&st->tick);
    if (pthread_create(&st->thread, NULL, starter_thread, st))
        die("cannot start a thread");
    return st;
}

void starter_free(struct starter *st) {
    if (!st)
        return;
    pthread_mutex_lock(&st->lock);
    st->stopping = true;
    pthread_cond_signal(&st->tick);
    pthread_mutex_unlock(&st->lock);
    pthread_join(st->thread, NULL);
    pthread_cond_destroy(&st->tick);
    pthread_mutex_destroy(&st->lock);
    free(st);
}
