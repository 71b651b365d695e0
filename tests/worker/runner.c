/* Whole deployments by one holder at a time, step by step, and what others do in between. */
#include "worker/runner.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/deployment.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include "tests/support/world.h"
#include "worker/observe.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define APP     "inopnc"
#define SERVICE "inopnc-prod"
#define IMAGE   "ghcr.io/your-org/inopnc"

static struct world world, *const w = &world;
static char *environment;

static void setup(void) {
    world_start(w);
    environment = world_environment(w, &(struct place){.app = APP});
}

static void teardown(void) {
    world_end(w);
    free(environment);
}

static const char *color(void) {
    return world_color(w, WORLD_SPACE, APP);
}

static long records(const char *id, const char *action) {
    return pg_number(w->url,
                     "SELECT count(*) FROM record WHERE deployment_id = '%s' AND action ="
                     " '%s'",
                     id, action);
}

static void expect_first_writes(long since, const char *wanted) {
    _cleanup_free_ char *writes = world_writes(w, since);

    ck_assert_msg(strncmp(writes, wanted, strlen(wanted)) == 0, "%s", writes);
}

static void release_lease(void) {
    free(pg_sql(w->url, "UPDATE environment_lease SET holder = NULL, until = NULL"));
}

/* As if the holder had died: the next one loads. */
static struct job *next_holder(struct job *j, int64_t holder) {
    job_free(j);
    release_lease();
    return world_load(w, environment, holder);
}

static const char *step_detail(struct job *j) {
    return job_progress(j)->detail;
}

/* Runs until the step waits and says this. */
static void run_to_detail(struct job *j, const char *text) {
    int64_t late = clock_monotonic_us() + 20 * US_PER_S, until;

    while (!strstr(step_detail(j), text)) {
        ck_assert_msg(clock_monotonic_us() < late, "%s", step_detail(j));
        ck_assert_int_eq(run_job(&w->run, j, &until), RUN_WAIT);
    }
}

/* Ready endpoints of the production Service. */
static int endpoints(void) {
    _cleanup_(kube_result_done) struct kube_result r = {0};
    const json_t *slice, *endpoint;
    size_t i, k;
    int n = 0;

    kube_list(w->other, KUBE_ENDPOINT_SLICE, WORLD_SPACE, "kubernetes.io/service-name=" SERVICE,
              &r);
    ck_assert_int_eq(r.outcome, KUBE_DONE);
    json_array_foreach(json_object_get(r.object, "items"), i, slice)
        json_array_foreach(json_object_get(slice, "endpoints"), k, endpoint) n +=
        json_bool(json_object_get(endpoint, "conditions"), "ready", false);
    return n;
}

/* Until the holder's own watch shows it of that color's workload. */
static void until_seen(const struct job *j, Color color,
                       bool (*fact)(const struct seen_workload *)) {
    bool over;

    do {
        _cleanup_(seen_done) struct seen seen = {0};

        observe_cached(j->cluster, j->plan.spec, &seen);
        over = seen.reachable && fact(&seen.workload[color]);
    } while (!over);
}

static bool none_is_ready(const struct seen_workload *its) {
    return !seen_template_unknown(its) && its->pods_ready == 0;
}

static bool scaled_to_two(const struct seen_workload *its) {
    return its->autoscaler.exists && its->replicas == 2;
}

/* A holder on a thread of its own, until it ends or is dropped. */
struct running {
    pthread_t thread;
    struct job *job;
    RunEnd end;
};

static void *running_thread(void *arg) {
    struct running *r = arg;

    r->end = world_run_to_end(w, r->job);
    return NULL;
}

static void running_begin(struct running *r, struct job *j) {
    r->job = j;
    ck_assert_int_eq(pthread_create(&r->thread, NULL, running_thread, r), 0);
}

static RunEnd running_end(struct running *r) {
    pthread_join(r->thread, NULL);
    job_free(r->job);
    return r->end;
}

