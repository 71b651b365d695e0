/* Exec plugins of kubeconfig files: small scripts, good and bad, against a scripted API server. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "kube/cluster.h"
#include "kube/config.h"
#include "tests/support/folder.h"
#include "tests/support/http_script.h"
#include "tests/support/suite.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define V1        "client.authentication.k8s.io/v1"
#define OBJECT    "{\"metadata\":{\"name\":\"p\",\"uid\":\"u1\"}}"
#define LIST      "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[]}"
#define CERT      "-----BEGIN CERTIFICATE-----\\nx\\n-----END CERTIFICATE-----\\n"
#define KEY       "-----BEGIN PRIVATE KEY-----\\ny\\n-----END PRIVATE KEY-----\\n"
#define PRINT(s)  "printf '%s' '" s "'\n"
#define STATUS(s) "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":{" s "}}"
/* Prints tN on its Nth run. */
#define COUNTED                                                                                    \
    "echo x >> \"$FOLDER/runs\"\n"                                                                 \
    "printf '{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1                                    \
    "\",\"status\":{\"token\":\"t%d\"%s}}' $(wc -l < \"$FOLDER/runs\")"

struct bench {
    struct folder folder;
    struct script *script;
    struct kube_clusters *set;
    struct kube_cluster *cluster;
};

static void plugin_put(const struct bench *b, const char *body) {
    _cleanup_free_ char *text = xasprintf("#!/bin/sh\n%s", body);
    _cleanup_free_ char *path = folder_file(&b->folder, "plugin");

    folder_put(&b->folder, "plugin", text);
    ck_assert_int_eq(chmod(path, 0755), 0);
}

static int runs(const struct bench *b) {
    _cleanup_free_ char *path = folder_file(&b->folder, "runs");
    char why[128];
    _cleanup_free_ char *text = kube_file_read(path, why, sizeof(why));

    return text ? (int)strlen(text) / 2 : 0;
}

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        int64_t until_us = clock_monotonic_us() + 10 * US_PER_S;                                   \
        while (!(condition)) {                                                                     \
            ck_assert_msg(clock_monotonic_us() < until_us, "never: %s", #condition);               \
            nap();                                                                                 \
        }                                                                                          \
    } while (0)

