#include "worker/owner.h"
#include "base/clock.h"
#include "kube/kube.h"
#include <stdio.h>
#include <string.h>

#define OURSELVES "sluice"

/* The entries, wherever they are kept; new or NULL. */
static json_t *entries_of(const json_t *object) {
    json_t *entries = json_at(object, "metadata", "managedFields", NULL);

    if (entries)
        return json_incref(entries);
    return json_parse(json_str(object, KUBE_FIELDS_KEPT, "[]"));
}

/* The element of a keyed list that goes by that name: k:{"name":"app"}. */
static const json_t *element(const json_t *set, const char *name) {
    const char *key, *inner;
    json_t *child, *value;

    json_object_foreach((json_t *)(uintptr_t)set, key, child) {
        json_auto_t *keys = strncmp(key, "k:", 2) == 0 ? json_parse(key + 2) : NULL;

        json_object_foreach(keys, inner, value) {
            if (strcmp(json_string_value(value) ? json_string_value(value) : "", name) == 0)
                return child;
        }
    }
    return NULL;
}

/* The next segment of a field: up to a dot, or in brackets.  NULL at its end. */
static const char *segment(const char *field, char *ret, size_t n) {
    const char *end;

    if (!*field)
        return NULL;
    if (*field == '[') {
        end = strchr(field, ']');
        if (!end)
            return NULL;
        snprintf(ret, n, "%.*s", (int)(end - field - 1), field + 1);
        end++;
    } else {
        end = field + strcspn(field, ".[");
        snprintf(ret, n, "%.*s", (int)(end - field), field);
    }
    return *end == '.' ? end + 1 : end;
}

/* Whether a FieldsV1 set holds the field, or an atomic value around it. */
static bool holds(const json_t *set, const char *field) {
    char name[SEEN_TEXT], key[SEEN_TEXT + 2];
    const char *rest = field;

    while ((rest = segment(rest, name, sizeof name)) != NULL) {
        const json_t *child;

        snprintf(key, sizeof key, "f:%s", name);
        child = json_object_get(set, key);
        if (!child)
            child = element(set, name);
        if (!child)
            return false;
        if (json_object_size(child) == 0)
            return true;
        set = child;
    }
    return true;
}

static bool entry_holds(const json_t *entry, const char *field) {
    return strcmp(json_str(entry, "subresource", ""), "status") != 0 &&
           holds(json_object_get(entry, "fieldsV1"), field);
}

bool owner_find(const json_t *object, const char *field, char by[SEEN_WHO], int64_t *ret_at_us) {
    json_auto_t *entries = entries_of(object);
    json_t *entry;
    size_t i;

    by[0] = '\0';
    *ret_at_us = 0;
    json_array_foreach(entries, i, entry) {
        const char *manager = json_str(entry, "manager", "");
        int64_t at = 0;

        if (!*manager || strcmp(manager, OURSELVES) == 0 || !entry_holds(entry, field))
            continue;
        clock_parse(json_str(entry, "time", ""), &at);
        if (*by && at < *ret_at_us)
            continue;
        snprintf(by, SEEN_WHO, "%s", manager);
        *ret_at_us = at;
    }
    return *by != '\0';
}

bool owner_is(const json_t *object, const char *field, const char *manager, const char *operation) {
    json_auto_t *entries = entries_of(object);
    json_t *entry;
    size_t i;

    json_array_foreach(entries, i,
                       entry) if (strcmp(json_str(entry, "manager", ""), manager) == 0 &&
                                  strcmp(json_str(entry, "operation", ""), operation) == 0 &&
                                  entry_holds(entry, field)) return true;
    return false;
}

/* ---- GitOps ---- */

static const struct {
    const char *manager, *name;
} controllers[] = {
    {"argocd-controller", "Argo CD"},
    {"argocd-application-controller", "Argo CD"},
    {"kustomize-controller", "Flux"},
    {"helm-controller", "Flux"},
};

/* Where each says which of its objects this belongs to; the first that is there is told. */
static const struct {
    const char *controller, *place, *key;
} marks[] = {
    {"Argo CD", "annotations", "argocd.argoproj.io/tracking-id"},
    {"Argo CD", "labels", "argocd.argoproj.io/instance"},
    {"Argo CD", "labels", "app.kubernetes.io/instance"},
    {"Flux", "labels", "kustomize.toolkit.fluxcd.io/name"},
    {"Flux", "labels", "helm.toolkit.fluxcd.io/name"},
};

static void tell_mark(const json_t *object, const char *controller, char detail[SEEN_TEXT]) {
    detail[0] = '\0';
    for (size_t i = 0; !*detail && i < sizeof marks / sizeof *marks; i++) {
        const char *mark =
            json_str(json_at(object, "metadata", marks[i].place, NULL), marks[i].key, NULL);

        if (mark && strcmp(marks[i].controller, controller) == 0)
            snprintf(detail, SEEN_TEXT, "%.80s %.150s", marks[i].key, mark);
    }
}

/* It was told on the object itself to leave this alone. */
static bool told_to_ignore(const json_t *object) {
    const json_t *notes = json_at(object, "metadata", "annotations", NULL);

    return strcmp(json_str(notes, "sluice.dev/gitops", ""), "ignored") == 0 ||
           strcmp(json_str(notes, "kustomize.toolkit.fluxcd.io/reconcile", ""), "disabled") == 0 ||
           strcmp(json_str(notes, "kustomize.toolkit.fluxcd.io/ssa", ""), "Ignore") == 0 ||
           strcmp(json_str(notes, "kustomize.toolkit.fluxcd.io/ssa", ""), "IfNotPresent") == 0;
}

const char *owner_gitops(const json_t *object, const char *field, char detail[SEEN_TEXT]) {
    detail[0] = '\0';
    for (size_t i = 0; !told_to_ignore(object) && i < sizeof controllers / sizeof *controllers; i++)
        if (owner_is(object, field, controllers[i].manager, "Apply") ||
            owner_is(object, field, controllers[i].manager, "Update")) {
            tell_mark(object, controllers[i].name, detail);
            return controllers[i].name;
        }
    return NULL;
}