/* ---- the order of writes ---- */

START_TEST(law5__seizures_come_before_everything_else) {
    _cleanup_free_ char *first = world_deploy(w, APP, "v1.2.2", 1), *second = NULL;
    struct job *j = world_load(w, environment, 0);
    long since = world_mark(w);

    world_run_to_pods(w, j);
    expect_first_writes(since, "PATCH inopnc-prod, POST deployments");
    ck_assert_str_eq(color(), "blue"); /* where nothing is */
    world_end_job(w, j);
    world_expect_state(w, first, "succeeded", "");
    ck_assert_str_eq(color(), "green");
    world_serve(w, APP, environment, "v1.2.3", 1);
    ck_assert_str_eq(color(), "blue");

    second = world_deploy(w, APP, "v1.2.4", 1);
    j = world_load(w, environment, 0);
    since = world_mark(w);
    world_run_to_pods(w, j);
    expect_first_writes(since, "PATCH inopnc-prod, PATCH inopnc-green, PATCH inopnc-blue,"
                               " PATCH inopnc-green");
    world_end_job(w, j);
    world_expect_state(w, second, "succeeded", "");
}
END_TEST

START_TEST(law5__apply_refuses_the_color_that_the_service_selects) {
    _cleanup_free_ char *id = world_deploy(w, APP, "v1.2.2", 1);
    struct job *j = world_load(w, environment, 0);
    json_auto_t *green = NULL;

    world_run_to_intent(w, j, "seize-service", "/services/" SERVICE); /* blue was selected */
    world_patch(w, KUBE_SERVICE, SERVICE,
                "{\"spec\": {\"selector\": {\"environment\": \"green\"}}}");
    world_end_job(w, j);
    world_expect_state(w, id, "failed", "third-party-change"); /* somebody else made it so */
    green = world_object(w, KUBE_DEPLOYMENT, WORLD_SPACE, "inopnc-green");
    ck_assert_ptr_null(green);
}
END_TEST

START_TEST(law5__apply_stops_where_other_hands_moved_the_traffic) {
    _cleanup_free_ char *id = NULL;
    struct job *j;
    json_auto_t *target = NULL;

    world_serve(w, APP, environment, "v1.2.2", 1);
    id = world_deploy(w, APP, "v1.2.3", 1);
    j = world_load(w, environment, 0);
    world_run_to_intent(w, j, "seize-service", "/services/" SERVICE);
    world_patch(w, KUBE_SERVICE, SERVICE, "{\"spec\": {\"selector\": {\"environment\": \"red\"}}}");
    world_end_job(w, j);
    world_expect_state(w, id, "failed", "third-party-change");
    target = world_object(w, KUBE_DEPLOYMENT, WORLD_SPACE, "inopnc-blue");
    ck_assert_ptr_null(target);
    ck_assert_str_eq(color(), "green"); /* backward verbs do overwrite */
}
END_TEST

/* ---- the switch ---- */

START_TEST(law6__a_resumed_switch_is_asked_again) {
    _cleanup_free_ char *id = NULL;
    struct job *j;
    size_t before;

    world_serve(w, APP, environment, "v1.2.2", 2);
    id = world_deploy(w, APP, "v1.2.3", 2);
    before = world_switches(w, WORLD_SPACE, APP);
    j = world_load(w, environment, 0);
    ck_assert_int_eq(world_run_to_step(w, j, "await-available"), RUN_WAIT);
    world_run_to_intent(w, j, "switch", "/services/" SERVICE);
    world_image(w, "{\"image\": \"" IMAGE ":v1.2.3\", \"never_ready\": true}");
    until_seen(j, j->plan.target, none_is_ready);
    j = next_holder(j, 4242);
    ck_assert_ptr_nonnull(job_open_intent(j));
    run_to_detail(j, "0 of 2 pods ready");
    ck_assert_uint_eq(world_switches(w, WORLD_SPACE, APP), before);
    world_image(w, "{\"image\": \"" IMAGE ":v1.2.3\"}");
    world_end_job(w, j);
    world_expect_state(w, id, "succeeded", "");
    ck_assert_str_eq(color(), "blue");
    ck_assert_uint_eq(world_switches(w, WORLD_SPACE, APP), before + 1);
}
END_TEST

