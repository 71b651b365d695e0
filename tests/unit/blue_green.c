/* tests/unit/blue_green.c: each step decides as the laws say, from plain values. */
#include "base/clock.h"
#include "base/ids.h"
#include "rollout/left.h"
#include "rollout/plan.h"
#include "rollout/step.h"
#include "tests/support/suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW (INT64_C(1800000000) * US_PER_S)

static const char spec_text[] =
    "{\"cluster\":\"local\",\"namespace\":\"production\",\"container\":\"app\",\"port\":3000,"
    "\"strategy\":\"blue-green\",\"blue_green\":{\"service\":\"inopnc-prod\",\"selector_key\":"
    "\"environment\","
    "\"colors\":{\"blue\":{\"deployment\":\"inopnc-blue\",\"service\":\"inopnc-blue-service\"},"
    "\"green\":{\"deployment\":\"inopnc-green\",\"service\":\"inopnc-green-service\"}},"
    "\"promote\":\"auto\",\"idle_rollout\":\"at-once\",\"keep_previous_s\":86400},"
    "\"checks\":{\"health\":[{\"name\":\"health\",\"path\":\"/api/"
    "health\"},{\"name\":\"ready\",\"path\":\"/r\"}],"
    "\"smoke\":[],\"production\":[]},\"deadlines\":{\"available_s\":600,\"checks_s\":120,"
    "\"validate_s\":30}}";

#define IMAGE "ghcr.io/your-org/inopnc-wm:v1.2.3"

/* A deployment of v1.2.3 to green while blue serves v1.2.2 with three pods, everything ready. */
struct world {
    json_t *json;
    struct plan plan;
    struct journal journal;
    struct seen seen;
    struct step_ask ask;
    struct decision decision;
};

static void world_start(struct world *w) {
    json_t *plan = json_object(), *resolved;

    memset(w, 0, sizeof *w);
    json_object_set_new(plan, "spec", json_parse(spec_text));
    json_object_set_new(
        plan, "target",
        json_pack("{s:s,s:s,s:s}", "color", "green", "version", "v1.2.3", "image", IMAGE));
    json_object_set_new(plan, "from", json_pack("{s:s}", "color", "blue"));
    json_object_set_new(plan, "documents", json_null());
    resolved = json_pack("{s:s,s:i,s:{s:b,s:i,s:s}}", "color", "blue", "floor", 3, "target",
                         "exists", 1, "replicas", 0, "strategy",
                         "{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":1}}");
    json_object_set_new(plan, "resolved", resolved);
    w->json = plan;
    ck_assert(plan_read(plan, &w->plan));
    w->seen = (struct seen){.now_us = NOW, .reachable = true, .fresh = true};
    w->seen.service =
        (struct seen_service){.exists = true, .color_known = true, .color = COLOR_BLUE, .port = 80};
    snprintf(w->seen.service.color_text, sizeof w->seen.service.color_text, "%s", "blue");
    for (Color c = COLOR_BLUE; c < COLORS; c++)
        w->seen.workload[c] = (struct seen_workload){.exists = true,
                                                     .replicas = 3,
                                                     .status_replicas = 3,
                                                     .updated = 3,
                                                     .available = 3,
                                                     .pods = 3,
                                                     .pods_ready = 3};
    snprintf(w->seen.workload[COLOR_GREEN].image, sizeof w->seen.workload[COLOR_GREEN].image, "%s",
             IMAGE);
    w->ask = (struct step_ask){&w->plan, &w->journal, &w->seen, NOW - US_PER_S};
}

static void world_end(struct world *w) {
    json_decref(w->decision.write);
    json_decref(w->decision.resolved);
    journal_clear(&w->journal);
    json_decref(w->json);
}

static void wrote(struct world *w, const char *job, const char *purpose, const char *kind,
                  const char *name, IntentResult result) {
    struct intent *n;

    w->journal.intents = xrealloc(w->journal.intents, (w->journal.count + 1) * sizeof *n);
    n = &w->journal.intents[w->journal.count++];
    *n = (struct intent){.job = xstrdup(job),
                         .step = xstrdup("x"),
                         .purpose = xstrdup(purpose),
                         .kind = xstrdup(kind),
                         .name = xstrdup(name),
                         .result = result};
}

