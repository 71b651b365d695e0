/* tests/simulate/rows.c: PostgreSQL: the statements of the runner and of the verbs, each as db/sql
 * has it, and what they may not do. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "db/flag.h"
#include "db/gate.h"
#include "db/record.h"
#include "tests/simulate/simulate.h"
#include "worker/deployment_flags.h"
#include "worker/gates.h"
#include "worker/transition.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPY(field, text) snprintf(field, sizeof field, "%s", text)
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

/* ---- deployments ---- */

void rows_begin(void) {
    world.cleanup.deployment = -1;
    world.epoch = 1;
    world.gate_open = world.gate_was = true;
}

void rows_end(void) {
    for (int i = 0; i < world.count; i++) {
        json_decref(world.d[i].plan);
        json_decref(world.d[i].failure);
        json_decref(world.d[i].steps);
        json_decref(world.d[i].intents);
    }
}

static bool is_active(const char *state) {
    return strcmp(state, "running") == 0 || strcmp(state, "paused") == 0 ||
           strcmp(state, "undoing") == 0 || strcmp(state, "stuck") == 0;
}

int rows_active(void) {
    for (int i = world.count; i-- > 0;)
        if (is_active(world.d[i].state))
            return i;
    return -1;
}

static bool cleanup_due(void) {
    return world.cleanup.deployment >= 0 && world.cleanup.due <= world.now && rows_active() < 0;
}

bool rows_work(void) {
    int active = rows_active();

    return active >= 0 ? strcmp(world.d[active].state, "running") == 0 ||
                             strcmp(world.d[active].state, "undoing") == 0
                       : cleanup_due();
}

bool rows_free(void) {
    return world.holder == 0 || world.until < world.now;
}

bool rows_held(const struct job *j) {
    return world.wrong == WRONG_NO_LEASE_CHECK ||
           (world.epoch == j->epoch &&
            (world.holder == j->holder || world.wrong == WRONG_NO_EPOCH));
}

int rows_find(const char *id) {
    for (int i = world.count; id && i-- > 0;)
        if (strcmp(world.d[i].id, id) == 0)
            return i;
    return -1;
}

struct sent *rows_sent(const char *op) {
    for (int i = world.sent_count; i-- > 0;)
        if (strcmp(world.sent[i].op, op) == 0)
            return &world.sent[i];
    return NULL;
}

/* I2, I7: one is active, and what has ended stays as it ended. */
void rows_state(int deployment, const char *to) {
    struct deployed *d = &world.d[deployment];
    const struct transition_row *rows;
    size_t n;

    if (strcmp(d->state, to) == 0)
        return;
    /* what had touched nothing is taken back in the commit that fails it */
    if (strcmp(d->state, "running") == 0 && strcmp(to, "failed") == 0)
        d->state = "undoing";
    rows = transitions(&n);
    for (size_t i = 0; i < n; i++)
        if (rows[i].from && strcmp(rows[i].from, d->state) == 0 && strcmp(rows[i].to, to) == 0) {
            TRACE("%s of %s: %s -> %s", d->kind, d->id, d->state, to);
            d->state = rows[i].to;
            return;
        }
    broke("I7: %s becomes %s after %s", d->id, to, d->state);
}

int rows_insert(const char *id, const char *kind, json_t *plan, json_t *steps, int of) {
    struct deployed *d = &world.d[world.count];
    const json_t *target = json_object_get(plan, "target"), *from = json_object_get(plan, "from");
    json_t *step;
    size_t i;

    HOLDS(rows_active() < 0, "I2: %s begins beside another", id);
    *d = (struct deployed){.state = "running",
                           .current_step = "",
                           .plan = plan,
                           .steps = steps,
                           .intents = json_array(),
                           .rollback_of = of,
                           .has_from = json_is_object(from)};
    COPY(d->id, id);
    d->kind = strcmp(kind, "deploy") == 0     ? "deploy"
              : strcmp(kind, "rollback") == 0 ? "rollback"
                                              : "traffic";
    d->version = (int)strtol(json_str(target, "version", "v0") + 1, NULL, 10);
    color_find(json_str(target, "color", ""), &d->target);
    d->from = color_other(d->target);
    json_array_foreach(steps, i, step) json_set_str(step, "state", "pending");
    TRACE("%s of %s begins: v%d on %s", d->kind, id, d->version, color_names[d->target]);
    return world.count++;
}