static const char autoscaler_text[] =
    "{\"apiVersion\": \"autoscaling/v2\", \"kind\": \"HorizontalPodAutoscaler\", \"metadata\": "
    "{\"name\": \"green\"}, \"spec\": {\"scaleTargetRef\": {\"apiVersion\": \"apps/v1\", \"kind\": "
    "\"Deployment\", \"name\": \"inopnc-green\"}, \"minReplicas\": 1, \"maxReplicas\": 4}}";

/* Where kubesim is told how the pod of this image behaves, once there is one. */
static char *pod_path(const char *image) {
    for (;;) {
        json_auto_t *pods = sim_control(&w->sim, "GET", "/pods/" WORLD_SPACE, NULL);
        const json_t *pod;
        size_t i;

        json_array_foreach(json_object_get(pods, "items"), i, pod) {
            if (strcmp(json_str(pod, "image", ""), image) == 0)
                return xasprintf("/pods/" WORLD_SPACE "/%s", json_str(pod, "name", ""));
        }
    }
}

START_TEST(law6__the_floor_is_what_the_active_color_has_now) {
    _cleanup_(kube_result_done) struct kube_result made = {0};
    _cleanup_free_ char *id = NULL, *path = NULL;
    json_auto_t *autoscaler = NULL, *blue = NULL;
    struct job *j;

    world_serve(w, APP, environment, "v1.2.2", 1);
    id = world_deploy(w, APP, "v1.2.3", 1);
    j = world_load(w, environment, 0);
    world_run_to_pods(w, j);
    autoscaler = json_parse(autoscaler_text);
    kube_create(w->other, KUBE_HORIZONTAL_POD_AUTOSCALER, WORLD_SPACE, autoscaler, false, &made);
    ck_assert_int_eq(made.outcome, KUBE_DONE);
    world_patch(w, KUBE_DEPLOYMENT, "inopnc-green", "{\"spec\": {\"replicas\": 2}}");
    until_seen(j, COLOR_GREEN, scaled_to_two);
    path = pod_path(IMAGE ":v1.2.3"); /* this one becomes ready, more of them do not */
    json_decref(sim_control(&w->sim, "PUT", path, "{}"));
    world_image(w, "{\"image\": \"" IMAGE ":v1.2.3\", \"never_ready\": true}");
    ck_assert_int_eq(world_run_to_step(w, j, "switch-traffic"), RUN_WAIT);
    run_to_detail(j, "1 of 2 pods ready before traffic may move");
    ck_assert_str_eq(color(), "green");
    world_image(w, "{\"image\": \"" IMAGE ":v1.2.3\"}");
    world_end_job(w, j); /* the target was scaled to what the active color has */
    world_expect_state(w, id, "succeeded", "");
    blue = world_object(w, KUBE_DEPLOYMENT, WORLD_SPACE, "inopnc-blue");
    ck_assert_int_eq(json_int(json_object_get(blue, "spec"), "replicas", 0), 2);
}
END_TEST

START_TEST(law4__a_deployment_has_one_cutover) {
    _cleanup_free_ char *id = world_deploy(w, APP, "v1.2.2", 1);
    struct job *j = world_load(w, environment, 0);
    long cut = 0;

    world_run_to_pods(w, j);
    for (int64_t holder = 4242; holder < 4245; holder++) { /* retried, and by other holders */
        world_run_to_intent(w, j, "switch", "/services/" SERVICE);
        cut = cut ? cut : pg_number(w->url, "SELECT gate_version FROM environment");
        ck_assert_int_eq(pg_number(w->url, "SELECT gate_version FROM environment"), cut);
        j = next_holder(j, holder);
    }
    world_end_job(w, j);
    world_expect_state(w, id, "succeeded", "");
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM intent WHERE purpose = 'switch'"), 1);
    ck_assert_int_eq(pg_number(w->url, "SELECT gate_version FROM environment"),
                     cut + 1); /* the end is counted too */
    ck_assert_int_eq(records(id, "traffic.switched"), 1);
}
END_TEST