static const struct decision *decide(struct world *w, const struct step_row *rows, size_t count,
                                     const char *name) {
    json_decref(w->decision.write);
    json_decref(w->decision.resolved);
    memset(&w->decision, 0, sizeof w->decision);
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0) {
            rows[i].decide(&w->ask, &w->decision);
            return &w->decision;
        }
    ck_abort_msg("no step %s", name);
    return NULL;
}

static const struct decision *step(struct world *w, const char *name) {
    size_t n;
    const struct step_row *rows = strategy_steps("blue-green", &n);

    return decide(w, rows, n, name);
}

static const struct decision *undo(struct world *w, const char *name) {
    size_t n;
    const struct step_row *rows = undo_steps(&n);

    return decide(w, rows, n, name);
}

/* Runs a test's block in a world of its own. */
#define WORLD(...)                                                                                 \
    struct world w;                                                                                \
    const struct decision *d = NULL;                                                               \
    (void)d;                                                                                       \
    world_start(&w);                                                                               \
    __VA_ARGS__                                                                                    \
    world_end(&w)

static void seized(struct world *w) {
    wrote(w, "deploy", "seize-service", "Service", "inopnc-prod", INTENT_DONE);
    wrote(w, "deploy", "seize-target", "Deployment", "inopnc-green", INTENT_DONE);
    wrote(w, "deploy", "seize-from", "Deployment", "inopnc-blue", INTENT_DONE);
}

START_TEST(resolve__refuses_a_service_that_is_missing_or_selects_no_color_or_the_target) {
    WORLD({
        d = step(&w, "resolve");
        ck_assert_int_eq(d->kind, DECIDE_DONE);
        ck_assert_str_eq(json_str(d->resolved, "color", ""), "blue");
        ck_assert_int_eq(json_int(d->resolved, "floor", 0), 3);
        w.seen.service.color = COLOR_GREEN;
        d = step(&w, "resolve");
        ck_assert_str_eq(d->code, "invalid-target");
        w.seen.service.color_known = false;
        ck_assert_str_eq(step(&w, "resolve")->code, "invalid-target");
        w.seen.service.exists = false;
        ck_assert_str_eq(step(&w, "resolve")->code, "invalid-target");
    });
}
END_TEST

START_TEST(apply__seizes_service_target_and_the_way_back_before_anything_else) {
    static const char *const order[] = {"seize-service", "seize-target", "seize-from",
                                        "apply-workload"};
    WORLD({
        for (size_t i = 0; i < 4; i++) {
            d = step(&w, "apply");
            ck_assert_int_eq(d->kind, DECIDE_WRITE);
            ck_assert_str_eq(d->purpose, order[i]);
            wrote(&w, "deploy", d->purpose, d->object_kind, d->object_name, INTENT_DONE);
        }
        ck_assert_int_eq(step(&w, "apply")->kind, DECIDE_DONE);
    });
}
END_TEST

/* Law 5: apply refuses, with the Service seized, a color that its selector names. */
START_TEST(law5__apply_never_changes_the_color_that_serves) {
    WORLD({
        seized(&w);
        w.seen.service.color = COLOR_GREEN;
        snprintf(w.seen.service.color_text, sizeof w.seen.service.color_text, "%s", "green");
        d = step(&w, "apply");
        ck_assert_int_eq(d->kind, DECIDE_FAILED);
        ck_assert_str_eq(d->code, "invalid-target");
    });
}
END_TEST

START_TEST(apply__an_idle_color_is_rolled_out_at_once_and_keeps_at_least_the_floor) {
    WORLD({
        seized(&w);
        w.seen.workload[COLOR_BLUE].replicas = 5;
        d = step(&w, "apply");
        ck_assert_int_eq(json_int(json_at(d->write, "body", "spec", NULL), "replicas", 0), 5);
        ck_assert_str_eq(
            json_str(json_at(d->write, "body", "spec", "strategy", "rollingUpdate", NULL),
                     "maxSurge", ""),
            "100%");
    });
}
END_TEST

