/* What an environment's body may say beyond types and ranges, and its full form. */
#include "domain/environment.h"
#include "base/cleanup.h"
#include "tests/support/suite.h"
#include "tests/support/with.h"
#include <string.h>

static const char inopnc[] =
    "{\"cluster\":\"local\",\"namespace\":\"production\",\"container\":\"app\",\"port\":3000,"
    "\"blue_green\":{\"service\":\"inopnc-prod\",\"selector_key\":\"environment\",\"colors\":{"
    "\"blue\":{\"deployment\":\"inopnc-blue\",\"service\":\"inopnc-blue-service\"},"
    "\"green\":{\"deployment\":\"inopnc-green\",\"service\":\"inopnc-green-service\"}}},"
    "\"checks\":{\"health\":[{\"name\":\"health\",\"path\":\"/api/health\"}]}}";

static void expect(const char *pointer, const char *value, const char *field) {
    json_auto_t *body = json_with(inopnc, pointer, value);
    json_auto_t *errors = json_array();
    const char *said;

    environment_check(body, errors);
    said = json_str(json_array_get(errors, 0), "field", "nothing");
    if (field)
        ck_assert_msg(!strcmp(said, field), "%s = %s: %s, not %s", pointer, value, said, field);
    else
        ck_assert_msg(json_array_size(errors) == 0, "%s = %s: %s", pointer, value, said);
}

START_TEST(environment__refusals_name_the_field) {
    static const struct {
        const char *pointer, *value, *field; /* field NULL: allowed */
    } cases[] = {
        {"/namespace", "\"staging\"", NULL},
        {"/blue_green/selector_key", "\"app.kubernetes.io/color\"", NULL},
        {"/blue_green/selector_key", "\"a b\"", "/blue_green/selector_key"},
        {"/blue_green/selector_key", "\"/color\"", "/blue_green/selector_key"},
        {"/blue_green/selector_key", "\"-color\"", "/blue_green/selector_key"},
        {"/blue_green/service", "\"inopnc-blue-service\"", "/blue_green/colors/blue/service"},
        {"/blue_green/service", "\"inopnc-green-service\"", "/blue_green/colors/green/service"},
        {"/blue_green/colors/green/deployment", "\"inopnc-blue\"",
         "/blue_green/colors/green/deployment"},
        {"/blue_green/colors/green/service", "\"inopnc-blue-service\"",
         "/blue_green/colors/green/service"},
        {"/blue_green/colors/green/deployment", "\"Inopnc\"",
         "/blue_green/colors/green/deployment"},
        {"/blue_green/colors/green/deployment", "\"a.b\"", NULL},
        {"/checks/health/0", "{\"name\":\"health\",\"path\":\"/\"}", "/checks/health/1/name"},
        {"/checks/health/0", "{\"name\":\"x\",\"url\":\"https://example.com/health?a=b\"}", NULL},
        {"/checks/health/0", "{\"name\":\"x\"}", "/checks/health/1/path"},
        {"/checks/health/0", "{\"name\":\"x\",\"path\":\"/\",\"url\":\"http://a\"}",
         "/checks/health/1/path"},
        {"/checks/health/0/path", "\"api\"", "/checks/health/0/path"},
        {"/checks/health/0/path", "\"/a b\"", "/checks/health/0/path"},
        {"/checks/health/0/path", "\"/a#b\"", "/checks/health/0/path"},
        {"/checks/health/0/path", "\"/a\\nb\"", "/checks/health/0/path"},
        {"/checks/health/0", "{\"name\":\"x\",\"url\":\"ftp://a/\"}", "/checks/health/1/url"},
        {"/checks/health/0", "{\"name\":\"x\",\"url\":\"http:///a\"}", "/checks/health/1/url"},
        {"/checks/health/0", "{\"name\":\"x\",\"url\":\"http://u:p@a/\"}", "/checks/health/1/url"},
        {"/checks/health/0/headers", "{\"X-Probe\":\"yes\"}", NULL},
        {"/checks/health/0/headers", "{\"X Probe\":\"yes\"}", "/checks/health/0/headers/X Probe"},
        {"/checks/health/0/headers", "{\"a/b\":\"yes\"}", "/checks/health/0/headers/a~1b"},
        {"/checks/health/0/headers", "{\"X-Probe\":\"a\\r\\nB: c\"}",
         "/checks/health/0/headers/X-Probe"},
        {"/checks/health/0/headers", "{\"X-Probe\":7}", "/checks/health/0/headers/X-Probe"},
        {"/checks/health/0/headers", "{\"Content-Length\":\"1\"}",
         "/checks/health/0/headers/Content-Length"},
        {"/checks/health/0/headers", "{\"authorization\":\"Bearer x\"}",
         "/checks/health/0/headers/authorization"},
        {"/checks/health/0/headers", "{\"Cookie\":\"a=b\"}", "/checks/health/0/headers/Cookie"},
        {"/checks/health/0/headers",
         "{\"Authorization\":{\"value_from\":{\"secret\":\"inopnc-secrets\",\"key\":\"TOKEN\"}}}",
         NULL},
        {"/checks/health/0/headers", "{\"Authorization\":{\"value_from\":{\"secret\":\"s\"}}}",
         "/checks/health/0/headers/Authorization"},
        {"/checks/health/0/headers",
         "{\"Authorization\":{\"value_from\":{\"secret\":\"s\",\"key\":\"k\",\"x\":1}}}",
         "/checks/health/0/headers/Authorization"},
        {"/checks/health/0/headers", "{\"Authorization\":{\"value\":\"x\"}}",
         "/checks/health/0/headers/Authorization"},
        {"/checks/health/0/json", "{\"/status\":\"healthy\",\"\":{},\"/a~1b/0\":null}", NULL},
        {"/checks/health/0/json", "{\"status\":\"healthy\"}", "/checks/health/0/json/status"},
        {"/checks/health/0/json", "{\"/a~2\":1}", "/checks/health/0/json/~1a~02"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i].pointer, cases[i].value, cases[i].field);
}
END_TEST

