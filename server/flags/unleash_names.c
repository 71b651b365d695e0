#include "flags/unleash_names.h"
#include "base/cleanup.h"
#include "flags/model.h"
#include <string.h>

static const struct {
    const char *unleash, *native;
} names[] = {
    {"features", "flags"},
    {"feature", "flag"},
    {"impressionData", "impression_data"},
    {"weightType", "weight_type"},
    {"contextName", "context_name"},
    {"caseInsensitive", "case_insensitive"},
};
enum { NAMES = sizeof names / sizeof *names };

static const char *const ignored[] = {
    "id",
    "project",
    "projectId",
    "sortOrder",
    "createdAt",
    "createdBy",
    "lastSeenAt",
    "archived",
    "archivedAt",
    "favorite",
    "tags",
    "links",
    "milestoneId",
    "environments",
    "featureName",
    "createdByUserId",
    "potentiallyStale",
    "usedInProjects",
    "usedInFeatures",
};

const char *unleash_to_native(const char *key) {
    for (size_t i = 0; i < NAMES; i++)
        if (strcmp(names[i].unleash, key) == 0)
            return names[i].native;
    return key;
}

const char *unleash_from_native(const char *key) {
    for (size_t i = 0; i < NAMES; i++)
        if (strcmp(names[i].native, key) == 0)
            return names[i].unleash;
    return key;
}

bool unleash_ignores(const char *key) {
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        if (strcmp(ignored[i], key) == 0)
            return true;
    return false;
}

char *unleash_segment_name(const char *name) {
    char *out;
    size_t n = 0;

    if (flag_name_valid(name))
        return xstrdup(name);
    out = xcalloc(FLAG_NAME_MAX + 1, 1);
    for (; *name && n < FLAG_NAME_MAX; name++) {
        bool fits = strchr(n ? FLAG_NAME_CHARACTERS : FLAG_NAME_LETTERS, *name) != NULL;

        if (fits)
            out[n++] = *name;
        else if (n && out[n - 1] != '-')
            out[n++] = '-';
    }
    while (n && out[n - 1] == '-')
        out[--n] = '\0';
    return out;
}

const char *unleash_ours(const char *kind) {
    return strcmp(kind, "segments") == 0
               ? "description|constraints"
               : "value_type|default_variant|stale_after|requires_release";
}

json_t *unleash_renamed(const json_t *v, const char *(*name)(const char *key)) {
    json_t *copy, *one;
    const char *key;
    size_t i;

    if (!json_is_object(v) && !json_is_array(v))
        return json_deep_copy(v);
    copy = json_is_object(v) ? json_object() : json_array();
    json_object_foreach((json_t *)(uintptr_t)v, key, one) json_object_set_new(
        copy, name(key),
        strcmp(key, "parameters") == 0 ? json_deep_copy(one) : unleash_renamed(one, name));
    json_array_foreach(v, i, one) json_array_append_new(copy, unleash_renamed(one, name));
    return copy;
}