static Status begin_tx(struct db_tx *tx, void *ctx) {
    return db_deployment_begin(tx, ctx);
}

/* What was planned while another deployment ran would apply its version to the color that serves by
 * then. */
START_TEST(law5__targets_are_fixed_when_a_deployment_becomes_active) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct deployment_basis basis;

    ck_assert_int_eq(db_deployment_prepare(w->pool, APP, "production", "1.2.3", &rows), STATUS_OK);
    basis = deployment_basis(rows);
    world_serve(w, APP, environment, "v1.2.2", 1); /* begins and ends in between */
    ck_assert_int_eq(db_tx_run(w->pool, "begin", DB_READ_COMMITTED, begin_tx, &basis),
                     E_PRECONDITION_FAILED);
}
END_TEST

/* Else apply would expose it before its checks, and a late create would serve after an abort that
 * was confirmed. */
START_TEST(law5__a_first_deployment_that_is_created_late_serves_nobody) {
    _cleanup_free_ char *id = world_deploy(w, APP, "v1.2.2", 1);
    struct running stalled = {0};
    struct job *j = world_load(w, environment, 0);
    json_auto_t *green = NULL;
    long since = world_mark(w);

    ck_assert_int_eq(j->plan.target, COLOR_GREEN); /* the Service selects blue */
    world_faults(w, "[{\"verb\": \"POST\", \"count\": 1, \"action\": {\"delay_ms\": 1500}}]");
    running_begin(&stalled, j);
    world_await_request(w, since, "POST", "/deployments");
    ck_assert_int_eq(world_abort(w, id), STATUS_OK);
    world_end_job(w, world_load(w, environment, 4242));
    world_expect_state(w, id, "aborted", "aborted");
    ck_assert_int_eq(running_end(&stalled), RUN_DROPPED);
    green = world_object(w, KUBE_DEPLOYMENT, WORLD_SPACE, "inopnc-green");
    ck_assert_ptr_nonnull(green); /* it came after all */
    ck_assert_str_eq(color(), "blue");
    ck_assert_int_eq(endpoints(), 0);
}
END_TEST

START_TEST(law5__holders_that_take_over_at_any_moment_switch_once) {
    enum { HOLDERS = 12 };
    struct running holders[HOLDERS] = {0};
    _cleanup_free_ char *id = NULL;
    size_t before;
    int begun = 0, ended = 0;

    world_serve(w, APP, environment, "v1.2.2", 1);
    before = world_switches(w, WORLD_SPACE, APP);
    id = world_deploy(w, APP, "v1.2.3", 1);
    world_faults(w, "[{\"rate\": 0.1, \"action\": {\"status\": 500}},"
                    " {\"rate\": 0.1, \"action\": {\"delay_ms\": 50}},"
                    " {\"verb\": \"PATCH\", \"rate\": 0.2, \"action\": {\"cut\": \"after\"}}]");
    while (begun < HOLDERS) { /* the older ones go on, and find out by themselves */
        running_begin(&holders[begun], world_load(w, environment, 4200 + begun));
        nanosleep(&(struct timespec){.tv_nsec = begun * 15000000L}, NULL);
        if (++begun == HOLDERS ||
            pg_number(w->url, "SELECT count(*) FROM deployment WHERE state = 'running'") == 0)
            break;
        free(pg_sql(w->url, "UPDATE environment_lease SET holder = NULL WHERE EXISTS (SELECT 1"
                            " FROM deployment WHERE state = 'running')"));
        if (pg_number(w->url, "SELECT count(*) FROM deployment WHERE state = 'running'") == 0)
            break;
    }
    for (int i = 0; i < begun; i++)
        ended += running_end(&holders[i]) == RUN_ENDED;
    world_faults(w, "[]");
    ck_assert_int_eq(ended, 1);
    world_expect_state(w, id, "succeeded", "");
    ck_assert_str_eq(color(), "blue");
    ck_assert_uint_eq(world_switches(w, WORLD_SPACE, APP), before + 1);
    ck_assert_int_eq(records(id, "traffic.switched"), 1);
    ck_assert_int_eq(records(id, "deployment.succeeded"), 1);
    ck_assert_int_eq(pg_number(w->url,
                               "SELECT max(n) FROM (SELECT count(*) n FROM record WHERE"
                               " deployment_id = '%s' AND action = 'step.completed' GROUP BY"
                               " line::json->'data'->>'step') s",
                               id),
                     1);
}
END_TEST

