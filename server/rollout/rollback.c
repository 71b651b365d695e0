#include "rollout/rollback.h"
#include "base/clock.h"
#include "rollout/adopt.h"
#include "rollout/apply.h"
#include "rollout/blue_green.h"
#include <stdio.h>
#include <string.h>

/* Law 6: what served keeps its pods until its successor's endpoints have been complete for 30 s. */
enum { SETTLE_S = 30 };

/* ---- the plan ---- */

/* The recorded template, relabelled where the color that it ran under is the one being left. */
static json_t *template_for(const json_t *place, const json_t *spec, const char *color) {
    json_t *template_ = json_deep_copy(json_object_get(place, "template"));
    json_t *labels = json_at(template_, "metadata", "labels", NULL);
    const char *key = json_str(json_object_get(spec, "blue_green"), "selector_key", "");

    if (labels)
        json_object_set_new(labels, key, json_string(color));
    return template_;
}

/* What runs under the color that is left, as far as rows know. */
static json_t *left_place(const struct rollback_request *in) {
    const json_t *target = json_object_get(in->last, "target"),
                 *from = json_object_get(in->last, "from");
    bool is_target = strcmp(json_str(target, "color", ""), color_names[in->leaves]) == 0;
    const json_t *place = is_target ? target : from;

    return json_pack("{s:s, s:s, s:s}", "color", color_names[in->leaves], "version",
                     json_str(place, "version", ""), "image", json_str(place, "image", ""));
}

/* What the pre-empted deployment is to be taken back to, where the color that it wrote to is the
 * one being left. */
static json_t *taken_over(const struct rollback_request *in) {
    const json_t *before = json_at(in->last, "resolved", "target", NULL);
    const char *wrote = json_str(json_object_get(in->last, "target"), "color", "");
    const json_t *inherited = json_object_get(in->last, "took_over");
    const char *left = json_str(json_object_get(in->last, "from"), "color", "");

    if (!in->pre_empts)
        return json_null();
    /* a rollback that had not come to that yet leaves it to its successor */
    if (json_is_object(inherited) && strcmp(left, color_names[in->leaves]) == 0)
        return json_incref((json_t *)(uintptr_t)inherited);
    if (!in->wrote || !json_is_object(before) || strcmp(wrote, color_names[in->leaves]) != 0)
        return json_null();
    return json_incref((json_t *)(uintptr_t)before);
}

json_t *rollback_plan(const struct rollback_request *in, struct arena *arena, const char **reterr) {
    const json_t *from = json_object_get(in->basis, "from"),
                 *place = json_at(in->basis, "resolved", "from", NULL);
    const char *recorded = json_str(from, "color", ""),
               *returns = color_names[color_other(in->leaves)];
    const json_t *spec = json_object_get(in->last, "spec");
    bool same_color = strcmp(returns, recorded) == 0;
    json_t *target;

    if (!json_is_object(from)) {
        *reterr = "Nothing served before: there is no version to return to.";
        return NULL;
    }
    if (!same_color && !json_is_object(json_object_get(place, "template"))) {
        *reterr = arena_printf(arena, "What %s ran as is not on record: deploy it instead.",
                               json_str(from, "version", "?"));
        return NULL;
    }
    target = json_pack("{s:s, s:s, s:s, s:I, s:s}", "color", returns, "version",
                       json_str(from, "version", ""), "image", json_str(from, "image", ""),
                       "replicas", (json_int_t)json_int(place, "replicas", 1), "template_hash",
                       same_color ? json_str(place, "template_hash", "") : "");
    if (json_is_object(json_object_get(place, "template")))
        json_object_set_new(target, "template", template_for(place, spec, returns));
    return json_pack("{s:O, s:o, s:o, s:n, s:o, s:O?, s:o*, s:O?}", "spec", spec, "target", target,
                     "from", left_place(in), "documents", "took_over", taken_over(in), "selector",
                     json_at(in->basis, "resolved", "service", "selector", NULL), "history_lost",
                     in->history_lost ? json_true() : NULL, "objects",
                     json_object_get(in->last, "objects"));
}

static json_t *seen_place(const struct seen *seen, Color c) {
    const struct seen_workload *w = &seen->workload[c];

    return json_pack("{s:s, s:s, s:s, s:i}", "color", color_names[c], "version", w->version,
                     "image", w->image, "replicas", w->replicas);
}