/* ---- the tick (migrations/0003) ---- */

static json_t *named(json_t *list, const char *key, const char *name) {
    json_t *one;
    size_t i;

    json_array_foreach(list, i, one) if (strcmp(json_str(one, key, ""), name) == 0) return one;
    return NULL;
}

static void store_steps(struct deployed *d, const json_t *changes) {
    json_t *change, *step;
    size_t i;

    json_array_foreach(json_object_get(changes, "steps"), i, change) {
        step = named(d->steps, "name", json_str(change, "name", ""));
        if (!step)
            continue;
        json_object_set(step, "state", json_object_get(change, "state"));
        TRACE("%s %s: %s", json_str(change, "name", ""), json_str(change, "state", ""),
              json_str(change, "detail", ""));
        if (!json_object_get(step, "started_us"))
            json_object_set_new(step, "started_us", json_integer(world.now));
    }
}

static void store_intents(int deployment, const json_t *changes) {
    struct deployed *d = &world.d[deployment];
    json_t *change, *intent;
    size_t i;

    json_array_foreach(json_object_get(changes, "results"), i, change) {
        struct sent *s = rows_sent(json_str(change, "op", ""));
        bool ends = strcmp(json_str(change, "result", ""), "void") == 0;

        if (!s || (!ends && json_object_get(s->row, "result")))
            continue;
        json_object_set(s->row, "result", json_object_get(change, "result"));
        json_object_set(s->row, "resource_version", json_object_get(change, "resource_version"));
    }
    json_array_foreach(json_object_get(changes, "intents"), i, change) {
        struct sent *s = &world.sent[world.sent_count++];

        if (world.sent_count == INTENTS)
            die("the simulated journal is full");
        intent = json_copy(change);
        *s = (struct sent){.deployment = deployment, .row = intent};
        COPY(s->op, json_str(intent, "op", ""));
        s->job = json_str(intent, "job", "");
        s->purpose = json_str(intent, "purpose", "");
        json_array_append_new(d->intents, intent);
    }
}

/* Law 3: every configured check has passed; law 5: what is recorded is what the cluster shows. */
static void check_end(struct deployed *d) {
    const struct object *service = &world.object[SERVICE];
    Color serves = strcmp(d->state, "succeeded") == 0 ? d->target : d->from;
    const struct object *w = &world.object[WORKLOAD + serves];
    const struct plan *p = &world.running->job->plan;

    HOLDS(service->selector == serves, "law 5: %s of %s ended as %s, and %s serves", d->kind, d->id,
          d->state, color_names[service->selector]);
    HOLDS(w->replicas > 0, "law 6: what serves after %s has no replicas", d->id);
    if (strcmp(d->state, "succeeded") != 0)
        return;
    HOLDS(w->version == d->version, "law 5: %s of %s ended, and v%d serves, not v%d", d->kind,
          d->id, w->version, d->version);
    for (int set = CHECKS_HEALTH; set <= CHECKS_PRODUCTION && strcmp(d->kind, "deploy") == 0; set++)
        HOLDS(d->passed & 1 << set || json_array_size(plan_checks(p, (CheckSet)set)) == 0,
              "law 3: %s succeeded though checks %d never passed", d->id, set);
}

