/* tests/simulate/checks.c: what health checks of the simulated versions say, and other hands, of
 * which there are none. */
#include "base/clock.h"
#include "base/status.h"
#include "tests/simulate/simulate.h"
#include "worker/hands.h"
#include "worker/owner.h"
#include <stdlib.h>

struct prober {
    CheckSet set;
    Color color;
    const json_t *checks; /* borrowed from the plan */
    int passed, failed;
};

struct prober *prober_new(const struct prober_settings *in, const struct plan *plan, CheckSet set) {
    struct prober *p = xcalloc(1, sizeof *p);

    (void)in;
    *p = (struct prober){.set = set,
                         .color = set == CHECKS_LEFT ? color_other(plan->target) : plan->target,
                         .checks = plan_checks(plan, set)};
    return p;
}

int64_t prober_run(struct prober *p, struct seen *seen) {
    const struct object *w;
    const struct job *j = world.running->job;
    size_t n = json_array_size(p->checks);
    int64_t needed;

    if (p->set == CHECKS_PRODUCTION)
        p->color = world.object[SERVICE].selector;
    w = &world.object[WORKLOAD + p->color];
    if (w->ready > 0 && !cluster_sick(w->version, SICK_FAILS)) {
        p->passed++;
        p->failed = 0;
    } else {
        p->failed++;
        p->passed = 0;
    }
    seen->check_count = (int)n;
    for (size_t i = 0; i < n; i++) {
        needed = json_int(json_array_get(p->checks, i), "consecutive", 1);
        seen->checks[i] = (struct seen_check){.name = "check",
                                              .passed = p->passed,
                                              .needed = (int)needed,
                                              .failed = p->failed,
                                              .allowed = 2};
        if (p->passed >= needed && !j->undoing && rows_find(j->deployment_id) >= 0)
            world.d[rows_find(j->deployment_id)].passed |= 1 << p->set;
    }
    return world.now + 100 * US_PER_MS;
}

CheckSet prober_set(const struct prober *p) {
    return p ? p->set : CHECKS_NONE;
}

void prober_free(struct prober *p) {
    free(p);
}

/* ---- other hands: there are none ---- */

bool hands_stop(struct job *j, const struct intent *intent, const json_t *object,
                struct write_outcome *ret) {
    (void)j, (void)intent, (void)object, (void)ret;
    return false;
}

void hands_note(struct job *j, const struct intent *intent, const json_t *before,
                const json_t *after, struct write_outcome *ret) {
    (void)j, (void)intent, (void)before, (void)after, (void)ret;
}

void hands_keep(struct job *j, const struct intent *intent, const struct write_outcome *w) {
    (void)j, (void)intent, (void)w;
}

bool owner_is(const json_t *object, const char *field, const char *manager, const char *operation) {
    (void)object, (void)field, (void)manager, (void)operation;
    return false;
}
