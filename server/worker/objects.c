/* worker/objects.c: reads Deployments, ReplicaSets, Pods and EndpointSlices as kubectl does. */
#include "worker/objects.h"
#include "base/clock.h"
#include "kube/kube.h"
#include "rollout/change.h"
#include "worker/owner.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPY(field, text) snprintf(field, sizeof field, "%s", text)

void objects_done(struct objects *o) {
    json_decref(o->service);
    json_decref(o->workload[COLOR_BLUE]);
    json_decref(o->workload[COLOR_GREEN]);
    json_decref(o->replica_sets);
    json_decref(o->pods);
    json_decref(o->slices);
    json_decref(o->autoscalers);
    *o = (struct objects){0};
}

/* The condition of that type; borrowed. */
static const json_t *condition(const json_t *object, const char *type) {
    json_t *c;
    size_t i;

    json_array_foreach(json_at(object, "status", "conditions", NULL), i,
                       c) if (strcmp(json_str(c, "type", ""), type) == 0) return c;
    return NULL;
}

static bool condition_is(const json_t *object, const char *type, const char *status) {
    return strcmp(json_str(condition(object, type), "status", ""), status) == 0;
}

static void read_ours(const json_t *object, char *op, size_t n, int64_t *epoch) {
    const char *o = kube_annotation(object, "sluice.dev/op");

    snprintf(op, n, "%s", o ? o : "");
    *epoch = object_epoch(object);
}

/* Only where the object was read whole: resolve, which asks for it, sees such. */
static void read_gitops(const json_t *object, const char *field, char ret[SEEN_TEXT]) {
    char mark[SEEN_TEXT];
    const char *controller = json_at(object, "metadata", "managedFields", NULL)
                                 ? owner_gitops(object, field, mark)
                                 : NULL;

    if (controller)
        snprintf(ret, SEEN_TEXT, "%s%s%.200s%s", controller, *mark ? " (" : "", mark,
                 *mark ? ")" : "");
}

/* ---- the Service ---- */

static void read_service(const json_t *service, const char *key, struct seen_service *ret) {
    const json_t *port = json_array_get(json_at(service, "spec", "ports", NULL), 0);

    ret->exists = true;
    COPY(ret->uid, kube_uid(service));
    COPY(ret->resource_version, kube_resource_version(service));
    read_ours(service, ret->op, sizeof ret->op, &ret->epoch);
    COPY(ret->color_text, json_str(json_at(service, "spec", "selector", NULL), key, ""));
    ret->color_known = color_find(ret->color_text, &ret->color);
    COPY(ret->cluster_ip, json_str(json_object_get(service, "spec"), "clusterIP", ""));
    ret->port = (int)json_int(port, "port", 0);
    ret->comparable = change_comparable(service);
    read_gitops(service, "spec.selector", ret->gitops);
}

static const json_t *pod_named(const json_t *pods, const char *name) {
    json_t *pod;
    size_t i;

    json_array_foreach(pods, i, pod) if (strcmp(kube_name(pod), name) == 0) return pod;
    return NULL;
}

static void read_slice(const json_t *slice, const struct objects *o, const char *key,
                       struct seen_service *ret) {
    json_t *endpoint;
    size_t i;

    json_array_foreach(json_object_get(slice, "endpoints"), i, endpoint) {
        const json_t *pod =
            pod_named(o->pods, json_str(json_object_get(endpoint, "targetRef"), "name", ""));
        const char *label = pod ? kube_label(pod, key) : NULL;
        Color color;

        if (!json_bool(json_object_get(endpoint, "conditions"), "ready", true))
            continue;
        if (color_find(label, &color))
            ret->endpoints_ready[color]++;
        else
            ret->endpoints_other++;
    }
}

/* ---- workloads and their pods ---- */

/* Whether a pod would receive what the Service's first port sends: a named target port must be
 * declared. */
static bool has_target_port(const json_t *pod, const json_t *service) {
    const json_t *target =
        json_object_get(json_array_get(json_at(service, "spec", "ports", NULL), 0), "targetPort");
    json_t *container, *port;
    size_t i, k;

    if (!json_is_string(target))
        return true;
    json_array_foreach(json_at(pod, "spec", "containers", NULL), i, container) json_array_foreach(
        json_object_get(container, "ports"), k,
        port) if (strcmp(json_str(port, "name", ""), json_string_value(target)) == 0) return true;
    return false;
}

/* The labels that the Service selects, with its color key set to this color. */
static json_t *selector_of(const json_t *service, const char *key, Color color) {
    json_t *selector = json_deep_copy(json_at(service, "spec", "selector", NULL));

    if (!selector)
        selector = json_object();
    json_object_set_new(selector, key, json_string(color_names[color]));
    return selector;
}

