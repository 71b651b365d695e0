#include "flags/unleash.h"
#include "flags/unleash_names.h"
#include <string.h>

/* Where it is absent, null or empty. */
static void set_default(json_t *object, const char *key, json_t *value) {
    const json_t *there = json_object_get(object, key);

    if (!there || json_is_null(there) || (json_is_string(there) && !json_string_length(there)))
        json_object_set(object, key, value);
    json_decref(value);
}

static void export_constraints(json_t *list) {
    json_t *one;
    size_t i;

    json_array_foreach(list, i, one) {
        set_default(one, "values", json_array());
        set_default(one, "inverted", json_false());
        set_default(one, "caseInsensitive", json_false());
    }
}

static void export_variants(json_t *list, const char *sticky) {
    json_t *one;
    size_t i;

    json_array_foreach(list, i, one) {
        set_default(one, "weightType", json_string("variable"));
        set_default(one, "stickiness", json_string(sticky));
    }
}

/* What a segment that does not exist says inline: nobody. */
static json_t *nobody(void) {
    return json_pack("[{s:s, s:s, s:[], s:b, s:b}]", "contextName", "userId", "operator", "IN",
                     "values", "inverted", 0, "caseInsensitive", 0);
}

/* Segments by their ids, or their constraints beside the strategy's own.  segments: name → {id,
 * constraints}. */
static void export_segments_named(json_t *strategy, const json_t *segments, bool inline_segments) {
    json_auto_t *names = json_incref(json_object_get(strategy, "segments"));
    json_t *ids = json_array(), *constraints = json_object_get(strategy, "constraints"), *name;
    size_t i;

    json_object_del(strategy, "segments");
    json_array_foreach(names, i, name) {
        const char *text = json_string_value(name);
        const json_t *segment = text ? json_object_get(segments, text) : NULL;

        if (!inline_segments) {
            json_array_append_new(ids, json_integer(json_int(segment, "id", 0)));
        } else if (segment) {
            json_array_extend(constraints, json_object_get(segment, "constraints"));
        } else {
            json_auto_t *none = nobody();

            json_array_extend(constraints, none);
        }
    }
    if (json_array_size(ids))
        json_object_set(strategy, "segments", ids);
    json_decref(ids);
}

static void export_strategy(json_t *strategy, const char *flag, const json_t *segments,
                            bool inline_segments) {
    bool flexible = strcmp(json_str(strategy, "name", ""), "flexibleRollout") == 0;
    json_t *parameters;

    json_object_del(strategy, "title");
    json_object_del(strategy, "disabled");
    set_default(strategy, "parameters", json_object());
    set_default(strategy, "constraints", json_array());
    set_default(strategy, "variants", json_array());
    parameters = json_object_get(strategy, "parameters");
    if (flexible) { /* SDKs differ in what they take where these are not given */
        set_default(parameters, "groupId", json_string(flag));
        set_default(parameters, "stickiness", json_string("default"));
    }
    export_constraints(json_object_get(strategy, "constraints"));
    export_variants(json_object_get(strategy, "variants"),
                    json_str(parameters, "stickiness", "default"));
    export_segments_named(strategy, segments, inline_segments);
}

/* Without the disabled ones; true: none was left out, or some are left. */
static bool export_strategies(json_t *list, const char *flag, const json_t *segments,
                              bool inline_segments) {
    bool all = true;

    for (size_t i = json_array_size(list); i-- > 0;) {
        json_t *strategy = json_array_get(list, i);

        if (json_bool(strategy, "disabled", false)) {
            all = false;
            json_array_remove(list, i);
        } else {
            export_strategy(strategy, flag, segments, inline_segments);
        }
    }
    return all || json_array_size(list) > 0;
}

static void export_flag(json_t *flag, const json_t *segments, bool inline_segments) {
    static const char *const ours[] = {"value_type", "default_variant", "killed"};
    bool enabled = json_bool(flag, "enabled", false) && !json_bool(flag, "killed", false);

    set_default(flag, "type", json_string("release"));
    set_default(flag, "project", json_string("default"));
    set_default(flag, "stale", json_false());
    set_default(flag, "impressionData", json_false());
    set_default(flag, "strategies", json_array());
    set_default(flag, "variants", json_array());
    set_default(flag, "description", json_null());
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        json_object_del(flag, ours[i]);
    if (json_array_size(json_object_get(flag, "dependencies")) == 0)
        json_object_del(flag, "dependencies");
    export_variants(json_object_get(flag, "variants"), "default");
    if (!export_strategies(json_object_get(flag, "strategies"), json_str(flag, "name", ""),
                           segments, inline_segments))
        enabled = false;
    json_object_set_new(flag, "enabled", json_boolean(enabled));
}

/* Name → segment, each with an id of its own; yours. */
static json_t *numbered(json_t *segments) {
    json_t *names = json_object(), *one;
    size_t i;

    json_array_foreach(segments, i, one) {
        const char *name = json_str(one, "name", NULL);

        json_object_set_new(one, "id", json_integer((json_int_t)i + 1));
        set_default(one, "constraints", json_array());
        export_constraints(json_object_get(one, "constraints"));
        if (name && !json_object_get(names, name))
            json_object_set(names, name, one);
    }
    return names;
}

json_t *unleash_export(const json_t *document, bool inline_segments) {
    json_t *out = unleash_renamed(document, unleash_from_native), *flag, *segments;
    json_auto_t *by_name = NULL;
    size_t i;

    json_object_set_new(out, "version", json_integer(2));
    set_default(out, "features", json_array());
    set_default(out, "segments", json_array());
    segments = json_object_get(out, "segments");
    by_name = numbered(segments);
    json_array_foreach(json_object_get(out, "features"), i, flag)
        export_flag(flag, by_name, inline_segments);
    if (inline_segments)
        json_object_del(out, "segments");
    return out;
}