json_t *traffic_plan(const json_t *spec, const struct seen *seen, Color color) {
    return json_pack("{s:O, s:o, s:o, s:n}", "spec", spec, "target", seen_place(seen, color),
                     "from", seen_place(seen, color_other(color)), "documents");
}

bool traffic_has_capacity(const struct seen *seen, Color color) {
    int replicas = seen->workload[color_other(color)].replicas;

    return seen->workload[color].pods_ready >= (replicas > 0 ? replicas : 1);
}

/* ---- what is seen ---- */

static const json_t *wanted(const struct plan *p) {
    return json_object_get(p->json, "target");
}

static Color left_of(const struct plan *p) {
    return color_other(p->target);
}

static const char *workload_of(const struct plan *p, Color c) {
    return p->colors[c].workload;
}

static int floor_of_color(const struct step_ask *a, Color c) {
    const struct seen_workload *w = &a->seen->workload[c];

    return w->exists && w->replicas > 0 ? w->replicas : 1;
}

/* Whether the Service selects already what is returned to: what was pre-empted had not switched. */
static bool serves_already(const struct step_ask *a) {
    return a->seen->service.color_known && a->seen->service.color == a->plan->target;
}

/* Of the color that serves; fixed before traffic moves, for what is done after it. */
static int floor_of(const struct step_ask *a) {
    const json_t *fixed = json_object_get(a->plan->resolved, "floor");

    if (json_is_integer(fixed))
        return (int)json_integer_value(fixed);
    return floor_of_color(a, serves_already(a) ? a->plan->target : left_of(a->plan));
}

static int wanted_replicas(const struct step_ask *a) {
    int64_t recorded = json_int(wanted(a->plan), "replicas", 1);
    int floor = floor_of(a);

    return recorded > floor ? (int)recorded : floor;
}

/* An autoscaler decides how many pods a workload has, unless it rests at 0. */
static bool count_is_theirs(const struct seen_workload *w) {
    return w->autoscaler.exists && w->replicas > 0;
}

/* Only pods of the recorded template are the old version (model/README.md, finding 3). */
static bool holds_template(const struct step_ask *a) {
    const struct seen_workload *w = &a->seen->workload[a->plan->target];
    const char *hash = json_str(wanted(a->plan), "template_hash", "");

    if (journal_done(a->journal, "rollback", "restore-template") ||
        journal_done(a->journal, "rollback", "restore-late"))
        return *w->template_hash != '\0';
    return !json_object_get(wanted(a->plan), "template") ||
           (*hash && strcmp(w->template_hash, hash) == 0);
}

static int old_ready(const struct step_ask *a) {
    return holds_template(a) ? a->seen->workload[a->plan->target].pods_ready : 0;
}

/* A version that fails the environment's health checks has no ready pods in law 2's sense. */
static int new_ready(const struct step_ask *a) {
    for (int i = 0; i < a->seen->check_count; i++)
        if (a->seen->checks[i].failed > 0)
            return 0;
    return a->seen->workload[left_of(a->plan)].pods_ready;
}

bool rollback_may_switch(int old, int new_, int floor) {
    return old >= floor || old >= new_;
}

/* ---- steps of a rollback ---- */

static void decide_replace(struct decision *d, const struct step_ask *a, const char *purpose) {
    const struct plan *p = a->plan;
    json_t *body =
        json_pack("{s:{s:{s:s}}, s:{s:O}}", "metadata", "annotations", "sluice.dev/version",
                  p->version, "spec", "template", json_object_get(wanted(p), "template"));

    if (!count_is_theirs(&a->seen->workload[p->target]))
        json_object_set_new(json_object_get(body, "spec"), "replicas",
                            json_integer(wanted_replicas(a)));

    decide_write(d, purpose, "Deployment", workload_of(p, p->target), WRITE_REPLACE, body);
}

static void decide_scale(struct decision *d, const struct step_ask *a, const char *purpose) {
    decide_write(d, purpose, "Deployment", workload_of(a->plan, a->plan->target), WRITE_MERGE,
                 json_pack("{s:{s:i}}", "spec", "replicas", wanted_replicas(a)));
}

/* What bringing the workload back takes: before traffic moves and, where law 2 did not wait for it,
 * after. */