/* ---- taking back ---- */

START_TEST(law5__an_abort_takes_the_deployment_from_its_holder) {
    _cleanup_free_ char *id = NULL;
    struct job *j, *undo;
    int64_t until;
    long since;

    world_serve(w, APP, environment, "v1.2.2", 1);
    world_image(w, "{\"image\": \"" IMAGE ":v1.2.3\", \"ready_after_ms\": 60000}");
    id = world_deploy(w, APP, "v1.2.3", 1);
    j = world_load(w, environment, 0);
    world_run_to_pods(w, j);
    ck_assert_int_eq(world_abort(w, id), STATUS_OK);
    since = world_mark(w);
    change_step(j, "await-available", "waiting", "something new to tell");
    change_set(j, "resolved", json_object()); /* more than progress: it is told at once */
    ck_assert_int_eq(run_job(&w->run, j, &until), RUN_DROPPED);
    job_free(j);
    world_expect_writes(w, since, "");
    undo = world_load(w, environment, 4242);
    world_end_job(w, undo);
    world_expect_state(w, id, "aborted", "aborted");
    world_expect_writes(w, since, "PATCH inopnc-prod, PATCH inopnc-green, PATCH inopnc-blue");
    ck_assert_str_eq(color(), "green");
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM deployment WHERE confirmed_at IS NOT"
                                       " NULL"),
                     1);
}
END_TEST

START_TEST(law5__an_abort_after_the_switch_moves_traffic_back) {
    _cleanup_free_ char *id = NULL;
    struct job *j;
    json_auto_t *blue = NULL;

    world_serve(w, APP, environment, "v1.2.2", 1);
    id = world_deploy(w, APP, "v1.2.3", 1);
    world_behavior(w, "{\"endpoint_lag_ms\": 2000}");
    j = world_load(w, environment, 0);
    ck_assert_int_eq(world_run_to_step(w, j, "await-endpoints"), RUN_WAIT);
    ck_assert_str_eq(color(), "blue");
    ck_assert_int_eq(world_abort(w, id), STATUS_OK);
    job_free(j);
    j = world_load(w, environment, 4242);
    ck_assert_int_eq(world_run_to_step(w, j, "undo-apply"), RUN_WAIT);
    ck_assert_str_eq(color(), "green");
    ck_assert_ptr_nonnull(strstr(step_detail(j), "keeps its pods")); /* law 6: for 30 s */
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM deployment WHERE state = 'undoing' AND"
                                       " confirmed_at IS NOT NULL"),
                     1);
    blue = world_object(w, KUBE_DEPLOYMENT, WORLD_SPACE, "inopnc-blue");
    ck_assert_int_eq(json_int(json_object_get(blue, "spec"), "replicas", 0), 1);
    job_free(j);
}
END_TEST

