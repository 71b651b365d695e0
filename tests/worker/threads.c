/* The worker's threads: many environments, a cluster that hangs, aborts, beginning and stopping. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include "tests/support/world.h"
#include <stdio.h>
#include <string.h>

#define APP     "inopnc"
#define SERVICE "inopnc-prod"

static struct world world, *const w = &world;
static struct replica one;

static void setup(void) {
    world_start(w);
    replica_start(&one, w, 4);
}

static void teardown(void) {
    world_end(w);
}

static long in_state(const char *state) {
    return pg_number(w->url, "SELECT count(*) FROM deployment WHERE state = '%s'", state);
}

static void await_all(int seconds, const char *state) {
    world_await(w, seconds, "SELECT count(*) = 0 FROM deployment WHERE state <> '%s'", state);
}

/* N environments APP0, APP1 …, each with a deployment that waits to be carried. */
static void deploy_many(const char *app, int n, const char *cluster, const char *namespace_,
                        const char *checks) {
    for (int i = 0; i < n; i++) {
        _cleanup_free_ char *name = xasprintf("%s%d", app, i), *environment = NULL, *id = NULL;

        environment = world_environment(
            w, &(struct place){
                   .app = name, .cluster = cluster, .namespace_ = namespace_, .checks = checks});
        id = world_deploy(w, name, "v1.0.0", 1);
    }
}

START_TEST(threads__carry_100_environments) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    enum { MANY = 30 }; /* each is ten times as slow */
#else
    enum { MANY = 100 };
#endif
    int64_t begun;

    deploy_many("app", MANY, NULL, NULL, NULL);
    begun = clock_monotonic_us();
    worker_begin(one.worker);
    await_all(200, "succeeded");
    printf("# %d deployments in %lld ms\n", MANY,
           (long long)((clock_monotonic_us() - begun) / US_PER_MS));
    ck_assert_int_eq(in_state("succeeded"), MANY);
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM record WHERE action ="
                                       " 'traffic.switched'"),
                     MANY);
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM environment_lease WHERE holder IS NOT"
                                       " NULL"),
                     0);
    ck_assert_str_eq(world_color(w, WORLD_SPACE, "app0"), "green");
    ck_assert_str_eq(world_color(w, WORLD_SPACE, "app29"), "green");
    replica_stop(&one, 5000);
}
END_TEST

START_TEST(law5__two_replicas_share_the_work) {
    struct replica two;

    deploy_many("app", 20, NULL, NULL, NULL);
    replica_start(&two, w, 2);
    worker_begin(one.worker);
    worker_begin(two.worker);
    await_all(60, "succeeded");
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM record WHERE action ="
                                       " 'traffic.switched'"),
                     20);
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM record WHERE action = 'lease.taken'"),
                     0); /* neither took any from the other */
    replica_stop(&one, 5000);
    replica_stop(&two, 5000);
}
END_TEST

/* ---- a cluster that hangs ---- */

static int64_t time_of(const char *at) {
    _cleanup_free_ char *text =
        pg_sql(w->url, "SELECT (extract(epoch FROM '%s'::timestamptz) * 1000000)::bigint", at);

    return strtoll(text, NULL, 10);
}

/* Reads last 3 s there: of three of a Service, the first and the third begin apart when two workers
 * read. */
static void expect_two_at_a_time(long since) {
    json_auto_t *requests = world_requests(w, since);
    int64_t begun[3] = {0};
    const json_t *r;
    size_t i;

    json_array_foreach(requests, i, r) {
        if (!strstr(json_str(r, "path", ""), "/namespaces/hung/services/") ||
            strstr(json_str(r, "query", ""), "limit=") || strstr(json_str(r, "query", ""), "watch"))
            continue; /* the watches' own */
        begun[0] = begun[1];
        begun[1] = begun[2];
        begun[2] = time_of(json_str(r, "at", ""));
        ck_assert_msg(!begun[0] || begun[2] - begun[0] > 2 * US_PER_S, "three within %lld us",
                      (long long)(begun[2] - begun[0]));
    }
    ck_assert(begun[1]);
}

START_TEST(threads__a_hung_cluster_stops_only_its_own) {
    long since;

    deploy_many("hung", 8, "second", "hung", NULL);
    deploy_many("app", 8, NULL, NULL, NULL);
    world_faults(w, "[{\"path\": \"/namespaces/hung/\", \"action\": {\"hang\": true}}]");
    since = world_mark(w);
    worker_begin(one.worker);
    world_await(w, 20, "SELECT count(*) = 8 FROM deployment WHERE state = 'succeeded'");
    ck_assert_int_eq(
        pg_number(w->url, "SELECT count(*) FROM deployment WHERE state = 'succeeded' AND app LIKE"
                          " 'app%%'"),
        8);
    expect_two_at_a_time(since);
    replica_stop(&one, 1000);
    ck_assert_int_eq(in_state("running"), 8);
}
END_TEST

