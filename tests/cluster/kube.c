/* kube/ against the simulated cluster, or a real one: outcomes, faults, watches. */
#include "kube/kube.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "kube/cluster.h"
#include "tests/support/relay.h"
#include "tests/support/sim.h"
#include "tests/support/suite.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define SPACE   "production"
#define SERVICE "inopnc-prod"

struct bench {
    struct sim sim;
    struct relay *relay; /* between kube/ and the cluster */
    struct kube_clusters *set;
    struct kube_cluster *cluster;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n;              /* changes so far */
    int64_t changed_us; /* the last one of the production Service */
};

static void on_change(void *ctx, const char *cluster, KubeKind kind, const char *namespace_,
                      const char *name) {
    struct bench *b = ctx;

    (void)cluster, (void)namespace_;
    pthread_mutex_lock(&b->lock);
    b->n++;
    if (kind == KUBE_SERVICE && name && strcmp(name, SERVICE) == 0)
        b->changed_us = clock_monotonic_us();
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

/* The same kubeconfig, by way of the relay. */
static void relayed_config(const struct bench *b) {
    _cleanup_free_ char *path = folder_file(&b->sim.folder, "kubeconfig"),
                        *port = xasprintf(":%u", b->sim.api_port), *config = NULL;
    char buffer[16384], *at;
    FILE *in = fopen(path, "r");
    size_t n = fread(buffer, 1, sizeof(buffer) - 1, in);

    fclose(in);
    buffer[n] = '\0';
    at = strstr(buffer, port);
    ck_assert_ptr_nonnull(at);
    config =
        xasprintf("%.*s:%u%s", (int)(at - buffer), buffer, relay_port(b->relay), at + strlen(port));
    folder_put(&b->sim.folder, "relayed", config);
}

static struct bench *bench_new(int history, const struct kube_timing *timing) {
    struct bench *b = xcalloc(1, sizeof(*b));
    json_auto_t *spec = json_parse("{\"kubeconfig_file\":\"relayed\"}");
    char why[256];

    net_setup();
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    sim_start(&b->sim, history);
    b->relay = relay_new(b->sim.api_port);
    relayed_config(b);
    b->set = kube_clusters_new(b->sim.folder.path, on_change, b);
    if (timing)
        kube_clusters_set_timing(b->set, timing);
    ck_assert_int_eq(kube_clusters_get(b->set, "local", spec, 1, &b->cluster, why, sizeof(why)),
                     STATUS_OK);
    return b;
}

static void bench_free(struct bench *b) {
    kube_cluster_unref(b->cluster);
    kube_clusters_free(b->set);
    relay_free(b->relay);
    sim_stop(&b->sim);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static void faults(struct bench *b, const char *list) {
    json_decref(sim_control(&b->sim, "PUT", "/faults", list));
}

/* ---- waiting for a fact ---- */

typedef bool fact_fn(struct bench *b, const void *arg);

static void wait_until(struct bench *b, fact_fn *fact, const void *arg) {
    struct timespec until;
    bool late = false, so;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 5;
    for (;;) {
        int n;

        pthread_mutex_lock(&b->lock);
        n = b->n;
        pthread_mutex_unlock(&b->lock);
        so = fact(b, arg);
        if (so || late)
            break;
        pthread_mutex_lock(&b->lock);
        while (b->n == n && !late)
            late = pthread_cond_timedwait(&b->changed, &b->lock, &until) != 0;
        pthread_mutex_unlock(&b->lock);
    }
    ck_assert(so);
}

static bool service_has(struct bench *b, const void *arg) {
    json_auto_t *service = kube_cached(b->cluster, KUBE_SERVICE, SPACE, SERVICE);
    const char *n = kube_annotation(service, "test/n");

    return service && (!arg || (n && strcmp(n, arg) == 0));
}

static bool is_live(struct bench *b, const void *arg) {
    char error[256];

    (void)arg;
    kube_cached_error(b->cluster, KUBE_SERVICE, SPACE, error, sizeof(error));
    return !*error;
}

/* Sets the annotation test/n on the production Service. */
static KubeOutcome annotate(struct bench *b, const char *n, const char *version) {
    json_auto_t *body = json_pack("{s:{s:{s:s}}}", "metadata", "annotations", "test/n", n);
    struct kube_result r;
    KubeOutcome outcome;

    if (version)
        json_object_set_new(json_object_get(body, "metadata"), "resourceVersion",
                            json_string(version));
    kube_patch(b->cluster, KUBE_SERVICE, SPACE, SERVICE, KUBE_MERGE_PATCH, body, false, &r);
    outcome = r.outcome;
    kube_result_done(&r);
    return outcome;
}

static char *service_version(struct bench *b, char *ret_n, size_t n) {
    struct kube_result r;
    char *version;

    kube_get(b->cluster, KUBE_SERVICE, SPACE, SERVICE, &r);
    ck_assert_msg(r.outcome == KUBE_DONE, "%s", r.message);
    version = xstrdup(kube_resource_version(r.object));
    if (ret_n)
        snprintf(ret_n, n, "%s",
                 kube_annotation(r.object, "test/n") ? kube_annotation(r.object, "test/n") : "");
    kube_result_done(&r);
    return version;
}

/* ---- calls ---- */

START_TEST(kube__calls_have_their_outcomes) {
    struct bench *b = bench_new(0, NULL);
    _cleanup_free_ char *version = service_version(b, NULL, 0), *later = NULL;
    json_auto_t *bad = json_parse("{\"spec\":{\"ports\":\"none\"}}");
    struct kube_result r;

    kube_get(b->cluster, KUBE_SERVICE, SPACE, "nowhere", &r);
    ck_assert_int_eq(r.outcome, KUBE_NOT_FOUND);
    ck_assert_str_eq(r.reason, "NotFound");
    kube_result_done(&r);
    kube_list(b->cluster, KUBE_SERVICE, SPACE, NULL, &r);
    ck_assert_int_eq(r.outcome, KUBE_DONE);
    ck_assert_uint_eq(json_array_size(json_object_get(r.object, "items")), 3);
    kube_result_done(&r);
    kube_list(b->cluster, KUBE_SERVICE, SPACE, "no=such,label", &r);
    ck_assert_int_eq(r.outcome, KUBE_DONE);
    ck_assert_uint_eq(json_array_size(json_object_get(r.object, "items")), 0);
    kube_result_done(&r);
    ck_assert_int_eq(annotate(b, "1", version), KUBE_DONE);
    ck_assert_int_eq(annotate(b, "2", version), KUBE_CONFLICT);
    ck_assert_int_eq(annotate(b, "1", NULL), KUBE_DONE);
    later = service_version(b, NULL, 0);
    ck_assert_str_ne(later, version);
    kube_patch(b->cluster, KUBE_SERVICE, SPACE, SERVICE, KUBE_MERGE_PATCH, bad, false, &r);
    ck_assert_msg(r.outcome == KUBE_REFUSED, "%d %s", r.outcome, r.message);
    kube_result_done(&r);
    bench_free(b);
}
END_TEST

static json_t *deployment(const char *name, int replicas) {
    _cleanup_free_ char *text = xasprintf(
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"%s\"},"
        "\"spec\":{\"replicas\":%d,\"selector\":{\"matchLabels\":{\"app\":\"inopnc\","
        "\"environment\":\"blue\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"inopnc\","
        "\"environment\":\"blue\"}},\"spec\":{\"containers\":[{\"name\":\"app\",\"image\":"
        "\"ghcr.io/your-org/inopnc-wm:v1.2.2\",\"ports\":[{\"containerPort\":3000}]}]}}}}",
        name, replicas);

    return json_parse(text);
}

START_TEST(kube__creates_and_applies) {
    struct bench *b = bench_new(0, NULL);
    json_auto_t *one = deployment("inopnc-blue", 1), *two = deployment("inopnc-blue", 2);
    struct kube_result r;

    kube_create(b->cluster, KUBE_DEPLOYMENT, SPACE, one, true, &r);
    ck_assert_msg(r.outcome == KUBE_DONE, "%s", r.message);
    kube_result_done(&r);
    kube_get(b->cluster, KUBE_DEPLOYMENT, SPACE, "inopnc-blue", &r);
    ck_assert_int_eq(r.outcome, KUBE_NOT_FOUND);
    kube_result_done(&r);
    kube_create(b->cluster, KUBE_DEPLOYMENT, SPACE, one, false, &r);
    ck_assert_int_eq(r.outcome, KUBE_DONE);
    kube_result_done(&r);
    kube_create(b->cluster, KUBE_DEPLOYMENT, SPACE, one, false, &r);
    ck_assert_int_eq(r.outcome, KUBE_CONFLICT);
    ck_assert_str_eq(r.reason, "AlreadyExists");
    kube_result_done(&r);
    kube_patch(b->cluster, KUBE_DEPLOYMENT, SPACE, "inopnc-blue", KUBE_APPLY, two, false, &r);
    ck_assert_msg(r.outcome == KUBE_DONE, "%s", r.message);
    ck_assert_int_eq(json_int(json_object_get(r.object, "spec"), "replicas", 0), 2);
    kube_result_done(&r);
    kube_probe(b->cluster, &r);
    ck_assert_msg(r.outcome == KUBE_DONE, "%s", r.message);
    ck_assert(*json_str(r.object, "version", ""));
    ck_assert(*json_str(r.object, "uid", ""));
    kube_result_done(&r);
    bench_free(b);
}
END_TEST

START_TEST(kube__faults_tell_no_from_unknown) {
    static const struct {
        const char *action;
        KubeOutcome outcome;
        bool applied;
        int retry_after_s;
    } cases[] = {
        {"{\"status\":500}", KUBE_UNKNOWN, false, -1},
        {"{\"status\":503,\"retry_after_s\":2}", KUBE_UNKNOWN, false, 2},
        {"{\"status\":504}", KUBE_UNKNOWN, false, -1},
        {"{\"status\":429,\"retry_after_s\":1}", KUBE_LATER, false, 1},
        {"{\"status\":409}", KUBE_CONFLICT, false, -1},
        {"{\"status\":422}", KUBE_REFUSED, false, -1},
        {"{\"status\":403}", KUBE_REFUSED, false, -1},
        {"{\"cut\":\"before\"}", KUBE_UNKNOWN, false, -1},
        {"{\"cut\":\"after\"}", KUBE_UNKNOWN, true, -1},
        {"{\"delay_ms\":100}", KUBE_DONE, true, -1},
    };
    struct bench *b = bench_new(0, NULL);

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        _cleanup_free_ char *list = xasprintf("[{\"verb\":\"PATCH\",\"count\":1,\"action\":%s}]",
                                              cases[i].action),
                            *n = xasprintf("%zu", i), *version = NULL;
        json_auto_t *body = json_pack("{s:{s:{s:s}}}", "metadata", "annotations", "test/n", n);
        struct kube_result r;
        char seen[16];

        faults(b, list);
        kube_patch(b->cluster, KUBE_SERVICE, SPACE, SERVICE, KUBE_MERGE_PATCH, body, false, &r);
        ck_assert_msg(r.outcome == cases[i].outcome, "%s: outcome %d, %s", cases[i].action,
                      r.outcome, r.message);
        ck_assert_int_eq(r.retry_after_s, cases[i].retry_after_s);
        kube_result_done(&r);
        faults(b, "[]");
        version = service_version(b, seen, sizeof(seen));
        ck_assert_msg((strcmp(seen, n) == 0) == cases[i].applied, "%s: test/n is %s",
                      cases[i].action, seen);
    }
    bench_free(b);
}
END_TEST

/* ---- watches ---- */

START_TEST(kube__event_is_seen_within_milliseconds) {
    enum { ROUNDS = 100 };
    struct bench *b = bench_new(0, NULL);
    int64_t took[ROUNDS], least = INT64_MAX, sum = 0;

    kube_watch(b->cluster, SPACE);
    wait_until(b, service_has, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        _cleanup_free_ char *n = xasprintf("%d", i);
        int64_t before = clock_monotonic_us();

        ck_assert_int_eq(annotate(b, n, NULL), KUBE_DONE);
        wait_until(b, service_has, n);
        pthread_mutex_lock(&b->lock);
        took[i] = b->changed_us - before;
        pthread_mutex_unlock(&b->lock);
        least = took[i] < least ? took[i] : least;
        sum += took[i];
    }
    printf("# patch sent to change seen: least %lld us, mean %lld us\n", (long long)least,
           (long long)(sum / ROUNDS));
    ck_assert(least < 20 * US_PER_MS);
    bench_free(b);
}
END_TEST

/* A connection that was kept may have been cut: then the call has no answer, and the next one does.
 */
static void annotate_again(struct bench *b, const char *n) {
    KubeOutcome outcome = annotate(b, n, NULL);

    for (int i = 0; i < 5 && outcome == KUBE_UNKNOWN; i++)
        outcome = annotate(b, n, NULL);
    ck_assert_int_eq(outcome, KUBE_DONE);
}

/* How often the Services were listed. */
static int lists(struct bench *b) {
    json_auto_t *requests = sim_control(&b->sim, "GET", "/requests", NULL);
    const json_t *r;
    size_t i;
    int n = 0;

    json_array_foreach(json_is_array(requests) ? requests : json_object_get(requests, "items"), i,
                       r) {
        bool list = strstr(json_str(r, "query", ""), "limit=") != NULL;

        n += list && strstr(json_str(r, "path", ""), "/services");
    }
    return n;
}

START_TEST(kube__watch_goes_on_after_a_cut) {
    struct bench *b = bench_new(0, NULL);

    kube_watch(b->cluster, SPACE);
    wait_until(b, service_has, NULL);
    for (int i = 0; i < 5; i++) {
        _cleanup_free_ char *n = xasprintf("%d", i);

        annotate_again(b, n);
        wait_until(b, service_has, n); /* the watch has begun */
        relay_cut(b->relay);
    }
    annotate_again(b, "last");
    wait_until(b, service_has, "last");
    ck_assert(is_live(b, NULL));
    if (!sim_is_real())
        ck_assert_int_eq(lists(b), 1);
    bench_free(b);
}
END_TEST

START_TEST(kube__watch_that_is_too_old_lists_again) {
    struct bench *b = bench_new(4, NULL); /* keeps four events per kind */

    kube_watch(b->cluster, SPACE);
    wait_until(b, service_has, NULL);
    faults(b, "[{\"verb\":\"watch\",\"action\":{\"status\":503}}]");
    relay_cut(b->relay);
    for (int i = 0; i < 20; i++) {
        _cleanup_free_ char *n = xasprintf("%d", i);

        annotate_again(b, n);
    }
    faults(b, "[]");
    wait_until(b, service_has, "19");
    wait_until(b, is_live, NULL);
    ck_assert_int_eq(annotate(b, "on", NULL), KUBE_DONE);
    wait_until(b, service_has, "on");
    bench_free(b);
}
END_TEST

START_TEST(kube__frozen_connection_is_noticed) {
    struct kube_timing timing = kube_timing_default;
    struct bench *b;
    int64_t before;

    timing.idle_ms = 300;
    timing.list_ms = 300;
    b = bench_new(0, &timing);
    kube_watch(b->cluster, SPACE);
    wait_until(b, service_has, NULL);
    relay_freeze(b->relay, true);
    before = clock_monotonic_us();
    {
        char error[256] = "";

        while (!*error) { /* the suite's time limit ends it */
            kube_cached_error(b->cluster, KUBE_SERVICE, SPACE, error, sizeof(error));
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    }
    ck_assert(kube_cached_at(b->cluster, KUBE_SERVICE, SPACE) < clock_monotonic_us() - 300000);
    ck_assert(clock_monotonic_us() - before < 3 * US_PER_S);
    relay_cut(b->relay);
    relay_freeze(b->relay, false);
    annotate_again(b, "thawed");
    wait_until(b, service_has, "thawed");
    bench_free(b);
}
END_TEST

START_TEST(kube__hanging_watch_falls_back_to_lists) {
    struct kube_timing timing = kube_timing_default;
    struct bench *b;

    timing.idle_ms = 100;
    b = bench_new(0, &timing);
    faults(b, "[{\"verb\":\"watch\",\"action\":{\"hang\":true}}]");
    kube_watch(b->cluster, SPACE);
    wait_until(b, service_has, NULL);
    ck_assert_int_eq(annotate(b, "listed", NULL), KUBE_DONE);
    wait_until(b, service_has, "listed"); /* by the poll floor alone */
    ck_assert(is_live(b, NULL));
    bench_free(b);
}
END_TEST

static bool pods_ready(struct bench *b, const void *arg) {
    json_auto_t *slices = kube_cached_list(b->cluster, KUBE_ENDPOINT_SLICE, SPACE, NULL);
    const json_t *slice, *endpoint;
    size_t i, j, ready = 0;

    json_array_foreach(slices, i, slice) {
        if (strcmp(kube_label(slice, "kubernetes.io/service-name")
                       ? kube_label(slice, "kubernetes.io/service-name")
                       : "",
                   arg) != 0)
            continue;
        json_array_foreach(json_object_get(slice, "endpoints"), j, endpoint) {
            ready += json_bool(json_object_get(endpoint, "conditions"), "ready", false);
        }
    }
    return ready == 2;
}

/* Both pods of the Deployment of that name are in the cache: another watch than the endpoints'. */
static bool pods_cached(struct bench *b, const void *arg) {
    json_auto_t *owner = kube_cached(b->cluster, KUBE_DEPLOYMENT, SPACE, arg);
    json_auto_t *sets =
        owner ? kube_cached_list(b->cluster, KUBE_REPLICA_SET, SPACE, kube_uid(owner)) : NULL;
    json_auto_t *pods = json_array_size(sets) ? kube_cached_list(b->cluster, KUBE_POD, SPACE,
                                                                 kube_uid(json_array_get(sets, 0)))
                                              : NULL;

    return json_array_size(pods) == 2;
}

static void on_done(void *ctx, struct net_response *r) {
    struct bench *b = ctx;

    pthread_mutex_lock(&b->lock);
    b->changed_us = r->outcome == NET_ANSWERED ? -(int64_t)r->status : -1;
    b->n++;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

static bool answered_200(struct bench *b, const void *arg) {
    bool so;

    (void)arg;
    pthread_mutex_lock(&b->lock);
    so = b->changed_us == -200;
    pthread_mutex_unlock(&b->lock);
    return so;
}

START_TEST(kube__deployment_becomes_pods_that_answer_where_they_run) {
    struct bench *b = bench_new(0, NULL);
    json_auto_t *blue = deployment("inopnc-two", 2), *owner = NULL, *sets = NULL, *pods = NULL;
    struct kube_result r;

    kube_watch(b->cluster, SPACE);
    kube_create(b->cluster, KUBE_DEPLOYMENT, SPACE, blue, false, &r);
    ck_assert_int_eq(r.outcome, KUBE_DONE);
    kube_result_done(&r);
    wait_until(b, pods_ready, SERVICE);
    wait_until(b, pods_cached, "inopnc-two");
    owner = kube_cached(b->cluster, KUBE_DEPLOYMENT, SPACE, "inopnc-two");
    sets = kube_cached_list(b->cluster, KUBE_REPLICA_SET, SPACE, kube_uid(owner));
    ck_assert_uint_eq(json_array_size(sets), 1);
    pods = kube_cached_list(b->cluster, KUBE_POD, SPACE, kube_uid(json_array_get(sets, 0)));
    ck_assert_uint_eq(json_array_size(pods), 2);
    ck_assert(kube_labels_match(json_at(owner, "spec", "selector", "matchLabels", NULL),
                                json_at(json_array_get(pods, 0), "metadata", "labels", NULL)));
    if (!sim_is_real()) {
        kube_service_call(
            b->cluster, SPACE, SERVICE, 80,
            &(struct net_request){.url = "/api/health", .timeout_ms = 3000, .max_bytes = 4096},
            on_done, b);
        wait_until(b, answered_200, NULL);
    }
    bench_free(b);
}
END_TEST

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    if (sim_is_real())
        return RUN_SUITE("kube", 60, kube__calls_have_their_outcomes, kube__creates_and_applies,
                         kube__event_is_seen_within_milliseconds, kube__watch_goes_on_after_a_cut,
                         kube__frozen_connection_is_noticed,
                         kube__deployment_becomes_pods_that_answer_where_they_run);
    return RUN_SUITE("kube", 60, kube__calls_have_their_outcomes, kube__creates_and_applies,
                     kube__faults_tell_no_from_unknown, kube__event_is_seen_within_milliseconds,
                     kube__watch_goes_on_after_a_cut, kube__watch_that_is_too_old_lists_again,
                     kube__frozen_connection_is_noticed, kube__hanging_watch_falls_back_to_lists,
                     kube__deployment_becomes_pods_that_answer_where_they_run);
}
