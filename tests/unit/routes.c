/* The table of routes and its dump. */
#include "handlers/routes.h"
#include "tests/support/suite.h"
#include <string.h>

START_TEST(routes__are_sound) {
    const char *wrong = http_routes_check(routes);

    ck_assert_msg(wrong == NULL, "%s", wrong);
}
END_TEST

START_TEST(routes__dump_names_each_with_its_body) {
    json_auto_t *dump = routes_dump(routes);
    json_t *route;
    size_t i;

    ck_assert_uint_gt(json_array_size(dump), 30);
    json_array_foreach(dump, i, route) {
        const json_t *body = json_object_get(route, "body");

        ck_assert_str_eq(json_str(route, "operation", ""), routes[i].operation);
        ck_assert_int_eq(json_is_object(body), routes[i].body != BODY_NONE);
        if (routes[i].schema)
            ck_assert_uint_gt(json_array_size(json_at(body, "schema", "fields", NULL)), 0);
    }
}
END_TEST

/* Bodies belong to calls that write; what only reads never asks for a write's scope. */
START_TEST(routes__reads_ask_for_read_scopes) {
    for (const struct route *r = routes; r->operation; r++) {
        if (r->method != HTTP_GET)
            continue;
        ck_assert_msg(r->body == BODY_NONE, "%s", r->operation);
        ck_assert_msg(r->protocol || !strcmp(r->scope, SCOPE_PUBLIC) ||
                          !strcmp(r->scope, SCOPE_ANY) || strstr(r->scope, ":read"),
                      "%s", r->operation);
    }
}
END_TEST

int main(void) {
    return RUN_SUITE("routes", 10, routes__are_sound, routes__dump_names_each_with_its_body,
                     routes__reads_ask_for_read_scopes);
}
