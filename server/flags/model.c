#include "flags/model.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/field_errors.h"
#include "flags/parse.h"
#include "flags/regex.h"
#include "flags/shape.h"
#include "flags/words.h"
#include <string.h>

#define KEYS(rows)                                                                                 \
    { .keys = (rows), .count = sizeof(rows) / sizeof *(rows) }
#define NAME(key)                                                                                  \
    { .name = (key), .type = SHAPE_TEXT, .required = true, .min = 1, .max = FLAG_NAME_MAX }
#define TEXT(key, most)                                                                            \
    { .name = (key), .type = SHAPE_TEXT, .max = (most) }
#define FLAG(key)                                                                                  \
    { .name = (key), .type = SHAPE_BOOL }

static const struct shape_key payload_keys[] = {
    {.name = "type", .type = SHAPE_WORD, .required = true, .words = "string|number|json|csv"},
    {.name = "value", .type = SHAPE_TEXT, .required = true, .max = FLAG_PAYLOAD_MAX},
};
static const struct shape payload_shape = KEYS(payload_keys);

static const struct shape_key override_keys[] = {
    NAME("context_name"),
    {.name = "values",
     .type = SHAPE_TEXTS,
     .required = true,
     .max = FLAG_TEXT_VALUES_MAX,
     .text_max = FLAG_TEXT_MAX},
};
static const struct shape override_shape = KEYS(override_keys);

static const struct shape_key variant_keys[] = {
    NAME("name"),
    {.name = "weight", .type = SHAPE_INT, .required = true, .min = 0, .max = FLAG_WEIGHT_MAX},
    {.name = "weight_type", .type = SHAPE_WORD, .words = "variable|fix"},
    TEXT("stickiness", FLAG_NAME_MAX),
    {.name = "payload", .type = SHAPE_OBJECT, .of = &payload_shape},
    {.name = "overrides", .type = SHAPE_LIST, .max = FLAG_CONSTRAINTS_MAX, .of = &override_shape},
};
static const struct shape variant_shape = KEYS(variant_keys);
static const struct shape_key variants_key = {
    .type = SHAPE_LIST, .max = FLAG_VARIANTS_MAX, .of = &variant_shape};

static const struct shape_key constraint_keys[] = {
    NAME("context_name"),
    {.name = "operator", .type = SHAPE_TEXT, .required = true, .max = FLAG_NAME_MAX},
    {.name = "values", .type = SHAPE_TEXTS, .max = FLAG_VALUES_MAX, .text_max = FLAG_TEXT_MAX},
    TEXT("value", FLAG_TEXT_MAX),
    FLAG("inverted"),
    FLAG("case_insensitive"),
};
static const struct shape constraint_shape = KEYS(constraint_keys);
static const struct shape_key constraints_key = {
    .type = SHAPE_LIST, .max = FLAG_CONSTRAINTS_MAX, .of = &constraint_shape};

static const struct shape_key strategy_keys[] = {
    NAME("name"),
    TEXT("title", FLAG_TEXT_MAX),
    FLAG("disabled"),
    {.name = "parameters", .type = SHAPE_MAP, .max = 10, .text_max = FLAG_PARAMETER_MAX},
    {.name = "constraints",
     .type = SHAPE_LIST,
     .max = FLAG_CONSTRAINTS_MAX,
     .of = &constraint_shape},
    {.name = "segments", .type = SHAPE_TEXTS, .max = FLAG_SEGMENTS_MAX, .text_max = FLAG_NAME_MAX},
    {.name = "variants", .type = SHAPE_LIST, .max = FLAG_VARIANTS_MAX, .of = &variant_shape},
};
static const struct shape strategy_shape = KEYS(strategy_keys);
static const struct shape_key strategies_key = {
    .type = SHAPE_LIST, .max = FLAG_STRATEGIES_MAX, .of = &strategy_shape};

static const struct shape_key dependency_keys[] = {
    NAME("flag"),
    FLAG("enabled"),
    {.name = "variants", .type = SHAPE_TEXTS, .max = FLAG_VARIANTS_MAX, .text_max = FLAG_NAME_MAX},
};
static const struct shape dependency_shape = KEYS(dependency_keys);
static const struct shape_key dependencies_key = {
    .type = SHAPE_LIST, .max = FLAG_DEPENDENCIES_MAX, .of = &dependency_shape};

bool flag_name_valid(const char *name) {
    size_t n = strlen(name);

    return n > 0 && n <= FLAG_NAME_MAX && strspn(name, FLAG_NAME_CHARACTERS) == n &&
           strchr(FLAG_NAME_LETTERS, name[0]);
}

/* Whether it is there and of the right shape, so that its rules can be looked at. */
static bool shaped(const struct shape_key *key, const json_t *v, const char *at, json_t *errors) {
    return v && !json_is_null(v) && shape_check_key(key, v, at, FLAG_ERRORS_MAX, errors);
}

