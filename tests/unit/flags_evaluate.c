/* What a flag is for whom.  The published cases of Unleash are tests/flags; here is what they do
 * not say: reasons, values, chance, and everything that is not as it should be. */
#include "base/cleanup.h"
#include "flags/evaluate.h"
#include "flags/hash.h"
#include "tests/support/flags.h"
#include "tests/support/suite.h"
#include <math.h>
#include <string.h>

#define FLAG(more)       "{\"flags\":[{\"name\":\"f\",\"enabled\":true" more "}]}"
#define STRATEGIES(list) ",\"strategies\":[" list "]"
#define RULE(op, more)                                                                             \
    STRATEGIES("{\"name\":\"default\",\"constraints\":[{\"context_name\":\"x\",\"operator\":\"" op \
               "\"," more "}]}")
#define ROLLOUT(percent, more)                                                                     \
    "{\"name\":\"flexibleRollout\",\"parameters\":{\"rollout\":\"" percent "\"," more "}}"
#define TWO_VARIANTS                                                                               \
    ",\"variants\":[{\"name\":\"a\",\"weight\":500,\"stickiness\":\"random\"},{\"name\":\"b\","    \
    "\"weight\":500}]"

static uint32_t bucket_of_pieces(size_t n, size_t m) {
    char group[13] = "abcdefghijkl";

    group[n] = '\0';
    return hash_bucket(group, "0123456789xyz", m, 1000, HASH_VARIANT);
}

START_TEST(flags_evaluate__the_hashes_are_everybodys) {
    ck_assert_uint_eq(hash_bucket("g", "123", 3, 100, HASH_ROLLOUT), 75);
    ck_assert_uint_eq(hash_bucket("AB12A", "122", 3, 100, HASH_ROLLOUT), 23);
    ck_assert_uint_eq(hash_murmur3("flag-001user-0010", 17, 0), 3714624507u);
    ck_assert_uint_eq(hash_murmur3("", 0, 0), 0);
    for (size_t n = 0; n < 12; n++) /* however the text is cut into "group:id" */
        for (size_t m = 0; m < 12; m++) {
            char whole[32];
            int length = snprintf(whole, sizeof whole, "%.*s:%.*s", (int)n, "abcdefghijkl", (int)m,
                                  "0123456789xyz");

            ck_assert_uint_eq(bucket_of_pieces(n, m),
                              hash_murmur3(whole, (size_t)length, HASH_VARIANT) % 1000 + 1);
        }
    /* Ours is that of UTF-8; JavaScript's takes the low byte of each UTF-16 unit. */
    ck_assert_uint_eq(hash_bucket("g", "Bj\xc3\xb8rn", 6, 100, HASH_ROLLOUT), 12);
    ck_assert_uint_eq(hash_bucket("g", "Bj\xf8rn", 5, 100, HASH_ROLLOUT), 97);
}
END_TEST

