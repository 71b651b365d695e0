/* handlers/dump.c: the table of routes as JSON, for the test that compares it with
 * openapi/openapi.yaml. */
#include "base/cleanup.h"
#include "handlers/routes.h"
#include <string.h>

static const char *method_name(HttpMethod m) {
    static const char *const names[] = {"GET", "PUT", "POST", "DELETE"};

    return names[m];
}

static const char *type_name(FieldType t) {
    static const char *const names[] = {
        [FIELD_STRING] = "string",   [FIELD_NAME] = "name",     [FIELD_ENUM] = "enum",
        [FIELD_TIME] = "time",       [FIELD_INT] = "int",       [FIELD_BOOL] = "bool",
        [FIELD_STRINGS] = "strings", [FIELD_OBJECT] = "object", [FIELD_OBJECTS] = "objects",
        [FIELD_MAP] = "map",         [FIELD_ANY] = "any",
    };

    return names[t];
}

/* "a|b|c" as an array. */
static json_t *words_json(const char *words) {
    json_t *out = json_array();

    while (words && *words) {
        size_t n = strcspn(words, "|");

        json_array_append_new(out, json_stringn(words, n));
        words += n + (words[n] == '|');
    }
    return out;
}

static json_t *schema_json(const struct body_schema *schema);

static json_t *field_json(const struct field *f) {
    json_t *out = json_object();

    json_set_str(out, "name", f->name);
    json_set_str(out, "type", type_name(f->type));
    json_object_set_new(out, "required", json_boolean(f->required));
    if (f->min || f->max) {
        json_object_set_new(out, "min", json_integer(f->min));
        json_object_set_new(out, "max", json_integer(f->max));
    }
    if (f->words)
        json_object_set_new(out, "words", words_json(f->words));
    if (f->schema)
        json_object_set_new(out, "schema", schema_json(f->schema));
    return out;
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the schemas are nested
static json_t *schema_json(const struct body_schema *schema) {
    json_t *out = json_object(), *fields = json_array();

    json_set_str(out, "name", schema->name);
    json_object_set_new(out, "open", json_boolean(schema->open));
    for (size_t i = 0; i < schema->count; i++)
        json_array_append_new(fields, field_json(&schema->fields[i]));
    json_object_set_new(out, "fields", fields);
    return out;
}

static json_t *body_json(const struct route *route) {
    bool json = route->body == BODY_JSON;
    json_t *out;

    if (route->body == BODY_NONE)
        return json_null();
    out = json_object();
    json_set_str(out, "media_type", json ? "application/json" : route->media_type);
    json_object_set_new(out, "max_bytes", json_integer((json_int_t)route_body_max(route, !json)));
    if (route->schema)
        json_object_set_new(out, "schema", schema_json(route->schema));
    if (json && route->media_type)
        json_object_set_new(out, "raw",
                            json_pack("{s:o, s:I}", "media_types", words_json(route->media_type),
                                      "max_bytes", (json_int_t)route_body_max(route, true)));
    return out;
}

json_t *routes_dump(const struct route *table) {
    json_t *out = json_array();

    for (; table->operation; table++) {
        json_t *route = json_object();

        json_set_str(route, "operation", table->operation);
        json_set_str(route, "method", method_name(table->method));
        json_set_str(route, "path", table->path);
        json_set_str(route, "scope", table->scope);
        json_set_str(route, "protocol", table->protocol ? table->protocol->name : NULL);
        json_object_set_new(route, "query", words_json(table->query));
        json_object_set_new(route, "body", body_json(table));
        json_array_append_new(out, route);
    }
    return out;
}
