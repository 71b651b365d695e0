/* main/dump.c: the tables of this program, for tests and documents that must agree with them. */
#include "base/cleanup.h"
#include "config/config.h"
#include "handlers/routes.h"
#include "main/commands.h"
#include "rollout/step.h"
#include "worker/transition.h"
#include <stdio.h>
#include <string.h>

static int print(json_t *v) {
    char *text = json_dumps(v, JSON_INDENT(2));

    if (!text)
        die("out of memory");
    puts(text);
    free(text);
    json_decref(v);
    return EXIT_DONE;
}

static json_t *words(const char *list) {
    json_t *array = json_array();

    for (const char *at = list; at && *at;) {
        size_t n = strcspn(at, "|");

        json_array_append_new(array, json_stringn(at, n));
        at += n + (at[n] == '|');
    }
    return array;
}

static const char *field_type(FieldType type) {
    static const char *const names[] = {
        [FIELD_STRING] = "string",   [FIELD_NAME] = "name",     [FIELD_ENUM] = "enum",
        [FIELD_TIME] = "time",       [FIELD_INT] = "integer",   [FIELD_BOOL] = "boolean",
        [FIELD_STRINGS] = "strings", [FIELD_OBJECT] = "object", [FIELD_OBJECTS] = "objects",
        [FIELD_MAP] = "map",         [FIELD_ANY] = "any"};

    return names[type];
}

static json_t *schema_json(const struct body_schema *schema);

static json_t *field_json(const struct field *f) {
    json_t *v = json_pack("{sssssb}", "name", f->name ? f->name : "", "type", field_type(f->type),
                          "required", (int)f->required);

    if (f->min || f->max) {
        json_object_set_new(v, "min", json_integer(f->min));
        json_object_set_new(v, "max", json_integer(f->max));
    }
    if (f->words)
        json_object_set_new(v, "words", words(f->words));
    if (f->schema)
        json_object_set_new(v, "schema", schema_json(f->schema));
    return v;
}

static json_t *schema_json(
    const struct body_schema *schema) { /* NOLINT(misc-no-recursion): as deep as the tables */
    json_t *fields = json_array();

    for (size_t i = 0; i < schema->count; i++)
        json_array_append_new(fields, field_json(&schema->fields[i]));
    return json_pack("{ssso}", "name", schema->name ? schema->name : "", "fields", fields);
}

static json_t *route_json(const struct route *r) {
    static const char *const methods[] = {
        [HTTP_GET] = "GET", [HTTP_PUT] = "PUT", [HTTP_POST] = "POST", [HTTP_DELETE] = "DELETE"};
    json_t *v = json_pack("{sssssssssosb}", "operation", r->operation, "method", methods[r->method],
                          "path", r->path, "scope", r->scope, "query", words(r->query), "io_thread",
                          (int)r->io_thread);

    if (r->body == BODY_JSON && r->schema)
        json_object_set_new(v, "body", schema_json(r->schema));
    if (r->body == BODY_RAW)
        json_set_str(v, "media_type", r->media_type);
    return v;
}

int command_dump_routes(int argc, char **argv) {
    json_t *all = json_array();

    for (const struct route *r = routes; r->operation; r++)
        json_array_append_new(all, route_json(r));
    if (no_words(argc, argv) == EXIT_DONE)
        return print(all);
    json_decref(all);
    return EXIT_USAGE;
}

static json_t *steps_json(const struct step_row *rows, size_t n) {
    json_t *all = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(all,
                              json_pack("{ssss}", "name", rows[i].name, "title", rows[i].title));
    return all;
}

int command_dump_steps(int argc, char **argv) {
    size_t steps_n = 0, undo_n = 0;
    const struct step_row *steps = strategy_steps("blue-green", &steps_n),
                          *undo = undo_steps(&undo_n);

    if (no_words(argc, argv) != EXIT_DONE)
        return EXIT_USAGE;
    return print(json_pack("{soso}", "blue-green", steps_json(steps, steps_n), "undo",
                           steps_json(undo, undo_n)));
}

int command_dump_states(int argc, char **argv) {
    json_t *all = json_array();
    size_t n = 0;
    const struct transition_row *rows = transitions(&n);

    for (size_t i = 0; i < n; i++)
        json_array_append_new(all, json_pack("{ss?ssssssss}", "from", rows[i].from, "event",
                                             event_name(rows[i].event), "to", rows[i].to, "action",
                                             rows[i].action, "title", rows[i].title));
    if (no_words(argc, argv) == EXIT_DONE)
        return print(all);
    json_decref(all);
    return EXIT_USAGE;
}

int command_dump_settings(int argc, char **argv) {
    _cleanup_free_ char *reference = config_reference();

    if (no_words(argc, argv) != EXIT_DONE)
        return EXIT_USAGE;
    fputs(reference, stdout);
    return EXIT_DONE;
}