START_TEST(undo__goes_on_where_another_holder_left_it) {
    _cleanup_free_ char *id = NULL;
    struct job *j;

    world_serve(w, APP, environment, "v1.2.2", 1);
    id = world_deploy(w, APP, "v1.2.3", 1);
    j = world_load(w, environment, 0);
    world_run_to_pods(w, j);
    job_free(j);
    ck_assert_int_eq(world_abort(w, id), STATUS_OK);
    j = world_load(w, environment, 4242);
    world_run_to_intent(w, j, "scale-target", "/deployments/inopnc-blue");
    j = next_holder(j, 4243);
    world_end_job(w, j);
    world_expect_state(w, id, "aborted", "aborted");
    ck_assert_int_eq(records(id, "traffic.restored"), 1);
    ck_assert_int_eq(records(id, "workload.scaled"), 1);
    ck_assert_int_eq(records(id, "deployment.aborted"), 1);
}
END_TEST

START_TEST(undo__that_is_stuck_is_aborted_again) {
    _cleanup_free_ char *id = NULL;
    struct job *j;

    world_serve(w, APP, environment, "v1.2.2", 1);
    id = world_deploy(w, APP, "v1.2.3", 1);
    j = world_load(w, environment, 0);
    world_run_to_pods(w, j);
    job_free(j);
    ck_assert_int_eq(world_abort(w, id), STATUS_OK);
    world_faults(w, "[{\"verb\": \"PATCH\", \"action\": {\"status\": 422}}]");
    world_end_job(w, world_load(w, environment, 4242));
    world_expect_state(w, id, "stuck", "invalid-target");
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM environment_lease WHERE holder IS"
                                       " NULL"),
                     1);
    world_faults(w, "[]");
    ck_assert_int_eq(world_abort(w, id), STATUS_OK);
    world_end_job(w, world_load(w, environment, 4242));
    world_expect_state(w, id, "aborted", "aborted");
    ck_assert_str_eq(color(), "green");
}
END_TEST

START_TEST(law3__pods_that_never_come_are_no_success) {
    static const struct {
        const char *image, *code;
    } cases[] = {
        {"{\"image\": \"" IMAGE ":v2.0.0\", \"pull_error\": true}", "image-pull"},
        {"{\"image\": \"" IMAGE ":v2.0.1\", \"crash_loop\": true}", "crash-loop"},
    };
    size_t before;

    world_serve(w, APP, environment, "v1.2.2", 1);
    before = world_switches(w, WORLD_SPACE, APP);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *version = xasprintf("v2.0.%zu", i), *id = NULL, *detail = NULL;

        world_image(w, cases[i].image);
        id = world_deploy(w, APP, version, 1);
        world_end_job(w, world_load(w, environment, 0));
        world_expect_state(w, id, "failed", cases[i].code);
        detail = pg_sql(w->url, "SELECT failure->>'detail' FROM deployment WHERE id = '%s'", id);
        ck_assert_ptr_nonnull(strstr(detail, "pod inopnc-blue-"));
    }
    ck_assert_uint_eq(world_switches(w, WORLD_SPACE, APP), before);
}
END_TEST

START_TEST(law3__a_deadline_without_ready_pods_is_a_failure) {
    _cleanup_free_ char *id = NULL,
                        *other =
                            world_environment(w, &(struct place){.app = "shop", .available_s = 1});

    world_image(w, "{\"image\": \"ghcr.io/your-org/shop:v1.0.0\", \"never_ready\": true}");
    id = world_deploy(w, "shop", "v1.0.0", 1);
    world_end_job(w, world_load(w, other, 0));
    world_expect_state(w, id, "failed", "deadline");
    ck_assert_int_eq(records(id, "traffic.switched"), 0);
}
END_TEST

