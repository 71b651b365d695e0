/* tests/unit/rollback.c: what a rollback, traffic by hand and a clean-up decide, from plain values.
 */
#include "rollout/rollback.h"
#include "base/clock.h"
#include "rollout/step.h"
#include "tests/support/deployed.h"
#include "tests/support/suite.h"
#include <stdio.h>
#include <string.h>

#define NOW (INT64_C(1800000000) * US_PER_S)

/* ---- steps ---- */

/* The rollback from green (v1.2.3, serves) to blue (v1.2.2): both with three ready pods. */
struct place {
    json_t *json;
    struct plan plan;
    struct journal journal;
    struct seen seen;
    struct step_ask ask;
    struct decision decision;
    const char *kind;
};

static void set_hash(struct seen_workload *w, const char *hash) {
    snprintf(w->template_hash, sizeof w->template_hash, "%s", hash);
}

static void see_everything(struct seen *seen) {
    *seen = (struct seen){.now_us = NOW, .reachable = true, .fresh = true};
    seen->service =
        (struct seen_service){.exists = true, .color_known = true, .color = COLOR_GREEN};
    seen->service.endpoints_ready[COLOR_GREEN] = 3;
    for (Color c = COLOR_BLUE; c < COLORS; c++) {
        seen->workload[c] =
            (struct seen_workload){.exists = true, .replicas = 3, .pods = 3, .pods_ready = 3};
        set_hash(&seen->workload[c], c == COLOR_BLUE ? "h122" : "h123");
    }
}

static void start(struct place *p, const char *kind, json_t *plan) {
    memset(p, 0, sizeof *p);
    p->kind = kind;
    p->json = plan;
    ck_assert(plan_read(plan, &p->plan));
    see_everything(&p->seen);
    p->ask = (struct step_ask){&p->plan, &p->journal, &p->seen, NOW - US_PER_S};
}

static void start_rollback(struct place *p, bool took_over) {
    json_auto_t *last = deployed();

    start(p, "rollback", plan_of(last, last, COLOR_GREEN, took_over));
}

static void end(struct place *p) {
    json_decref(p->decision.write);
    json_decref(p->decision.resolved);
    journal_clear(&p->journal);
    json_decref(p->json);
}

static void wrote(struct place *p, const char *purpose, IntentResult result) {
    struct intent *n;

    p->journal.intents = xrealloc(p->journal.intents, (p->journal.count + 1) * sizeof *n);
    n = &p->journal.intents[p->journal.count++];
    *n = (struct intent){.job = xstrdup(p->kind),
                         .step = xstrdup("x"),
                         .purpose = xstrdup(purpose),
                         .kind = xstrdup("Deployment"),
                         .name = xstrdup("x"),
                         .result = result};
}