/* ---- aborts ---- */

START_TEST(law2__an_abort_does_not_wait_for_a_hanging_write) {
    _cleanup_free_ char *environment = world_environment(w, &(struct place){.app = APP}),
                        *id = world_deploy(w, APP, "v1.2.3", 1);
    long since = world_mark(w);
    int64_t asked;

    world_faults(w, "[{\"verb\": \"PATCH\", \"path\": \"/services/" SERVICE "$\", \"count\": 1,"
                    " \"action\": {\"hang\": true}}]");
    worker_begin(one.worker);
    world_await_request(w, since, "PATCH", "/services/" SERVICE);
    asked = clock_monotonic_us();
    ck_assert_int_eq(world_abort(w, id), STATUS_OK);
    worker_wake_undo(one.worker, environment);
    world_await(w, 5, "SELECT count(*) = 1 FROM deployment WHERE confirmed_at IS NOT NULL");
    ck_assert(clock_monotonic_us() - asked < 5 * US_PER_S); /* the write hangs for ten */
    await_all(10, "aborted");
    replica_stop(&one, 1000);
}
END_TEST

/* The job in memory is not the environment's any more, and had nothing to commit that would have
 * told. */
START_TEST(threads__the_deployment_after_an_aborted_one_is_carried) {
    _cleanup_free_ char *environment = world_environment(w, &(struct place){.app = APP}),
                        *first = NULL, *second = NULL;

    world_serve(w, APP, environment, "v1.2.2", 1);
    world_serve(w, APP, environment, "v1.2.3", 1); /* green has its pod, and keeps it */
    world_image(w, "{\"image\": \"ghcr.io/your-org/" APP ":v1.2.4\", \"never_ready\": true}");
    first = world_deploy(w, APP, "v1.2.4", 1);
    worker_begin(one.worker);
    world_await(w, 20,
                "SELECT count(*) = 1 FROM intent WHERE purpose = 'restore-strategy' AND"
                " result = 'done' AND deployment_id = '%s'",
                first);
    ck_assert_int_eq(world_abort(w, first), STATUS_OK);
    worker_wake_undo(one.worker, environment);
    world_await(w, 20, "SELECT state = 'aborted' FROM deployment WHERE id = '%s'", first);
    second = world_deploy(w, APP, "v1.2.5", 1);
    worker_wake(one.worker, environment);
    world_await(w, 10, "SELECT state = 'succeeded' FROM deployment WHERE id = '%s'", second);
    replica_stop(&one, 5000);
}
END_TEST

/* An answer of a check wakes the worker while the worker ends the checks. */
START_TEST(threads__checks_end_with_their_deployment) {
    enum { MANY = 10 };

    for (int i = 0; i < MANY; i++) {
        _cleanup_free_ char *image =
            xasprintf("{\"image\": \"ghcr.io/your-org/app%d:v1.0.0\", \"error_rate\": 0.3}", i);

        world_image(w, image);
    }
    deploy_many(
        "app", MANY, NULL, NULL,
        "{\"health\": [{\"name\": \"a\", \"path\": \"/\", \"interval_s\": 0, \"consecutive\":"
        " 30, \"failures\": 1000}, {\"name\": \"b\", \"path\": \"/\", \"interval_s\": 0,"
        " \"consecutive\": 2, \"failures\": 3}]}");
    worker_begin(one.worker);
    world_await(w, 20,
                "SELECT count(*) >= 5 FROM step WHERE name = 'health-checks' AND state IN"
                " ('waiting', 'failed', 'done')");
    for (int i = 0; i < MANY; i++) {
        _cleanup_free_ char *id =
                                pg_sql(w->url, "SELECT id FROM deployment WHERE app = 'app%d'", i),
                            *environment =
                                pg_sql(w->url, "SELECT id FROM environment WHERE app = 'app%d'", i);
        Status s = world_abort(w, id);

        ck_assert(s == STATUS_OK || s == E_WRONG_STATE);
        worker_wake_undo(one.worker, environment);
    }
    world_await(w, 20, "SELECT count(*) = 0 FROM deployment WHERE state IN ('running', 'undoing')");
    ck_assert_int_eq(in_state("stuck"), 0);
    replica_stop(&one, 5000);
}
END_TEST

/* ---- beginning and stopping ---- */