struct bringing {
    const char *seize, *restore, *scale;
};
static const struct bringing before_switch = {"seize-target", "restore-template", "scale-up"};
static const struct bringing after_switch = {"seize-late", "restore-late", "scale-late"};

/* true when the workload still has to be seized. */
static bool seize(const struct step_ask *a, const struct bringing *names, struct decision *d) {
    if (journal_done(a->journal, "rollback", "seize-target") ||
        journal_find(a->journal, "rollback", names->seize))
        return false;
    decide_write(d, names->seize, "Deployment", workload_of(a->plan, a->plan->target), WRITE_MERGE,
                 json_object());
    return true;
}

/* Before the workload changes, a late switch of the deployment that was pre-empted must not move
 * traffic to it any more: it may be the one that this was prepared on.  true when the Service still
 * has to be seized. */
static bool hold_service(const struct step_ask *a, struct decision *d) {
    if (journal_done(a->journal, "rollback", "seize-service"))
        return false;
    decide_write(d, "seize-service", "Service", a->plan->service, WRITE_MERGE, json_object());
    return true;
}

/* The workload holds the recorded template and enough replicas.  true when that still takes a
 * write. */
static bool bring_back(const struct step_ask *a, const struct bringing *names, struct decision *d) {
    const struct seen_workload *w = &a->seen->workload[a->plan->target];

    if (!w->exists)
        return false;
    if (*w->template_hash && !holds_template(a) &&
        !journal_find(a->journal, "rollback", names->restore)) {
        decide_replace(d, a, names->restore);
        return true;
    }
    if (w->replicas < wanted_replicas(a) && !count_is_theirs(w) &&
        !journal_find(a->journal, "rollback", names->scale)) {
        decide_scale(d, a, names->scale);
        return true;
    }
    return false;
}

static void seize_decide(const struct step_ask *a, struct decision *d) {
    const char *workload = workload_of(a->plan, a->plan->target);

    if (seize(a, &before_switch, d))
        return;
    if (journal_done(a->journal, "rollback", "seize-target"))
        decide_done(d, "Deployment %s is taken hold of", workload);
    else
        decide_done(d, "Deployment %s is taken hold of later: traffic goes first", workload);
}

static void may_move(const struct step_ask *a, struct decision *d, const char *why) {
    d->resolved = json_pack("{s:i}", "floor", floor_of(a));
    decide_done(d, "%s: %d pods of %s ready, %d of %s, floor %d", why, old_ready(a),
                color_names[a->plan->target], new_ready(a), color_names[left_of(a->plan)],
                floor_of(a));
}

static void prepare_decide(const struct step_ask *a, struct decision *d) {
    const struct seen_workload *w = &a->seen->workload[a->plan->target];
    int old = old_ready(a), new_ = new_ready(a), floor = floor_of(a);

    if (!a->seen->reachable) {
        decide_wait(d, 0, "The cluster does not answer: %s", a->seen->error);
        return;
    }
    if (serves_already(a)) {
        may_move(a, d, "It serves");
        return;
    }
    if (rollback_may_switch(old, new_, floor)) {
        may_move(a, d, "Traffic may move");
        return;
    }
    if (!w->exists) {
        decide_failed(d, "third-party-change", "Create the workload again, or deploy the version.",
                      "Deployment %s is gone", workload_of(a->plan, a->plan->target));
        return;
    }
    if (hold_service(a, d) || bring_back(a, &before_switch, d))
        return;
    decide_wait(d, a->seen->now_us + US_PER_S, "%s has %d of %d pods ready, while %s still has %d",
                color_names[a->plan->target], old, floor, color_names[left_of(a->plan)], new_);
    d->checks =
        CHECKS_LEFT; /* pods of the version being left that fail their checks count as none */
}

static void switch_decide(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;

    if (journal_done(a->journal, "rollback", "switch-back"))
        decide_done(d, "Service %s selects %s", p->service, color_names[p->target]);
    else
        blue_green_select(p, color_names[p->target], "switch-back", d);
}

/* What a later clean-up needs to know of the color that was left. */
static json_t *left_found(const struct step_ask *a) {
    const struct seen_workload *w = &a->seen->workload[left_of(a->plan)];

    return json_pack("{s:{s:b, s:s, s:s}}", "left", "exists", w->exists, "uid", w->uid,
                     "template_hash", w->template_hash);
}

