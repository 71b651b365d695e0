#include "rollout/blue_green.h"
#include "base/clock.h"
#include "rollout/apply.h"
#include "rollout/left.h"
#include <stdio.h>
#include <string.h>

/* An unschedulable pod may be waiting for a cluster autoscaler's node, and a first failed pull for
 * a registry that comes back: both are given this long before the deployment ends early. */
enum { TROUBLE_GRACE_S = 10 };

static const struct seen_workload *target_of(const struct step_ask *a) {
    return &a->seen->workload[a->plan->target];
}

static const char *target_name(const struct plan *p) {
    return p->colors[p->target].workload;
}

static const char *resolved_color(const struct plan *p) {
    return json_str(p->resolved, "color", "");
}

int blue_green_floor(const struct plan *p, const struct seen *seen) {
    const struct seen_workload *active = &seen->workload[color_other(p->target)];

    if (!p->has_from || !active->exists || active->replicas < 1)
        return 1;
    return active->replicas;
}

json_t *blue_green_selector_patch(const struct plan *p, const char *color) {
    return json_pack("{s:{s:{s:s}}}", "spec", "selector", p->selector_key, color);
}

void blue_green_select(const struct plan *p, const char *color, const char *purpose,
                       struct decision *d) {
    const json_t *recorded = json_at(p->json, "resolved", "service", "selector", NULL);
    json_t *body = blue_green_selector_patch(p, color), *whole;

    if (!json_is_object(recorded))
        recorded = json_object_get(p->json, "selector");
    if (json_is_object(recorded)) {
        whole = json_deep_copy(recorded);
        json_object_update(whole, json_at(body, "spec", "selector", NULL));
        json_object_set_new(json_object_get(body, "spec"), "selector", whole);
    }
    decide_write(d, purpose, "Service", p->service,
                 json_is_object(recorded) ? WRITE_SELECT : WRITE_MERGE, body);
}

/* A deadline of the step has passed: says so and returns true. */
static bool past(const struct step_ask *a, int64_t seconds, struct decision *d,
                 const char *waited_for) {
    if (a->seen->now_us < a->started_us + seconds * US_PER_S)
        return false;
    decide_failed(d, "deadline",
                  "Look at the pods' events and logs, or raise the environment's deadline.",
                  "After %lld s still waiting: %s", (long long)seconds, waited_for);
    return true;
}

static bool cluster_away(const struct step_ask *a, int64_t seconds, struct decision *d) {
    if (a->seen->reachable)
        return false;
    if (a->seen->now_us >= a->started_us + seconds * US_PER_S)
        decide_failed(
            d, "cluster-unavailable", "Check the API server and the credentials of the cluster.",
            "The cluster did not answer for %lld s: %s", (long long)seconds, a->seen->error);
    else
        decide_wait(d, 0, "The cluster does not answer: %s", a->seen->error);
    return true;
}

/* ---- resolve ---- */

/* What is on record of a workload: enough to bring it back as it was. */
static json_t *workload_found(const struct seen *seen, Color color) {
    const struct seen_workload *w = &seen->workload[color];
    json_t *found = json_pack("{s:b, s:s, s:i, s:s, s:s, s:s, s:s}", "exists", w->exists, "uid",
                              w->uid, "replicas", w->replicas, "template_hash", w->template_hash,
                              "version", w->version, "image", w->image, "strategy", w->strategy);

    if (seen->template_[color])
        json_object_set(found, "template", seen->template_[color]);
    if (w->comparable)
        json_set_str(found, "comparable", w->comparable);
    return found;
}

static json_t *service_found(const struct seen_service *s) {
    json_auto_t *comparable = json_parse(s->comparable ? s->comparable : "{}");
    json_t *selector = json_at(comparable, "spec", "selector", NULL);

    return json_pack("{s:b, s:s?, s:O?}", "exists", s->exists, "comparable", s->comparable,
                     "selector", selector);
}

