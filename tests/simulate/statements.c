/* tests/simulate/statements.c: the statements of the runner and of the verbs, each as db/sql has
 * it, and what is behind libpq: rows, transactions, gates, flags. */
#include "base/clock.h"
#include "db/flag.h"
#include "db/gate.h"
#include "db/record.h"
#include "tests/simulate/simulate.h"
#include "worker/deployment_flags.h"
#include "worker/gates.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 20, LEASE_S = 10 };

/* ---- answers ---- */

struct cell {
    const char *column, *text;
    int64_t number;
    json_t *json;
};
struct db_rows {
    size_t count, cells;
    struct cell cell[CELLS];
};

static struct db_rows *row(struct db_rows **ret) {
    struct db_rows *r = xcalloc(1, sizeof *r);

    r->count = 1;
    *ret = r;
    return r;
}

static void put_text(struct db_rows *r, const char *column, const char *text) {
    r->cell[r->cells++] = (struct cell){.column = column, .text = text};
}

static void put_number(struct db_rows *r, const char *column, int64_t number) {
    r->cell[r->cells++] = (struct cell){.column = column, .text = "", .number = number};
}

static void put_json(struct db_rows *r, const char *column, json_t *json) {
    r->cell[r->cells++] = (struct cell){.column = column, .json = json};
}

static const struct cell *cell_of(const struct db_rows *r, const char *column) {
    for (size_t i = 0; i < r->cells; i++)
        if (strcmp(r->cell[i].column, column) == 0)
            return &r->cell[i];
    die("the simulated database has no column %s", column);
}

size_t db_rows_count(const struct db_rows *r) {
    return r ? r->count : 0;
}

const char *db_text(const struct db_rows *r, size_t i, const char *column) {
    (void)i;
    return cell_of(r, column)->text;
}

int64_t db_int(const struct db_rows *r, size_t i, const char *column) {
    (void)i;
    return cell_of(r, column)->number;
}

bool db_bool(const struct db_rows *r, size_t i, const char *column) {
    (void)i;
    return cell_of(r, column)->number != 0;
}

int64_t db_time(const struct db_rows *r, size_t i, const char *column) {
    return db_int(r, i, column);
}

json_t *db_json(const struct db_rows *r, size_t i, const char *column) {
    (void)i;
    return json_incref(cell_of(r, column)->json);
}

void db_rows_free(struct db_rows *r) {
    for (size_t i = 0; r && i < r->cells; i++)
        json_decref(r->cell[i].json);
    free(r);
}

char *db_number(int64_t n, char text[DB_NUMBER]) {
    snprintf(text, DB_NUMBER, "%lld", (long long)n);
    return text;
}

static json_t *steps_aged(const json_t *steps) {
    json_t *aged = json_deep_copy(steps), *step;
    size_t i;

    json_array_foreach(aged, i, step) {
        int64_t at = json_int(step, "started_us", 0);

        json_object_set_new(step, "age_us", json_integer(at ? world.now - at : -1));
    }
    return aged;
}

/* ---- statements ---- */

static void load_row(struct db_rows **ret) {
    int active = rows_active(), of = active >= 0 ? active : world.cleanup.deployment;
    struct db_rows *r;
    struct deployed *d;
    json_t *plan;

    if (!rows_work())
        return;
    d = &world.d[of];
    plan = json_copy(d->plan);
    if (active < 0)
        json_object_set_new(plan, "cleanup",
                            json_pack("{s:s, s:s, s:s, s:s}", "color",
                                      color_names[world.cleanup.color], "workload",
                                      color_names[world.cleanup.color], "uid", world.cleanup.uid,
                                      "template_hash", world.cleanup.hash));
    r = row(ret);
    put_text(r, "id", d->id);
    put_text(r, "trace", NULL);
    put_text(r, "app", "app");
    put_text(r, "environment", "production");
    put_text(r, "version", json_str(json_object_get(plan, "target"), "version", ""));
    put_text(r, "strategy", "blue-green");
    put_text(r, "kind", active < 0 ? "clean-up" : d->kind);
    put_text(r, "state", d->state);
    put_text(r, "job", d->undoing && active >= 0 ? "undo" : "deploy");
    put_json(r, "plan", plan);
    put_json(r, "failure", json_incref(d->failure));
    put_number(r, "pause_requested", d->pause_requested);
    put_number(r, "confirmed_age_us", d->confirmed ? 0 : -1);
    put_text(r, "cluster", "local");
    put_json(r, "cluster_spec", json_object());
    put_number(r, "cluster_revision", 1);
    put_json(r, "steps", steps_aged(d->steps));
    put_json(r, "intents", json_incref(d->intents));
    put_json(r, "left_behind", NULL);
}

