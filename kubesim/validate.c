#include "base/json.h"
#include "kubesim/defaults.h"
#include "kubesim/kstatus.h"
#include "kubesim/selector.h"
#include "kubesim/store.h"
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define REQUIRED(causes, field) cause_add(causes, "FieldValueRequired", field, "Required value")

static bool label_valid(const char *s, size_t n) {
    if (!n || n > 63 || s[0] == '-' || s[n - 1] == '-')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!islower((unsigned char)s[i]) && !isdigit((unsigned char)s[i]) && s[i] != '-')
            return false;
    }
    return true;
}

static bool subdomain_valid(const char *s) {
    if (strlen(s) > 253)
        return false;
    for (;;) {
        size_t n = strcspn(s, ".");

        if (!label_valid(s, n))
            return false;
        if (!s[n])
            return true;
        s += n + 1;
    }
}

static void name_check(const struct kind *k, const json_t *body, json_t *causes) {
    const char *name = object_name(body);

    if (!*name)
        cause_add(causes, "FieldValueRequired", "metadata.name",
                  "Required value: name or generateName is required");
    else if (k->lenient_name ? !subdomain_valid(name) : !label_valid(name, strlen(name)))
        cause_add(causes, "FieldValueInvalid", "metadata.name",
                  "Invalid value: \"%s\": a lowercase RFC 1123 %s must consist of lower case "
                  "alphanumeric characters, '-'%s, and must start and end with an alphanumeric "
                  "character",
                  name, k->lenient_name ? "subdomain" : "label", k->lenient_name ? " or '.'" : "");
    else if (k->id == KIND_SERVICE && isdigit((unsigned char)*name))
        cause_add(causes, "FieldValueInvalid", "metadata.name",
                  "Invalid value: \"%s\": a DNS-1035 label must start with an alphabetic character",
                  name);
}

/* labels and annotations are maps of strings: anything else does not even decode. */
static json_t *string_map_check(const json_t *metadata, const char *key) {
    const json_t *map = json_object_get(metadata, key);
    const char *k;
    json_t *v;

    if (map && !json_is_object(map) && !json_is_null(map))
        return kstatus(400, "BadRequest", "metadata.%s: cannot unmarshal into a map of strings",
                       key);
    json_object_foreach((json_t *)(uintptr_t)map, k, v) {
        if (!json_is_string(v))
            return kstatus(400, "BadRequest", "metadata.%s.%s: cannot unmarshal a %s into a string",
                           key, k, json_is_number(v) ? "number" : "value");
    }
    return NULL;
}

static void port_check(const json_t *port, const char *key, const char *field, json_t *causes) {
    const json_t *v = json_object_get(port, key);

    if (!v)
        REQUIRED(causes, field);
    else if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > 65535)
        cause_add(causes, "FieldValueInvalid", field,
                  "Invalid value: must be between 1 and 65535, inclusive");
}

static void container_check(const json_t *container, const json_t *containers, size_t at,
                            const char *path, json_t *causes) {
    const char *name = json_str(container, "name", "");
    char field[160];
    json_t *port;
    size_t i;

    snprintf(field, sizeof field, "%s.containers[%zu].name", path, at);
    if (!*name)
        REQUIRED(causes, field);
    else if (!label_valid(name, strlen(name)))
        cause_add(causes, "FieldValueInvalid", field,
                  "Invalid value: \"%s\": a lowercase RFC 1123 label is wanted", name);
    for (size_t other = 0; other < at; other++) {
        if (!strcmp(json_str(json_array_get(containers, other), "name", ""), name))
            cause_add(causes, "FieldValueDuplicate", field, "Duplicate value: \"%s\"", name);
    }
    snprintf(field, sizeof field, "%s.containers[%zu].image", path, at);
    if (!*json_str(container, "image", ""))
        REQUIRED(causes, field);
    json_array_foreach(json_object_get(container, "ports"), i, port) {
        snprintf(field, sizeof field, "%s.containers[%zu].ports[%zu].containerPort", path, at, i);
        port_check(port, "containerPort", field, causes);
    }
}

