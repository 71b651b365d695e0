#include "kubesim/defaults.h"
#include "base/json.h"
#include <string.h>

/* Sets `value` (taken) where the key is missing or null. */
static void fill(json_t *object, const char *key, json_t *value) {
    json_t *now = json_object_get(object, key);

    if (json_is_object(object) && (!now || json_is_null(now)))
        json_object_set_new(object, key, value);
    else
        json_decref(value);
}

static void fill_str(json_t *object, const char *key, const char *value) {
    fill(object, key, json_string(value));
}

static void fill_int(json_t *object, const char *key, int value) {
    fill(object, key, json_integer(value));
}

static void probe_defaults(json_t *container, const char *which) {
    json_t *probe = json_object_get(container, which);
    json_t *http = json_object_get(probe, "httpGet");

    if (!json_is_object(probe))
        return;
    fill_int(probe, "timeoutSeconds", 1);
    fill_int(probe, "periodSeconds", 10);
    fill_int(probe, "successThreshold", 1);
    fill_int(probe, "failureThreshold", 3);
    if (json_is_object(http)) {
        fill_str(http, "path", "/");
        fill_str(http, "scheme", "HTTP");
    }
}

static void ports_defaults(json_t *ports) {
    json_t *port;
    size_t i;

    json_array_foreach(ports, i, port) {
        fill_str(port, "protocol", "TCP");
    }
}

static void container_defaults(json_t *container) {
    const char *image = json_str(container, "image", "");
    const char *slash = strrchr(image, '/'), *tag = strrchr(image, ':');
    bool latest = !tag || (slash && tag < slash) || !strcmp(tag, ":latest");
    json_t *entry;
    size_t i;

    fill_str(container, "imagePullPolicy",
             latest && !strchr(image, '@') ? "Always" : "IfNotPresent");
    fill_str(container, "terminationMessagePath", "/dev/termination-log");
    fill_str(container, "terminationMessagePolicy", "File");
    fill(container, "resources", json_object());
    ports_defaults(json_object_get(container, "ports"));
    probe_defaults(container, "livenessProbe");
    probe_defaults(container, "readinessProbe");
    probe_defaults(container, "startupProbe");
    json_array_foreach(json_object_get(container, "env"), i, entry) {
        json_t *field = json_at(entry, "valueFrom", "fieldRef", NULL);

        if (field)
            fill_str(field, "apiVersion", "v1");
    }
}

static void pod_defaults(json_t *spec) {
    json_t *container;
    size_t i;

    if (!json_is_object(spec))
        return;
    fill_str(spec, "restartPolicy", "Always");
    fill_int(spec, "terminationGracePeriodSeconds", 30);
    fill_str(spec, "dnsPolicy", "ClusterFirst");
    fill(spec, "securityContext", json_object());
    fill_str(spec, "schedulerName", "default-scheduler");
    json_array_foreach(json_object_get(spec, "containers"), i, container) {
        container_defaults(container);
    }
    json_array_foreach(json_object_get(spec, "initContainers"), i, container) {
        container_defaults(container);
    }
}

static void deployment_defaults(json_t *spec) {
    json_t *strategy, *rolling;

    if (!json_is_object(spec))
        return;
    fill_int(spec, "replicas", 1);
    fill(spec, "strategy", json_object());
    strategy = json_object_get(spec, "strategy");
    fill_str(strategy, "type", "RollingUpdate");
    if (!strcmp(json_str(strategy, "type", ""), "RollingUpdate")) {
        fill(strategy, "rollingUpdate", json_object());
        rolling = json_object_get(strategy, "rollingUpdate");
        fill_str(rolling, "maxUnavailable", "25%");
        fill_str(rolling, "maxSurge", "25%");
    }
    fill_int(spec, "revisionHistoryLimit", 10);
    fill_int(spec, "progressDeadlineSeconds", 600);
    pod_defaults(json_at(spec, "template", "spec", NULL));
}

static void service_defaults(json_t *spec) {
    json_t *port, *number;
    size_t i;

    if (!json_is_object(spec))
        return;
    fill_str(spec, "type", "ClusterIP");
    fill_str(spec, "sessionAffinity", "None");
    json_array_foreach(json_object_get(spec, "ports"), i, port) {
        fill_str(port, "protocol", "TCP");
        number = json_object_get(port, "port");
        if (number)
            fill(port, "targetPort", json_incref(number));
    }
    if (strcmp(json_str(spec, "type", ""), "ExternalName")) {
        fill_str(spec, "internalTrafficPolicy", "Cluster");
        fill(spec, "ipFamilies", json_pack("[s]", "IPv4"));
        fill_str(spec, "ipFamilyPolicy", "SingleStack");
    }
}

void defaults_set(const struct kind *kind, json_t *body) {
    json_t *spec = json_object_get(body, "spec");

    switch ((int)kind->id) {
    case KIND_DEPLOYMENT:
        deployment_defaults(spec);
        break;
    case KIND_REPLICASET:
        if (json_is_object(spec))
            fill_int(spec, "replicas", 1);
        pod_defaults(json_at(spec, "template", "spec", NULL));
        break;
    case KIND_POD:
        pod_defaults(spec);
        if (json_is_object(spec)) {
            fill_str(spec, "serviceAccountName", "default");
            fill(spec, "enableServiceLinks", json_true());
        }
        break;
    case KIND_SERVICE:
        service_defaults(spec);
        break;
    case KIND_NAMESPACE:
        fill(body, "spec", json_pack("{s:[s]}", "finalizers", "kubernetes"));
        fill(body, "status", json_pack("{s:s}", "phase", "Active"));
        break;
    case KIND_HPA:
        if (json_is_object(spec))
            fill_int(spec, "minReplicas", 1);
        break;
    default:
        break;
    }
}
