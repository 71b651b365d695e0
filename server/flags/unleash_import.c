#include "base/cleanup.h"
#include "base/field_errors.h"
#include "flags/model.h"
#include "flags/shape.h"
#include "flags/unleash.h"
#include "flags/unleash_names.h"
#include "flags/words.h"
#include <string.h>

/* ---- an export, put together as the client API has it ---- */

static json_t *list_of(json_t *in, const char *key) {
    json_t *list = json_object_get(in, key);

    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(in, key, list);
    }
    return list;
}

/* The rows of `from` go where the feature that they name has them. */
static void hand_out(const json_t *from, json_t *features,
                     void (*give)(json_t *feature, json_t *row)) {
    json_t *row;
    size_t i;

    json_array_foreach(from, i, row) {
        const char *name = json_str(row, "featureName", json_str(row, "feature", NULL));
        json_t *feature = name ? json_object_get(features, name) : NULL;

        if (feature)
            give(feature, row);
    }
}

static void give_strategy(json_t *feature, json_t *row) {
    const char *name = json_str(row, "strategyName", NULL);
    json_t *copy = json_copy(row);

    json_object_del(copy, "environment");
    json_object_del(copy, "strategyName");
    if (name)
        json_object_set_new(copy, "name", json_string(name));
    json_array_append_new(list_of(feature, "strategies"), copy);
}

static void give_environment(json_t *feature, json_t *row) {
    if (json_object_get(row, "enabled"))
        json_object_set(feature, "enabled", json_object_get(row, "enabled"));
    if (json_is_array(json_object_get(row, "variants")))
        json_object_set(feature, "variants", json_object_get(row, "variants"));
}

static void give_dependencies(json_t *feature, json_t *row) {
    json_object_set(feature, "dependencies", json_object_get(row, "dependencies"));
}

/* {features, segments}, as the client API answers; yours. */
static json_t *client_form(const json_t *from) {
    json_t *given = json_object_get(from, "features"), *feature;
    json_t *out = json_object(),
           *features = json_is_array(given) ? json_array() : json_incref(given);
    json_auto_t *by_name = json_object();
    size_t i;

    json_object_set_new(out, "features", features);
    json_object_set(out, "segments", json_object_get(from, "segments"));
    json_array_foreach(given, i, feature) {
        json_t *copy = json_deep_copy(feature);

        if (json_is_object(copy) && json_object_get(from, "featureStrategies")) {
            list_of(copy, "strategies"); /* none there: for everybody, as in Unleash */
            if (json_str(copy, "name", NULL))
                json_object_set(by_name, json_str(copy, "name", ""), copy);
        }
        json_array_append_new(features, copy);
    }
    hand_out(json_object_get(from, "featureStrategies"), by_name, give_strategy);
    hand_out(json_object_get(from, "featureEnvironments"), by_name, give_environment);
    hand_out(json_object_get(from, "dependencies"), by_name, give_dependencies);
    return out;
}

/* ---- what is said otherwise here ---- */

/* Drops what says nothing, here and below. */
static void drop_ignored(json_t *v) {
    const char *key;
    json_t *one;
    void *next;
    size_t i;

    json_object_foreach_safe(v, next, key, one) {
        if (json_is_null(one) || unleash_ignores(key))
            json_object_del(v, key);
        else if (strcmp(key, "parameters") != 0)
            drop_ignored(one);
    }
    json_array_foreach(v, i, one) drop_ignored(one);
}

/* Unleash sends `value` and `values` with every operator, and marks that have no meaning for it. */
static void tidy_constraints(json_t *list) {
    json_t *one;
    size_t i;

    json_array_foreach(list, i, one) {
        const struct operator_row *row = operator_named(json_str(one, "operator", ""));

        if (row && row->takes_values)
            json_object_del(one, "value");
        else if (row && json_array_size(json_object_get(one, "values")) == 0)
            json_object_del(one, "values");
        if (row && !row->folds)
            json_object_del(one, "case_insensitive");
    }
}

/* Strings, as SDKs read them: 50 is "50". */
static void tidy_parameters(json_t *parameters) {
    const char *key;
    json_t *one;
    void *next;

    json_object_foreach_safe(parameters, next, key, one) {
        _cleanup_free_ char *text = json_is_number(one) ? json_text(one) : NULL;

        if (text)
            json_object_set_new(parameters, key, json_string(text));
        else if (json_is_null(one))
            json_object_del(parameters, key);
    }
}

