/* tests/unit/base.c: the base layer, as tables. */
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "tests/support/suite.h"
#include <check.h>
#include <string.h>

START_TEST(strbuf__past_its_maximum_is_marked_and_stores_nothing) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(4);

    strbuf_adds(&b, "abc");
    strbuf_adds(&b, "de");
    ck_assert(b.overflowed);
    ck_assert_str_eq(b.data, "abc");
}
END_TEST

START_TEST(clock__formats_and_reads_back) {
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"1970-01-01T00:00:00.000Z", 0},
        {"2026-11-24T21:53:28.123Z", INT64_C(1795557208123000)},
        {"2026-11-24T22:53:28.123+01:00", INT64_C(1795557208123000)},
        {"2026-02-30T00:00:00Z", -1},
        {"2026-11-24 21:53:28Z", -1},
        {"2026-11-24T21:53:28", -1},
        {"2026-11-24T24:00:00Z", -1},
        {"9999-12-31T23:59:59-01:00", -1},
        {"0001-01-01T00:00:00+01:00", -1},
    };
    int64_t us;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        us = -1;
        ck_assert_msg(clock_parse(cases[i].text, &us) == (cases[i].us >= 0), "%s", cases[i].text);
        if (cases[i].us >= 0)
            ck_assert_int_eq(us, cases[i].us);
    }
    ck_assert_str_eq(clock_format(INT64_C(1795557208123456), (char[TIME_TEXT]){0}),
                     "2026-11-24T21:53:28.123Z");
    ck_assert(clock_parse("0969-01-02T03:04:05Z", &us));
    ck_assert_str_eq(clock_format(us, (char[TIME_TEXT]){0}), "0969-01-02T03:04:05.000Z");
}
END_TEST

START_TEST(ids__uuids_are_valid_and_ordered_by_time) {
    char a[UUID_TEXT], b[UUID_TEXT];

    ck_assert(uuid_valid(uuid_v7(a)));
    ck_assert_int_eq(a[14], '7');
    ck_assert(uuid_valid(uuid_v7(b)));
    ck_assert_int_le(strncmp(a, b, 13), 0);
    ck_assert(!uuid_valid("not-a-uuid"));
    ck_assert(!uuid_valid("0190A000-0000-7000-8000-000000000000"));
}
END_TEST

START_TEST(ids__names) {
    ck_assert(name_valid("inopnc"));
    ck_assert(name_valid("a"));
    ck_assert(!name_valid(""));
    ck_assert(!name_valid("-a"));
    ck_assert(!name_valid("a-"));
    ck_assert(!name_valid("A"));
    ck_assert(!name_valid("a234567890123456789012345678901234567890123456789012345678901234"));
}
END_TEST

START_TEST(ids__base64url_is_strict) {
    unsigned char out[64];
    _cleanup_free_ char *text = base64url_encode("hello!", 6);

    ck_assert_str_eq(text, "aGVsbG8h");
    ck_assert_int_eq(base64url_decode("aGVsbG8h", 8, out), 6);
    ck_assert_int_eq(base64url_decode("aGVsbG8=", 8, out), -1);
    ck_assert_int_eq(base64url_decode("aGVsb!8h", 8, out), -1);
    ck_assert_int_eq(base64url_decode("QQ", 2, out), 1);
    ck_assert_int_eq(base64url_decode("QR", 2, out), -1); /* the same byte, spelt another way */
    ck_assert_int_eq(base64url_decode("A", 1, out), -1);
}
END_TEST

START_TEST(json__pointer) {
    json_auto_t *v = json_parse("{\"a\":{\"b/c\":[1,{\"d\":true}]},\"\":2}");

    ck_assert(json_is_true(json_pointer(v, "/a/b~1c/1/d")));
    ck_assert_int_eq(json_integer_value(json_pointer(v, "/")), 2);
    ck_assert_ptr_eq(json_pointer(v, ""), v);
    ck_assert_ptr_null(json_pointer(v, "/a/b~1c/01"));
    ck_assert_ptr_null(json_pointer(v, "a"));
}
END_TEST

START_TEST(arena__gives_zeroed_memory_of_any_size) {
    _cleanup_(arena_done) struct arena a = {0};
    char *big = arena_alloc(&a, 100000);

    ck_assert_int_eq(big[99999], 0);
    ck_assert_str_eq(arena_printf(&a, "%s-%d", "x", 7), "x-7");
}
END_TEST

int main(void) {
    return RUN_SUITE("base", 10, strbuf__past_its_maximum_is_marked_and_stores_nothing,
                     clock__formats_and_reads_back, ids__uuids_are_valid_and_ordered_by_time,
                     ids__names, ids__base64url_is_strict, json__pointer,
                     arena__gives_zeroed_memory_of_any_size);
}
