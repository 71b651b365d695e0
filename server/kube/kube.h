/* kube/kube.h: the Kubernetes API as values.  A call's outcome tells "no" from "unknown"; what was
 * read is JSON.
 *
 * No policy lives here: who may write what, and when, is worker/runner.c. */
#pragma once
#include "base/json.h"
#include "base/status.h"
#include "net/net.h"
#include <stdbool.h>
#include <stddef.h>

typedef enum KubeKind { /* one table in kube/kind.c: apiVersion, plural, namespaced */
                        KUBE_SERVICE,
                        KUBE_DEPLOYMENT,
                        KUBE_REPLICA_SET,
                        KUBE_POD,
                        KUBE_ENDPOINT_SLICE,
                        KUBE_HORIZONTAL_POD_AUTOSCALER,
                        KUBE_CONFIG_MAP,
                        KUBE_POD_DISRUPTION_BUDGET,
                        KUBE_NETWORK_POLICY,
                        KUBE_INGRESS,
                        KUBE_SERVICE_ACCOUNT,
                        KUBE_NAMESPACE,
                        KUBE_EVENT,
                        KUBE_SECRET, /* read only, for a check's header; never stored */
                        KUBE_SELF_SUBJECT_ACCESS_REVIEW, /* create only: may we? */
                        KUBE_KINDS
} KubeKind;
const char *kube_kind_name(KubeKind k); /* "Deployment" */
bool kube_kind_find(const char *api_version, const char *kind, KubeKind *ret);

/* ---- where a cluster is and how to authenticate ---- */
struct kube_exec; /* kube/exec.h */
struct kube_config {
    char *server;                      /* https://host:port */
    char *ca_pem, *cert_pem, *key_pem; /* NULL when absent */
    char *token, *token_file;          /* token_file is re-read every minute and on 401 */
    struct kube_exec *exec;            /* NULL: no plugin; else neither token nor certificate */
    char *tls_server_name;
    char *namespace_default;
    bool insecure;
};
/* A context of a kubeconfig file (NULL: its current one).  Certificates inline or from files
 * (relative to it).  An auth-provider or proxy-url is refused; an exec plugin is read, and not run.
 * E_NOT_SUPPORTED or E_INVALID_BODY with one line in reterr. */
MUSTCHECK Status kube_config_load(const char *file, const char *context, struct kube_config *ret,
                                  char *reterr, size_t n);
/* The service account of the pod that we run in. */
MUSTCHECK Status kube_config_in_cluster(struct kube_config *ret, char *reterr, size_t n);
void kube_config_done(struct kube_config *c);

/* ---- clusters ---- */
struct kube_clusters; /* all that this process talks to */
struct kube_cluster;  /* one API server; counted */

/* An object changed, was deleted, or was confirmed after a gap (name NULL: anything of that kind).
 * Runs on the loop's thread: must not block. */
typedef void kube_change_fn(void *ctx, const char *cluster, KubeKind kind, const char *namespace_,
                            const char *name);
/* kubeconfig_dir NULL: no kubeconfig_file may be named.  on_change may be NULL. */
struct kube_clusters *kube_clusters_new(const char *kubeconfig_dir, kube_change_fn *on_change,
                                        void *ctx);
/* Exec plugins of kubeconfig files may be run (SLUICE_KUBECONFIG_EXEC=allow): before the first
 * cluster. Otherwise such a cluster is refused. */
void kube_clusters_allow_exec(struct kube_clusters *s);
/* Ends watches.  Every other reference to a cluster must be gone by then. */
void kube_clusters_free(struct kube_clusters *s);
/* For the program's end: calls that wait end within about a second, and none begins any more.  Any
 * thread. */
void kube_clusters_cancel(struct kube_clusters *s);
/* The cluster of that name as spec says ({kubeconfig_file, context} or {in_cluster}); made or
 * re-made when revision is another than last time.  A counted reference: kube_cluster_unref().
 * E_NOT_SUPPORTED, E_INVALID_BODY with a line. */
MUSTCHECK Status kube_clusters_get(struct kube_clusters *s, const char *name, const json_t *spec,
                                   int64_t revision, struct kube_cluster **ret, char *reterr,
                                   size_t n);
struct kube_cluster *kube_cluster_ref(struct kube_cluster *c); /* one more; returns it */
void kube_cluster_unref(struct kube_cluster *c);
static inline void kube_cluster_unref_cleanup(struct kube_cluster **c) {
    if (*c)
        kube_cluster_unref(*c);
}

/* ---- calls (any thread; they wait: reads at most 3 s, writes 10 s) ---- */
typedef enum KubeOutcome {
    KUBE_DONE,      /* 2xx */
    KUBE_NOT_FOUND, /* 404 in the API server's own words (a load balancer's is KUBE_UNKNOWN) */
    KUBE_CONFLICT,  /* 409: another resourceVersion, or it exists already (reason says which) */
    KUBE_REFUSED,   /* any other 4xx: 400, 401, 403, 422 …: a no */
    KUBE_LATER,     /* 429: not carried out, come back */
    KUBE_UNKNOWN, /* 5xx, 408, timeout, reset, garbled: it may have been carried out.  Of a read: no
                     answer */
    KUBE_UNREACHED, /* nothing was sent */
} KubeOutcome;
struct kube_result {
    KubeOutcome outcome;
    unsigned code;     /* HTTP status or 0 */
    json_t *object;    /* what was read or written; NULL unless KUBE_DONE; owned */
    char reason[64];   /* Status.reason: "Conflict", "AlreadyExists", "Invalid" … */
    char message[512]; /* Status.message, or what went wrong */
    int retry_after_s; /* -1 when not said */
};
void kube_result_done(struct kube_result *r);
static inline void kube_result_done_cleanup(struct kube_result *r) {
    kube_result_done(r);
}

