/* tests/unit/http_server.c: the edge over raw sockets: what it accepts, refuses, and closes. */
#include "auth/auth.h"
#include "base/cleanup.h"
#include "http/http.h"
#include "tests/support/raw.h"
#include "tests/support/suite.h"

#define SECRET "0123456789abcdef0123456789abcdef"

/* ---- routes ---- */

static Status echo(struct request *q, const void *in, struct reply *r) {
    (void)in;
    r->json = json_pack("{s:s, s:I, s:s?, s:s?}", "path", q->path, "length",
                        (json_int_t)q->body_len, "app", request_param(q, "app"), "principal",
                        q->principal ? q->principal->subject : NULL);
    return STATUS_OK;
}

static Status tagged(struct request *q, const void *in, struct reply *r) {
    (void)in;
    if (q->method == HTTP_PUT) {
        Status s = request_if_match(q, "v1", r);

        if (s != STATUS_OK)
            return s;
    }
    r->etag = "v1";
    r->json = json_pack("{s:i}", "v", 1);
    return STATUS_OK;
}

static Status handled(struct request *q, const void *in, struct reply *r) {
    (void)q, (void)in;
    r->etag = "handled";
    r->json = json_object();
    return STATUS_OK;
}

static bool recalled(const struct request *q, struct reply *r) {
    if (request_header(q, "X-Forgotten"))
        return false;
    r->etag = "recalled";
    r->json = json_object();
    return true;
}

static Status paged(struct request *q, const void *in, struct reply *r) {
    struct page page;
    Status s = request_page(q, &page, r);

    (void)in;
    if (s != STATUS_OK)
        return s;
    reply_list(r, json_pack("[I, s?]", (json_int_t)page.limit, page.after),
               page.after ? NULL : "next-one");
    return STATUS_OK;
}

static Status faulty(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return request_query(q, "db") ? FAULT_DB_DOWN : reply_refuse(r, FAULT_BUG, "secret detail");
}

struct named {
    const char *name;
};
static const struct field named_fields[] = {
    {.name = "name", .type = FIELD_NAME, .offset = offsetof(struct named, name)},
};
static const struct body_schema named_schema = {
    .name = "Named", .fields = named_fields, .count = 1, .size = sizeof(struct named)};

// clang-format off
static const struct route routes[] = {
    {.operation = "now", .path = "/now", .scope = SCOPE_PUBLIC, .io_thread = true, .handler = echo},
    {.operation = "get", .path = "/things", .scope = SCOPE_PUBLIC, .query = "a|b", .handler = echo},
    {.operation = "post", .method = HTTP_POST, .path = "/things", .scope = SCOPE_PUBLIC, .body = BODY_JSON,
     .schema = &named_schema, .handler = echo},
    {.operation = "raw", .method = HTTP_PUT, .path = "/raw", .scope = SCOPE_PUBLIC, .body = BODY_RAW,
     .media_type = "application/yaml|text/yaml", .max_body = 1000, .handler = echo},
    {.operation = "either", .method = HTTP_POST, .path = "/either", .scope = SCOPE_PUBLIC, .body = BODY_JSON,
     .schema = &named_schema, .media_type = "text/yaml|text/plain", .max_body = 1000, .handler = echo},
    {.operation = "tagged", .path = "/tagged", .scope = SCOPE_PUBLIC, .handler = tagged},
    {.operation = "putTagged", .method = HTTP_PUT, .path = "/tagged", .scope = SCOPE_PUBLIC, .body = BODY_JSON,
     .schema = &named_schema, .handler = tagged},
    {.operation = "paged", .path = "/paged", .scope = SCOPE_PUBLIC, .query = "limit|cursor", .handler = paged},
    {.operation = "faulty", .path = "/faulty", .scope = SCOPE_PUBLIC, .query = "db", .handler = faulty},
    {.operation = "recalled", .path = "/recalled", .scope = SCOPE_PUBLIC, .query = "a", .handler = handled, .recall = recalled},
    {.operation = "mine", .path = "/mine", .scope = SCOPE_ANY, .handler = handled, .recall = recalled},
    {.operation = "me", .path = "/me", .scope = SCOPE_ANY, .handler = echo},
    {.operation = "app", .method = HTTP_PUT, .path = "/apps/{app}", .scope = "app:write", .body = BODY_JSON,
     .schema = &named_schema, .handler = echo},
    {0},
};
// clang-format on

