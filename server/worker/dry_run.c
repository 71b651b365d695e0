#include "worker/dry_run.h"
#include "base/clock.h"
#include "rollout/blue_green.h"
#include "worker/objects.h"
#include "worker/observe.h"
#include "worker/write.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TRIES = 3 };

/* The steps that write: at the start, and at the switch.  What comes between only waits. */
static const char *const writing_steps[] = {"resolve", "apply", "switch-traffic"};

struct trial {
    const struct dry_run_request *in;
    struct dry_run *ret;
    struct job job;
    struct seen seen;
};

/* Notes what it would fail with; STATUS_OK: that is an answer, too. */
PRINTF(4, 5)
static Status fails(struct dry_run *ret, const char *code, const char *hint, const char *format,
                    ...) {
    va_list args;

    va_start(args, format);
    vsnprintf(ret->detail, sizeof ret->detail, format, args);
    va_end(args);
    ret->code = code;
    ret->hint = hint;
    return STATUS_OK;
}

static Status unavailable(struct dry_run *ret, const char *why) {
    snprintf(ret->detail, sizeof ret->detail, "%.500s", why);
    return E_CLUSTER_UNAVAILABLE;
}

/* ---- what is shown of an object ---- */

static void drop_empty(json_t *parent, const char *key) {
    if (json_object_size(json_object_get(parent, key)) == 0)
        json_object_del(parent, key);
}

/* Without what the API server or Sluice keeps for itself; new.  NULL for NULL. */
static json_t *shown(const json_t *object) {
    static const char *const metadata_keys[] = {"managedFields", "uid",      "resourceVersion",
                                                "generation",    "selfLink", "creationTimestamp"};
    static const char *const annotation_keys[] = {
        "sluice.dev/epoch", "sluice.dev/op", "kubectl.kubernetes.io/last-applied-configuration"};
    json_t *copy = json_deep_copy(object), *metadata = json_object_get(copy, "metadata");
    json_t *annotations = json_object_get(metadata, "annotations");

    json_object_del(copy, "status");
    for (size_t i = 0; i < sizeof metadata_keys / sizeof *metadata_keys; i++)
        json_object_del(metadata, metadata_keys[i]);
    for (size_t i = 0; i < sizeof annotation_keys / sizeof *annotation_keys; i++)
        json_object_del(annotations, annotation_keys[i]);
    drop_empty(metadata, "annotations");
    drop_empty(metadata, "labels");
    return copy;
}

/* A seizure shows only where nothing else is written to the object: any write of ours seizes too.
 */
static void drop_seizure(json_t *changes, const struct intent *intent) {
    json_t *row;
    size_t i;

    json_array_foreach(changes, i, row) if (strcmp(json_str(row, "kind", ""), intent->kind) == 0 &&
                                            strcmp(json_str(row, "name", ""), intent->name) == 0) {
        json_array_remove(changes, i);
        return;
    }
}

static void note_change(struct trial *t, const struct intent *intent, const json_t *before,
                        const json_t *after) {
    json_auto_t *was = before ? shown(before) : json_null(), *is = shown(after);
    const char *verb = json_str(intent->write, "verb", "");

    if (json_equal(was, is))
        return;
    drop_seizure(t->ret->changes, intent);
    json_array_append_new(t->ret->changes, json_pack("{s:s, s:s, s:s, s:O, s:O}", "verb",
                                                     !before                          ? "create"
                                                     : strcmp(verb, WRITE_APPLY) == 0 ? "apply"
                                                                                      : "patch",
                                                     "kind", intent->kind, "name", intent->name,
                                                     "before", was, "after", is));
}

/* ---- one write ---- */

/* As if it had been made: all its pods ready, and at least as many as the switch waits for. */
static void pretend_ready(struct trial *t, const json_t *workload) {
    const struct plan *p = &t->job.plan;
    struct seen_workload *w = &t->seen.workload[p->target];
    int floor = blue_green_floor(p, &t->seen);

    w->exists = true;
    w->replicas = (int)json_int(json_object_get(workload, "spec"), "replicas", 1);
    w->pods = w->replicas > floor ? w->replicas : floor; /* an autoscaler's count follows */
    w->status_replicas = w->updated = w->available = w->pods_ready = w->pods;
    snprintf(w->image, sizeof w->image, "%s", p->image);
    snprintf(w->version, sizeof w->version, "%s", p->version);
}

static Status read_object(struct trial *t, const struct intent *intent, struct kube_result *got) {
    kube_get(t->in->cluster, write_kind(intent), t->job.plan.namespace_, intent->name, got);
    if (got->outcome == KUBE_DONE || got->outcome == KUBE_NOT_FOUND)
        return STATUS_OK;
    if (got->outcome != KUBE_REFUSED)
        return unavailable(t->ret, got->message);
    return fails(t->ret, "cluster-unavailable", "Check the permissions of Sluice's account.",
                 "%s %s may not be read: %.400s", intent->kind, intent->name, got->message);
}