/* Whoever applies it anew from a repository would take traffic or image back within minutes. */
static bool gitops_owns(const struct step_ask *a, struct decision *d) {
    const char *service = a->seen->service.gitops, *image = target_of(a)->gitops;

    if (*service)
        decide_failed(
            d, "invalid-target",
            "Let it ignore spec.selector of this Service (Argo CD: spec.ignoreDifferences with "
            "syncOptions RespectIgnoreDifferences=true; Flux: leave it out, or annotate it "
            "kustomize.toolkit.fluxcd.io/ssa: Ignore), then annotate the Service "
            "sluice.dev/gitops: ignored.",
            "The selector of Service %s belongs to %.250s", a->plan->service, service);
    else if (*image)
        decide_failed(
            d, "invalid-target",
            "Let it ignore the image and replicas of this Deployment (Argo CD: "
            "spec.ignoreDifferences with syncOptions RespectIgnoreDifferences=true; Flux: leave it "
            "out, or annotate it kustomize.toolkit.fluxcd.io/ssa: Ignore), then annotate the "
            "Deployment sluice.dev/gitops: ignored.",
            "The image of Deployment %s belongs to %.250s", target_name(a->plan), image);
    return *service || *image;
}

static void resolve_decide(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;
    const struct seen_service *s = &a->seen->service;

    if (cluster_away(a, p->available_s, d))
        return;
    if (!s->exists) {
        decide_failed(d, "invalid-target", "Create the Service, or correct blue_green.service.",
                      "Service %s does not exist in namespace %s", p->service, p->namespace_);
        return;
    }
    if (!s->color_known) {
        decide_failed(d, "invalid-target", "Set the selector to the color that serves now.",
                      "The selector of Service %s says %s=\"%s\", which is neither blue nor green",
                      p->service, p->selector_key, s->color_text);
        return;
    }
    if (s->color == p->target) {
        decide_failed(d, "invalid-target", "Deploy again: the target is chosen anew.",
                      "Service %s selects %s by now, which this deployment was to prepare",
                      p->service, color_names[p->target]);
        return;
    }
    if (!p->documents && !target_of(a)->exists) {
        decide_failed(d, "invalid-target",
                      "PUT manifests for the environment, or let the release bring them.",
                      "Deployment %s does not exist, and there are no manifests to create it from",
                      target_name(p));
        return;
    }
    if (gitops_owns(a, d))
        return;
    d->resolved =
        json_pack("{s:s, s:i, s:o, s:o, s:o}", "color", color_names[s->color], "floor",
                  blue_green_floor(p, a->seen), "service", service_found(s), "target",
                  workload_found(a->seen, p->target), "from", workload_found(a->seen, s->color));
    decide_done(d, "%s serves; %s takes %s", color_names[s->color], color_names[p->target],
                p->version);
}

/* ---- apply ---- */

static bool same_selector(const struct step_ask *a, struct decision *d) {
    const struct seen_service *s = &a->seen->service;

    if (s->exists && strcmp(s->color_text, resolved_color(a->plan)) == 0)
        return true;
    decide_failed(d,
                  s->exists && s->color_known && s->color == a->plan->target ? "invalid-target"
                                                                             : "third-party-change",
                  "Somebody else moves this traffic: agree with them, then deploy again.",
                  "Service %s selects \"%s\", not %s as when this deployment began",
                  a->plan->service, s->exists ? s->color_text : "", resolved_color(a->plan));
    return false;
}

static void apply_decide(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;

    if (cluster_away(a, p->available_s, d) || left_stops(a, d))
        return;
    if (apply_seize(a, d))
        return;
    if (!same_selector(a,
                       d)) /* seen after the seizure: nothing serves from what is about to change */
        return;
    if (apply_documents(a, d))
        return;
    decide_done(d, "%s holds %s", target_name(p), p->image);
}

/* ---- await-available: the rules of kubectl rollout status, and an early end with the reason ----
 */

