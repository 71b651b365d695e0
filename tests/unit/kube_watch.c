/* List, watch and cache against a scripted API server: what it sends, byte by byte, and what must
 * become of it. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/strbuf.h"
#include "kube/cluster.h"
#include "tests/support/folder.h"
#include "tests/support/http_script.h"
#include "tests/support/suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What on_change said of pods, in its order: "* a b " ("*": anything). */
struct bench {
    struct folder folder;
    struct script *script;
    struct kube_clusters *set;
    struct kube_cluster *cluster;
    struct kube_timing timing;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char changes[1 << 16];
};

static void on_change(void *ctx, const char *cluster, KubeKind kind, const char *namespace_,
                      const char *name) {
    struct bench *b = ctx;
    size_t n;

    ck_assert_str_eq(cluster, "local");
    ck_assert_str_eq(namespace_, "production");
    if (kind != KUBE_POD)
        return;
    pthread_mutex_lock(&b->lock);
    n = strlen(b->changes);
    snprintf(b->changes + n, sizeof(b->changes) - n, "%s ", name ? name : "*");
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

/* Waits until exactly that was said. */
static void changes_are(struct bench *b, const char *want) {
    struct timespec until;
    bool late = false;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 5;
    pthread_mutex_lock(&b->lock);
    while (strlen(b->changes) < strlen(want) && !late)
        late = pthread_cond_timedwait(&b->changed, &b->lock, &until) != 0;
    ck_assert_str_eq(b->changes, want);
    pthread_mutex_unlock(&b->lock);
}

/* How many watches began again for that reason, as metrics say. */
static long restarts(const char *why) {
    _cleanup_free_ char *line = xasprintf("sluice_kube_watch_restarts_total{why=\"%s\"} ", why);
    struct metric_text t = METRIC_TEXT(1 << 20);
    const char *at;
    long n;

    metric_put_kept(&t);
    at = strstr(t.out.data, line);
    ck_assert_ptr_nonnull(at);
    n = strtol(at + strlen(line), NULL, 10);
    strbuf_done(&t.out);
    return n;
}

static struct kube_cluster *cluster(struct bench *b, int64_t revision) {
    json_auto_t *spec = json_parse("{\"kubeconfig_file\":\"config\"}");
    struct kube_cluster *c;
    char why[256];
    Status s = kube_clusters_get(b->set, "local", spec, revision, &c, why, sizeof(why));

    ck_assert_msg(s == STATUS_OK, "%s", why);
    return c;
}

static void kubeconfig(const struct bench *b, unsigned port) {
    _cleanup_free_ char *config =
        xasprintf("current-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n"
                  "clusters: [{name: x, cluster: {server: 'http://127.0.0.1:%u'}}]\n"
                  "users: [{name: x, user: {tokenFile: token}}]\n",
                  port);

    folder_put(&b->folder, "config", config);
}

static struct bench *bench_new(void) {
    struct bench *b = xcalloc(1, sizeof(*b));

    net_setup();
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    b->folder = folder_make();
    b->script = script_new();
    folder_put(&b->folder, "token", "t1");
    kubeconfig(b, script_port(b->script));
    b->set = kube_clusters_new(b->folder.path, on_change, b);
    b->timing = kube_timing_default;
    b->timing.retry_ms = 10;
    b->timing.retry_most_ms = 40;
    kube_clusters_set_timing(b->set, &b->timing);
    b->cluster = cluster(b, 1);
    return b;
}

static void bench_free(struct bench *b) {
    kube_cluster_unref(b->cluster);
    kube_clusters_free(b->set);
    script_free(b->script);
    folder_remove(&b->folder);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

/* ---- what the server says ---- */

#define POD(name, version)                                                                         \
    "{\"metadata\":{\"name\":\"" name "\",\"resourceVersion\":\"" version                          \
    "\",\"managedFields\":[{}],\"ownerReferences\":[{\"uid\":\"rs\",\"controller\":true}]}}"
#define EVENT(type, name, version) "{\"type\":\"" type "\",\"object\":" POD(name, version) "}\n"
#define LIST(version, items)                                                                       \
    "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items   \
    "]}"

static void json_rule(struct bench *b, const char *match, unsigned status, const char *body,
                      int times) {
    _cleanup_free_ char *reply = script_json(status, "", body);

    script_rule(b->script, match, reply, SCRIPT_KEEP, times);
}