/* What the pre-empted deployment wrote to: a stalled worker's late write to it must fail. */
static bool fence_left(const struct step_ask *a, struct decision *d) {
    const char *workload = workload_of(a->plan, left_of(a->plan));

    if (!json_is_object(json_object_get(a->plan->json, "took_over")) ||
        journal_find(a->journal, "rollback", "fence-left"))
        return false;
    decide_write(d, "fence-left", "Deployment", workload, WRITE_MERGE, json_object());
    return true;
}

/* What law 2 let traffic overtake is done now. */
static void complete_decide(const struct step_ask *a, struct decision *d) {
    const struct seen_service *s = &a->seen->service;
    int want, held, ready = s->endpoints_ready[a->plan->target];

    if (seize(a, &after_switch, d))
        return;
    if (!a->seen->reachable) {
        decide_wait(d, 0, "The cluster does not answer: %s", a->seen->error);
        return;
    }
    if (bring_back(a, &after_switch, d) || fence_left(a, d))
        return;
    want = a->seen->workload[a->plan->target].replicas;
    held = old_ready(a); /* endpoints may still be pods of another template under the same color */
    ready = ready < held ? ready : held;
    if (want > 0 && ready >= want &&
        s->endpoints_ready[left_of(a->plan)] + s->endpoints_other == 0) {
        d->resolved = left_found(a);
        decide_done(d, "%d endpoints of %s", ready, color_names[a->plan->target]);
        return;
    }
    if (a->seen->now_us > a->started_us + a->plan->available_s * US_PER_S)
        decide_failed(
            d, "deadline",
            "Look at the pods' events and logs: traffic is there, but it is short of pods.",
            "After %lld s %d of %d endpoints of %s are ready", (long long)a->plan->available_s,
            ready, want, color_names[a->plan->target]);
    else
        decide_wait(d, a->started_us + a->plan->available_s * US_PER_S,
                    "%d of %d endpoints of %s ready", ready, want, color_names[a->plan->target]);
}

static void marks_decide(const struct step_ask *a, struct decision *d) {
    adopt_decide(a, "rollback", d);
}

/* Takes back what the deployment that was pre-empted had applied. */
static void undo_decide(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;
    const json_t *before = json_object_get(p->json, "took_over");
    int64_t until = a->started_us + SETTLE_S * US_PER_S, replicas;

    if (!json_is_object(before)) {
        decide_skip(d, "no deployment was taken over");
        return;
    }
    replicas = json_bool(before, "exists", false) ? json_int(before, "replicas", 0) : 0;
    if (journal_done(a->journal, "rollback", "scale-left")) {
        decide_done(d, "Deployment %s has %lld replicas again", workload_of(p, left_of(p)),
                    (long long)replicas);
        return;
    }
    if (a->seen->now_us < until) {
        decide_wait(d, until, "%s keeps its pods for %d s after traffic left them",
                    workload_of(p, left_of(p)), SETTLE_S);
        return;
    }
    if (!a->seen->reachable) {
        decide_wait(d, 0, "The cluster does not answer: %s", a->seen->error);
        return;
    }
    if (!a->seen->workload[left_of(p)].exists) {
        decide_done(d, "Deployment %s is gone", workload_of(p, left_of(p)));
        return;
    }
    decide_write(d, "scale-left", "Deployment", workload_of(p, left_of(p)), WRITE_MERGE,
                 json_pack("{s:{}}", "spec"));
    if (!a->seen->workload[left_of(p)].autoscaler.exists || replicas == 0)
        json_object_set_new(json_at(d->write, "body", "spec", NULL), "replicas",
                            json_integer(replicas));
}

static const struct step_row rollback_rows[] = {
    {.name = "seize",
     .title = "Take hold of the version to return to",
     .look = LOOK_BLIND,
     .patience_ms = 300,
     .decide = seize_decide},
    {.name = "prepare",
     .title = "Bring it back as far as traffic has to wait for that",
     .look = LOOK_KNOWN,
     .decide = prepare_decide},
    {.name = "switch-traffic",
     .title = "Point the Service back",
     .look = LOOK_BLIND,
     .confirms = true,
     .decide = switch_decide},
    {.name = "await-endpoints",
     .title = "Wait until all traffic reaches it",
     .look = LOOK_FRESH,
     .decide = complete_decide},
    {.name = "adopt",
     .title = ADOPT_TITLE,
     .look = LOOK_BLIND,
     .adopts = true,
     .patience_ms = ADOPT_PATIENCE_MS,
     .decide = marks_decide},
    {.name = "undo-apply",
     .title = "Take back what the pre-empted deployment applied",
     .decide = undo_decide},
};