static const char *trouble_hint(const char *code) {
    if (strcmp(code, "image-pull") == 0)
        return "Check that the image and tag exist and that the namespace may pull them.";
    if (strcmp(code, "crash-loop") == 0)
        return "Read the container's log: kubectl logs POD --previous.";
    if (strcmp(code, "quota") == 0)
        return "Raise the namespace's ResourceQuota or scale something down.";
    return "Add nodes, or lower the pods' requests and constraints.";
}

static bool in_trouble(const struct step_ask *a, struct decision *d) {
    const struct seen_trouble *t = &target_of(a)->trouble;
    bool may_pass;

    if (!t->code)
        return false;
    may_pass = strcmp(t->code, "unschedulable") == 0;
    if (may_pass && a->seen->now_us < a->started_us + TROUBLE_GRACE_S * US_PER_S) {
        decide_wait(d, a->started_us + TROUBLE_GRACE_S * US_PER_S, "%s", t->detail);
        return true;
    }
    decide_failed(d, t->code, trouble_hint(t->code), "%s", t->detail);
    return true;
}

static bool image_is_ours(const struct step_ask *a, struct decision *d) {
    const struct seen_workload *w = target_of(a);

    if (w->exists && strcmp(w->image, a->plan->image) == 0)
        return true;
    decide_failed(d, "third-party-change",
                  "Somebody else changes this workload: agree with them, then deploy again.",
                  "Deployment %s %s%s, not %s as applied", target_name(a->plan),
                  w->exists ? "holds " : "is gone", w->exists ? w->image : "", a->plan->image);
    return false;
}

/* Without minReadySeconds a pod that is ready is available; the ReplicaSet's and the Deployment's
 * status say so one write of a controller after the other (17 to 25 ms on a real control plane). */
static int available_now(const struct seen_workload *w) {
    return w->min_ready_s == 0 && w->pods_ready > w->available ? w->pods_ready : w->available;
}

static void available_decide(const struct step_ask *a, struct decision *d) {
    const struct seen_workload *w = target_of(a);
    int available = available_now(w);
    char progress[160];

    if (cluster_away(a, a->plan->available_s, d) || left_stops(a, d) || !image_is_ours(a, d))
        return;
    snprintf(progress, sizeof progress, "%d of %d pods available", available, w->replicas);
    if (w->observed_generation < w->generation) {
        if (!past(a, a->plan->available_s, d, "for the Deployment controller"))
            decide_wait(d, a->started_us + a->plan->available_s * US_PER_S, "%s", progress);
        return;
    }
    if (in_trouble(a, d) || apply_restore_strategy(a, d))
        return;
    if (*w->progress) {
        decide_failed(d, "deadline", "Look at the pods' events and logs.", "%s", w->progress);
        return;
    }
    if (w->updated >= w->replicas && w->status_replicas <= w->updated && available >= w->updated &&
        available >= w->replicas) {
        decide_done(d, "%s", progress);
        return;
    }
    if (!past(a, a->plan->available_s, d, progress))
        decide_wait(d, a->started_us + a->plan->available_s * US_PER_S, "%s", progress);
}

/* ---- checks ---- */

static void checks_decide(const struct step_ask *a, struct decision *d, CheckSet set,
                          int64_t seconds) {
    size_t configured = json_array_size(plan_checks(a->plan, set));
    const struct seen_check *waits_for = NULL;
    char progress[SEEN_TEXT] = "checks begin", late[2 * SEEN_TEXT + 8];

    if (a->seen->reachable && left_stops(a, d))
        return;
    if (configured == 0) {
        decide_skip(d, "no checks are configured");
        return;
    }
    for (int i = 0; i < a->seen->check_count; i++) {
        const struct seen_check *c = &a->seen->checks[i];

        if (c->failed >= c->allowed) {
            decide_failed(d, "check-failed",
                          "Call the same path of the new version yourself and read its log.",
                          "Check %s failed %d times in a row: %s", c->name, c->failed, c->last);
            return;
        }
        if (c->passed < c->needed && !waits_for)
            waits_for = c;
    }
    if (a->seen->check_count == (int)configured &&
        !waits_for) { /* law 3: every one has positively passed */
        decide_done(d, "%zu %s passed", configured, configured == 1 ? "check" : "checks");
        return;
    }
    if (waits_for)
        snprintf(progress, sizeof progress, "check %s: %d of %d passed", waits_for->name,
                 waits_for->passed, waits_for->needed);
    snprintf(late, sizeof late, "%s%s%s", progress, waits_for && *waits_for->last ? "; last: " : "",
             waits_for ? waits_for->last : "");
    if (past(a, seconds, d, late))
        return;
    decide_wait(d, a->started_us + seconds * US_PER_S, "%s",
                waits_for && waits_for->unasked ? late : progress);
    d->checks = set;
}

