/* Templates of checklists: what is refused, by its field, and the full form. */
#include "domain/checklist_template.h"
#include "tests/support/fields.h"
#include "tests/support/suite.h"
#include <string.h>

#define ITEM(key, kind, more) "{\"key\":\"" key "\",\"title\":\"T\",\"kind\":\"" kind "\"" more "}"
#define PARAMS(more)          ",\"params\":{" more "}"
#define GROUP(name, items)    "{\"name\":\"" name "\",\"title\":\"G\",\"items\":[" items "]}"
#define SEVERITY(value)                                                                            \
    "[" GROUP("g", ITEM("a", "evidence", PARAMS("\"max_security_severity\":" value))) "]"

static void expect(const char *groups, const char *fields, const char *codes) {
    json_auto_t *parsed = json_parse(groups), *errors = json_array();
    _cleanup_free_ char *found = NULL, *found_codes = NULL;

    ck_assert_msg(parsed != NULL, "%s", groups);
    checklist_template_check(parsed, errors);
    found = fields_of(errors);
    found_codes = errors_text(errors, "code");
    ck_assert_msg(strcmp(found, fields) == 0, "%s: %s", groups, found);
    ck_assert_msg(strcmp(found_codes, codes) == 0, "%s: %s", groups, found_codes);
}

START_TEST(checklist_template__params_belong_to_their_kind) {
    static const struct {
        const char *name, *value, *kind;
    } params[] = {
        {"note", "true", "manual"},
        {"note", "false", "manual"},
        {"person", "true", "manual"},
        {"max_level", "\"error\"", "evidence"},
        {"max_security_severity", "7.5", "evidence"},
        {"max_total_bytes", "1", "evidence"},
        {"max_file_bytes", "1", "evidence"},
    };
    static const char *const kinds[] = {"manual", "evidence", "probe"};

    for (size_t p = 0; p < sizeof params / sizeof *params; p++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            bool own = strcmp(kinds[k], params[p].kind) == 0;
            _cleanup_free_ char *field = xasprintf("/groups/0/items/0/params/%s", params[p].name);
            _cleanup_free_ char *groups =
                xasprintf("[{\"name\":\"g\",\"items\":[{\"key\":\"a\",\"kind\":\"%s\","
                          "\"params\":{\"%s\":%s}}]}]",
                          kinds[k], params[p].name, params[p].value);
            _cleanup_free_ char *absent =
                xasprintf("[{\"name\":\"g\",\"items\":[{\"key\":\"a\",\"kind\":\"%s\","
                          "\"params\":{\"%s\":null}}]}]",
                          kinds[k], params[p].name);

            expect(groups, own ? "" : field, own ? "" : "conflict");
            expect(absent, "", "");
        }
}
END_TEST

START_TEST(checklist_template__refusals_name_the_field) {
    static const struct {
        const char *groups, *fields, *codes;
    } cases[] = {
        {"[" GROUP("g", ITEM("a", "manual", "")) "]", "", ""},
        {"[" GROUP("g", ITEM("a", "manual", "") "," ITEM("b", "probe", "")) "]", "", ""},
        {"[" GROUP("g", ITEM("a", "manual", "") "," ITEM("a", "probe", "")) "]",
         "/groups/0/items/1/key", "duplicate"},
        {"[" GROUP("g", ITEM("a", "manual", "")) "," GROUP("h", ITEM("a", "manual", "")) "]",
         "/groups/1/items/0/key", "duplicate"},
        {"[" GROUP("g", ITEM("a", "manual", "")) "," GROUP("g", ITEM("b", "manual", "")) "]",
         "/groups/1/name", "duplicate"},
        {"[" GROUP("g", ITEM("g", "manual", "")) "]", "", ""}, /* names and keys are apart */
        {"[" GROUP("g", ITEM("a", "probe", ",\"probe\":\"backup\"")) "]", "", ""},
        {"[" GROUP("g", ITEM("a", "manual", ",\"probe\":\"backup\"")) "]",
         "/groups/0/items/0/probe", "conflict"},
        {"[" GROUP("g", ITEM("a", "evidence", ",\"probe\":\"backup\"")) "]",
         "/groups/0/items/0/probe", "conflict"},
        {"[" GROUP("g", ITEM("a", "manual", ",\"probe\":null")) "]", "", ""},
        {"[" GROUP("g", ITEM("a", "probe", PARAMS("\"note\":true,\"max_level\":\"error\""))) "]",
         "/groups/0/items/0/params/note /groups/0/items/0/params/max_level", "conflict conflict"},
        {SEVERITY("0"), "", ""},
        {SEVERITY("10"), "", ""},
        {SEVERITY("0.0"), "", ""},
        {SEVERITY("9.9999"), "", ""},
        {SEVERITY("null"), "", ""},
        {SEVERITY("-0.1"), "/groups/0/items/0/params/max_security_severity", "range"},
        {SEVERITY("10.1"), "/groups/0/items/0/params/max_security_severity", "range"},
        {SEVERITY("11"), "/groups/0/items/0/params/max_security_severity", "range"},
        {SEVERITY("1e300"), "/groups/0/items/0/params/max_security_severity", "range"},
        {SEVERITY("\"9\""), "/groups/0/items/0/params/max_security_severity", "type"},
        {SEVERITY("true"), "/groups/0/items/0/params/max_security_severity", "type"},
        {SEVERITY("[9]"), "/groups/0/items/0/params/max_security_severity", "type"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i].groups, cases[i].fields, cases[i].codes);
}
END_TEST

