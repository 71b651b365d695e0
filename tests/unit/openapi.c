/* openapi/openapi.yaml and the table of routes say the same: operations, scopes, parameters,
 * bodies. */
#include "base/cleanup.h"
#include "handlers/documents.h"
#include "handlers/routes.h"
#include "tests/support/suite.h"
#include <string.h>
#include <strings.h>

static json_t *document, *dump;

static const json_t *resolve(const json_t *v) {
    const char *ref = json_str(v, "$ref", NULL);

    if (!ref)
        return v;
    ck_assert_msg(!strncmp(ref, "#/", 2) && json_pointer(document, ref + 1), "%s leads nowhere",
                  ref);
    return json_pointer(document, ref + 1);
}

static const json_t *operation_of(const json_t *route) {
    _cleanup_free_ char *method = xstrdup(json_str(route, "method", ""));

    for (char *c = method; *c; c++)
        *c = (char)(*c | 0x20);
    return json_at(document, "paths", json_str(route, "path", ""), method, NULL);
}

static bool has_text(const json_t *array, const char *text) {
    const json_t *v;
    size_t i;

    json_array_foreach(
        (json_t *)(uintptr_t)array, i,
        v) if (!strcmp(json_string_value(v) ? json_string_value(v) : "", text)) return true;
    return false;
}

START_TEST(openapi__describes_every_route_with_its_scope) {
    const json_t *route;
    size_t i;

    json_array_foreach(dump, i, route) {
        const json_t *operation = operation_of(route);
        const char *name = json_str(route, "operation", "");

        ck_assert_msg(operation != NULL, "%s is not described", name);
        ck_assert_str_eq(json_str(operation, "operationId", ""), name);
        ck_assert_msg(!strcmp(json_str(operation, "x-scope", ""), json_str(route, "scope", "")),
                      "%s: another scope", name);
        ck_assert_msg(json_object_size(json_object_get(operation, "responses")) > 0, "%s", name);
    }
}
END_TEST

START_TEST(openapi__describes_nothing_else) {
    const char *path, *method;
    json_t *methods, *operation;
    size_t described = 0;

    json_object_foreach(json_object_get(document, "paths"), path, methods) {
        json_object_foreach(methods, method, operation) described++;
    }
    ck_assert_uint_eq(described, json_array_size(dump));
}
END_TEST

/* Names in {braces} of the path, and of the query. */
START_TEST(openapi__names_the_parameters_of_path_and_query) {
    const json_t *route;
    size_t i;

    json_array_foreach(dump, i, route) {
        const json_t *parameters = json_object_get(operation_of(route), "parameters"), *p;
        const char *path = json_str(route, "path", ""), *name = json_str(route, "operation", "");
        size_t n, in_query = 0, in_path = 0, braces = 0;

        for (const char *c = path; *c; c++)
            braces += *c == '{';
        json_array_foreach((json_t *)(uintptr_t)parameters, n, p) {
            const json_t *parameter = resolve(p);
            const char *in = json_str(parameter, "in", ""),
                       *called = json_str(parameter, "name", "");
            _cleanup_free_ char *brace = xasprintf("{%s}", called);

            if (!strcmp(in, "query"))
                ck_assert_msg(has_text(json_object_get(route, "query"), called), "%s: ?%s", name,
                              called);
            if (!strcmp(in, "path"))
                ck_assert_msg(strstr(path, brace) != NULL, "%s: %s", name, brace);
            in_query += !strcmp(in, "query");
            in_path += !strcmp(in, "path");
        }
        ck_assert_msg(in_query == json_array_size(json_object_get(route, "query")), "%s: query",
                      name);
        ck_assert_msg(in_path == braces, "%s: path", name);
    }
}
END_TEST

static void compare_range(const json_t *field, const json_t *property, const char *least,
                          const char *most, const char *where) {
    if (!json_object_get(field, "max"))
        return;
    ck_assert_msg(json_int(property, least, 0) == json_int(field, "min", 0), "%s: %s", where,
                  least);
    ck_assert_msg(json_int(property, most, -1) == json_int(field, "max", 0), "%s: %s", where, most);
}

static void compare_schema(const json_t *schema, const json_t *described, const char *where);