START_TEST(environment__what_comes_later_is_named) {
    json_auto_t *now = json_parse(inopnc);
    json_auto_t *canary = json_with(inopnc, "/strategy", "\"canary\"");
    const char *sentence = NULL;

    ck_assert_ptr_null(environment_unsupported(now, &sentence));
    ck_assert_str_eq(environment_unsupported(canary, &sentence), "/strategy");
    ck_assert(sentence && *sentence);
}
END_TEST

START_TEST(environment__spec_has_every_default_in_order) {
    json_auto_t *body = json_parse(inopnc);
    json_auto_t *spec = environment_spec(body);
    json_auto_t *again = environment_spec(spec);
    _cleanup_free_ char *text = json_text(spec);
    _cleanup_free_ char *text_again = json_text(again);

    ck_assert_str_eq(
        text,
        "{\"cluster\":\"local\",\"namespace\":\"production\",\"container\":\"app\",\"port\":3000,"
        "\"strategy\":\"blue-green\",\"blue_green\":{\"service\":\"inopnc-prod\","
        "\"selector_key\":\"environment\",\"colors\":{\"blue\":{\"deployment\":\"inopnc-blue\","
        "\"service\":\"inopnc-blue-service\"},\"green\":{\"deployment\":\"inopnc-green\","
        "\"service\":\"inopnc-green-service\"}},\"promote\":\"auto\",\"idle_rollout\":\"at-once\","
        "\"keep_previous_s\":86400},\"checks\":{\"reach\":\"auto\",\"health\":[{\"name\":"
        "\"health\","
        "\"path\":\"/api/health\",\"method\":\"GET\",\"status\":200,\"timeout_s\":5,"
        "\"interval_s\":1,\"consecutive\":1,\"failures\":3}],\"smoke\":[],\"production\":[]},"
        "\"deadlines\":{\"available_s\":600,\"checks_s\":120,\"validate_s\":30}}");
    ck_assert_str_eq(text, text_again);
}
END_TEST

START_TEST(environment__moves_when_place_or_objects_change) {
    static const struct {
        const char *pointer, *value;
        bool moved;
    } cases[] = {
        {"/port", "8080", false},
        {"/container", "\"web\"", false},
        {"/blue_green/keep_previous_s", "60", false},
        {"/cluster", "\"other\"", true},
        {"/namespace", "\"staging\"", true},
        {"/blue_green/service", "\"other\"", true},
        {"/blue_green/selector_key", "\"color\"", true},
        {"/blue_green/colors/blue/deployment", "\"other\"", true},
        {"/blue_green/colors/green/service", "\"other\"", true},
    };
    json_auto_t *body = json_parse(inopnc);
    json_auto_t *before = environment_spec(body);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_auto_t *changed = json_with(inopnc, cases[i].pointer, cases[i].value);
        json_auto_t *after = environment_spec(changed);

        ck_assert_msg(environment_moved(before, after) == cases[i].moved, "%s", cases[i].pointer);
    }
}
END_TEST

START_TEST(environment__names_five_objects) {
    json_auto_t *body = json_parse(inopnc);
    json_auto_t *objects = environment_objects(body);
    _cleanup_free_ char *text = json_text(objects);

    ck_assert_str_eq(text, "[{\"kind\":\"Service\",\"name\":\"inopnc-prod\"},"
                           "{\"kind\":\"Deployment\",\"name\":\"inopnc-blue\"},"
                           "{\"kind\":\"Service\",\"name\":\"inopnc-blue-service\"},"
                           "{\"kind\":\"Deployment\",\"name\":\"inopnc-green\"},"
                           "{\"kind\":\"Service\",\"name\":\"inopnc-green-service\"}]");
}
END_TEST

int main(void) {
    return RUN_SUITE(
        "environment", 10, environment__refusals_name_the_field,
        environment__what_comes_later_is_named, environment__spec_has_every_default_in_order,
        environment__moves_when_place_or_objects_change, environment__names_five_objects);
}
