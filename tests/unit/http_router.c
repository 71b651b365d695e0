/* tests/unit/http_router.c: request targets, templates and the check of a route table. */
#include "base/arena.h"
#include "base/cleanup.h"
#include "http/router.h"
#include "http/uri.h"
#include "tests/support/suite.h"
#include <string.h>

static Status nothing(struct request *q, const void *in, struct reply *r) {
    (void)q, (void)in, (void)r;
    return STATUS_OK;
}

static const struct field no_fields[1];
static const struct body_schema empty_schema = {
    .name = "Empty", .fields = no_fields, .count = 0, .size = 1};

#define GET_ROUTE(name, template)                                                                  \
    {                                                                                              \
        .operation = name, .method = HTTP_GET, .path = template, .scope = SCOPE_PUBLIC,            \
        .handler = nothing                                                                         \
    }

static const struct route table[] = {
    GET_ROUTE("listApps", "/api/v1/apps"),
    GET_ROUTE("getApp", "/api/v1/apps/{app}"),
    {.operation = "putApp",
     .method = HTTP_PUT,
     .path = "/api/v1/apps/{app}",
     .scope = SCOPE_PUBLIC,
     .body = BODY_JSON,
     .schema = &empty_schema,
     .handler = nothing},
    GET_ROUTE("special", "/api/v1/apps/special"),
    GET_ROUTE("releases", "/api/v1/apps/{app}/releases/{version}"),
    GET_ROUTE("specialItems", "/api/v1/apps/special/items"),
    GET_ROUTE("health", "/api/health"),
    {0},
};

static struct router_match find(struct arena *a, const struct router *r, int method,
                                const char *path) {
    const char *why;
    struct uri uri;

    ck_assert_msg(uri_split(a, path, &uri, &why) == STATUS_OK, "%s", path);
    return router_find(r, method, uri.segment, uri.segments);
}

START_TEST(router__finds_the_route_and_its_values) {
    static const struct {
        const char *path, *operation, *first, *second;
    } cases[] = {
        {"/api/v1/apps", "listApps", NULL, NULL},
        {"/api/v1/apps?x=1", "listApps", NULL, NULL},
        {"/api/v1/apps/inopnc", "getApp", "inopnc", NULL},
        {"/api/v1/%61pps/in%6fpnc", "getApp", "inopnc", NULL},
        {"/api/v1/apps/special", "special", NULL, NULL},
        {"/api/v1/apps/special/items", "specialItems", NULL, NULL},
        {"/api/v1/apps/special/releases/v1.2.3", "releases", "special", "v1.2.3"},
        {"/api/v1/apps/a/releases/1.0.0%2B7", "releases", "a", "1.0.0+7"},
        {"/api/v1/apps/", NULL, NULL, NULL},
        {"/api/v1/apps//releases/1", NULL, NULL, NULL},
        {"/api/v1/app", NULL, NULL, NULL},
        {"/api/v1/apps/a/releases", NULL, NULL, NULL},
        {"/", NULL, NULL, NULL},
        {"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18", NULL, NULL, NULL},
    };
    _cleanup_(arena_done) struct arena a = {0};
    struct router *r = router_new(table);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct router_match m = find(&a, r, HTTP_GET, cases[i].path);

        ck_assert_msg(!m.route == !cases[i].operation, "%s", cases[i].path);
        if (!m.route)
            continue;
        ck_assert_str_eq(m.route->operation, cases[i].operation);
        ck_assert_uint_eq(m.values, (cases[i].first ? 1u : 0u) + (cases[i].second ? 1u : 0u));
        if (cases[i].first)
            ck_assert_str_eq(m.value[0], cases[i].first);
        if (cases[i].second)
            ck_assert_str_eq(m.value[1], cases[i].second);
    }
    router_free(r);
}
END_TEST

START_TEST(router__says_which_methods_a_path_has) {
    _cleanup_(arena_done) struct arena a = {0};
    struct router *r = router_new(table);
    struct router_match m = find(&a, r, HTTP_DELETE, "/api/v1/apps/inopnc");

    ck_assert_ptr_null(m.route);
    ck_assert_uint_eq(m.methods, 1u << HTTP_GET | 1u << HTTP_PUT);
    m = find(&a, r, -1, "/api/v1/apps");
    ck_assert_ptr_null(m.route);
    ck_assert_uint_eq(m.methods, 1u << HTTP_GET);
    router_free(r);
}
END_TEST

START_TEST(uri__refuses_what_has_two_readings) {
    static const char *const bad[] = {
        "",         "x",         "*",          "http://h/x",   "/a%00/b", "/a%2fb",
        "/a%2Fb",   "/%2e%2e/a", "/a/%2E",     "/a\\b",        "/a%5cb",  "/a b",
        "/a\tb",    "/a\x01",    "/a\x7f",     "/caf\xc3\xa9", "/a%",     "/a%4",
        "/a%zz",    "/../etc",   "/a/./b",     "/a/..",        "/a%ff",   "/a%c3%28",
        "/a%0d%0a", "/a#b",      "/%ed%a0%80", "/%c0%af",
    };
    _cleanup_(arena_done) struct arena a = {0};
    struct uri uri;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *why = NULL;

        ck_assert_msg(uri_split(&a, bad[i], &uri, &why) == E_INVALID_PATH, "%s", bad[i]);
        ck_assert_ptr_nonnull(why);
    }
}
END_TEST