/* Each question with its answer. */
static const struct {
    const char *document, *context;
    bool enabled;
    FlagReason reason;
} cases[] = {
    /* what is switched off stays off */
    {FLAG(""), "{}", true, FLAG_STATIC},
    {FLAG(STRATEGIES("")), "{}", true, FLAG_STATIC},
    {FLAG(",\"killed\":true"), "{}", false, FLAG_DISABLED},
    {"{\"flags\":[{\"name\":\"f\",\"enabled\":false}]}", "{}", false, FLAG_DISABLED},
    {"{\"flags\":[{\"name\":\"f\"}]}", "{}", false, FLAG_DISABLED},
    {FLAG(STRATEGIES("{\"name\":\"default\"}")), "{}", true, FLAG_STATIC},
    {FLAG(STRATEGIES("{\"name\":\"default\",\"disabled\":true}")), "{}", false, FLAG_STATIC},
    {FLAG(STRATEGIES("{\"name\":\"ours\"}")), "{}", false, FLAG_STATIC},
    /* users, hosts, addresses */
    {FLAG(STRATEGIES("{\"name\":\"userWithId\",\"parameters\":{\"userIds\":\"1, 7 ,9\"}}")),
     "{\"targetingKey\":\"7\"}", true, FLAG_TARGETING_MATCH},
    {FLAG(STRATEGIES("{\"name\":\"userWithId\",\"parameters\":{\"userIds\":\"1,7\"}}")),
     "{\"userId\":7}", true, FLAG_TARGETING_MATCH},
    {FLAG(STRATEGIES("{\"name\":\"userWithId\",\"parameters\":{\"userIds\":\"1,,7\"}}")),
     "{\"userId\":\"\"}", false, FLAG_TARGETING_MATCH},
    {FLAG(STRATEGIES(
         "{\"name\":\"applicationHostname\",\"parameters\":{\"hostNames\":\"a.x,B.x\"}}")),
     "{\"hostname\":\"b.X\"}", true, FLAG_TARGETING_MATCH},
    {FLAG(STRATEGIES("{\"name\":\"remoteAddress\",\"parameters\":{\"IPs\":\"junk, 10.1.0.0/16, "
                     "2001:db8::/33\"}}")),
     "{\"remoteAddress\":\"10.1.2.3\"}", true, FLAG_TARGETING_MATCH},
    {FLAG(STRATEGIES("{\"name\":\"remoteAddress\",\"parameters\":{\"IPs\":\"2001:db8::/33\"}}")),
     "{\"remoteAddress\":\"2001:db8:8000::1\"}", false, FLAG_TARGETING_MATCH},
    {FLAG(STRATEGIES("{\"name\":\"remoteAddress\",\"parameters\":{\"IPs\":\"0.0.0.0/0\"}}")),
     "{\"remoteAddress\":\"10.1.2.3/8\"}", false, FLAG_TARGETING_MATCH},
    /* percentages */
    {FLAG(STRATEGIES(ROLLOUT("75", "\"groupId\":\"g\""))), "{\"userId\":\"123\"}", true,
     FLAG_SPLIT},
    {FLAG(STRATEGIES(ROLLOUT("74", "\"groupId\":\"g\""))), "{\"userId\":\"123\"}", false,
     FLAG_SPLIT},
    {FLAG(STRATEGIES(ROLLOUT("75", "\"groupId\":\"g\",\"stickiness\":\"x\""))), "{\"x\":123}", true,
     FLAG_SPLIT},
    {FLAG(STRATEGIES(ROLLOUT("100", "\"stickiness\":\"x\""))), "{}", false, FLAG_STATIC},
    {FLAG(STRATEGIES(ROLLOUT("100", "\"groupId\":\"g\""))), "{}", true, FLAG_STATIC},
    {FLAG(STRATEGIES(ROLLOUT("0", "\"stickiness\":\"random\""))), "{}", false, FLAG_STATIC},
    {FLAG(STRATEGIES(ROLLOUT("many", "\"stickiness\":\"random\""))), "{}", false, FLAG_STATIC},
    {FLAG(STRATEGIES("{\"name\":\"gradualRolloutUserId\",\"parameters\":{\"percentage\":\"75\","
                     "\"groupId\":\"g\"}}")),
     "{\"userId\":\"123\",\"sessionId\":\"9\"}", true, FLAG_SPLIT},
    {FLAG(STRATEGIES("{\"name\":\"gradualRolloutSessionId\",\"parameters\":{\"percentage\":\"74\","
                     "\"groupId\":\"g\"}}")),
     "{\"sessionId\":\"123\"}", false, FLAG_SPLIT},
    {FLAG(
         STRATEGIES("{\"name\":\"gradualRolloutRandom\",\"parameters\":{\"percentage\":\"100\"}}")),
     "{}", true, FLAG_STATIC},
    /* one constraint */
    {FLAG(RULE("IN", "\"values\":[\"12\"]")), "{\"x\":12.0}", true, FLAG_TARGETING_MATCH},
    {FLAG(RULE("IN", "\"values\":[\"0.1\"]")), "{\"x\":0.1}", true, FLAG_TARGETING_MATCH},
    {FLAG(RULE("IN", "\"values\":[\"true\"]")), "{\"x\":true}", true, FLAG_TARGETING_MATCH},
    {FLAG(RULE("IN", "\"values\":[\"\"]")), "{\"x\":null}", false, FLAG_TARGETING_MATCH},
    {FLAG(RULE("NOT_IN", "\"values\":[\"a\"]")), "{\"x\":[\"a\"]}", true, FLAG_TARGETING_MATCH},
    {FLAG(RULE("IN", "\"values\":[\"a\"],\"inverted\":true")), "{}", true, FLAG_TARGETING_MATCH},
    {FLAG(RULE("STR_CONTAINS", "\"values\":[\"\xc3\x89T\xc3\x89\"],\"case_insensitive\":true")),
     "{\"x\":\"l'\xc3\xa9t\xc3\xa9 2026\"}", true, FLAG_TARGETING_MATCH},
    {FLAG(RULE("STR_CONTAINS", "\"values\":[\"\"]")), "{\"x\":\"a\"}", false, FLAG_TARGETING_MATCH},
    {FLAG(RULE("STR_ENDS_WITH", "\"values\":[\"abc\",\"c\"]")), "{\"x\":\"bc\"}", true,
     FLAG_TARGETING_MATCH},
    {FLAG(RULE("NUM_LT", "\"value\":\"-1e2\"")), "{\"x\":-100.5}", true, FLAG_TARGETING_MATCH},
    {FLAG(RULE("NUM_EQ", "\"value\":\"1\"")), "{\"x\":\"one\"}", false, FLAG_TARGETING_MATCH},
    {FLAG(RULE("NUM_EQ", "\"value\":\"1\",\"inverted\":true")), "{\"x\":\"one\"}", true,
     FLAG_TARGETING_MATCH},
    /* what cannot be evaluated is for nobody, inverted or not */
    {FLAG(RULE("NUM_EQ", "\"value\":\"one\",\"inverted\":true")), "{\"x\":1}", false,
     FLAG_TARGETING_MATCH},
    {FLAG(RULE("LIKE", "\"value\":\"one\",\"inverted\":true")), "{\"x\":1}", false,
     FLAG_TARGETING_MATCH},
    {FLAG(RULE("REGEX", "\"value\":\"(\",\"inverted\":true")), "{\"x\":\"(\"}", false,
     FLAG_TARGETING_MATCH},
    {FLAG(RULE("DATE_AFTER", "\"value\":\"yesterday\",\"inverted\":true")),
     "{\"x\":\"2026-01-01T00:00:00Z\"}", false, FLAG_TARGETING_MATCH},
    /* dates: the context's current time, else ours; other fields by their name */
    {FLAG(STRATEGIES("{\"name\":\"default\",\"constraints\":[{\"context_name\":\"currentTime\","
                     "\"operator\":\"DATE_AFTER\",\"value\":\"2026-09-01T00:00:00Z\"}]}")),
     "{}", true, FLAG_TARGETING_MATCH},
    {FLAG(STRATEGIES("{\"name\":\"default\",\"constraints\":[{\"context_name\":\"currentTime\","
                     "\"operator\":\"DATE_AFTER\",\"value\":\"2026-09-01T00:00:00Z\"}]}")),
     "{\"currentTime\":\"soon\"}", false, FLAG_TARGETING_MATCH},
    {FLAG(RULE("DATE_BEFORE", "\"value\":\"2026-09-01T00:00:00Z\"")),
     "{\"x\":\"2026-09-01T01:00:00+02:00\"}", true, FLAG_TARGETING_MATCH},
    {FLAG(RULE("DATE_BEFORE", "\"value\":\"2026-09-01T00:00:00Z\"")), "{\"x\":\"2026-02-30\"}",
     false, FLAG_TARGETING_MATCH},
    {FLAG(RULE("SEMVER_GTE", "\"value\":\"1.0.0\"")), "{\"x\":\"v1.2.3\"}", false,
     FLAG_TARGETING_MATCH},
    {FLAG(RULE("IN_CIDR", "\"values\":[\"10.0.0.0/9\"]")), "{\"x\":\"10.127.0.1\"}", true,
     FLAG_TARGETING_MATCH},
    {FLAG(RULE("IN_CIDR", "\"values\":[\"10.0.0.0/9\"]")), "{\"x\":\"10.128.0.1\"}", false,
     FLAG_TARGETING_MATCH},
    /* a segment of nobody's, and one that is there twice */
    {FLAG(STRATEGIES("{\"name\":\"default\",\"segments\":[\"gone\"]}")), "{}", false,
     FLAG_TARGETING_MATCH},
    {FLAG(STRATEGIES("{\"name\":\"default\",\"segments\":[7]}")), "{}", false,
     FLAG_TARGETING_MATCH},
    /* others */
    {FLAG(",\"dependencies\":[{\"flag\":\"f\"}]"), "{}", false, FLAG_TARGETING_MATCH},
    {FLAG(",\"dependencies\":[{\"flag\":\"gone\",\"enabled\":false}]"), "{}", false,
     FLAG_TARGETING_MATCH},
    {"{\"flags\":[{\"name\":\"f\",\"enabled\":true,\"dependencies\":[{\"flag\":\"p\"}]},"
     "{\"name\":\"p\",\"enabled\":true,\"killed\":true}]}",
     "{}", false, FLAG_TARGETING_MATCH},
    /* variants without a choice are no split */
    {FLAG(",\"variants\":[{\"name\":\"a\",\"weight\":0},{\"name\":\"b\",\"weight\":1}]"), "{}",
     true, FLAG_STATIC},
    {FLAG(TWO_VARIANTS), "{}", true, FLAG_SPLIT},
    /* nothing is as it should be */
    {FLAG(",\"strategies\":7,\"variants\":\"x\",\"dependencies\":{}"), "{}", false, FLAG_STATIC},
    {FLAG(STRATEGIES("null,7,\"default\"")), "[]", false, FLAG_STATIC},
    {FLAG(STRATEGIES("{\"name\":\"default\",\"constraints\":[null]}")), "{}", false,
     FLAG_TARGETING_MATCH},
};

