/* tests/worker/history.c: a database that has lost what the cluster shows: a failover to a standby
 * that had not got everything, a backup. */
#include "base/cleanup.h"
#include "base/log.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include "tests/support/world.h"
#include "worker/objects.h"

#define APP     "inopnc"
#define SERVICE "inopnc-prod"
#define UNKNOWN "\"sluice.dev/op\": \"0190b6a0-0000-7000-8000-000000000001\""

static struct world world, *const w = &world;
static char *environment;

static void setup(void) {
    world_start(w);
    environment = world_environment(w, &(struct place){.app = APP});
    world_serve(w, APP, environment, "v1.2.2", 1); /* on green */
}

static void teardown(void) {
    world_end(w);
    free(environment);
}

static void abort_it(const char *id) {
    ck_assert_int_eq(world_abort(w, id), STATUS_OK);
    world_end_job(w, world_load(w, environment, 0));
    world_expect_state(w, id, "aborted", "aborted");
    ck_assert_str_eq(world_color(w, WORLD_SPACE, APP), "green");
}

/* Nothing is written: what an undo would take away may be what serves. */
static void expect_stuck(const char *id) {
    long since = world_mark(w);

    world_end_job(w, world_load(w, environment, 0));
    world_expect_state(w, id, "stuck", "history-lost");
    world_expect_writes(w, since, "");
}

static char *deploy_to_pods(const char *version) {
    char *id = world_deploy(w, APP, version, 1);
    struct job *j = world_load(w, environment, 0);

    world_run_to_pods(w, j);
    job_free(j);
    return id;
}

START_TEST(law5__a_lost_past_is_stuck_until_somebody_aborts) {
    _cleanup_free_ char *id = NULL, *next = NULL;
    json_auto_t *service = NULL;

    world_patch(w, KUBE_SERVICE, SERVICE,
                "{\"metadata\": {\"annotations\": {" UNKNOWN ", \"sluice.dev/epoch\": \"77\"}}}");
    id = world_deploy(w, APP, "v1.2.3", 1);
    expect_stuck(id);
    abort_it(id);
    service = world_object(w, KUBE_SERVICE, WORLD_SPACE, SERVICE);
    ck_assert_str_eq(kube_annotation(service, "sluice.dev/epoch"), "78");
    ck_assert_int_gt(pg_number(w->url, "SELECT epoch FROM environment_lease"), 77);
    next = world_deploy(w, APP, "v1.2.4", 1); /* the history is known again */
    world_end_job(w, world_load(w, environment, 0));
    world_expect_state(w, next, "succeeded", "");
}
END_TEST

START_TEST(law5__a_switch_that_the_database_lost_is_not_taken_for_other_hands) {
    _cleanup_free_ char *id = deploy_to_pods("v1.2.3");

    world_patch(w, KUBE_SERVICE, SERVICE,
                "{\"metadata\": {\"annotations\": {" UNKNOWN "}},"
                " \"spec\": {\"selector\": {\"environment\": \"blue\"}}}");
    expect_stuck(id);
    abort_it(id);
}
END_TEST

/* What fails has nothing to do with it. */
START_TEST(law5__pods_that_crash_after_a_lost_past_are_not_undone) {
    _cleanup_free_ char *id = world_deploy(w, APP, "v1.2.3", 1), *image = NULL;
    struct job *j = world_load(w, environment, 0);

    image = xasprintf("{\"image\": \"%s\", \"crash_loop\": true}", j->plan.image);
    world_run_to_pods(w, j);
    job_free(j);
    world_patch(w, KUBE_DEPLOYMENT, APP "-green",
                "{\"metadata\": {\"annotations\": {" UNKNOWN "}}}");
    world_image(w, image);
    expect_stuck(id);
    abort_it(id);
}
END_TEST

/* ---- several objects, and what ends it for good ---- */

#define CONFIGS                                                                                    \
    "[{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": "                 \
    "\"inopnc-${COLOR}-config\"},"                                                                 \
    " \"data\": {\"color\": \"${COLOR}\"}}, {\"apiVersion\": \"v1\", \"kind\": \"Service\", "      \
    "\"metadata\":"                                                                                \
    " {\"name\": \"inopnc-${COLOR}-service\"}, \"spec\": {\"selector\": {\"environment\":"         \
    " \"${COLOR}\"}, \"ports\": [{\"name\": \"http\", \"port\": 80, \"targetPort\": 3000}]}}]"

/* What a deployment writes, with the epoch that the lost past left there. */
static const struct lost {
    KubeKind kind;
    const char *name;
    int epoch;
} all_lost[] = {
    {KUBE_SERVICE, SERVICE, 77},
    {KUBE_DEPLOYMENT, APP "-blue", 80},
    {KUBE_DEPLOYMENT, APP "-green", 120},
    {KUBE_CONFIG_MAP, APP "-blue-config", 150},
    {KUBE_CONFIG_MAP, APP "-green-config", 60},
    {KUBE_SERVICE, APP "-blue-service", 60},
};
enum { ALL = sizeof all_lost / sizeof *all_lost };