static struct auth *auth;

static struct http_server *start(int handler_threads, int queue_max, int header_timeout_ms) {
    struct http_settings in = {.address = "127.0.0.1",
                               .io_threads = 2,
                               .handler_threads = handler_threads,
                               .max_connections = 500,
                               .queue_max = queue_max,
                               .header_timeout_ms = header_timeout_ms,
                               .idle_timeout_s = 10,
                               .routes = routes};
    char why[256];
    struct http_server *s;

    auth = auth_new(&(struct auth_settings){.jwt_secret = SECRET}, NULL, 0);
    in.auth = auth;
    s = http_start(&in, why, sizeof why);
    ck_assert_msg(s != NULL, "%s", why);
    return s;
}

static void stop(struct http_server *s) {
    http_stop(s, 3000);
    auth_free(auth);
}

static json_t *body_of(const struct raw_answer *a) {
    json_t *v = json_parse(a->body);

    ck_assert_msg(v != NULL, "no JSON: %s%s", a->head, a->body);
    return v;
}

/* The code of a problem; checks what every problem has. */
static char *problem_code(const struct raw_answer *a) {
    json_auto_t *v = body_of(a);
    char *code = xstrdup(json_str(v, "code", ""));

    ck_assert_msg(strstr(a->head, "\r\nContent-Type: application/problem+json\r\n") != NULL, "%s",
                  a->head);
    ck_assert_int_eq(json_int(v, "status", 0), a->status);
    ck_assert(*json_str(v, "title", ""));
    ck_assert(*json_str(v, "detail", ""));
    ck_assert(*json_str(v, "request_id", ""));
    ck_assert(json_object_get(v, "instance") != NULL);
    ck_assert(strstr(json_str(v, "type", ""), code) != NULL);
    ck_assert(strstr(a->head, json_str(v, "request_id", "")) != NULL);
    return code;
}

/* ---- tests ---- */

