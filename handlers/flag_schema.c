/* handlers/flag_schema.c: the bodies of flags and segments, and their full form.  Names and limits
 * are flags/model.h's, which knows the rules beyond types and ranges. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "flags/model.h"
#include "handlers/flag.h"
#include "handlers/handlers.h"

enum { REASON_MAX = 1024, VERSION_MAX = 128 };
#define REVISION_MAX ((int64_t)1 << 53)

// clang-format off
#define FIELD(n, t, ...) {.name = n, .type = t, .offset = FIELD_NOWHERE, __VA_ARGS__}
#define SCHEMA(identifier, component, table)                                                       \
    const struct body_schema identifier = {                                                        \
        .name = component, .fields = table, .count = sizeof table / sizeof *table, .size = 1}
#define NAME(n, ...)   FIELD(n, FIELD_STRING, .min = 1, .max = FLAG_NAME_MAX, __VA_ARGS__)
#define REASON         FIELD("reason", FIELD_STRING, .max = REASON_MAX)

static const struct field payload_fields[] = {
    FIELD("type",  FIELD_ENUM,   .required = true, .words = "string|number|json|csv"),
    FIELD("value", FIELD_STRING, .required = true, .max = FLAG_PAYLOAD_MAX),
};
static SCHEMA(payload_schema, "FlagPayload", payload_fields);

static const struct field override_fields[] = {
    NAME("context_name",          .required = true),
    FIELD("values", FIELD_STRINGS, .required = true, .max = FLAG_TEXT_VALUES_MAX),
};
static SCHEMA(override_schema, "FlagOverride", override_fields);

static const struct field variant_fields[] = {
    NAME("name",                   .required = true),
    FIELD("weight",      FIELD_INT,     .required = true, .max = FLAG_WEIGHT_MAX),
    FIELD("weight_type", FIELD_ENUM,    .words = "variable|fix"),
    FIELD("stickiness",  FIELD_STRING,  .max = FLAG_NAME_MAX),
    FIELD("payload",     FIELD_OBJECT,  .schema = &payload_schema),
    FIELD("overrides",   FIELD_OBJECTS, .max = FLAG_CONSTRAINTS_MAX, .schema = &override_schema),
};
static SCHEMA(variant_schema, "FlagVariant", variant_fields);

static const struct field constraint_fields[] = {
    NAME("context_name",                    .required = true),
    FIELD("operator",         FIELD_STRING,  .required = true, .max = FLAG_NAME_MAX),
    FIELD("values",           FIELD_STRINGS, .max = FLAG_VALUES_MAX),
    FIELD("value",            FIELD_STRING,  .max = FLAG_TEXT_MAX),
    FIELD("inverted",         FIELD_BOOL,    .required = false),
    FIELD("case_insensitive", FIELD_BOOL,    .required = false),
};
static SCHEMA(constraint_schema, "FlagConstraint", constraint_fields);

static const struct field parameter_fields[] = {
    FIELD("parameter", FIELD_STRING, .max = FLAG_PARAMETER_MAX),
};
static SCHEMA(parameter_schema, "FlagParameter", parameter_fields);

static const struct field strategy_fields[] = {
    NAME("name",                     .required = true),
    FIELD("title",       FIELD_STRING,  .max = FLAG_TEXT_MAX),
    FIELD("disabled",    FIELD_BOOL,    .required = false),
    FIELD("parameters",  FIELD_MAP,     .max = 10, .schema = &parameter_schema),
    FIELD("constraints", FIELD_OBJECTS, .max = FLAG_CONSTRAINTS_MAX, .schema = &constraint_schema),
    FIELD("segments",    FIELD_STRINGS, .max = FLAG_SEGMENTS_MAX),
    FIELD("variants",    FIELD_OBJECTS, .max = FLAG_VARIANTS_MAX, .schema = &variant_schema),
};
static SCHEMA(strategy_schema, "FlagStrategy", strategy_fields);

static const struct field dependency_fields[] = {
    NAME("flag",                 .required = true),
    FIELD("enabled",  FIELD_BOOL,    .required = false),
    FIELD("variants", FIELD_STRINGS, .max = FLAG_VARIANTS_MAX),
};
static SCHEMA(dependency_schema, "FlagDependency", dependency_fields);

static const struct field flag_fields[] = {
    NAME("name",                        .required = false),
    FIELD("description",     FIELD_STRING,  .max = FLAG_TEXT_MAX),
    FIELD("type",            FIELD_ENUM,    .words = FLAG_TYPES),
    FIELD("value_type",      FIELD_ENUM,    .words = FLAG_VALUE_TYPES),
    FIELD("impression_data", FIELD_BOOL,    .required = false),
    FIELD("variants",        FIELD_OBJECTS, .max = FLAG_VARIANTS_MAX, .schema = &variant_schema),
    FIELD("dependencies",    FIELD_OBJECTS, .max = FLAG_DEPENDENCIES_MAX, .schema = &dependency_schema),
    FIELD("stale_after",     FIELD_TIME,    .required = false),
    REASON,
};
SCHEMA(flag_schema, "FlagInput", flag_fields);

static const struct field segment_fields[] = {
    NAME("name",                    .required = false),
    FIELD("description", FIELD_STRING,  .max = FLAG_TEXT_MAX),
    FIELD("constraints", FIELD_OBJECTS, .required = true, .max = FLAG_CONSTRAINTS_MAX, .schema = &constraint_schema),
    REASON,
};
SCHEMA(segment_schema, "SegmentInput", segment_fields);

static const struct field state_fields[] = {
    FIELD("enabled",         FIELD_BOOL,    .required = true),
    FIELD("strategies",      FIELD_OBJECTS, .max = FLAG_STRATEGIES_MAX, .schema = &strategy_schema),
    FIELD("default_variant", FIELD_STRING,  .max = FLAG_NAME_MAX),
    FIELD("requires_release", FIELD_STRING, .max = VERSION_MAX),
    REASON,
};
SCHEMA(flag_state_schema, "FlagStateInput", state_fields);

static const struct field restore_fields[] = {
    FIELD("revision", FIELD_INT, .required = true, .min = 1, .max = REVISION_MAX),
    FIELD("reason",   FIELD_STRING, .required = true, .min = 1, .max = REASON_MAX),
};
SCHEMA(flag_restore_schema, "FlagRestore", restore_fields);

/* What is to be different about it, then or by a deployment: what is left out stays. */
static const struct field change_fields[] = {
    FIELD("enabled",         FIELD_BOOL,    .required = false),
    FIELD("strategies",      FIELD_OBJECTS, .max = FLAG_STRATEGIES_MAX, .schema = &strategy_schema),
    FIELD("default_variant", FIELD_STRING,  .max = FLAG_NAME_MAX),
    FIELD("requires_release", FIELD_STRING, .max = VERSION_MAX),
};
SCHEMA(flag_change_schema, "FlagSet", change_fields);

