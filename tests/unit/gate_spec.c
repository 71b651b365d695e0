/* What an environment asks for: each role once, and the full form with its defaults. */
#include "domain/gate_spec.h"
#include "tests/support/fields.h"
#include "tests/support/suite.h"
#include <string.h>

#define ONE(role) "{\"role\":\"" role "\"}"

START_TEST(gate_spec__each_role_once) {
    static const struct {
        const char *body, *fields;
    } cases[] = {
        {"{}", ""},
        {"{\"approvals\":null,\"acceptance\":null}", ""},
        {"{\"approvals\":[]}", ""},
        {"{\"approvals\":[" ONE("qa") "," ONE("final") "]}", ""},
        {"{\"approvals\":[" ONE("qa") "],\"acceptance\":[" ONE("qa") "]}", ""},
        {"{\"approvals\":[" ONE("qa") "," ONE("qa") "]}", "/approvals/1/role"},
        {"{\"acceptance\":[" ONE("qa") "," ONE("final") "," ONE("qa") "," ONE("qa") "]}",
         "/acceptance/2/role /acceptance/3/role"},
        {"{\"approvals\":[" ONE("qa") "," ONE("qa") "],\"acceptance\":[" ONE("final") "," ONE(
             "final") "]}",
         "/approvals/1/role /acceptance/1/role"},
        {"{\"approvals\":[{\"role\":\"qa\",\"count\":1},{\"role\":\"qa\",\"count\":2}]}",
         "/approvals/1/role"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *body = json_parse(cases[i].body), *errors = json_array();
        _cleanup_free_ char *fields = NULL, *codes = NULL;

        gate_spec_check(body, errors);
        fields = fields_of(errors);
        codes = errors_text(errors, "code");
        ck_assert_msg(strcmp(fields, cases[i].fields) == 0, "%s: %s", cases[i].body, fields);
        ck_assert_msg(!*fields || strncmp(codes, "duplicate", 9) == 0, "%s", codes);
    }
}
END_TEST

#define DEFAULTS(checklist, approvals, acceptance)                                                 \
    "{\"checklist\":" checklist ",\"approvals\":" approvals ",\"acceptance\":" acceptance          \
    ",\"acceptance_blocks_next\":false,\"self_approval\":false,\"freeze\":true"
#define NOTHING DEFAULTS("{}", "[]", "[]") ",\"evidence_max_age_s\":0}"

static const char everything[] =
    "{\"checklist\":{\"before\":\"b\",\"after\":\"a\"},"
    "\"approvals\":[{\"role\":\"qa\",\"count\":2},{\"role\":\"final\",\"count\":10}],"
    "\"acceptance\":[{\"role\":\"support\",\"count\":1}],\"acceptance_blocks_next\":true,"
    "\"self_approval\":true,\"freeze\":false,\"previous_environment\":\"staging\","
    "\"evidence_max_age_s\":31536000,\"flag_approvals\":{\"count\":5}}";

/* The text, so that the order is compared, too; and of a stored spec the same spec. */
static void expect_full(const char *body, const char *full) {
    json_auto_t *parsed = json_parse(body), *spec = gate_spec(parsed), *again = gate_spec(spec);
    _cleanup_free_ char *text = json_text(spec), *text_again = json_text(again);

    ck_assert_str_eq(text, full);
    ck_assert_str_eq(text_again, full);
}

START_TEST(gate_spec__what_is_left_out_has_its_default) {
    static const struct {
        const char *body, *full;
    } cases[] = {
        {"{}", NOTHING},
        {"{\"checklist\":null,\"approvals\":null,\"acceptance\":null,\"self_approval\":null,"
         "\"freeze\":null,\"previous_environment\":null,\"evidence_max_age_s\":null,"
         "\"flag_approvals\":null}",
         NOTHING},
        {"{\"checklist\":{}}", NOTHING},
        {"{\"checklist\":{\"after\":\"a\",\"before\":null}}",
         DEFAULTS("{\"after\":\"a\"}", "[]", "[]") ",\"evidence_max_age_s\":0}"},
        {"{\"approvals\":[" ONE("qa") "]}",
         DEFAULTS("{}", "[{\"role\":\"qa\",\"count\":1}]", "[]") ",\"evidence_max_age_s\":0}"},
        {"{\"evidence_max_age_s\":60,\"previous_environment\":\"staging\"}",
         DEFAULTS("{}", "[]",
                  "[]") ",\"previous_environment\":\"staging\",\"evidence_max_age_s\":60}"},
        {"{\"flag_approvals\":{\"count\":2}}",
         DEFAULTS("{}", "[]", "[]") ",\"evidence_max_age_s\":0,\"flag_approvals\":{\"count\":2}}"},
        {"{\"flag_approvals\":{}}",
         DEFAULTS("{}", "[]", "[]") ",\"evidence_max_age_s\":0,\"flag_approvals\":{\"count\":1}}"},
        {"{\"checklist\":{\"unknown\":\"x\"},\"unknown\":1}", NOTHING},
        {everything, everything},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_full(cases[i].body, cases[i].full);
}
END_TEST

/* jsonb has an order of its own: an answer does not. */
START_TEST(gate_spec__order_is_the_contracts) {
    json_auto_t *spec = json_parse(everything), *shuffled = json_object();
    _cleanup_free_ char *text = NULL;
    const char *key;
    json_t *value;

    json_object_set(shuffled, "self_approval", json_object_get(spec, "self_approval"));
    json_object_set(shuffled, "evidence_max_age_s", json_object_get(spec, "evidence_max_age_s"));
    json_object_foreach(spec, key, value) json_object_set(shuffled, key, value);
    text = json_text(shuffled);
    ck_assert_str_ne(text, everything);
    expect_full(text, everything);
}
END_TEST

int main(void) {
    return RUN_SUITE("gate_spec", 10, gate_spec__each_role_once,
                     gate_spec__what_is_left_out_has_its_default,
                     gate_spec__order_is_the_contracts);
}
