/* rollout/cleanup.c: scales a previous color down when it need not be kept any longer (design.md,
 * Keep previous).
 *
 * It never resumes an old intent: whoever takes it up begins with the seizures and looks again
 * (model/README.md, 1). */
#include "rollout/rollback.h"
#include <string.h>

static const json_t *wanted(const struct plan *p) {
    return json_object_get(p->json, "cleanup"); /* {color, workload, uid, template_hash} */
}

static void cleanup_decide(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;
    const char *workload = json_str(wanted(p), "workload", ""),
               *hash = json_str(wanted(p), "template_hash", "");
    const struct seen_workload *w;
    Color color;

    if (!journal_done(a->journal, "clean-up", "seize-service")) {
        decide_write(d, "seize-service", "Service", p->service, WRITE_MERGE, json_object());
        return;
    }
    if (!journal_done(a->journal, "clean-up", "seize-workload")) {
        decide_write(d, "seize-workload", "Deployment", workload, WRITE_MERGE, json_object());
        return;
    }
    if (journal_done(a->journal, "clean-up", "scale-down")) {
        decide_done(d, "Deployment %s has no replicas any more", workload);
        return;
    }
    if (!a->seen->reachable) {
        decide_wait(d, 0, "The cluster does not answer: %s", a->seen->error);
        return;
    }
    if (!color_find(json_str(wanted(p), "color", NULL), &color)) {
        decide_skip(d, "no color");
        return;
    }
    w = &a->seen->workload[color];
    if (a->seen->service.color_known && a->seen->service.color == color)
        decide_skip(d, "%s serves: it stays", color_names[color]);
    else if (!a->seen->service.color_known)
        decide_skip(d, "what serves is not known: %s stays", color_names[color]);
    else if (*hash && seen_template_unknown(w))
        decide_wait(d, 0, "which template %s has is not known yet", workload);
    else if (!w->exists || strcmp(w->uid, json_str(wanted(p), "uid", "")) != 0 ||
             (*hash && strcmp(w->template_hash, hash) != 0))
        decide_skip(d, "%s holds something else by now: it stays", workload);
    else if (w->autoscaler.exists)
        decide_skip(d, "autoscaler %s scales %s: it stays", w->autoscaler.name, workload);
    else if (a->seen->service.endpoints_ready[color] > 0)
        decide_wait(d, 0, "pods of %s are still endpoints", color_names[color]);
    else
        decide_write(d, "scale-down", "Deployment", workload, WRITE_MERGE,
                     json_pack("{s:{s:i}}", "spec", "replicas", 0));
}

static const struct step_row rows[] = {
    {.name = "clean-up",
     .title = "Scale the previous version down",
     .look = LOOK_FRESH,
     .decide = cleanup_decide},
};

const struct step_row *cleanup_steps(size_t *ret_count) {
    *ret_count = sizeof rows / sizeof *rows;
    return rows;
}

const struct step_row *job_steps(const char *kind, const char *strategy, size_t *ret_count) {
    if (strcmp(kind, "deploy") == 0)
        return strategy_steps(strategy, ret_count);
    if (strcmp(kind, "rollback") == 0)
        return rollback_steps(ret_count);
    if (strcmp(kind, "traffic") == 0)
        return traffic_steps(ret_count);
    return strcmp(kind, "clean-up") == 0 ? cleanup_steps(ret_count) : NULL;
}