START_TEST(server__answers_each_request_rightly) {
    static const struct {
        const char *request;
        int status;
        const char *code, *head; /* of a problem; what the head must hold */
    } cases[] = {
        {"GET /now HTTP/1.1\r\nHost: h\r\n\r\n", 200, NULL, "Content-Type: application/json"},
        {"GET /things?a=1&b=2 HTTP/1.1\r\nHost: h\r\n\r\n", 200, NULL, "Cache-Control: no-store"},
        {"HEAD /things HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 0, NULL, NULL},
        {"GET /now HTTP/1.0\r\n\r\n", 200, NULL, "X-Content-Type-Options: nosniff"},
        {"GET /now HTTP/1.1\r\nHost: h\r\nX-Request-Id: my-id.1_2\r\n\r\n", 200, NULL,
         "X-Request-Id: my-id.1_2\r\n"},
        {"GET /recalled HTTP/1.1\r\nHost: h\r\n\r\n", 200, NULL, "ETag: \"recalled\"\r\n"},
        {"GET /recalled HTTP/1.1\r\nHost: h\r\nX-Forgotten: 1\r\n\r\n", 200, NULL,
         "ETag: \"handled\"\r\n"},
        {"GET /recalled?a=1 HTTP/1.1\r\nHost: h\r\n\r\n", 200, NULL, "ETag: \"handled\"\r\n"},
        {"GET /recalled?b=1 HTTP/1.1\r\nHost: h\r\n\r\n", 400, "invalid-query", NULL},
        {"GET /recalled HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n", 406, "not-acceptable",
         NULL},
        {"GET /mine HTTP/1.1\r\nHost: h\r\n\r\n", 401, "unauthenticated", NULL},
        {"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", 404, "not-found", NULL},
        {"DELETE /things HTTP/1.1\r\nHost: h\r\n\r\n", 405, "method-not-allowed",
         "Allow: GET, HEAD, POST\r\n"},
        {"OPTIONS /now HTTP/1.1\r\nHost: h\r\n\r\n", 405, "method-not-allowed",
         "Allow: GET, HEAD\r\n"},
        {"BREW /now HTTP/1.1\r\nHost: h\r\n\r\n", 405, "method-not-allowed", NULL},
        {"GET /things?c=1 HTTP/1.1\r\nHost: h\r\n\r\n", 400, "invalid-query", NULL},
        {"GET /things?a=1&a=2 HTTP/1.1\r\nHost: h\r\n\r\n", 400, "invalid-query", NULL},
        {"GET /things?a=%ff HTTP/1.1\r\nHost: h\r\n\r\n", 400, "invalid-query", NULL},
        {"GET /paged?limit=0 HTTP/1.1\r\nHost: h\r\n\r\n", 400, "invalid-query", NULL},
        {"GET /paged?limit=201 HTTP/1.1\r\nHost: h\r\n\r\n", 400, "invalid-query", NULL},
        {"GET /paged?cursor=abc HTTP/1.1\r\nHost: h\r\n\r\n", 400, "invalid-query", NULL},
        {"GET /now HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n", 406, "not-acceptable", NULL},
        {"GET /now HTTP/1.1\r\nHost: h\r\nAccept: text/html, */*;q=0.1\r\n\r\n", 200, NULL, NULL},
        {"POST /things HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\nContent-Length: 0\r\n\r\n", 406,
         "not-acceptable", NULL},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 200, NULL, NULL},
        {"POST /things HTTP/1.1\r\nHost: h\r\n\r\n", 200, NULL, NULL},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: "
         "12\r\n\r\n{\"name\":\"a\"}",
         200, NULL, NULL},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Type: application/json; "
         "charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
         "6\r\n{\"name\r\n6\r\n\":\"a\"}\r\n0\r\n\r\n",
         200, NULL, NULL},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", 415,
         "unsupported-media-type", NULL},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: "
         "2\r\n\r\n{}",
         415, "unsupported-media-type", NULL},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: "
         "7\r\n\r\n{\"x\":1}",
         400, "invalid-body", NULL},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: "
         "300000\r\n\r\n",
         413, "body-too-large", "Connection: close"},
        {"PUT /raw HTTP/1.1\r\nHost: h\r\nContent-Type: text/yaml\r\nContent-Length: 1001\r\n\r\n",
         413, "body-too-large", NULL},
        {"PUT /raw HTTP/1.1\r\nHost: h\r\nContent-Type: text/yaml\r\nContent-Length: 3\r\n\r\na:1",
         200, NULL, NULL},
        {"PUT /raw HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: "
         "2\r\n\r\n{}",
         415, "unsupported-media-type", NULL},
        {"POST /either HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: "
         "3\r\n\r\na:1",
         200, NULL, NULL},
        {"POST /either HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: "
         "1001\r\n\r\n",
         413, "body-too-large", NULL},
        {"POST /either HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
         "Content-Length: 3\r\n\r\na:1",
         400, "invalid-body", NULL},
        {"POST /either HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
         "Content-Length: 262145\r\n\r\n",
         413, "body-too-large", NULL},
        {"POST /either HTTP/1.1\r\nHost: h\r\nContent-Type: text/html\r\nContent-Length: "
         "3\r\n\r\na:1",
         415, "unsupported-media-type", NULL},
        {"GET /now HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 400, "invalid-body", NULL},
        {"GET /now HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, NULL,
         NULL},
        {"GET /now HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
         400, "invalid-body", NULL},
        {"GET /tagged HTTP/1.1\r\nHost: h\r\n\r\n", 200, NULL, "ETag: \"v1\"\r\n"},
        {"GET /tagged HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"v1\"\r\n\r\n", 304, NULL,
         "ETag: \"v1\"\r\n"},
        {"PUT /tagged HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 428,
         "precondition-required", NULL},
        {"PUT /tagged HTTP/1.1\r\nHost: h\r\nIf-Match: \"v0\"\r\nContent-Length: 0\r\n\r\n", 412,
         "precondition-failed", NULL},
        {"PUT /tagged HTTP/1.1\r\nHost: h\r\nIf-Match: *\r\nContent-Length: 0\r\n\r\n", 200, NULL,
         NULL},
        {"GET /faulty HTTP/1.1\r\nHost: h\r\n\r\n", 500, "internal", NULL},
        {"GET /faulty?db HTTP/1.1\r\nHost: h\r\n\r\n", 503, "database-unavailable",
         "Retry-After: 1\r\n"},
        {"GET /me HTTP/1.1\r\nHost: h\r\n\r\n", 401, "unauthenticated",
         "WWW-Authenticate: Bearer\r\n"},
        {"GET /me HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x.y.z\r\n\r\n", 401,
         "unauthenticated", NULL},
        {"GET /me HTTP/1.1\r\nHost: h\r\nX-API-Key: slk_x\r\n\r\n", 401, "unauthenticated", NULL},
        {"PUT /apps/a HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: "
         "2\r\n\r\n{}",
         401, "unauthenticated", NULL},
    };
    struct http_server *s = start(4, 100, 5000);
    struct raw_answer a;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status =
            raw_exchange(http_port(s), cases[i].request, strlen(cases[i].request), &a, NULL);

        if (cases[i].status)
            ck_assert_msg(status == cases[i].status, "%s\n→ %d %s", cases[i].request, status,
                          a.body);
        if (cases[i].code) {
            _cleanup_free_ char *code = problem_code(&a);

            ck_assert_msg(!strcmp(code, cases[i].code), "%s\n→ %s", cases[i].request, code);
        }
        if (cases[i].head)
            ck_assert_msg(strstr(a.head, cases[i].head) != NULL, "%s\n→ %s", cases[i].request,
                          a.head);
        ck_assert_ptr_null(strstr(a.body, "secret"));
    }
    stop(s);
}
END_TEST