static void health_decide(const struct step_ask *a, struct decision *d) {
    checks_decide(a, d, CHECKS_HEALTH, a->plan->checks_s);
}

static void smoke_decide(const struct step_ask *a, struct decision *d) {
    checks_decide(a, d, CHECKS_SMOKE, a->plan->checks_s);
}

static void production_decide(const struct step_ask *a, struct decision *d) {
    checks_decide(a, d, CHECKS_PRODUCTION, a->plan->validate_s);
}

/* ---- promote, switch, what follows ---- */

static void promote_decide(const struct step_ask *a, struct decision *d) {
    if (a->plan->promote_auto) {
        decide_done(d, "automatic");
        return;
    }
    decide_pause(d, "waits for a person to promote it");
}

/* Law 6, right before the write: the Service is as it was, the target is what was applied, and
 * enough of its pods are ready to carry what the active color carries now. */
static bool switch_may_send(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;
    const struct seen_workload *w = target_of(a);
    int floor = blue_green_floor(p, a->seen);
    char short_of[160];

    if (cluster_away(a, p->available_s, d) || left_stops(a, d) || !same_selector(a, d) ||
        !image_is_ours(a, d))
        return false;
    if (w->pods_ready >= floor)
        return true;
    snprintf(short_of, sizeof short_of, "%d of %d pods ready before traffic may move",
             w->pods_ready, floor);
    if (!in_trouble(a, d) && !past(a, p->available_s, d, short_of))
        decide_wait(d, a->started_us + p->available_s * US_PER_S, "%s", short_of);
    return false;
}

/* The active color was scaled up meanwhile, by its autoscaler: the target follows. */
static bool raise_target(const struct step_ask *a, struct decision *d) {
    const struct seen_workload *w = target_of(a);
    int floor = blue_green_floor(a->plan, a->seen);

    if (!a->seen->reachable || !w->exists || w->replicas >= floor || apply_count_is_theirs(a))
        return false;
    snprintf(d->named, sizeof d->named, "raise-%d", floor);
    if (journal_find(a->journal, "deploy", d->named) || left_stops(a, d))
        return d->kind == DECIDE_FAILED;
    decide_write(d, d->named, "Deployment", target_name(a->plan), WRITE_MERGE,
                 json_pack("{s:{s:i}}", "spec", "replicas", floor));
    return true;
}

static void switch_decide(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;

    if (journal_done(a->journal, "deploy", "switch"))
        decide_done(d, "Service %s selects %s", p->service, color_names[p->target]);
    else if (!raise_target(a, d) && switch_may_send(a, d))
        decide_write(d, "switch", "Service", p->service, WRITE_MERGE,
                     blue_green_selector_patch(p, color_names[p->target]));
}

static void endpoints_decide(const struct step_ask *a, struct decision *d) {
    const struct seen_service *s = &a->seen->service;
    int ready = s->endpoints_ready[a->plan->target];
    int old = s->endpoints_ready[color_other(a->plan->target)] + s->endpoints_other;
    int floor = blue_green_floor(a->plan, a->seen);
    char have[160];

    if (cluster_away(a, a->plan->checks_s, d) || left_stops(a, d))
        return;
    if (s->exists && (!s->color_known || s->color != a->plan->target)) {
        decide_failed(d, "third-party-change",
                      "Somebody else moves this traffic: agree with them, then deploy again.",
                      "Service %s selects \"%s\" again", a->plan->service, s->color_text);
        return;
    }
    snprintf(have, sizeof have, "%d endpoints of %s ready, %d of other pods", ready,
             color_names[a->plan->target], old);
    if (ready >= floor && old == 0)
        decide_done(d, "%s", have);
    else if (!past(a, a->plan->checks_s, d, have))
        decide_wait(d, a->started_us + a->plan->checks_s * US_PER_S, "%s", have);
}