/* The rest of the script: every list is empty, every watch silent. */
static void quiet(struct bench *b) {
    _cleanup_free_ char *silence = script_chunk(NULL, false);

    script_rule(b->script, "?watch=1", silence, SCRIPT_HOLD, -1);
    json_rule(b, "?limit=", 200, LIST("1", ""), -1);
}

static void watch_rule(struct bench *b, const char *match, const char *events, ScriptThen then) {
    _cleanup_free_ char *reply = script_chunk(events, then == SCRIPT_KEEP);

    script_rule(b->script, match, reply, then, 1);
}

static void error_is(struct bench *b, const char *want) {
    char text[256];

    kube_cached_error(b->cluster, KUBE_POD, "production", text, sizeof(text));
    ck_assert_msg(*want ? strstr(text, want) != NULL : !*text, "%s", text);
}

/* "a:7 b:8 " of the pods in the cache. */
static void pods_are(struct bench *b, const char *want) {
    json_auto_t *list = kube_cached_list(b->cluster, KUBE_POD, "production", NULL);
    char got[256] = "";
    json_t *pod;
    size_t i;

    json_array_foreach(list, i, pod) {
        size_t n = strlen(got);

        snprintf(got + n, sizeof(got) - n, "%s:%s ", kube_name(pod), kube_resource_version(pod));
    }
    ck_assert_str_eq(got, want);
}

#define PODS       "/pods?limit="
#define PODS_WATCH "/pods?watch=1"

START_TEST(kube_watch__cache_follows_list_and_events) {
    struct bench *b = bench_new();
    json_auto_t *pod = NULL, *owned = NULL, *foreign = NULL;

    error_is(b, "not watched");
    json_rule(b, PODS, 200, LIST("5", POD("a", "3") "," POD("b", "4")), 1);
    watch_rule(b, PODS_WATCH,
               EVENT("ADDED", "c", "6") EVENT("MODIFIED", "a", "7") EVENT("DELETED", "b", "8"),
               SCRIPT_HOLD);
    quiet(b);
    ck_assert_int_eq(kube_cached_at(b->cluster, KUBE_POD, "production"), 0);
    kube_watch(b->cluster, "production");
    kube_watch(b->cluster, "production"); /* once is enough */
    changes_are(b, "* c a b ");
    pods_are(b, "a:7 c:6 ");
    error_is(b, "");
    ck_assert(kube_cached_at(b->cluster, KUBE_POD, "production") > 0);
    pod = kube_cached(b->cluster, KUBE_POD, "production", "a");
    ck_assert_str_eq(json_str(pod, "kind", ""), "Pod");
    ck_assert_str_eq(json_str(pod, "apiVersion", ""), "v1");
    ck_assert_ptr_null(json_at(pod, "metadata", "managedFields", NULL));
    ck_assert_ptr_null(kube_cached(b->cluster, KUBE_POD, "production", "b"));
    ck_assert_ptr_null(kube_cached(b->cluster, KUBE_CONFIG_MAP, "production", "b"));
    ck_assert_ptr_null(kube_cached(b->cluster, KUBE_POD, "other", "a"));
    owned = kube_cached_list(b->cluster, KUBE_POD, "production", "rs");
    ck_assert_uint_eq(json_array_size(owned), 2);
    foreign = kube_cached_list(b->cluster, KUBE_POD, "production", "x");
    ck_assert_uint_eq(json_array_size(foreign), 0);
    ck_assert_int_eq(script_count(b->script, PODS), 1);
    ck_assert_int_eq(script_count(b->script, PODS_WATCH), 1);
    ck_assert_int_eq(script_count(b->script, "&resourceVersion=5 "), 1);
    ck_assert(script_wait(b->script, "allowWatchBookmarks=true&timeoutSeconds=", 5));
    bench_free(b);
}
END_TEST

/* Nobody keeps a NUL out of an annotation: it must not end the watch of all others. */
START_TEST(kube_watch__nul_in_an_object_is_no_trouble) {
    struct bench *b = bench_new();

    json_rule(b, PODS, 200, LIST("5", "{\"metadata\":{\"name\":\"a\",\"x\":\"\\u0000\"}}"), 1);
    watch_rule(b, PODS_WATCH,
               "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"b\",\"resourceVersion\":"
               "\"6\",\"x\":\"\\u0000\"}}}\n",
               SCRIPT_HOLD);
    quiet(b);
    kube_watch(b->cluster, "production");
    changes_are(b, "* b ");
    error_is(b, "");
    bench_free(b);
}
END_TEST

