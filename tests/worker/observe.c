/* When the watch cache is evidence enough for a step that must see fresh things (law 6). */
#include "worker/observe.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include "tests/support/world.h"
#include "worker/objects.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define APP "inopnc"

static struct world world, *const w = &world;
static char *environment;
static struct kube_cluster *cluster;
static json_t *spec;

/* v1.2.2 serves with two pods. */
static void setup(void) {
    json_auto_t *config = json_parse("{\"kubeconfig_file\": \"kubeconfig\"}");
    _cleanup_free_ char *text = NULL;
    char why[256];

    world_start(w);
    environment = world_environment(w, &(struct place){.app = APP});
    world_serve(w, APP, environment, "v1.2.2", 2);
    text = pg_sql(w->url, "SELECT spec FROM environment");
    spec = json_parse(text);
    ck_assert_int_eq(kube_clusters_get(w->clusters, "local", config, 1, &cluster, why, sizeof why),
                     STATUS_OK);
}

static void teardown(void) {
    kube_cluster_unref(cluster);
    json_decref(spec);
    world_end(w);
    free(environment);
}

/* As much of a plan as observing takes. */
static struct plan plan_of(const json_t *of) {
    return (struct plan){.spec = of,
                         .service = "inopnc-prod",
                         .colors = {{"inopnc-blue", "inopnc-blue-service"},
                                    {"inopnc-green", "inopnc-green-service"}},
                         .target = COLOR_GREEN};
}

/* A journal of one write, which left the object at that version. */
static struct journal wrote(const char *purpose, const char *kind, const char *name,
                            const char *resource_version) {
    struct journal j = {.intents = xcalloc(1, sizeof *j.intents), .count = 1};

    j.intents[0] = (struct intent){.job = xstrdup("deploy"),
                                   .step = xstrdup("apply"),
                                   .purpose = xstrdup(purpose),
                                   .kind = xstrdup(kind),
                                   .name = xstrdup(name),
                                   .result = INTENT_DONE};
    snprintf(j.intents[0].resource_version, sizeof j.intents[0].resource_version, "%s",
             resource_version);
    return j;
}

/* Until both pods are in the cache. */
static struct seen await_cache(void) {
    int64_t late = clock_monotonic_us() + 10 * US_PER_S;
    struct seen seen;

    for (;;) {
        observe_cached(cluster, spec, &seen);
        if (seen.reachable && seen.workload[COLOR_GREEN].pods_ready == 2)
            return seen;
        seen_done(&seen);
        ck_assert(clock_monotonic_us() < late);
    }
}

#define NAMED "GET inopnc-blue, GET inopnc-green, GET inopnc-prod"
#define ALL   "GET endpointslices, GET horizontalpodautoscalers, " NAMED ", GET pods, GET replicasets"

/* A fresh look after that write asks the API server for that: "" where the cache is enough. */
static void expect_asked(const char *purpose, const char *kind, const char *name,
                         const char *resource_version, const char *wanted) {
    struct journal j = wrote(purpose, kind, name, resource_version);
    struct plan plan = plan_of(spec);
    _cleanup_(seen_done) struct seen seen = {0};
    _cleanup_free_ char *asked = NULL;
    long since = world_mark(w);

    observe_fresh(cluster, &plan, &j, &seen);
    ck_assert_msg(seen.reachable, "%s", seen.error);
    ck_assert_int_eq(seen.workload[COLOR_GREEN].pods_ready, 2);
    asked = world_reads(w, since);
    ck_assert_str_eq(asked, wanted);
    ck_assert_int_eq(seen.fresh, *wanted != '\0');
    journal_clear(&j);
}

START_TEST(law6__the_cache_counts_only_when_it_follows_every_write) {
    static const char future[] = "9999999999999999999";
    _cleanup_(seen_done) struct seen seen = await_cache();
    const char *service = seen.service.resource_version,
               *workload = seen.workload[COLOR_GREEN].resource_version;

    expect_asked("switch", "Service", "inopnc-prod", service, "");
    expect_asked("switch", "Service", "inopnc-prod", future, ALL);
    expect_asked("apply-workload", "Deployment", "inopnc-green", workload, "");
    expect_asked("apply-workload", "Deployment", "inopnc-green", future, ALL);
    expect_asked("apply-workload", "Deployment", "inopnc-blue", "1", ALL); /* is not there */
    expect_asked("apply-0", "ConfigMap", "inopnc-green-config", future, "");
    expect_asked("switch", "Service", "inopnc-prod", "", ""); /* no result yet */
}
END_TEST

