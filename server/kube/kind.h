/* kube/kind.h: where objects of a kind live in the API.  Private to kube/. */
#pragma once
#include "kube/kube.h"

struct kube_kind {
    const char *name;        /* "Deployment" */
    const char *api_version; /* "apps/v1" */
    const char *plural;      /* "deployments" */
    bool namespaced;
};
const struct kube_kind *kube_kind_row(KubeKind k);
/* "/apis/apps/v1/namespaces/NS/deployments/NAME"; yours.  namespace_ NULL: all of them; name NULL:
 * the collection. */
char *kube_kind_path(KubeKind k, const char *namespace_, const char *name);
/* One path segment with everything but RFC 3986 "unreserved" escaped; yours. */
char *kube_escape(const char *segment);