static void store_confirmation(struct deployed *d) {
    const struct object *service = &world.object[SERVICE];
    bool backward = d->undoing || strcmp(d->kind, "rollback") == 0;

    if (!backward)
        return;
    HOLDS(service->selector == (d->undoing ? d->from : d->target) || !d->has_from,
          "law 5: %s of %s is confirmed, and %s serves", d->kind, d->id,
          color_names[service->selector]);
    TRACE("confirmed: %s", d->id);
    if (d->undoing)
        d->taken_back = true;
    else
        for (int i = 0; i < (int)(d - world.d); i++)
            world.d[i].taken_back = true;
}

static void store_cleanup(int deployment, const json_t *changes) {
    const json_t *cleanup = json_object_get(changes, "cleanup");
    const char *any = json_str(changes, "cleanup_any", NULL);

    if (any && world.cleanup.deployment >= 0 && strcmp(any, color_names[world.cleanup.color]) == 0)
        *world.cleanup.hash = '\0';
    if (json_object_get(changes, "cleaned") || cleanup)
        world.cleanup.deployment = -1;
    if (!json_is_object(cleanup))
        return;
    world.cleanup.deployment = deployment;
    color_find(json_str(cleanup, "color", ""), &world.cleanup.color);
    COPY(world.cleanup.uid, json_str(cleanup, "uid", ""));
    COPY(world.cleanup.hash, json_str(cleanup, "template_hash", ""));
    world.cleanup.due = world.now + json_int(cleanup, "after_s", 0) * US_PER_S;
}

static void store_row(int deployment, const json_t *changes) {
    struct deployed *d = &world.d[deployment];
    const char *step = json_str(changes, "current_step", NULL);
    json_t *resolved = json_object_get(changes, "resolved"),
           *failure = json_object_get(changes, "failure");

    if (resolved) {
        json_t *plan = json_copy(d->plan);

        json_object_set(plan, "resolved", resolved);
        json_decref(d->plan);
        d->plan = plan;
    }
    if (failure) {
        json_decref(d->failure);
        d->failure = json_incref(failure);
        TRACE("%s: %s", json_str(failure, "code", ""), json_str(failure, "detail", ""));
    }
    for (int i = 0; step && i < (int)json_array_size(d->steps); i++) {
        const char *name = json_str(json_array_get(d->steps, (size_t)i), "name", "");

        if (strcmp(name, step) == 0)
            d->current_step = name;
    }
    if (json_object_get(changes, "confirmed")) {
        d->confirmed = true;
        store_confirmation(d);
    }
    if (json_str(changes, "state", NULL))
        rows_state(deployment, json_str(changes, "state", NULL));
    if (strcmp(json_str(changes, "job", ""), "undo") == 0)
        d->undoing = true;
}

static bool gates_allow(bool committing) {
    if (!world.gated)
        return true;
    return committing && world.wrong == WRONG_GATE_SKEW ? world.gate_was : world.gate_open;
}