START_TEST(available__puts_the_own_strategy_back_once_all_pods_exist) {
    WORLD({
        w.seen.workload[COLOR_GREEN].available = w.seen.workload[COLOR_GREEN].pods_ready = 0;
        d = step(&w, "await-available");
        ck_assert_str_eq(d->purpose, "restore-strategy");
        ck_assert_int_eq(
            json_int(json_at(d->write, "body", "spec", "strategy", "rollingUpdate", NULL),
                     "maxSurge", 0),
            1);
        wrote(&w, "deploy", "restore-strategy", "Deployment", "inopnc-green", INTENT_DONE);
        ck_assert_int_eq(step(&w, "await-available")->kind, DECIDE_WAIT);
        w.seen.workload[COLOR_GREEN].available = 3;
        ck_assert_int_eq(step(&w, "await-available")->kind, DECIDE_DONE);
    });
}
END_TEST

/* As kubectl rollout status: generation seen, all updated, no old ones left, all available. */
START_TEST(available__follows_the_rules_of_rollout_status) {
    static const struct {
        int64_t generation, observed;
        int replicas, updated, status, available;
        DecisionKind want;
        int ready, min_ready_s; /* a ready pod is available at once, or after that */
    } cases[] = {
        {2, 1, 3, 3, 3, 3, DECIDE_WAIT, 3, 0}, {2, 2, 3, 2, 3, 3, DECIDE_WAIT, 3, 0},
        {2, 2, 3, 3, 4, 3, DECIDE_WAIT, 3, 0}, {2, 2, 3, 3, 3, 2, DECIDE_WAIT, 2, 0},
        {2, 2, 3, 3, 3, 3, DECIDE_DONE, 0, 0}, {2, 2, 3, 3, 3, 0, DECIDE_DONE, 3, 0},
        {2, 2, 3, 3, 3, 0, DECIDE_WAIT, 3, 5}, {2, 2, 3, 3, 3, 3, DECIDE_DONE, 3, 5},
    };
    WORLD({
        wrote(&w, "deploy", "restore-strategy", "Deployment", "inopnc-green", INTENT_DONE);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct seen_workload *g = &w.seen.workload[COLOR_GREEN];

            g->generation = cases[i].generation;
            g->observed_generation = cases[i].observed;
            g->replicas = cases[i].replicas;
            g->updated = cases[i].updated;
            g->status_replicas = cases[i].status;
            g->available = cases[i].available;
            g->pods_ready = cases[i].ready;
            g->min_ready_s = cases[i].min_ready_s;
            d = step(&w, "await-available");
            ck_assert_msg(d->kind == cases[i].want, "case %zu: %d", i, (int)d->kind);
        }
    });
}
END_TEST

START_TEST(available__ends_early_with_the_reason) {
    static const char *const codes[] = {"image-pull", "crash-loop", "quota"};
    WORLD({
        for (size_t i = 0; i < 3; i++) {
            w.seen.workload[COLOR_GREEN].trouble.code = codes[i];
            snprintf(w.seen.workload[COLOR_GREEN].trouble.detail, SEEN_TEXT,
                     "pod p, container app");
            d = step(&w, "await-available");
            ck_assert_str_eq(d->code, codes[i]);
            ck_assert_str_eq(d->detail, "pod p, container app");
            ck_assert_ptr_nonnull(d->hint);
        }
        w.seen.workload[COLOR_GREEN].trouble.code = "unschedulable"; /* a node may still come */
        ck_assert_int_eq(step(&w, "await-available")->kind, DECIDE_WAIT);
        w.ask.started_us = NOW - 11 * US_PER_S;
        ck_assert_str_eq(step(&w, "await-available")->code, "unschedulable");
    });
}
END_TEST

START_TEST(available__has_a_deadline) {
    WORLD({
        w.seen.workload[COLOR_GREEN].available = w.seen.workload[COLOR_GREEN].pods_ready = 1;
        wrote(&w, "deploy", "restore-strategy", "Deployment", "inopnc-green", INTENT_DONE);
        w.ask.started_us = NOW - 600 * US_PER_S;
        ck_assert_str_eq(step(&w, "await-available")->code, "deadline");
    });
}
END_TEST

