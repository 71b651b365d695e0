#include "base/cleanup.h"
#include "base/field_errors.h"
#include "flags/model.h"
#include "flags/shape.h"
#include "flags/unleash.h"
#include "flags/unleash_names.h"
#include "flags/words.h"
#include <string.h>

/* A document that is read. */
struct reading {
    const json_t *from;
    json_t *origins; /* pointer into the native form → into `from`, where it is another one */
    json_t *errors;
};

#define WRONG(r, field, code, ...)                                                                 \
    do {                                                                                           \
        if (json_array_size((r)->errors) < FLAG_ERRORS_MAX)                                        \
            field_error((r)->errors, field, code, __VA_ARGS__);                                    \
    } while (0)

/* Takes both pointers. */
static void came_from(const struct reading *r, char *native, char *given) {
    json_object_set_new(r->origins, native, json_string(given));
    free(native);
    free(given);
}

/* ---- an export, put together as the client API has it ---- */

static json_t *list_of(json_t *in, const char *key) {
    json_t *list = json_object_get(in, key);

    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(in, key, list);
    }
    return list;
}

/* A row of an export and the feature that it is about. */
struct handed {
    json_t *feature, *row;
    size_t of_feature, of_row;
};

/* The rows at `key` go where the feature that they name has them. */
static void hand_out(const struct reading *r, const char *key, const json_t *features,
                     const json_t *indexes,
                     void (*give)(const struct reading *r, const struct handed *h)) {
    struct handed h = {0};

    json_array_foreach(json_object_get(r->from, key), h.of_row, h.row) {
        const char *name = json_str(h.row, "featureName", json_str(h.row, "feature", NULL));
        const json_t *index = name ? json_object_get(indexes, name) : NULL;

        if (!index)
            continue;
        h.of_feature = (size_t)json_integer_value(index);
        h.feature = json_array_get(features, h.of_feature);
        give(r, &h);
    }
}

static void give_strategy(const struct reading *r, const struct handed *h) {
    const char *name = json_str(h->row, "strategyName", NULL);
    json_t *copy = json_copy(h->row), *list = list_of(h->feature, "strategies");
    size_t n = json_array_size(list);

    json_object_del(copy, "environment");
    json_object_del(copy, "strategyName");
    came_from(r, xasprintf("/flags/%zu/strategies/%zu", h->of_feature, n),
              xasprintf("/featureStrategies/%zu", h->of_row));
    if (name) {
        json_object_set_new(copy, "name", json_string(name));
        came_from(r, xasprintf("/flags/%zu/strategies/%zu/name", h->of_feature, n),
                  xasprintf("/featureStrategies/%zu/strategyName", h->of_row));
    }
    json_array_append_new(list, copy);
}

static void give_environment(const struct reading *r, const struct handed *h) {
    static const char *const keys[] = {"enabled", "variants"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *value = json_object_get(h->row, keys[i]);

        if (!value || json_is_null(value))
            continue;
        json_object_set(h->feature, keys[i], value);
        came_from(r, xasprintf("/flags/%zu/%s", h->of_feature, keys[i]),
                  xasprintf("/featureEnvironments/%zu/%s", h->of_row, keys[i]));
    }
}

static void give_dependencies(const struct reading *r, const struct handed *h) {
    json_object_set(h->feature, "dependencies", json_object_get(h->row, "dependencies"));
    came_from(r, xasprintf("/flags/%zu/dependencies", h->of_feature),
              xasprintf("/dependencies/%zu/dependencies", h->of_row));
}

/* Name → index; yours. */
static json_t *indexes_of(const json_t *list) {
    json_t *out = json_object(), *one;
    size_t i;

    json_array_foreach(list, i, one) {
        if (json_str(one, "name", NULL))
            json_object_set_new(out, json_str(one, "name", ""), json_integer((json_int_t)i));
    }
    return out;
}

/* What an export of ours says beside what Unleash knows, of things of a kind. */
static void give_ours(const struct reading *r, const char *kind, const json_t *list) {
    const json_t *rows = json_at(r->from, "sluice", kind, NULL);
    _cleanup_free_ char *at = xasprintf("/sluice/%s", kind);
    json_t *one, *row, *value;
    const char *key;
    size_t i;

    json_array_foreach(list, i, one) {
        const char *name = json_str(one, "name", NULL);
        _cleanup_free_ char *of_row = name ? field_below(at, name) : NULL;

        row = name ? json_object_get(rows, name) : NULL;
        if (row && !json_is_object(row))
            WRONG(r, of_row, "type", "Must be an object.");
        json_object_foreach(row, key, value) {
            _cleanup_free_ char *field = field_below(of_row, key);

            if (!shape_word(unleash_ours(kind), key)) {
                WRONG(r, field, "unknown", "There is no such field.");
                continue;
            }
            json_object_set(one, key, value);
            came_from(r, xasprintf("/%s/%zu/%s", kind, i, key), TAKE_PTR(field));
        }
    }
}