static void keep_decide(const struct step_ask *a, struct decision *d) {
    if (!a->plan->has_from)
        decide_skip(d, "nothing served before");
    else
        decide_done(d, "%s stays for %lld s", resolved_color(a->plan),
                    (long long)a->plan->keep_previous_s);
}

/* ---- gates ---- */

static void gates_decide(const struct step_ask *a, struct decision *d) {
    const struct seen_gate *g = &a->seen->gate;

    if (!g->known)
        decide_wait(d, 0, "The gates' facts cannot be read");
    else if (g->open)
        decide_done(d, "every gate is open");
    else if (g->frozen_only)
        decide_pause(d, "%s", g->why);
    else
        decide_failed(d, "gate-closed", GATE_HINT, "%s", g->why);
}

/* ---- flags ---- */

static void flags_decide(const struct step_ask *a, struct decision *d) {
    const struct seen_flags *f = &a->seen->flags;

    if (!f->known)
        decide_wait(d, 0, "The flags cannot be read");
    else if (*f->wrong)
        decide_failed(d, "invalid-target", "Put the flag right, or leave it out of the release.",
                      "%s", f->wrong);
    else
        decide_done(d, "%s", f->what);
}

#define FLAGS_STEP(at, when)                                                                       \
    {                                                                                              \
        .name = "set-flags-" at, .title = "Change the flags that the release changes " when,       \
        .look = LOOK_BLIND, .flags = at, .decide = flags_decide                                    \
    }

const struct step_row blue_green_steps[] = {
    {.name = "check-gates",
     .title = "See that every gate is open",
     .look = LOOK_BLIND,
     .gates = true,
     .decide = gates_decide},
    {.name = "resolve",
     .title = "Find out what serves and what is prepared",
     .look = LOOK_FRESH,
     .decide = resolve_decide},
    FLAGS_STEP("before", "before anything else"),
    {.name = "apply",
     .title = "Take hold of the objects and apply the new version",
     .look = LOOK_NAMED,
     .decide = apply_decide},
    {.name = "await-available",
     .title = "Wait until every new pod is available",
     .decide = available_decide},
    {.name = "health-checks",
     .title = "Check the health of the new version",
     .decide = health_decide},
    {.name = "smoke-checks",
     .title = "Run the smoke checks against the new version",
     .decide = smoke_decide},
    {.name = "promote",
     .look = LOOK_BLIND,
     .title = "Decide to let it serve",
     .decide = promote_decide},
    {.name = "recheck-gates",
     .title = "See that every gate is still open",
     .look = LOOK_BLIND,
     .gates = true,
     .decide = gates_decide},
    {.name = "switch-traffic",
     .title = "Point the Service at the new version",
     .look = LOOK_FRESH,
     .cutover = "switch",
     .may_send = switch_may_send,
     .decide = switch_decide},
    {.name = "await-endpoints",
     .title = "Wait until all traffic reaches the new version",
     .decide = endpoints_decide},
    FLAGS_STEP("after-switch", "once all traffic is there"),
    {.name = "validate-production", .title = "Check production", .decide = production_decide},
    FLAGS_STEP("after-validate", "once production was checked"),
    {.name = "keep-previous",
     .look = LOOK_BLIND,
     .title = "Keep the previous version ready",
     .decide = keep_decide},
};
const size_t blue_green_step_count = sizeof blue_green_steps / sizeof *blue_green_steps;

const struct step_row *strategy_steps(const char *strategy, size_t *ret_count) {
    if (strcmp(strategy, "blue-green") != 0)
        return NULL;
    *ret_count = blue_green_step_count;
    return blue_green_steps;
}