/* Law 3: no evidence is a third answer: it neither passes nor breaches. */
START_TEST(law3__checks_pass_only_when_each_has_positively_passed) {
    WORLD({
        d = step(&w, "health-checks");
        ck_assert_int_eq(d->kind, DECIDE_WAIT);
        ck_assert_int_eq(d->checks, CHECKS_HEALTH);
        w.seen.check_count = 1; /* one of two is known */
        w.seen.checks[0] =
            (struct seen_check){.name = "health", .passed = 3, .needed = 3, .allowed = 3};
        ck_assert_int_eq(step(&w, "health-checks")->kind, DECIDE_WAIT);
        w.seen.check_count = 2;
        w.seen.checks[1] =
            (struct seen_check){.name = "ready", .passed = 0, .needed = 1, .allowed = 3};
        ck_assert_int_eq(step(&w, "health-checks")->kind, DECIDE_WAIT);
        w.ask.started_us = NOW - 120 * US_PER_S; /* no answer in time is not a pass */
        ck_assert_str_eq(step(&w, "health-checks")->code, "deadline");
        w.ask.started_us = NOW;
        w.seen.checks[1].failed = 3;
        ck_assert_str_eq(step(&w, "health-checks")->code, "check-failed");
        w.seen.checks[1] =
            (struct seen_check){.name = "ready", .passed = 1, .needed = 1, .allowed = 3};
        ck_assert_int_eq(step(&w, "health-checks")->kind, DECIDE_DONE);
        ck_assert_int_eq(step(&w, "smoke-checks")->kind, DECIDE_SKIP);
    });
}
END_TEST

/* Law 6: traffic moves only to a color that has the floor ready, now. */
START_TEST(law6__switch_needs_as_many_ready_pods_as_the_active_color_has_replicas) {
    WORLD({
        d = step(&w, "switch-traffic");
        ck_assert_int_eq(d->kind, DECIDE_WRITE);
        ck_assert_str_eq(
            json_str(json_at(d->write, "body", "spec", "selector", NULL), "environment", ""),
            "green");
        w.seen.workload[COLOR_BLUE].replicas = 4; /* an autoscaler's doing: the target follows */
        ck_assert_str_eq(step(&w, "switch-traffic")->named, "raise-4");
        wrote(&w, "deploy", "raise-4", "Deployment", "inopnc-green", INTENT_DONE);
        ck_assert_int_eq(step(&w, "switch-traffic")->kind, DECIDE_WAIT);
        w.seen.workload[COLOR_GREEN].pods_ready = 4;
        ck_assert_int_eq(step(&w, "switch-traffic")->kind, DECIDE_WRITE);
        w.seen.workload[COLOR_BLUE].replicas = 0;
        w.seen.workload[COLOR_GREEN].pods_ready = 0; /* the floor is never below one */
        ck_assert_int_eq(step(&w, "switch-traffic")->kind, DECIDE_WAIT);
    });
}
END_TEST

START_TEST(switch__stops_when_somebody_else_changed_selector_or_image) {
    WORLD({
        snprintf(w.seen.workload[COLOR_GREEN].image, sizeof w.seen.workload[COLOR_GREEN].image,
                 "%s", "other:v9");
        ck_assert_str_eq(step(&w, "switch-traffic")->code, "third-party-change");
        snprintf(w.seen.workload[COLOR_GREEN].image, sizeof w.seen.workload[COLOR_GREEN].image,
                 "%s", IMAGE);
        snprintf(w.seen.service.color_text, sizeof w.seen.service.color_text, "%s", "purple");
        w.seen.service.color_known = false;
        ck_assert_str_eq(step(&w, "switch-traffic")->code, "third-party-change");
    });
}
END_TEST

START_TEST(endpoints__waits_until_only_the_target_answers) {
    WORLD({
        w.seen.service.color = COLOR_GREEN;
        w.seen.service.endpoints_ready[COLOR_GREEN] = 3;
        w.seen.service.endpoints_ready[COLOR_BLUE] = 1;
        ck_assert_int_eq(step(&w, "await-endpoints")->kind, DECIDE_WAIT);
        w.seen.service.endpoints_ready[COLOR_BLUE] = 0;
        ck_assert_int_eq(step(&w, "await-endpoints")->kind, DECIDE_DONE);
    });
}
END_TEST

START_TEST(undo__writes_service_and_workloads_with_intents_even_when_they_look_right) {
    WORLD({
        seized(&w);
        d = undo(&w, "undo-traffic");
        ck_assert_str_eq(d->purpose, "restore-service");
        ck_assert_str_eq(
            json_str(json_at(d->write, "body", "spec", "selector", NULL), "environment", ""),
            "blue");
        ck_assert_str_eq(undo(&w, "undo-fence")->purpose, "fence-from");
        d = undo(&w, "undo-apply");
        ck_assert_str_eq(d->purpose, "scale-target");
        ck_assert_int_eq(json_int(json_at(d->write, "body", "spec", NULL), "replicas", -1), 0);
    });
}
END_TEST

