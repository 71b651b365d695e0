/* tests/worker/history.c: a database that has lost what the cluster shows: a failover to a standby
 * that had not got everything, a backup. */
#include "base/cleanup.h"
#include "base/log.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include "tests/support/world.h"

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

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    pg_start();
    return RUN_SUITE_WITH("history", 60, setup, teardown,
                          law5__a_lost_past_is_stuck_until_somebody_aborts,
                          law5__a_switch_that_the_database_lost_is_not_taken_for_other_hands,
                          law5__pods_that_crash_after_a_lost_past_are_not_undone);
}
