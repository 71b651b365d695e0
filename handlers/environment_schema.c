/* handlers/environment_schema.c: the body of an environment, as types and ranges.  What those
 * cannot say is domain/environment.c's. */
#include "base/cleanup.h"
#include "domain/environment.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"

// clang-format off
#define FIELD(n, t, ...) {.name = n, .type = t, .offset = FIELD_NOWHERE, __VA_ARGS__}
#define SCHEMA(identifier, component, table)                                                       \
    static const struct body_schema identifier = {                                                 \
        .name = component, .fields = table, .count = sizeof table / sizeof *table}

static const struct field check_fields[] = {
    FIELD("name",          FIELD_NAME,   .required = true),
    FIELD("path",          FIELD_STRING, .min = 1, .max = 1024),
    FIELD("url",           FIELD_STRING, .min = 1, .max = 2048),
    FIELD("method",        FIELD_ENUM,   .words = "GET|HEAD|POST"),
    FIELD("status",        FIELD_INT,    .min = 100, .max = 599),
    FIELD("headers",       FIELD_MAP,    .max = CHECK_HEADERS_MAX),
    FIELD("json",          FIELD_MAP,    .max = CHECK_JSON_MAX),
    FIELD("body_contains", FIELD_STRING, .min = 1, .max = 1024),
    FIELD("max_ms",        FIELD_INT,    .min = 1, .max = 60000),
    FIELD("timeout_s",     FIELD_INT,    .min = 1, .max = 60),
    FIELD("interval_s",    FIELD_INT,    .min = 1, .max = 3600),
    FIELD("consecutive",   FIELD_INT,    .min = 1, .max = 100),
    FIELD("failures",      FIELD_INT,    .min = 1, .max = 100),
};
SCHEMA(check_schema, "Check", check_fields);

static const struct field checks_fields[] = {
    FIELD("reach",      FIELD_ENUM,    .words = "auto|direct|proxy"),
    FIELD("health",     FIELD_OBJECTS, .max = CHECKS_MAX, .schema = &check_schema),
    FIELD("smoke",      FIELD_OBJECTS, .max = CHECKS_MAX, .schema = &check_schema),
    FIELD("production", FIELD_OBJECTS, .max = CHECKS_MAX, .schema = &check_schema),
};
SCHEMA(checks_schema, "Checks", checks_fields);

static const struct field color_fields[] = {
    FIELD("deployment", FIELD_STRING, .required = true, .min = 1, .max = 253),
    FIELD("service",    FIELD_NAME,   .required = true),
};
SCHEMA(color_schema, "Color", color_fields);

static const struct field colors_fields[] = {
    FIELD("blue",  FIELD_OBJECT, .required = true, .schema = &color_schema),
    FIELD("green", FIELD_OBJECT, .required = true, .schema = &color_schema),
};
SCHEMA(colors_schema, "Colors", colors_fields);

static const struct field blue_green_fields[] = {
    FIELD("service",         FIELD_NAME,   .required = true),
    FIELD("selector_key",    FIELD_STRING, .required = true, .min = 1, .max = 317),
    FIELD("colors",          FIELD_OBJECT, .required = true, .schema = &colors_schema),
    FIELD("promote",         FIELD_ENUM,   .words = "auto|manual"),
    FIELD("idle_rollout",    FIELD_ENUM,   .words = "at-once|own"),
    FIELD("keep_previous_s", FIELD_INT,    .min = 30, .max = 31536000),
};
SCHEMA(blue_green_schema, "BlueGreen", blue_green_fields);

static const struct field deadlines_fields[] = {
    FIELD("available_s", FIELD_INT, .min = 1, .max = 86400),
    FIELD("checks_s",    FIELD_INT, .min = 1, .max = 86400),
    FIELD("validate_s",  FIELD_INT, .min = 1, .max = 86400),
};
SCHEMA(deadlines_schema, "Deadlines", deadlines_fields);

static const struct field environment_fields[] = {
    FIELD("cluster",    FIELD_NAME,   .required = true),
    FIELD("namespace",  FIELD_NAME,   .required = true),
    FIELD("container",  FIELD_NAME,   .required = true),
    FIELD("port",       FIELD_INT,    .required = true, .min = 1, .max = 65535),
    FIELD("strategy",   FIELD_ENUM,   .words = "blue-green|rolling|canary"),
    FIELD("blue_green", FIELD_OBJECT, .required = true, .schema = &blue_green_schema),
    FIELD("checks",     FIELD_OBJECT, .schema = &checks_schema),
    FIELD("deadlines",  FIELD_OBJECT, .schema = &deadlines_schema),
};
// clang-format on

static Status environment_rules(const json_t *body, struct reply *r) {
    const char *sentence = NULL, *field = environment_unsupported(body, &sentence);
    json_auto_t *errors = json_array();
    Status s;

    environment_check(body, errors);
    s = refuse_errors(r, errors);
    if (s == STATUS_OK && field)
        s = not_supported(r, field, "%s", sentence);
    return s;
}

/* Handlers read the body as JSON: nothing is decoded. */
const struct body_schema environment_schema = {
    .name = "EnvironmentInput",
    .fields = environment_fields,
    .count = sizeof environment_fields / sizeof *environment_fields,
    .size = 1,
    .check = environment_rules,
};
