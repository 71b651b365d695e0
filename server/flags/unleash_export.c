#include "flags/shape.h"
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

/* The ids of segments that are named.  segments: name → {id, constraints}. */
static json_t *ids_of(const json_t *names, const json_t *segments) {
    json_t *ids = json_array();
    const json_t *name;
    size_t i;

    json_array_foreach(names, i, name) {
        const char *text = json_string_value(name);

        json_array_append_new(
            ids, json_integer(json_int(text ? json_object_get(segments, text) : NULL, "id", 0)));
    }
    return ids;
}

/* Their constraints beside the strategy's own. */
static void inline_constraints(const json_t *names, const json_t *segments, json_t *constraints) {
    const json_t *name;
    size_t i;

    json_array_foreach(names, i, name) {
        const char *text = json_string_value(name);
        json_t *segment = text ? json_object_get(segments, text) : NULL;
        json_auto_t *theirs =
            segment ? json_incref(json_object_get(segment, "constraints")) : nobody();

        json_array_extend(constraints, theirs);
    }
}

static void export_segments_named(json_t *strategy, const json_t *segments, bool inline_segments) {
    json_auto_t *names = json_incref(json_object_get(strategy, "segments"));

    json_object_del(strategy, "segments");
    if (inline_segments)
        inline_constraints(names, segments, json_object_get(strategy, "constraints"));
    else if (json_array_size(names))
        json_object_set_new(strategy, "segments", ids_of(names, segments));
}

/* What it leaves out, said. */
static void fill_strategy(json_t *strategy, const char *flag) {
    bool flexible = strcmp(json_str(strategy, "name", ""), "flexibleRollout") == 0;
    json_t *parameters;

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
}

static void export_strategy(json_t *strategy, const char *flag, const json_t *segments,
                            bool inline_segments) {
    json_object_del(strategy, "title");
    json_object_del(strategy, "disabled");
    fill_strategy(strategy, flag);
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
    static const char *const ours[] = {"value_type", "default_variant", "killed", "stale_after",
                                       "requires_release"};
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
        json_object_del(one, "description");
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

/* ---- an export ---- */

struct file {
    json_t *out;
    const json_t *segments; /* name → {id} */
    const char *environment;
};

static void append(const struct file *f, const char *list, json_t *row) {
    json_array_append_new(json_object_get(f->out, list), row);
}

/* Takes the fields that Unleash has no place for from `one` to `sluice`. */
static void take_ours(const struct file *f, const char *kind, json_t *one) {
    json_t *row = json_object(), *value;
    const char *key;
    void *next;

    json_object_foreach_safe(one, next, key, value) {
        if (!shape_word(unleash_ours(kind), key))
            continue;
        json_object_set(row, key, value);
        json_object_del(one, key);
    }
    json_object_set_new(json_at(f->out, "sluice", kind, NULL), json_str(one, "name", ""), row);
}

/* Unleash asks for these two of every variant. */
static void file_strategies(const struct file *f, const char *flag, json_t *strategies) {
    json_t *strategy;
    size_t i;

    json_array_foreach(strategies, i, strategy) {
        json_t *names = json_object_get(strategy, "segments");

        json_object_set_new(strategy, "featureName", json_string(flag));
        export_variants(json_object_get(strategy, "variants"),
                        json_str(json_object_get(strategy, "parameters"), "stickiness", "default"));
        if (names)
            json_object_set_new(strategy, "segments", ids_of(names, f->segments));
        append(f, "featureStrategies", json_incref(strategy));
    }
}

/* Its parts go where an export has them. */
static void file_flag(const struct file *f, json_t *flag) {
    static const char *const apart[] = {"strategies", "variants", "enabled", "killed",
                                        "dependencies"};
    json_auto_t *parts = json_object();
    const char *name = json_str(flag, "name", "");
    bool enabled = json_bool(flag, "enabled", false) && !json_bool(flag, "killed", false);

    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) {
        json_object_set(parts, apart[i], json_object_get(flag, apart[i]));
        json_object_del(flag, apart[i]);
    }
    set_default(parts, "variants", json_array());
    export_variants(json_object_get(parts, "variants"), "default");
    file_strategies(f, name, json_object_get(parts, "strategies"));
    /* Unleash looks for the feature's name in both */
    append(f, "featureEnvironments",
           json_pack("{s:s, s:s, s:s, s:b, s:O}", "name", name, "featureName", name, "environment",
                     f->environment, "enabled", enabled, "variants",
                     json_object_get(parts, "variants")));
    if (json_array_size(json_object_get(parts, "dependencies")))
        append(f, "dependencies",
               json_pack("{s:s, s:O}", "feature", name, "dependencies",
                         json_object_get(parts, "dependencies")));
    take_ours(f, "flags", flag);
    json_object_set_new(flag, "project", json_string("default"));
    append(f, "features", json_incref(flag));
}

json_t *unleash_export_file(const json_t *document, const char *environment) {
    json_auto_t *from = unleash_renamed(document, unleash_from_native), *by_name = NULL;
    struct file f = {.environment = environment};
    json_t *one, *segments = json_object_get(from, "segments");
    size_t i;

    f.out =
        json_pack("{s:[], s:[], s:[], s:[], s:[], s:[], s:[], s:[], s:{s:{}, s:{}}}", "features",
                  "featureStrategies", "featureEnvironments", "segments", "dependencies",
                  "contextFields", "featureTags", "tagTypes", "sluice", "flags", "segments");
    json_array_foreach(segments, i, one) {
        json_object_set_new(one, "id", json_integer((json_int_t)i + 1));
        take_ours(&f, "segments", one);
        append(&f, "segments", json_incref(one));
    }
    f.segments = by_name = json_by(segments, "name");
    json_array_foreach(json_object_get(from, "features"), i, one) file_flag(&f, one);
    return f.out;
}

/* ---- the same ---- */

/* All that may be left out said, in Unleash's words; yours. */
static json_t *filled(const json_t *one) {
    static const char *const lists[] = {"constraints", "variants", "dependencies", "strategies"};
    json_t *out = unleash_renamed(one, unleash_from_native), *part;
    size_t i;

    for (i = 0; i < sizeof lists / sizeof *lists; i++)
        set_default(out, lists[i], json_array());
    export_constraints(json_object_get(out, "constraints"));
    export_variants(json_object_get(out, "variants"), "default");
    json_array_foreach(json_object_get(out, "variants"), i, part)
        set_default(part, "overrides", json_array());
    json_array_foreach(json_object_get(out, "dependencies"), i, part) {
        set_default(part, "enabled", json_true());
        set_default(part, "variants", json_array());
    }
    json_array_foreach(json_object_get(out, "strategies"), i, part) {
        fill_strategy(part, json_str(out, "name", ""));
        set_default(part, "title", json_null());
        set_default(part, "disabled", json_false());
        set_default(part, "segments", json_array());
    }
    return out;
}

bool unleash_same(const json_t *a, const json_t *b) {
    json_auto_t *one = filled(a), *other = filled(b);

    return json_equal(one, other);
}
