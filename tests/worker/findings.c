/* tests/worker/findings.c: what the model found (docs/model/README.md), as orders of events that
 * the code is led through.  Findings 4, 5 and 6 are in tests/worker/runner.c. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/log.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include "tests/support/world.h"
#include "worker/verbs.h"
#include <stdio.h>
#include <string.h>

#define APP "findings"

static struct world world, *const w = &world;
static char *environment;

static void setup(void) {
    world_start(w);
    environment = world_environment(w, &(struct place){.app = APP});
    world_serve(w, APP, environment, "v1.2.2", 1); /* on green: the Service selects blue */
    world_serve(w, APP, environment, "v1.2.3", 1); /* on blue */
}

static void teardown(void) {
    free(environment);
    world_end(w);
}

static const char *color(void) {
    return world_color(w, WORLD_SPACE, APP);
}

static void expect_serves(const char *wanted_color, const char *version) {
    _cleanup_free_ char *name = xasprintf("%s-%s", APP, wanted_color);
    json_auto_t *workload = world_object(w, KUBE_DEPLOYMENT, WORLD_SPACE, name);
    const json_t *spec = json_object_get(workload, "spec");
    const char *image = json_str(
        json_array_get(json_at(spec, "template", "spec", "containers", NULL), 0), "image", "");

    ck_assert_str_eq(color(), wanted_color);
    ck_assert_msg(strstr(image, version) != NULL, "%s runs %s", name, image);
    ck_assert_int_gt(json_int(spec, "replicas", 0), 0);
}

/* A deployment that is aborted when it has been applied and traffic has not moved. */
static void abort_one(const char *version) {
    _cleanup_free_ char *id = world_deploy(w, APP, version, 1), *image = NULL;
    struct job *j = world_load(w, environment, 0);

    image = xasprintf("{\"image\": \"%s\", \"never_ready\": true}", j->plan.image);
    world_image(w, image);
    ck_assert_int_eq(world_run_to_step(w, j, "await-available"), RUN_WAIT);
    job_free(j);
    ck_assert_int_eq(world_abort(w, id), STATUS_OK);
    world_end_job(w, world_load(w, environment, 4242));
}

/* Runs until that write of green's workload, which the cluster puts off, is committed and open. */
static void run_to_put_off(struct job *j, const char *verb, int nth, const char *purpose) {
    _cleanup_free_ char *faults =
        xasprintf("[{\"verb\": \"%s\", \"path\": \"/deployments/" APP "-green$\", \"nth\": %d,"
                  " \"action\": {\"status\": 503, \"retry_after_s\": 5}}]",
                  verb, nth);
    int64_t until;

    world_faults(w, faults);
    for (int i = 0; i < 100 && !job_open_intent(j); i++)
        ck_assert_int_eq(run_job(&w->run, j, &until), RUN_WAIT);
    world_faults(w, "[]");
    ck_assert_str_eq(job_open_intent(j)->purpose, purpose);
}

static char *last_id(const char *version) {
    return pg_sql(w->url, "SELECT id FROM deployment WHERE version = '%s' AND kind = 'deploy'",
                  version);
}

/* It had committed "green to 0"; a rollback makes green serve; whoever takes the clean-up up again
 * begins with its seizures, and looks. */
START_TEST(finding1__a_clean_up_never_resumes_its_old_intent) {
    struct job *j;
    const struct intent *old = NULL;

    free(pg_sql(w->url, "UPDATE cleanup SET due_at = clock_timestamp()"));
    j = world_load(w, environment, 0);
    ck_assert(job_is_cleanup(j));
    run_to_put_off(j, "PATCH", 2, "scale-down");
    job_free(j);
    free(pg_sql(w->url, "UPDATE environment_lease SET holder = NULL, until = NULL"));

    j = world_load(w, environment, 4242);
    ck_assert_ptr_null(job_open_intent(j));
    for (size_t i = 0; i < j->journal.count; i++)
        if (strcmp(j->journal.intents[i].purpose, "scale-down") == 0)
            old = &j->journal.intents[i];
    ck_assert_ptr_nonnull(old);
    ck_assert_int_eq(old->result, INTENT_VOID);
    ck_assert_int_eq(world_rollback(w, APP, NULL, NULL),
                     STATUS_OK); /* it goes to green, before this one goes on */
    ck_assert_int_eq(world_run_to_end(w, j), RUN_DROPPED);
    job_free(j);
    world_end_job(w, world_load(w, environment, 4243));
    expect_serves("green", "v1.2.2");
    ck_assert_int_eq(pg_number(w->url,
                               "SELECT count(*) FROM intent WHERE purpose = 'scale-down' AND"
                               " result = 'done'"),
                     0);
}
END_TEST

/* Not behind what put the serving version there: that would move traffic to a still older one. */
START_TEST(finding2__a_rollback_after_an_abort_moves_nothing) {
    size_t moved = world_switches(w, WORLD_SPACE, APP);

    abort_one("v1.2.4");
    ck_assert_int_eq(world_rollback(w, APP, NULL, NULL), STATUS_OK);
    world_end_job(w, world_load(w, environment, 4243));
    expect_serves("blue", "v1.2.3");
    ck_assert_int_eq(world_rollback(w, APP, NULL, NULL),
                     STATUS_OK); /* a second click is the first one */
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM deployment WHERE kind = 'rollback'"),
                     1);
    ck_assert_uint_eq(world_switches(w, WORLD_SPACE, APP), moved);
}
END_TEST

/* Ready pods of a color are not the old version when an aborted one left its template there. */
START_TEST(finding3__a_rollback_brings_back_what_ran_there) {
    _cleanup_free_ char *id = last_id("v1.2.3");

    abort_one("v1.2.4");
    ck_assert_int_eq(world_rollback(w, APP, id, NULL), STATUS_OK);
    world_end_job(w, world_load(w, environment, 4243));
    expect_serves("green", "v1.2.2");
}
END_TEST

/* It prepares the color that a deployment had prepared before it was pre-empted: the late switch of
 * that one fails. */
START_TEST(law6__a_rollback_holds_the_service_before_it_changes_a_workload) {
    _cleanup_free_ char *id = last_id("v1.2.3"), *late = NULL;
    struct job *j;
    long since;

    abort_one("v1.2.4");
    since = world_mark(w);
    ck_assert_int_eq(world_rollback(w, APP, id, NULL), STATUS_OK);
    j = world_load(w, environment, 4243);
    run_to_put_off(j, "PUT", 1, "restore-template");
    job_free(j);
    late = world_writes(w, since);
    ck_assert_msg(strstr(late, "PATCH " APP "-prod") != NULL, "%s", late);
}
END_TEST

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    pg_start();
    return RUN_SUITE_WITH("findings", 60, setup, teardown,
                          finding1__a_clean_up_never_resumes_its_old_intent,
                          finding2__a_rollback_after_an_abort_moves_nothing,
                          finding3__a_rollback_brings_back_what_ran_there,
                          law6__a_rollback_holds_the_service_before_it_changes_a_workload);
}