static const struct step_row *row_of(const struct place *p, const char *name) {
    size_t n = 0;
    const struct step_row *rows = job_steps(p->kind, "", &n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    ck_abort_msg("no step %s", name);
    return NULL;
}

static const struct decision *step(struct place *p, const char *name) {
    json_decref(p->decision.write);
    json_decref(p->decision.resolved);
    memset(&p->decision, 0, sizeof p->decision);
    row_of(p, name)->decide(&p->ask, &p->decision);
    return &p->decision;
}

static void expect_kind(struct place *p, const char *name, DecisionKind kind) {
    const struct decision *d = step(p, name);

    ck_assert_msg(d->kind == kind, "%s: decided %d: %s", name, (int)d->kind, d->detail);
}

/* The write that a step decides; its body. */
static const json_t *expect_write(struct place *p, const char *name, const char *purpose,
                                  const char *object) {
    const struct decision *d = step(p, name);

    ck_assert_msg(d->kind == DECIDE_WRITE, "%s: decided %d: %s", name, (int)d->kind, d->detail);
    ck_assert_str_eq(d->purpose, purpose);
    ck_assert_str_eq(d->object_name, object);
    return json_object_get(d->write, "body");
}

/* A late switch of what was pre-empted may not reach what is brought back. */
static void expect_hold(struct place *p) {
    ck_assert_uint_eq(json_object_size(expect_write(p, "prepare", "seize-service", "inopnc-prod")),
                      0);
    wrote(p, "seize-service", INTENT_DONE);
}

static const json_t *spec_in(const json_t *body) {
    return json_object_get(body, "spec");
}

START_TEST(rollback__seizes_the_workload_before_it_counts_pods) {
    struct place p;

    start_rollback(&p, false);
    ck_assert_uint_eq(json_object_size(expect_write(&p, "seize", "seize-target", "inopnc-blue")),
                      0);
    wrote(&p, "seize-target", INTENT_DONE);
    expect_kind(&p, "seize", DECIDE_DONE);
    expect_kind(&p, "prepare", DECIDE_DONE);
    ck_assert_int_eq(json_int(p.decision.resolved, "floor", 0), 3);
    end(&p);
}
END_TEST

START_TEST(law2__traffic_goes_first_when_seizing_fails_and_the_rest_comes_later) {
    struct place p;

    start_rollback(&p, false);
    ck_assert_int_eq(row_of(&p, "seize")->patience_ms, 300);
    ck_assert(row_of(&p, "seize")->look == LOOK_BLIND); /* nothing to wait for */
    wrote(&p, "seize-target", INTENT_REFUSED);
    expect_kind(&p, "seize", DECIDE_DONE);
    expect_kind(&p, "prepare", DECIDE_DONE);
    expect_write(&p, "switch-traffic", "switch-back", "inopnc-prod");
    wrote(&p, "switch-back", INTENT_DONE);
    p.seen.workload[COLOR_BLUE].replicas = 1; /* and bringing it back comes later too */
    expect_write(&p, "await-endpoints", "seize-late", "inopnc-blue");
    p.seen.reachable = false; /* seizing needs no look */
    expect_write(&p, "await-endpoints", "seize-late", "inopnc-blue");
    p.seen.reachable = true;
    wrote(&p, "seize-late", INTENT_DONE);
    expect_write(&p, "await-endpoints", "scale-late", "inopnc-blue");
    end(&p);
}
END_TEST

/* Only the seizure is given up: what traffic has to wait for is tried until it is done. */
START_TEST(rollback__bringing_back_has_no_patience_to_lose) {
    struct place p;

    start_rollback(&p, false);
    ck_assert_int_eq(row_of(&p, "prepare")->patience_ms, 0);
    ck_assert_int_eq(row_of(&p, "switch-traffic")->patience_ms, 0);
    ck_assert_int_eq(row_of(&p, "await-endpoints")->patience_ms, 0);
    end(&p);
}
END_TEST

START_TEST(law2__a_short_old_color_is_scaled_to_the_floor_and_looked_at_again) {
    struct place p;

    start_rollback(&p, false);
    wrote(&p, "seize-target", INTENT_DONE);
    p.seen.workload[COLOR_BLUE].replicas = p.seen.workload[COLOR_BLUE].pods_ready = 0;
    p.seen.workload[COLOR_GREEN].replicas = 5;
    expect_hold(&p);
    ck_assert_int_eq(/* max(recorded, the active color's) */
                     json_int(spec_in(expect_write(&p, "prepare", "scale-up", "inopnc-blue")),
                              "replicas", 0),
                     5);
    wrote(&p, "scale-up", INTENT_DONE);
    p.seen.workload[COLOR_BLUE].replicas = 5;
    p.seen.workload[COLOR_BLUE].pods_ready = 2;
    expect_kind(&p, "prepare", DECIDE_WAIT);
    ck_assert_int_eq(p.decision.checks, CHECKS_LEFT);
    ck_assert(p.decision.until_us <= NOW + US_PER_S);
    p.seen.workload[COLOR_GREEN].pods_ready = 2; /* no worse than what is left by now */
    expect_kind(&p, "prepare", DECIDE_DONE);
    p.seen.workload[COLOR_GREEN].pods_ready = 3;
    p.seen.workload[COLOR_BLUE].pods_ready = 5;
    expect_kind(&p, "prepare", DECIDE_DONE);
    end(&p);
}
END_TEST

START_TEST(law2__pods_that_fail_the_health_checks_count_as_none) {
    struct place p;

    start_rollback(&p, false);
    wrote(&p, "seize-target", INTENT_DONE);
    wrote(&p, "seize-service", INTENT_DONE);
    p.seen.workload[COLOR_BLUE].pods_ready = 1;
    p.seen.check_count = 1;
    p.seen.checks[0] =
        (struct seen_check){.name = "health", .needed = 1, .allowed = 3, .passed = 1};
    expect_kind(&p, "prepare", DECIDE_WAIT);
    p.seen.checks[0] =
        (struct seen_check){.name = "health", .needed = 1, .allowed = 3, .failed = 1};
    expect_kind(&p, "prepare", DECIDE_DONE);
    end(&p);
}
END_TEST

START_TEST(rollback__only_pods_of_the_recorded_template_are_the_old_version) {
    struct place p;
    const json_t *body;

    start_rollback(&p, false);
    wrote(&p, "seize-target", INTENT_DONE);
    set_hash(&p.seen.workload[COLOR_BLUE], "h-aborted"); /* what an aborted deployment left there */
    expect_hold(&p);
    body = expect_write(&p, "prepare", "restore-template", "inopnc-blue");
    ck_assert_str_eq(json_str(p.decision.write, "verb", ""), WRITE_REPLACE);
    ck_assert_int_eq(json_int(json_at(spec_in(body), "template", "spec", NULL), "n", 0), 122);
    ck_assert_int_eq(json_int(spec_in(body), "replicas", 0), 3);
    ck_assert_str_eq(
        json_str(json_at(body, "metadata", "annotations", NULL), "sluice.dev/version", ""),
        "v1.2.2");
    set_hash(&p.seen.workload[COLOR_BLUE], ""); /* the controller has not followed yet */
    expect_kind(&p, "prepare", DECIDE_WAIT);
    wrote(&p, "restore-template", INTENT_DONE);
    expect_kind(&p, "prepare", DECIDE_WAIT); /* its pods are not known yet */
    set_hash(&p.seen.workload[COLOR_BLUE], "h122");
    expect_kind(&p, "prepare", DECIDE_DONE);
    end(&p);
}
END_TEST

START_TEST(law2__a_worse_version_is_left_at_once_and_the_template_comes_later) {
    struct place p;

    start_rollback(&p, false);
    wrote(&p, "seize-target", INTENT_DONE);
    set_hash(&p.seen.workload[COLOR_BLUE], "h-aborted");
    p.seen.workload[COLOR_GREEN].pods_ready = 0; /* 0:0 */
    expect_kind(&p, "prepare", DECIDE_DONE);
    wrote(&p, "switch-back", INTENT_DONE);
    expect_write(&p, "await-endpoints", "restore-late", "inopnc-blue");
    end(&p);
}
END_TEST

START_TEST(rollback__what_serves_already_is_written_without_waiting) {
    struct place p;

    start_rollback(&p, true); /* the pre-empted deployment was preparing ten pods of green */
    wrote(&p, "seize-target", INTENT_DONE);
    p.seen.service.color = COLOR_BLUE;
    p.seen.workload[COLOR_GREEN].replicas = p.seen.workload[COLOR_GREEN].pods_ready = 10;
    expect_kind(&p, "prepare", DECIDE_DONE);
    ck_assert_int_eq(json_int(p.decision.resolved, "floor", 0), 3); /* blue is the active color */
    p.seen.workload[COLOR_BLUE].pods_ready = 1;
    expect_kind(&p, "prepare", DECIDE_DONE);
    expect_write(&p, "switch-traffic", "switch-back", "inopnc-prod"); /* always made: law 5 */
    end(&p);
}
END_TEST

START_TEST(rollback__of_a_missing_workload_is_stuck_unless_nothing_is_worse) {
    struct place p;

    start_rollback(&p, false);
    wrote(&p, "seize-target", INTENT_DONE);
    p.seen.workload[COLOR_BLUE] = (struct seen_workload){0};
    expect_kind(&p, "prepare", DECIDE_FAILED);
    ck_assert_str_eq(p.decision.code, "third-party-change");
    p.seen.workload[COLOR_GREEN].pods_ready = 0;
    expect_kind(&p, "prepare", DECIDE_DONE);
    end(&p);
}
END_TEST

START_TEST(rollback__waits_for_a_cluster_that_does_not_answer) {
    struct place p;

    start_rollback(&p, false);
    wrote(&p, "seize-target", INTENT_REFUSED);
    p.seen = (struct seen){.now_us = NOW};
    expect_kind(&p, "prepare", DECIDE_WAIT);
    expect_write(&p, "switch-traffic", "switch-back", "inopnc-prod"); /* needs no look */
    wrote(&p, "seize-late", INTENT_DONE);
    expect_kind(&p, "await-endpoints", DECIDE_WAIT);
    end(&p);
}
END_TEST

START_TEST(rollback__the_selector_is_written_and_then_confirmed) {
    struct place p;
    const json_t *body;

    start_rollback(&p, false);
    p.seen.service.color = COLOR_BLUE; /* right already */
    body = expect_write(&p, "switch-traffic", "switch-back", "inopnc-prod");
    ck_assert_str_eq(json_str(json_at(body, "spec", "selector", NULL), "environment", ""), "blue");
    wrote(&p, "switch-back", INTENT_OPEN);
    expect_kind(&p, "switch-traffic", DECIDE_WRITE); /* an intent alone confirms nothing */
    wrote(&p, "switch-back", INTENT_DONE);
    expect_kind(&p, "switch-traffic", DECIDE_DONE);
    ck_assert(row_of(&p, "switch-traffic")->confirms);
    end(&p);
}
END_TEST

START_TEST(rollback__ends_when_all_traffic_reaches_all_pods) {
    struct place p;

    start_rollback(&p, false);
    wrote(&p, "seize-target", INTENT_DONE);
    wrote(&p, "switch-back", INTENT_DONE);
    p.seen.service.color = COLOR_BLUE;
    expect_kind(&p, "await-endpoints", DECIDE_WAIT); /* green still is there */
    p.seen.service.endpoints_ready[COLOR_GREEN] = 0;
    p.seen.service.endpoints_ready[COLOR_BLUE] = 2;
    expect_kind(&p, "await-endpoints", DECIDE_WAIT);
    p.seen.service.endpoints_ready[COLOR_BLUE] = 3;
    p.seen.service.endpoints_other = 1;
    expect_kind(&p, "await-endpoints", DECIDE_WAIT);
    p.seen.service.endpoints_other = 0;
    expect_kind(&p, "await-endpoints", DECIDE_DONE);
    ck_assert_str_eq(json_str(json_object_get(p.decision.resolved, "left"), "template_hash", ""),
                     "h123");
    p.seen.service.endpoints_ready[COLOR_BLUE] = 2;
    p.seen.now_us = p.ask.started_us + 601 * US_PER_S;
    expect_kind(&p, "await-endpoints", DECIDE_FAILED);
    end(&p);
}
END_TEST

/* What was pre-empted had put its own version under the color that is returned to. */
START_TEST(law5__a_rollback_does_not_end_while_pods_of_another_template_serve) {
    struct place p;

    start_rollback(&p, false);
    wrote(&p, "seize-target", INTENT_DONE);
    p.seen.service.color = COLOR_BLUE;
    p.seen.service.endpoints_ready[COLOR_BLUE] = 3;
    p.seen.service.endpoints_ready[COLOR_GREEN] = 0;
    set_hash(&p.seen.workload[COLOR_BLUE], ""); /* the controller has not followed our mark yet */
    expect_kind(&p, "prepare", DECIDE_DONE);
    wrote(&p, "switch-back", INTENT_DONE);
    expect_kind(&p, "await-endpoints", DECIDE_WAIT);
    set_hash(&p.seen.workload[COLOR_BLUE], "h-pre-empted");
    expect_write(&p, "await-endpoints", "restore-late", "inopnc-blue");
    wrote(&p, "restore-late", INTENT_DONE);
    set_hash(&p.seen.workload[COLOR_BLUE], "h122");
    p.seen.workload[COLOR_BLUE].pods_ready =
        1; /* the other endpoints are what rolls out of the way */
    expect_kind(&p, "await-endpoints", DECIDE_WAIT);
    p.seen.workload[COLOR_BLUE].pods_ready = 3;
    expect_kind(&p, "await-endpoints", DECIDE_DONE);
    end(&p);
}
END_TEST

START_TEST(rollback__fences_what_the_preempted_deployment_wrote_before_it_waits) {
    struct place p;

    start_rollback(&p, true);
    wrote(&p, "seize-target", INTENT_DONE);
    wrote(&p, "switch-back", INTENT_DONE);
    expect_write(&p, "await-endpoints", "fence-left", "inopnc-green");
    wrote(&p, "fence-left", INTENT_DONE);
    expect_kind(&p, "await-endpoints", DECIDE_WAIT);
    end(&p);
}
END_TEST

START_TEST(law6__a_rollback_scales_what_it_left_only_after_30_s) {
    struct place p;

    start_rollback(&p, false);
    expect_kind(&p, "undo-apply", DECIDE_SKIP); /* nothing was pre-empted */
    end(&p);
    start_rollback(&p, true);
    p.ask.started_us = NOW;
    expect_kind(&p, "undo-apply", DECIDE_WAIT);
    ck_assert_int_eq(p.decision.until_us, NOW + 30 * US_PER_S);
    p.seen.now_us = NOW + 30 * US_PER_S;
    ck_assert_int_eq(json_int(spec_in(expect_write(&p, "undo-apply", "scale-left", "inopnc-green")),
                              "replicas", -1),
                     2); /* what it had at resolve */
    p.seen.workload[COLOR_GREEN].exists = false;
    expect_kind(&p, "undo-apply", DECIDE_DONE);
    end(&p);
}
END_TEST

/* ---- traffic by hand ---- */

static void start_traffic(struct place *p) {
    json_auto_t *spec = json_parse(spec_text);
    struct seen seen;

    see_everything(&seen);
    start(p, "traffic", traffic_plan(spec, &seen, COLOR_BLUE));
}

START_TEST(traffic__seizes_both_then_moves_only_with_capacity) {
    struct place p;

    start_traffic(&p);
    ck_assert(traffic_has_capacity(&p.seen, COLOR_BLUE));
    expect_write(&p, "prepare", "seize-service", "inopnc-prod");
    wrote(&p, "seize-service", INTENT_DONE);
    expect_write(&p, "prepare", "seize-target", "inopnc-blue");
    wrote(&p, "seize-target", INTENT_DONE);
    expect_kind(&p, "prepare", DECIDE_DONE);
    expect_write(&p, "switch-traffic", "switch", "inopnc-prod");
    p.seen.workload[COLOR_BLUE].pods_ready = 2;
    ck_assert(!traffic_has_capacity(&p.seen, COLOR_BLUE));
    expect_kind(&p, "switch-traffic", DECIDE_FAILED);
    ck_assert(!row_of(&p, "switch-traffic")->may_send(&p.ask, &p.decision)); /* law 6 */
    p.seen.workload[COLOR_BLUE].pods_ready = 3;
    ck_assert(row_of(&p, "switch-traffic")->may_send(&p.ask, &p.decision));
    p.seen.workload[COLOR_BLUE].pods_ready = 0;
    set_hash(&p.seen.workload[COLOR_BLUE], ""); /* its seizure moved its generation just now */
    expect_kind(&p, "switch-traffic", DECIDE_WAIT);
    p.seen.now_us += 3600 * US_PER_S;
    expect_kind(&p, "switch-traffic", DECIDE_FAILED);
    p.seen.now_us = NOW;
    set_hash(&p.seen.workload[COLOR_BLUE], "h122");
    p.seen.workload[COLOR_GREEN].replicas = 0; /* the floor is never less than one */
    ck_assert(!traffic_has_capacity(&p.seen, COLOR_BLUE));
    expect_kind(&p, "switch-traffic", DECIDE_FAILED);
    p.seen.reachable = false;
    expect_kind(&p, "switch-traffic", DECIDE_WAIT);
    expect_kind(&p, "prepare", DECIDE_WAIT);
    end(&p);
}
END_TEST

START_TEST(traffic__ends_when_all_of_it_has_moved) {
    struct place p;

    start_traffic(&p);
    wrote(&p, "switch", INTENT_DONE);
    p.seen.workload[COLOR_BLUE].pods_ready = 0; /* it was written: not asked again */
    expect_kind(&p, "switch-traffic", DECIDE_DONE);
    p.seen.service.endpoints_ready[COLOR_BLUE] = 3;
    expect_kind(&p, "await-endpoints", DECIDE_WAIT);
    p.seen.service.endpoints_ready[COLOR_GREEN] = 0;
    expect_kind(&p, "await-endpoints", DECIDE_DONE);
    p.seen.service.endpoints_ready[COLOR_BLUE] = 0;
    p.seen.now_us = p.ask.started_us + 121 * US_PER_S;
    expect_kind(&p, "await-endpoints", DECIDE_FAILED);
    end(&p);
}
END_TEST

/* ---- clean-up ---- */

/* Green serves; blue was left by the deployment and is to be scaled down. */
static void start_cleanup(struct place *p) {
    json_t *plan = deployed();

    json_object_set_new(plan, "cleanup",
                        json_pack("{s:s,s:s,s:s,s:s}", "color", "blue", "workload", "inopnc-blue",
                                  "uid", "u-blue", "template_hash", "h122"));
    start(p, "clean-up", plan);
    snprintf(p->seen.workload[COLOR_BLUE].uid, sizeof p->seen.workload[COLOR_BLUE].uid, "u-blue");
}

static void seized(struct place *p) {
    wrote(p, "seize-service", INTENT_DONE);
    wrote(p, "seize-workload", INTENT_DONE);
}

START_TEST(cleanup__seizes_then_scales_down) {
    struct place p;

    start_cleanup(&p);
    expect_write(&p, "clean-up", "seize-service", "inopnc-prod");
    wrote(&p, "seize-service", INTENT_DONE);
    expect_write(&p, "clean-up", "seize-workload", "inopnc-blue");
    wrote(&p, "seize-workload", INTENT_DONE);
    ck_assert_int_eq(json_int(spec_in(expect_write(&p, "clean-up", "scale-down", "inopnc-blue")),
                              "replicas", -1),
                     0);
    wrote(&p, "scale-down", INTENT_DONE);
    expect_kind(&p, "clean-up", DECIDE_DONE);
    end(&p);
}
END_TEST

START_TEST(law6__clean_up_leaves_what_serves_or_may_serve) {
    struct place p;

    start_cleanup(&p);
    seized(&p);
    p.seen.service.color = COLOR_BLUE;
    expect_kind(&p, "clean-up", DECIDE_SKIP);
    p.seen.service.color_known = false;
    expect_kind(&p, "clean-up", DECIDE_SKIP);
    p.seen.service.exists = false;
    expect_kind(&p, "clean-up", DECIDE_SKIP);
    see_everything(&p.seen);
    snprintf(p.seen.workload[COLOR_BLUE].uid, sizeof p.seen.workload[COLOR_BLUE].uid, "u-blue");
    p.seen.service.endpoints_ready[COLOR_BLUE] = 1; /* traffic may still go there */
    expect_kind(&p, "clean-up", DECIDE_WAIT);
    p.seen.reachable = false;
    expect_kind(&p, "clean-up", DECIDE_WAIT);
    end(&p);
}
END_TEST

START_TEST(cleanup__leaves_another_workload_or_template_alone) {
    struct place p;

    start_cleanup(&p);
    seized(&p);
    set_hash(&p.seen.workload[COLOR_BLUE], "h-other");
    expect_kind(&p, "clean-up", DECIDE_SKIP);
    set_hash(&p.seen.workload[COLOR_BLUE], ""); /* the controller has not got to it yet */
    expect_kind(&p, "clean-up", DECIDE_WAIT);
    p.seen.workload[COLOR_BLUE].replicas = 0; /* nothing runs, whatever it holds */
    expect_kind(&p, "clean-up", DECIDE_SKIP);
    p.seen.workload[COLOR_BLUE].replicas = 3;
    set_hash(&p.seen.workload[COLOR_BLUE], "h122");
    snprintf(p.seen.workload[COLOR_BLUE].uid, sizeof p.seen.workload[COLOR_BLUE].uid, "u-new");
    expect_kind(&p, "clean-up", DECIDE_SKIP);
    p.seen.workload[COLOR_BLUE].exists = false;
    expect_kind(&p, "clean-up", DECIDE_SKIP);
    end(&p);
}
END_TEST

int main(void) {
    return RUN_SUITE("rollback", 10, rollback__seizes_the_workload_before_it_counts_pods,
                     law2__traffic_goes_first_when_seizing_fails_and_the_rest_comes_later,
                     rollback__bringing_back_has_no_patience_to_lose,
                     law2__a_short_old_color_is_scaled_to_the_floor_and_looked_at_again,
                     law2__pods_that_fail_the_health_checks_count_as_none,
                     rollback__only_pods_of_the_recorded_template_are_the_old_version,
                     law2__a_worse_version_is_left_at_once_and_the_template_comes_later,
                     rollback__what_serves_already_is_written_without_waiting,
                     rollback__of_a_missing_workload_is_stuck_unless_nothing_is_worse,
                     rollback__waits_for_a_cluster_that_does_not_answer,
                     rollback__the_selector_is_written_and_then_confirmed,
                     rollback__ends_when_all_traffic_reaches_all_pods,
                     law5__a_rollback_does_not_end_while_pods_of_another_template_serve,
                     rollback__fences_what_the_preempted_deployment_wrote_before_it_waits,
                     law6__a_rollback_scales_what_it_left_only_after_30_s,
                     traffic__seizes_both_then_moves_only_with_capacity,
                     traffic__ends_when_all_of_it_has_moved, cleanup__seizes_then_scales_down,
                     law6__clean_up_leaves_what_serves_or_may_serve,
                     cleanup__leaves_another_workload_or_template_alone);
}
