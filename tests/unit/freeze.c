/* When a freeze may be: one window, or one each week that never fills it. */
#include "domain/freeze.h"
#include "base/clock.h"
#include "tests/support/fields.h"
#include "tests/support/suite.h"
#include <string.h>

static const char *const NOW = "2026-06-01T12:00:00Z";

/* The fields that are named, "a b"; "" where nothing is wrong; yours. */
static char *named(const char *body) {
    json_auto_t *parsed = json_parse(body), *errors = json_array();
    int64_t now_us = 0;

    ck_assert_msg(parsed && clock_parse(NOW, &now_us), "%s", body);
    freeze_check(parsed, now_us, errors);
    return fields_of(errors);
}

#define WEEKLY(days, start, duration)                                                              \
    "{\"weekly\":{\"days\":[" days "],\"start\":\"" start "\",\"duration_s\":" duration "}}"
#define ONCE(from, to) "{\"starts_at\":\"" from "\",\"ends_at\":\"" to "\"}"
#define ALL            "\"monday\",\"tuesday\",\"wednesday\",\"thursday\",\"friday\",\"saturday\",\"sunday\""

START_TEST(freeze__what_is_wrong_is_named) {
    static const struct {
        const char *body, *named;
    } cases[] = {
        {ONCE("2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z"), ""},
        {ONCE("2026-06-01T00:00:00Z", "2026-06-01T12:00:00.001Z"), ""},
        {ONCE("2026-06-01T00:00:00Z", "2026-06-01T12:00:00Z"), "/ends_at"},
        {ONCE("2027-06-01T00:00:00Z", "2027-06-01T00:00:00Z"), "/ends_at"},
        {ONCE("2027-06-01T00:00:00Z", "2026-07-01T00:00:00Z"), "/ends_at"},
        {ONCE("2027-01-01T00:00:00Z", "2028-01-02T00:00:00Z"), ""},
        {ONCE("2027-01-01T00:00:00Z", "2028-01-02T00:00:00.001Z"), "/ends_at"},
        {ONCE("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"), "/ends_at"},
        {"{}", "/starts_at /ends_at"},
        {"{\"starts_at\":null,\"weekly\":null}", "/starts_at /ends_at"},
        {"{\"starts_at\":\"2027-01-01T00:00:00Z\"}", "/ends_at"},
        {"{\"environment\":\"e\",\"starts_at\":\"2027-01-01T00:00:00Z\",\"ends_at\":\"2027-01-"
         "02T00:"
         "00:00Z\"}",
         "/app"},
        {"{\"ends_at\":\"2027-01-01T00:00:00Z\",\"weekly\":{\"days\":[\"monday\"],\"start\":\"00:"
         "00\",\"duration_s\":60}}",
         "/ends_at"},
        {WEEKLY("\"monday\"", "00:00", "60"), ""},
        {WEEKLY("\"sunday\"", "23:59", "604799"), ""},
        {WEEKLY("\"sunday\",\"Monday\"", "23:59", "60"), "/weekly/days/1"},
        {WEEKLY("\"sunday\",\"monday\",\"sunday\"", "23:59", "60"), "/weekly/days/2"},
        {WEEKLY("\"monday\"", "24:00", "60"), "/weekly/start"},
        {WEEKLY("\"monday\"", "29:00", "60"), "/weekly/start"},
        {WEEKLY("\"monday\"", "12:60", "60"), "/weekly/start"},
        {WEEKLY("\"monday\"", "1200", "60"), "/weekly/start"},
        {WEEKLY("\"monday\"", "12:000", "60"), "/weekly/start"},
        {WEEKLY("\"monday\"", "", "60"), "/weekly/start"},
        {WEEKLY(ALL, "12:00", "86399"), ""},
        {WEEKLY(ALL, "12:00", "86400"), "/weekly"},
        {WEEKLY("\"thursday\",\"monday\"", "12:00", "345599"), ""},
        {WEEKLY("\"thursday\",\"monday\"", "12:00", "345600"), "/weekly"},
        {WEEKLY("\"saturday\",\"sunday\"", "12:00", "518399"), ""},
        {WEEKLY("\"saturday\",\"sunday\"", "12:00", "518400"), "/weekly"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *text = named(cases[i].body);

        ck_assert_msg(strcmp(text, cases[i].named) == 0, "%s: %s", cases[i].body, text);
    }
}
END_TEST

START_TEST(freeze__an_end_is_past_before_it_is_anything_else) {
    static const struct {
        const char *body, *said;
    } cases[] = {
        {ONCE("2026-06-01T12:00:00Z", "2026-06-01T11:00:00Z"), "It lies in the past."},
        {ONCE("2020-01-01T00:00:00Z", "2026-06-01T12:00:00Z"), "It lies in the past."},
        {ONCE("2027-06-01T00:00:00Z", "2027-05-01T00:00:00Z"), "It is not after starts_at."},
        {WEEKLY("\"monday\"", "9:00", "60"), "A local time, HH:MM."},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *body = json_parse(cases[i].body), *errors = json_array();
        _cleanup_free_ char *said = NULL;
        int64_t now_us = 0;

        ck_assert(clock_parse(NOW, &now_us));
        freeze_check(body, now_us, errors);
        said = errors_text(errors, "detail");
        ck_assert_str_eq(said, cases[i].said);
    }
}
END_TEST

int main(void) {
    return RUN_SUITE("freeze", 10, freeze__what_is_wrong_is_named,
                     freeze__an_end_is_past_before_it_is_anything_else);
}