START_TEST(undo__of_nothing_writes_nothing) {
    WORLD({
        ck_assert_int_eq(undo(&w, "undo-traffic")->kind, DECIDE_SKIP);
        ck_assert_int_eq(undo(&w, "undo-fence")->kind, DECIDE_SKIP);
        d = undo(&w, "undo-apply");
        ck_assert_int_eq(d->kind, DECIDE_SKIP);
    });
}
END_TEST

START_TEST(law5__an_abort_of_nothing_writes_the_service_all_the_same) {
    WORLD({
        json_object_set_new((json_t *)(uintptr_t)w.plan.json, "failure",
                            json_pack("{s:s}", "code", "aborted"));
        d = undo(&w, "undo-traffic");
        ck_assert_str_eq(d->purpose, "fence-service");
        ck_assert_uint_eq(json_object_size(json_object_get(d->write, "body")), 0);
    });
}
END_TEST

/* Law 6: what served keeps its pods for 30 s; an intent counts, whatever came of it. */
START_TEST(law6__undo_scales_down_what_served_only_after_30_s) {
    WORLD({
        seized(&w);
        wrote(&w, "deploy", "switch", "Service", "inopnc-prod", INTENT_OPEN);
        d = undo(&w, "undo-apply");
        ck_assert_int_eq(d->kind, DECIDE_WAIT);
        w.ask.started_us = NOW - 30 * US_PER_S; /* and once what serves has all of its own */
        w.seen.service.endpoints_ready[COLOR_BLUE] = 2;
        ck_assert_int_eq(undo(&w, "undo-apply")->kind, DECIDE_WAIT);
        w.seen.service.endpoints_ready[COLOR_BLUE] = 3;
        ck_assert_int_eq(undo(&w, "undo-apply")->kind, DECIDE_WRITE);
        w.seen.service.endpoints_ready[COLOR_BLUE] = 0;
        w.ask.started_us = NOW - 601 * US_PER_S;
        ck_assert_str_eq(undo(&w, "undo-apply")->code, "deadline");
    });
}
END_TEST

/* Law 2: with fewer pods than the floor and than the new version it waits for more; 0:0 moves. */
START_TEST(law2__undo_brings_up_what_somebody_scaled_down_before_traffic_returns) {
    static const struct {
        bool switched, exists, autoscaled;
        int replicas, ready, new_ready;
        DecisionKind want;
    } cases[] = {
        {true, true, false, 3, 3, 3, DECIDE_SKIP},   {true, true, false, 3, 2, 2, DECIDE_SKIP},
        {true, true, false, 0, 0, 0, DECIDE_SKIP},   {true, true, false, 0, 0, 3, DECIDE_WRITE},
        {true, true, false, 3, 1, 3, DECIDE_WAIT},   {true, true, true, 1, 1, 3, DECIDE_WAIT},
        {true, true, true, 0, 0, 3, DECIDE_WRITE},   {true, false, false, 0, 0, 3, DECIDE_FAILED},
        {false, false, false, 0, 0, 3, DECIDE_SKIP}, {true, false, false, 0, 0, 0, DECIDE_SKIP},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WORLD({
            struct seen_workload *old = &w.seen.workload[COLOR_BLUE];

            seized(&w);
            if (cases[i].switched)
                wrote(&w, "deploy", "switch", "Service", "inopnc-prod", INTENT_DONE);
            old->exists = cases[i].exists;
            old->replicas = cases[i].replicas;
            old->pods_ready = cases[i].ready;
            old->autoscaler.exists = cases[i].autoscaled;
            w.seen.workload[COLOR_GREEN].pods_ready = cases[i].new_ready;
            d = undo(&w, "undo-prepare");
            ck_assert_msg(d->kind == cases[i].want, "case %zu: %d %s", i, (int)d->kind, d->detail);
            if (d->kind == DECIDE_WRITE)
                ck_assert_int_eq(json_int(json_at(d->write, "body", "spec", NULL), "replicas", 0),
                                 3);
        });
    }
}
END_TEST

