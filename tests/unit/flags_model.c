/* What a flag may be made of: good ones, and one for each way to be wrong. */
#include "flags/model.h"
#include "tests/support/fields.h"
#include "tests/support/suite.h"
#include "tests/support/with.h"
#include <string.h>

static const char *const DOCUMENT =
    "{\"flags\":["
    "{\"name\":\"checkout-v2\",\"type\":\"release\",\"value_type\":\"string\",\"enabled\":true,"
    "\"killed\":false,\"impression_data\":true,\"stale\":false,\"default_variant\":\"old\","
    "\"variants\":[{\"name\":\"old\",\"weight\":500,\"weight_type\":\"variable\","
    "\"stickiness\":\"default\",\"payload\":{\"type\":\"string\",\"value\":\"v1\"},"
    "\"overrides\":[{\"context_name\":\"userId\",\"values\":[\"7\"]}]},"
    "{\"name\":\"new\",\"weight\":500}],"
    "\"strategies\":[{\"name\":\"flexibleRollout\",\"title\":\"half\",\"disabled\":false,"
    "\"parameters\":{\"rollout\":\"50\",\"stickiness\":\"userId\",\"groupId\":\"g\"},"
    "\"constraints\":[{\"context_name\":\"plan\",\"operator\":\"IN\",\"values\":[\"pro\"],"
    "\"inverted\":false,\"case_insensitive\":false}],"
    "\"segments\":[\"beta\"],\"variants\":[]}],"
    "\"dependencies\":[{\"flag\":\"parent\",\"enabled\":true,\"variants\":[\"on\"]}]},"
    "{\"name\":\"parent\"}],"
    "\"segments\":[{\"name\":\"beta\",\"constraints\":[{\"context_name\":\"version\","
    "\"operator\":\"SEMVER_GTE\",\"value\":\"1.2.0\"}]}]}";

#define FLAG     "/flags/0"
#define STRATEGY FLAG "/strategies/0"
#define RULE     STRATEGY "/constraints"

static char *wrong_in(const json_t *document) {
    json_auto_t *errors = json_array();

    flag_model_check(document, errors);
    return fields_of(errors);
}