START_TEST(kube_watch__long_list_comes_in_pages) {
    struct bench *b = bench_new();

    json_rule(b, PODS "250 ", 200,
              "{\"metadata\":{\"resourceVersion\":\"5\",\"continue\":\"x=&y\"},\"items\":[" POD(
                  "a", "3") "]}",
              -1);
    json_rule(b, PODS "250&continue=x%3D%26y ", 410, "{\"kind\":\"Status\"}", 1); /* expired */
    json_rule(b, PODS "250&continue=x%3D%26y ", 200, LIST("5", POD("b", "4")), 1);
    quiet(b);
    kube_watch(b->cluster, "production");
    changes_are(b, "* ");
    pods_are(b, "a:3 b:4 ");
    bench_free(b);
}
END_TEST

START_TEST(kube_watch__cut_goes_on_where_it_was) {
    struct bench *b = bench_new();
    long cut = restarts("cut"), gone = restarts("gone");

    json_rule(b, PODS, 200, LIST("5", ""), 1);
    watch_rule(b, "resourceVersion=5 ", EVENT("ADDED", "a", "6") "{\"type\":\"ADD", SCRIPT_CLOSE);
    watch_rule(b, "resourceVersion=6 ",
               "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\"}}}\n",
               SCRIPT_CLOSE);
    watch_rule(b, "resourceVersion=9 ", EVENT("ADDED", "b", "10"), SCRIPT_HOLD);
    quiet(b);
    kube_watch(b->cluster, "production");
    changes_are(b, "* a b ");
    pods_are(b, "a:6 b:10 ");
    error_is(b, "");
    ck_assert_int_eq(restarts("cut"), cut + 2);
    ck_assert_int_eq(restarts("gone"), gone);
    ck_assert_int_eq(script_count(b->script, PODS), 1);
    bench_free(b);
}
END_TEST

START_TEST(kube_watch__ended_in_good_order_goes_on) {
    struct bench *b = bench_new();

    json_rule(b, PODS, 200, LIST("5", ""), 1);
    watch_rule(b, "resourceVersion=5 ", EVENT("ADDED", "a", "6"), SCRIPT_KEEP);
    watch_rule(b, "resourceVersion=6 ", EVENT("ADDED", "b", "7"), SCRIPT_HOLD);
    quiet(b);
    kube_watch(b->cluster, "production");
    changes_are(b, "* a b ");
    ck_assert_int_eq(script_count(b->script, PODS), 1);
    bench_free(b);
}
END_TEST

START_TEST(kube_watch__every_trouble_ends_in_a_fresh_list) {
    static const struct {
        const char *reply, *body; /* one of them */
        unsigned status;
        const char *why; /* as metrics call it */
    } cases[] = {
        {"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n", NULL, 0, "gone"},
        {"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":500}}\n", NULL, 0, "failed"},
        {"{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}\n", NULL, 0, "failed"},
        {"{\"type\":\"CHANGED\",\"object\":" POD("x", "1") "}\n", NULL, 0, "failed"},
        {"{\"type\":\"ADDED\"\n", NULL, 0, "failed"},
        {"[]\n", NULL, 0, "failed"},
        {NULL, "{\"kind\":\"Status\",\"code\":410}", 410, "gone"},
        {NULL, "{\"kind\":\"Status\",\"reason\":\"Forbidden\"}", 403, "failed"},
        {NULL, "{\"kind\":\"Status\",\"code\":429}", 429, "failed"},
        {NULL, "", 503, "failed"},
        {NULL, "", 200, "failed"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        long before = restarts(cases[i].why);
        struct bench *b = bench_new();

        json_rule(b, PODS, 200, LIST("5", POD("a", "3") "," POD("b", "4")), 1);
        if (cases[i].reply)
            watch_rule(b, PODS_WATCH, cases[i].reply, SCRIPT_HOLD);
        else
            json_rule(b, PODS_WATCH, cases[i].status, cases[i].body, 1);
        json_rule(b, PODS, 200, LIST("9", POD("b", "8")), 1);
        watch_rule(b, "resourceVersion=9 ", EVENT("ADDED", "c", "10"), SCRIPT_HOLD);
        quiet(b);
        kube_watch(b->cluster, "production");
        changes_are(b, "* * c ");
        pods_are(b, "b:8 c:10 ");
        error_is(b, "");
        ck_assert_int_eq(restarts(cases[i].why), before + 1);
        bench_free(b);
    }
}
END_TEST

