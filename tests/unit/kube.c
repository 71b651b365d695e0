/* The values of kube/, without a server: outcomes, kinds, objects, lines, the cache. */
#include "base/cleanup.h"
#include "kube/cache.h"
#include "kube/cluster.h"
#include "kube/kind.h"
#include "kube/lines.h"
#include "kube/watch.h"
#include "tests/support/suite.h"
#include <stdio.h>
#include <string.h>

#define STATUS(reason)                                                                             \
    "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"m\",\"reason\":\"" reason "\"}"

START_TEST(kube__outcome_follows_from_the_answer) {
    static const struct {
        NetOutcome net;
        unsigned status;
        const char *body;
        KubeOutcome outcome;
        const char *reason;
    } cases[] = {
        {NET_ANSWERED, 200, "{\"metadata\":{}}", KUBE_DONE, ""},
        {NET_ANSWERED, 201, "{}", KUBE_DONE, ""},
        {NET_ANSWERED, 200, "{\"metadata\":", KUBE_UNKNOWN, ""},
        {NET_ANSWERED, 200, "[]", KUBE_UNKNOWN, ""},
        {NET_ANSWERED, 200, "", KUBE_UNKNOWN, ""},
        {NET_ANSWERED, 302, "", KUBE_UNKNOWN, ""},
        {NET_ANSWERED, 400, STATUS("BadRequest"), KUBE_REFUSED, "BadRequest"},
        {NET_ANSWERED, 401, STATUS("Unauthorized"), KUBE_REFUSED, "Unauthorized"},
        {NET_ANSWERED, 403, STATUS("Forbidden"), KUBE_REFUSED, "Forbidden"},
        {NET_ANSWERED, 403, "no", KUBE_REFUSED, ""},
        {NET_ANSWERED, 404, STATUS("NotFound"), KUBE_NOT_FOUND, "NotFound"},
        {NET_ANSWERED, 404, "<html>", KUBE_UNKNOWN, ""},
        {NET_ANSWERED, 408, "", KUBE_UNKNOWN, ""},
        {NET_ANSWERED, 409, STATUS("Conflict"), KUBE_CONFLICT, "Conflict"},
        {NET_ANSWERED, 409, STATUS("AlreadyExists"), KUBE_CONFLICT, "AlreadyExists"},
        {NET_ANSWERED, 410, STATUS("Expired"), KUBE_REFUSED, "Expired"},
        {NET_ANSWERED, 422, STATUS("Invalid"), KUBE_REFUSED, "Invalid"},
        {NET_ANSWERED, 429, STATUS("TooManyRequests"), KUBE_LATER, "TooManyRequests"},
        {NET_ANSWERED, 500, STATUS("InternalError"), KUBE_UNKNOWN, "InternalError"},
        {NET_ANSWERED, 503, STATUS("ServiceUnavailable"), KUBE_UNKNOWN, "ServiceUnavailable"},
        {NET_ANSWERED, 504, STATUS("Timeout"), KUBE_UNKNOWN, "Timeout"},
        {NET_UNKNOWN, 0, NULL, KUBE_UNKNOWN, ""},
        {NET_NOT_SENT, 0, NULL, KUBE_UNREACHED, ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct net_response in = {.outcome = cases[i].net,
                                  .status = cases[i].status,
                                  .body = xstrdup(cases[i].body),
                                  .body_len = cases[i].body ? strlen(cases[i].body) : 0,
                                  .retry_after_s = 7,
                                  .error = "e\nf"};
        struct kube_result r;

        kube_result_read(&in, &r);
        ck_assert_msg(r.outcome == cases[i].outcome, "case %zu: outcome %d", i, r.outcome);
        ck_assert_uint_eq(r.code, cases[i].status);
        ck_assert_str_eq(r.reason, cases[i].reason);
        ck_assert_int_eq(r.retry_after_s, 7);
        ck_assert_int_eq(r.object != NULL, r.outcome == KUBE_DONE);
        ck_assert_int_eq(*r.message != '\0', r.outcome != KUBE_DONE);
        ck_assert(!strchr(r.message, '\n'));
        kube_result_done(&r);
        kube_result_done(&r);
        net_response_done(&in);
    }
}
END_TEST

START_TEST(kube__wait_is_read_from_the_status) {
    char body[] = "{\"kind\":\"Status\",\"details\":{\"retryAfterSeconds\":3}}";
    struct net_response in = {.outcome = NET_ANSWERED,
                              .status = 429,
                              .body = body,
                              .body_len = sizeof(body) - 1,
                              .retry_after_s = -1};
    struct kube_result r;

    kube_result_read(&in, &r);
    ck_assert_int_eq(r.retry_after_s, 3);
    kube_result_done(&r);
}
END_TEST

START_TEST(kube__message_is_one_line_of_utf8) {
    struct strbuf body = STRBUF(4096);
    struct net_response in = {.outcome = NET_ANSWERED, .status = 500, .retry_after_s = -1};
    struct kube_result r;
    json_auto_t *text = NULL;

    strbuf_adds(&body, "{\"kind\":\"Status\",\"message\":\"x");
    for (int i = 0; i < 400; i++)
        strbuf_adds(&body, "\xc3\xa4");
    strbuf_adds(&body, "\"}");
    in.body = body.data;
    in.body_len = body.len;
    kube_result_read(&in, &r);
    ck_assert_uint_eq(strlen(r.message), 511);
    text = json_string(r.message); /* NULL if a character were cut in two */
    ck_assert_ptr_nonnull(text);
    kube_result_done(&r);
    strbuf_clear(&body);
    strbuf_adds(&body, "<a>\n\xff</a>");
    in.body = body.data;
    in.body_len = body.len;
    kube_result_read(&in, &r);
    ck_assert_str_eq(r.message, "an answer without a Status: <a>?"
                                "?</a>");
    strbuf_done(&body);
}
END_TEST

START_TEST(kube__kinds_have_their_paths) {
    static const struct {
        const char *api_version, *kind, *space, *name, *path;
    } cases[] = {
        {"v1", "Service", "production", "inopnc-prod",
         "/api/v1/namespaces/production/services/inopnc-prod"},
        {"apps/v1", "Deployment", "production", NULL,
         "/apis/apps/v1/namespaces/production/deployments"},
        {"apps/v1", "ReplicaSet", NULL, NULL, "/apis/apps/v1/replicasets"},
        {"discovery.k8s.io/v1", "EndpointSlice", "a", "b",
         "/apis/discovery.k8s.io/v1/namespaces/a/endpointslices/b"},
        {"v1", "Namespace", "ignored", "kube-system", "/api/v1/namespaces/kube-system"},
        {"v1", "Pod", "a/../b", "x?y#z%", "/api/v1/namespaces/a%2F..%2Fb/pods/x%3Fy%23z%25"},
    };
    KubeKind kind;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        _cleanup_free_ char *path = NULL;

        ck_assert(kube_kind_find(cases[i].api_version, cases[i].kind, &kind));
        ck_assert_str_eq(kube_kind_name(kind), cases[i].kind);
        path = kube_kind_path(kind, cases[i].space, cases[i].name);
        ck_assert_str_eq(path, cases[i].path);
    }
    for (unsigned k = 0; k < KUBE_KINDS; k++)
        ck_assert_ptr_nonnull(kube_kind_name((KubeKind)k));
    ck_assert(!kube_kind_find("v1", "Deployment", &kind));
    ck_assert(!kube_kind_find("v1", "Node", &kind));
}
END_TEST