void kube_get(struct kube_cluster *c, KubeKind kind, const char *namespace_, const char *name,
              struct kube_result *ret);
/* n objects of namespaces at the same time, 1 to NET_AT_ONCE: what kube_get says of each, in ret.
 */
struct kube_ref {
    KubeKind kind;
    const char *namespace_, *name;
};
void kube_get_each(struct kube_cluster *c, const struct kube_ref *what, size_t n,
                   struct kube_result *ret);
/* object: the list; label_selector NULL for all. */
void kube_list(struct kube_cluster *c, KubeKind kind, const char *namespace_,
               const char *label_selector, struct kube_result *ret);
typedef enum KubePatch { KUBE_MERGE_PATCH, KUBE_STRATEGIC_PATCH, KUBE_APPLY } KubePatch;
/* KUBE_APPLY: server-side apply, fieldManager sluice, force.  The precondition is
 * metadata.resourceVersion in the body. */
void kube_patch(struct kube_cluster *c, KubeKind kind, const char *namespace_, const char *name,
                KubePatch how, const json_t *body, bool dry_run, struct kube_result *ret);
void kube_create(struct kube_cluster *c, KubeKind kind, const char *namespace_, const json_t *body,
                 bool dry_run, struct kube_result *ret);
/* PUT of a whole object, under the resourceVersion that it carries. */
void kube_replace(struct kube_cluster *c, KubeKind kind, const char *namespace_, const char *name,
                  const json_t *body, struct kube_result *ret);
/* GET /version and the uid of namespace kube-system: {version, uid} as object. */
void kube_probe(struct kube_cluster *c, struct kube_result *ret);

/* ---- the watch cache ---- */
/* Keeps Services, Deployments, ReplicaSets, Pods, EndpointSlices and HorizontalPodAutoscalers of a
 * namespace in memory from now on: without metadata.managedFields, of a Pod's containers only name,
 * image and ports, of a ReplicaSet only its metadata (kube/trim.c); kube_get reads objects whole.
 * Of a Service and a Deployment it keeps who wrote which field of the spec: managedFields as text,
 * under KUBE_FIELDS_KEPT. */
#define KUBE_FIELDS_KEPT "managedFields"
void kube_watch(struct kube_cluster *c, const char *namespace_);
/* What the watch last saw, yours; NULL when there is none. */
json_t *kube_cached(struct kube_cluster *c, KubeKind kind, const char *namespace_,
                    const char *name);
/* Those of a kind in a namespace that belong to one thing, yours: with a controller of that uid; of
 * EndpointSlices those of the Service of that name; of autoscalers those of the workload of that
 * name.  NULL: all, which takes its time where there are thousands. */
json_t *kube_cached_list(struct kube_cluster *c, KubeKind kind, const char *namespace_,
                         const char *group);
/* When the watch of that kind was last known to be live (an event, bookmark or list): monotonic µs;
 * 0: not listed yet. */
int64_t kube_cached_at(struct kube_cluster *c, KubeKind kind, const char *namespace_);
#define KUBE_NOT_LISTED                                                                            \
    "not listed yet" /* nothing came back so far, neither objects nor an error */
/* Why it is not live, one line; "" when it is. */
void kube_cached_error(struct kube_cluster *c, KubeKind kind, const char *namespace_, char *ret,
                       size_t n);

struct kube_watch_counts {
    size_t live, failing; /* live: without an error, also before the first list */
};
struct kube_watch_counts kube_watches(struct kube_clusters *s); /* of all clusters; any thread */

/* ---- HTTP through the API server's Service proxy, or to an address ---- */
/* Starts GET (or method) http://SERVICE:PORT/path through services/proxy.  Calls back on the loop's
 * thread, once. */
uint64_t kube_service_call(struct kube_cluster *c, const char *namespace_, const char *service,
                           int port, const struct net_request *in /* url: the path; no body */,
                           net_done_fn *done, void *ctx);
/* The loop that all clusters share: for direct calls. */
struct net_loop *kube_clusters_loop(struct kube_clusters *s);

/* ---- small readers of Kubernetes objects ---- */
const char *kube_name(const json_t *object);                   /* metadata.name or "" */
const char *kube_uid(const json_t *object);                    /* metadata.uid or "" */
const char *kube_controller(const json_t *object);             /* its controller's uid or "" */
bool kube_controls(const json_t *owner, const json_t *object); /* whether it is its controller */
const char *kube_resource_version(const json_t *object);       /* or "" */
/* Compares resourceVersions as numbers: Kubernetes 1.35 documents that they are; before, etcd's
 * revisions were too. */
bool kube_version_newer(const char *a, const char *than);
const char *kube_annotation(const json_t *object, const char *key); /* or NULL */
const char *kube_label(const json_t *object, const char *key);      /* or NULL */
bool kube_labels_match(
    const json_t *selector,
    const json_t *labels); /* an equality selector; an empty one matches nothing */