static void fence(void) {
    if (world.wrong != WRONG_NO_EPOCH)
        world.epoch++;
    world.holder = 0;
}

static void claim_row(int64_t holder, struct db_rows **ret) {
    if (world.holder != holder && !rows_free())
        return;
    world.epoch +=
        world.wrong != WRONG_NO_EPOCH || rows_active() < 0 ||
        !(world.d[rows_active()].undoing || strcmp(world.d[rows_active()].kind, "rollback") == 0);
    world.holder = holder;
    world.until = world.now + LEASE_S * US_PER_S;
    put_number(row(ret), "epoch", world.epoch);
}

static void void_intents(struct deployed *d, bool refused_only) {
    json_t *intent;
    size_t i;

    json_array_foreach(d->intents, i, intent) {
        bool refused = strcmp(json_str(intent, "result", ""), "refused") == 0;

        if (refused_only ? refused : strcmp(json_str(intent, "job", ""), "undo") == 0)
            json_object_set_new(intent, "result", json_string("void"));
    }
}

static void stop_steps(struct deployed *d, const char *was, const char *state) {
    json_t *step;
    size_t i;

    json_array_foreach(d->steps, i, step) {
        const char *now = json_str(step, "state", "");

        if (!*now || !strstr(was, now))
            continue;
        json_set_str(step, "state", state);
        if (strcmp(state, "pending") == 0)
            json_object_del(step, "started_us");
    }
}

static void abort_begin(int i, const char *failure) {
    struct deployed *d = &world.d[i];

    fence();
    stop_steps(d, "running waiting", "failed");
    void_intents(d, false);
    rows_state(i, "undoing");
    d->undoing = true;
    d->confirmed = false;
    json_decref(d->failure);
    d->failure = json_parse(failure);
    if (world.wrong == WRONG_ABORT_DB)
        d->taken_back = true;
}

static void state_set(int i, const char *const *params) {
    struct deployed *d = &world.d[i];
    const char *to = params[1];
    bool goes_on = strcmp(to, "running") == 0 || strcmp(to, "undoing") == 0;
    json_t *step = params[3] ? rows_step(d, params[3]) : NULL, *cause;

    if (step)
        json_set_str(step, "state", "done");
    if (goes_on)
        void_intents(d, true);
    if (strcmp(to, "running") == 0)
        stop_steps(d, "failed", "pending");
    d->pause_requested = strcmp(params[2], "true") == 0;
    cause = params[5]                    ? json_parse(params[5])
            : strcmp(to, "undoing") == 0 ? json_incref(json_object_get(d->failure, "cause"))
                                         : NULL;
    if (strcmp(to, "failed") != 0 || params[5]) {
        json_decref(d->failure);
        d->failure = cause;
    }
    rows_state(i, to);
}

static bool touched(const struct deployed *d, const char *a, const char *b) {
    json_t *intent;
    size_t i;

    json_array_foreach(d->intents, i, intent) {
        const char *purpose = json_str(intent, "purpose", "");

        if (strcmp(purpose, a) == 0 || strcmp(purpose, b) == 0)
            return true;
    }
    return false;
}

static bool wrote(const struct deployed *d) {
    json_t *intent;
    size_t i;

    json_array_foreach(d->intents, i, intent) if (strcmp(json_str(intent, "job", ""), "clean-up") !=
                                                  0) return true;
    return false;
}

/* What served before "what put the serving version there" (finding 2). */
static int put_by(void) {
    for (int i = world.count; i-- > 0;)
        if (strcmp(world.d[i].state, "succeeded") == 0)
            return i;
    return world.count - 1;
}

static void last_row(struct db_rows **ret) {
    struct deployed *d;
    struct db_rows *r;

    if (world.count == 0)
        return;
    d = &world.d[world.wrong == WRONG_PUT_BY && rows_active() < 0 ? put_by() : world.count - 1];
    r = row(ret);
    put_text(r, "id", d->id);
    put_text(r, "kind", d->kind);
    put_text(r, "state", d->state);
    put_text(r, "version", json_str(json_object_get(d->plan, "target"), "version", ""));
    put_json(r, "plan", json_incref(d->plan));
    put_text(r, "rollback_of", d->rollback_of >= 0 ? world.d[d->rollback_of].id : NULL);
    put_number(r, "switched",
               touched(d, "switch", "switch-back") &&
                   !touched(d, "restore-service", "restore-service"));
    put_number(r, "wrote", wrote(d));
    put_number(r, "history_lost", false);
}

