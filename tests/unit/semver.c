/* Semantic versions: what is one, and which comes first. */
#include "base/semver.h"
#include "tests/support/suite.h"
#include <string.h>

/* From the regular expression's examples at semver.org. */
static const char *const valid[] = {
    "0.0.4",
    "1.2.3",
    "v1.2.3",
    "10.20.30",
    "1.1.2-prerelease+meta",
    "1.1.2+meta",
    "1.1.2+meta-valid",
    "1.0.0-alpha",
    "1.0.0-beta",
    "1.0.0-alpha.beta.1",
    "1.0.0-alpha0.valid",
    "1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay",
    "1.0.0-rc.1+build.123",
    "2.0.0+build.1848",
    "2.0.1-alpha.1227",
    "1.0.0-alpha+beta",
    "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
    "1.2.3----R-S.12.9.1--.12+meta",
    "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
    "99999999999999999999999.999999999999999999.99999999999999999",
    "1.0.0-0A.is.legal",
};
static const char *const invalid[] = {
    "",
    "v",
    "1",
    "1.2",
    "1.2.3-0123",
    "1.2.3-0123.0123",
    "1.1.2+.123",
    "+invalid",
    "-invalid",
    "-invalid+invalid",
    "alpha",
    "alpha.beta.1",
    "1.0.0-alpha_beta",
    "1.0.0-alpha..",
    "1.0.0-alpha..1",
    "01.1.1",
    "1.01.1",
    "1.1.01",
    "1.2.3.DEV",
    "1.2-SNAPSHOT",
    "1.2.31.2.3----RC-SNAPSHOT.12.09.1--..12+788",
    "-1.0.3-gamma+b7718",
    "+justmeta",
    "9.8.7+meta+meta",
    "9.8.7-whatever+meta+meta",
    "1.2.3-",
    "1.2.3+",
    "vv1.2.3",
    "V1.2.3",
    " 1.2.3",
    "1.2.3 ",
    "1.2.3-\xc3\xa4",
    "1..3",
    ".1.2",
};

START_TEST(semver__reads_what_the_standard_calls_valid) {
    struct semver v;

    ck_assert_msg(semver_parse(valid[_i], &v), "%s", valid[_i]);
    ck_assert_str_eq(v.key, valid[_i][0] == 'v' ? valid[_i] + 1 : valid[_i]);
    ck_assert_uint_le(v.precedence_len, sizeof v.precedence);
}
END_TEST

START_TEST(semver__refuses_what_it_does_not) {
    struct semver v;

    ck_assert_msg(!semver_parse(invalid[_i], &v), "%s", invalid[_i]);
}
END_TEST

/* In the order of precedence (semver.org §11, and some more). */
static const char *const ordered[] = {
    "0.0.0-0",
    "0.0.0",
    "0.0.1",
    "0.1.0",
    "0.9.0",
    "0.10.0",
    "1.0.0-0",
    "1.0.0-1",
    "1.0.0-2",
    "1.0.0-10",
    "1.0.0-10.a",
    "1.0.0-99999999999999999999",
    "1.0.0--",
    "1.0.0-A",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.1.0",
    "1.0.0-alpha.1a",
    "1.0.0-alpha.beta",
    "1.0.0-alpha-",
    "1.0.0-alpha0",
    "1.0.0-alphaa",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.9",
    "1.0.10",
    "1.9.0",
    "1.10.0",
    "2.0.0",
    "2.1.0",
    "2.1.1",
    "9.0.0",
    "10.0.0-a",
    "10.0.0",
    "99999999999999999999.0.0",
    "100000000000000000000.0.0",
};

START_TEST(semver__precedence_bytes_sort_as_the_standard_says) {
    enum { N = sizeof ordered / sizeof *ordered };

    for (int a = 0; a < N; a++) {
        for (int b = 0; b < N; b++) {
            struct semver one, two;
            int order;

            ck_assert(semver_parse(ordered[a], &one) && semver_parse(ordered[b], &two));
            order = semver_compare(&one, &two);
            ck_assert_msg((order > 0) - (order < 0) == (a > b) - (a < b), "%s, %s: %d", ordered[a],
                          ordered[b], order);
        }
    }
}
END_TEST

START_TEST(semver__build_metadata_is_identity_but_no_precedence) {
    struct semver a, b;

    ck_assert(semver_parse("1.2.3+one", &a) && semver_parse("v1.2.3+two", &b));
    ck_assert_int_eq(semver_compare(&a, &b), 0);
    ck_assert_str_ne(a.key, b.key);
}
END_TEST

START_TEST(semver__length_is_bounded) {
    char text[200];
    struct semver v;

    memset(text, '0', sizeof text);
    memcpy(text, "1.2.3-", 6);
    for (size_t i = 7; i < 128; i += 2)
        text[i] = '.';
    text[128] = '\0';
    text[127] = 'a';
    ck_assert(semver_parse(text, &v)); /* as many identifiers as fit */
    ck_assert_uint_le(v.precedence_len, sizeof v.precedence);
    text[128] = 'a';
    text[129] = '\0';
    ck_assert(!semver_parse(text, &v));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("semver");
    TCase *all = tcase_create("semver");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(all, semver__reads_what_the_standard_calls_valid, 0,
                        (int)(sizeof valid / sizeof *valid));
    tcase_add_loop_test(all, semver__refuses_what_it_does_not, 0,
                        (int)(sizeof invalid / sizeof *invalid));
    tcase_add_test(all, semver__precedence_bytes_sort_as_the_standard_says);
    tcase_add_test(all, semver__build_metadata_is_identity_but_no_precedence);
    tcase_add_test(all, semver__length_is_bounded);
    suite_add_tcase(suite, all);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