START_TEST(uri__decodes_queries) {
    char many[2 * (URI_QUERY_MAX + 1)] = {0}; /* one more than may be */
    _cleanup_(arena_done) struct arena a = {0};
    const char *name, *why;
    struct uri_query q;

    ck_assert_int_eq(uri_query(&a, "a=1&b=x+y%20z&&c&d=", &q, &name, &why), STATUS_OK);
    ck_assert_uint_eq(q.n, 4);
    ck_assert_str_eq(q.pair[1].name, "b");
    ck_assert_str_eq(q.pair[1].value, "x y z");
    ck_assert_str_eq(q.pair[2].value, "");
    ck_assert_int_eq(uri_query(&a, NULL, &q, &name, &why), STATUS_OK);
    ck_assert_uint_eq(q.n, 0);
    ck_assert_int_eq(uri_query(&a, "ok=1&bad=%zz", &q, &name, &why), E_INVALID_QUERY);
    ck_assert_str_eq(name, "bad");
    ck_assert_int_eq(uri_query(&a, "a=%00", &q, &name, &why), E_INVALID_QUERY);
    for (size_t i = 0; i < sizeof many - 1; i++)
        many[i] = i % 2 ? '&' : '1';
    ck_assert_int_eq(uri_query(&a, many, &q, &name, &why), E_INVALID_QUERY);
    many[2 * URI_QUERY_MAX - 1] = '\0';
    ck_assert_int_eq(uri_query(&a, many, &q, &name, &why), STATUS_OK);
}
END_TEST

START_TEST(routes_check__finds_faults) {
    static const struct {
        struct route routes[3];
        const char *fault;
    } cases[] = {
        {{GET_ROUTE("a", "/a"), GET_ROUTE("b", "/b")}, NULL},
        {{GET_ROUTE("a", "/a"), GET_ROUTE("a", "/b")}, "name is taken"},
        {{GET_ROUTE("a", "/a/{x}"), GET_ROUTE("b", "/a/{y}")}, "another's"},
        {{GET_ROUTE("a", "a")}, "begin with"},
        {{GET_ROUTE("a", "/a//b")}, "empty segment"},
        {{GET_ROUTE("a", "/a/")}, "empty segment"},
        {{GET_ROUTE("a", "/a/{")}, "malformed"},
        {{GET_ROUTE("a", "/a/b{c}")}, "whole segment"},
        {{{.operation = "a", .path = "/a", .handler = nothing}}, "no scope"},
        {{{.operation = "a", .path = "/a", .scope = "nobody:ever", .handler = nothing}}, "no role"},
        {{{.operation = "a", .path = "/a", .scope = SCOPE_PUBLIC}}, "no handler"},
        {{{.operation = "a",
           .method = HTTP_POST,
           .path = "/a",
           .scope = SCOPE_PUBLIC,
           .body = BODY_JSON,
           .handler = nothing}},
         "schema"},
        {{{.operation = "a",
           .method = HTTP_POST,
           .path = "/a",
           .scope = SCOPE_PUBLIC,
           .body = BODY_RAW,
           .handler = nothing}},
         "media type"},
        {{{.operation = "a",
           .method = HTTP_POST,
           .path = "/a",
           .scope = SCOPE_PUBLIC,
           .media_type = "text/plain",
           .handler = nothing}},
         "media type"},
        {{{.operation = "a",
           .method = HTTP_POST,
           .path = "/a",
           .scope = SCOPE_PUBLIC,
           .body = BODY_JSON,
           .schema = &empty_schema,
           .media_type = "text/plain",
           .handler = nothing}},
         NULL},
        {{{.operation = "a",
           .method = HTTP_GET,
           .path = "/a",
           .scope = SCOPE_PUBLIC,
           .body = BODY_JSON,
           .schema = &empty_schema,
           .handler = nothing}},
         "no body"},
    };

    ck_assert_ptr_null(http_routes_check(table));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *fault = http_routes_check(cases[i].routes);

        ck_assert_msg(!fault == !cases[i].fault, "case %zu: %s", i, fault ? fault : "sound");
        if (fault)
            ck_assert_msg(strstr(fault, cases[i].fault) != NULL, "case %zu: %s", i, fault);
    }
}
END_TEST

int main(void) {
    return RUN_SUITE("http-router", 10, router__finds_the_route_and_its_values,
                     router__says_which_methods_a_path_has, uri__refuses_what_has_two_readings,
                     uri__decodes_queries, routes_check__finds_faults);
}
