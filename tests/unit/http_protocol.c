/* tests/unit/http_protocol.c: routes of another protocol than ours: their refusals, their leniency,
 * and what pages of other origins may do with them. */
#include "auth/auth.h"
#include "base/cleanup.h"
#include "config/config.h"
#include "http/http.h"
#include "tests/support/raw.h"
#include "tests/support/suite.h"

#define SECRET "0123456789abcdef0123456789abcdef"

static Status echo(struct request *q, const void *in, struct reply *r) {
    (void)in;
    r->etag = "v1";
    r->json = json_pack("{s:s?}", "a", request_query(q, "a"));
    return STATUS_OK;
}

static json_t *terse_problem(const struct request *q, const struct status_row *row,
                             const struct reply *r) {
    (void)q;
    return row->http == 401 ? NULL : json_pack("{s:s, s:s?}", "error", row->code, "why", r->detail);
}

static const struct protocol terse = {.name = "terse", .problem = terse_problem};
struct named {
    const char *name;
};
static const struct field fields[] = {
    {.name = "name", .type = FIELD_NAME, .offset = offsetof(struct named, name)},
};
static const struct body_schema schema = {
    .name = "Named", .fields = fields, .count = 1, .size = sizeof(struct named), .open = true};

static const struct route routes[] = {
    {.operation = "get",
     .path = "/terse",
     .scope = SCOPE_PUBLIC,
     .query = "a",
     .handler = echo,
     .io_thread = true,
     .protocol = &terse},
    {.operation = "post",
     .method = HTTP_POST,
     .path = "/terse",
     .scope = SCOPE_PUBLIC,
     .body = BODY_JSON,
     .schema = &schema,
     .handler = echo,
     .protocol = &terse},
    {.operation = "mine", .path = "/mine", .scope = SCOPE_ANY, .handler = echo, .protocol = &terse},
    {.operation = "ours", .path = "/ours", .scope = SCOPE_PUBLIC, .handler = echo},
    {0},
};

#define ASK(method, path, headers) method " " path " HTTP/1.1\r\nHost: h\r\n" headers "\r\n"
#define POST(body, length)                                                                         \
    ASK("POST", "/terse", "Content-Type: application/json\r\nContent-Length: " #length "\r\n") body
#define SHOP     "Origin: https://shop.example\r\n"
#define STRANGER "Origin: https://shop.example.evil\r\n"
#define WANTS    "Access-Control-Request-Method: POST\r\n"
#define ALLOWED  "Access-Control-Allow-Origin: https://shop.example\r\n"

static const struct {
    const char *request;
    int status;
    const char *holds, *lacks; /* of head and body */
} cases[] = {
    /* refusals in the protocol's form */
    {POST("{\"name\": 1}", 11), 400, "{\"error\":\"invalid-body\"", "problem+json"},
    {ASK("GET", "/mine", ""), 401, "Content-Length: 0", "problem+json"},
    {ASK("PUT", "/terse", ""), 405, "problem+json", NULL}, /* no route, no protocol */
    /* what their clients add is left alone */
    {POST("{\"name\": \"a\", \"x\": 1}", 21), 200, "{\"a\":null}", NULL},
    {ASK("GET", "/terse?a=1&b=2&a=3", ""), 200, "{\"a\":\"1\"}", NULL},
    {ASK("GET", "/ours?a=1", ""), 400, "invalid-query", NULL},
    /* pages of other origins */
    {ASK("GET", "/terse", SHOP), 200, ALLOWED, NULL},
    {ASK("GET", "/terse", SHOP), 200, "Access-Control-Expose-Headers: ETag", NULL},
    {ASK("GET", "/terse", STRANGER), 200, "Vary: Origin", "Access-Control"},
    {ASK("GET", "/terse", ""), 200, "Vary: Origin", "Access-Control"},
    {ASK("GET", "/ours", SHOP), 200, "ETag", "Access-Control"},
    {ASK("GET", "/mine", SHOP), 401, ALLOWED, NULL},
    {ASK("OPTIONS", "/terse", SHOP WANTS), 204, ALLOWED, NULL},
    {ASK("OPTIONS", "/terse",
         SHOP WANTS "Access-Control-Request-Headers: x-api-key,content-type\r\n"),
     204, "Access-Control-Allow-Headers: x-api-key,content-type\r\n", NULL},
    {ASK("OPTIONS", "/terse", SHOP WANTS "Access-Control-Request-Headers: a\"b\r\n"), 204, ALLOWED,
     "Allow-Headers"},
    {ASK("OPTIONS", "/terse", SHOP), 405, "method-not-allowed", "Access-Control"},
    {ASK("OPTIONS", "/terse", STRANGER WANTS), 405, "method-not-allowed", "Access-Control"},
    {ASK("OPTIONS", "/ours", SHOP "Access-Control-Request-Method: GET\r\n"), 405,
     "method-not-allowed", "Access-Control"},
    {ASK("OPTIONS", "/none", SHOP WANTS), 404, "not-found", "Access-Control"},
};

START_TEST(protocol__answers_as_its_clients_expect) {
    char why[256];
    struct auth *auth = auth_new(&(struct auth_settings){.jwt_secret = SECRET}, NULL, 0);
    struct http_server *s =
        http_start(&(struct http_settings){.address = "127.0.0.1",
                                           .io_threads = 2,
                                           .handler_threads = 1,
                                           .max_connections = 50,
                                           .queue_max = 10,
                                           .header_timeout_ms = 5000,
                                           .idle_timeout_s = 10,
                                           .cors_origins = "https://a.example,https://shop.example",
                                           .routes = routes,
                                           .auth = auth},
                   why, sizeof why);
    struct raw_answer a;

    ck_assert_msg(s != NULL, "%s", why);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        raw_exchange(http_port(s), cases[i].request, strlen(cases[i].request), &a, NULL);
        ck_assert_msg(a.status == cases[i].status, "%s%s%s", cases[i].request, a.head, a.body);
        ck_assert_msg(strstr(a.head, cases[i].holds) || strstr(a.body, cases[i].holds), "%s%s%s",
                      cases[i].request, a.head, a.body);
        ck_assert_msg(!cases[i].lacks || !strstr(a.head, cases[i].lacks), "%s%s", cases[i].request,
                      a.head);
    }
    http_stop(s, 3000);
    auth_free(auth);
}
END_TEST

START_TEST(origins__are_scheme_and_host) {
    static const char *const good[] = {"*", "https://a.example", "http://localhost:3000",
                                       "https://a.example,https://b.example:8443"};
    static const char *const bad[] = {"",           "a.example", "https://", "https://a.example/",
                                      "https://*",  "ftp://a",   "null",     "https://a.example,",
                                      "*,https://a"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(!origins_bad(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(origins_bad(bad[i]) != NULL, "%s", bad[i]);
}
END_TEST

int main(void) {
    return RUN_SUITE("http-protocol", 30, protocol__answers_as_its_clients_expect,
                     origins__are_scheme_and_host);
}
