/* kubesim/kinds.h: the table of resource kinds that this API server knows.  One generic store
 * serves them all. */
#pragma once
#include "base/status.h"
#include <stdbool.h>

/* Kinds that a controller knows by name; the order is that of the table. */
typedef enum KindId {
    KIND_NAMESPACE,
    KIND_SERVICE,
    KIND_POD,
    KIND_CONFIGMAP,
    KIND_SECRET,
    KIND_SERVICEACCOUNT,
    KIND_EVENT,
    KIND_RESOURCEQUOTA,
    KIND_DEPLOYMENT,
    KIND_REPLICASET,
    KIND_ENDPOINTSLICE,
    KIND_INGRESS,
    KIND_NETWORKPOLICY,
    KIND_HPA,
    KIND_PDB,
    KIND_END
} KindId;

struct kind {
    KindId id;
    const char *group, *version; /* group "" is core */
    const char *plural, *singular, *kind, *short_name;
    bool namespaced;
    bool has_status; /* .status is written only through the subresource */
    bool has_generation;
    bool has_scale;
    bool lenient_name; /* names are RFC 1123 subdomains (dots allowed), not labels */
};

const struct kind *kind_of(KindId id);
/* NULL when there is none. */
const struct kind *kind_by_plural(const char *group, const char *version, const char *plural);
const char *kind_api_version(const struct kind *k, char text[64]); /* "apps/v1", "v1" */
