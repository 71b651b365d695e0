/* Unleash's documents and ours: what an export of Unleash becomes, what its clients are told, and
 * that nothing is lost without being named. */
#include "base/cleanup.h"
#include "flags/model.h"
#include "flags/unleash.h"
#include "tests/support/fields.h"
#include "tests/support/flags.h"
#include "tests/support/suite.h"
#include <string.h>

/* As `POST /api/admin/features-batch/export` answers it. */
static const char *const EXPORT =
    "{\"features\":[{\"name\":\"checkout\",\"type\":\"experiment\",\"description\":null,"
    "\"project\":\"default\",\"stale\":false,\"impressionData\":true,\"archived\":false},"
    "{\"name\":\"parent\",\"type\":\"release\"}],"
    "\"featureStrategies\":[{\"id\":\"1\",\"featureName\":\"checkout\",\"projectId\":\"default\","
    "\"environment\":\"production\",\"strategyName\":\"flexibleRollout\",\"sortOrder\":0,"
    "\"title\":\"half\",\"disabled\":false,"
    "\"parameters\":{\"rollout\":50,\"stickiness\":\"userId\",\"groupId\":\"g\"},"
    "\"constraints\":[{\"contextName\":\"plan\",\"operator\":\"IN\",\"values\":[\"pro\"],"
    "\"value\":\"\",\"inverted\":false,\"caseInsensitive\":true},"
    "{\"contextName\":\"age\",\"operator\":\"NUM_GT\",\"values\":[],\"value\":\"17\"}],"
    "\"segments\":[7],\"variants\":[{\"name\":\"a\",\"weight\":1000,\"weightType\":\"variable\","
    "\"stickiness\":\"userId\"}]}],"
    "\"featureEnvironments\":[{\"featureName\":\"checkout\",\"environment\":\"production\","
    "\"enabled\":true,\"variants\":[]},{\"featureName\":\"parent\",\"enabled\":true}],"
    "\"dependencies\":[{\"feature\":\"checkout\",\"dependencies\":[{\"feature\":\"parent\","
    "\"enabled\":true,\"variants\":[]}]}],"
    "\"segments\":[{\"id\":7,\"name\":\"beta\",\"constraints\":[{\"contextName\":\"userId\","
    "\"operator\":\"STR_STARTS_WITH\",\"values\":[\"b\"],\"caseInsensitive\":true}]}],"
    "\"contextFields\":[],\"featureTags\":[],\"tagTypes\":[]}";

static const char *const NATIVE =
    "{\"flags\":[{\"name\":\"checkout\",\"type\":\"experiment\",\"stale\":false,"
    "\"impression_data\":true,\"enabled\":true,\"variants\":[],"
    "\"dependencies\":[{\"flag\":\"parent\",\"enabled\":true,\"variants\":[]}],"
    "\"strategies\":[{\"name\":\"flexibleRollout\",\"title\":\"half\",\"disabled\":false,"
    "\"parameters\":{\"rollout\":\"50\",\"stickiness\":\"userId\",\"groupId\":\"g\"},"
    "\"constraints\":[{\"context_name\":\"plan\",\"operator\":\"IN\",\"values\":[\"pro\"],"
    "\"inverted\":false},{\"context_name\":\"age\",\"operator\":\"NUM_GT\",\"value\":\"17\"}],"
    "\"segments\":[\"beta\"],\"variants\":[{\"name\":\"a\",\"weight\":1000,"
    "\"weight_type\":\"variable\",\"stickiness\":\"userId\"}]}]},"
    "{\"name\":\"parent\",\"type\":\"release\",\"enabled\":true,\"strategies\":[]}],"
    "\"segments\":[{\"name\":\"beta\",\"constraints\":[{\"context_name\":\"userId\","
    "\"operator\":\"STR_STARTS_WITH\",\"values\":[\"b\"],\"case_insensitive\":true}]}]}";

static void assert_same(const json_t *got, const char *wanted) {
    json_auto_t *parsed = json_parse(wanted);
    _cleanup_free_ char *text = json_text(got);

    ck_assert_msg(parsed && json_equal(got, parsed), "%s", text);
}

START_TEST(flags_unleash__an_export_becomes_ours) {
    json_auto_t *from = json_parse(EXPORT), *before = json_parse(EXPORT), *errors = json_array();
    json_auto_t *document = unleash_import(from, NULL, errors);
    _cleanup_free_ char *wrong = fields_of(errors);

    ck_assert_str_eq(wrong, "");
    assert_same(document, NATIVE);
    ck_assert(json_equal(from, before)); /* what was given stays as it was */
}
END_TEST