static const struct field schedule_fields[] = {
    FIELD("at",          FIELD_TIME,   .required = true),
    FIELD("change",      FIELD_OBJECT, .required = true, .schema = &flag_change_schema),
    FIELD("if_revision", FIELD_INT,    .max = REVISION_MAX),
    REASON,
};
SCHEMA(flag_schedule_schema, "FlagScheduleInput", schedule_fields);

static const struct field request_set_fields[] = {
    FIELD("enabled",         FIELD_BOOL,    .required = false),
    FIELD("killed",          FIELD_BOOL,    .required = false),
    FIELD("strategies",      FIELD_OBJECTS, .max = FLAG_STRATEGIES_MAX, .schema = &strategy_schema),
    FIELD("default_variant", FIELD_STRING,  .max = FLAG_NAME_MAX),
    FIELD("requires_release", FIELD_STRING, .max = VERSION_MAX),
};
static SCHEMA(request_set_schema, "FlagRequestSet", request_set_fields);

static const struct field request_change_fields[] = {
    NAME("flag",          .required = true),
    FIELD("set", FIELD_OBJECT, .required = true, .schema = &request_set_schema),
};
static SCHEMA(request_change_schema, "FlagRequestChange", request_change_fields);

static const struct field request_fields[] = {
    FIELD("changes", FIELD_OBJECTS, .required = true, .min = 1, .max = 100, .schema = &request_change_schema),
    FIELD("reason",  FIELD_STRING,  .required = true, .min = 1, .max = REASON_MAX),
};
SCHEMA(flag_request_schema, "FlagRequestInput", request_fields);