/* Adds one at at/key (key may have several parts), up to the limit. */
static void wrong(json_t *errors, const char *at, const char *key, const char *code,
                  const char *detail) {
    _cleanup_free_ char *field = xasprintf("%s%s", at, key);

    if (json_array_size(errors) < FLAG_ERRORS_MAX)
        field_error(errors, field, code, "%s", detail);
}

/* Wrong where another before it has the same name. */
static void check_once(json_t *seen, const char *name, const char *at, json_t *errors) {
    if (json_object_get(seen, name))
        wrong(errors, at, "", "duplicate", "Another one of this list has this name.");
    json_object_set_new(seen, name, json_true());
}

/* ---- variants ---- */

static bool payload_suits(const char *type, const char *value_type) {
    if (strcmp(value_type, "number") == 0)
        return strcmp(type, "number") == 0;
    if (strcmp(value_type, "object") == 0)
        return strcmp(type, "json") == 0;
    return strcmp(value_type, "string") != 0 || strcmp(type, "string") == 0 ||
           strcmp(type, "csv") == 0;
}

static void check_payload(const json_t *payload, const char *value_type, const char *at,
                          json_t *errors) {
    const char *type = json_str(payload, "type", ""), *text = json_str(payload, "value", "");
    json_auto_t *value = NULL;

    if (!payload || json_is_null(payload))
        return;
    if (value_type && !payload_suits(type, value_type))
        wrong(errors, at, "/payload/type", "conflict", "Not what the flag's value_type asks for.");
    if (strcmp(type, "json") != 0 && strcmp(type, "number") != 0)
        return;
    value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (strcmp(type, "number") == 0 ? !json_is_number(value) : !value)
        wrong(errors, at, "/payload/value", "format",
              strcmp(type, "number") == 0 ? "Must be a number." : "Must be JSON.");
    else if (value_type && strcmp(value_type, "object") == 0 && !json_is_object(value))
        wrong(errors, at, "/payload/value", "type", "Must be a JSON object.");
}

static void check_variants(const json_t *variants, const char *value_type, const char *at,
                           json_t *errors) {
    json_auto_t *names = json_object();
    const json_t *variant;
    int64_t sum = 0;
    size_t i;

    json_array_foreach(variants, i, variant) {
        _cleanup_free_ char *here = xasprintf("%s/%zu", at, i), *name = xasprintf("%s/name", here);

        check_once(names, json_str(variant, "name", ""), name, errors);
        check_payload(json_object_get(variant, "payload"), value_type, here, errors);
        sum += json_int(variant, "weight", 0);
    }
    if (json_array_size(variants) && sum == 0)
        wrong(errors, at, "", "range", "At least one variant has a weight above 0.");
}

void flag_variants_check(const json_t *variants, const char *value_type, const char *at,
                         json_t *errors) {
    if (shaped(&variants_key, variants, at, errors))
        check_variants(variants, value_type, at, errors);
}

/* ---- constraints ---- */

static void check_one_value(OperatorKind kind, const char *value, const char *at, json_t *errors) {
    _cleanup_(arena_done) struct arena scratch = {0};
    const char *sentence;
    struct semver version;
    double number;
    int64_t us;

    if (kind == KIND_NUMBER && !parse_number(value, &number))
        wrong(errors, at, "/value", "format", "Must be a number.");
    else if (kind == KIND_DATE && !clock_parse(value, &us))
        wrong(errors, at, "/value", "format", "Must be an RFC 3339 time.");
    else if (kind == KIND_VERSION && !parse_version(value, &version))
        wrong(errors, at, "/value", "format", "Must be a semantic version, without a v.");
    else if (kind == KIND_REGEX && !regex_compile(&scratch, value, false, &sentence))
        wrong(errors, at, "/value", "format", sentence);
}

static void check_networks(const json_t *values, const char *at, json_t *errors) {
    const json_t *value;
    struct network net;
    size_t i;

    json_array_foreach(values, i, value) {
        _cleanup_free_ char *field = NULL;

        if (parse_network(json_string_value(value), json_string_length(value), &net))
            continue;
        field = xasprintf("%s/values/%zu", at, i);
        wrong(errors, field, "", "format", "Must be an IP address or a network (10.0.0.0/8).");
    }
}

static void check_constraint(const json_t *constraint, const char *at, json_t *errors) {
    const struct operator_row *row = operator_named(json_str(constraint, "operator", ""));
    const json_t *values = json_object_get(constraint, "values");
    const char *value = json_str(constraint, "value", NULL);

    if (!row) {
        wrong(errors, at, "/operator", "enum", "There is no such operator.");
        return;
    }
    if (row->takes_values && !json_is_array(values))
        wrong(errors, at, "/values", "required", "This operator compares with values.");
    if (row->takes_values == (value != NULL))
        wrong(errors, at, "/value", value ? "conflict" : "required",
              value ? "This operator takes values." : "This operator compares with one value.");
    if (!row->takes_values && json_array_size(values))
        wrong(errors, at, "/values", "conflict", "This operator takes one value.");
    if (!row->folds && json_bool(constraint, "case_insensitive", false))
        wrong(errors, at, "/case_insensitive", "conflict", "Only of STR_… and REGEX.");
    if (row->kind == KIND_TEXT && json_array_size(values) > FLAG_TEXT_VALUES_MAX)
        wrong(errors, at, "/values", "too-long", "At most 1000 of them for this operator.");
    if (row->kind == KIND_NETWORK)
        check_networks(values, at, errors);
    else if (!row->takes_values && value)
        check_one_value(row->kind, value, at, errors);
}

