/* tests/worker/looks.c: what a step goes by when the cluster or its watches are silent, and when
 * what it tells is stored. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include "tests/support/world.h"
#include "worker/runner.h"
#include <string.h>

#define APP   "looks"
#define SPACE "elsewhere"
#define OLD_WATCH                                                                                  \
    "{\"verb\": \"watch\", \"path\": \"/services([?]|$)\", \"action\": {\"hang\": true}}"

static struct world world, *const w = &world;
static char *environment;

/* The watch of Services tells nothing after its first list, which selects blue. */
static void setup(void) {
    world_start(w);
    world_faults(w, "[" OLD_WATCH "]");
    environment = world_environment(w, &(struct place){.app = APP, .namespace_ = SPACE});
}

static void teardown(void) {
    world_end(w);
    free(environment);
}

/* Only where traffic may go is decided on what is known; that all has arrived is seen. */
START_TEST(law5__a_rollback_does_not_end_by_what_a_watch_showed_before) {
    struct job *j;
    int64_t until;

    world_serve(w, APP, environment, "v1.0.0", 1); /* on green */
    world_serve(w, APP, environment, "v1.0.1", 1); /* on blue */
    ck_assert_int_eq(world_rollback(w, APP, NULL, NULL), STATUS_OK);
    j = world_load(w, environment, 0);
    world_behavior(w, "{\"endpoint_lag_ms\": 10000000}"); /* it cannot end by itself */
    do
        ck_assert_int_eq(run_job(&w->run, j, &until), RUN_WAIT);
    while (strcmp(job_row(j)->name, "await-endpoints") != 0);
    world_faults(w, "[" OLD_WATCH ", {\"verb\": \"GET\", \"path\": \"/deployments/\","
                    " \"action\": {\"status\": 500}}]");
    ck_assert_int_eq(run_job(&w->run, j, &until), RUN_WAIT);
    ck_assert_str_eq(job_row(j)->name, "await-endpoints");
    ck_assert_msg(strstr(job_progress(j)->detail, "does not answer"), "%s",
                  job_progress(j)->detail);
    job_free(j);
}
END_TEST

static bool told(const char *id, const char *detail) {
    return pg_number(w->url,
                     "SELECT count(*) FROM step WHERE deployment_id = '%s' AND detail = '%s'", id,
                     detail) > 0;
}

START_TEST(runner__progress_alone_is_stored_a_moment_later) {
    _cleanup_free_ char *id = world_deploy(w, APP, "v1.0.0", 1);
    struct job *j = world_load(w, environment, 0);
    int64_t began, until;

    world_run_to_pods(w, j);
    change_step(j, "await-available", "waiting", "something new to tell");
    began = clock_monotonic_us();
    ck_assert_int_eq(run_job(&w->run, j, &until), RUN_WAIT);
    if (clock_monotonic_us() < began + 50 * US_PER_MS) /* else it was due */
        ck_assert(!told(id, "something new to tell"));
    ck_assert(until <= clock_monotonic_us() + 50 * US_PER_MS);
    while (clock_monotonic_us() < until)
        ;
    ck_assert_int_eq(run_job(&w->run, j, &until), RUN_WAIT);
    ck_assert(told(id, "something new to tell"));
    job_free(j);
}
END_TEST

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    pg_start();
    return RUN_SUITE_WITH("looks", 60, setup, teardown,
                          law5__a_rollback_does_not_end_by_what_a_watch_showed_before,
                          runner__progress_alone_is_stored_a_moment_later);
}