/* With `value` put at `put`, these fields are named; "" where all is in order. */
static const struct {
    const char *put, *value, *named;
} cases[] = {
    {"/segments", "null", STRATEGY "/segments/0"},
    {"/more", "1", "/more"},
    {"/flags", "7", "/flags"},
    {"/flags", "null", "/flags"},
    {"/flags", "[null]", "/flags/0"},
    {"/flags/-", "{}", "/flags/2/name"},
    {"/flags/-", "{\"name\":\"parent\"}", "/flags/2/name"},
    {FLAG "/name", "\"\"", FLAG "/name"},
    {FLAG "/name", "7", FLAG "/name"},
    {FLAG "/type", "\"other\"", FLAG "/type"},
    {FLAG "/value_type", "\"int\"", FLAG "/value_type"},
    {FLAG "/value_type", "\"number\"", FLAG "/variants/0/payload/type"},
    {FLAG "/value_type", "\"boolean\"", ""},
    {FLAG "/enabled", "\"yes\"", FLAG "/enabled"},
    {FLAG "/colour", "1", FLAG "/colour"},
    {FLAG "/default_variant", "\"none\"", FLAG "/default_variant"},
    {FLAG "/default_variant", "3", FLAG "/default_variant"},
    {FLAG "/default_variant", "null", ""},
    {FLAG "/variants", "{}", FLAG "/variants " FLAG "/default_variant"},
    {FLAG "/variants/-", "{\"name\":\"old\",\"weight\":1}", FLAG "/variants/2/name"},
    {FLAG "/variants/-", "{\"name\":\"x\"}", FLAG "/variants/2/weight"},
    {FLAG "/variants/0/weight", "-1", FLAG "/variants/0/weight"},
    {FLAG "/variants/0/weight", "100001", FLAG "/variants/0/weight"},
    {FLAG "/variants/0/weight", "1.5", FLAG "/variants/0/weight"},
    {FLAG "/variants/0/weight_type", "\"odd\"", FLAG "/variants/0/weight_type"},
    {FLAG "/variants/0/payload", "{\"type\":\"xml\",\"value\":\"\"}",
     FLAG "/variants/0/payload/type"},
    {FLAG "/variants/0/payload", "{\"type\":\"string\"}", FLAG "/variants/0/payload/value"},
    {FLAG "/variants/0/payload", "{\"type\":\"csv\",\"value\":\"a,b\"}", ""},
    {FLAG "/variants/0/overrides", "[{\"values\":[]}]",
     FLAG "/variants/0/overrides/0/context_name"},
    {FLAG "/variants", "[{\"name\":\"old\",\"weight\":0}]", FLAG "/variants"},
    {FLAG "/strategies", "[]", ""},
    {STRATEGY "/name", "\"ours\"", STRATEGY "/name"},
    {STRATEGY "/disabled", "0", STRATEGY "/disabled"},
    {STRATEGY "/parameters", "{}", STRATEGY "/parameters/rollout"},
    {STRATEGY "/parameters/rollout", "50", STRATEGY "/parameters/rollout"},
    {STRATEGY "/parameters/rollout", "\"101\"", STRATEGY "/parameters/rollout"},
    {STRATEGY "/parameters/rollout", "\"nan\"", STRATEGY "/parameters/rollout"},
    {STRATEGY "/parameters/rollout", "\"12.5\"", ""},
    {STRATEGY "/parameters/percent~", "\"1\"", STRATEGY "/parameters/percent~0"},
    {STRATEGY "/segments/-", "\"gone\"", STRATEGY "/segments/1"},
    {STRATEGY "/variants/-", "{\"name\":\"v\",\"weight\":0}", STRATEGY "/variants"},
    {FLAG "/strategies",
     "[{\"name\":\"remoteAddress\",\"parameters\":{\"IPs\":\"10.0.0.0/8, ::1,1.2.3.4\"}}]", ""},
    {FLAG "/strategies", "[{\"name\":\"remoteAddress\",\"parameters\":{\"IPs\":\"10.0.0\"}}]",
     STRATEGY "/parameters/IPs"},
    {RULE "/-", "{\"context_name\":\"a\",\"operator\":\"LIKE\",\"value\":\"x\"}",
     RULE "/1/operator"},
    {RULE "/-", "{\"context_name\":\"a\",\"operator\":\"IN\"}", RULE "/1/values"},
    {RULE "/-", "{\"context_name\":\"a\",\"operator\":\"IN\",\"values\":[7]}", RULE "/1/values/0"},
    {RULE "/-", "{\"context_name\":\"a\",\"operator\":\"IN\",\"values\":[],\"value\":\"x\"}",
     RULE "/1/value"},
    {RULE "/-",
     "{\"context_name\":\"a\",\"operator\":\"IN\",\"values\":[],\"case_insensitive\":true}",
     RULE "/1/case_insensitive"},
    {RULE "/-",
     "{\"context_name\":\"a\",\"operator\":\"STR_CONTAINS\",\"values\":[],"
     "\"case_insensitive\":true}",
     ""},
    {RULE "/-", "{\"context_name\":\"a\",\"operator\":\"NUM_GT\"}", RULE "/1/value"},
    {RULE "/-", "{\"context_name\":\"a\",\"operator\":\"NUM_GT\",\"value\":\"0x1\"}",
     RULE "/1/value"},
    {RULE "/-", "{\"context_name\":\"a\",\"operator\":\"NUM_GT\",\"value\":\"1e999\"}",
     RULE "/1/value"},
    {RULE "/-",
     "{\"context_name\":\"a\",\"operator\":\"NUM_GT\",\"value\":\"1\",\"values\":[\"1\"]}",
     RULE "/1/values"},
    {RULE "/-", "{\"context_name\":\"a\",\"operator\":\"DATE_AFTER\",\"value\":\"2026-02-30\"}",
     RULE "/1/value"},
    {RULE "/-",
     "{\"context_name\":\"a\",\"operator\":\"DATE_AFTER\",\"value\":\"2026-02-03T04:05:06Z\"}", ""},
    {RULE "/-", "{\"context_name\":\"a\",\"operator\":\"SEMVER_EQ\",\"value\":\"v1.2.3\"}",
     RULE "/1/value"},
    {RULE "/-", "{\"context_name\":\"a\",\"operator\":\"REGEX\",\"value\":\"(a\"}",
     RULE "/1/value"},
    {RULE "/-", "{\"context_name\":\"a\",\"operator\":\"REGEX\",\"value\":\"^a+$\"}", ""},
    {RULE "/-", "{\"context_name\":\"a\",\"operator\":\"IN_CIDR\",\"values\":[\"::1\",\"1.2/8\"]}",
     RULE "/1/values/1"},
    {FLAG "/dependencies/-", "{\"flag\":\"gone\"}", FLAG "/dependencies/1/flag"},
    {FLAG "/dependencies/-", "{\"flag\":\"parent\"}", FLAG "/dependencies/1/flag"},
    {FLAG "/dependencies/-", "{\"flag\":\"checkout-v2\"}", FLAG "/dependencies/1/flag"},
    {"/flags/1/dependencies", "[{\"flag\":\"checkout-v2\"}]",
     "/flags/0/dependencies/0/flag /flags/1/dependencies/0/flag"},
    {"/segments/-", "{\"name\":\"beta\"}", "/segments/1/name"},
    {"/segments/0/constraints", "[{\"context_name\":\"\",\"operator\":\"IN\",\"values\":[]}]",
     "/segments/0/constraints/0/context_name"},
};

