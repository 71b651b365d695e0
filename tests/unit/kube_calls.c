/* Calls that wait, and calls through the Service proxy, against a scripted API server. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "kube/cluster.h"
#include "tests/support/folder.h"
#include "tests/support/http_script.h"
#include "tests/support/suite.h"
#include <stdio.h>
#include <string.h>

struct bench {
    struct folder folder;
    struct script *script;
    struct kube_clusters *set;
    struct kube_cluster *cluster;
};

static void kubeconfig(const struct bench *b, unsigned port) {
    _cleanup_free_ char *config =
        xasprintf("current-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n"
                  "clusters: [{name: x, cluster: {server: 'http://127.0.0.1:%u'}}]\n"
                  "users: [{name: x, user: {tokenFile: token}}]\n",
                  port);

    folder_put(&b->folder, "config", config);
}

static struct kube_cluster *cluster(struct bench *b, const char *file, int64_t revision) {
    json_auto_t *spec = json_pack("{ss}", "kubeconfig_file", file);
    struct kube_cluster *c;
    char why[256];
    Status s = kube_clusters_get(b->set, "local", spec, revision, &c, why, sizeof(why));

    ck_assert_msg(s == STATUS_OK, "%s", why);
    return c;
}

static struct bench bench_new(void) {
    struct bench b = {.folder = folder_make()};

    net_setup();
    b.script = script_new();
    folder_put(&b.folder, "token", "t1\n");
    kubeconfig(&b, script_port(b.script));
    b.set = kube_clusters_new(b.folder.path, NULL, NULL);
    b.cluster = cluster(&b, "config", 1);
    return b;
}

static void bench_free(struct bench *b) {
    kube_cluster_unref(b->cluster);
    kube_clusters_free(b->set);
    script_free(b->script);
    folder_remove(&b->folder);
}

static void answer(struct bench *b, const char *match, unsigned status, const char *body,
                   int times) {
    _cleanup_free_ char *reply = script_json(status, "", body);

    script_rule(b->script, match, reply, SCRIPT_KEEP, times);
}

/* The last request begins with `line` and holds the others. */
static void asked(struct bench *b, const char *line, const char *one, const char *two) {
    _cleanup_free_ char *text = script_last(b->script, " HTTP/1.1\r\n");

    ck_assert_ptr_nonnull(text);
    ck_assert_msg(strncmp(text, line, strlen(line)) == 0, "%s", text);
    ck_assert_msg(strstr(text, one) && strstr(text, two), "%s", text);
}

#define OBJECT "{\"metadata\":{\"name\":\"inopnc-prod\",\"uid\":\"u1\"}}"

START_TEST(kube_calls__requests_have_their_form) {
    struct bench b = bench_new();
    json_auto_t *body = json_parse("{\"a\":1}");
    struct kube_result r;

    answer(&b, "", 200, OBJECT, -1);
    kube_get(b.cluster, KUBE_SERVICE, "production", "inopnc-prod", &r);
    ck_assert_int_eq(r.outcome, KUBE_DONE);
    ck_assert_str_eq(kube_uid(r.object), "u1");
    kube_result_done(&r);
    asked(&b, "GET /api/v1/namespaces/production/services/inopnc-prod HTTP/1.1\r\n",
          "Authorization: Bearer t1\r\n", "Accept: application/json\r\n");
    asked(&b, "GET", "User-Agent: sluiced/" SLUICE_VERSION "\r\n", "");
    kube_list(b.cluster, KUBE_POD, "production", "app=x,color in (a)", &r);
    kube_result_done(&r);
    asked(&b,
          "GET /api/v1/namespaces/production/pods?labelSelector=app%3Dx%2Ccolor%20in%20%28a%29 ",
          "", "");
    kube_list(b.cluster, KUBE_DEPLOYMENT, NULL, NULL, &r);
    kube_result_done(&r);
    asked(&b, "GET /apis/apps/v1/deployments HTTP", "", "");
    kube_patch(b.cluster, KUBE_SERVICE, "production", "s", KUBE_MERGE_PATCH, body, false, &r);
    kube_result_done(&r);
    asked(&b, "PATCH /api/v1/namespaces/production/services/s?fieldManager=sluice HTTP",
          "Content-Type: application/merge-patch+json\r\n", "\r\n\r\n{\"a\":1}");
    kube_patch(b.cluster, KUBE_SERVICE, "production", "s", KUBE_STRATEGIC_PATCH, body, true, &r);
    kube_result_done(&r);
    asked(&b, "PATCH /api/v1/namespaces/production/services/s?fieldManager=sluice&dryRun=All HTTP",
          "Content-Type: application/strategic-merge-patch+json\r\n", "");
    kube_patch(b.cluster, KUBE_DEPLOYMENT, "production", "d", KUBE_APPLY, body, false, &r);
    kube_result_done(&r);
    asked(&b,
          "PATCH /apis/apps/v1/namespaces/production/deployments/d?fieldManager=sluice&force=true ",
          "Content-Type: application/apply-patch+yaml\r\n", "");
    kube_create(b.cluster, KUBE_CONFIG_MAP, "production", body, true, &r);
    ck_assert_int_eq(r.outcome, KUBE_DONE);
    kube_result_done(&r);
    asked(&b,
          "POST /api/v1/namespaces/production/configmaps?fieldManager=sluice&dryRun=All HTTP/1.1",
          "Content-Type: application/json\r\n", "{\"a\":1}");
    bench_free(&b);
}
END_TEST