static void check_constraints(const json_t *constraints, const char *at, json_t *errors) {
    const json_t *constraint;
    size_t i;

    json_array_foreach(constraints, i, constraint) {
        _cleanup_free_ char *here = xasprintf("%s/%zu", at, i);

        check_constraint(constraint, here, errors);
    }
}

void flag_constraints_check(const json_t *constraints, const char *at, json_t *errors) {
    if (shaped(&constraints_key, constraints, at, errors))
        check_constraints(constraints, at, errors);
}

/* ---- strategies ---- */

static void check_parameter(const struct parameter_row *row, const char *value, const char *at,
                            json_t *errors) {
    struct network net;
    const char *one;
    double number;
    size_t n;

    if (row->kind == PARAMETER_PERCENTAGE && !parse_percentage(value, &number))
        wrong(errors, at, "", "range", "A number from 0 to 100, as a string.");
    if (row->kind == PARAMETER_NAME && strlen(value) > FLAG_NAME_MAX)
        wrong(errors, at, "", "too-long", "At most 100 bytes.");
    if (row->kind == PARAMETER_NETWORKS)
        while ((one = parse_element(&value, &n)))
            if (n && !parse_network(one, n, &net))
                wrong(errors, at, "", "format", "IP addresses and networks, with commas between.");
}

static void check_parameters(const struct strategy_row *row, const json_t *parameters,
                             const char *at, json_t *errors) {
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)parameters, name, value) {
        const struct parameter_row *parameter = strategy_parameter(row, name);
        _cleanup_free_ char *field = field_below(at, name);

        if (parameter)
            check_parameter(parameter, json_string_value(value), field, errors);
        else
            wrong(errors, field, "", "unknown", "This strategy has no such parameter.");
    }
    for (size_t i = 0; i < STRATEGY_PARAMETERS && row->parameters[i].name; i++) {
        _cleanup_free_ char *field = xasprintf("%s/%s", at, row->parameters[i].name);

        if (row->parameters[i].required && !json_object_get(parameters, row->parameters[i].name))
            wrong(errors, field, "", "required", "This strategy needs it.");
    }
}

static void check_strategy(const json_t *strategy, const char *value_type, const char *at,
                           json_t *errors) {
    const struct strategy_row *row = strategy_named(json_str(strategy, "name", ""));
    _cleanup_free_ char *constraints = xasprintf("%s/constraints", at);
    _cleanup_free_ char *variants = xasprintf("%s/variants", at);
    _cleanup_free_ char *parameters = xasprintf("%s/parameters", at);

    if (row)
        check_parameters(row, json_object_get(strategy, "parameters"), parameters, errors);
    else
        wrong(errors, at, "/name", "enum", "There is no such strategy.");
    check_constraints(json_object_get(strategy, "constraints"), constraints, errors);
    check_variants(json_object_get(strategy, "variants"), value_type, variants, errors);
}

void flag_strategies_check(const json_t *strategies, const char *value_type, const char *at,
                           json_t *errors) {
    const json_t *strategy;
    size_t i;

    if (!shaped(&strategies_key, strategies, at, errors))
        return;
    json_array_foreach(strategies, i, strategy) {
        _cleanup_free_ char *here = xasprintf("%s/%zu", at, i);

        check_strategy(strategy, value_type, here, errors);
    }
}

/* ---- what names others ---- */

void flag_dependencies_check(const json_t *dependencies, const char *flag, const char *at,
                             json_t *errors) {
    json_auto_t *names = json_object();
    const json_t *dependency;
    size_t i;

    if (!shaped(&dependencies_key, dependencies, at, errors))
        return;
    json_array_foreach(dependencies, i, dependency) {
        _cleanup_free_ char *field = xasprintf("%s/%zu/flag", at, i);
        const char *name = json_str(dependency, "flag", "");

        check_once(names, name, field, errors);
        if (flag && strcmp(name, flag) == 0)
            wrong(errors, field, "", "conflict", "A flag cannot depend on itself.");
    }
}

void flag_default_variant_check(const json_t *default_variant, const json_t *variants,
                                const char *at, json_t *errors) {
    const json_t *variant;
    size_t i;

    if (!default_variant || json_is_null(default_variant))
        return;
    json_array_foreach(variants, i, variant) if (json_equal(json_object_get(variant, "name"),
                                                            default_variant)) return;
    wrong(errors, at, "", json_is_string(default_variant) ? "unknown" : "type",
          "Must be the name of one of the flag's variants.");
}