static void pod_spec_check(const json_t *spec, const char *path, json_t *causes) {
    const json_t *containers = json_object_get(spec, "containers");
    char field[128];
    json_t *container;
    size_t i;

    snprintf(field, sizeof field, "%s.containers", path);
    if (!json_array_size(containers))
        REQUIRED(causes, field);
    json_array_foreach(containers, i, container) {
        container_check(container, containers, i, path, causes);
    }
}

static void replicas_check(const json_t *spec, json_t *causes) {
    const json_t *replicas = json_object_get(spec, "replicas");

    if (replicas && (!json_is_integer(replicas) || json_integer_value(replicas) < 0 ||
                     json_integer_value(replicas) > INT32_MAX))
        cause_add(causes, "FieldValueInvalid", "spec.replicas",
                  "Invalid value: must be an integer greater than or equal to 0");
}

static bool is_zero(const json_t *v) {
    const char *s = json_string_value(v);

    return (json_is_integer(v) && !json_integer_value(v)) ||
           (s && (!strcmp(s, "0%") || !strcmp(s, "0")));
}

static bool is_amount(const json_t *v) {
    const char *s = json_string_value(v);
    size_t digits = s ? strspn(s, "0123456789") : 0;

    return !v || (json_is_integer(v) && json_integer_value(v) >= 0) ||
           (digits && digits < 9 && !strcmp(s + digits, "%"));
}

static void strategy_check(const json_t *spec, json_t *causes) {
    const json_t *strategy = json_object_get(spec, "strategy");
    const json_t *rolling = json_object_get(strategy, "rollingUpdate");
    const json_t *surge = json_object_get(rolling, "maxSurge");
    const json_t *unavailable = json_object_get(rolling, "maxUnavailable");
    const char *type = json_str(strategy, "type", "RollingUpdate");

    if (!strcmp(type, "Recreate")) {
        if (rolling && !json_is_null(rolling))
            cause_add(causes, "FieldValueForbidden", "spec.strategy.rollingUpdate",
                      "Forbidden: may not be specified when strategy `type` is 'Recreate'");
        return;
    }
    if (strcmp(type, "RollingUpdate"))
        cause_add(causes, "FieldValueNotSupported", "spec.strategy.type",
                  "Unsupported value: \"%s\": supported values: \"Recreate\", \"RollingUpdate\"",
                  type);
    if (!is_amount(surge))
        cause_add(causes, "FieldValueInvalid", "spec.strategy.rollingUpdate.maxSurge",
                  "Invalid value: must be an integer or a percentage");
    if (!is_amount(unavailable))
        cause_add(causes, "FieldValueInvalid", "spec.strategy.rollingUpdate.maxUnavailable",
                  "Invalid value: must be an integer or a percentage");
    if (is_zero(surge) && is_zero(unavailable))
        cause_add(causes, "FieldValueInvalid", "spec.strategy.rollingUpdate.maxUnavailable",
                  "Invalid value: may not be 0 when `maxSurge` is 0");
}

static bool selector_empty(const json_t *selector) {
    return !json_object_size(json_object_get(selector, "matchLabels")) &&
           !json_array_size(json_object_get(selector, "matchExpressions"));
}