START_TEST(kube__selector_matches_by_equality) {
    static const struct {
        const char *selector, *labels;
        bool match;
    } cases[] = {
        {"{\"app\":\"x\"}", "{\"app\":\"x\",\"b\":\"1\"}", true},
        {"{\"app\":\"x\",\"b\":\"1\"}", "{\"app\":\"x\",\"b\":\"1\"}", true},
        {"{\"app\":\"x\",\"b\":\"1\"}", "{\"app\":\"x\",\"b\":\"2\"}", false},
        {"{\"app\":\"x\",\"b\":\"1\"}", "{\"app\":\"x\"}", false},
        {"{\"app\":\"x\"}", "{}", false},
        {"{\"app\":\"x\"}", "null", false},
        {"{}", "{\"app\":\"x\"}", false},
        {"null", "{\"app\":\"x\"}", false},
        {"{\"app\":1}", "{\"app\":1}", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json_auto_t *selector = json_parse(cases[i].selector);
        json_auto_t *labels = json_parse(cases[i].labels);

        ck_assert_msg(kube_labels_match(selector, labels) == cases[i].match, "case %zu", i);
    }
    ck_assert(!kube_labels_match(NULL, NULL));
}
END_TEST

START_TEST(kube__readers_take_anything) {
    json_auto_t *object =
        json_parse("{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"resourceVersion"
                   "\":\"7\",\"annotations\":{\"a\":\"1\"},\"labels\":{\"l\":2}}}");
    json_auto_t *text = json_string("x");

    ck_assert_str_eq(kube_name(object), "n");
    ck_assert_str_eq(kube_uid(object), "u");
    ck_assert_str_eq(kube_resource_version(object), "7");
    ck_assert_str_eq(kube_annotation(object, "a"), "1");
    ck_assert_ptr_null(kube_annotation(object, "b"));
    ck_assert_ptr_null(kube_label(object, "l"));
    ck_assert_str_eq(kube_name(text), "");
    ck_assert_str_eq(kube_name(NULL), "");
    ck_assert_ptr_null(kube_label(NULL, "l"));
}
END_TEST

/* ---- lines ---- */

static bool join(void *ctx, const char *line, size_t n) {
    struct strbuf *b = ctx;

    ck_assert(n > 0);
    strbuf_add(b, line, n);
    strbuf_adds(b, ";");
    return n != 4 || memcmp(line, "stop", 4) != 0;
}

START_TEST(kube_lines__split_anywhere) {
    static const char text[] = "{\"a\":1}\n\n{\"b\":\"\xc3\xa4\"}\nthird line\nrest";
    static const char want[] = "{\"a\":1};{\"b\":\"\xc3\xa4\"};third line;";

    for (size_t i = 0; i < sizeof(text); i++) {
        for (size_t j = i; j < sizeof(text); j++) {
            struct kube_lines lines = {0};
            struct strbuf got = STRBUF(1000);

            ck_assert(kube_lines_feed(&lines, text, i, join, &got));
            ck_assert(kube_lines_feed(&lines, text + i, j - i, join, &got));
            ck_assert(kube_lines_feed(&lines, text + j, sizeof(text) - 1 - j, join, &got));
            ck_assert_str_eq(got.data, want);
            ck_assert_uint_eq(lines.rest.len, 4);
            kube_lines_done(&lines);
            strbuf_done(&got);
        }
    }
}
END_TEST

START_TEST(kube_lines__end_when_told_or_too_long) {
    struct kube_lines lines = {0};
    struct strbuf got = STRBUF(1000);
    size_t n = KUBE_LINE_BYTES;
    char *big = xmalloc(n + 2);

    ck_assert(!kube_lines_feed(&lines, "one\nstop\ntwo\n", 13, join, &got));
    ck_assert_str_eq(got.data, "one;stop;");
    kube_lines_done(&lines);
    memset(big, 'x', n + 1);
    big[n + 1] = '\n';
    ck_assert(!kube_lines_feed(&lines, big, n + 2, join, &got)); /* in one piece */
    kube_lines_done(&lines);
    ck_assert(kube_lines_feed(&lines, big, n, join, &got));
    ck_assert(!kube_lines_feed(&lines, "x", 1, join, &got)); /* no end, and too long already */
    kube_lines_done(&lines);
    ck_assert(kube_lines_feed(&lines, big, n, join, &got));
    ck_assert(!kube_lines_feed(&lines, "x\n", 2, join, &got));
    kube_lines_done(&lines);
    strbuf_done(&got);
    free(big);
}
END_TEST

/* ---- the cache ---- */

static json_t *owned(const char *name, const char *owner, int version) {
    _cleanup_free_ char *text =
        xasprintf("{\"metadata\":{\"name\":\"%s\",\"resourceVersion\":\"%d\",\"ownerReferences\":[{"
                  "\"uid\":\"other\"},{\"uid\":\"%s\",\"controller\":true}]}}",
                  name, version, owner);

    return json_parse(text);
}

static size_t owned_count(const struct kube_cache *c, const char *owner) {
    json_auto_t *list = kube_cache_parsed_list(kube_cache_list(c, owner));

    return json_array_size(list);
}

static void put(struct kube_cache *c, json_t *object) {
    kube_cache_put(c, object);
    json_decref(object);
}

START_TEST(kube_cache__finds_by_name_and_owner) {
    struct kube_cache c = {0};
    json_t *old, *now;

    ck_assert_ptr_null(kube_cache_get(&c, "a"));
    ck_assert_uint_eq(owned_count(&c, NULL), 0);
    kube_cache_remove(&c, "a");
    put(&c, owned("a", "x", 1));
    put(&c, owned("b", "x", 1));
    put(&c, owned("c", "y", 1));
    put(&c, json_parse("{\"metadata\":{\"name\":\"free\"}}"));
    ck_assert_uint_eq(owned_count(&c, NULL), 4);
    ck_assert_uint_eq(owned_count(&c, "x"), 2);
    ck_assert_uint_eq(owned_count(&c, "y"), 1);
    ck_assert_uint_eq(owned_count(&c, "other"), 0);
    old = kube_cache_parsed(kube_cache_get(&c, "a"));
    put(&c, owned("a", "y", 2)); /* taken over by another controller */
    now = kube_cache_parsed(kube_cache_get(&c, "a"));
    ck_assert_str_eq(kube_resource_version(old), "1"); /* ours stays as it was */
    ck_assert_str_eq(kube_resource_version(now), "2");
    ck_assert_uint_eq(owned_count(&c, "x"), 1);
    ck_assert_uint_eq(owned_count(&c, "y"), 2);
    kube_cache_remove(&c, "b");
    ck_assert_uint_eq(owned_count(&c, "x"), 0);
    ck_assert_uint_eq(json_object_size(c.by_group), 1);
    kube_cache_done(&c);
    kube_cache_done(&c);
    ck_assert_str_eq(kube_name(now), "a");
    json_decref(old);
    json_decref(now);
}
END_TEST

START_TEST(kube_cache__slices_belong_to_services_and_autoscalers_to_workloads) {
    struct kube_cache c = {0};

    put(&c, json_parse("{\"kind\":\"EndpointSlice\",\"metadata\":{\"name\":\"s-1\",\"labels\":{"
                       "\"kubernetes.io/service-name\":\"s\"},\"ownerReferences\":[{\"uid\":\"u\","
                       "\"controller\":true}]}}"));
    put(&c, json_parse("{\"kind\":\"HorizontalPodAutoscaler\",\"metadata\":{\"name\":\"h\"},"
                       "\"spec\":{\"scaleTargetRef\":{\"name\":\"w\"}}}"));
    ck_assert_uint_eq(owned_count(&c, "s"), 1);
    ck_assert_uint_eq(owned_count(&c, "u"), 0);
    ck_assert_uint_eq(owned_count(&c, "w"), 1);
    put(&c, json_parse("{\"kind\":\"EndpointSlice\",\"metadata\":{\"name\":\"s-1\"}}"));
    ck_assert_uint_eq(owned_count(&c, "s"), 0);
    ck_assert_uint_eq(owned_count(&c, NULL), 2);
    kube_cache_done(&c);
}
END_TEST

START_TEST(kube_cache__objects_are_trimmed) {
    static const struct {
        KubeKind kind;
        const char *object, *trimmed;
    } cases[] = {
        {KUBE_SERVICE,
         "{\"metadata\":{\"name\":\"s\",\"managedFields\":[{}]},\"spec\":{\"selector\":{\"a\":"
         "\"b\"}}}",
         "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"selector\":{\"a\":\"b\"}},\"apiVersion\":"
         "\"v1\","
         "\"kind\":\"Service\"}"},
        {KUBE_POD,
         "{\"kind\":\"Pod\",\"metadata\":{},\"spec\":{\"volumes\":[],\"nodeName\":\"n\","
         "\"containers\":[{"
         "\"name\":\"app\",\"image\":\"i\",\"env\":[{\"name\":\"SECRET\",\"value\":\"x\"}]}]},"
         "\"status\":"
         "{\"qosClass\":\"x\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\","
         "\"lastProbeTime\":null}],\"containerStatuses\":[{\"name\":\"app\",\"containerID\":\"x\","
         "\"state\":{\"waiting\":{\"reason\":\"r\"}}}]}}",
         "{\"kind\":\"Pod\",\"metadata\":{},\"spec\":{\"nodeName\":\"n\",\"containers\":[{\"name\":"
         "\"app\","
         "\"image\":\"i\"}]},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}],"
         "\"containerStatuses\":[{\"name\":\"app\",\"state\":{\"waiting\":{\"reason\":\"r\"}}}]}}"},
        {KUBE_DEPLOYMENT,
         "{\"kind\":\"Deployment\",\"spec\":{\"template\":{\"spec\":{\"volumes\":[]}}}}",
         "{\"kind\":\"Deployment\",\"spec\":{\"template\":{\"spec\":{\"volumes\":[]}}}}"},
        {KUBE_REPLICA_SET,
         "{\"kind\":\"ReplicaSet\",\"spec\":{\"template\":{\"spec\":{\"volumes\":[]}}}}",
         "{\"kind\":\"ReplicaSet\"}"},
        {KUBE_POD, "{\"kind\":\"Pod\",\"spec\":7,\"status\":[],\"metadata\":null}",
         "{\"kind\":\"Pod\",\"spec\":7,\"status\":[],\"metadata\":null}"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json_auto_t *object = json_parse(cases[i].object);
        _cleanup_free_ char *text = NULL;

        ck_assert_ptr_nonnull(object);
        kube_object_trim(object, cases[i].kind);
        text = json_text(object);
        ck_assert_str_eq(text, cases[i].trimmed);
    }
}
END_TEST

int main(void) {
    return RUN_SUITE("kube", 30, kube__outcome_follows_from_the_answer,
                     kube__wait_is_read_from_the_status, kube__message_is_one_line_of_utf8,
                     kube__kinds_have_their_paths, kube__selector_matches_by_equality,
                     kube__readers_take_anything, kube_lines__split_anywhere,
                     kube_lines__end_when_told_or_too_long, kube_cache__finds_by_name_and_owner,
                     kube_cache__slices_belong_to_services_and_autoscalers_to_workloads,
                     kube_cache__objects_are_trimmed);
}