START_TEST(flags_evaluate__one_answer_for_each_question) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_(asked_done) struct asked a = asked_new(cases[i].document, cases[i].context);
        struct flag_result r = ask(&a, "f");

        ck_assert_msg(r.enabled == cases[i].enabled && r.reason == cases[i].reason,
                      "%s for %s: %s, %s", cases[i].document, cases[i].context,
                      r.enabled ? "on" : "off", flag_reason_word(r.reason));
    }
}
END_TEST

#define PAYLOAD(type, value) "\"payload\":{\"type\":\"" type "\",\"value\":\"" value "\"}"
#define WITH_VALUE(value_type, more)                                                               \
    FLAG(",\"value_type\":\"" value_type                                                           \
         "\",\"default_variant\":\"off\",\"variants\":[{\"name\":\"on\",\"weight\":1," PAYLOAD(    \
             "json",                                                                               \
             "{ \\\"a\\\" : 1 }") "},{\"name\":\"off\",\"weight\":0," PAYLOAD("string",            \
                                                                              "no "                \
                                                                              "\\\"way\\"          \
                                                                              "\"") "}"            \
                                                                                    "]" more)

START_TEST(flags_evaluate__a_value_is_json_of_the_flags_type) {
    static const struct {
        const char *document, *value;
    } values[] = {
        {FLAG(""), "true"},
        {FLAG(",\"killed\":true"), "false"},
        {WITH_VALUE("object", ""), "{\"a\":1}"},
        {WITH_VALUE("object", ",\"killed\":true"), "\"no \\\"way\\\"\""},
        {WITH_VALUE("string", STRATEGIES(ROLLOUT("0", "\"groupId\":\"g\""))), "\"no \\\"way\\\"\""},
        {WITH_VALUE("boolean", ""), "true"},
        {FLAG(",\"value_type\":\"number\",\"variants\":[{\"name\":\"a\",\"weight\":1," PAYLOAD(
             "number", "1.50") "}]"),
         "1.5"},
        {FLAG(",\"value_type\":\"number\",\"variants\":[{\"name\":\"a\",\"weight\":1," PAYLOAD(
             "number", "many") "}]"),
         NULL},
        {FLAG(",\"value_type\":\"string\""), NULL},
        {FLAG(",\"value_type\":\"string\",\"default_variant\":\"gone\""), NULL},
    };

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        _cleanup_(asked_done) struct asked a = asked_new(values[i].document, "{}");
        const char *value = ask(&a, "f").value;

        ck_assert_msg(value == values[i].value ||
                          (value && values[i].value && strcmp(value, values[i].value) == 0),
                      "%s: %s", values[i].document, value ? value : "none");
    }
}
END_TEST

