/* tests/unit/http_cursor.c: cursors, entity tags, Accept. */
#include "base/arena.h"
#include "base/cleanup.h"
#include "http/exchange.h"
#include "http/page.h"
#include "tests/support/suite.h"

START_TEST(cursor__carries_any_position) {
    static const char *const positions[] = {"", "a", "01a20fad-2974-7ae8-be18-6b50fd7b1d3b",
                                            "v1.2.3-rc.1/ä"};
    _cleanup_(arena_done) struct arena a = {0};

    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
        const char *text = cursor_encode(&a, positions[i]);

        ck_assert_str_eq(cursor_decode(&a, text), positions[i]);
        ck_assert_ptr_null(strchr(text, '='));
    }
}
END_TEST

START_TEST(cursor__garbage_is_refused) {
    static const char *const bad[] = {"",     "x",      "AAAA", "AAAAAAAA",
                                      "!!!!", "inopnc", "MQ",   "AAAAAAAAAAAAAAAAAAAAAAAA="};
    _cleanup_(arena_done) struct arena a = {0};
    char *text = cursor_encode(&a, "position");

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!cursor_decode(&a, bad[i]), "%s", bad[i]);
    for (size_t i = 0; text[i]; i++) {
        char was = text[i];

        text[i] = was == 'A' ? 'B' : 'A';
        ck_assert_msg(!cursor_decode(&a, text), "changed at %zu", i);
        text[i] = was;
    }
}
END_TEST

START_TEST(etag__lists) {
    static const struct {
        const char *list, *etag;
        bool listed;
    } cases[] = {
        {"\"a\"", "a", true},
        {"\"b\"", "a", false},
        {"a", "a", false},
        {"*", "a", true},
        {"\"b\", \"a\"", "a", true},
        {"W/\"a\"", "a", true},
        {"\"aa\"", "a", false},
        {"", "a", false},
        {"\"b\" ,\"c\"", "a", false},
        {"  \"a\"  ", "a", true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(etag_listed(cases[i].list, cases[i].etag) == cases[i].listed, "%s",
                      cases[i].list);
}
END_TEST

START_TEST(accept__decides_by_the_most_precise_range) {
    static const struct {
        const char *accept, *type;
        bool yes;
    } cases[] = {
        {NULL, "application/json", true},
        {"", "application/json", true},
        {"*/*", "application/json", true},
        {"application/*", "application/json", true},
        {"application/json", "application/json", true},
        {"APPLICATION/JSON", "application/json", true},
        {"application/json;q=0.5, text/html", "application/json", true},
        {"text/html", "application/json", false},
        {"text/*", "application/json", false},
        {"application/json;q=0, */*", "application/json", false},
        {"application/json; q=0.0, */*", "application/json", false},
        {"*/*;q=0", "application/json", false},
        {"text/html, */*;q=0.1", "application/json", true},
        {"text/plain", "text/plain; version=0.0.4", true},
        {"application/jsonx", "application/json", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(accepts_type(cases[i].accept, cases[i].type) == cases[i].yes, "%s: %s",
                      cases[i].accept ? cases[i].accept : "(none)", cases[i].type);
}
END_TEST

int main(void) {
    return RUN_SUITE("http-cursor", 10, cursor__carries_any_position, cursor__garbage_is_refused,
                     etag__lists, accept__decides_by_the_most_precise_range);
}