/* An environment of `shop`, whose check may not fail once and has to pass so often. */
static char *strict_shop(int consecutive) {
    _cleanup_free_ char *checks = xasprintf("{\"health\": [{\"name\": \"health\", \"path\": \"/\","
                                            " \"consecutive\": %d, \"failures\": 1}]}",
                                            consecutive);

    return world_environment(w, &(struct place){.app = "shop", .checks = checks});
}

START_TEST(law3__a_failed_check_takes_everything_back) {
    _cleanup_free_ char *id = NULL, *other = strict_shop(1);

    world_serve(w, "shop", other, "v1.0.0", 1);
    world_image(w, "{\"image\": \"ghcr.io/your-org/shop:v1.0.1\", \"error_rate\": 1}");
    id = world_deploy(w, "shop", "v1.0.1", 1);
    world_end_job(w, world_load(w, other, 0));
    world_expect_state(w, id, "failed", "check-failed");
    ck_assert_str_eq(world_color(w, WORLD_SPACE, "shop"), "green");
    ck_assert_int_eq(records(id, "traffic.switched"), 0);
}
END_TEST

START_TEST(law3__a_cluster_that_cannot_be_asked_fails_no_check) {
    _cleanup_free_ char *id = NULL, *other = strict_shop(2);
    struct job *j;

    id = world_deploy(w, "shop", "v1.0.0", 1);
    j = world_load(w, other, 0);
    run_to_detail(j, "check health: 1 of 2 passed");
    kill(w->sim.pid, SIGKILL); /* connections are refused from now on */
    run_to_detail(j, "check health: 1 of 2 passed; last: no answer: ");
    world_expect_state(w, id, "running", "");
    job_free(j);
}
END_TEST

START_TEST(law10__a_holder_that_only_looks_writes_nothing) {
    _cleanup_free_ char *id = NULL;
    struct job *j;
    int64_t until;
    long since;

    world_serve(w, APP, environment, "v1.2.2", 1);
    world_image(w, "{\"image\": \"" IMAGE ":v1.2.3\", \"never_ready\": true}");
    id = world_deploy(w, APP, "v1.2.3", 1);
    j = world_load(w, environment, 0);
    ck_assert_int_eq(world_run_to_step(w, j, "await-available"), RUN_WAIT);
    while (pg_number(w->url,
                     "SELECT count(*) FROM intent WHERE deployment_id = '%s' AND"
                     " purpose = 'restore-strategy' AND result = 'done'",
                     id) == 0)
        ck_assert_int_eq(run_job(&w->run, j, &until), RUN_WAIT);
    since = world_mark(w);
    for (int64_t holder = 4242; holder < 4246; holder++) {
        j = next_holder(j, holder);
        ck_assert_int_eq(run_job(&w->run, j, &until), RUN_WAIT);
    }
    world_expect_writes(w, since, "");
    job_free(j);
}
END_TEST

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    pg_start();
    return RUN_SUITE_WITH(
        "runner", 60, setup, teardown, law5__seizures_come_before_everything_else,
        law5__apply_refuses_the_color_that_the_service_selects,
        law5__apply_stops_where_other_hands_moved_the_traffic,
        law6__a_resumed_switch_is_asked_again, law6__the_floor_is_what_the_active_color_has_now,
        law4__a_deployment_has_one_cutover,
        law5__targets_are_fixed_when_a_deployment_becomes_active,
        law5__a_first_deployment_that_is_created_late_serves_nobody,
        law5__holders_that_take_over_at_any_moment_switch_once,
        law5__an_abort_takes_the_deployment_from_its_holder,
        law5__an_abort_after_the_switch_moves_traffic_back,
        undo__goes_on_where_another_holder_left_it, undo__that_is_stuck_is_aborted_again,
        law3__pods_that_never_come_are_no_success, law3__a_deadline_without_ready_pods_is_a_failure,
        law3__a_failed_check_takes_everything_back,
        law3__a_cluster_that_cannot_be_asked_fails_no_check,
        law10__a_holder_that_only_looks_writes_nothing);
}