START_TEST(flags_unleash__what_does_not_map_is_named) {
    static const struct {
        const char *from, *named;
    } cases[] = {
        {"{\"features\":[]}", ""},
        {"{}", "/features"},
        {"[]", "/features"},
        {"{\"features\":[{\"name\":\"f\",\"colour\":1,\"id\":1,\"links\":[]}]}",
         "/features/0/colour"},
        {"{\"features\":[{\"name\":\"f\",\"type\":\"ours\",\"impressionData\":1}]}",
         "/features/0/type /features/0/impressionData"},
        {"{\"features\":[{\"name\":\"f\",\"strategies\":[{\"name\":\"ours\"}]}]}",
         "/features/0/strategies/0/name"},
        {"{\"features\":[{\"name\":\"f\",\"strategies\":[{\"name\":\"default\","
         "\"constraints\":[{\"contextName\":7,\"operator\":\"IN\",\"values\":[]}]}]}]}",
         "/features/0/strategies/0/constraints/0/contextName"},
        {"{\"features\":[{\"name\":\"f\",\"variants\":[{\"name\":\"v\",\"weight\":1,"
         "\"weightType\":\"odd\"}]}]}",
         "/features/0/variants/0/weightType"},
        {"{\"features\":[{\"name\":\"f\",\"strategies\":[{\"name\":\"default\","
         "\"segments\":[9]}]}]}",
         "/features/0/strategies/0/segments/0"},
        {"{\"features\":[{\"name\":\"f\",\"strategies\":[{\"name\":\"default\","
         "\"segments\":[9]}]}],\"segments\":[{\"id\":9,\"name\":\"s\"}]}",
         "/segments/0/constraints"},
        {"{\"features\":[{\"name\":\"f\",\"dependencies\":[{\"feature\":\"gone\"}]}]}",
         "/features/0/dependencies/0/feature"},
        {"{\"features\":[{\"name\":\"a b\"}]}", "/features/0/name"},
        {"{\"features\":[{\"name\":\"f\"},{\"name\":\"g\"}],\"featureStrategies\":["
         "{\"featureName\":\"f\",\"name\":\"default\"},"
         "{\"featureName\":\"g\",\"name\":\"default\"},"
         "{\"featureName\":\"g\",\"name\":\"flexibleRollout\"}]}",
         "/featureStrategies/2/parameters/rollout"},
        {"{\"features\":[{\"name\":\"f\"}],\"featureEnvironments\":[{\"featureName\":\"f\","
         "\"enabled\":1,\"variants\":[{\"name\":\"v\",\"weight\":1,\"weightType\":\"odd\"}]}]}",
         "/featureEnvironments/0/enabled"},
        {"{\"features\":[{\"name\":\"f\"}],\"segments\":[{\"id\":1,\"name\":\"a b\","
         "\"constraints\":[]},{\"id\":2,\"name\":\"a/b\",\"constraints\":[]}]}",
         "/segments/1/name"},
        {"{\"features\":[{\"name\":\"f\"}],\"sluice\":{\"flags\":{\"f\":{\"killed\":true}}}}",
         "/sluice/flags/f/killed"},
        {"{\"features\":[{\"name\":\"f\"}],\"sluice\":{\"flags\":{\"f\":{\"stale_after\":\"x\","
         "\"requires_release\":\"y\"}}}}",
         "/sluice/flags/f/stale_after /sluice/flags/f/requires_release"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *from = json_parse(cases[i].from), *errors = json_array();
        json_auto_t *document = unleash_import(from, NULL, errors);
        _cleanup_free_ char *wrong = fields_of(errors);

        ck_assert_msg(document && strcmp(wrong, cases[i].named) == 0, "%s: %s", cases[i].from,
                      wrong);
    }
}
END_TEST

/* A segment whose members the export leaves out holds for nobody, not for everybody. */
START_TEST(flags_unleash__a_segment_without_members_is_for_nobody) {
    json_auto_t *from = json_parse(
        "{\"features\":[{\"name\":\"f\",\"enabled\":true,\"strategies\":[{\"name\":\"default\","
        "\"segments\":[9]}]}],\"segments\":[{\"id\":9,\"name\":\"s\"}]}");
    json_auto_t *errors = json_array(), *document = unleash_import(from, NULL, errors);
    _cleanup_free_ char *text = json_text(document);
    _cleanup_(asked_done) struct asked a = asked_new(text, "{}");

    ck_assert(!ask(&a, "f").enabled);
}
END_TEST

START_TEST(flags_unleash__what_is_there_stays_where_nothing_is_said) {
    json_auto_t *there = json_parse(
        "{\"flags\":[{\"name\":\"f\",\"value_type\":\"string\",\"requires_release\":\"1.0.0\","
        "\"default_variant\":null,\"stale\":true,\"stale_after\":\"2026-01-01T00:00:00Z\"}],"
        "\"segments\":[{\"name\":\"a-b\",\"description\":\"d\",\"constraints\":[]}]}");
    json_auto_t *from = json_parse("{\"features\":[{\"name\":\"f\",\"stale\":true}],"
                                   "\"segments\":[{\"id\":1,\"name\":\"a b\"}]}");
    json_auto_t *errors = json_array(), *document = unleash_import(from, there, errors);

    ck_assert_uint_eq(json_array_size(errors), 0);
    assert_same(document, "{\"flags\":[{\"name\":\"f\",\"stale\":true,\"value_type\":\"string\","
                          "\"requires_release\":\"1.0.0\","
                          "\"stale_after\":\"2026-01-01T00:00:00Z\"}],\"segments\":["
                          "{\"name\":\"a-b\",\"description\":\"d\",\"constraints\":[]}]}");
}
END_TEST

START_TEST(flags_unleash__an_export_is_read_again) {
    json_auto_t *there = json_parse(NATIVE), *errors = json_array();
    json_auto_t *file = unleash_export_file(there, "production");
    json_auto_t *back = unleash_import(file, NULL, errors);
    json_t *flag;
    size_t i;

    ck_assert_uint_eq(json_array_size(errors), 0);
    json_array_foreach(json_object_get(back, "flags"), i, flag) {
        json_t *before = json_array_get(json_object_get(there, "flags"), i);

        ck_assert(unleash_same(flag, before));
        json_object_set_new(flag, "impression_data", json_integer(7));
        ck_assert(!unleash_same(flag, before));
    }
    ck_assert(json_equal(json_object_get(back, "segments"), json_object_get(there, "segments")));
}
END_TEST

START_TEST(flags_unleash__clients_see_what_counts) {
    static const struct {
        const char *flag, *seen;
    } cases[] = {
        {"\"enabled\":true", "\"enabled\":true,\"strategies\":[]"},
        {"\"enabled\":true,\"killed\":true", "\"enabled\":false,\"strategies\":[]"},
        {"\"enabled\":true,\"value_type\":\"string\",\"default_variant\":\"a\"",
         "\"enabled\":true,\"strategies\":[]"},
        {"\"enabled\":true,\"strategies\":[{\"name\":\"default\",\"disabled\":true}]",
         "\"enabled\":false,\"strategies\":[]"},
        {"\"enabled\":true,\"strategies\":[{\"name\":\"default\",\"disabled\":true},"
         "{\"name\":\"flexibleRollout\",\"title\":\"t\",\"parameters\":{\"rollout\":\"5\"}}]",
         "\"enabled\":true,\"strategies\":[{\"name\":\"flexibleRollout\",\"constraints\":[],"
         "\"parameters\":{\"rollout\":\"5\",\"groupId\":\"f\",\"stickiness\":\"default\"},"
         "\"variants\":[]}]"},
        {"\"enabled\":true,\"strategies\":[{\"name\":\"default\",\"segments\":[\"s\",\"gone\"]}]",
         "\"enabled\":true,\"strategies\":[{\"name\":\"default\",\"parameters\":{},"
         "\"constraints\":[],\"segments\":[1,0],\"variants\":[]}]"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *text = xasprintf("{\"flags\":[{\"name\":\"f\",%s}],"
                                              "\"segments\":[{\"name\":\"s\"}]}",
                                              cases[i].flag);
        _cleanup_free_ char *wanted =
            xasprintf("{\"version\":2,\"features\":[{\"name\":\"f\",\"type\":\"release\","
                      "\"project\":\"default\",\"stale\":false,\"impressionData\":false,"
                      "\"description\":null,\"variants\":[],%s}],"
                      "\"segments\":[{\"id\":1,\"name\":\"s\",\"constraints\":[]}]}",
                      cases[i].seen);
        json_auto_t *document = json_parse(text), *features = unleash_export(document, false);

        assert_same(features, wanted);
        assert_same(document, text);
    }
}
END_TEST

START_TEST(flags_unleash__segments_inline_for_older_clients) {
    json_auto_t *document = json_parse(
        "{\"flags\":[{\"name\":\"f\",\"enabled\":true,\"strategies\":[{\"name\":\"default\","
        "\"segments\":[\"s\",\"gone\"]}]}],\"segments\":[{\"name\":\"s\",\"constraints\":"
        "[{\"context_name\":\"x\",\"operator\":\"NUM_GT\",\"value\":\"1\"}]}]}");
    json_auto_t *features = unleash_export(document, true);

    assert_same(json_pointer(features, "/features/0/strategies/0"),
                "{\"name\":\"default\",\"parameters\":{},\"variants\":[],\"constraints\":["
                "{\"contextName\":\"x\",\"operator\":\"NUM_GT\",\"value\":\"1\",\"values\":[],"
                "\"inverted\":false,\"caseInsensitive\":false},"
                "{\"contextName\":\"userId\",\"operator\":\"IN\",\"values\":[],"
                "\"inverted\":false,\"caseInsensitive\":false}]}");
    ck_assert(!json_object_get(features, "segments"));
}
END_TEST

int main(void) {
    return RUN_SUITE("flags_unleash", 10, flags_unleash__an_export_becomes_ours,
                     flags_unleash__what_does_not_map_is_named,
                     flags_unleash__a_segment_without_members_is_for_nobody,
                     flags_unleash__what_is_there_stays_where_nothing_is_said,
                     flags_unleash__an_export_is_read_again, flags_unleash__clients_see_what_counts,
                     flags_unleash__segments_inline_for_older_clients);
}