/* How many of n are on, and how many of those have the variant. */
static void count(struct asked *a, unsigned n, const char *variant, unsigned *on, unsigned *has) {
    *on = *has = 0;
    for (unsigned i = 0; i < n; i++) {
        struct flag_result r = ask(a, "f");

        *on += r.enabled;
        *has += r.variant && variant && strcmp(r.variant->name, variant) == 0;
    }
}

/* Within six standard deviations; the sequence is always the same, so that it never just happens.
 */
static void assert_share(unsigned got, unsigned n, double share) {
    double wanted = n * share;

    ck_assert_msg(fabs(got - wanted) <= 6 * sqrt(wanted * (1 - share)) + 1, "%u of %u, not %f", got,
                  n, share);
}

START_TEST(flags_evaluate__chance_is_asked_once) {
    static const int percentages[] = {1, 5, 20, 50, 80, 99};
    enum { TIMES = 40000 };

    for (size_t i = 0; i < sizeof percentages / sizeof *percentages; i++) {
        _cleanup_free_ char *document = xasprintf(
            FLAG(STRATEGIES("{\"name\":\"flexibleRollout\",\"parameters\":{\"rollout\":\"%d\","
                            "\"stickiness\":\"random\"}}") TWO_VARIANTS),
            percentages[i]);
        _cleanup_(asked_done) struct asked a = asked_new(document, "{\"userId\":\"7\"}");
        unsigned on, has;

        count(&a, TIMES, "b", &on, &has);
        assert_share(on, TIMES, percentages[i] / 100.0); /* not squared by the variant */
        assert_share(has, on, 0.5);
    }
}
END_TEST