static bool tick_commit(const struct job *j, bool *ret_held) {
    const json_t *changes = j->changes;
    int deployment = rows_find(j->deployment_id);
    struct deployed *d = &world.d[deployment];

    *ret_held = rows_held(j) && !(json_object_get(changes, "idle") && rows_active() >= 0);
    if (!*ret_held)
        return !json_object_get(changes, "cutover") && !json_object_get(changes, "end");
    if (json_object_get(changes, "cutover")) {
        HOLDS(gates_allow(false) || strcmp(d->kind, "deploy") != 0,
              "law 4: the cut-over of %s is committed with its gates closed", d->id);
        d->cut = true;
        TRACE("cut-over of %s", d->id);
    }
    if (json_object_get(changes, "end"))
        world.cutover++;
    if (json_object_get(changes, "intents") && world.wrong == WRONG_NOT_JOURNALLED && roll(64) == 0)
        return true;
    store_intents(deployment, changes);
    store_steps(d, changes);
    store_row(deployment, changes);
    store_cleanup(deployment, changes);
    if (json_object_get(changes, "end")) {
        check_end(d);
        d->closed = true;
        for (int i = 0; strcmp(d->kind, "rollback") == 0 && i < deployment; i++)
            world.d[i].closed = true;
    }
    if (json_object_get(changes, "epoch") && json_int(changes, "epoch", 0) > world.epoch)
        world.epoch = json_int(changes, "epoch", 0);
    if (json_object_get(changes, "end") || json_object_get(changes, "release"))
        world.holder = 0;
    return true;
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
    put_number(r, "confirmed_at", d->confirmed ? world.now : 0);
    put_text(r, "cluster", "local");
    put_json(r, "cluster_spec", json_object());
    put_number(r, "cluster_revision", 1);
    put_json(r, "steps", json_incref(d->steps));
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
    json_t *step = params[3] ? named(d->steps, "name", params[3]) : NULL, *cause;

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

static Status run(enum db_statement s, struct db_rows **ret, const char *const *params) {
    struct db_rows *mine = NULL, **out = ret ? ret : &mine;
    const struct job *j = world.running ? world.running->job : NULL;
    int of = rows_find(params[0]);
    bool held;
    struct db_rows *r;

    *out = NULL;
    switch ((unsigned)s) {
    case SQL_LEASE_CLAIM:
        claim_row(strtoll(params[1], NULL, 10), out);
        break;
    case SQL_LEASE_CHECK:
        put_number(row(out), "held", rows_held(j) && (world.wrong || world.until > world.now));
        break;
    case SQL_LEASE_RELEASE:
        if (strtoll(params[1], NULL, 10) == world.epoch)
            world.holder = 0;
        break;
    case SQL_TICK_LOAD:
        load_row(out);
        break;
    case SQL_TICK_COMMIT:
        if (!tick_commit(j, &held))
            return FAULT_DB_DOWN;
        put_number(row(out), "held", held);
        break;
    case SQL_TICK_OP_KNOWN:
        put_number(row(out), "known", rows_sent(params[0]) != NULL);
        break;
    case SQL_TICK_VERB_FIND:
    case SQL_TICK_ROLLBACK_BEGIN:
        world.cutover += s == SQL_TICK_ROLLBACK_BEGIN;
        put_text(row(out), "environment_id", "environment");
        break;
    case SQL_TICK_VERB_STATE:
        r = row(out);
        put_text(r, "state", world.d[of].state);
        put_text(r, "kind", world.d[of].kind);
        put_text(r, "job", world.d[of].undoing ? "undo" : "deploy");
        put_text(r, "app", "app");
        put_text(r, "environment", "production");
        put_text(r, "environment_id", "environment");
        put_text(r, "current_step", world.d[of].current_step);
        put_number(r, "pause_requested", world.d[of].pause_requested);
        break;
    case SQL_TICK_VERB_STATE_SET:
        state_set(of, params);
        break;
    case SQL_TICK_ABORT_BEGIN:
        abort_begin(of, params[1]);
        break;
    case SQL_TICK_PAUSE_REQUEST:
        world.d[of].pause_requested = true;
        break;
    case SQL_TICK_FENCE:
        fence();
        break;
    case SQL_TICK_LOCK_LEASE:
        break;
    case SQL_TICK_LAST_ACTIVE:
        last_row(out);
        break;
    case SQL_TICK_ROLLBACK_BASIS:
        basis_row(params[1], params[2], out);
        break;
    case SQL_TICK_TAKE_OVER:
        if (strcmp(params[2], "true") == 0) {
            stop_steps(&world.d[of], "running waiting", "failed");
            rows_state(of, "rolled_back");
        }
        break;
    case SQL_TICK_BEGIN:
        begin_row(params);
        break;
    default:
        die("the simulated database does not know statement %u", (unsigned)s);
    }
    db_rows_free(mine);
    return STATUS_OK;
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
    *ret = (struct gate_verdict){.open = gates_allow(when == GATE_CUTOVER),
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
