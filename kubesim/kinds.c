#include "kubesim/kinds.h"
#include <stdio.h>
#include <string.h>

#define NAMESPACED   .namespaced = true
#define STATUS       .has_status = true
#define GENERATION   .has_generation = true
#define SCALE        .has_scale = true
#define LENIENT_NAME .lenient_name = true

// clang-format off
static const struct kind kinds[KIND_END] = {
    {KIND_NAMESPACE,      "", "v1", "namespaces", "namespace", "Namespace", "ns", STATUS},
    {KIND_SERVICE,        "", "v1", "services", "service", "Service", "svc", NAMESPACED, STATUS},
    {KIND_POD,            "", "v1", "pods", "pod", "Pod", "po", NAMESPACED, STATUS, LENIENT_NAME},
    {KIND_CONFIGMAP,      "", "v1", "configmaps", "configmap", "ConfigMap", "cm", NAMESPACED, LENIENT_NAME},
    {KIND_SECRET,         "", "v1", "secrets", "secret", "Secret", NULL, NAMESPACED, LENIENT_NAME},
    {KIND_SERVICEACCOUNT, "", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", "sa", NAMESPACED, LENIENT_NAME},
    {KIND_EVENT,          "", "v1", "events", "event", "Event", "ev", NAMESPACED, LENIENT_NAME},
    {KIND_RESOURCEQUOTA,  "", "v1", "resourcequotas", "resourcequota", "ResourceQuota", "quota", NAMESPACED, STATUS, LENIENT_NAME},
    {KIND_DEPLOYMENT,     "apps", "v1", "deployments", "deployment", "Deployment", "deploy", NAMESPACED, STATUS, GENERATION, SCALE, LENIENT_NAME},
    {KIND_REPLICASET,     "apps", "v1", "replicasets", "replicaset", "ReplicaSet", "rs", NAMESPACED, STATUS, GENERATION, SCALE, LENIENT_NAME},
    {KIND_ENDPOINTSLICE,  "discovery.k8s.io", "v1", "endpointslices", "endpointslice", "EndpointSlice", NULL, NAMESPACED, GENERATION, LENIENT_NAME},
    {KIND_INGRESS,        "networking.k8s.io", "v1", "ingresses", "ingress", "Ingress", "ing", NAMESPACED, STATUS, GENERATION, LENIENT_NAME},
    {KIND_NETWORKPOLICY,  "networking.k8s.io", "v1", "networkpolicies", "networkpolicy", "NetworkPolicy", "netpol", NAMESPACED, GENERATION, LENIENT_NAME},
    {KIND_HPA,            "autoscaling", "v2", "horizontalpodautoscalers", "horizontalpodautoscaler", "HorizontalPodAutoscaler", "hpa", NAMESPACED, STATUS, LENIENT_NAME},
    {KIND_PDB,            "policy", "v1", "poddisruptionbudgets", "poddisruptionbudget", "PodDisruptionBudget", "pdb", NAMESPACED, STATUS, GENERATION, LENIENT_NAME},
}; // clang-format on

const struct kind *kind_of(KindId id) {
    return id < KIND_END ? &kinds[id] : NULL;
}

const struct kind *kind_by_plural(const char *group, const char *version, const char *plural) {
    for (int i = 0; i < KIND_END; i++) {
        const struct kind *k = &kinds[i];

        if (!strcmp(k->group, group) && !strcmp(k->version, version) && !strcmp(k->plural, plural))
            return k;
    }
    return NULL;
}

const char *kind_api_version(const struct kind *k, char text[64]) {
    snprintf(text, 64, "%s%s%s", k->group, *k->group ? "/" : "", k->version);
    return text;
}