START_TEST(kube_calls__tell_no_from_unknown) {
    static const struct {
        const char *reply;
        ScriptThen then;
        KubeOutcome outcome;
    } cases[] = {
        {"", SCRIPT_CLOSE, KUBE_UNKNOWN},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 99\r\n\r\n{\"metadata\":{",
         SCRIPT_CLOSE, KUBE_UNKNOWN},
        {"\x01garbage\r\n\r\n", SCRIPT_CLOSE, KUBE_UNKNOWN},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}",
         SCRIPT_CLOSE, KUBE_UNKNOWN},
        {"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 6\r\n\r\n<html>",
         SCRIPT_CLOSE, KUBE_UNKNOWN},
        {"HTTP/1.1 503 No\r\nRetry-After: 2\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
         SCRIPT_CLOSE, KUBE_UNKNOWN},
        {"HTTP/1.1 403 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", SCRIPT_CLOSE,
         KUBE_REFUSED},
    };
    struct bench b = bench_new();
    json_auto_t *body = json_object();

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct kube_result r;

        script_rule(b.script, "PATCH", cases[i].reply, cases[i].then, 1);
        kube_patch(b.cluster, KUBE_POD, "n", "p", KUBE_MERGE_PATCH, body, false, &r);
        ck_assert_msg(r.outcome == cases[i].outcome, "case %zu: %d %s", i, r.outcome, r.message);
        ck_assert_ptr_null(r.object);
        ck_assert(*r.message && !strchr(r.message, '\n'));
        ck_assert_int_eq(r.retry_after_s, strstr(cases[i].reply, "Retry") ? 2 : -1);
        kube_result_done(&r);
        ck_assert_int_eq(script_count(b.script, "PATCH"), (int)i + 1); /* sent once */
    }
    bench_free(&b);
}
END_TEST

START_TEST(kube_calls__hanging_read_ends_after_three_seconds) {
    struct bench b = bench_new();
    struct kube_result r;
    int64_t before = clock_monotonic_us();

    script_rule(b.script, "GET", "", SCRIPT_HOLD, -1);
    kube_get(b.cluster, KUBE_POD, "n", "p", &r);
    ck_assert_int_eq(r.outcome, KUBE_UNKNOWN);
    ck_assert(clock_monotonic_us() - before < 4 * US_PER_S);
    kube_result_done(&r);
    bench_free(&b);
}
END_TEST

START_TEST(kube_calls__nobody_there_is_unreached) {
    struct bench b = bench_new();
    struct kube_cluster *c;
    struct kube_result r;

    kubeconfig(&b, 1); /* nobody listens on it */
    c = cluster(&b, "config", 2);
    kube_get(c, KUBE_POD, "n", "p", &r);
    ck_assert_int_eq(r.outcome, KUBE_UNREACHED);
    kube_result_done(&r);
    kube_cluster_unref(c);
    bench_free(&b);
}
END_TEST