/* The name of the segment with this id. */
static json_t *segment_name(const json_t *names, const json_t *id) {
    _cleanup_free_ char *text = json_text(id);
    json_t *name = json_object_get(names, text);

    return name ? json_incref(name) : json_sprintf("segment-%s", text);
}

static void tidy_strategy(json_t *strategy, const json_t *segments) {
    json_t *ids = json_object_get(strategy, "segments"), *id, *names = json_array();
    size_t i;

    tidy_constraints(json_object_get(strategy, "constraints"));
    tidy_parameters(json_object_get(strategy, "parameters"));
    json_array_foreach(ids, i, id) json_array_append_new(
        names, json_is_integer(id) ? segment_name(segments, id) : json_incref(id));
    if (json_is_array(ids))
        json_object_set(strategy, "segments", names);
    json_decref(names);
}

static void tidy_flag(json_t *flag, const json_t *segments) {
    json_t *strategy;
    size_t i;

    json_array_foreach(json_object_get(flag, "strategies"), i, strategy)
        tidy_strategy(strategy, segments);
}

/* Gives each segment a name; names those without constraints, which would hold for everybody.  Id
 * as text → name; yours. */
static json_t *tidy_segments(json_t *list, const json_t *from, json_t *errors) {
    json_t *names = json_object(), *segment;
    size_t i;

    json_array_foreach(list, i, segment) {
        json_t *id = json_object_get(json_array_get(from, i), "id");
        json_auto_t *name = json_incref(json_object_get(segment, "name"));

        if (!json_is_object(segment))
            continue;
        if (!name && json_is_integer(id))
            name = segment_name(names, id);
        if (name)
            json_object_set(segment, "name", name);
        if (name && json_is_integer(id)) {
            _cleanup_free_ char *text = json_text(id);

            json_object_set(names, text, name);
        }
        tidy_constraints(json_object_get(segment, "constraints"));
        if (!json_is_array(json_object_get(segment, "constraints"))) {
            _cleanup_free_ char *field = xasprintf("/segments/%zu/constraints", i);

            if (json_array_size(errors) < FLAG_ERRORS_MAX)
                field_error(errors, field, "required", "The export does not say who is in it.");
        }
    }
    return names;
}

/* ---- errors, in Unleash's words ---- */

static char *unleash_pointer(const char *native) {
    _cleanup_free_ char *copy = xstrdup(native);
    char *out = xstrdup(""), *rest = copy, *token;

    strsep(&rest, "/"); /* nothing stands before the first */
    while ((token = strsep(&rest, "/"))) {
        _cleanup_free_ char *before = out;

        out = xasprintf("%s/%s", before, unleash_from_native(token));
    }
    return out;
}

/* The native form's errors, as pointers into what was given. */
static void add_errors(const json_t *native, json_t *errors) {
    json_t *one;
    size_t i;

    json_array_foreach(native, i, one) {
        _cleanup_free_ char *field = unleash_pointer(json_str(one, "field", ""));

        if (json_array_size(errors) == FLAG_ERRORS_MAX)
            return;
        json_object_set_new(one, "field", json_string(field));
        json_array_append(errors, one);
    }
}

/* Segments that are for nobody: none of that name. */
static void drop_without_constraints(json_t *segments) {
    for (size_t i = json_array_size(segments); i-- > 0;)
        if (!json_is_array(json_object_get(json_array_get(segments, i), "constraints")))
            json_array_remove(segments, i);
}

json_t *unleash_import(const json_t *from, json_t *errors) {
    json_auto_t *client = client_form(from), *names = NULL, *found = json_array();
    json_t *document = unleash_renamed(client, unleash_to_native), *flag, *segments;
    size_t i;

    drop_ignored(document);
    segments = json_object_get(document, "segments");
    names = tidy_segments(segments, json_object_get(from, "segments"), errors);
    json_array_foreach(json_object_get(document, "flags"), i, flag) tidy_flag(flag, names);
    flag_model_check(document, found);
    add_errors(found, errors);
    drop_without_constraints(segments);
    return document;
}