static void no_child_left(void) {
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

static void kubeconfig_put(const struct bench *b, const char *name, const char *user) {
    _cleanup_free_ char *config = xasprintf(
        "current-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n"
        "clusters: [{name: x, cluster: {server: 'http://127.0.0.1:%u', extensions: [{name: "
        "client.authentication.k8s.io/exec, extension: {audience: a}}]}}]\n"
        "users: [{name: x, user: {%s}}]\n",
        script_port(b->script), user);

    folder_put(&b->folder, name, config);
}

static struct bench bench_new(const char *plugin) {
    struct bench b = {.folder = folder_make()};
    _cleanup_free_ char *user =
        xasprintf("exec: {apiVersion: " V1 ", command: ./plugin, args: [one, 'two "
                  "words'], provideClusterInfo: true, env: [{name: FOLDER, "
                  "value: '%s'}]}",
                  b.folder.path);

    net_setup();
    b.script = script_new();
    kubeconfig_put(&b, "config", user);
    if (plugin)
        plugin_put(&b, plugin);
    b.set = kube_clusters_new(b.folder.path, NULL, NULL);
    return b;
}

static Status cluster_try(struct bench *b, const char *file, const char *name,
                          struct kube_cluster **ret, char *why, size_t n) {
    json_auto_t *spec = json_pack("{ss}", "kubeconfig_file", file);

    return kube_clusters_get(b->set, name, spec, 1, ret, why, n);
}

static struct kube_cluster *cluster(struct bench *b, const char *file, const char *name) {
    struct kube_cluster *c;
    char why[512] = "";

    ck_assert_msg(cluster_try(b, file, name, &c, why, sizeof(why)) == STATUS_OK, "%s", why);
    return c;
}

/* With short pauses and a plugin that may run. */
static void begin(struct bench *b, int retry_ms, int renew_ms) {
    struct kube_timing timing = kube_timing_default;

    timing.exec = (struct kube_plugin_timing){10000, retry_ms, retry_ms, renew_ms};
    timing.retry_ms = 10;
    kube_clusters_set_timing(b->set, &timing);
    kube_clusters_allow_exec(b->set);
    b->cluster = cluster(b, "config", "local");
}

static void bench_free(struct bench *b) {
    if (b->cluster)
        kube_cluster_unref(b->cluster);
    kube_clusters_free(b->set);
    script_free(b->script);
    folder_remove(&b->folder);
    no_child_left();
}

static void answer(struct bench *b, const char *match, unsigned status, const char *body) {
    _cleanup_free_ char *reply = script_json(status, "", body);

    script_rule(b->script, match, reply, SCRIPT_KEEP, -1);
}

START_TEST(kube_exec__is_refused_unless_allowed) {
    struct bench b = bench_new(COUNTED);
    struct kube_cluster *c;
    char why[512] = "";

    ck_assert_int_eq(cluster_try(&b, "config", "local", &c, why, sizeof(why)), E_NOT_SUPPORTED);
    ck_assert_msg(strstr(why, "SLUICE_KUBECONFIG_EXEC=allow"), "%s", why);
    ck_assert_int_eq(runs(&b), 0);
    bench_free(&b);
}
END_TEST

START_TEST(kube_exec__config_must_be_well_formed) {
    static const struct {
        const char *exec, *why;
    } cases[] = {
        {"[]", "not a mapping"},
        {"{apiVersion: " V1 "}", "command is missing"},
        {"{apiVersion: " V1 ", command: 7}", "command is missing"},
        {"{command: x}", "apiVersion is neither"},
        {"{command: x, apiVersion: client.authentication.k8s.io/v1alpha1}",
         "apiVersion is neither"},
        {"{command: x, apiVersion: " V1 ", args: x}", "args is not a list"},
        {"{command: x, apiVersion: " V1 ", args: [1]}", "args is not a list"},
        {"{command: x, apiVersion: " V1 ", env: {a: b}}", "env is not a list"},
        {"{command: x, apiVersion: " V1 ", env: [{name: 'a=b', value: c}]}", "env is not a list"},
        {"{command: x, apiVersion: " V1 ", env: [{name: KUBERNETES_EXEC_INFO, value: c}]}",
         "KUBERNETES_EXEC_INFO"},
        {"{command: x, apiVersion: " V1 ", interactiveMode: Always}", "no terminal"},
        {"{command: x, apiVersion: " V1 ", interactiveMode: Perhaps}", "interactiveMode"},
        {"{command: x, apiVersion: " V1 ", installHint: []}", "installHint"},
        {"{command: x, apiVersion: " V1 "}, token: t", "exec stands beside a token"},
        {"{command: x, apiVersion: client.authentication.k8s.io/v1beta1, args: null, env: null, "
         "interactiveMode: Never}",
         NULL},
    };
    struct bench b = bench_new(NULL);
    _cleanup_free_ char *path = folder_file(&b.folder, "config");

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        _cleanup_free_ char *user = xasprintf("exec: %s", cases[i].exec);
        struct kube_config c;
        char why[512] = "";
        Status s;

        kubeconfig_put(&b, "config", user);
        s = kube_config_load(path, NULL, &c, why, sizeof(why));
        ck_assert_msg((s == STATUS_OK) == !cases[i].why, "case %zu: %s", i, why);
        ck_assert_msg(!cases[i].why || strstr(why, cases[i].why), "case %zu: %s", i, why);
        kube_config_done(&c);
    }
    bench_free(&b);
}
END_TEST

/* What comes of one run, as a sentence; "" when a credential does. */
static void run_once(struct bench *b, int run_ms, char *why, size_t n) {
    _cleanup_free_ char *path = folder_file(&b->folder, "config");
    const struct net_tls tls = {.server_name = "kubernetes"};
    atomic_bool canceled = false;
    struct kube_login *login = NULL;
    struct kube_config c;
    _cleanup_free_ char *text = NULL;

    ck_assert_msg(kube_config_load(path, NULL, &c, why, n) == STATUS_OK, "%s", why);
    *why = '\0';
    text = kube_exec_run(c.exec, run_ms, &canceled, why, n);
    if (text)
        login = kube_login_read(text, c.exec->api_version, &tls, why, n);
    ck_assert(!login == !!*why);
    kube_login_unref(login);
    kube_config_done(&c);
    no_child_left();
}