START_TEST(kube_calls__names_cannot_climb) {
    static const char *const names[] = {"", ".", ".."};
    struct bench b = bench_new();
    json_auto_t *body = json_object();
    struct kube_result r;

    for (size_t i = 0; i < 3; i++) {
        kube_get(b.cluster, KUBE_POD, "n", names[i], &r);
        ck_assert_int_eq(r.outcome, KUBE_REFUSED);
        kube_get(b.cluster, KUBE_POD, names[i], "p", &r);
        ck_assert_int_eq(r.outcome, KUBE_REFUSED);
        kube_list(b.cluster, KUBE_POD, names[i], NULL, &r);
        ck_assert_int_eq(r.outcome, KUBE_REFUSED);
        kube_patch(b.cluster, KUBE_POD, "n", names[i], KUBE_MERGE_PATCH, body, false, &r);
        ck_assert_int_eq(r.outcome, KUBE_REFUSED);
        kube_create(b.cluster, KUBE_POD, names[i], body, false, &r);
        ck_assert_int_eq(r.outcome, KUBE_REFUSED);
    }
    ck_assert_int_eq(script_count(b.script, "HTTP"), 0);
    bench_free(&b);
}
END_TEST

START_TEST(kube_calls__refused_token_is_read_again) {
    struct bench b = bench_new();
    json_auto_t *body = json_object();
    struct kube_result r;

    answer(&b, "Bearer t1", 401, "{\"kind\":\"Status\",\"reason\":\"Unauthorized\"}", -1);
    answer(&b, "Bearer t2", 200, OBJECT, -1);
    kube_get(b.cluster, KUBE_POD, "n", "p", &r);
    ck_assert_int_eq(r.outcome, KUBE_REFUSED); /* the file holds the same: asked once */
    ck_assert_int_eq(script_count(b.script, "GET"), 1);
    kube_result_done(&r);
    folder_put(&b.folder, "token", "t2");
    kube_patch(b.cluster, KUBE_POD, "n", "p", KUBE_MERGE_PATCH, body, false, &r);
    ck_assert_int_eq(r.outcome, KUBE_DONE);
    ck_assert_int_eq(script_count(b.script, "PATCH"), 2);
    kube_result_done(&r);
    folder_put(&b.folder, "token", ""); /* half-written: what we have stays */
    kube_get(b.cluster, KUBE_POD, "n", "p", &r);
    ck_assert_int_eq(r.outcome, KUBE_DONE);
    kube_result_done(&r);
    bench_free(&b);
}
END_TEST

/* Each has the answer of its own, whatever became of the others. */
START_TEST(kube_calls__several_are_read_at_once) {
    static const struct kube_ref what[] = {
        {KUBE_DEPLOYMENT, "n", "blue"}, {KUBE_DEPLOYMENT, "n", ".."}, {KUBE_SERVICE, "n", "prod"}};
    struct bench b = bench_new();
    struct kube_result r[3];

    answer(&b, "deployments/blue ", 404, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}", -1);
    answer(&b, "services/prod ", 200, OBJECT, -1);
    kube_get_each(b.cluster, what, 3, r);
    ck_assert_int_eq(r[0].outcome, KUBE_NOT_FOUND);
    ck_assert_int_eq(r[1].outcome, KUBE_REFUSED); /* no name: nothing was sent */
    ck_assert_int_eq(r[2].outcome, KUBE_DONE);
    ck_assert_str_eq(kube_uid(r[2].object), "u1");
    ck_assert_int_eq(script_count(b.script, "GET"), 2);
    for (size_t i = 0; i < 3; i++)
        kube_result_done(&r[i]);
    bench_free(&b);
}
END_TEST

START_TEST(kube_calls__of_several_that_are_refused_each_has_the_new_token) {
    static const struct kube_ref what[] = {{KUBE_DEPLOYMENT, "n", "blue"},
                                           {KUBE_SERVICE, "n", "prod"}};
    struct bench b = bench_new();
    struct kube_result r[2];

    answer(&b, "Bearer t1", 401, "{\"kind\":\"Status\",\"reason\":\"Unauthorized\"}", -1);
    answer(&b, "Bearer t2", 200, OBJECT, -1);
    kube_get_each(b.cluster, what, 2, r);
    ck_assert(r[0].outcome == KUBE_REFUSED && r[1].outcome == KUBE_REFUSED);
    folder_put(&b.folder, "token", "t2");
    kube_get_each(b.cluster, what, 2, r);
    ck_assert(r[0].outcome == KUBE_DONE && r[1].outcome == KUBE_DONE);
    for (size_t i = 0; i < 2; i++)
        kube_result_done(&r[i]);
    bench_free(&b);
}
END_TEST