START_TEST(flags_evaluate__who_is_named_stays_where_he_is) {
    _cleanup_(asked_done) struct asked a =
        asked_new(FLAG(STRATEGIES(ROLLOUT("50", "\"stickiness\":\"default\"")) TWO_VARIANTS), "{}");
    enum { USERS = 2000 };
    unsigned on = 0;

    for (int user = 0; user < USERS; user++) {
        struct flag_result first;

        json_object_set_new(a.context, "targetingKey", json_sprintf("user-%d", user));
        first = ask(&a, "f");
        ck_assert_int_eq(first.enabled, ask(&a, "f").enabled);
        ck_assert(!first.key_missing);
        on += first.enabled;
    }
    assert_share(on, USERS, 0.5);
}
END_TEST

START_TEST(flags_evaluate__says_when_nobody_is_named) {
    static const struct {
        const char *document;
        bool missing;
    } asks[] = {
        {FLAG(STRATEGIES(ROLLOUT("50", "\"stickiness\":\"default\""))), true},
        {FLAG(STRATEGIES(ROLLOUT("50", "\"stickiness\":\"userId\""))), true},
        {FLAG(STRATEGIES(ROLLOUT("50", "\"stickiness\":\"random\""))), false},
        {FLAG(STRATEGIES(ROLLOUT("0", "\"stickiness\":\"userId\""))), false},
        {FLAG(",\"variants\":[{\"name\":\"a\",\"weight\":1},{\"name\":\"b\",\"weight\":1}]"), true},
        {FLAG(",\"variants\":[{\"name\":\"a\",\"weight\":1}]"), false},
        {FLAG(TWO_VARIANTS), false},
    };

    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        _cleanup_(asked_done) struct asked a = asked_new(asks[i].document, "{}");

        ck_assert_msg(ask(&a, "f").key_missing == asks[i].missing, "%s", asks[i].document);
    }
}
END_TEST

