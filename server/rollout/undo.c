/* rollout/undo.c: takes a deployment back: traffic first, then the rest backwards.
 *
 * It covers every object with a recorded intent of the deploy job, whatever came of it, and always
 * writes, also where things look right already: the fresh op makes a stalled worker's late write
 * fail (design.md, Fencing). */
#include "base/clock.h"
#include "rollout/adopt.h"
#include "rollout/apply.h"
#include "rollout/blue_green.h"
#include "rollout/rollback.h"
#include <string.h>

/* Law 6: nothing that served is scaled down before its successor's endpoints have been complete for
 * 30 s. */
enum { SETTLE_S = 30 };

static void wait_for_cluster(const struct step_ask *a, struct decision *d) {
    decide_wait(d, 0, "The cluster does not answer: %s", a->seen->error);
}

static bool served(const struct step_ask *a) {
    return journal_find(a->journal, "deploy", "switch") != NULL;
}

/* Pods of the version being taken back; one that fails its health checks has none (law 2). */
static int new_ready(const struct step_ask *a) {
    for (int i = 0; i < a->seen->check_count; i++)
        if (a->seen->checks[i].failed > 0)
            return 0;
    return a->seen->workload[a->plan->target].pods_ready;
}

/* Law 2: somebody scaled down what traffic is to return to, or deleted it, while the new version
 * carries it: then pods first.  What is not known holds nothing up. */
static void prepare_decide(const struct step_ask *a, struct decision *d) {
    Color back = color_other(a->plan->target);
    const struct seen_workload *old = &a->seen->workload[back],
                               *new_ = &a->seen->workload[a->plan->target];
    int floor = new_->exists && new_->replicas > 0 ? new_->replicas : 1, ready = new_ready(a);
    const char *workload = a->plan->colors[back].workload;

    if (!served(a) || !a->seen->reachable || rollback_may_switch(old->pods_ready, ready, floor))
        decide_skip(d, "it can");
    else if (!old->exists)
        decide_failed(d, "third-party-change",
                      "Traffic stays where pods are: create the Deployment again, then retry.",
                      "Deployment %s is gone, and %s has %d pods ready", workload,
                      color_names[a->plan->target], ready);
    else if (old->replicas < floor && (!old->autoscaler.exists || old->replicas == 0) &&
             !journal_find(a->journal, "undo", "scale-from"))
        decide_write(d, "scale-from", "Deployment", workload, WRITE_MERGE,
                     json_pack("{s:{s:i}}", "spec", "replicas", floor));
    else if (a->seen->now_us > a->started_us + a->plan->available_s * US_PER_S)
        decide_failed(d, "deadline",
                      "Traffic stays where pods are: look at the pods of the other, then retry.",
                      "After %lld s %s has %d of %d pods ready", (long long)a->plan->available_s,
                      color_names[back], old->pods_ready, floor);
    else {
        decide_wait(d, a->seen->now_us + US_PER_S,
                    "%s has %d of %d pods ready, while %s still has %d", color_names[back],
                    old->pods_ready, floor, color_names[a->plan->target], ready);
        d->checks = CHECKS_HEALTH;
    }
}

/* Law 5: a person's abort is confirmed by our own write, also where no write of ours has begun. */
static bool asked_for(const struct plan *p) {
    return strcmp(json_str(json_object_get(p->json, "failure"), "code", ""), "aborted") == 0;
}

static void traffic_decide(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;

    if (!journal_touched(a->journal, "deploy", "Service", p->service)) {
        if (!asked_for(p) || journal_done(a->journal, "undo", "fence-service"))
            decide_skip(d, "traffic was never touched");
        else
            decide_write(d, "fence-service", "Service", p->service, WRITE_MERGE, json_object());
    } else if (journal_done(a->journal, "undo", "restore-service"))
        decide_done(d, "Service %s selects %s", p->service, json_str(p->resolved, "color", ""));
    else
        blue_green_select(p, json_str(p->resolved, "color", ""), "restore-service", d);
}