static bool leaves(const struct deployed *d, const char *version) {
    return strcmp(json_str(json_object_get(d->plan, "from"), "version", ""), version) == 0 &&
           json_at(d->plan, "resolved", "from", "template", NULL);
}

static void basis_row(const char *id, const char *version, struct db_rows **ret) {
    struct db_rows *r;

    for (int i = world.count; i-- > 0;) {
        struct deployed *d = &world.d[i];
        bool overtaken = false;

        if ((id && strcmp(d->id, id) != 0) || (version && !leaves(d, version)))
            continue;
        for (int k = i + 1; k < world.count; k++)
            overtaken =
                overtaken || (strcmp(world.d[k].state, "succeeded") == 0 &&
                              (world.d[k].target != d->target || world.d[k].version != d->version));
        r = row(ret);
        put_text(r, "id", d->id);
        put_text(r, "state", d->state);
        put_json(r, "plan", json_incref(d->plan));
        put_number(r, "overtaken", overtaken);
        return;
    }
}

static void begin_row(const char *const *params) {
    json_t *plan = json_parse(params[6]), *target = json_object_get(plan, "target");

    if (world.wrong == WRONG_NO_TEMPLATE)
        json_object_del(target, "template");
    rows_insert(params[0], params[2], plan, json_parse(params[8]), rows_find(params[7]));
}

static void state_row(int i, struct db_rows **ret) {
    const struct deployed *d = &world.d[i];
    struct db_rows *r = row(ret);

    put_text(r, "state", d->state);
    put_text(r, "kind", d->kind);
    put_text(r, "job", d->undoing ? "undo" : "deploy");
    put_text(r, "app", "app");
    put_text(r, "environment", "production");
    put_text(r, "environment_id", "environment");
    put_text(r, "current_step", d->current_step);
    put_number(r, "pause_requested", d->pause_requested);
}

static void take_over(int i) {
    stop_steps(&world.d[i], "running waiting", "failed");
    rows_state(i, "rolled_back");
}

/* The runner's.  false: none of them. */
static bool run_job_statement(enum db_statement s, struct db_rows **out, const char *const *params,
                              Status *ret) {
    const struct job *j = world.running ? world.running->job : NULL;
    bool held;

    switch ((unsigned)s) {
    case SQL_LEASE_CLAIM:
        claim_row(strtoll(params[1], NULL, 10), out);
        return true;
    case SQL_LEASE_CHECK:
        put_number(row(out), "held", rows_held(j) && (world.wrong || world.until > world.now));
        return true;
    case SQL_LEASE_RELEASE:
        if (strtoll(params[1], NULL, 10) == world.epoch)
            world.holder = 0;
        return true;
    case SQL_TICK_LOAD:
        load_row(out);
        return true;
    case SQL_TICK_COMMIT:
        if (rows_commit(j, &held))
            put_number(row(out), "held", held);
        else
            *ret = FAULT_DB_DOWN;
        return true;
    case SQL_TICK_OP_KNOWN:
        put_number(row(out), "known", rows_sent(params[0]) != NULL);
        return true;
    default:
        return false;
    }
}

/* The verbs'.  false: none of them. */
static bool run_verb_statement(enum db_statement s, struct db_rows **out,
                               const char *const *params) {
    int of = rows_find(params[0]);

    switch ((unsigned)s) {
    case SQL_TICK_VERB_FIND:
    case SQL_TICK_ROLLBACK_BEGIN:
        world.cutover += s == SQL_TICK_ROLLBACK_BEGIN;
        put_text(row(out), "environment_id", "environment");
        return true;
    case SQL_TICK_VERB_STATE:
        state_row(of, out);
        return true;
    case SQL_TICK_VERB_STATE_SET:
        state_set(of, params);
        return true;
    case SQL_TICK_ABORT_BEGIN:
        abort_begin(of, params[1]);
        return true;
    case SQL_TICK_PAUSE_REQUEST:
        world.d[of].pause_requested = true;
        return true;
    case SQL_TICK_FENCE:
        fence();
        return true;
    case SQL_TICK_LOCK_LEASE:
        return true;
    case SQL_TICK_LAST_ACTIVE:
        last_row(out);
        return true;
    case SQL_TICK_ROLLBACK_BASIS:
        basis_row(params[1], params[2], out);
        return true;
    case SQL_TICK_TAKE_OVER:
        if (strcmp(params[2], "true") == 0)
            take_over(of);
        return true;
    case SQL_TICK_BEGIN:
        begin_row(params);
        return true;
    default:
        return false;
    }
}