START_TEST(guard__smuggling_shapes_are_refused_and_closed) {
#define SMUGGLED "GET /things HTTP/1.1\r\nHost: h\r\n\r\n"
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n" SMUGGLED,
         400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: "
         "5\r\n\r\n" SMUGGLED,
         400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: "
         "0\r\n\r\n" SMUGGLED,
         400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Length : 5\r\n\r\n" SMUGGLED, 400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : "
         "chunked\r\n\r\n0\r\n\r\n" SMUGGLED,
         400},
        {"POST /things HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED,
         400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n" SMUGGLED, 400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" SMUGGLED,
         400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: "
         "chunked\r\n\r\n" SMUGGLED,
         400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
         "chunked\r\n\r\n" SMUGGLED,
         400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\x0b"
         "chunked\r\n\r\n" SMUGGLED,
         400},
        {"GET /things HTTP/1.1\r\nHost: h\r\nHost: g\r\n\r\n" SMUGGLED, 400},
        {"GET /things HTTP/1.1\r\n\r\n" SMUGGLED, 400},
        {"GET /me HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a\r\nAuthorization: Bearer "
         "b\r\n\r\n" SMUGGLED,
         400},
        {"GET /me HTTP/1.1\r\nHost: h\r\nX-API-Key: a\r\nX-Api-Key: a\r\n\r\n" SMUGGLED, 400},
        {"GET /things HTTP/1.1\r\nHost: h\r\nX Y: 1\r\n\r\n" SMUGGLED, 400},
        {"GET /things HTTP/1.1\r\nHost: h\r\nX: a\x01"
         "b\r\n\r\n" SMUGGLED,
         400},
        {"GET /admin%00/x HTTP/1.1\r\nHost: h\r\n\r\n" SMUGGLED, 400},
        {"GET /%2e%2e%2fthings HTTP/1.1\r\nHost: h\r\n\r\n" SMUGGLED, 400},
        {"GET /a\\b HTTP/1.1\r\nHost: h\r\n\r\n" SMUGGLED, 400},
        {"GET http://h/things HTTP/1.1\r\nHost: h\r\n\r\n" SMUGGLED, 400},
        {"GET /things HTTP/1.2\r\nHost: h\r\n\r\n" SMUGGLED, 400},
        {"GET /things HTTP/2.0\r\nHost: h\r\n\r\n" SMUGGLED, 505}, /* libmicrohttpd's own */
        {"GET /things\r\n\r\n" SMUGGLED, 400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n" SMUGGLED, 400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\n" SMUGGLED, 400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 0x5\r\n\r\n" SMUGGLED, 400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\n" SMUGGLED, 400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked,\r\n\r\n" SMUGGLED, 400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n" SMUGGLED, 400},
        {"GET /things HTTP/1.1\r\nHost: h\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n" SMUGGLED,
         400},
        {"GET /things HTTP/1.1\r\nHost: h\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n" SMUGGLED,
         400},
        {"GET /things HTTP/1.1\r\n Host: h\r\n\r\n" SMUGGLED, 400},
        {"GET /things HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n" SMUGGLED, 400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: 5x\r\n\r\n" SMUGGLED, 400},
        {"POST /things HTTP/1.1\r\nHost: h\r\nContent-Length: "
         "99999999999999999999\r\n\r\n" SMUGGLED,
         413},
    };
    struct http_server *s = start(4, 100, 5000);
    struct raw_answer a;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct raw_input in = {.fd = raw_connect(http_port(s))};
        int status;

        raw_send(in.fd, cases[i].request);
        status = raw_answer(&in, &a, 2000);
        ck_assert_msg(status == cases[i].status, "%s\n→ %d %s%s", cases[i].request, status, a.head,
                      a.body);
        ck_assert_msg(raw_closes(&in, 1000), "%s\n stays open", cases[i].request);
        ck_assert_msg(in.n == 0 || !strstr(in.bytes, " 200 "), "%s\n let through: %s",
                      cases[i].request, in.bytes);
        close(in.fd);
    }
    stop(s);
}
END_TEST