/* A segment of a hundred thousand users: a list that is gone through would not end in time. */
START_TEST(flags_evaluate__large_segments_are_quick) {
    enum { USERS = 100000, ASKS = 300000 };
    json_auto_t *document = NULL, *values = json_array();
    _cleanup_free_ char *text = NULL;
    _cleanup_(asked_done) struct asked a = {0};
    unsigned on = 0;

    for (int i = 0; i < USERS; i++)
        json_array_append_new(values, json_sprintf("user-%d", i));
    document = json_pack("{s:[{s:s, s:b, s:[{s:s, s:[s]}]}], s:[{s:s, s:[{s:s, s:s, s:O}]}]}",
                         "flags", "name", "f", "enabled", 1, "strategies", "name", "default",
                         "segments", "s", "segments", "name", "s", "constraints", "context_name",
                         "userId", "operator", "IN", "values", values);
    text = json_text(document);
    a = asked_new(text, "{}");
    for (int i = 0; i < ASKS; i++) {
        if (i % (ASKS / 6) == 0) /* half of them are in it */
            json_object_set_new(a.context, "userId",
                                json_sprintf("user-%d", i / (ASKS / 6) * (USERS / 3 + 1)));
        on += ask(&a, "f").enabled;
    }
    ck_assert_uint_eq(on, ASKS / 2);
}
END_TEST

START_TEST(flags_evaluate__hostile_contexts_are_answered) {
    _cleanup_free_ char *huge = xmalloc(1 << 20), *deep = xmalloc(4001);
    json_auto_t *context = json_object(), *nested = json_integer(1);
    struct asked a = asked_new(FLAG(RULE("NOT_IN", "\"values\":[\"a\"]")), "{}");

    memset(huge, 'a', (1 << 20) - 1);
    huge[(1 << 20) - 1] = '\0';
    for (int i = 0; i < 10000; i++) {
        snprintf(deep, 4001, "key-%d", i);
        json_object_set_new(context, deep, json_integer(i));
    }
    for (int i = 0; i < 1000; i++)
        nested = json_pack("{s:o}", "properties", nested);
    json_object_set(context, "properties", nested);
    json_decref(a.context);
    a.context = json_incref(context);
    ck_assert(ask(&a, "f").enabled);
    json_object_set_new(context, "x", json_string(huge)); /* too long to be looked at: not there */
    ck_assert(ask(&a, "f").enabled);
    huge[4096] = '\0';
    json_object_set_new(context, "x", json_string(huge));
    ck_assert(ask(&a, "f").enabled);
    json_object_set_new(context, "x", json_string("a"));
    ck_assert(!ask(&a, "f").enabled);
    asked_done_cleanup(&a);
}
END_TEST

START_TEST(flags_evaluate__flags_have_names_and_an_order) {
    json_auto_t *document = json_parse("{\"flags\":[{\"name\":\"b\",\"stale\":true,\"impression_"
                                       "data\":true,\"type\":\"experiment\"},"
                                       "{\"name\":\"a\"},{\"name\":\"b\",\"enabled\":true}]}");
    struct flags *f = flags_compile(document);

    ck_assert_uint_eq(flags_count(f), 3);
    ck_assert_str_eq(flags_at(f, 1)->name, "a");
    ck_assert_str_eq(flags_at(f, 1)->type, "release");
    ck_assert(flags_find(f, "b") == flags_at(f, 0) && flags_find(f, "b")->stale &&
              flags_find(f, "b")->impression_data);
    ck_assert_str_eq(flags_find(f, "b")->type, "experiment");
    ck_assert(!flags_find(f, "c") && !flags_find(f, ""));
    flags_free(f);
    flags_free(NULL);
    f = flags_compile(NULL);
    ck_assert(flags_count(f) == 0 && !flags_find(f, "a"));
    flags_free(f);
}
END_TEST

int main(void) {
    return RUN_SUITE(
        "flags_evaluate", 60, flags_evaluate__the_hashes_are_everybodys,
        flags_evaluate__one_answer_for_each_question,
        flags_evaluate__a_value_is_json_of_the_flags_type, flags_evaluate__chance_is_asked_once,
        flags_evaluate__who_is_named_stays_where_he_is, flags_evaluate__says_when_nobody_is_named,
        flags_evaluate__large_segments_are_quick, flags_evaluate__hostile_contexts_are_answered,
        flags_evaluate__flags_have_names_and_an_order);
}