START_TEST(flags_model__a_whole_document_is_in_order) {
    json_auto_t *document = json_parse(DOCUMENT);
    _cleanup_free_ char *wrong = wrong_in(document);

    ck_assert_msg(document && !*wrong, "%s", wrong);
}
END_TEST

START_TEST(flags_model__what_is_wrong_is_named) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *document = json_with(DOCUMENT, cases[i].put, cases[i].value);
        _cleanup_free_ char *wrong = wrong_in(document);

        ck_assert_msg(strcmp(wrong, cases[i].named) == 0, "%s = %s: \"%s\", not \"%s\"",
                      cases[i].put, cases[i].value, wrong, cases[i].named);
    }
}
END_TEST

/* A list of n copies of `one`, for limits. */
static json_t *many(size_t n, const char *one) {
    json_t *list = json_array();

    while (n--)
        json_array_append_new(list, json_parse(one));
    return list;
}

START_TEST(flags_model__lists_have_limits) {
    static const struct {
        const char *operator;
        size_t n;
        const char *named;
    } sizes[] = {
        {"IN", FLAG_VALUES_MAX, ""},
        {"IN", FLAG_VALUES_MAX + 1, "/0/values"},
        {"STR_CONTAINS", FLAG_TEXT_VALUES_MAX, ""},
        {"STR_CONTAINS", FLAG_TEXT_VALUES_MAX + 1, "/0/values"},
    };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        json_auto_t *rules = json_pack("[{s:s, s:s, s:o}]", "context_name", "userId", "operator",
                                       sizes[i].operator, "values", many(sizes[i].n, "\"u\""));
        json_auto_t *errors = json_array();
        _cleanup_free_ char *wrong = NULL;

        flag_constraints_check(rules, "", errors);
        wrong = fields_of(errors);
        ck_assert_msg(strcmp(wrong, sizes[i].named) == 0, "%zu: %s", i, wrong);
    }
}
END_TEST

START_TEST(flags_model__no_more_errors_than_a_person_reads) {
    json_auto_t *strategies = many(FLAG_STRATEGIES_MAX, "{\"name\":\"?\",\"more\":1}");
    json_auto_t *errors = json_array(), *ids = json_array(), *rules = NULL;

    flag_strategies_check(strategies, NULL, "/strategies", errors);
    ck_assert_uint_eq(json_array_size(errors), FLAG_ERRORS_MAX);
    rules = json_pack("[{s:s, s:s, s:o}]", "context_name", "userId", "operator", "IN", "values",
                      many(FLAG_VALUES_MAX, "7"));
    flag_constraints_check(rules, "", ids);
    ck_assert_uint_eq(json_array_size(ids), FLAG_ERRORS_MAX);
}
END_TEST

START_TEST(flags_model__a_payload_is_what_the_value_type_says) {
    static const struct {
        const char *value_type, *type, *value, *named;
    } payloads[] = {
        {"number", "number", "1.5", ""},
        {"number", "number", "one", "/0/payload/value"},
        {"number", "number", "\"1\"", "/0/payload/value"},
        {"number", "string", "1", "/0/payload/type"},
        {"object", "json", "{\"a\":1}", ""},
        {"object", "json", "[1]", "/0/payload/value"},
        {"object", "json", "{", "/0/payload/value"},
        {"object", "csv", "a", "/0/payload/type"},
        {"string", "csv", "a,b", ""},
        {"string", "json", "{}", "/0/payload/type"},
        {"boolean", "json", "[1]", ""},
        {NULL, "json", "nope", "/0/payload/value"},
    };

    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        json_auto_t *variants =
            json_pack("[{s:s, s:i, s:{s:s, s:s}}]", "name", "v", "weight", 1, "payload", "type",
                      payloads[i].type, "value", payloads[i].value);
        json_auto_t *errors = json_array();
        _cleanup_free_ char *wrong = NULL;

        flag_variants_check(variants, payloads[i].value_type, "", errors);
        wrong = fields_of(errors);
        ck_assert_msg(strcmp(wrong, payloads[i].named) == 0, "%zu: %s", i, wrong);
    }
}
END_TEST

int main(void) {
    return RUN_SUITE("flags_model", 30, flags_model__a_whole_document_is_in_order,
                     flags_model__what_is_wrong_is_named, flags_model__lists_have_limits,
                     flags_model__no_more_errors_than_a_person_reads,
                     flags_model__a_payload_is_what_the_value_type_says);
}
