/* What people may say about an item, and what is answered of it. */
#include "domain/checklist.h"
#include "base/clock.h"
#include "tests/support/fields.h"
#include "tests/support/suite.h"
#include "tests/support/with.h"
#include <string.h>

#define NOW (1000 * US_PER_S)
#define DAY (86400 * US_PER_S)

START_TEST(checklist__what_is_wrong_whatever_the_item) {
    static const struct {
        const char *wrong;
        struct item_said said;
    } cases[] = {
        {"", {.state = "passed"}},
        {"", {.state = "failed", .note = "n", .person = "p"}},
        {"", {.state = "open"}},
        {"/reason", {.state = "open", .reason = "r"}},
        {"/reason /role /expires_s",
         {.state = "failed", .reason = "r", .role = "admin", .expires_s = 1, .expires_us = 1}},
        {"/expires_at", {.state = "open", .expires_us = NOW + 1}},
        {"", {.state = "passed", .expires_s = 1}},
        {"/expires_s", {.state = "passed", .expires_s = 1, .expires_us = NOW + 1}},
        {"/expires_at", {.state = "passed", .expires_us = NOW}},
        {"/reason /expires_s", {.state = "waived"}},
        {"", {.state = "waived", .reason = "r", .expires_s = 60}},
        {"", {.state = "waived", .reason = "r", .expires_us = NOW + 1}},
        {"", {.state = "waived", .reason = "r", .expires_us = NOW + 90 * DAY}},
        {"/expires_at", {.state = "waived", .reason = "r", .expires_us = NOW + 90 * DAY + 1}},
        {"/expires_at", {.state = "waived", .reason = "r", .expires_us = NOW}},
        {"/expires_at", {.state = "waived", .reason = "r", .expires_us = -NOW}},
        {"/expires_s", {.state = "waived", .reason = "r", .expires_s = 60, .expires_us = NOW + 1}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *errors = json_array();
        _cleanup_free_ char *wrong = NULL;

        checklist_said_check(&cases[i].said, NOW, errors);
        wrong = fields_of(errors);
        ck_assert_msg(strcmp(wrong, cases[i].wrong) == 0, "%zu: %s", i, wrong);
    }
}
END_TEST

START_TEST(checklist__links_are_for_people) {
    static const struct {
        const char *url;
        bool valid;
    } cases[] = {
        {"https://ci.example.com/run/7#step:3", true},
        {"http://ci", true},
        {"javascript:alert(1)", false},
        {"https://", false},
        {"https://a:b@ci/", false},
        {"https://ci/a b", false},
        {"ftp://ci/", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *errors = json_array(), *evidence = json_pack("{s:s}", "url", cases[i].url);
        const struct item_said said = {.state = "passed", .evidence = evidence};

        checklist_said_check(&said, NOW, errors);
        ck_assert_msg((json_array_size(errors) == 0) == cases[i].valid, "%s", cases[i].url);
    }
}
END_TEST

START_TEST(checklist__what_is_wrong_for_an_item) {
    static const struct {
        const char *item;
        bool before;
        struct item_said said;
        const char *wrong;
    } cases[] = {
        {"{\"kind\":\"manual\"}", true, {.state = "passed"}, ""},
        {"{\"kind\":\"probe\"}", true, {.state = "passed"}, ""},
        {"{\"kind\":\"probe\",\"probed\":true}", true, {.state = "passed"}, "/state"},
        {"{\"kind\":\"probe\",\"probed\":true}", true, {.state = "failed"}, ""},
        {"{\"kind\":\"evidence\"}", true, {.state = "passed"}, "/state"},
        {"{\"kind\":\"evidence\"}", true, {.state = "failed"}, ""},
        {"{\"kind\":\"evidence\"}", true, {.state = "open"}, ""},
        {"{\"kind\":\"evidence\"}", true, {.state = "waived"}, ""},
        {"{\"kind\":\"evidence\"}", false, {.state = "passed"}, ""},
        {"{\"kind\":\"manual\",\"params\":{\"note\":true}}", true, {.state = "passed"}, "/note"},
        {"{\"kind\":\"manual\",\"params\":{\"note\":true}}",
         true,
         {.state = "passed", .note = "n"},
         ""},
        {"{\"kind\":\"manual\",\"params\":{\"note\":true,\"person\":true}}",
         false,
         {.state = "passed"},
         "/note /person"},
        {"{\"kind\":\"manual\",\"params\":{\"person\":true}}",
         true,
         {.state = "passed", .person = "ann"},
         ""},
        {"{\"kind\":\"manual\",\"params\":{\"note\":true,\"person\":true}}",
         true,
         {.state = "open"},
         ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *errors = json_array(), *item = json_parse(cases[i].item);
        _cleanup_free_ char *wrong = NULL;

        checklist_item_check(&cases[i].said, item, cases[i].before, errors);
        wrong = fields_of(errors);
        ck_assert_msg(strcmp(wrong, cases[i].wrong) == 0, "%zu: %s", i, wrong);
    }
}
END_TEST

START_TEST(checklist__what_is_said_expires_as_it_says_and_a_tick_as_its_item_says) {
    json_auto_t *forever = json_object(), *day = json_pack("{s:i}", "expires_s", 86400);
    const struct item_said passed = {.state = "passed"}, failed = {.state = "failed"};
    const struct item_said shorter = {.state = "passed", .expires_s = 60};
    const struct item_said longer = {.state = "passed", .expires_us = NOW + 2 * DAY};
    const struct item_said waived = {.state = "waived", .expires_s = 60};
    const struct item_said until = {.state = "waived", .expires_us = NOW + 7};

    ck_assert_int_eq(checklist_expiry(&passed, forever, NOW), 0);
    ck_assert_int_eq(checklist_expiry(&passed, day, NOW), NOW + DAY);
    ck_assert_int_eq(checklist_expiry(&shorter, day, NOW), NOW + 60 * US_PER_S);
    ck_assert_int_eq(checklist_expiry(&longer, day, NOW), NOW + DAY);
    ck_assert_int_eq(checklist_expiry(&longer, forever, NOW), NOW + 2 * DAY);
    ck_assert_int_eq(checklist_expiry(&failed, day, NOW), 0);
    ck_assert_int_eq(checklist_expiry(&waived, day, NOW), NOW + 60 * US_PER_S);
    ck_assert_int_eq(checklist_expiry(&until, day, NOW), NOW + 7);
}
END_TEST

static const char items_text[] =
    "[{\"key\":\"tests\",\"title\":\"T\",\"kind\":\"evidence\",\"required\":true,\"group\":\"q\","
    "\"group_title\":\"Quality\",\"params\":{\"min\":1},\"fact\":{\"state\":\"passed\","
    "\"observed_us\":900000000,\"expires_us\":null,\"evidence\":true,\"source\":\"ci\",\"url\":"
    "null,"
    "\"by\":{\"kind\":\"ci\",\"subject\":\"c\",\"issuer\":\"i\"}},\"waiver\":null},"
    "{\"key\":\"plan\",\"title\":\"P\",\"kind\":\"manual\",\"required\":true,\"group\":\"q\","
    "\"group_title\":\"Quality\",\"fact\":null,\"waiver\":{\"at_us\":500000000,\"expires_us\":"
    "1100000000,\"reason\":\"r\",\"role\":\"operator\",\"by\":{\"subject\":\"o\"}}},"
    "{\"key\":\"extra\",\"title\":\"E\",\"kind\":\"manual\",\"required\":false,\"group\":\"z\","
    "\"group_title\":\"Rest\",\"fact\":null,\"waiver\":null}]";

START_TEST(checklist__items_are_answered_with_what_is_there) {
    json_auto_t *items = json_parse(items_text), *groups = checklist_groups_json(items, 200, NOW),
                *tests = NULL, *plan = NULL;
    json_auto_t *wanted_tests = json_parse(
        "{\"key\":\"tests\",\"title\":\"T\",\"kind\":\"evidence\",\"required\":true,\"state\":"
        "\"passed\",\"at\":\"1970-01-01T00:15:00.000Z\",\"by\":{\"kind\":\"ci\",\"subject\":\"c\","
        "\"issuer\":\"i\"},\"source\":\"ci\",\"expires_at\":\"1970-01-01T00:18:20.000Z\"}");
    json_auto_t *wanted_plan = json_parse(
        "{\"key\":\"plan\",\"title\":\"P\",\"kind\":\"manual\",\"required\":true,\"state\":"
        "\"waived\",\"expires_at\":\"1970-01-01T00:18:20.000Z\",\"waiver\":{\"reason\":\"r\","
        "\"role\":\"operator\",\"by\":{\"subject\":\"o\"},\"at\":\"1970-01-01T00:08:20.000Z\","
        "\"expires_at\":\"1970-01-01T00:18:20.000Z\"}}");

    tests = checklist_item_json(checklist_item(items, "tests"), 200, NOW);
    plan = checklist_item_json(checklist_item(items, "plan"), 200, NOW);
    ck_assert(json_equal(tests, wanted_tests));
    ck_assert(json_equal(plan, wanted_plan));
    ck_assert_uint_eq(json_array_size(groups), 2);
    ck_assert_str_eq(json_str(json_array_get(groups, 1), "title", ""), "Rest");
    ck_assert(json_equal(json_pointer(groups, "/0/items/0"), wanted_tests));
    ck_assert(json_equal(json_pointer(groups, "/0/items/1"), wanted_plan));
    ck_assert_ptr_null(checklist_item(items, "none"));
}
END_TEST

START_TEST(checklist__is_complete_while_every_required_item_holds) {
    json_auto_t *items = json_parse(items_text);
    json_auto_t *failed = json_with(items_text, "/0/fact/state", "\"failed\"");
    json_auto_t *none = json_array();

    ck_assert(checklist_complete(items, 0, NOW));
    ck_assert(checklist_complete(items, 200, NOW));
    ck_assert(!checklist_complete(items, 100, NOW));           /* the evidence is too old */
    ck_assert(!checklist_complete(items, 0, 1100 * US_PER_S)); /* the waiver is over */
    ck_assert(!checklist_complete(failed, 0, NOW));
    ck_assert(checklist_complete(none, 0, NOW));
}
END_TEST

int main(void) {
    return RUN_SUITE("checklist", 10, checklist__what_is_wrong_whatever_the_item,
                     checklist__links_are_for_people, checklist__what_is_wrong_for_an_item,
                     checklist__what_is_said_expires_as_it_says_and_a_tick_as_its_item_says,
                     checklist__items_are_answered_with_what_is_there,
                     checklist__is_complete_while_every_required_item_holds);
}
