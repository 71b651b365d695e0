#include "kubesim/fieldset.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "kubesim/lists.h"
#include <string.h>

/* Never owned: the server's own. */
static bool is_ours(const char *parent, const char *key) {
    static const char *const metadata[] = {"name",
                                           "namespace",
                                           "uid",
                                           "resourceVersion",
                                           "generation",
                                           "creationTimestamp",
                                           "managedFields",
                                           "deletionTimestamp",
                                           "selfLink",
                                           "generateName",
                                           "deletionGracePeriodSeconds"};

    if (!*parent)
        return !strcmp(key, "apiVersion") || !strcmp(key, "kind") || !strcmp(key, "status");
    if (strcmp(parent, "metadata"))
        return false;
    for (size_t i = 0; i < sizeof metadata / sizeof *metadata; i++) {
        if (!strcmp(metadata[i], key))
            return true;
    }
    return false;
}

static bool is_granular_map(const char *field, const json_t *v) {
    return json_object_size(v) && !map_is_atomic(field);
}

/* "k:{"name":"app"}" */
static char *element_key(const struct list_keys *keys, const json_t *element) {
    json_auto_t *map = json_object();
    _cleanup_free_ char *text = NULL;

    for (size_t i = 0; keys->keys[i]; i++) {
        json_t *v = json_object_get(element, keys->keys[i]);

        if (v)
            json_object_set(map, keys->keys[i], v);
        else if (i && keys->otherwise)
            json_object_set_new(map, keys->keys[i], json_string(keys->otherwise));
    }
    text = json_text(map);
    return xasprintf("k:%s", text);
}

/* The element of a keyed list that a "k:" names; its index or -1. */
static long element_named(const json_t *list, const char *parent, const char *field,
                          const char *name) {
    const struct list_keys *keys = list_keys_of(parent, field, list);
    json_auto_t *key = json_parse(name + 2);

    return keys && key ? list_find(keys, list, key, false) : -1;
}

static json_t *set_of(const json_t *v, const char *parent, const char *field);

static json_t *set_of_list(const json_t *list, const struct list_keys *keys) {
    json_t *set = json_object(), *element;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, element) {
        _cleanup_free_ char *key = element_key(keys, element);
        json_t *child = set_of(element, keys->field, "");

        json_object_set_new(child, ".", json_object());
        json_object_set_new(set, key, child);
    }
    return set;
}

static void set_field(json_t *set, const char *key, json_t *child) {
    _cleanup_free_ char *name = xasprintf("f:%s", key);

    json_object_set_new(set, name, child);
}

static json_t *set_of(const json_t *v, const char *parent, const char *field) {
    const struct list_keys *keys = list_keys_of(parent, field, v);
    json_t *set, *value;
    const char *key;

    if (keys)
        return set_of_list(v, keys);
    set = json_object();
    if (is_granular_map(field, v)) {
        json_object_foreach((json_t *)(uintptr_t)v, key, value) {
            if (!is_ours(field, key) || *parent)
                set_field(set, key, set_of(value, field, key));
        }
    }
    return set;
}

json_t *fieldset_of(const json_t *body) {
    json_t *set = json_object(), *value;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)body, key, value) {
        json_t *child;

        if (is_ours("", key))
            continue;
        child = set_of(value, "", key);
        if (strcmp(key, "metadata") || json_object_size(child))
            set_field(set, key, child);
        else
            json_decref(child);
    }
    return set;
}

static json_t *diff(const json_t *before, const json_t *after, const char *parent,
                    const char *field, FieldDiff which);

/* One child of both; NULL when there is no difference of that kind. */
static json_t *diff_child(const json_t *before, const json_t *after, const char *parent,
                          const char *field, FieldDiff which) {
    if (!before && !after)
        return NULL;
    if (!before)
        return which == FIELDS_CHANGED ? set_of(after, parent, field) : NULL;
    if (!after)
        return which == FIELDS_REMOVED ? set_of(before, parent, field) : NULL;
    return json_equal(before, after) ? NULL : diff(before, after, parent, field, which);
}

static void diff_map(json_t *set, const json_t *before, const json_t *after, const char *parent,
                     const char *field, FieldDiff which) {
    const json_t *walked = which == FIELDS_CHANGED ? after : before;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)walked, key, value) {
        json_t *child;

        if (is_ours(field, key) && !*parent)
            continue;
        child = diff_child(json_object_get(before, key), json_object_get(after, key), field, key,
                           which);
        if (child)
            set_field(set, key, child);
    }
}

static void diff_list(json_t *set, const json_t *before, const json_t *after,
                      const struct list_keys *keys, FieldDiff which) {
    const json_t *walked = which == FIELDS_CHANGED ? after : before;
    const json_t *other = which == FIELDS_CHANGED ? before : after;
    json_t *element;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)walked, i, element) {
        _cleanup_free_ char *key = element_key(keys, element);
        long at = list_find(keys, other, element, false);
        const json_t *there = at < 0 ? NULL : json_array_get(other, (size_t)at);
        json_t *child = which == FIELDS_CHANGED
                            ? diff_child(there, element, keys->field, "", which)
                            : diff_child(element, there, keys->field, "", which);

        if (child && !there)
            json_object_set_new(child, ".", json_object());
        if (child)
            json_object_set_new(set, key, child);
    }
}

