#include "rollout/adopt.h"
#include <stdio.h>

/* The write that takes over the object of that number: the workloads, always, so that a late write
 * of the lost past to them fails; then what the documents name (plan_make). */
static void take_over(const struct plan *p, size_t i, struct decision *d) {
    json_t *object;

    if (i < COLORS) {
        decide_write(d, d->named, "Deployment", p->colors[i].workload, WRITE_MERGE, json_object());
        return;
    }
    object = json_array_get(json_object_get(p->json, "objects"), i - COLORS);
    decide_write(d, d->named, json_str(object, "kind", ""),
                 json_str(json_object_get(object, "metadata"), "name", ""), WRITE_ADOPT,
                 json_deep_copy(object));
}

void adopt_decide(const struct step_ask *a, const char *job, struct decision *d) {
    size_t count = COLORS + json_array_size(json_object_get(a->plan->json, "objects"));
    size_t done = 0;

    if (!json_bool(a->plan->json, "history_lost", false)) {
        decide_skip(d, "no past was lost");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        snprintf(d->named, sizeof d->named, "adopt-%zu", i);
        if (!journal_find(a->journal, job, d->named)) {
            take_over(a->plan, i, d);
            return;
        }
        done += journal_done(a->journal, job, d->named);
    }
    if (done == count)
        decide_done(d, "the marks on all objects are known again");
    else
        decide_done(d, "%zu of %zu objects could not be written: their marks stay unknown",
                    count - done, count);
}
