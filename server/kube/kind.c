#include "kube/kind.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include <ctype.h>
#include <string.h>

static const struct kube_kind kinds[KUBE_KINDS] = {
    [KUBE_SERVICE] = {"Service", "v1", "services", true},
    [KUBE_DEPLOYMENT] = {"Deployment", "apps/v1", "deployments", true},
    [KUBE_REPLICA_SET] = {"ReplicaSet", "apps/v1", "replicasets", true},
    [KUBE_POD] = {"Pod", "v1", "pods", true},
    [KUBE_ENDPOINT_SLICE] = {"EndpointSlice", "discovery.k8s.io/v1", "endpointslices", true},
    [KUBE_CONFIG_MAP] = {"ConfigMap", "v1", "configmaps", true},
    [KUBE_HORIZONTAL_POD_AUTOSCALER] = {"HorizontalPodAutoscaler", "autoscaling/v2",
                                        "horizontalpodautoscalers", true},
    [KUBE_POD_DISRUPTION_BUDGET] = {"PodDisruptionBudget", "policy/v1", "poddisruptionbudgets",
                                    true},
    [KUBE_NETWORK_POLICY] = {"NetworkPolicy", "networking.k8s.io/v1", "networkpolicies", true},
    [KUBE_INGRESS] = {"Ingress", "networking.k8s.io/v1", "ingresses", true},
    [KUBE_SERVICE_ACCOUNT] = {"ServiceAccount", "v1", "serviceaccounts", true},
    [KUBE_NAMESPACE] = {"Namespace", "v1", "namespaces", false},
    [KUBE_EVENT] = {"Event", "v1", "events", true},
    [KUBE_SECRET] = {"Secret", "v1", "secrets", true},
    [KUBE_SELF_SUBJECT_ACCESS_REVIEW] = {"SelfSubjectAccessReview", "authorization.k8s.io/v1",
                                         "selfsubjectaccessreviews", false},
};

const struct kube_kind *kube_kind_row(KubeKind k) {
    if ((unsigned)k >= KUBE_KINDS)
        die("no Kubernetes kind %u", (unsigned)k);
    return &kinds[k];
}

const char *kube_kind_name(KubeKind k) {
    return kube_kind_row(k)->name;
}

bool kube_kind_find(const char *api_version, const char *kind, KubeKind *ret) {
    for (unsigned i = 0; i < KUBE_KINDS; i++) {
        if (strcmp(kinds[i].name, kind) == 0 && strcmp(kinds[i].api_version, api_version) == 0) {
            *ret = (KubeKind)i;
            return true;
        }
    }
    return false;
}

char *kube_escape(const char *segment) {
    struct strbuf b = STRBUF(strlen(segment) * 3 + 1);

    for (const char *c = segment; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("-._~", *c))
            strbuf_add(&b, c, 1);
        else
            strbuf_addf(&b, "%%%02X", (unsigned)(unsigned char)*c);
    }
    return strbuf_take(&b);
}

char *kube_kind_path(KubeKind k, const char *namespace_, const char *name) {
    const struct kube_kind *kind = kube_kind_row(k);
    _cleanup_free_ char *space = namespace_ ? kube_escape(namespace_) : NULL;
    _cleanup_free_ char *last = name ? kube_escape(name) : NULL;

    if (!kind->namespaced)
        space = (free(space), NULL);
    return xasprintf("/%s/%s%s%s/%s%s%s", strchr(kind->api_version, '/') ? "apis" : "api",
                     kind->api_version, space ? "/namespaces/" : "", space ? space : "",
                     kind->plural, last ? "/" : "", last ? last : "");
}