/* What is gone by the time that the guard looks, and is left to a proxy that normalises: known and
 * said in docs/operating.md.  That one of these is refused from now on is good news. */
START_TEST(guard__what_is_left_to_a_proxy) {
#define NUL_VALUE "GET /now HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n"
    static const struct {
        const char *request;
        size_t n;
    } cases[] = {
        {"GET /now HTTP/1.1\nHost: h\n\n", 0},
        {"GET /now HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", 0},
        {NUL_VALUE, sizeof NUL_VALUE - 1},
    };
    struct http_server *s = start(4, 100, 5000);
    struct raw_answer a;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct raw_input in = {.fd = raw_connect(http_port(s))};

        raw_send_n(in.fd, cases[i].request, cases[i].n ? cases[i].n : strlen(cases[i].request));
        ck_assert_msg(raw_answer(&in, &a, 2000) == 200, "%s", cases[i].request);
        close(in.fd);
    }
    stop(s);
}
END_TEST

START_TEST(guard__other_request_ids_are_replaced) {
    static const char *const bad[] = {
        "has space", "", "a/b",
        "12345678901234567890123456789012345678901234567890123456789012345"};
    struct http_server *s = start(2, 10, 5000);
    struct raw_answer a;
    char request[256];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int n = snprintf(request, sizeof request,
                         "GET /now HTTP/1.1\r\nHost: h\r\nX-Request-Id: %s\r\n\r\n", bad[i]);

        ck_assert_int_eq(raw_exchange(http_port(s), request, (size_t)n, &a, NULL), 200);
        snprintf(request, sizeof request, "X-Request-Id: %s\r\n", bad[i]);
        ck_assert_ptr_null(strstr(a.head, request));
        ck_assert_ptr_nonnull(strstr(a.head, "X-Request-Id: "));
    }
    stop(s);
}
END_TEST

START_TEST(auth__scope_and_app_are_needed) {
    static const char *const admin[] = {"admin", NULL}, *const viewer[] = {"viewer", NULL};
    static const char *const other[] = {"other", NULL};
    const struct {
        struct token_request token;
        int status;
    } cases[] = {
        {{.subject = "alice", .roles = admin, .ttl_s = 60}, 200},
        {{.subject = "bob", .roles = viewer, .ttl_s = 60}, 403},
        {{.subject = "carol", .roles = admin, .apps = other, .ttl_s = 60}, 403},
    };
    struct http_server *s = start(2, 10, 5000);
    struct raw_answer a;
    char request[4096];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why;
        _cleanup_free_ char *token = auth_mint(SECRET, &cases[i].token, &why);
        int n = snprintf(request, sizeof request,
                         "PUT /apps/inopnc HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer "
                         "%s\r\nContent-Length: 0\r\n\r\n",
                         token);
        json_auto_t *v = NULL;

        ck_assert_int_eq(raw_exchange(http_port(s), request, (size_t)n, &a, NULL), cases[i].status);
        v = body_of(&a);
        if (i == 0)
            ck_assert_str_eq(json_str(v, "principal", ""), "alice");
        else
            ck_assert_str_eq(json_str(v, "code", ""), "forbidden");
        if (i == 1)
            ck_assert_str_eq(json_str(v, "scope", ""), "app:write");
    }
    stop(s);
}
END_TEST