/* Why the write may not be sent at all, if it may not. */
static Status check_object(struct trial *t, const struct intent *intent, const json_t *object) {
    Status s = STATUS_OK;

    if (!object && strcmp(json_str(intent->write, "verb", ""), WRITE_APPLY) != 0)
        return fails(t->ret, "third-party-change",
                     "Somebody deleted it: create it again, then deploy.", "%s %s is gone",
                     intent->kind, intent->name);
    if (object &&
        !write_history_known(t->in->pool, &t->job, kube_annotation(object, "sluice.dev/op"),
                             object_epoch(object), &s) &&
        s == STATUS_OK)
        return fails(t->ret, "history-lost",
                     "Another Sluice, or a database restored from before: make sure that only one "
                     "acts, deploy, and abort what is stuck then.",
                     "%s %s carries a write that this database does not know", intent->kind,
                     intent->name);
    return s;
}

/* true: it changed meanwhile, look again. */
static bool try_once(struct trial *t, struct intent *intent, Status *ret) {
    _cleanup_(kube_result_done) struct kube_result got = {0}, put = {0};

    *ret = read_object(t, intent, &got);
    if (*ret == STATUS_OK && !t->ret->code)
        *ret = check_object(t, intent, got.object);
    if (*ret != STATUS_OK || t->ret->code)
        return false;
    write_send(&t->job, intent, got.object, true, &put);
    if (put.outcome == KUBE_CONFLICT || put.outcome == KUBE_NOT_FOUND)
        return true;
    if (put.outcome == KUBE_REFUSED) {
        *ret = fails(t->ret, strstr(put.message, "quota") ? "quota" : "invalid-target",
                     "Correct what the API server names, then deploy.",
                     "%s %s would be refused: %.400s", intent->kind, intent->name, put.message);
    } else if (put.outcome != KUBE_DONE) {
        *ret = unavailable(t->ret, put.message);
    } else {
        note_change(t, intent, got.object, put.object);
        if (strcmp(intent->purpose, "apply-workload") == 0)
            pretend_ready(t, put.object);
    }
    return false;
}

static Status try_write(struct trial *t, struct decision *d) {
    struct intent *intent;
    Status s = STATUS_OK;
    int tries = 0;

    change_intent(&t->job, d->purpose, d->object_kind, d->object_name, TAKE_PTR(d->write));
    intent = &t->job.journal.intents[t->job.journal.count - 1];
    while (tries++ < TRIES && try_once(t, intent, &s))
        ;
    if (tries > TRIES)
        return unavailable(t->ret, "An object keeps changing.");
    change_result(&t->job, intent, INTENT_DONE, "");
    return s;
}

/* ---- the steps ---- */

static bool writes(const struct step_row *row) {
    for (size_t i = 0; i < sizeof writing_steps / sizeof *writing_steps; i++)
        if (strcmp(row->name, writing_steps[i]) == 0)
            return true;
    return false;
}

/* Asks the step and tries what it wants written, until it wants nothing more. */
static Status try_step(struct trial *t) {
    const struct step_ask ask = {&t->job.plan, &t->job.journal, &t->seen, t->seen.now_us};
    Status s = STATUS_OK;

    for (;;) {
        struct decision d = {0};

        job_row(&t->job)->decide(&ask, &d);
        if (d.kind == DECIDE_DONE && d.resolved)
            change_resolved(&t->job, d.resolved);
        if (d.kind == DECIDE_FAILED)
            return fails(t->ret, d.code, d.hint, "%s", d.detail);
        if (d.kind == DECIDE_WAIT) /* for what cannot be pretended: it may not come to this */
            return fails(t->ret, "deadline", "Look at what it waits for.", "%s", d.detail);
        if (d.kind != DECIDE_WRITE)
            return STATUS_OK;
        s = try_write(t, &d);
        if (s != STATUS_OK || t->ret->code)
            return s;
    }
}

/* The epoch that its worker would have. */
static Status next_epoch(const struct dry_run_request *in, int64_t *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_once(in->pool, SQL_LEASE_NEXT, &rows, DB_PARAMS(in->environment_id));

    if (s == STATUS_OK)
        *ret = db_int(rows, 0, "epoch");
    return s;
}

static Status try_steps(struct trial *t) {
    struct job *j = &t->job;
    Status s = next_epoch(t->in, &j->epoch);

    if (s != STATUS_OK)
        return s;
    if (!plan_read(j->plan_json, &j->plan))
        return FAULT_BUG;
    observe_now(t->in->cluster, j->plan.spec, &t->seen);
    if (!t->seen.reachable)
        return unavailable(t->ret, t->seen.error);
    for (j->at = 0; s == STATUS_OK && !t->ret->code && j->at < j->row_count; j->at++)
        if (writes(job_row(j)))
            s = try_step(t);
    return s;
}

Status dry_run_deployment(const struct dry_run_request *in, struct dry_run *ret) {
    struct trial t = {.in = in, .ret = ret};
    Status s;

    *ret = (struct dry_run){.changes = json_array()};
    t.job.app = xstrdup(in->app);
    t.job.environment = xstrdup(in->environment);
    t.job.kind = xstrdup("deploy");
    t.job.plan_json = json_deep_copy(in->plan);
    t.job.cluster = kube_cluster_ref(in->cluster);
    t.job.rows = strategy_steps("blue-green", &t.job.row_count);
    s = try_steps(&t);
    seen_done(&t.seen);
    job_clear(&t.job);
    return s;
}

void dry_run_done(struct dry_run *r) {
    if (!r)
        return;
    json_decref(r->changes);
    r->changes = NULL;
}