/* So many items, in groups of a hundred. */
static json_t *groups_of(int items) {
    json_t *groups = json_array(), *of_group = NULL;

    for (int i = 0; i < items; i++) {
        if (i % TEMPLATE_GROUP_ITEMS_MAX == 0) {
            of_group = json_array();
            json_array_append_new(
                groups, json_pack("{s:o, s:o}", "name", json_sprintf("g%d", i), "items", of_group));
        }
        json_array_append_new(
            of_group, json_pack("{s:o, s:s}", "key", json_sprintf("k%d", i), "kind", "manual"));
    }
    return groups;
}

START_TEST(checklist_template__so_many_items_in_all) {
    for (int more = 0; more < 2; more++) {
        json_auto_t *groups = groups_of(TEMPLATE_ITEMS_MAX + more);
        _cleanup_free_ char *text = json_text(groups);

        expect(text, more ? "/groups" : "", more ? "too-long" : "");
    }
}
END_TEST

START_TEST(checklist_template__the_full_form) {
    static const struct {
        const char *item, *full;
    } cases[] = {
        {ITEM("a", "manual", ""),
         "{\"key\":\"a\",\"title\":\"T\",\"kind\":\"manual\",\"required\":true}"},
        {ITEM("a", "manual", ",\"required\":false,\"params\":{},\"expires_s\":null"),
         "{\"key\":\"a\",\"title\":\"T\",\"kind\":\"manual\",\"required\":false}"},
        {"{\"params\":{\"person\":true,\"note\":false},\"expires_s\":60,\"kind\":\"manual\","
         "\"title\":\"T\",\"key\":\"a\"}",
         "{\"key\":\"a\",\"title\":\"T\",\"kind\":\"manual\",\"required\":true,\"params\":{"
         "\"note\":false,\"person\":true},\"expires_s\":60}"},
        {ITEM("a", "probe", ",\"probe\":\"backup\""),
         "{\"key\":\"a\",\"title\":\"T\",\"kind\":\"probe\",\"required\":true,\"probe\":"
         "\"backup\"}"},
        /* jsonb writes 9.0 as 9.0 and 9 as 9: one form of both, or equal content would differ */
        {ITEM("a", "evidence", PARAMS("\"max_security_severity\":9.0")),
         "{\"key\":\"a\",\"title\":\"T\",\"kind\":\"evidence\",\"required\":true,\"params\":{"
         "\"max_security_severity\":9}}"},
        {ITEM("a", "evidence", PARAMS("\"max_security_severity\":7.5,\"max_level\":null")),
         "{\"key\":\"a\",\"title\":\"T\",\"kind\":\"evidence\",\"required\":true,\"params\":{"
         "\"max_security_severity\":7.5}}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *body =
            xasprintf("[{\"items\":[%s],\"title\":\"G\",\"name\":\"g\"}]", cases[i].item);
        _cleanup_free_ char *wanted =
            xasprintf("[{\"name\":\"g\",\"title\":\"G\",\"items\":[%s]}]", cases[i].full);
        json_auto_t *parsed = json_parse(body), *full = checklist_template_groups(parsed),
                    *again = checklist_template_groups(full);
        _cleanup_free_ char *text = json_text(full);

        ck_assert_str_eq(text, wanted);
        ck_assert(json_equal(again, full));
    }
}
END_TEST

int main(void) {
    return RUN_SUITE("checklist_template", 10, checklist_template__params_belong_to_their_kind,
                     checklist_template__refusals_name_the_field,
                     checklist_template__so_many_items_in_all, checklist_template__the_full_form);
}