START_TEST(threads__nothing_is_carried_before_the_begin) {
    _cleanup_free_ char *environment = world_environment(w, &(struct place){.app = APP});
    _cleanup_free_ char *id __attribute__((unused)) = world_deploy(w, APP, "v1.2.3", 1);
    long since = world_mark(w);
    json_auto_t *stats = NULL;

    worker_wake(one.worker, environment);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(pg_number(w->url, "SELECT epoch FROM environment_lease"), 0);
    stats = worker_stats(one.worker);
    ck_assert_int_eq(json_int(stats, "queued", 0), 1);
    ck_assert_int_eq(world_count(w, since, "GET", "/services/" SERVICE), 0);
    worker_begin(one.worker);
    await_all(20, "succeeded");
    replica_stop(&one, 5000);
}
END_TEST

/* As after a commit that the database did not take, when the renewer's lock of the row hid it from
 * whoever wanted to take it again. */
START_TEST(threads__a_lease_of_ours_that_nothing_carries_is_taken_up_again) {
    world_image(w, "{\"image\": \"ghcr.io/your-org/app0:v1.0.0\", \"never_ready\": true}");
    deploy_many("app", 2, NULL, NULL, NULL);
    free(pg_sql(w->url,
                "UPDATE environment_lease SET holder = %lld, until = clock_timestamp() + interval"
                " '4 s' WHERE environment_id = (SELECT id FROM environment WHERE app = 'app1')",
                (long long)db_replica_number(one.session)));
    worker_begin(one.worker);
    world_await(w, 20, "SELECT state = 'succeeded' FROM deployment WHERE app = 'app1'");
    replica_stop(&one, 5000);
}
END_TEST

START_TEST(threads__a_stop_gives_leases_back) {
    struct replica two;

    world_image(w, "{\"image\": \"ghcr.io/your-org/app0:v1.0.0\", \"never_ready\": true}");
    world_image(w, "{\"image\": \"ghcr.io/your-org/app1:v1.0.0\", \"never_ready\": true}");
    deploy_many("app", 2, NULL, NULL, NULL);
    replica_start(&two, w, 2);
    worker_begin(one.worker);
    world_await(w, 20,
                "SELECT count(*) = 2 FROM step WHERE name = 'await-available' AND state ="
                " 'waiting'");
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM environment_lease WHERE holder = %lld",
                               (long long)db_replica_number(one.session)),
                     2);
    replica_stop(&one, 5000);
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM environment_lease WHERE holder IS"
                                       " NULL"),
                     2);
    worker_begin(two.worker);
    world_await(w, 5, "SELECT count(*) = 2 FROM environment_lease WHERE holder = %lld",
                (long long)db_replica_number(two.session));
    replica_stop(&two, 5000);
}
END_TEST

START_TEST(threads__a_stop_does_not_wait_for_a_hanging_write) {
    _cleanup_free_ char *environment __attribute__((unused)) =
        world_environment(w, &(struct place){.app = APP});
    _cleanup_free_ char *id __attribute__((unused)) = world_deploy(w, APP, "v1.2.3", 1);
    long since = world_mark(w);
    struct replica two;
    int64_t asked;

    world_faults(w, "[{\"verb\": \"PATCH\", \"path\": \"/services/" SERVICE "$\", \"count\": 1,"
                    " \"action\": {\"hang\": true}}]");
    worker_begin(one.worker);
    world_await_request(w, since, "PATCH", "/services/" SERVICE);
    asked = clock_monotonic_us();
    replica_stop(&one, 1000);
    ck_assert_msg(clock_monotonic_us() - asked < 4 * US_PER_S, "%lld us",
                  (long long)(clock_monotonic_us() - asked));
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM environment_lease WHERE holder IS"
                                       " NULL"),
                     1);
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM intent WHERE result IS NULL"), 1);
    replica_start(&two, w, 2); /* what hung is an intent with an unknown result, no more */
    worker_begin(two.worker);
    await_all(20, "succeeded");
    replica_stop(&two, 5000);
}
END_TEST

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    pg_start();
    return RUN_SUITE_WITH(
        "threads", 120, setup, teardown, threads__carry_100_environments,
        law5__two_replicas_share_the_work, threads__a_hung_cluster_stops_only_its_own,
        law2__an_abort_does_not_wait_for_a_hanging_write,
        threads__the_deployment_after_an_aborted_one_is_carried,
        threads__checks_end_with_their_deployment, threads__nothing_is_carried_before_the_begin,
        threads__a_lease_of_ours_that_nothing_carries_is_taken_up_again,
        threads__a_stop_gives_leases_back, threads__a_stop_does_not_wait_for_a_hanging_write);
}