static void lose(void) {
    for (size_t i = 0; i < ALL; i++) {
        _cleanup_free_ char *marks =
            xasprintf("{\"metadata\": {\"annotations\": {" UNKNOWN ", \"sluice.dev/epoch\":"
                      " \"%d\"}}}",
                      all_lost[i].epoch);

        world_patch(w, all_lost[i].kind, all_lost[i].name, marks);
    }
}

static json_t *object(size_t i) {
    return world_object(w, all_lost[i].kind, WORLD_SPACE, all_lost[i].name);
}

/* v1.2.3 serves on blue, v1.2.2 is kept on green, and the database knows no write of that. */
static void serve_and_lose(void) {
    _cleanup_free_ char *id = world_deploy_with(w, APP, "v1.2.3", CONFIGS), *first = NULL;

    world_end_job(w, world_load(w, environment, 0)); /* on blue */
    world_expect_state(w, id, "succeeded", "");
    first = world_deploy_with(w, APP, "v1.2.2", CONFIGS);
    world_end_job(w, world_load(w, environment, 0)); /* on green */
    world_expect_state(w, first, "succeeded", "");
    lose();
}

static void expect_success(const char *version, const char *color) {
    size_t before = world_switches(w, WORLD_SPACE, APP);
    _cleanup_free_ char *id = world_deploy_with(w, APP, version, CONFIGS);

    world_end_job(w, world_load(w, environment, 0));
    world_expect_state(w, id, "succeeded", "");
    ck_assert_str_eq(world_color(w, WORLD_SPACE, APP), color);
    ck_assert_uint_eq(world_switches(w, WORLD_SPACE, APP), before + 1);
}

static char *stuck(const char *version) {
    char *id = world_deploy_with(w, APP, version, CONFIGS);

    expect_stuck(id);
    return id;
}

START_TEST(law5__an_abort_takes_over_every_mark_of_a_lost_past) {
    _cleanup_free_ char *id = NULL;
    json_t *before[ALL], *after;

    serve_and_lose();
    for (size_t i = 0; i < ALL; i++)
        before[i] = object(i);
    id = stuck("v1.2.4");
    abort_it(id);
    for (size_t i = 0; i < ALL; i++) {
        after = object(i);
        ck_assert_int_gt(object_epoch(after), all_lost[i].epoch);
        ck_assert_int_ge(pg_number(w->url, "SELECT epoch FROM environment_lease"),
                         object_epoch(after));
        for (size_t k = 0; k < 2; k++) {
            json_object_del(before[i], k ? "metadata" : "status");
            json_object_del(after, k ? "metadata" : "status");
        }
        ck_assert(json_equal(before[i], after));
        json_decref(before[i]);
        json_decref(after);
    }
    ck_assert_int_eq(
        pg_number(w->url, "SELECT count(*) FROM record WHERE action = 'history.adopted'"), 1);
    expect_success("v1.2.5", "blue");
    expect_success("v1.2.6", "green"); /* the other color's objects */
}
END_TEST

/* What a holder of the lost past still has under way to anything that traffic depends on. */
START_TEST(law5__a_late_write_of_a_lost_past_fails_after_the_abort) {
    _cleanup_free_ char *id = NULL;
    json_t *before[3];

    serve_and_lose();
    for (size_t i = 0; i < 3; i++)
        before[i] = object(i);
    id = stuck("v1.2.4");
    abort_it(id);
    for (size_t i = 0; i < 3; i++) {
        _cleanup_(kube_result_done) struct kube_result r = {0};
        json_auto_t *late =
            json_pack("{s:{s:s, s:{s:s}}}", "metadata", "resourceVersion",
                      kube_resource_version(before[i]), "annotations", "sluice.dev/epoch", "999");

        kube_patch(w->other, all_lost[i].kind, WORLD_SPACE, all_lost[i].name, KUBE_MERGE_PATCH,
                   late, false, &r);
        ck_assert_int_eq(r.outcome, KUBE_CONFLICT);
        json_decref(before[i]);
    }
}
END_TEST

/* A document that somebody else made, and that Sluice never applied. */
START_TEST(law5__what_was_never_ours_carries_no_mark_afterwards) {
    _cleanup_free_ char *id = NULL;
    json_auto_t *own = NULL, *missing = NULL;

    world_patch(w, KUBE_SERVICE, SERVICE, "{\"metadata\": {\"annotations\": {" UNKNOWN "}}}");
    id = stuck("v1.2.3");
    abort_it(id);
    own = world_object(w, KUBE_SERVICE, WORLD_SPACE, APP "-blue-service");
    ck_assert_ptr_null(kube_annotation(own, "sluice.dev/op"));
    ck_assert_ptr_null(kube_label(own, "sluice.dev/managed"));
    missing = world_object(w, KUBE_CONFIG_MAP, WORLD_SPACE, APP "-blue-config");
    ck_assert_ptr_null(missing);
}
END_TEST