START_TEST(undo__traffic_goes_back_without_looking_at_the_cluster) {
    WORLD({
        size_t n;
        const struct step_row *rows = undo_steps(&n);

        ck_assert(rows[0].look == LOOK_GLANCE && rows[1].look == LOOK_BLIND);
        seized(&w);
        w.seen.reachable = false;
        ck_assert_int_eq(undo(&w, "undo-prepare")->kind, DECIDE_SKIP);
        d = undo(&w, "undo-traffic");
        ck_assert_int_eq(d->kind, DECIDE_WRITE);
    });
}
END_TEST

static const char manifest_text[] =
    "[{\"apiVersion\":\"apps/"
    "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"inopnc-${COLOR}\"},\"spec\":{"
    "\"replicas\":3,\"selector\":{\"matchLabels\":{\"app\":\"inopnc\",\"environment\":\"${COLOR}\"}"
    "},\"template\":{"
    "\"metadata\":{\"labels\":{\"app\":\"inopnc\",\"environment\":\"${COLOR}\"}},\"spec\":{"
    "\"containers\":["
    "{\"name\":\"app\",\"image\":\"${IMAGE}\"}]}}}}]";

START_TEST(undo__points_back_with_the_whole_selector_that_resolve_found) {
    WORLD({
        json_t *service =
            json_pack("{s:{s:s, s:s}}", "selector", "app", "inopnc", "environment", "blue");

        seized(&w);
        json_object_set_new(json_object_get(w.json, "resolved"), "service", service);
        d = undo(&w, "undo-traffic");
        ck_assert_str_eq(json_str(d->write, "verb", ""), WRITE_SELECT);
        ck_assert_str_eq(json_str(json_at(d->write, "body", "spec", "selector", NULL), "app", ""),
                         "inopnc");
    });
}
END_TEST

/* ---- other hands ---- */

static void changed(struct seen_change *c, ChangeKind kind) {
    c->kind = kind;
    snprintf(c->field, sizeof c->field, "spec.replicas");
    snprintf(c->was, sizeof c->was, "3");
    snprintf(c->is, sizeof c->is, "1");
    snprintf(c->by, sizeof c->by, "kubectl-scale");
}

static const char *const forward_steps[] = {
    "apply",          "await-available", "health-checks",       "smoke-checks",
    "switch-traffic", "await-endpoints", "validate-production",
};

