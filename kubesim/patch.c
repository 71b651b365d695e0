#include "kubesim/patch.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "kubesim/kstatus.h"
#include "kubesim/lists.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void patch_merge(json_t *target, const json_t *patch) {
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)patch, key, value) {
        json_t *now = json_object_get(target, key);

        if (json_is_null(value)) {
            json_object_del(target, key);
        } else if (json_is_object(value)) {
            if (!json_is_object(now)) {
                now = json_object();
                json_object_set_new(target, key, now);
            }
            patch_merge(now, value);
        } else {
            json_object_set_new(target, key, json_deep_copy(value));
        }
    }
}

static void strategic(json_t *target, const json_t *patch, const char *field);

static void strategic_list(json_t *target, const json_t *patch, const struct list_keys *keys) {
    json_t *element;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)patch, i, element) {
        const char *directive = json_str(element, "$patch", "");
        long at = list_find(keys, target, element, true);

        if (!strcmp(directive, "delete")) {
            if (at >= 0)
                json_array_remove(target, (size_t)at);
            continue;
        }
        if (at < 0) {
            json_array_append_new(target, json_object());
            at = (long)json_array_size(target) - 1;
        }
        strategic(json_array_get(target, (size_t)at), element, keys->field);
    }
}

static bool list_says_replace(const json_t *list) {
    json_t *element;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, element) {
        if (!strcmp(json_str(element, "$patch", ""), "replace"))
            return true;
    }
    return false;
}

static void strategic_value(json_t *target, const char *key, const json_t *value,
                            const char *field) {
    json_t *now = json_object_get(target, key);
    const struct list_keys *keys = list_keys_of(field, key, value);

    if (json_is_object(value)) {
        if (!json_is_object(now)) {
            now = json_object();
            json_object_set_new(target, key, now);
        }
        if (!strcmp(json_str(value, "$patch", ""), "delete"))
            json_object_del(target, key);
        else
            strategic(now, value, key);
    } else if (keys && !list_says_replace(value)) {
        if (!json_is_array(now)) {
            now = json_array();
            json_object_set_new(target, key, now);
        }
        strategic_list(now, value, keys);
    } else {
        json_t *copy = json_deep_copy(value);

        for (size_t i = json_array_size(copy); i-- > 0;) {
            if (json_object_get(json_array_get(copy, i), "$patch"))
                json_array_remove(copy, i);
        }
        json_object_set_new(target, key, copy);
    }
}

static void strategic(json_t *target, const json_t *patch, const char *field) {
    const char *key;
    json_t *value;

    if (!strcmp(json_str(patch, "$patch", ""), "replace"))
        json_object_clear(target);
    json_object_foreach((json_t *)(uintptr_t)patch, key, value) {
        if (*key == '$')
            continue; /* directives: element order, retained keys */
        if (json_is_null(value))
            json_object_del(target, key);
        else
            strategic_value(target, key, value, field);
    }
}

void patch_strategic(json_t *target, const json_t *patch) {
    strategic(target, patch, "");
}

/* Splits a pointer into its parent's value and the decoded last token (yours). */
static json_t *pointer_parent(json_t *v, const char *pointer, char **ret_token) {
    const char *slash = strrchr(pointer, '/');
    _cleanup_free_ char *parent = NULL;
    char *out;

    *ret_token = NULL;
    if (*pointer != '/')
        return NULL;
    parent = xstrndup(pointer, (size_t)(slash - pointer));
    *ret_token = out = xstrdup(slash + 1);
    for (const char *in = slash + 1; *in; in++) {
        if (*in == '~' && (in[1] == '0' || in[1] == '1'))
            *out++ = *++in == '0' ? '~' : '/';
        else
            *out++ = *in;
    }
    *out = '\0';
    return *parent ? json_pointer(v, parent) : v;
}

static long index_of(const char *token) {
    if (!*token || strlen(token) > 8)
        return -1;
    for (const char *c = token; *c; c++) {
        if (!isdigit((unsigned char)*c))
            return -1;
    }
    return strtol(token, NULL, 10);
}

/* Sets (or inserts) `value` (taken) at the pointer; false when there is no such place. */
static bool pointer_set(json_t *v, const char *pointer, json_t *value, bool insert) {
    _cleanup_free_ char *token = NULL;
    json_t *parent = pointer_parent(v, pointer, &token);
    long at;

    if (json_is_object(parent) && (insert || json_object_get(parent, token)))
        return !json_object_set_new(parent, token, value);
    if (json_is_array(parent)) {
        at = insert && !strcmp(token, "-") ? (long)json_array_size(parent) : index_of(token);
        if (at >= 0 && insert && (size_t)at <= json_array_size(parent))
            return !json_array_insert_new(parent, (size_t)at, value);
        if (at >= 0 && !insert && (size_t)at < json_array_size(parent))
            return !json_array_set_new(parent, (size_t)at, value);
    }
    json_decref(value);
    return false;
}

static bool pointer_remove(json_t *v, const char *pointer) {
    _cleanup_free_ char *token = NULL;
    json_t *parent = pointer_parent(v, pointer, &token);

    if (json_is_object(parent))
        return !json_object_del(parent, token);
    return json_is_array(parent) && index_of(token) >= 0 &&
           !json_array_remove(parent, (size_t)index_of(token));
}

static bool operate(json_t *target, const json_t *operation) {
    const char *op = json_str(operation, "op", ""), *path = json_str(operation, "path", "");
    const char *from = json_str(operation, "from", "");
    json_t *value = json_object_get(operation, "value");
    json_t *there = json_pointer(target, path);

    if (!strcmp(op, "test"))
        return value && (there ? json_equal(there, value) : json_is_null(value));
    if (!strcmp(op, "add"))
        return value && pointer_set(target, path, json_deep_copy(value), true);
    if (!strcmp(op, "replace"))
        return value && pointer_set(target, path, json_deep_copy(value), false);
    if (!strcmp(op, "remove"))
        return pointer_remove(target, path);
    if (!strcmp(op, "copy") || !strcmp(op, "move")) {
        json_t *copy = json_deep_copy(json_pointer(target, from));

        if (!copy || (!strcmp(op, "move") && !pointer_remove(target, from))) {
            json_decref(copy);
            return false;
        }
        return pointer_set(target, path, copy, true);
    }
    return false;
}

json_t *patch_json(json_t *target, const json_t *operations) {
    json_t *operation;
    size_t i;

    if (!json_is_array(operations))
        return kstatus(400, "BadRequest", "a JSON patch is an array of operations");
    json_array_foreach((json_t *)(uintptr_t)operations, i, operation) {
        if (!operate(target, operation))
            return kstatus(
                422, "Invalid",
                "the server rejected our request due to an error in our request: operation %zu (%s "
                "%s)",
                i, json_str(operation, "op", "?"), json_str(operation, "path", "?"));
    }
    return NULL;
}
