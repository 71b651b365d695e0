/* tests/unit/rollback_plan.c: where a rollback goes, and when traffic may return (law 2).
 */
#include "rollout/rollback.h"
#include "tests/support/deployed.h"
#include "tests/support/suite.h"
#include <string.h>

/* ---- the plan ---- */

static void expect(const json_t *plan, const char *pointer, const char *text) {
    ck_assert_msg(strcmp(json_str(json_pointer(plan, pointer), "version", ""), text) == 0,
                  "%s is not %s", pointer, text);
}

START_TEST(rollback_plan__returns_to_what_served_before) {
    json_auto_t *last = deployed(), *plan = plan_of(last, last, COLOR_GREEN, false);
    const json_t *target = json_object_get(plan, "target");

    expect(plan, "/target", "v1.2.2");
    expect(plan, "/from", "v1.2.3");
    ck_assert_str_eq(json_str(target, "color", ""), "blue");
    ck_assert_str_eq(json_str(target, "image", ""), IMAGE "v1.2.2");
    ck_assert_str_eq(json_str(target, "template_hash", ""), "h122");
    ck_assert_int_eq(json_int(target, "replicas", 0), 3);
    ck_assert(json_is_object(json_object_get(target, "template")));
    ck_assert_str_eq(json_str(json_object_get(plan, "from"), "color", ""), "green");
    ck_assert(json_is_null(json_object_get(plan, "took_over")));
}
END_TEST

START_TEST(rollback_plan__takes_back_what_a_preempted_deployment_wrote) {
    json_auto_t *last = deployed(), *taken = plan_of(last, last, COLOR_GREEN, true), *plan = NULL;

    ck_assert_int_eq(json_int(json_object_get(taken, "took_over"), "replicas", 0), 2);
    /* what it wrote to is the color that is returned to: that is brought back, not taken back */
    plan = plan_of(last, last, COLOR_BLUE, true);
    ck_assert(json_is_null(json_object_get(plan, "took_over")));
    json_object_del(last, "resolved"); /* it had not looked yet, so that it wrote nothing */
    json_decref(plan);
    plan = plan_of(last, last, COLOR_GREEN, true);
    ck_assert(json_is_null(json_object_get(plan, "took_over")));
}
END_TEST

START_TEST(rollback_plan__of_a_rollback_takes_back_what_that_one_had_taken_over) {
    json_auto_t *first = deployed(), *second = plan_of(first, first, COLOR_GREEN, true),
                *third = plan_of(first, second, COLOR_GREEN, true),
                *later = plan_of(first, second, COLOR_GREEN, false),
                *elsewhere = plan_of(first, second, COLOR_BLUE, true);

    ck_assert(json_is_object(json_object_get(second, "took_over")));
    ck_assert(
        json_equal(json_object_get(third, "took_over"), json_object_get(second, "took_over")));
    ck_assert(json_is_null(json_object_get(later, "took_over"))); /* the second did it itself */
    ck_assert(json_is_null(json_object_get(elsewhere, "took_over")));
}
END_TEST

START_TEST(rollback_plan__relabels_a_template_for_the_other_color) {
    json_auto_t *last = deployed(), *plan = plan_of(last, last, COLOR_BLUE, false);
    const json_t *target = json_object_get(plan, "target");

    ck_assert_str_eq(json_str(target, "color", ""), "green");
    ck_assert_str_eq(
        json_str(json_at(target, "template", "metadata", "labels", NULL), "environment", ""),
        "green");
    ck_assert_str_eq(json_str(target, "template_hash", "?"), ""); /* it never ran as that */
    ck_assert_str_eq(/* the record itself is untouched */
                     json_str(json_pointer(last, "/resolved/from/template/metadata/labels"),
                              "environment", ""),
                     "blue");
}
END_TEST

START_TEST(rollback_plan__names_what_is_left_also_of_an_earlier_basis) {
    json_auto_t *basis = deployed(), *last = deployed(), *plan = NULL;

    json_object_set_new(
        basis, "from",
        json_pack("{s:s,s:s,s:s}", "color", "green", "version", "v1.2.0", "image", IMAGE "v1.2.0"));
    plan = plan_of(basis, last, COLOR_BLUE, false);
    expect(plan, "/target", "v1.2.0");
    expect(plan, "/from", "v1.2.2"); /* what the last one says of blue */
}
END_TEST

START_TEST(rollback_plan__says_when_there_is_nothing_to_return_to) {
    static const struct {
        const char *without, *says;
        Color leaves;
    } cases[] = {
        {"from", "Nothing served before", COLOR_GREEN},
        {"resolved", "What v1.2.2 ran as is not on record", COLOR_BLUE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *last = deployed();
        const struct rollback_request in = {.basis = last, .last = last, .leaves = cases[i].leaves};
        struct arena arena = {0};
        const char *why = "";

        json_object_set_new(last, cases[i].without, json_null());
        ck_assert_ptr_null(rollback_plan(&in, &arena, &why));
        ck_assert_msg(strstr(why, cases[i].says) != NULL, "%s", why);
        arena_done(&arena);
    }
}
END_TEST

START_TEST(law2__traffic_may_return_when_old_is_enough_or_not_worse) {
    static const struct {
        int old, new_, floor;
        bool may;
    } cases[] = {
        {3, 3, 3, true},  {3, 9, 3, true}, {4, 3, 3, true},  {2, 3, 3, false}, {2, 2, 3, true},
        {2, 1, 3, true},  {0, 0, 3, true}, {0, 0, 1, true},  {0, 1, 1, false}, {1, 1, 1, true},
        {1, 2, 3, false}, {1, 3, 1, true}, {0, 1, 3, false}, {5, 6, 7, false}, {6, 6, 7, true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(rollback_may_switch(cases[i].old, cases[i].new_, cases[i].floor) ==
                          cases[i].may,
                      "%d:%d floor %d", cases[i].old, cases[i].new_, cases[i].floor);
}
END_TEST

int main(void) {
    return RUN_SUITE("rollback_plan", 10, rollback_plan__returns_to_what_served_before,
                     rollback_plan__takes_back_what_a_preempted_deployment_wrote,
                     rollback_plan__of_a_rollback_takes_back_what_that_one_had_taken_over,
                     rollback_plan__relabels_a_template_for_the_other_color,
                     rollback_plan__names_what_is_left_also_of_an_earlier_basis,
                     rollback_plan__says_when_there_is_nothing_to_return_to,
                     law2__traffic_may_return_when_old_is_enough_or_not_worse);
}