static Status run(enum db_statement s, struct db_rows **ret, const char *const *params) {
    struct db_rows *mine = NULL, **out = ret ? ret : &mine;
    Status status = STATUS_OK;

    *out = NULL;
    if (!run_job_statement(s, out, params, &status) && !run_verb_statement(s, out, params))
        die("the simulated database does not know statement %u", (unsigned)s);
    db_rows_free(mine);
    return status;
}

Status db_query(struct db_tx *tx, enum db_statement s, struct db_rows **ret,
                const char *const *params, size_t n) {
    (void)tx, (void)n;
    return run(s, ret, params);
}

/* A commit whose answer is lost is a fault too. */
Status db_once(struct db_pool *p, enum db_statement s, struct db_rows **ret,
               const char *const *params, size_t n) {
    bool fails = chance((unsigned)world.faults / 4);
    Status status = STATUS_OK;

    (void)p, (void)n;
    if (ret)
        *ret = NULL;
    if (!elsewhere() || (fails && roll(2)))
        return FAULT_DB_DOWN;
    status = run(s, ret, params);
    if (fails || !elsewhere()) {
        if (ret) {
            db_rows_free(*ret);
            *ret = NULL;
        }
        return FAULT_DB_DOWN;
    }
    return status;
}

Status db_tx_run(struct db_pool *p, const char *name, DbIsolation isolation, db_tx_fn *fn,
                 void *ctx) {
    bool fails = chance((unsigned)world.faults / 4);
    Status s;

    (void)p, (void)name, (void)isolation;
    if (!elsewhere() || (fails && roll(2)))
        return FAULT_DB_DOWN;
    s = fn(NULL, ctx);
    return fails || !elsewhere() ? FAULT_DB_DOWN : s;
}

const char *db_fault_text(void) {
    return "";
}

Status record_append(struct db_tx *tx, const struct record_entry *e) {
    (void)tx, (void)e;
    return STATUS_OK;
}

/* ---- gates ---- */

Status db_gate_lock(struct db_tx *tx, const char *environment_id, const char *app,
                    const char *environment, struct db_rows **ret) {
    (void)tx, (void)environment_id, (void)app, (void)environment;
    *ret = NULL;
    return STATUS_OK;
}

Status db_gate_hold_flags(struct db_tx *tx, const char *environment_id) {
    (void)tx, (void)environment_id;
    return STATUS_OK;
}

Status gates_look_in(struct db_tx *tx, const struct gate_ask *in, GateWhen when,
                     struct gate_verdict *ret) {
    (void)tx, (void)in;
    *ret = (struct gate_verdict){.open = rows_gates_allow(when == GATE_CUTOVER),
                                 .frozen_only = world.gate_frozen};
    return STATUS_OK;
}

Status gates_look(struct db_pool *p, const struct gate_ask *in, GateWhen when,
                  struct gate_verdict *ret) {
    (void)p;
    return elsewhere() ? gates_look_in(NULL, in, when, ret) : FAULT_DB_DOWN;
}

/* ---- flags: there are none ---- */

bool deployment_flags_change(const struct job *j) {
    (void)j;
    return false;
}

Status deployment_flags_commit(struct db_pool *p, const struct job *j, const char *changes,
                               struct db_rows **ret_rows) {
    (void)p, (void)j, (void)changes, (void)ret_rows;
    return FAULT_BUG;
}

void deployment_flags_look(struct db_pool *p, const struct job *j, const char *at,
                           struct seen_flags *ret) {
    (void)p, (void)j, (void)at, (void)ret;
}

Status deployment_flags_take_back(struct db_tx *tx, const char *environment_id, const char *since,
                                  const char *version, struct actor by) {
    (void)tx, (void)environment_id, (void)since, (void)version, (void)by;
    return STATUS_OK;
}

char *flag_topic(const char *app, const char *environment, char text[FLAG_TOPIC]) {
    (void)app, (void)environment;
    return text;
}