static const struct field note_fields[] = {
    FIELD("note", FIELD_STRING, .max = REASON_MAX),
};
SCHEMA(flag_request_note_schema, "FlagRequestNote", note_fields);

static const struct field reject_fields[] = {
    FIELD("note", FIELD_STRING, .required = true, .min = 1, .max = REASON_MAX),
};
SCHEMA(flag_request_reject_schema, "FlagRequestReject", reject_fields);

static const struct field promote_fields[] = {
    FIELD("from",    FIELD_NAME,    .required = true),
    FIELD("flags",   FIELD_STRINGS, .min = 1, .max = 1000),
    FIELD("dry_run", FIELD_BOOL,    .required = false),
    REASON,
};
SCHEMA(flag_promote_schema, "FlagPromote", promote_fields);

static const struct field import_fields[] = {
    FIELD("document", FIELD_MAP,  .required = true, .max = 100), /* flags/unleash.h reads it */
    FIELD("existing", FIELD_ENUM, .words = "refuse|update|keep"),
    FIELD("dry_run",  FIELD_BOOL, .required = false),
    REASON,
};
SCHEMA(flag_import_schema, "FlagImport", import_fields);
// clang-format on

static json_t *form_of(const struct field *f, json_t *v) {
    json_t *out, *item;
    size_t i;

    if (f->type == FIELD_OBJECT)
        return flag_form(f->schema, v);
    if (f->type != FIELD_OBJECTS)
        return json_incref(v);
    out = json_array();
    json_array_foreach(v, i, item) json_array_append_new(out, flag_form(f->schema, item));
    return out;
}

json_t *flag_form(const struct body_schema *schema, const json_t *v) {
    json_t *out = json_object();

    for (size_t i = 0; i < schema->count; i++) {
        json_t *value = json_object_get(v, schema->fields[i].name);

        if (value && !json_is_null(value))
            json_object_set_new(out, schema->fields[i].name, form_of(&schema->fields[i], value));
    }
    return out;
}

/* Sets what is not there; takes value. */
static void otherwise(json_t *object, const char *key, json_t *value) {
    if (!json_object_get(object, key))
        json_object_set_new(object, key, value);
    else
        json_decref(value);
}

json_t *flag_spec(const json_t *in) {
    json_auto_t *full =
        json_pack("{s:s, s:s, s:s, s:b, s:[], s:[]}", "description", "", "type", "release",
                  "value_type", "boolean", "impression_data", false, "variants", "dependencies");
    json_auto_t *given = flag_form(&flag_schema, in);
    int64_t stale_us = 0;

    json_object_del(given, "name");
    json_object_del(given, "reason");
    if (clock_parse(json_str(given, "stale_after", ""), &stale_us))
        json_set_time(given, "stale_after", stale_us);
    otherwise(given, "stale_after", json_null());
    json_object_update(full, given);
    return TAKE_PTR(full);
}

json_t *segment_spec(const json_t *in) {
    json_auto_t *given = flag_form(&segment_schema, in);

    return json_pack("{s:s, s:O}", "description", json_str(given, "description", ""), "constraints",
                     json_object_get(given, "constraints"));
}

json_t *flag_request_set(const json_t *in) {
    static const char *const may_be_none[] = {"default_variant", "requires_release"};
    json_t *out = flag_form(&request_set_schema, in);

    for (size_t i = 0; i < sizeof may_be_none / sizeof *may_be_none; i++)
        if (json_is_null(json_object_get(in, may_be_none[i])))
            json_object_set_new(out, may_be_none[i], json_null());
    return out;
}

json_t *flag_state_spec(const json_t *in, bool killed) {
    json_auto_t *given = flag_form(&flag_state_schema, in);
    json_t *out =
        json_pack("{s:b, s:b}", "enabled", json_bool(given, "enabled", false), "killed", killed);

    otherwise(given, "strategies", json_array());
    json_object_set(out, "strategies", json_object_get(given, "strategies"));
    json_set_str(out, "default_variant", json_str(given, "default_variant", NULL));
    json_set_str(out, "requires_release", json_str(given, "requires_release", NULL));
    return out;
}