/* Of two values that differ. */
static json_t *diff(const json_t *before, const json_t *after, const char *parent,
                    const char *field, FieldDiff which) {
    const struct list_keys *keys = list_keys_of(parent, field, before);
    json_t *set = json_object();

    if (keys && keys == list_keys_of(parent, field, after)) {
        diff_list(set, before, after, keys, which);
    } else if (is_granular_map(field, before) && is_granular_map(field, after)) {
        diff_map(set, before, after, parent, field, which);
    } else if (which == FIELDS_CHANGED) {
        json_decref(set);
        return set_of(after, parent, field);
    }
    if (json_object_size(set))
        return set;
    json_decref(set);
    return NULL;
}

json_t *fieldset_diff(const json_t *before, const json_t *after, FieldDiff which) {
    json_t *set;

    if (!before)
        return which == FIELDS_CHANGED ? fieldset_of(after) : json_object();
    set = json_object();
    diff_map(set, before, after, "", "", which);
    return set;
}

static bool is_leaf(const json_t *set) {
    return json_object_size(set) == 0;
}

json_t *fieldset_minus(const json_t *a, const json_t *b) {
    json_t *set = json_object(), *value;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)a, key, value) {
        const json_t *other = json_object_get(b, key);
        json_t *left;

        if (!other) {
            json_object_set_new(set, key, json_deep_copy(value));
        } else if (!is_leaf(value) && !is_leaf(other)) {
            left = fieldset_minus(value, other);
            if (is_leaf(left))
                json_decref(left);
            else
                json_object_set_new(set, key, left);
        }
    }
    return set;
}

json_t *fieldset_and(const json_t *a, const json_t *b) {
    json_t *set = json_object(), *value;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)a, key, value) {
        const json_t *other = json_object_get(b, key);
        json_t *both;

        if (!other)
            continue;
        both = fieldset_and(value, other);
        if (!is_leaf(both) || is_leaf(value) || is_leaf(other))
            json_object_set_new(set, key, both);
        else
            json_decref(both);
    }
    return set;
}

void fieldset_add(json_t *a, const json_t *b) {
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)b, key, value) {
        json_t *there = json_object_get(a, key);

        if (there)
            fieldset_add(there, value);
        else
            json_object_set_new(a, key, json_deep_copy(value));
    }
}

static void remove_fields(json_t *v, const json_t *set, const char *parent, const char *field) {
    const char *key;
    json_t *child;

    json_object_foreach((json_t *)(uintptr_t)set, key, child) {
        bool whole = is_leaf(child) || json_object_get(child, ".");

        if (!strncmp(key, "f:", 2)) {
            json_t *value = json_object_get(v, key + 2);

            if (value && !whole)
                remove_fields(value, child, field, key + 2);
            if (value && (whole || (json_is_object(value) && !json_object_size(value)) ||
                          (json_is_array(value) && !json_array_size(value))))
                json_object_del(v, key + 2);
        } else if (!strncmp(key, "k:", 2)) {
            long at = element_named(v, parent, field, key);

            if (at >= 0 && whole)
                json_array_remove(v, (size_t)at);
            else if (at >= 0)
                remove_fields(json_array_get(v, (size_t)at), child, field, "");
        }
    }
}

void fieldset_remove(json_t *body, const json_t *set) {
    remove_fields(body, set, "", "");
}

/* [name="app"] from k:{"name":"app"} */
static void path_element(struct strbuf *path, const char *key) {
    json_auto_t *map = json_parse(key + 2);
    const char *name, *separator = "[";
    json_t *value;

    json_object_foreach(map, name, value) {
        _cleanup_free_ char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

        strbuf_addf(path, "%s%s=%s", separator, name, text ? text : "");
        separator = ",";
    }
    strbuf_adds(path, "]");
}

static void paths(const json_t *set, struct strbuf *path, void (*fn)(void *ctx, const char *path),
                  void *ctx) {
    size_t len = path->len;
    const char *key;
    json_t *child;

    if (is_leaf(set)) {
        fn(ctx, path->data ? path->data : "");
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)set, key, child) {
        if (!strcmp(key, "."))
            continue;
        if (!strncmp(key, "k:", 2))
            path_element(path, key);
        else
            strbuf_addf(path, ".%s", key + 2);
        paths(child, path, fn, ctx);
        path->len = len;
        path->data[len] = '\0';
    }
}

void fieldset_paths(const json_t *set, void (*fn)(void *ctx, const char *path), void *ctx) {
    _cleanup_(strbuf_done) struct strbuf path = STRBUF(4096);

    if (!is_leaf(set))
        paths(set, &path, fn, ctx);
}

static void merge_map(json_t *live, const json_t *config, const char *field);

static void merge_list(json_t *live, const json_t *config, const struct list_keys *keys) {
    json_t *element;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)config, i, element) {
        long at = list_find(keys, live, element, false);

        if (at < 0)
            json_array_append_new(live, json_deep_copy(element));
        else
            merge_map(json_array_get(live, (size_t)at), element, "");
    }
}

static void merge_map(json_t *live, const json_t *config, const char *field) {
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)config, key, value) {
        const struct list_keys *keys = list_keys_of(field, key, value);
        json_t *now = json_object_get(live, key);

        if (json_is_null(value))
            continue;
        if (is_granular_map(key, value) && json_is_object(now))
            merge_map(now, value, key);
        else if (keys && json_is_array(now))
            merge_list(now, value, keys);
        else if (!json_is_object(value) || json_object_size(value) || !json_is_object(now) ||
                 map_is_atomic(key))
            json_object_set_new(live, key, json_deep_copy(value));
    }
}

void fields_merge(json_t *live, const json_t *config) {
    merge_map(live, config, "");
}
