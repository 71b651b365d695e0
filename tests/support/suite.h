/* tests/support/suite.h: the main() of a check suite, once.
 *
 *     int main(void) { return RUN_SUITE("base", 10, clock__formats_and_reads_back, …); }
 *
 * Prints TAP ("ok 1 - …") on stdout, which scripts/test counts.  With SLUICE_TEST in the
 * environment only the tests whose name contains it run. */
#pragma once
#include <check.h>
#include <stdlib.h>
#include <string.h>

#define RUN_SUITE(name, timeout_s, ...) RUN_SUITE_WITH(name, timeout_s, NULL, NULL, __VA_ARGS__)
/* setup and teardown (void functions, or NULL) run around each test, in its process. */
#define RUN_SUITE_WITH(name, timeout_s, setup, teardown, ...)                                      \
    suite_run(name, timeout_s, setup, teardown, (const TTest *[]){__VA_ARGS__},                    \
              sizeof((const TTest *[]){__VA_ARGS__}) / sizeof(const TTest *))

static inline int suite_run(const char *name, double timeout_s, void (*before)(void),
                            void (*after)(void), const TTest *const *tests, size_t n) {
    const char *only = getenv("SLUICE_TEST");
    Suite *suite = suite_create(name);
    TCase *all = tcase_create(name);
    SRunner *runner;
    int failed;

    tcase_set_timeout(all, timeout_s);
    if (before || after)
        tcase_add_checked_fixture(all, before, after);
    for (size_t i = 0; i < n; i++)
        if (!only || strstr(tests[i]->name, only))
            tcase_add_test(all, tests[i]);
    suite_add_tcase(suite, all);
    runner = srunner_create(suite);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_SILENT);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