/* Law 2: the abort is confirmed, and ends, whatever becomes of the marks. */
START_TEST(law2__a_mark_that_cannot_be_written_holds_no_abort_up) {
    _cleanup_free_ char *id = NULL, *again = NULL;

    serve_and_lose();
    id = stuck("v1.2.4");
    world_faults(w, "[{\"verb\": \"PATCH\", \"path\": \"/configmaps/inopnc-blue-config$\","
                    " \"action\": {\"status\": 403}},"
                    " {\"verb\": \"PATCH\", \"path\": \"/deployments/inopnc-green$\", \"count\": 5,"
                    " \"action\": {\"status\": 500}},"
                    " {\"verb\": \"PATCH\", \"path\": \"/configmaps/inopnc-green-config$\","
                    " \"count\": 1, \"action\": {\"cut\": \"after\"}}]");
    abort_it(id);
    world_faults(w, "[]");
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM intent WHERE job = 'undo' AND purpose"
                                       " LIKE 'adopt-%%' AND result = 'refused'"),
                     1);
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM intent WHERE job = 'undo' AND purpose"
                                       " LIKE 'adopt-%%' AND result IS DISTINCT FROM 'done'"),
                     1);
    again = world_deploy_with(w, APP, "v1.2.5", CONFIGS); /* to blue, whose ConfigMap it is */
    world_end_job(w, world_load(w, environment, 0));
    world_expect_state(w, again, "stuck", "history-lost");
    abort_it(again);
    expect_success("v1.2.6", "blue");
}
END_TEST

START_TEST(law5__another_holder_goes_on_with_the_marks) {
    _cleanup_free_ char *id = NULL;
    struct job *j;

    serve_and_lose();
    id = stuck("v1.2.4");
    ck_assert_int_eq(world_abort(w, id), STATUS_OK);
    j = world_load(w, environment, 0);
    world_run_to_intent(w, j, "adopt-1", "/deployments/inopnc-green$");
    job_free(j);
    free(pg_sql(w->url, "UPDATE environment_lease SET holder = NULL, until = NULL"));
    world_end_job(w, world_load(w, environment, 4242));
    world_expect_state(w, id, "aborted", "aborted");
    expect_success("v1.2.5", "blue");
    expect_success("v1.2.6", "green");
}
END_TEST

START_TEST(law2__a_rollback_of_a_lost_past_takes_the_marks_over_too) {
    _cleanup_free_ char *id = NULL;
    struct job *j;

    serve_and_lose();
    id = stuck("v1.2.4");
    ck_assert_int_eq(world_rollback(w, APP, NULL, NULL), STATUS_OK);
    j = world_load(w, environment, 0);
    ck_assert_int_eq(world_run_to_step(w, j, "undo-apply"), RUN_WAIT);
    job_free(j);
    free(pg_sql(w->url, "UPDATE environment_lease SET holder = NULL, until = NULL; UPDATE step SET"
                        " started_at = started_at - interval '31 s' WHERE name = 'undo-apply'"));
    world_end_job(w, world_load(w, environment, 0));
    world_expect_state(w, id, "rolled_back", "history-lost");
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM deployment WHERE kind = 'rollback'"
                                       " AND state = 'succeeded'"),
                     1);
    ck_assert_int_eq(
        pg_number(w->url, "SELECT count(*) FROM step WHERE name = 'adopt' AND state = 'done'"), 1);
    expect_success("v1.2.5", "blue");
    ck_assert_int_eq(world_rollback(w, APP, NULL, NULL), STATUS_OK);
    world_end_job(w, world_load(w, environment, 0)); /* nothing was lost: no such step */
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM step WHERE name = 'adopt'"), 1);
    /* nor would what takes the second one over have it */
    ck_assert_int_eq(
        pg_number(w->url, "SELECT count(*) FROM deployment WHERE plan ? 'history_lost'"), 1);
}
END_TEST

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    pg_start();
    return RUN_SUITE_WITH("history", 60, setup, teardown,
                          law5__a_lost_past_is_stuck_until_somebody_aborts,
                          law5__a_switch_that_the_database_lost_is_not_taken_for_other_hands,
                          law5__pods_that_crash_after_a_lost_past_are_not_undone,
                          law5__an_abort_takes_over_every_mark_of_a_lost_past,
                          law5__a_late_write_of_a_lost_past_fails_after_the_abort,
                          law5__what_was_never_ours_carries_no_mark_afterwards,
                          law2__a_mark_that_cannot_be_written_holds_no_abort_up,
                          law5__another_holder_goes_on_with_the_marks,
                          law2__a_rollback_of_a_lost_past_takes_the_marks_over_too);
}
