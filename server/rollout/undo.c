/* rollout/undo.c: takes a deployment back: traffic first, then the rest backwards.
 *
 * It covers every object with a recorded intent of the deploy job, whatever came of it, and always
 * writes, also where things look right already: the fresh op makes a stalled worker's late write
 * fail (design.md, Fencing). */
#include "base/clock.h"
#include "rollout/apply.h"
#include "rollout/blue_green.h"
#include <string.h>

/* Law 6: nothing that served is scaled down before its successor's endpoints have been complete for
 * 30 s. */
enum { SETTLE_S = 30 };

static void wait_for_cluster(const struct step_ask *a, struct decision *d) {
    decide_wait(d, 0, "The cluster does not answer: %s", a->seen->error);
}

static void traffic_decide(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;

    if (!journal_touched(a->journal, "deploy", "Service", p->service))
        decide_skip(d, "traffic was never touched");
    else if (journal_done(a->journal, "undo", "restore-service"))
        decide_done(d, "Service %s selects %s", p->service, json_str(p->resolved, "color", ""));
    else
        decide_write(d, "restore-service", "Service", p->service, WRITE_MERGE,
                     blue_green_selector_patch(p, json_str(p->resolved, "color", "")));
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

static bool served(const struct step_ask *a) {
    return journal_find(a->journal, "deploy", "switch") != NULL;
}

static void apply_undo_decide(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;
    const char *workload = p->colors[p->target].workload;
    const json_t *before = json_object_get(p->resolved, "target");
    int64_t until = a->started_us + SETTLE_S * US_PER_S, replicas;
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
    if (served(a) && a->seen->now_us < until) {
        decide_wait(d, until, "%s keeps its pods for %d s after traffic left them", workload,
                    SETTLE_S);
        return;
    }
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
                 json_pack("{s:{s:I, s:o}}", "spec", "replicas", (json_int_t)replicas, "strategy",
                           strategy));
}

static const struct step_row rows[] = {
    {.name = "undo-traffic",
     .title = "Point the Service back",
     .blind = true,
     .confirms = true,
     .decide = traffic_decide},
    {.name = "undo-fence",
     .title = "Take hold of the version that serves",
     .blind = true,
     .decide = from_decide},
    {.name = "undo-apply",
     .title = "Scale the new version to what it had",
     .fresh = true,
     .decide = apply_undo_decide},
};

const struct step_row *undo_steps(size_t *ret_count) {
    *ret_count = sizeof rows / sizeof *rows;
    return rows;
}