START_TEST(kube_exec__bad_plugins_are_told_apart) {
    static const struct {
        const char *plugin, *why, *hidden;
        int run_ms;
    } cases[] = {
        {PRINT(STATUS("\"token\":\"t\"")), "", NULL, 10000},
        {PRINT(STATUS("\"clientCertificateData\":\"" CERT "\",\"clientKeyData\":\"" KEY "\"")), "",
         NULL, 10000},
        {PRINT(STATUS("\"token\":\"t\",\"expirationTimestamp\":\"2999-01-01T00:00:00Z\"")), "",
         NULL, 10000},
        {"exec sleep 1000\n", "did not answer in time", NULL, 100},
        {"head -c 70000 /dev/zero | tr '\\0' x\nsleep 1000\n", "printed too much", NULL, 10000},
        {"head -c 70000 /dev/zero | tr '\\0' x >&2\n" PRINT(STATUS("\"token\":\"t\"")), "", NULL,
         10000},
        {PRINT("no json"), "that is not JSON", NULL, 10000},
        {"printf '{}\\0{}'\n", "NUL", NULL, 10000},
        {PRINT(STATUS("\"token\":\"t\"") "x"), "that is not JSON", NULL, 10000},
        {PRINT(STATUS("\"token\":\"t\",\"token\":\"u\"")), "that is not JSON", NULL, 10000},
        {PRINT("{\"kind\":\"Status\"}"), "not of kind ExecCredential", NULL, 10000},
        {PRINT("{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/"
               "v1beta1\"}"),
         "another apiVersion", NULL, 10000},
        {PRINT("{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\"}"), "without a status", NULL,
         10000},
        {PRINT(STATUS("")), "neither a token nor a certificate", NULL, 10000},
        {PRINT(STATUS("\"token\":7")), "no token", NULL, 10000},
        {PRINT(STATUS("\"token\":\"a\\nX-Evil: 1\"")), "no token", NULL, 10000},
        {PRINT(STATUS("\"clientCertificateData\":\"" CERT "\"")), "belong together", NULL, 10000},
        {PRINT(STATUS("\"clientCertificateData\":\"x\",\"clientKeyData\":\"y\"")), "not PEM", NULL,
         10000},
        {PRINT(STATUS("\"token\":\"t\",\"expirationTimestamp\":\"soon\"")), "not a time", NULL,
         10000},
        {PRINT(STATUS("\"token\":\"secret-t\",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\"")),
         "expired already", "secret-t", 10000},
        {PRINT(STATUS("\"token\":\"secret-t\"")) "printf 'no\\ncredentials "
                                                 "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ."
                                                 "eyJzdWIiOiJhIn0.c2ln' >&2\nexit 3\n",
         "exit status 3: no credentials ***", "eyJ", 10000},
        {"kill -9 $$\n", "signal 9", NULL, 10000},
    };
    struct bench b = bench_new(NULL);

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char why[512];

        plugin_put(&b, cases[i].plugin);
        run_once(&b, cases[i].run_ms, why, sizeof(why));
        ck_assert_msg(!*cases[i].why == !*why && strstr(why, cases[i].why), "case %zu: %s", i, why);
        ck_assert_msg(!cases[i].hidden || !strstr(why, cases[i].hidden), "case %zu: %s", i, why);
        ck_assert_msg(!strstr(why, "secret-t"), "case %zu: %s", i, why);
    }
    bench_free(&b);
}
END_TEST

START_TEST(kube_exec__missing_command_comes_with_its_hint) {
    struct bench b = bench_new(NULL);
    char why[512];

    run_once(&b, 1000, why, sizeof(why));
    ck_assert_msg(strstr(why, "plugin cannot be run: there is no such program"), "%s", why);
    kubeconfig_put(&b, "config",
                   "exec: {apiVersion: " V1 ", command: no-such-plugin, installHint: Install it.}");
    run_once(&b, 1000, why, sizeof(why));
    ck_assert_msg(strstr(why, "no such program. Install it."), "%s", why);
    bench_free(&b);
}
END_TEST

/* Whether the process is gone; a dead one that its heir has not collected is. */
static bool gone(const char *pid) {
    _cleanup_free_ char *path = xasprintf("/proc/%s/stat", pid);
    FILE *file = fopen(path, "r");
    char line[256] = "", *after;

    if (!file)
        return true;
    if (!fgets(line, sizeof(line), file))
        line[0] = '\0';
    fclose(file);
    after = strrchr(line, ')');
    return !after || after[2] == 'Z' || after[2] == 'X';
}

START_TEST(kube_exec__ends_what_the_plugin_began) {
    struct bench b = bench_new("sleep 1000 &\necho $! > \"$FOLDER/child\"\nwait\n");
    _cleanup_free_ char *path = folder_file(&b.folder, "child"), *pid = NULL;
    char why[512];

    run_once(&b, 500, why, sizeof(why));
    ck_assert_msg(strstr(why, "did not answer in time"), "%s", why);
    pid = kube_token_read(path, why, sizeof(why)); /* a word, like a token */
    ck_assert_msg(pid != NULL, "%s", why);
    UNTIL(gone(pid));
    bench_free(&b);
}
END_TEST