START_TEST(server__pipelined_requests_are_answered_in_order) {
    struct http_server *s = start(4, 100, 5000);
    struct raw_input in = {.fd = raw_connect(http_port(s))};
    struct raw_answer a;
    char request[256];

    for (int i = 0; i < 20; i++) {
        snprintf(request, sizeof request,
                 "GET /%s HTTP/1.1\r\nHost: h\r\nX-Request-Id: n%d\r\n\r\n",
                 i % 3 == 0   ? "now"
                 : i % 3 == 1 ? "things"
                              : "nothing",
                 i);
        raw_send(in.fd, request);
    }
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(raw_answer(&in, &a, 2000), i % 3 == 2 ? 404 : 200);
        snprintf(request, sizeof request, "X-Request-Id: n%d\r\n", i);
        ck_assert_msg(strstr(a.head, request) != NULL, "%d: %s", i, a.head);
    }
    close(in.fd);
    stop(s);
}
END_TEST

START_TEST(server__a_refusal_is_read_by_a_caller_who_is_still_sending) {
    enum { N = 4 * 1024 * 1024 };
    struct http_server *s = start(2, 10, 5000);
    char *body = calloc(1, N);
    char head[256];
    struct raw_answer a;

    snprintf(head, sizeof head,
             "POST /things HTTP/1.1\r\nHost: h\r\nContent-Type: "
             "application/json\r\nContent-Length: %d\r\n\r\n",
             N);
    for (int i = 0; i < 20; i++) {
        struct raw_input in = {.fd = raw_connect(http_port(s))};

        raw_send(in.fd, head);
        ck_assert_msg(raw_send_n(in.fd, body, N), "reset while sending");
        ck_assert_int_eq(raw_answer(&in, &a, 2000), 413);
        close(in.fd);
    }
    free(body);
    stop(s);
}
END_TEST

START_TEST(server__a_chunked_body_is_bounded) {
    struct http_server *s = start(2, 10, 5000);
    struct raw_input in = {.fd = raw_connect(http_port(s))};
    struct raw_answer a;
    char chunk[4096 + 16];
    int n = snprintf(chunk, sizeof chunk, "1000\r\n");

    memset(chunk + n, 'x', 4096);
    memcpy(chunk + n + 4096, "\r\n", 2);
    raw_send(in.fd, "POST /things HTTP/1.1\r\nHost: h\r\nContent-Type: "
                    "application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 70; i++) /* 280 KiB */
        raw_send_n(in.fd, chunk, (size_t)n + 4098);
    raw_send(in.fd, "0\r\n\r\n");
    ck_assert_int_eq(raw_answer(&in, &a, 2000), 413);
    raw_send(in.fd, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n"); /* the connection lives on */
    ck_assert_int_eq(raw_answer(&in, &a, 2000), 200);
    raw_send(in.fd, "POST /things HTTP/1.1\r\nHost: h\r\nContent-Type: "
                    "application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 100000 && raw_send_n(in.fd, chunk, (size_t)n + 4098); i++)
        ck_assert_msg(i < 99999, "an endless body is taken for ever");
    close(in.fd);
    stop(s);
}
END_TEST

START_TEST(server__large_heads_are_answered) {
    struct http_server *s = start(2, 10, 5000);
    char request[40 * 1024];
    struct raw_answer a;

    for (int size = 1000; size < 32 * 1024; size += 500) {
        int n = snprintf(request, sizeof request, "GET /things HTTP/1.1\r\nHost: h\r\nX: "), status;

        memset(request + n, 'x', (size_t)size);
        memcpy(request + n + size, "\r\n\r\n", 5);
        status = raw_exchange(http_port(s), request, strlen(request), &a, NULL);
        ck_assert_msg(status == 200 || (status == 431 && size > 10000) || (!status && size > 11000),
                      "%d bytes: %d %s", size, status, a.head);
    }
    stop(s);
}
END_TEST

int main(void) {
    return RUN_SUITE("http-server", 60, server__answers_each_request_rightly,
                     guard__smuggling_shapes_are_refused_and_closed, guard__what_is_left_to_a_proxy,
                     guard__other_request_ids_are_replaced, auth__scope_and_app_are_needed,
                     server__pipelined_requests_are_answered_in_order,
                     server__a_refusal_is_read_by_a_caller_who_is_still_sending,
                     server__a_chunked_body_is_bounded, server__large_heads_are_answered);
}
