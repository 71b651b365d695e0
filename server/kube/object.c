#include "kube/kube.h"
#include <stdlib.h>
#include <string.h>

static const char *metadata(const json_t *object, const char *key) {
    return json_str(json_object_get(object, "metadata"), key, "");
}

const char *kube_name(const json_t *object) {
    return metadata(object, "name");
}

const char *kube_uid(const json_t *object) {
    return metadata(object, "uid");
}

const char *kube_controller(const json_t *object) {
    const json_t *owners = json_at(object, "metadata", "ownerReferences", NULL), *owner;
    size_t i;

    json_array_foreach(owners, i, owner) {
        if (json_bool(owner, "controller", false))
            return json_str(owner, "uid", "");
    }
    return "";
}

bool kube_controls(const json_t *owner, const json_t *object) {
    return strcmp(kube_controller(object), kube_uid(owner)) == 0;
}

const char *kube_resource_version(const json_t *object) {
    return metadata(object, "resourceVersion");
}

bool kube_version_newer(const char *a, const char *than) {
    return strtoull(a, NULL, 10) > strtoull(than, NULL, 10);
}

const char *kube_annotation(const json_t *object, const char *key) {
    return json_str(json_at(object, "metadata", "annotations", NULL), key, NULL);
}

const char *kube_label(const json_t *object, const char *key) {
    return json_str(json_at(object, "metadata", "labels", NULL), key, NULL);
}

bool kube_labels_match(const json_t *selector, const json_t *labels) {
    const char *key, *have;
    const json_t *want;
    void *at;

    if (json_object_size(selector) == 0)
        return false;
    for (at = json_object_iter((json_t *)(uintptr_t)selector); at;
         at = json_object_iter_next((json_t *)(uintptr_t)selector, at)) {
        key = json_object_iter_key(at);
        want = json_object_iter_value(at);
        have = json_str(labels, key, NULL);
        if (!have || !json_is_string(want) || strcmp(have, json_string_value(want)) != 0)
            return false;
    }
    return true;
}