START_TEST(kube_exec__runs_with_nothing_of_ours) {
    struct bench b =
        bench_new("{ env; echo \"args=$1|$2|$#\"; echo \"stdin=$(readlink /proc/$$/fd/0)\"\n"
                  "echo \"inherited=$(ls /proc/$$/fd | grep -cx 200)\"; "
                  "echo \"group=$(cut -d' ' -f5 /proc/$$/stat | grep -cx $$)\"; } > "
                  "\"$FOLDER/seen\"\n" PRINT(STATUS("\"token\":\"t\"")));
    _cleanup_free_ char *path = folder_file(&b.folder, "seen"), *seen = NULL;
    static const char *const parts[] = {"args=one|two words|2\n",
                                        "stdin=/dev/null\n",
                                        "inherited=0\n",
                                        "group=1\n",
                                        "\"interactive\":false",
                                        "\"server\":\"http://127.0.0.1:",
                                        "\"config\":{\"audience\":\"a\"}",
                                        "\nPATH="};
    char why[512];

    setenv("TEST_SECRET", "1", 1);
    ck_assert_int_eq(dup2(STDERR_FILENO, 200), 200); /* would be inherited */
    run_once(&b, 10000, why, sizeof(why));
    unsetenv("TEST_SECRET");
    close(200);
    ck_assert_str_eq(why, "");
    seen = kube_file_read(path, why, sizeof(why));
    ck_assert_msg(seen != NULL, "%s", why);
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        _cleanup_free_ char *lines = xasprintf("\n%s", seen);

        ck_assert_msg(strstr(lines, parts[i]), "no %s in %s", parts[i], seen);
    }
    ck_assert_msg(!strstr(seen, "TEST_SECRET"), "%s", seen);
    bench_free(&b);
}
END_TEST

START_TEST(kube_exec__refused_credential_is_renewed) {
    struct bench b = bench_new(COUNTED "\n");
    struct kube_result r;

    answer(&b, "Bearer t1\r\n", 401, "{\"kind\":\"Status\",\"reason\":\"Unauthorized\"}");
    answer(&b, "Bearer t2\r\n", 200, OBJECT);
    begin(&b, 10, 0);
    kube_get(b.cluster, KUBE_POD, "n", "p", &r);
    ck_assert_msg(r.outcome == KUBE_DONE, "%s", r.message);
    kube_result_done(&r);
    ck_assert_int_eq(script_count(b.script, "GET"), 2);
    ck_assert_int_eq(runs(&b), 2);
    kube_get(b.cluster, KUBE_POD, "n", "p", &r);
    ck_assert_int_eq(r.outcome, KUBE_DONE);
    kube_result_done(&r);
    ck_assert_int_eq(runs(&b), 2);
    bench_free(&b);
}
END_TEST

START_TEST(kube_exec__young_credential_is_not_run_for_again) {
    struct bench b = bench_new(COUNTED "\n");
    struct kube_result r;

    answer(&b, "Bearer", 401, "{\"kind\":\"Status\",\"reason\":\"Unauthorized\"}");
    begin(&b, 10, 60000);
    for (int i = 0; i < 3; i++) {
        kube_get(b.cluster, KUBE_POD, "n", "p", &r);
        ck_assert_int_eq(r.outcome, KUBE_REFUSED);
        kube_result_done(&r);
    }
    ck_assert_int_eq(runs(&b), 1);
    ck_assert_int_eq(script_count(b.script, "GET"), 3);
    bench_free(&b);
}
END_TEST

START_TEST(kube_exec__is_renewed_before_it_expires) {
    struct bench b =
        bench_new(COUNTED " \",\\\"expirationTimestamp\\\":\\\"$(date -u -d '+2 seconds' "
                          "+%Y-%m-%dT%H:%M:%S.%NZ)\\\"\"\n");
    struct kube_login *one = NULL, *two = NULL;
    char why[KUBE_EXEC_TEXT];

    begin(&b, 10, 10000);
    ck_assert_msg(kube_plugin_login(b.cluster->plugin, 10000, &one, why, sizeof(why)) ==
                      LOGIN_READY,
                  "%s", why);
    ck_assert(one->refresh_us < one->expires_us);
    UNTIL(runs(&b) == 2);
    UNTIL(kube_plugin_login(b.cluster->plugin, 0, &two, why, sizeof(why)) == LOGIN_READY &&
          (two != one || (kube_login_unref(two), false)));
    ck_assert_int_ge(two->made_us, one->refresh_us);
    ck_assert_int_lt(two->made_us, one->expires_us + US_PER_S); /* a slow machine may be late */
    kube_login_unref(one);
    kube_login_unref(two);
    bench_free(&b);
}
END_TEST

