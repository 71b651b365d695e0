/* flags/model_document.c: a whole document: its own keys, and that what is named is there. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/field_errors.h"
#include "base/semver.h"
#include "flags/model.h"
#include "flags/shape.h"
#include <string.h>

enum { SEGMENTS_MAX = 10000, TIME_MAX = 64, VERSION_MAX = 128 };

#define NAME                                                                                       \
    { .name = "name", .type = SHAPE_TEXT, .required = true, .min = 1, .max = FLAG_NAME_MAX }
#define BOOL(key)                                                                                  \
    { .name = (key), .type = SHAPE_BOOL }
#define PART(key)                                                                                  \
    { .name = (key), .type = SHAPE_ANY } /* model.c looks at it */
#define WORD(key, any)                                                                             \
    { .name = (key), .type = SHAPE_WORD, .words = (any) }

static const struct shape_key flag_keys[] = {
    NAME,
    WORD("type", FLAG_TYPES),
    WORD("value_type", FLAG_VALUE_TYPES),
    {.name = "description", .type = SHAPE_TEXT, .max = FLAG_TEXT_MAX},
    BOOL("impression_data"),
    BOOL("stale"),
    BOOL("enabled"),
    BOOL("killed"),
    PART("variants"),
    PART("strategies"),
    PART("default_variant"),
    PART("dependencies"),
    {.name = "stale_after", .type = SHAPE_TEXT, .max = TIME_MAX},
    {.name = "requires_release", .type = SHAPE_TEXT, .max = VERSION_MAX},
};
static const struct shape flag_shape = {flag_keys, sizeof flag_keys / sizeof *flag_keys};

static const struct shape_key segment_keys[] = {
    NAME,
    {.name = "description", .type = SHAPE_TEXT, .max = FLAG_TEXT_MAX},
    PART("constraints"),
};
static const struct shape segment_shape = {segment_keys,
                                           sizeof segment_keys / sizeof *segment_keys};

static const struct shape_key document_keys[] = {
    {.name = "flags", .type = SHAPE_LIST, .required = true, .max = FLAGS_MAX, .of = &flag_shape},
    {.name = "segments", .type = SHAPE_LIST, .max = SEGMENTS_MAX, .of = &segment_shape},
};
static const struct shape document_shape = {document_keys,
                                            sizeof document_keys / sizeof *document_keys};

#define WRONG(errors, field, code, ...)                                                            \
    do {                                                                                           \
        if (json_array_size(errors) < FLAG_ERRORS_MAX)                                             \
            field_error(errors, field, code, __VA_ARGS__);                                         \
    } while (0)

/* Name → what has it; yours.  Each name once. */
static json_t *by_name(const json_t *list, const char *at, json_t *errors) {
    json_t *names = json_by(list, "name");
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one) {
        const char *name = json_str(one, "name", "");
        _cleanup_free_ char *field = xasprintf("%s/%zu/name", at, i);

        if (!flag_name_valid(name))
            WRONG(errors, field, "format",
                  "Letters, digits and . _ ~ -, beginning with a letter or a digit.");
        else if (json_object_get(names, name) != one)
            WRONG(errors, field, "duplicate", "Another one of this list has this name.");
    }
    return names;
}

static void check_segments_named(const json_t *strategies, const json_t *segments, const char *at,
                                 json_t *errors) {
    const json_t *strategy, *name;
    size_t s, i;

    json_array_foreach(strategies, s, strategy)
        json_array_foreach(json_object_get(strategy, "segments"), i, name) {
        _cleanup_free_ char *field = NULL;

        if (json_object_get(segments, json_string_value(name)))
            continue;
        field = xasprintf("%s/strategies/%zu/segments/%zu", at, s, i);
        WRONG(errors, field, "unknown", "There is no such segment.");
    }
}

static void check_flags_named(const json_t *dependencies, const json_t *flags, const char *at,
                              json_t *errors) {
    const json_t *dependency;
    size_t i;

    json_array_foreach(dependencies, i, dependency) {
        const json_t *parent = json_object_get(flags, json_str(dependency, "flag", ""));
        _cleanup_free_ char *field = xasprintf("%s/dependencies/%zu/flag", at, i);

        if (!parent)
            WRONG(errors, field, "unknown", "There is no such flag.");
        else if (json_array_size(json_object_get(parent, "dependencies")))
            WRONG(errors, field, "conflict", "This flag depends on others itself.");
    }
}

static void check_texts(const json_t *flag, const char *at, json_t *errors) {
    const char *stale = json_str(flag, "stale_after", NULL);
    const char *required = json_str(flag, "requires_release", NULL);
    _cleanup_free_ char *of_stale = xasprintf("%s/stale_after", at);
    _cleanup_free_ char *of_required = xasprintf("%s/requires_release", at);
    struct semver version;
    int64_t us;

    if (stale && !clock_parse(stale, &us))
        WRONG(errors, of_stale, "format", "An RFC 3339 time.");
    if (required && !semver_parse(required, &version))
        WRONG(errors, of_required, "invalid", "A semantic version, like v1.2.3.");
}

static void check_flag(const json_t *flag, const char *at, json_t *errors) {
    const char *value_type = json_str(flag, "value_type", NULL);
    const json_t *variants = json_object_get(flag, "variants");
    _cleanup_free_ char *variants_at = xasprintf("%s/variants", at);
    _cleanup_free_ char *strategies_at = xasprintf("%s/strategies", at);
    _cleanup_free_ char *dependencies_at = xasprintf("%s/dependencies", at);
    _cleanup_free_ char *default_at = xasprintf("%s/default_variant", at);

    flag_variants_check(variants, value_type, variants_at, errors);
    flag_strategies_check(json_object_get(flag, "strategies"), value_type, strategies_at, errors);
    flag_dependencies_check(json_object_get(flag, "dependencies"), json_str(flag, "name", ""),
                            dependencies_at, errors);
    flag_default_variant_check(json_object_get(flag, "default_variant"), variants, default_at,
                               errors);
    check_texts(flag, at, errors);
}

void flag_model_check(const json_t *document, json_t *errors) {
    const json_t *list = json_object_get(document, "flags"), *segment_list, *one;
    json_auto_t *flags = NULL, *segments = NULL;
    size_t i;

    if (!shape_check(&document_shape, document, "", FLAG_ERRORS_MAX, errors))
        return;
    segment_list = json_object_get(document, "segments");
    flags = by_name(list, "/flags", errors);
    segments = by_name(segment_list, "/segments", errors);
    json_array_foreach(segment_list, i, one) {
        _cleanup_free_ char *at = xasprintf("/segments/%zu/constraints", i);

        flag_constraints_check(json_object_get(one, "constraints"), at, errors);
    }
    json_array_foreach(list, i, one) {
        _cleanup_free_ char *at = xasprintf("/flags/%zu", i);

        check_flag(one, at, errors);
    }
    if (json_array_size(errors))
        return; /* what is named is looked for in what is in order */
    json_array_foreach(list, i, one) {
        _cleanup_free_ char *at = xasprintf("/flags/%zu", i);

        check_segments_named(json_object_get(one, "strategies"), segments, at, errors);
        check_flags_named(json_object_get(one, "dependencies"), flags, at, errors);
    }
}