/* What counts no pods takes Service and workloads as they are, and the cache's pods. */
START_TEST(observe__what_is_behind_our_own_write_is_read_by_name) {
    _cleanup_(seen_done) struct seen seen = await_cache();
    struct journal j = wrote("switch", "Service", "inopnc-prod", "9999999999999999999"), none = {0};
    struct plan plan = plan_of(spec);

    for (int i = 0; i < 3; i++) {
        long since = world_mark(w);
        _cleanup_free_ char *asked = NULL;

        seen_done(&seen);
        if (i == 0)
            observe_after_writes(cluster, &plan, &none, &seen);
        else if (i == 1)
            observe_after_writes(cluster, &plan, &j, &seen);
        else
            observe_named(cluster, &plan, &none, &seen);
        asked = world_reads(w, since);
        ck_assert_str_eq(asked, i == 0 ? "" : NAMED);
        ck_assert(seen.reachable && !seen.fresh);
        ck_assert_int_eq(seen.workload[COLOR_GREEN].pods_ready, 2);
    }
    journal_clear(&j);
}
END_TEST

START_TEST(law6__pods_seen_before_the_seizure_do_not_count) {
    _cleanup_(seen_done) struct seen seen = await_cache();
    const char *oldest = seen.workload[COLOR_GREEN].oldest_ready,
               *workload = seen.workload[COLOR_GREEN].resource_version;

    ck_assert(*oldest);
    expect_asked("seize-target", "Deployment", "inopnc-green", oldest, "");
    /* the workload is newer than its pods: seized now, nothing of them was seen since */
    ck_assert(kube_version_newer(workload, oldest));
    expect_asked("seize-target", "Deployment", "inopnc-green", workload, ALL);
}
END_TEST

START_TEST(observe__without_a_live_watch_reads_or_says_why_not) {
    json_auto_t *elsewhere = NULL;
    struct journal none = {0};
    struct plan plan;
    _cleanup_(seen_done) struct seen seen = {0};

    elsewhere = json_deep_copy(spec);
    plan = plan_of(elsewhere);
    json_object_set_new(elsewhere, "namespace", json_string("default")); /* nobody watches it */
    observe_cached(cluster, elsewhere, &seen);
    ck_assert(!seen.reachable && *seen.error);
    seen_done(&seen);
    observe_fresh(cluster, &plan, &none, &seen);
    ck_assert(seen.reachable && seen.fresh && !seen.service.exists);
    seen_done(&seen);
    world_faults(w, "[{\"path\": \"/endpointslices\", \"action\": {\"status\": 500}}]");
    observe_fresh(cluster, &plan, &none, &seen);
    ck_assert(!seen.reachable);
    ck_assert_ptr_nonnull(strstr(seen.error, "EndpointSlice"));
}
END_TEST

START_TEST(observe__status_is_what_serves_and_what_did) {
    _cleanup_(seen_done) struct seen seen = await_cache();
    json_auto_t *status = observe_status(&seen, 0), *unknown = NULL, *away = NULL;
    const json_t *active = json_object_get(status, "active");

    ck_assert_str_eq(json_str(active, "color", ""), "green");
    ck_assert_str_eq(json_str(active, "version", ""), "v1.2.2");
    ck_assert_str_eq(json_str(active, "image", ""), "ghcr.io/your-org/inopnc:v1.2.2");
    ck_assert_int_eq(json_int(active, "ready", 0), 2);
    ck_assert(json_is_null(json_object_get(status, "previous")));
    ck_assert_ptr_null(json_object_get(status, "error"));
    seen.service.color_known = false;
    unknown = observe_status(&seen, 0);
    ck_assert(json_is_null(json_object_get(unknown, "active")));
    ck_assert(*json_str(unknown, "error", ""));
    seen.reachable = false;
    snprintf(seen.error, sizeof seen.error, "it is away");
    away = observe_status(&seen, 0);
    ck_assert_str_eq(json_str(away, "error", ""), "it is away");
}
END_TEST

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    pg_start();
    return RUN_SUITE_WITH("observe", 60, setup, teardown,
                          law6__the_cache_counts_only_when_it_follows_every_write,
                          law6__pods_seen_before_the_seizure_do_not_count,
                          observe__what_is_behind_our_own_write_is_read_by_name,
                          observe__without_a_live_watch_reads_or_says_why_not,
                          observe__status_is_what_serves_and_what_did);
}
