/* tests/unit/http_body.c: bad bodies, and the field and code that each is refused with. */
#include "base/cleanup.h"
#include "http/body.h"
#include "http/jsonscan.h"
#include "tests/support/suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check_body {
    const char *name, *word, *note;
    int64_t at_us, count;
    bool wait;
    const char *const *owners;
    json_t *meta, *checks, *labels, *any;
};

static const struct field check_fields[] = {
    {.name = "path",
     .type = FIELD_STRING,
     .offset = FIELD_NOWHERE,
     .required = true,
     .min = 1,
     .max = 10},
    {.name = "status", .type = FIELD_INT, .offset = FIELD_NOWHERE, .min = 100, .max = 599},
};
static const struct body_schema check_schema = {
    .name = "Check", .fields = check_fields, .count = 2};
static const struct field label_fields[] = {
    {.name = "", .type = FIELD_STRING, .offset = FIELD_NOWHERE, .max = 5},
};
static const struct body_schema label_schema = {
    .name = "Label", .fields = label_fields, .count = 1};
#define AT(member) offsetof(struct check_body, member)
static const struct field fields[] = {
    {.name = "name", .type = FIELD_NAME, .offset = AT(name), .required = true},
    {.name = "word", .type = FIELD_ENUM, .offset = AT(word), .words = "blue-green|rolling"},
    {.name = "note", .type = FIELD_STRING, .offset = AT(note), .min = 2, .max = 8},
    {.name = "at", .type = FIELD_TIME, .offset = AT(at_us)},
    {.name = "count", .type = FIELD_INT, .offset = AT(count), .min = 1, .max = 10},
    {.name = "wait", .type = FIELD_BOOL, .offset = AT(wait)},
    {.name = "owners", .type = FIELD_STRINGS, .offset = AT(owners), .max = 3},
    {.name = "meta", .type = FIELD_OBJECT, .offset = AT(meta), .schema = &check_schema},
    {.name = "checks",
     .type = FIELD_OBJECTS,
     .offset = AT(checks),
     .schema = &check_schema,
     .max = 2},
    {.name = "labels", .type = FIELD_MAP, .offset = AT(labels), .schema = &label_schema, .max = 2},
    {.name = "any", .type = FIELD_ANY, .offset = AT(any)},
};
static const struct body_schema schema = {.name = "Body",
                                          .fields = fields,
                                          .count = sizeof fields / sizeof *fields,
                                          .size = sizeof(struct check_body)};

/* "field code, field code, …" of what a body is refused with; "" when it is good. */
static const char *refusals(const char *text, size_t n, char *ret, size_t max) {
    _cleanup_(arena_done) struct arena a = {0};
    struct reply r = {.arena = &a};
    json_t *json = NULL;
    void *in = NULL;
    Status s = body_parse(text, n, &r, &json);
    const json_t *error;
    size_t i;

    if (s == STATUS_OK)
        s = body_decode(&schema, json, &r, &in);
    ck_assert_int_eq(s, r.errors ? E_INVALID_BODY : STATUS_OK);
    ck_assert(!in == (s != STATUS_OK)); /* nothing is decoded half */
    ret[0] = '\0';
    json_array_foreach(r.errors, i, error) {
        size_t len = strlen(ret);

        ck_assert(*json_str(error, "detail", ""));
        snprintf(ret + len, max - len, "%s%s %s", i ? ", " : "", json_str(error, "field", "?"),
                 json_str(error, "code", "?"));
    }
    json_decref(json);
    json_decref(r.errors);
    return ret;
}