START_TEST(kube_watch__failed_list_is_tried_again) {
    struct bench *b = bench_new();

    json_rule(b, PODS, 503, "", 1);
    json_rule(b, PODS, 200, "{\"metadata\":{\"resourceVersion\":\"1\"}}", 1);
    json_rule(b, PODS, 200, "{\"items\":[]}", 1);
    json_rule(b, PODS, 200, LIST("1", "{}"), 1);
    script_rule(b->script, PODS, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", SCRIPT_CLOSE, 1);
    json_rule(b, PODS, 200, LIST("1", POD("a", "1")), 1);
    quiet(b);
    kube_watch(b->cluster, "production");
    changes_are(b, "* ");
    pods_are(b, "a:1 ");
    ck_assert_int_eq(script_count(b->script, PODS), 6);
    bench_free(b);
}
END_TEST

START_TEST(kube_watch__error_says_why_it_is_not_live) {
    struct bench *b = bench_new();

    json_rule(b, PODS, 403,
              "{\"kind\":\"Status\",\"message\":\"pods is forbidden\",\"reason\":\"Forbidden\"}",
              -1);
    quiet(b);
    kube_watch(b->cluster, "production");
    ck_assert(script_wait(b->script, PODS, 2));
    error_is(b, "HTTP 403: pods is forbidden");
    ck_assert_int_eq(kube_cached_at(b->cluster, KUBE_POD, "production"), 0);
    bench_free(b);
}
END_TEST

START_TEST(kube_watch__waits_as_the_server_asks) {
    struct bench *b = bench_new();
    _cleanup_free_ char *busy = script_json(429, "Retry-After: 1\r\n", "{\"kind\":\"Status\"}");
    int64_t before = clock_monotonic_us();

    script_rule(b->script, PODS, busy, SCRIPT_KEEP, 1);
    quiet(b);
    kube_watch(b->cluster, "production");
    changes_are(b, "* ");
    ck_assert(clock_monotonic_us() - before >= US_PER_S);
    bench_free(b);
}
END_TEST

START_TEST(kube_watch__silence_brings_a_list) {
    struct bench *b = bench_new();
    long silent = restarts("silent");

    b->timing.idle_ms = 100;
    kube_clusters_set_timing(b->set, &b->timing);
    json_rule(b, PODS, 200, LIST("5", POD("a", "3")), 1);
    json_rule(b, PODS, 200, LIST("6", POD("b", "6")), 1);
    quiet(b);
    kube_watch(b->cluster, "production");
    ck_assert(script_wait(b->script, PODS, 3));
    pthread_mutex_lock(&b->lock);
    ck_assert_int_eq(strncmp(b->changes, "* * ", 4), 0);
    pthread_mutex_unlock(&b->lock);
    error_is(b, "");
    ck_assert_int_gt(restarts("silent"), silent);
    bench_free(b);
}
END_TEST

START_TEST(kube_watch__refused_token_is_read_again) {
    struct bench *b = bench_new();

    json_rule(b, "Bearer t1", 401, "{\"kind\":\"Status\"}", -1);
    quiet(b);
    kube_watch(b->cluster, "production");
    ck_assert(script_wait(b->script, PODS, 2));
    error_is(b, "HTTP 401");
    folder_put(&b->folder, "token", "t2");
    changes_are(b, "* ");
    bench_free(b);
}
END_TEST

/* Hundreds of events in one chunk, a line longer than any buffer between them. */
static char *many_events(int n) {
    struct strbuf b = STRBUF(16 << 20);

    for (int i = 0; i < n; i++)
        strbuf_addf(&b,
                    "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"p%d\","
                    "\"resourceVersion\":\"%d\"},\"long\":\"%*s\"}}\n",
                    i, i + 10, i == n / 2 ? 1 << 20 : 1, "x");
    return strbuf_take(&b);
}

START_TEST(kube_watch__many_events_at_once) {
    enum { EVENTS = 700 };
    struct bench *b = bench_new();
    _cleanup_free_ char *events = many_events(EVENTS);
    char last[32];

    json_rule(b, PODS, 200, LIST("5", ""), 1);
    watch_rule(b, "resourceVersion=5 ", events, SCRIPT_CLOSE);
    quiet(b);
    kube_watch(b->cluster, "production");
    snprintf(last, sizeof(last), "resourceVersion=%d ", EVENTS + 9);
    ck_assert(script_wait(b->script, last, 1));
    for (int i = 0; i < EVENTS; i++) {
        char name[32];
        json_t *pod;

        snprintf(name, sizeof(name), "p%d", i);
        pod = kube_cached(b->cluster, KUBE_POD, "production", name);
        ck_assert_ptr_nonnull(pod);
        json_decref(pod);
    }
    bench_free(b);
}
END_TEST

START_TEST(kube_watch__goes_on_with_the_cluster_made_again) {
    struct bench *b = bench_new();
    struct script *second = script_new();
    struct kube_cluster *next;
    _cleanup_free_ char *list = script_json(200, "", LIST("5", POD("new", "3")));
    _cleanup_free_ char *silence = script_chunk(NULL, false);

    json_rule(b, PODS, 200, LIST("5", POD("old", "3")), 1);
    quiet(b);
    kube_watch(b->cluster, "production");
    changes_are(b, "* ");
    script_rule(second, "?watch=1", silence, SCRIPT_HOLD, -1);
    script_rule(second, "?limit=", list, SCRIPT_KEEP, -1);
    kubeconfig(b, script_port(second));
    next = cluster(b, 2);
    changes_are(b, "* * ");
    pods_are(b, "old:3 "); /* who still holds the old one sees what it saw last */
    kube_watch(b->cluster, "elsewhere");
    ck_assert_int_eq(script_count(b->script, "elsewhere"), 0);
    kube_cluster_unref(b->cluster);
    b->cluster = next;
    pods_are(b, "new:3 ");
    ck_assert(script_wait(second, PODS_WATCH, 1));
    bench_free(b);
    script_free(second);
}
END_TEST

START_TEST(kube_watch__readers_and_events_do_not_disturb_each_other) {
    enum { EVENTS = 2000 };
    struct bench *b = bench_new();
    struct strbuf text = STRBUF(16 << 20);
    char last[32] = "";

    for (int i = 0; i < EVENTS; i++)
        strbuf_addf(&text,
                    "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"p\","
                    "\"resourceVersion\":\"%d\",\"labels\":{\"n\":\"%d\"}}}}\n",
                    i + 10, i + 10);
    json_rule(b, PODS, 200, LIST("5", ""), 1);
    watch_rule(b, "resourceVersion=5 ", text.data, SCRIPT_HOLD);
    quiet(b);
    kube_watch(b->cluster, "production");
    while (strcmp(last, "2009") != 0) { /* the suite's time limit ends it */
        json_auto_t *pod = kube_cached(b->cluster, KUBE_POD, "production", "p");

        if (!pod)
            continue;
        snprintf(last, sizeof(last), "%s", kube_resource_version(pod));
        ck_assert_str_eq(kube_label(pod, "n"), last);
    }
    strbuf_done(&text);
    bench_free(b);
}
END_TEST

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    metrics_begin(NULL, NULL);
    return RUN_SUITE(
        "kube_watch", 30, kube_watch__cache_follows_list_and_events,
        kube_watch__nul_in_an_object_is_no_trouble, kube_watch__long_list_comes_in_pages,
        kube_watch__cut_goes_on_where_it_was, kube_watch__ended_in_good_order_goes_on,
        kube_watch__every_trouble_ends_in_a_fresh_list, kube_watch__failed_list_is_tried_again,
        kube_watch__error_says_why_it_is_not_live, kube_watch__waits_as_the_server_asks,
        kube_watch__silence_brings_a_list, kube_watch__refused_token_is_read_again,
        kube_watch__many_events_at_once, kube_watch__goes_on_with_the_cluster_made_again,
        kube_watch__readers_and_events_do_not_disturb_each_other);
}