START_TEST(kube_calls__old_token_is_read_again) {
    struct bench b = bench_new();
    struct kube_timing timing = kube_timing_default;
    struct kube_result r;

    answer(&b, "Bearer t2", 200, OBJECT, -1);
    timing.token_us = 0;
    kube_clusters_set_timing(b.set, &timing);
    folder_put(&b.folder, "token", "t2");
    kube_get(b.cluster, KUBE_POD, "n", "p", &r);
    ck_assert_int_eq(r.outcome, KUBE_DONE);
    kube_result_done(&r);
    bench_free(&b);
}
END_TEST

START_TEST(kube_calls__probe_reads_version_and_uid) {
    struct bench b = bench_new();
    struct kube_result r;

    answer(&b, "GET /version ", 200, "{\"gitVersion\":\"v1.36.3\"}", -1);
    answer(&b, "GET /api/v1/namespaces/kube-system ", 200, OBJECT, 1);
    answer(&b, "GET /api/v1/namespaces/kube-system ", 403, "{}", 1);
    answer(&b, "GET /api/v1/namespaces/kube-system ", 500, "{}", 1);
    kube_probe(b.cluster, &r);
    ck_assert_int_eq(r.outcome, KUBE_DONE);
    ck_assert_str_eq(json_str(r.object, "version", ""), "v1.36.3");
    ck_assert_str_eq(json_str(r.object, "uid", ""), "u1");
    kube_result_done(&r);
    kube_probe(b.cluster, &r);
    ck_assert_int_eq(r.outcome, KUBE_DONE);
    ck_assert(json_is_null(json_object_get(r.object, "uid")));
    kube_result_done(&r);
    kube_probe(b.cluster, &r);
    ck_assert_int_eq(r.outcome, KUBE_UNKNOWN);
    ck_assert_ptr_null(r.object);
    kube_result_done(&r);
    bench_free(&b);
}
END_TEST

/* ---- the registry ---- */

START_TEST(kube_clusters__are_made_again_when_they_change) {
    struct bench b = bench_new();
    struct kube_cluster *same = cluster(&b, "config", 1), *next = cluster(&b, "config", 2), *other;

    ck_assert_ptr_eq(same, b.cluster);
    ck_assert_ptr_ne(next, b.cluster);
    folder_put(&b.folder, "second",
               "current-context: x\ncontexts: [{name: x, context: {cluster: x}}]\n"
               "clusters: [{name: x, cluster: {server: 'https://h'}}]\n");
    other = cluster(&b, "second", 2); /* deleted and made again: the same revision */
    ck_assert_ptr_ne(other, next);
    ck_assert_str_eq(other->config.server, "https://h");
    kube_cluster_unref(same);
    kube_cluster_unref(next);
    kube_cluster_unref(other);
    bench_free(&b);
}
END_TEST

START_TEST(kube_clusters__refuse_other_files) {
    static const char *const specs[] = {
        "{\"kubeconfig_file\":\"../config\"}",
        "{\"kubeconfig_file\":\"/etc/passwd\"}",
        "{\"kubeconfig_file\":\".hidden\"}",
        "{\"kubeconfig_file\":\"\"}",
        "{\"kubeconfig_file\":\"nowhere\"}",
        "{\"in_cluster\":false}",
        "{}",
    };
    struct bench b = bench_new();
    struct kube_clusters *none = kube_clusters_new(NULL, NULL, NULL);
    json_auto_t *good = json_parse("{\"kubeconfig_file\":\"config\"}");
    struct kube_cluster *c;
    char why[256];

    for (size_t i = 0; i < sizeof(specs) / sizeof(*specs); i++) {
        json_auto_t *spec = json_parse(specs[i]);

        ck_assert_int_eq(kube_clusters_get(b.set, "z", spec, 1, &c, why, sizeof(why)),
                         E_INVALID_BODY);
    }
    ck_assert_int_eq(kube_clusters_get(none, "z", good, 1, &c, why, sizeof(why)), E_NOT_SUPPORTED);
    ck_assert_msg(strstr(why, "SLUICE_KUBECONFIG_DIR"), "%s", why);
    kube_clusters_free(none);
    bench_free(&b);
}
END_TEST