START_TEST(body__bad_ones_name_field_and_code) {
    static const struct {
        const char *body, *errors;
    } cases[] = {
        {"{\"name\":\"a\"}", ""},
        {"{\"name\":\"a\",\"word\":null,\"count\":null}", ""},
        {"{}", "/name missing"},
        {"{\"name\":null}", "/name missing"},
        {"[]", " type"},
        {"\"x\"", " type"},
        {"{\"name\":1}", "/name type"},
        {"{\"name\":\"A\"}", "/name format"},
        {"{\"name\":\"a\",\"nmae\":1}", "/nmae unknown"},
        {"{\"name\":\"a\",\"a/b~\":1}", "/a~1b~0 unknown"},
        {"{\"name\":\"a\",\"word\":\"canary\"}", "/word range"},
        {"{\"name\":\"a\",\"word\":\"blue\"}", "/word range"},
        {"{\"name\":\"a\",\"word\":\"\"}", "/word range"},
        {"{\"name\":\"a\",\"note\":\"123456789\"}", "/note too-long"},
        {"{\"name\":\"a\",\"note\":\"1\"}", "/note range"},
        {"{\"name\":\"a\",\"at\":\"yesterday\"}", "/at format"},
        {"{\"name\":\"a\",\"at\":5}", "/at type"},
        {"{\"name\":\"a\",\"count\":0}", "/count range"},
        {"{\"name\":\"a\",\"count\":11}", "/count range"},
        {"{\"name\":\"a\",\"count\":1.0}", "/count type"},
        {"{\"name\":\"a\",\"count\":\"1\"}", "/count type"},
        {"{\"name\":\"a\",\"count\":99999999999999999999}", "/count range"},
        {"{\"name\":\"a\",\"any\":1e999}", "/any range"},
        {"{\"name\":\"a\",\"wait\":1}", "/wait type"},
        {"{\"name\":\"a\",\"owners\":\"x\"}", "/owners type"},
        {"{\"name\":\"a\",\"owners\":[\"x\",1]}", "/owners/1 type"},
        {"{\"name\":\"a\",\"owners\":[\"1\",\"2\",\"3\",\"4\"]}", "/owners too-long"},
        {"{\"name\":\"a\",\"meta\":{}}", "/meta/path missing"},
        {"{\"name\":\"a\",\"meta\":[]}", "/meta type"},
        {"{\"name\":\"a\",\"meta\":{\"path\":\"/\",\"x\":1}}", "/meta/x unknown"},
        {"{\"name\":\"a\",\"checks\":[{\"path\":\"/\"},{\"path\":\"/\",\"status\":99}]}",
         "/checks/1/status range"},
        {"{\"name\":\"a\",\"checks\":[1]}", "/checks/0 type"},
        {"{\"name\":\"a\",\"checks\":{}}", "/checks type"},
        {"{\"name\":\"a\",\"checks\":[{\"path\":\"/\"},{\"path\":\"/\"},{\"path\":\"/\"}]}",
         "/checks too-long"},
        {"{\"name\":\"a\",\"labels\":{\"k\":\"123456\"}}", "/labels/k too-long"},
        {"{\"name\":\"a\",\"labels\":{\"k\":7}}", "/labels/k type"},
        {"{\"name\":\"a\",\"labels\":{\"1\":\"\",\"2\":\"\",\"3\":\"\"}}", "/labels too-long"},
        {"{\"count\":0,\"wait\":7,\"zz\":1}",
         "/zz unknown, /name missing, /count range, /wait type"},
        {"{\"name\":\"a\",\"name\":\"b\"}", "/name duplicate"},
        {"{\"name\":\"a\",\"n\\u0061me\":\"b\"}", "/name duplicate"},
        {"{\"name\":\"a\",\"checks\":[{\"path\":\"/\"},{\"path\":\"/\",\"path\":\"/\"}]}",
         "/checks/1/path duplicate"},
        {"{\"name\":\"a\",\"meta\":{\"a\":1},\"meta\":{}}", "/meta duplicate"},
        {"{\"name\":\"a\"", "/name format"},
        {"{\"name\":\"a\"} x", " format"},
        {"{\"name\":\"a\",}", " format"},
        {"{\"name\":\"a\",\"any\":NaN}", "/any format"},
        {"{\"name\":\"\\u0000\"}", "/name format"},
        {"{\"name\":\"\\ud800\"}", "/name format"},
        {"{\"any\":[{\"x\":tru}]}", "/any/0/x format"},
        {"{\"name\":\"\xff\"}", "/name format"},
        {"{\"name\":\"\xc0\xaf\"}", "/name format"},
        {"", " format"},
        {"nonsense", " format"},
        {"'{}'", " format"},
    };
    char got[2048];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(!strcmp(refusals(cases[i].body, strlen(cases[i].body), got, sizeof got),
                              cases[i].errors),
                      "%s\n is refused with \"%s\", not \"%s\"", cases[i].body, got,
                      cases[i].errors);
}
END_TEST