static const json_t *current_replica_set(const json_t *workload, const json_t *replica_sets) {
    const char *revision = kube_annotation(workload, "deployment.kubernetes.io/revision");
    json_t *rs;
    size_t i;

    if (!revision || json_int(json_object_get(workload, "status"), "observedGeneration", 0) <
                         json_int(json_object_get(workload, "metadata"), "generation", 0))
        return NULL;
    json_array_foreach(replica_sets, i, rs) {
        const char *its = kube_annotation(rs, "deployment.kubernetes.io/revision");

        if (its && strcmp(its, revision) == 0 && kube_controls(workload, rs))
            return rs;
    }
    return NULL;
}

struct trouble_kind {
    const char *reason, *code, *text;
};
static const struct trouble_kind trouble_kinds[] = {
    {"ImagePullBackOff", "image-pull", "cannot pull its image"},
    {"InvalidImageName", "image-pull", "names an invalid image"},
    {"ErrImageNeverPull", "image-pull", "may not pull its image"},
    {"CrashLoopBackOff", "crash-loop", "keeps crashing"},
    {"CreateContainerConfigError", "crash-loop", "cannot be created"},
    {"RunContainerError", "crash-loop", "cannot be started"},
};

static void container_trouble(const json_t *pod, const json_t *status, struct seen_trouble *ret) {
    const json_t *waiting = json_at(status, "state", "waiting", NULL);
    const json_t *ended = json_at(status, "lastState", "terminated", NULL);
    const char *reason = json_str(waiting, "reason", "");

    for (size_t i = 0; i < sizeof trouble_kinds / sizeof *trouble_kinds; i++) {
        const struct trouble_kind *k = &trouble_kinds[i];

        if (strcmp(reason, k->reason) != 0)
            continue;
        ret->code = k->code;
        if (ended)
            snprintf(ret->detail, sizeof ret->detail,
                     "Container %s of pod %s %s: exit code %lld, restarted %lld times",
                     json_str(status, "name", "?"), kube_name(pod), k->text,
                     (long long)json_int(ended, "exitCode", -1),
                     (long long)json_int(status, "restartCount", 0));
        else
            snprintf(ret->detail, sizeof ret->detail, "Container %s of pod %s %s: %.280s",
                     json_str(status, "name", "?"), kube_name(pod), k->text,
                     json_str(waiting, "message", reason));
        return;
    }
}

static void pod_trouble(const json_t *pod, struct seen_trouble *ret) {
    static const char *const lists[] = {"initContainerStatuses", "containerStatuses"};
    const json_t *scheduled = condition(pod, "PodScheduled");
    json_t *status;
    size_t k;

    for (size_t i = 0; i < 2; i++)
        json_array_foreach(json_at(pod, "status", lists[i], NULL), k, status) if (!ret->code)
            container_trouble(pod, status, ret);
    if (!ret->code && strcmp(json_str(scheduled, "status", ""), "False") == 0 &&
        strcmp(json_str(scheduled, "reason", ""), "Unschedulable") == 0) {
        ret->code = "unschedulable";
        snprintf(ret->detail, sizeof ret->detail, "Pod %s cannot be scheduled: %.300s",
                 kube_name(pod), json_str(scheduled, "message", "no node fits"));
    }
}

static void workload_trouble(const json_t *workload, struct seen_workload *ret) {
    const json_t *failure = condition(workload, "ReplicaFailure");
    const json_t *progressing = condition(workload, "Progressing");
    const char *message = json_str(failure, "message", "");

    if (!ret->trouble.code && strcmp(json_str(failure, "status", ""), "True") == 0 &&
        strstr(message, "quota")) {
        ret->trouble.code = "quota";
        snprintf(ret->trouble.detail, sizeof ret->trouble.detail,
                 "Pods of %s cannot be created: %.400s", kube_name(workload), message);
    }
    if (strcmp(json_str(progressing, "status", ""), "False") == 0)
        snprintf(ret->progress, sizeof ret->progress, "%s: %.400s",
                 json_str(progressing, "reason", ""), json_str(progressing, "message", ""));
}

static void read_pods(const struct objects *o, const json_t *spec, Color color, const json_t *rs,
                      struct seen_workload *ret) {
    const char *key = json_str(json_object_get(spec, "blue_green"), "selector_key", "");
    json_auto_t *selector = selector_of(o->service, key, color);
    json_t *pod;
    size_t i;

    json_array_foreach(o->pods, i, pod) {
        if (!kube_controls(rs, pod) || json_at(pod, "metadata", "deletionTimestamp", NULL))
            continue;
        ret->pods++;
        if (!ret->trouble.code)
            pod_trouble(pod, &ret->trouble);
        if (condition_is(pod, "Ready", "True") && has_target_port(pod, o->service) &&
            kube_labels_match(selector, json_at(pod, "metadata", "labels", NULL))) {
            ret->pods_ready++;
            if (!*ret->oldest_ready ||
                kube_version_newer(ret->oldest_ready, kube_resource_version(pod)))
                COPY(ret->oldest_ready, kube_resource_version(pod));
        }
    }
}

/* "" when there is none: neither a registry's port nor a digest is one. */
static void read_tag(const char *image, char *ret, size_t n) {
    const char *slash = strrchr(image, '/'), *name = slash ? slash : image;
    const char *tag = name + strcspn(name, ":@");

    snprintf(ret, n, "%.*s", *tag == ':' ? (int)strcspn(tag + 1, "@") : 0, tag + (*tag == ':'));
}

