/* YAML as JSON: tables of texts and what they mean. */
#include "base/cleanup.h"
#include "base/status.h"
#include "kube/yaml.h"
#include "tests/support/suite.h"
#include <string.h>

static char *as_json(const char *text, char why[160]) {
    json_auto_t *documents = kube_yaml_documents(text, strlen(text), why, 160);

    return documents ? json_text(documents) : NULL;
}

START_TEST(kube_yaml__texts_become_values) {
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"", "[]"},
        {"---\n# only a comment\n---\n", "[]"},
        {"a: 1\n---\nb: 2\n", "[{\"a\":1},{\"b\":2}]"},
        {"a: 1\n...\n---\nb: 2\n...\n", "[{\"a\":1},{\"b\":2}]"},
        {"[1, {b: [2, x]}]", "[[1,{\"b\":[2,\"x\"]}]]"},
        {"a: null\nb: ~\nc:\nd: \"\"\n", "[{\"a\":null,\"b\":null,\"c\":null,\"d\":\"\"}]"},
        {"[true, True, FALSE, yes, on, 'true']", "[[true,true,false,\"yes\",\"on\",\"true\"]]"},
        {"[0, 1, -1, +7, 12345678901]", "[[0,1,-1,7,12345678901]]"},
        {"[0644, 0o17, 0x1F, 08, 00]", "[[420,15,31,8,0]]"},
        {"[1.5, .5, 1., 1e3, -2.5E-1]", "[[1.5,0.5,1.0,1000.0,-0.25]]"},
        {"['1', \"0644\", !!str 5, ! 6]", "[[\"1\",\"0644\",\"5\",\"6\"]]"},
        {"[1.2.3, v1.2.3, 1_000, 1h, 0x, 0o8, '-', -x, ., +, 1e, 12e+]",
         "[[\"1.2.3\",\"v1.2.3\",\"1_000\",\"1h\",\"0x\",\"0o8\",\"-\",\"-x\",\".\",\"+\",\"1e\","
         "\"12e+\"]]"},
        {"[!!int \"3\", !!float 2]", "[[3,2]]"},
        {"[!!int 3, !!float 2.5, !!bool true, !!null ~]", "[[3,2.5,true,null]]"},
        {"9223372036854775807", "[9223372036854775807]"},
        {"x: 2006-01-02\ny: 12:30:45", "[{\"x\":\"2006-01-02\",\"y\":\"12:30:45\"}]"},
        {"1: a\ntrue: b\n", "[{\"1\":\"a\",\"true\":\"b\"}]"},
        {"a: |\n  one\n  two\nb: >-\n  one\n  two\n",
         "[{\"a\":\"one\\ntwo\\n\",\"b\":\"one two\"}]"},
        {"{\"kind\": \"Service\", \"spec\": {\"ports\": [{\"port\": 80}]}}",
         "[{\"kind\":\"Service\",\"spec\":{\"ports\":[{\"port\":80}]}}]"},
        {"k: \"\\u00e4\"", "[{\"k\":\"\xc3\xa4\"}]"},
        {"image: ${IMAGE}\n", "[{\"image\":\"${IMAGE}\"}]"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char why[160] = "";
        _cleanup_free_ char *json = as_json(cases[i].text, why);

        ck_assert_msg(json && strcmp(json, cases[i].json) == 0, "%s gave %s (%s)", cases[i].text,
                      json, why);
    }
}
END_TEST

START_TEST(kube_yaml__refusals_name_the_line) {
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "line 3: duplicate key \"a\""},
        {"{\"a\": 1, \"a\": 2}", "line 1: duplicate key"},
        {"a: &x 1\n", "line 1: anchors"},
        {"a: 1\nb: *x\n", "line 2: anchors"},
        {"a: &x [1]\n", "line 1: anchors"},
        {"&k a: 1\n", "line 1: a key"},
        {"? [1]\n: 2\n", "line 1: a key"},
        {"*x : 2\n", "line 1: a key"},
        {"a: b\n  c: d\n", "line 2: "},
        {"a: [1, 2\n", "line "},
        {"\tb: 1\n", "line 1: "},
        {"a: \"x\\0y\"\n", "line 1: a NUL"},
        {"\"a\\0\": 1\n", "line 1: a NUL"},
        {"a: .inf\n", "line 1: a number"},
        {"a: .NaN\n", "line 1: a number"},
        {"a: 1e999\n", "line 1: a number"},
        {"a: 0xFFFFFFFFFFFFFFFFF\n", "line 1: a number"},
        {"a: !!int x\n", "line 1: "},
        {"a: !custom x\n", "line 1: a tag"},
        {"a: !!binary aGk=\n", "line 1: a tag"},
        {"a: !!set {x}\n", "line 1: a tag"},
        {"a: \xff\n", "line 1: "},
        {"%YAML 3.0\n---\na: 1\n", "line 1: "},
        {"a: \"\xed\xa0\x80\"\n", "line "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char why[160] = "";
        _cleanup_free_ char *json = as_json(cases[i].text, why);

        ck_assert_msg(!json, "%s gave %s", cases[i].text, json);
        ck_assert_msg(strncmp(why, cases[i].why, strlen(cases[i].why)) == 0, "%s: %s",
                      cases[i].text, why);
        ck_assert(!strchr(why, '\n'));
    }
}
END_TEST

static char *repeated(const char *unit, size_t n) {
    char *text = xmalloc(strlen(unit) * n + 1);

    *text = '\0';
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * strlen(unit), unit, strlen(unit) + 1);
    return text;
}

START_TEST(kube_yaml__limits_hold) {
    static const struct {
        const char *unit;
        size_t n;
        const char *why; /* NULL: accepted */
    } cases[] = {
        {"---\na: 1\n", 64, NULL},
        {"---\na: 1\n", 65, "line 130: more than 64 documents"},
        {"- ", 33, "line 1: more than 32 levels deep"},
        {"- ", 32, NULL},
        {"[", 100000, "line 1: "},
        {"{a: ", 100000, "line 1: "},
        {"#\n", 524289, "larger than"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        _cleanup_free_ char *text = repeated(cases[i].unit, cases[i].n), *json = NULL;
        char why[160] = "";

        json = as_json(text, why);
        ck_assert_msg(!json == (cases[i].why != NULL), "case %zu: %s", i, why);
        if (cases[i].why)
            ck_assert_msg(strncmp(why, cases[i].why, strlen(cases[i].why)) == 0, "%s", why);
    }
}
END_TEST

START_TEST(kube_yaml__text_need_not_end_with_nul) {
    char why[160];
    json_auto_t *documents = kube_yaml_documents("a: 12345", 5, why, sizeof(why));

    ck_assert_int_eq(json_int(json_array_get(documents, 0), "a", 0), 12);
    ck_assert_ptr_null(kube_yaml_documents("a: 1\0b", 6, why, sizeof(why)));
}
END_TEST

int main(void) {
    return RUN_SUITE("kube_yaml", 20, kube_yaml__texts_become_values,
                     kube_yaml__refusals_name_the_line, kube_yaml__limits_hold,
                     kube_yaml__text_need_not_end_with_nul);
}