START_TEST(body__depth_is_bounded) {
    char text[256], got[256];

    for (int depth = 30; depth <= 40; depth++) { /* of `any`, inside one object */
        int n = snprintf(text, sizeof text, "{\"name\":\"a\",\"any\":");

        memset(text + n, '[', (size_t)depth);
        memset(text + n + depth, ']', (size_t)depth);
        text[n + 2 * depth] = '\0';
        strncat(text, "}", 2);
        ck_assert_str_eq(refusals(text, strlen(text), got, sizeof got),
                         depth + 1 <= JSON_DEPTH_MAX ? "" : " range");
    }
}
END_TEST

START_TEST(body__bombs_are_cheap) {
    enum { N = 256 * 1024 };
    char *text = malloc(N), got[256];

    memset(text, '[', N);
    ck_assert_str_eq(refusals(text, N, got, sizeof got), " range");
    for (size_t i = 0; i < N; i++)
        text[i] = "{},"[i % 3];
    text[0] = '[';
    ck_assert_str_eq(refusals(text, N, got, sizeof got), " too-long");
    memset(text, '"', N);
    ck_assert_str_eq(refusals(text, N, got, sizeof got), " format");
    memset(text, '\\', N);
    ck_assert_str_eq(refusals(text, N, got, sizeof got), " format");
    free(text);
}
END_TEST

START_TEST(body__at_most_twenty_errors) {
    char text[1024] = "{\"name\":\"a\"", got[2048];
    size_t commas = 0;

    for (int i = 0; i < 30; i++) {
        size_t n = strlen(text);

        snprintf(text + n, sizeof text - n, ",\"x%d\":1", i);
    }
    strncat(text, "}", 2);
    refusals(text, strlen(text), got, sizeof got);
    for (const char *c = got; *c; c++)
        commas += *c == ',';
    ck_assert_uint_eq(commas, 19);
}
END_TEST

START_TEST(body__good_ones_are_decoded) {
    static const char text[] =
        "{\"name\":\"inopnc\",\"word\":\"rolling\",\"note\":\"hello\",\"at\":\"1970-01-01T00:00:"
        "01Z\","
        "\"count\":3,\"wait\":true,\"owners\":[\"a\",\"b\"],\"labels\":{\"k\":\"v\"},\"any\":[1]}";
    _cleanup_(arena_done) struct arena a = {0};
    struct reply r = {.arena = &a};
    json_auto_t *json = NULL;
    const struct check_body *in;
    void *decoded;

    ck_assert_int_eq(body_parse(text, sizeof text - 1, &r, &json), STATUS_OK);
    ck_assert_int_eq(body_decode(&schema, json, &r, &decoded), STATUS_OK);
    in = decoded;
    ck_assert_str_eq(in->name, "inopnc");
    ck_assert_str_eq(in->word, "rolling");
    ck_assert_str_eq(in->note, "hello");
    ck_assert_int_eq(in->at_us, 1000000);
    ck_assert_int_eq(in->count, 3);
    ck_assert(in->wait);
    ck_assert_str_eq(in->owners[1], "b");
    ck_assert_ptr_null(in->owners[2]);
    ck_assert_str_eq(json_str(in->labels, "k", ""), "v");
    ck_assert_ptr_null(in->checks);
    ck_assert_ptr_nonnull(in->any);
}
END_TEST

int main(void) {
    return RUN_SUITE("http-body", 10, body__bad_ones_name_field_and_code, body__depth_is_bounded,
                     body__bombs_are_cheap, body__at_most_twenty_errors,
                     body__good_ones_are_decoded);
}