static void *get(void *ctx) {
    struct kube_result *r = xcalloc(1, sizeof(*r));

    kube_get(ctx, KUBE_POD, "n", "p", r);
    return r;
}

START_TEST(kube_exec__calls_at_once_share_one_run) {
    struct bench b = bench_new("sleep 0.3\n" COUNTED "\n");
    pthread_t threads[8];

    answer(&b, "Bearer t1\r\n", 200, OBJECT);
    begin(&b, 10, 10000);
    for (size_t i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, get, b.cluster), 0);
    for (size_t i = 0; i < 8; i++) {
        void *r;

        pthread_join(threads[i], &r);
        ck_assert_msg(((struct kube_result *)r)->outcome == KUBE_DONE, "%s",
                      ((struct kube_result *)r)->message);
        kube_result_done(r);
        free(r);
    }
    ck_assert_int_eq(runs(&b), 1);
    bench_free(&b);
}
END_TEST

START_TEST(kube_exec__failing_plugin_is_not_run_by_every_call) {
    struct bench b = bench_new("echo x >> \"$FOLDER/runs\"\necho no credentials >&2\nexit 1\n");
    struct kube_result r;

    begin(&b, 60000, 10000);
    for (int i = 0; i < 3; i++) {
        kube_get(b.cluster, KUBE_POD, "n", "p", &r);
        ck_assert_int_eq(r.outcome, KUBE_UNREACHED);
        ck_assert_msg(strstr(r.message, "exit status 1: no credentials"), "%s", r.message);
        kube_result_done(&r);
    }
    ck_assert_int_eq(runs(&b), 1);
    ck_assert_int_eq(script_count(b.script, "GET"), 0);
    bench_free(&b);
}
END_TEST

START_TEST(kube_exec__hanging_plugin_stops_nobody_else) {
    struct bench b = bench_new("echo x >> \"$FOLDER/runs\"\nexec sleep 1000\n");
    struct kube_cluster *other;
    struct kube_login *login;
    char why[KUBE_EXEC_TEXT];
    int64_t begun;

    answer(&b, "limit=", 200, LIST);
    begin(&b, 10, 10000);
    kubeconfig_put(&b, "other", "token: t");
    kube_watch(b.cluster, "n");
    other = cluster(&b, "other", "other");
    kube_watch(other, "n");
    UNTIL(kube_cached_at(other, KUBE_POD, "n") > 0);
    ck_assert_int_eq(kube_plugin_login(b.cluster->plugin, 20, &login, why, sizeof(why)),
                     LOGIN_SOON);
    UNTIL((kube_cached_error(b.cluster, KUBE_POD, "n", why, sizeof(why)),
           strstr(why, "has not answered yet")));
    kube_cluster_unref(other);
    UNTIL(runs(&b) == 1);
    begun = clock_monotonic_us();
    bench_free(&b); /* ends it */
    ck_assert_int_lt(clock_monotonic_us() - begun, 5 * US_PER_S);
}
END_TEST

START_TEST(kube_exec__watch_uses_the_new_credential) {
    struct bench b = bench_new(COUNTED "\n");
    _cleanup_free_ char *asked = NULL;

    answer(&b, "Bearer t1\r\n", 401, "{\"kind\":\"Status\",\"reason\":\"Unauthorized\"}");
    answer(&b, "limit=", 200, LIST);
    begin(&b, 10, 0);
    kube_watch(b.cluster, "n");
    UNTIL(kube_cached_at(b.cluster, KUBE_POD, "n") > 0);
    asked = script_last(b.script, "limit=");
    ck_assert_msg(asked && !strstr(asked, "Bearer t1\r\n"), "%s", asked);
    bench_free(&b);
}
END_TEST

int main(void) {
    return RUN_SUITE(
        "kube_exec", 60, kube_exec__is_refused_unless_allowed,
        kube_exec__config_must_be_well_formed, kube_exec__bad_plugins_are_told_apart,
        kube_exec__missing_command_comes_with_its_hint, kube_exec__ends_what_the_plugin_began,
        kube_exec__runs_with_nothing_of_ours, kube_exec__refused_credential_is_renewed,
        kube_exec__young_credential_is_not_run_for_again, kube_exec__is_renewed_before_it_expires,
        kube_exec__calls_at_once_share_one_run, kube_exec__failing_plugin_is_not_run_by_every_call,
        kube_exec__hanging_plugin_stops_nobody_else, kube_exec__watch_uses_the_new_credential);
}