static void workload_check(const struct kind *k, const json_t *before, const json_t *body,
                           json_t *causes) {
    const json_t *spec = json_object_get(body, "spec");
    const json_t *selector = json_object_get(spec, "selector");
    const json_t *labels = json_at(spec, "template", "metadata", "labels", NULL);

    replicas_check(spec, causes);
    if (!json_is_object(selector))
        REQUIRED(causes, "spec.selector");
    else if (selector_empty(selector))
        cause_add(causes, "FieldValueInvalid", "spec.selector",
                  "Invalid value: empty selector is invalid for deployment");
    else if (!selector_matches(selector, labels))
        cause_add(causes, "FieldValueInvalid", "spec.template.metadata.labels",
                  "Invalid value: `selector` does not match template `labels`");
    pod_spec_check(json_at(spec, "template", "spec", NULL), "spec.template.spec", causes);
    if (k->id == KIND_DEPLOYMENT)
        strategy_check(spec, causes);
    if (before && !json_equal(json_at(before, "spec", "selector", NULL), selector))
        cause_add(causes, "FieldValueInvalid", "spec.selector",
                  "Invalid value: field is immutable");
}

/* Up to 63 letters, digits, '-', '_' and '.', the first and last a letter or digit. */
static bool label_value(const char *s) {
    static const char ends[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t n = strlen(s);

    if (n == 0)
        return true;
    for (size_t i = 0; i < n; i++)
        if (!strchr(ends, s[i]) && !strchr("-_.", s[i]))
            return false;
    return n <= 63 && strchr(ends, s[0]) && strchr(ends, s[n - 1]);
}

static void service_check(const json_t *before, const json_t *body, json_t *causes) {
    const json_t *spec = json_object_get(body, "spec");
    const json_t *ports = json_object_get(spec, "ports"),
                 *selector = json_object_get(spec, "selector");
    const char *ip = json_str(spec, "clusterIP", ""), *was;
    json_t *port, *value;
    const char *key;
    char field[64];
    size_t i;

    if (!json_array_size(ports) && strcmp(ip, "None") &&
        strcmp(json_str(spec, "type", ""), "ExternalName"))
        REQUIRED(causes, "spec.ports");
    json_array_foreach((json_t *)(uintptr_t)ports, i, port) {
        snprintf(field, sizeof field, "spec.ports[%zu].port", i);
        port_check(port, "port", field, causes);
        snprintf(field, sizeof field, "spec.ports[%zu].name", i);
        if (json_array_size(ports) > 1 && !*json_str(port, "name", ""))
            REQUIRED(causes, field);
    }
    json_object_foreach((json_t *)(uintptr_t)selector, key, value) {
        if (!json_is_string(value))
            cause_add(causes, "FieldValueInvalid", "spec.selector",
                      "Invalid value: the value of \"%s\" is not a string", key);
        else if (!label_value(json_string_value(value)))
            cause_add(causes, "FieldValueInvalid", "spec.selector",
                      "Invalid value: \"%s\": a valid label must be an empty string or consist of "
                      "alphanumeric characters, '-', '_' or '.', and must start and end with an "
                      "alphanumeric character",
                      json_string_value(value));
    }
    was = json_str(json_object_get(before, "spec"), "clusterIP", "");
    if (*was && strcmp(was, ip))
        cause_add(causes, "FieldValueInvalid", "spec.clusterIP",
                  "Invalid value: \"%s\": field is immutable", ip);
}

json_t *validate(const struct kind *kind, const json_t *before, const json_t *body) {
    json_auto_t *causes = json_array();
    const json_t *metadata = json_object_get(body, "metadata");
    const json_t *spec = json_object_get(body, "spec");
    json_t *bad = string_map_check(metadata, "labels");

    if (!bad)
        bad = string_map_check(metadata, "annotations");
    if (!bad && spec && !json_is_object(spec))
        bad =
            kstatus(400, "BadRequest", "%s in version \"%s\" cannot be handled: spec is no object",
                    kind->kind, kind->version);
    if (bad)
        return bad;
    name_check(kind, body, causes);
    if (kind->id == KIND_DEPLOYMENT || kind->id == KIND_REPLICASET)
        workload_check(kind, before, body, causes);
    else if (kind->id == KIND_POD)
        pod_spec_check(spec, "spec", causes);
    else if (kind->id == KIND_SERVICE)
        service_check(before, body, causes);
    return kstatus_invalid(kind, object_name(body), causes);
}