static void read_image(const json_t *workload, const char *container, struct seen_workload *ret) {
    const char *version = kube_annotation(workload, "sluice.dev/version");
    json_t *c;
    size_t i;

    json_array_foreach(json_at(workload, "spec", "template", "spec", "containers", NULL), i,
                       c) if (strcmp(json_str(c, "name", ""), container) == 0)
        COPY(ret->image, json_str(c, "image", ""));
    if (version)
        COPY(ret->version, version);
    else
        read_tag(ret->image, ret->version, sizeof ret->version);
}

static void read_strategy(const json_t *workload, struct seen_workload *ret) {
    const json_t *strategy = json_at(workload, "spec", "strategy", NULL);
    char *text = strategy ? json_text(strategy) : NULL;

    COPY(ret->strategy, text && strlen(text) < sizeof ret->strategy ? text : "");
    free(text);
}

void objects_autoscaler(const json_t *autoscalers, const char *workload,
                        struct seen_autoscaler *ret) {
    json_t *one;
    size_t i;

    *ret = (struct seen_autoscaler){0};
    json_array_foreach(autoscalers, i, one) {
        const json_t *spec = json_object_get(one, "spec"),
                     *target = json_object_get(spec, "scaleTargetRef");

        if (strcmp(json_str(target, "kind", ""), "Deployment") != 0 ||
            strcmp(json_str(target, "name", ""), workload) != 0)
            continue;
        ret->exists = true;
        COPY(ret->name, kube_name(one));
        ret->least = (int)json_int(spec, "minReplicas", 1);
        ret->most = (int)json_int(spec, "maxReplicas", 0);
        return;
    }
}

static void read_workload_owners(const json_t *w, const char *container,
                                 struct seen_workload *ret) {
    char field[SEEN_TEXT];

    snprintf(field, sizeof field, "spec.template.spec.containers[%.100s].image", container);
    read_gitops(w, field, ret->gitops);
    ret->comparable = change_comparable(w);
}

static void read_workload(const struct objects *o, const json_t *spec, Color color,
                          struct seen_workload *ret) {
    const json_t *w = o->workload[color], *status = json_object_get(w, "status");
    const json_t *rs = current_replica_set(w, o->replica_sets);

    ret->exists = true;
    COPY(ret->uid, kube_uid(w));
    COPY(ret->resource_version, kube_resource_version(w));
    read_ours(w, ret->op, sizeof ret->op, &ret->epoch);
    ret->generation = json_int(json_object_get(w, "metadata"), "generation", 0);
    ret->observed_generation = json_int(status, "observedGeneration", 0);
    ret->replicas = (int)json_int(json_object_get(w, "spec"), "replicas", 1);
    ret->min_ready_s = (int)json_int(json_object_get(w, "spec"), "minReadySeconds", 0);
    ret->status_replicas = (int)json_int(status, "replicas", 0);
    ret->updated = (int)json_int(status, "updatedReplicas", 0);
    ret->available = (int)json_int(status, "availableReplicas", 0);
    read_image(w, json_str(spec, "container", ""), ret);
    read_strategy(w, ret);
    read_workload_owners(w, json_str(spec, "container", ""), ret);
    objects_autoscaler(o->autoscalers, kube_name(w), &ret->autoscaler);
    if (rs) {
        const char *hash = kube_label(rs, "pod-template-hash");

        COPY(ret->template_hash, hash ? hash : "");
        read_pods(o, spec, color, rs, ret);
    }
    workload_trouble(w, ret);
}

static void blame(const json_t *object, struct seen_change *c) {
    const char *field = c->kind == CHANGE_FIELD ? c->field : "spec";

    if (c->kind != CHANGE_NONE && object)
        owner_find(object, field, c->by, &c->at_us);
}

void objects_blame(const struct objects *o, struct seen *ret) {
    blame(o->service, &ret->service.change);
    for (Color c = COLOR_BLUE; c < COLORS; c++)
        blame(o->workload[c], &ret->workload[c].change);
}

void objects_read(const struct objects *o, const json_t *spec, struct seen *ret) {
    const json_t *bg = json_object_get(spec, "blue_green");
    const char *key = json_str(bg, "selector_key", "");
    json_t *slice;
    size_t i;

    ret->now_us = clock_monotonic_us();
    if (o->service)
        read_service(o->service, key, &ret->service);
    json_array_foreach(o->slices, i, slice) {
        const char *of = kube_label(slice, "kubernetes.io/service-name");

        if (of && strcmp(of, json_str(bg, "service", "")) == 0)
            read_slice(slice, o, key, &ret->service);
    }
    for (Color c = COLOR_BLUE; c < COLORS; c++)
        if (o->workload[c]) {
            read_workload(o, spec, c, &ret->workload[c]);
            ret->template_[c] = json_incref(json_at(o->workload[c], "spec", "template", NULL));
        }
}
