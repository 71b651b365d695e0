/* tests/simulate/rows.c: what PostgreSQL holds: deployments, intents, the lease; the tick
 * (migrations/0003), and what may never be stored. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/simulate/simulate.h"
#include "worker/transition.h"
#include <stdio.h>
#include <string.h>

#define COPY(field, text) snprintf(field, sizeof field, "%s", text)

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

json_t *rows_step(const struct deployed *d, const char *name) {
    json_t *one;
    size_t i;

    json_array_foreach(d->steps, i,
                       one) if (strcmp(json_str(one, "name", ""), name) == 0) return one;
    return NULL;
}

static void store_steps(struct deployed *d, const json_t *changes) {
    json_t *change, *step;
    size_t i;

    json_array_foreach(json_object_get(changes, "steps"), i, change) {
        step = rows_step(d, json_str(change, "name", ""));
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

bool rows_gates_allow(bool committing) {
    if (!world.gated)
        return true;
    return committing && world.wrong == WRONG_GATE_SKEW ? world.gate_was : world.gate_open;
}

bool rows_commit(const struct job *j, bool *ret_held) {
    const json_t *changes = j->changes;
    int deployment = rows_find(j->deployment_id);
    struct deployed *d = &world.d[deployment];

    *ret_held = rows_held(j) && !(json_object_get(changes, "idle") && rows_active() >= 0);
    if (!*ret_held)
        return !json_object_get(changes, "cutover") && !json_object_get(changes, "end");
    if (json_object_get(changes, "cutover")) {
        HOLDS(rows_gates_allow(false) || strcmp(d->kind, "deploy") != 0,
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
