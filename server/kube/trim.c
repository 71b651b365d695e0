/* kube/trim.c: what of an object is not worth its memory in the cache.
 *
 * A pod as jansson holds it takes eight times its text, and thousands of them may be watched.  Who
 * wrote which field (metadata.managedFields) is asked for only of what deployments write, and
 * seldom: it stays as text.  Of a ReplicaSet nobody asks more than who owns it and which revision
 * it is, of a pod's specification all but what names it; environment variables may be secrets
 * besides.
 */
#include "base/cleanup.h"
#include "kube/kind.h"
#include "kube/watch.h"
#include <string.h>

enum { FIELDS_MAX = 16384 }; /* bytes of text; an object that has more tells nobody */

static const char *const replica_set_kept[] = {"apiVersion", "kind", "metadata", NULL};
static const char *const pod_metadata_kept[] = {
    "name", "namespace", "uid", "resourceVersion", "labels", "ownerReferences", "deletionTimestamp",
    NULL};
static const char *const pod_spec_kept[] = {"containers", "initContainers", "nodeName", NULL};
static const char *const container_kept[] = {"name", "image", "ports", NULL};
static const char *const pod_status_dropped[] = {"podIPs",   "hostIP",    "hostIPs",
                                                 "qosClass", "startTime", NULL};
static const char *const condition_dropped[] = {"lastProbeTime", "observedGeneration", NULL};
static const char *const container_status_dropped[] = {
    "containerID", "started", "volumeMounts", "allocatedResources", "resources", "user", NULL};

static bool among(const char *const *names, const char *name) {
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static void keep(json_t *object, const char *const *names) {
    const char *key;
    json_t *v;
    void *next;

    json_object_foreach_safe(object, next, key, v) {
        if (!among(names, key))
            json_object_del(object, key);
    }
}

static void drop(json_t *object, const char *const *names) {
    for (; *names; names++)
        json_object_del(object, *names);
}

static void each(json_t *list, void (*fn)(json_t *, const char *const *),
                 const char *const *names) {
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) fn(item, names);
}

static void pod_spec_trim(json_t *spec) {
    keep(spec, pod_spec_kept);
    each(json_object_get(spec, "containers"), keep, container_kept);
    each(json_object_get(spec, "initContainers"), keep, container_kept);
}

static void pod_status_trim(json_t *status) {
    drop(status, pod_status_dropped);
    each(json_object_get(status, "conditions"), drop, condition_dropped);
    each(json_object_get(status, "containerStatuses"), drop, container_status_dropped);
    each(json_object_get(status, "initContainerStatuses"), drop, container_status_dropped);
}

/* The entries that own a part of the spec, with nothing else. */
static json_t *spec_owners(const json_t *entries) {
    json_t *kept = json_array(), *entry;
    size_t i;

    json_array_foreach(entries, i, entry) {
        json_t *spec = json_at(entry, "fieldsV1", "f:spec", NULL);

        if (spec)
            json_array_append_new(kept, json_pack("{s:s, s:s, s:s, s:{s:O}}", "manager",
                                                  json_str(entry, "manager", ""), "operation",
                                                  json_str(entry, "operation", ""), "time",
                                                  json_str(entry, "time", ""), "fieldsV1", "f:spec",
                                                  spec));
    }
    return kept;
}

static void fields_keep(json_t *object) {
    json_auto_t *kept = spec_owners(json_at(object, "metadata", "managedFields", NULL));
    _cleanup_free_ char *text = json_array_size(kept) ? json_text(kept) : NULL;

    if (text && strlen(text) <= FIELDS_MAX)
        json_set_str(object, KUBE_FIELDS_KEPT, text);
}

void kube_object_trim(json_t *object, KubeKind kind) {
    const struct kube_kind *row = kube_kind_row(kind);

    if (!json_object_get(object, "kind")) { /* an item of a list */
        json_set_str(object, "apiVersion", row->api_version);
        json_set_str(object, "kind", row->name);
    }
    if (kind == KUBE_SERVICE || kind == KUBE_DEPLOYMENT)
        fields_keep(object);
    json_object_del(json_object_get(object, "metadata"), "managedFields");
    if (kind == KUBE_POD) {
        keep(json_object_get(object, "metadata"), pod_metadata_kept);
        pod_spec_trim(json_object_get(object, "spec"));
        pod_status_trim(json_object_get(object, "status"));
    } else if (kind == KUBE_REPLICA_SET) {
        keep(object, replica_set_kept);
    }
}
