/* W3C Trace Context: what is a traceparent, and what is handed on. */
#include "base/trace.h"
#include "tests/support/suite.h"
#include <string.h>

#define ID   "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"

START_TEST(trace__parses_strictly) {
    static const struct {
        const char *text;
        bool good, sampled;
    } cases[] = {
        {"00-" ID "-" SPAN "-01", true, true},
        {"00-" ID "-" SPAN "-00", true, false},
        {"00-" ID "-" SPAN "-03", true, true},
        {"00-" ID "-" SPAN "-fe", true, false},
        {"01-" ID "-" SPAN "-01", true, true},
        {"cc-" ID "-" SPAN "-01-what-comes-later", true, true},
        {"", false, false},
        {"00-" ID "-" SPAN, false, false},
        {"00-" ID "-" SPAN "-", false, false},
        {"00-" ID "-" SPAN "-1", false, false},
        {"00-" ID "-" SPAN "-01-more", false, false},
        {"00-" ID "-" SPAN "-01 ", false, false},
        {"00-" ID "-" SPAN "-011", false, false},
        {"cc-" ID "-" SPAN "-01.more", false, false},
        {"ff-" ID "-" SPAN "-01", false, false},
        {"0-" ID "-" SPAN "-01", false, false},
        {"00_" ID "-" SPAN "-01", false, false},
        {"00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01", false, false},
        {"00-" ID "-B7AD6B7169203331-01", false, false},
        {"00-" ID "-" SPAN "-0A", false, false},
        {"0A-" ID "-" SPAN "-01", false, false},
        {"00-00000000000000000000000000000000-" SPAN "-01", false, false},
        {"00-" ID "-0000000000000000-01", false, false},
        {"00-0af7651916cd43dd8448eb211c80319-" SPAN "-011", false, false},
        {" 00-" ID "-" SPAN "-01", false, false},
        {"00-" ID "-" SPAN "-01, 00-" ID "-" SPAN "-01", false, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trace t = {0};

        ck_assert_msg(trace_parse(cases[i].text, &t) == cases[i].good, "%s", cases[i].text);
        ck_assert_str_eq(t.id, cases[i].good ? ID : "");
        ck_assert_msg(t.sampled == cases[i].sampled, "%s", cases[i].text);
    }
}
END_TEST

START_TEST(trace__is_kept_and_handed_on) {
    char text[TRACE_HEADER_TEXT], again[TRACE_HEADER_TEXT], kept[TRACE_KEPT_TEXT];
    struct trace t, back;

    ck_assert_ptr_null(trace_header(text));
    ck_assert_ptr_null(trace_current_id());
    trace_of_uuid("01a22b20-bf2c-7a02-be29-20922928282c", &t);
    ck_assert_str_eq(t.id, "01a22b20bf2c7a02be2920922928282c");
    t.sampled = true;
    trace_from_kept(trace_kept(&t, kept), &back);
    ck_assert_str_eq(back.id, t.id);
    ck_assert(back.sampled);
    trace_enter(&back);
    ck_assert_str_eq(trace_current_id(), t.id);
    ck_assert(trace_header(text) && trace_header(again));
    ck_assert_str_ne(text, again); /* a span each */
    ck_assert(trace_parse(strchr(text, ' ') + 1, &back));
    ck_assert_str_eq(back.id, t.id);
    trace_enter(NULL);
    ck_assert_ptr_null(trace_header(text));
    trace_from_kept(NULL, &back);
    ck_assert_ptr_null(trace_kept(&back, kept));
    trace_from_kept("no trace", &back);
    ck_assert_str_eq(back.id, "");
}
END_TEST

int main(void) {
    return RUN_SUITE("trace", 10, trace__parses_strictly, trace__is_kept_and_handed_on);
}