static void compare_field(const json_t *field, const json_t *property, const char *where) {
    const char *type = json_str(field, "type", "");
    const json_t *words = json_object_get(field, "words"), *v;
    size_t i;

    if (!strcmp(type, "string"))
        compare_range(field, property, "minLength", "maxLength", where);
    else if (!strcmp(type, "int"))
        compare_range(field, property, "minimum", "maximum", where);
    else if (!strcmp(type, "strings") || !strcmp(type, "objects"))
        compare_range(field, property, "minItems", "maxItems", where);
    else if (!strcmp(type, "map"))
        compare_range(field, property, "minProperties", "maxProperties", where);
    if (words)
        ck_assert_msg(json_array_size(words) == json_array_size(json_object_get(property, "enum")),
                      "%s: enum", where);
    json_array_foreach((json_t *)(uintptr_t)words, i, v) ck_assert_msg(
        has_text(json_object_get(property, "enum"), json_string_value(v)), "%s: enum", where);
    if (!strcmp(type, "object"))
        compare_schema(json_object_get(field, "schema"), property, where);
    if (!strcmp(type, "objects"))
        compare_schema(json_object_get(field, "schema"),
                       resolve(json_object_get(property, "items")), where);
}

static void compare_schema(const json_t *schema, const json_t *described, const char *where) {
    const json_t *properties = json_object_get(described, "properties");
    const json_t *fields = json_object_get(schema, "fields"), *field;
    size_t i;

    ck_assert_msg(json_is_true(json_object_get(schema, "open"))
                      ? json_is_true(json_object_get(described, "additionalProperties"))
                      : json_is_false(json_object_get(described, "additionalProperties")),
                  "%s: whether unknown keys are refused", where);
    ck_assert_msg(json_array_size(fields) == json_object_size(properties), "%s: fields", where);
    json_array_foreach((json_t *)(uintptr_t)fields, i, field) {
        const char *name = json_str(field, "name", "");
        _cleanup_free_ char *at = xasprintf("%s/%s", where, name);

        ck_assert_msg(json_object_get(properties, name) != NULL, "%s is not described", at);
        ck_assert_msg(has_text(json_object_get(described, "required"), name) ==
                          json_bool(field, "required", false),
                      "%s: required", at);
        compare_field(field, resolve(json_object_get(properties, name)), at);
    }
}

START_TEST(openapi__describes_every_body) {
    const json_t *route, *type;
    size_t i, k;

    json_array_foreach(dump, i, route) {
        const json_t *body = json_object_get(route, "body");
        const json_t *described = json_object_get(operation_of(route), "requestBody");
        const char *name = json_str(route, "operation", "");
        const json_t *media =
            json_at(described, "content", json_str(body, "media_type", "-"), NULL);

        ck_assert_msg(json_is_object(body) == (described != NULL), "%s: body", name);
        if (!described)
            continue;
        ck_assert_msg(media != NULL, "%s: media type", name);
        json_array_foreach(json_pointer(body, "/raw/media_types"), k, type)
            ck_assert_msg(json_at(described, "content", json_string_value(type), NULL) != NULL,
                          "%s: %s", name, json_string_value(type));
        if (json_object_get(body, "schema"))
            compare_schema(json_object_get(body, "schema"),
                           resolve(json_object_get(media, "schema")), name);
    }
}
END_TEST

// NOLINTNEXTLINE(misc-no-recursion): as deep as the document
static void follow(const json_t *v) {
    const char *key;
    json_t *child;
    size_t i;

    if (json_is_object(v)) {
        resolve(v);
        json_object_foreach((json_t *)(uintptr_t)v, key, child) follow(child);
    }
    json_array_foreach((json_t *)(uintptr_t)v, i, child) follow(child);
}

START_TEST(openapi__references_lead_somewhere) {
    follow(document);
}
END_TEST

START_TEST(openapi__lists_every_error_code_with_a_page) {
    const json_t *codes =
        json_pointer(document, "/components/schemas/Problem/properties/code/enum");
    const struct status_row *row;
    unsigned n = 0;

    for (; (row = status_row_at(n)); n++)
        ck_assert_msg(has_text(codes, row->code), "%s", row->code);
    ck_assert_uint_eq(json_array_size(codes), n + 1); /* and internal */
}
END_TEST

int main(void) {
    int failed;

    document = json_parse(openapi_json);
    dump = routes_dump(routes);
    failed =
        RUN_SUITE("openapi", 10, openapi__describes_every_route_with_its_scope,
                  openapi__describes_nothing_else, openapi__names_the_parameters_of_path_and_query,
                  openapi__describes_every_body, openapi__references_lead_somewhere,
                  openapi__lists_every_error_code_with_a_page);
    json_decref(document);
    json_decref(dump);
    return failed;
}