/* ---- the Service proxy ---- */

struct got {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n;
    NetOutcome outcome;
    unsigned status;
    char body[32];
};

static void on_done(void *ctx, struct net_response *r) {
    struct got *g = ctx;

    pthread_mutex_lock(&g->lock);
    g->n++;
    g->outcome = r->outcome;
    g->status = r->status;
    snprintf(g->body, sizeof(g->body), "%s", r->body ? r->body : "");
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void got_wait(struct got *g, int n) {
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 5;
    pthread_mutex_lock(&g->lock);
    while (g->n < n)
        ck_assert_int_eq(pthread_cond_timedwait(&g->changed, &g->lock, &until), 0);
    pthread_mutex_unlock(&g->lock);
}

START_TEST(kube_proxy__calls_the_service) {
    struct bench b = bench_new();
    struct got got = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    const char *headers[] = {"X-Check: 1", "Authorization: Bearer theirs", NULL};
    struct net_request in = {
        .url = "/api/health?full=1", .headers = headers, .timeout_ms = 3000, .max_bytes = 1000};

    answer(&b, "GET", 200, "{\"status\":1}", -1);
    kube_service_call(b.cluster, "production", "inopnc-prod", 3000, &in, on_done, &got);
    got_wait(&got, 1);
    ck_assert_int_eq(got.outcome, NET_ANSWERED);
    ck_assert_uint_eq(got.status, 200);
    ck_assert_str_eq(got.body, "{\"status\":1}");
    asked(&b,
          "GET /api/v1/namespaces/production/services/http:inopnc-prod:3000/proxy/api/health"
          "?full=1 HTTP/1.1\r\n",
          "X-Check: 1\r\n", "Authorization: Bearer t1\r\n");
    bench_free(&b);
}
END_TEST

START_TEST(kube_proxy__paths_cannot_climb) {
    static const char *const paths[] = {"api",    "/..",       "/a/../../b", "/%2e%2E/x", "/.%2e",
                                        "/a/./b", "/../x?y=1", "http://h/",  ""};
    static const char *const fine[] = {"/", "/...", "/a..b", "/..a", "/x?p=/../y", "/.well-known"};
    struct bench b = bench_new();
    struct got got = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct net_request in = {.timeout_ms = 3000, .max_bytes = 1000};
    int n = 0;

    answer(&b, "GET", 200, "{}", -1);
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        in.url = paths[i];
        kube_service_call(b.cluster, "n", "s", 1, &in, on_done, &got);
        got_wait(&got, ++n);
        ck_assert_msg(got.outcome == NET_NOT_SENT, "%s", paths[i]);
    }
    ck_assert_int_eq(script_count(b.script, "GET"), 0);
    for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++) {
        in.url = fine[i];
        kube_service_call(b.cluster, "n", "s", 1, &in, on_done, &got);
        got_wait(&got, ++n);
        ck_assert_msg(got.outcome == NET_ANSWERED, "%s", fine[i]);
    }
    bench_free(&b);
}
END_TEST

int main(void) {
    return RUN_SUITE(
        "kube_calls", 30, kube_calls__requests_have_their_form, kube_calls__tell_no_from_unknown,
        kube_calls__hanging_read_ends_after_three_seconds, kube_calls__nobody_there_is_unreached,
        kube_calls__names_cannot_climb, kube_calls__refused_token_is_read_again,
        kube_calls__several_are_read_at_once,
        kube_calls__of_several_that_are_refused_each_has_the_new_token,
        kube_calls__old_token_is_read_again, kube_calls__probe_reads_version_and_uid,
        kube_clusters__are_made_again_when_they_change, kube_clusters__refuse_other_files,
        kube_proxy__calls_the_service, kube_proxy__paths_cannot_climb);
}