static void from_decide(const struct step_ask *a, struct decision *d) {
    const char *workload = a->plan->colors[color_other(a->plan->target)].workload;

    if (!journal_touched(a->journal, "deploy", "Deployment", workload))
        decide_skip(d, "untouched");
    else if (journal_done(a->journal, "undo", "fence-from"))
        decide_done(d, "Deployment %s is as it was", workload);
    else
        decide_write(d, "fence-from", "Deployment", workload, WRITE_MERGE, json_object());
}

static void marks_decide(const struct step_ask *a, struct decision *d) {
    adopt_decide(a, "undo", d);
}

/* What served keeps its pods for 30 s, and until its successor has all of its own. */
static bool settling(const struct step_ask *a, const char *workload, struct decision *d) {
    Color back = color_other(a->plan->target);
    int64_t until = a->started_us + SETTLE_S * US_PER_S;
    int want = a->seen->workload[back].replicas, have = a->seen->service.endpoints_ready[back];

    if (!served(a))
        return false;
    if (a->seen->now_us < until)
        decide_wait(d, until, "%s keeps its pods for %d s after traffic left them", workload,
                    SETTLE_S);
    else if (!a->seen->reachable)
        wait_for_cluster(a, d);
    else if (have >= want && have > 0)
        return false;
    else if (a->seen->now_us > a->started_us + a->plan->available_s * US_PER_S)
        decide_failed(d, "deadline",
                      "Look at the pods of the version that serves; then retry, or resolve.",
                      "After %lld s %d of %d endpoints of %s are ready: %s keeps its pods",
                      (long long)a->plan->available_s, have, want, color_names[back], workload);
    else
        decide_wait(d, a->started_us + a->plan->available_s * US_PER_S,
                    "%s keeps its pods until %s has all of its own: %d of %d endpoints ready",
                    workload, color_names[back], have, want);
    return true;
}

static void apply_undo_decide(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;
    const char *workload = p->colors[p->target].workload;
    const json_t *before = json_object_get(p->resolved, "target");
    int64_t replicas;
    json_t *strategy;

    if (!journal_touched(a->journal, "deploy", "Deployment", workload)) {
        decide_skip(d, "untouched");
        return;
    }
    replicas = json_bool(before, "exists", false) ? json_int(before, "replicas", 0) : 0;
    if (journal_done(a->journal, "undo", "scale-target")) {
        decide_done(d, "Deployment %s has %lld replicas again", workload, (long long)replicas);
        return;
    }
    if (settling(a, workload, d))
        return;
    if (!a->seen->reachable) {
        wait_for_cluster(a, d);
        return;
    }
    if (!a->seen->workload[p->target].exists) {
        decide_done(d, "Deployment %s is gone", workload);
        return;
    }
    strategy = apply_own_strategy(p);
    if (!json_object_get(strategy, "rollingUpdate"))
        json_object_set_new(strategy, "rollingUpdate", json_null());
    decide_write(d, "scale-target", "Deployment", workload, WRITE_MERGE,
                 json_pack("{s:{s:o}}", "spec", "strategy", strategy));
    /* one that an autoscaler had awake stays with it; one that was at rest goes back to rest */
    if (!a->seen->workload[p->target].autoscaler.exists || replicas == 0)
        json_object_set_new(json_at(d->write, "body", "spec", NULL), "replicas",
                            json_integer(replicas));
}

static const struct step_row rows[] = {
    {.name = "undo-prepare",
     .title = "See that the version that served can take traffic",
     .look = LOOK_GLANCE,
     .patience_ms = 300,
     .decide = prepare_decide},
    {.name = "undo-traffic",
     .title = "Point the Service back",
     .look = LOOK_BLIND,
     .confirms = true,
     .decide = traffic_decide},
    {.name = "undo-fence",
     .title = "Take hold of the version that serves",
     .look = LOOK_BLIND,
     .decide = from_decide},
    {.name = "undo-adopt",
     .title = ADOPT_TITLE,
     .look = LOOK_BLIND,
     .adopts = true,
     .patience_ms = ADOPT_PATIENCE_MS,
     .decide = marks_decide},
    {.name = "undo-apply",
     .title = "Scale the new version to what it had",
     .look = LOOK_FRESH,
     .decide = apply_undo_decide},
};

const struct step_row *undo_steps(size_t *ret_count) {
    *ret_count = sizeof rows / sizeof *rows;
    return rows;
}