const struct step_row *rollback_steps(size_t *ret_count) {
    *ret_count = sizeof rollback_rows / sizeof *rollback_rows;
    return rollback_rows;
}

/* ---- kind traffic: the Service, and nothing else ---- */

static void traffic_seize_decide(const struct step_ask *a, struct decision *d) {
    if (!a->seen->reachable)
        decide_wait(d, 0, "The cluster does not answer: %s", a->seen->error);
    else if (!journal_done(a->journal, "traffic", "seize-service"))
        decide_write(d, "seize-service", "Service", a->plan->service, WRITE_MERGE, json_object());
    else if (!journal_done(a->journal, "traffic", "seize-target"))
        decide_write(d, "seize-target", "Deployment", workload_of(a->plan, a->plan->target),
                     WRITE_MERGE, json_object());
    else
        decide_done(d, "Service and workload are taken hold of");
}

static bool traffic_may_send(const struct step_ask *a, struct decision *d) {
    const struct seen_workload *w = &a->seen->workload[a->plan->target];
    int ready = w->pods_ready, floor = floor_of_color(a, left_of(a->plan));
    int64_t until = a->started_us + a->plan->checks_s * US_PER_S;

    if (!a->seen->reachable)
        decide_wait(d, 0, "The cluster does not answer: %s", a->seen->error);
    else if (ready >= floor)
        return true;
    else if (seen_template_unknown(w) && a->seen->now_us < until)
        decide_wait(d, until, "which pods are %s's is not known yet", color_names[a->plan->target]);
    else
        decide_failed(d, "deadline", "Scale it up, or deploy the version.",
                      "%s has %d of %d pods ready", color_names[a->plan->target], ready, floor);
    return false;
}

static void traffic_switch_decide(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;

    if (journal_done(a->journal, "traffic", "switch"))
        decide_done(d, "Service %s selects %s", p->service, color_names[p->target]);
    else if (traffic_may_send(a, d))
        decide_write(d, "switch", "Service", p->service, WRITE_MERGE,
                     blue_green_selector_patch(p, color_names[p->target]));
}

static void traffic_complete_decide(const struct step_ask *a, struct decision *d) {
    const struct seen_service *s = &a->seen->service;
    int ready = s->endpoints_ready[a->plan->target], floor = floor_of_color(a, left_of(a->plan));

    if (a->seen->reachable && ready >= floor &&
        s->endpoints_ready[left_of(a->plan)] + s->endpoints_other == 0) {
        d->resolved = left_found(a);
        decide_done(d, "%d endpoints of %s", ready, color_names[a->plan->target]);
    } else if (a->seen->now_us > a->started_us + a->plan->checks_s * US_PER_S)
        decide_failed(d, "deadline", "Look at the pods' events and logs.",
                      "%d of %d endpoints of %s are ready", ready, floor,
                      color_names[a->plan->target]);
    else
        decide_wait(d, a->started_us + a->plan->checks_s * US_PER_S,
                    "%d of %d endpoints of %s ready", ready, floor, color_names[a->plan->target]);
}

static const struct step_row traffic_rows[] = {
    {.name = "prepare",
     .title = "Take hold of the Service and the target",
     .look = LOOK_FRESH,
     .decide = traffic_seize_decide},
    {.name = "switch-traffic",
     .title = "Point the Service at it",
     .look = LOOK_FRESH,
     .cutover = "switch",
     .confirms = true,
     .decide = traffic_switch_decide,
     .may_send = traffic_may_send},
    {.name = "await-endpoints",
     .title = "Wait until all traffic reaches it",
     .decide = traffic_complete_decide},
};

const struct step_row *traffic_steps(size_t *ret_count) {
    *ret_count = sizeof traffic_rows / sizeof *traffic_rows;
    return traffic_rows;
}