/* A copy of the objects at `key`; what is no array stays as it is. */
static json_t *copied(const json_t *from, const char *key) {
    json_t *given = json_object_get(from, key), *out, *one;
    size_t i;

    if (!json_is_array(given))
        return json_incref(given);
    out = json_array();
    json_array_foreach(given, i, one) json_array_append_new(out, json_copy(one));
    return out;
}

/* {features, segments}, as the client API answers; yours. */
static json_t *client_form(const struct reading *r) {
    json_t *out = json_object(), *features = copied(r->from, "features"), *feature;
    json_t *segments = copied(r->from, "segments");
    json_auto_t *indexes = indexes_of(features);
    size_t i;

    if (json_object_get(r->from, "featureStrategies")) {
        json_array_foreach(features, i, feature) {
            if (!json_is_object(feature))
                continue;
            json_object_set_new(feature, "strategies", copied(feature, "strategies"));
            list_of(feature, "strategies"); /* none there: for everybody, as in Unleash */
        }
        hand_out(r, "featureStrategies", features, indexes, give_strategy);
    }
    hand_out(r, "featureEnvironments", features, indexes, give_environment);
    hand_out(r, "dependencies", features, indexes, give_dependencies);
    give_ours(r, "flags", features);
    give_ours(r, "segments", segments);
    json_object_set_new(out, "features", features);
    json_object_set_new(out, "segments", segments);
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

/* What the document does not speak of stays as it is there. */
static void keep(json_t *one, const json_t *there, const char *kind) {
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)there, key, value) {
        if (shape_word(unleash_ours(kind), key) && !json_is_null(value) &&
            !json_object_get(one, key))
            json_object_set_new(one, key, json_deep_copy(value));
    }
}

/* The same of flags.  An export of ours speaks of everything; Unleash's only of `stale`, not of
 * when a flag became it. */
static void keep_flags(const struct reading *r, const json_t *flags, const json_t *there) {
    json_auto_t *by_name = json_by(there, "name");
    json_t *flag;
    size_t i;

    json_array_foreach(flags, i, flag) {
        const char *name = json_str(flag, "name", "");
        const json_t *one = json_object_get(by_name, name);
        bool said = json_object_get(flag, "stale_after") != NULL;

        if (!one || json_at(r->from, "sluice", "flags", name, NULL))
            continue;
        keep(flag, one, "flags");
        if (!said && json_bool(flag, "stale", false) != json_bool(one, "stale", false))
            json_object_del(flag, "stale_after");
    }
}

/* What is called otherwise here: names as JSON have quotes, ids have none. */
static void set_name(json_t *names, const json_t *key, json_t *name) {
    _cleanup_free_ char *text = json_text(key);

    json_object_set(names, text, name);
}

/* The name here of the segment with this id or name. */
static json_t *segment_name(const json_t *names, const json_t *key) {
    _cleanup_free_ char *text = json_text(key);
    json_t *name = json_object_get(names, text);

    if (name)
        return json_incref(name);
    return json_is_integer(key) ? json_sprintf("segment-%s", text)
                                : json_incref((json_t *)(uintptr_t)key);
}

static void tidy_strategy(json_t *strategy, const json_t *segments) {
    json_t *keys = json_object_get(strategy, "segments"), *key, *names = json_array();
    size_t i;

    tidy_constraints(json_object_get(strategy, "constraints"));
    tidy_parameters(json_object_get(strategy, "parameters"));
    json_array_foreach(keys, i, key) json_array_append_new(names, segment_name(segments, key));
    if (json_is_array(keys))
        json_object_set(strategy, "segments", names);
    json_decref(names);
}

static void tidy_flag(json_t *flag, const json_t *segments) {
    json_t *strategy;
    size_t i;

    json_array_foreach(json_object_get(flag, "strategies"), i, strategy)
        tidy_strategy(strategy, segments);
}

/* What it is called here, and, where others have become the same (taken: name here → name there),
 * that it cannot be; yours, NULL: it has no name. */
