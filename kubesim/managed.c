#include "kubesim/managed.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "kubesim/fieldset.h"
#include "kubesim/kstatus.h"
#include "kubesim/store.h"
#include <string.h>

static json_t *entry_new(const struct kind *kind, const char *manager, const char *operation,
                         json_t *set) {
    char version[64], now[32];

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "manager", manager, "operation", operation,
                     "apiVersion", kind_api_version(kind, version), "time", kube_time(now),
                     "fieldsType", "FieldsV1", "fieldsV1", set);
}

static bool entry_is(const json_t *entry, const char *manager, const char *operation,
                     const char *subresource) {
    return !strcmp(json_str(entry, "manager", ""), manager) &&
           !strcmp(json_str(entry, "operation", ""), operation) &&
           !strcmp(json_str(entry, "subresource", ""), subresource);
}

/* Replaces the set of an entry; the time moves only when the set does. */
static void entry_set(json_t *entry, json_t *set) {
    char now[32];

    if (!json_equal(json_object_get(entry, "fieldsV1"), set))
        json_object_set_new(entry, "time", json_string(kube_time(now)));
    json_object_set_new(entry, "fieldsV1", set);
}

/* A copy of an object's entries. */
static json_t *entries_of(const json_t *body) {
    json_t *entries = json_deep_copy(json_at(body, "metadata", "managedFields", NULL));

    return entries ? entries : json_array();
}

static void entries_store(json_t *body, json_t *entries) {
    for (size_t i = json_array_size(entries); i-- > 0;) {
        if (!json_object_size(json_object_get(json_array_get(entries, i), "fieldsV1")))
            json_array_remove(entries, i);
    }
    json_object_set_new(object_metadata(body), "managedFields", entries);
}

/* Takes the fields from every entry but one. */
static void take_from_others(json_t *entries, const json_t *own, const json_t *fields) {
    json_t *entry;
    size_t i;

    json_array_foreach(entries, i, entry) {
        if (entry != own)
            entry_set(entry, fieldset_minus(json_object_get(entry, "fieldsV1"), fields));
    }
}

static json_t *entry_of(json_t *entries, const struct kind *kind, const char *manager,
                        const char *operation, const char *subresource) {
    json_t *entry;
    size_t i;

    json_array_foreach(entries, i, entry) {
        if (entry_is(entry, manager, operation, subresource))
            return entry;
    }
    entry = entry_new(kind, manager, operation, json_object());
    if (*subresource)
        json_object_set_new(entry, "subresource", json_string(subresource));
    json_array_append_new(entries, entry);
    return entry;
}

void managed_update(const struct kind *kind, const json_t *before, json_t *body,
                    const char *manager, const char *subresource) {
    json_auto_t *changed = fieldset_diff(before, body, FIELDS_CHANGED);
    json_auto_t *removed = fieldset_diff(before, body, FIELDS_REMOVED);
    json_t *entries, *own, *set;

    if (!json_object_size(changed) && !json_object_size(removed))
        return;
    entries = entries_of(before);
    own = entry_of(entries, kind, *manager ? manager : "unknown", "Update", subresource);
    take_from_others(entries, own, changed);
    take_from_others(entries, NULL, removed);
    set = json_deep_copy(json_object_get(own, "fieldsV1"));
    fieldset_add(set, changed);
    entry_set(own, set);
    entries_store(body, entries);
}

struct conflicts {
    const struct kind *kind;
    const char *manager;
    json_t *causes;
};

static void conflict_add(void *ctx, const char *path) {
    struct conflicts *c = ctx;
    char version[64];

    cause_add(c->causes, "FieldManagerConflict", path, "conflict with \"%s\" using %s", c->manager,
              kind_api_version(c->kind, version));
}

/* The Status that names what other managers own with another value, or NULL. */
static json_t *conflicts_of(const struct kind *kind, const json_t *entries, const json_t *own,
                            const json_t *changed, const char *name) {
    json_auto_t *causes = json_array();
    json_t *entry, *status;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)entries, i, entry) {
        json_auto_t *both = fieldset_and(json_object_get(entry, "fieldsV1"), changed);
        struct conflicts c = {kind, json_str(entry, "manager", ""), causes};

        if (entry != own)
            fieldset_paths(both, conflict_add, &c);
    }
    if (!json_array_size(causes))
        return NULL;
    entry = json_array_get(causes, 0);
    status = kstatus(409, "Conflict", "Apply failed with %zu conflict%s: %s: %s",
                     json_array_size(causes), json_array_size(causes) > 1 ? "s" : "",
                     json_str(entry, "message", ""), json_str(entry, "field", ""));
    json_object_set_new(status, "details", json_pack("{s:s, s:O}", "name", name, "causes", causes));
    return status;
}

/* Removes what the manager applied before, applies no longer, and nobody else owns. */
static void prune(json_t *body, const json_t *entries, const json_t *own, const json_t *set) {
    json_t *gone = fieldset_minus(json_object_get(own, "fieldsV1"), set), *entry;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)entries, i, entry) {
        if (entry != own) {
            json_t *left = fieldset_minus(gone, json_object_get(entry, "fieldsV1"));

            json_decref(gone);
            gone = left;
        }
    }
    fieldset_remove(body, gone);
    json_decref(gone);
}

static json_t *without_nulls(const json_t *config) {
    json_t *copy = json_deep_copy(config), *metadata = object_metadata(copy);

    json_object_del(copy, "status");
    json_object_del(metadata, "managedFields");
    json_object_del(metadata, "resourceVersion");
    json_object_del(metadata, "uid");
    json_object_del(metadata, "creationTimestamp");
    return copy;
}

json_t *managed_apply(const struct kind *kind, const json_t *live, const json_t *config,
                      const char *manager, bool force, json_t **ret) {
    json_auto_t *clean = without_nulls(config);
    json_auto_t *set = fieldset_of(clean), *changed = NULL;
    json_t *body, *entries = entries_of(live), *own, *refused = NULL;
    char version[64];

    body = live ? json_deep_copy(live)
                : json_pack("{s:s, s:s, s:{}}", "apiVersion", kind_api_version(kind, version),
                            "kind", kind->kind, "metadata");
    fields_merge(body, clean);
    own = entry_of(entries, kind, manager, "Apply", "");
    changed = fieldset_diff(live, body, FIELDS_CHANGED);
    if (!force)
        refused = conflicts_of(kind, entries, own, changed, object_name(config));
    if (refused) {
        json_decref(body);
        json_decref(entries);
        return refused;
    }
    take_from_others(entries, own, changed);
    prune(body, entries, own, set);
    entry_set(own, json_incref(set));
    entries_store(body, entries);
    *ret = body;
    return NULL;
}
