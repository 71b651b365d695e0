#include "kubesim/lists.h"
#include <stdint.h>
#include <string.h>

static const struct list_keys by_name[] = {
    {"containers", {"name"}, NULL},
    {"initContainers", {"name"}, NULL},
    {"ephemeralContainers", {"name"}, NULL},
    {"env", {"name"}, NULL},
    {"volumes", {"name"}, NULL},
    {"imagePullSecrets", {"name"}, NULL},
    {"volumeMounts", {"mountPath"}, NULL},
    {"volumeDevices", {"devicePath"}, NULL},
    {"conditions", {"type"}, NULL},
    {"ownerReferences", {"uid"}, NULL},
    {"hostAliases", {"ip"}, NULL},
    {"topologySpreadConstraints", {"topologyKey", "whenUnsatisfiable"}, NULL},
};
static const struct list_keys container_ports = {"ports", {"containerPort", "protocol"}, "TCP"};
static const struct list_keys service_ports = {"ports", {"port", "protocol"}, "TCP"};

const struct list_keys *list_keys_of(const char *parent, const char *field, const json_t *list) {
    const json_t *first = json_array_get(list, 0);

    if (!json_is_object(first))
        return NULL;
    if (!strcmp(field, "ports")) {
        if (json_object_get(first, "containerPort"))
            return &container_ports;
        return !strcmp(parent, "spec") && json_object_get(first, "port") ? &service_ports : NULL;
    }
    for (size_t i = 0; i < sizeof by_name / sizeof *by_name; i++) {
        if (!strcmp(by_name[i].field, field))
            return &by_name[i];
    }
    return NULL;
}

bool map_is_atomic(const char *field) {
    static const char *const atomic[] = {"selector",      "nodeSelector",   "podSelector",
                                         "labelSelector", "fieldRef",       "namespaceSelector",
                                         "secretKeyRef",  "configMapKeyRef"};

    for (size_t i = 0; i < sizeof atomic / sizeof *atomic; i++) {
        if (!strcmp(atomic[i], field))
            return true;
    }
    return false;
}

static bool key_equal(const struct list_keys *keys, size_t at, const json_t *a, const json_t *b) {
    const json_t *x = json_object_get(a, keys->keys[at]), *y = json_object_get(b, keys->keys[at]);
    const char *otherwise = at ? keys->otherwise : NULL;

    if (x && y)
        return json_equal(x, y);
    if (!x && !y)
        return true;
    return otherwise && json_string_value(x ? x : y) &&
           !strcmp(json_string_value(x ? x : y), otherwise);
}

long list_find(const struct list_keys *keys, const json_t *list, const json_t *like,
               bool first_only) {
    const json_t *element;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, element) {
        bool same = true;

        for (size_t k = 0; keys->keys[k] && same && (k == 0 || !first_only); k++)
            same = key_equal(keys, k, element, like);
        if (same)
            return (long)i;
    }
    return -1;
}