static json_t *name_here(const struct reading *r, const json_t *segment, const json_t *id, size_t i,
                         json_t *taken) {
    const char *given = json_str(segment, "name", NULL), *other;
    _cleanup_free_ char *name = given ? unleash_segment_name(given) : NULL;
    _cleanup_free_ char *field = xasprintf("/segments/%zu/name", i);

    if ((!name || !*name) && json_is_integer(id)) {
        free(name);
        name = xasprintf("segment-%lld", (long long)json_integer_value(id));
    }
    if (!name)
        return NULL;
    other = json_str(taken, name, NULL);
    if (!other) {
        json_object_set_new(taken, name, json_string(given ? given : name));
        return json_string(name);
    }
    WRONG(r, field, "duplicate", "Segments \"%s\" and \"%s\" are both %s here.", other,
          given ? given : name, name);
    return json_sprintf("%.80s~%zu", name, i); /* so that this is said once */
}

/* Gives each segment a name; names those without constraints, which would hold for everybody,
 * unless there is one already.  Id or name, as JSON → name here; yours. */
static json_t *tidy_segments(const struct reading *r, json_t *list, const json_t *there) {
    json_t *names = json_object(), *segment;
    json_auto_t *taken = json_object(), *by_name = json_by(there, "name");
    size_t i;

    json_array_foreach(list, i, segment) {
        const json_t *given = json_array_get(json_object_get(r->from, "segments"), i);
        const json_t *id = json_object_get(given, "id");
        json_auto_t *name = name_here(r, given, id, i, taken);

        if (name && json_is_integer(id))
            set_name(names, id, name);
        if (name && json_is_string(json_object_get(given, "name")))
            set_name(names, json_object_get(given, "name"), name);
        if (name) {
            json_object_set(segment, "name", name);
            keep(segment, json_object_get(by_name, json_string_value(name)), "segments");
        }
        tidy_constraints(json_object_get(segment, "constraints"));
        if (json_is_object(segment) && !json_is_array(json_object_get(segment, "constraints"))) {
            _cleanup_free_ char *field = xasprintf("/segments/%zu/constraints", i);

            WRONG(r, field, "required",
                  "The export does not say who is in it, and there is none here.");
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

/* The same place in what was given. */
static char *given_pointer(const struct reading *r, const char *native) {
    _cleanup_free_ char *head = xstrdup(native), *rest = NULL;
    const char *given;
    char *cut;

    while (!(given = json_str(r->origins, head, NULL)) && (cut = strrchr(head, '/')))
        *cut = '\0';
    rest = unleash_pointer(native + strlen(head));
    return xasprintf("%s%s", given ? given : "", rest);
}

/* The native form's errors, as pointers into what was given. */
static void add_errors(const struct reading *r, const json_t *native) {
    json_t *one;
    size_t i;

    json_array_foreach(native, i, one) {
        _cleanup_free_ char *field = given_pointer(r, json_str(one, "field", ""));

        if (json_array_size(r->errors) == FLAG_ERRORS_MAX)
            return;
        json_object_set_new(one, "field", json_string(field));
        json_array_append(r->errors, one);
    }
}

/* Segments that are for nobody: none of that name. */
static void drop_without_constraints(json_t *document) {
    json_t *segments = json_object_get(document, "segments"), *kept, *one;
    size_t i;

    if (!json_is_array(segments))
        return;
    kept = json_array();
    json_array_foreach(segments, i, one) {
        if (json_is_array(json_object_get(one, "constraints")))
            json_array_append(kept, one);
    }
    json_object_set_new(document, "segments", kept);
}

json_t *unleash_import(const json_t *from, const json_t *there, json_t *errors) {
    json_auto_t *origins = json_object(), *found = json_array(), *client = NULL, *names = NULL;
    const struct reading r = {.from = from, .origins = origins, .errors = errors};
    json_t *document, *flags, *flag, *segments;
    size_t i;

    client = client_form(&r);
    document = unleash_renamed(client, unleash_to_native);
    drop_ignored(document);
    flags = json_object_get(document, "flags");
    segments = json_object_get(document, "segments");
    keep_flags(&r, flags, json_object_get(there, "flags"));
    names = tidy_segments(&r, segments, json_object_get(there, "segments"));
    json_array_foreach(flags, i, flag) tidy_flag(flag, names);
    flag_model_check(document, found);
    add_errors(&r, found);
    drop_without_constraints(document);
    return document;
}