START_TEST(hands__each_forward_step_stops_before_a_change_and_names_it) {
    static const ChangeKind kinds[] = {CHANGE_FIELD, CHANGE_GONE, CHANGE_CREATED, CHANGE_REPLACED};

    for (size_t i = 0; i < sizeof forward_steps / sizeof *forward_steps; i++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            for (int object = 0; object < 2; object++) {
                WORLD({
                    seized(&w);
                    changed(object ? &w.seen.workload[COLOR_GREEN].change : &w.seen.service.change,
                            kinds[k]);
                    d = step(&w, forward_steps[i]);
                    ck_assert_msg(d->kind == DECIDE_FAILED, "%s %d", forward_steps[i], (int)k);
                    ck_assert_str_eq(d->code, "third-party-change");
                    ck_assert_ptr_nonnull(
                        strstr(d->detail, object ? "inopnc-green" : "inopnc-prod"));
                    if (kinds[k] == CHANGE_FIELD)
                        ck_assert_ptr_nonnull(
                            strstr(d->detail, "spec.replicas is 1, was 3 (by kubectl-scale)"));
                });
            }
}
END_TEST

static const struct step_row *switch_row(void) {
    size_t n;
    const struct step_row *row = strategy_steps("blue-green", &n);

    while (strcmp(row->name, "switch-traffic") != 0)
        row++;
    return row;
}

START_TEST(hands__the_version_that_served_counts_until_traffic_left_it) {
    WORLD({
        seized(&w);
        changed(&w.seen.workload[COLOR_BLUE].change, CHANGE_FIELD);
        ck_assert_str_eq(step(&w, "switch-traffic")->code, "third-party-change");
        w.seen.workload[COLOR_BLUE].change.kind = CHANGE_GONE; /* then the new one is the way out */
        ck_assert_int_eq(step(&w, "switch-traffic")->kind, DECIDE_WRITE);
        changed(&w.seen.workload[COLOR_BLUE].change, CHANGE_FIELD);
        wrote(&w, "deploy", "switch", "Service", "inopnc-prod", INTENT_OPEN); /* not sent yet */
        ck_assert(!switch_row()->may_send(&w.ask, &w.decision));
        ck_assert_str_eq(w.decision.code, "third-party-change");
        wrote(&w, "deploy", "switch", "Service", "inopnc-prod", INTENT_DONE);
        ck_assert_int_eq(step(&w, "switch-traffic")->kind, DECIDE_DONE);
    });
}
END_TEST

START_TEST(hands__a_change_is_what_differs_from_our_last_write) {
    WORLD({
        json_t *resolved = json_object_get(w.json, "resolved");
        const char *left;

        left_compare(&w.plan, &w.journal, &w.seen); /* a plan of before: nothing is known */
        ck_assert_int_eq(w.seen.service.change.kind, CHANGE_NONE);
        json_object_set_new(resolved, "service",
                            json_pack("{s:s}", "comparable", "{\"spec\":{\"a\":1}}"));
        w.seen.service.comparable = xstrdup("{\"spec\":{\"a\":1}}");
        left_compare(&w.plan, &w.journal, &w.seen);
        ck_assert_int_eq(w.seen.service.change.kind, CHANGE_NONE);
        left_set(&w.journal, "Service", "inopnc-prod", "{\"spec\":{\"a\":2}}", false);
        left_compare(&w.plan, &w.journal, &w.seen); /* an earlier deployment's: resolve is later */
        ck_assert_int_eq(w.seen.service.change.kind, CHANGE_NONE);
        left_set(&w.journal, "Service", "inopnc-prod", "{\"spec\":{\"a\":2}}", true);
        left_compare(&w.plan, &w.journal, &w.seen);
        ck_assert_str_eq(w.seen.service.change.field, "spec.a");
        ck_assert_str_eq(w.seen.service.change.was, "2");
        wrote(&w, "deploy", "switch", "Service", "inopnc-prod", INTENT_OPEN);
        snprintf(w.journal.intents[0].op, sizeof w.journal.intents[0].op, "op-1");
        ck_assert(!left_find(&w.plan, &w.journal, "Service", "inopnc-prod", "op-1", &left));
        ck_assert(left_find(&w.plan, &w.journal, "Service", "inopnc-prod", "other", &left));
        seen_done(&w.seen);
    });
}
END_TEST

/* Never a count under an autoscaler; one at rest, or none yet, is begun with a number. */
START_TEST(autoscaler__keeps_its_count) {
    static const struct {
        bool exists;
        int replicas, before, applied, undone; /* -1: none is written */
    } cases[] = {{true, 4, 4, -1, -1}, {true, 0, 0, 5, 0}, {false, 0, 0, 5, -2}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WORLD({
            struct seen_workload *g = &w.seen.workload[COLOR_GREEN];
            json_t *target = json_object_get(json_object_get(w.json, "resolved"), "target");

            seized(&w);
            json_object_set_new(target, "replicas", json_integer(cases[i].before));
            g->autoscaler = (struct seen_autoscaler){.exists = true, .least = 5, .most = 9};
            g->exists = cases[i].exists;
            g->replicas = cases[i].replicas;
            d = step(&w, "apply");
            ck_assert_int_eq(json_int(json_at(d->write, "body", "spec", NULL), "replicas", -1),
                             cases[i].applied);
            if (cases[i].undone != -2) {
                d = undo(&w, "undo-apply");
                ck_assert_int_eq(json_int(json_at(d->write, "body", "spec", NULL), "replicas", -1),
                                 cases[i].undone);
            }
        });
    }
}
END_TEST

START_TEST(resolve__leaves_what_gitops_owns_alone) {
    WORLD({
        snprintf(w.seen.service.gitops, SEEN_TEXT, "Argo CD (x)");
        d = step(&w, "resolve");
        ck_assert_str_eq(d->code, "invalid-target");
        ck_assert_ptr_nonnull(strstr(d->detail, "selector of Service inopnc-prod"));
        ck_assert_ptr_nonnull(strstr(d->hint, "ignoreDifferences"));
        w.seen.service.gitops[0] = '\0';
        snprintf(w.seen.workload[COLOR_GREEN].gitops, SEEN_TEXT, "Flux");
        d = step(&w, "resolve");
        ck_assert_ptr_nonnull(strstr(d->detail, "image of Deployment inopnc-green"));
    });
}
END_TEST

START_TEST(documents__are_rendered_for_the_target) {
    struct arena arena = {0};
    json_auto_t *spec = json_parse(spec_text), *documents = json_parse(manifest_text), *plan = NULL;
    struct seen seen = {.service = {.exists = true, .color_known = true, .color = COLOR_BLUE}};
    const struct plan_request in = {.spec = spec,
                                    .version = "v1.2.3",
                                    .image = "ghcr.io/o/i:v1.2.3",
                                    .digest = "sha256:abc",
                                    .documents = documents,
                                    .seen = &seen};
    const char *why = NULL;

    ck_assert_int_eq(plan_make(&in, &arena, &plan, &why), STATUS_OK);
    ck_assert_str_eq(json_str(json_pointer(plan, "/documents/0/metadata"), "name", ""),
                     "inopnc-green");
    ck_assert_str_eq(json_str(json_pointer(plan, "/documents/0/metadata"), "namespace", ""),
                     "production");
    ck_assert_str_eq(
        json_str(json_pointer(plan, "/documents/0/spec/template/spec/containers/0"), "image", ""),
        "ghcr.io/o/i:v1.2.3@sha256:abc");
    ck_assert(json_is_null(json_object_get(plan, "from")));
    arena_done(&arena);
}
END_TEST

START_TEST(documents__what_may_not_be_there_is_refused_by_name) {
    static const struct {
        const char *pointer, *value, *says;
    } cases[] = {
        {"kind", "\"Secret\"", "Secrets are never stored"},
        {"kind", "\"ClusterRole\"", "is not one of the kinds"},
        {"metadata", "{\"name\":\"inopnc-blue\"}", "belongs to the other color"},
        {"metadata", "{\"name\":\"inopnc-green\",\"namespace\":\"kube-system\"}",
         "is not the environment's namespace"},
        {"metadata", "{\"name\":\"x\"}", "no document is the Deployment"},
        {"metadata", "{}", "metadata.name: is required"},
        {"spec", "{\"template\":{\"spec\":{\"containers\":[]}}}", "no container is called app"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        json_auto_t *spec = json_parse(spec_text), *documents = json_parse(manifest_text);
        const char *why = NULL;

        json_object_set_new(json_array_get(documents, 0), cases[i].pointer,
                            json_parse(cases[i].value));
        ck_assert_int_eq(plan_check_documents(spec, documents, &arena, &why), E_INVALID_BODY);
        ck_assert_msg(strstr(why, cases[i].says) != NULL, "case %zu: %s", i, why);
        arena_done(&arena);
    }
}
END_TEST

int main(void) {
    return RUN_SUITE(
        "blue_green", 10,
        resolve__refuses_a_service_that_is_missing_or_selects_no_color_or_the_target,
        apply__seizes_service_target_and_the_way_back_before_anything_else,
        law5__apply_never_changes_the_color_that_serves,
        apply__an_idle_color_is_rolled_out_at_once_and_keeps_at_least_the_floor,
        available__puts_the_own_strategy_back_once_all_pods_exist,
        available__follows_the_rules_of_rollout_status, available__ends_early_with_the_reason,
        available__has_a_deadline, law3__checks_pass_only_when_each_has_positively_passed,
        law6__switch_needs_as_many_ready_pods_as_the_active_color_has_replicas,
        switch__stops_when_somebody_else_changed_selector_or_image,
        endpoints__waits_until_only_the_target_answers,
        undo__writes_service_and_workloads_with_intents_even_when_they_look_right,
        undo__of_nothing_writes_nothing, law5__an_abort_of_nothing_writes_the_service_all_the_same,
        law2__undo_brings_up_what_somebody_scaled_down_before_traffic_returns,
        undo__points_back_with_the_whole_selector_that_resolve_found,
        hands__each_forward_step_stops_before_a_change_and_names_it,
        hands__the_version_that_served_counts_until_traffic_left_it,
        hands__a_change_is_what_differs_from_our_last_write, autoscaler__keeps_its_count,
        resolve__leaves_what_gitops_owns_alone, law6__undo_scales_down_what_served_only_after_30_s,
        undo__traffic_goes_back_without_looking_at_the_cluster,
        documents__are_rendered_for_the_target,
        documents__what_may_not_be_there_is_refused_by_name);
}
