#include "handlers/cluster_status.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include <pthread.h>
#include <string.h>

enum { STATUS_AGE_S = 10, TARGETS_MAX = 8 };

/* Answers by cluster name: {revision, at_us, status}; replaced, never grown: one entry a name. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static json_t *answers;

static json_t *status_kept(const struct cluster_row *cluster, bool any_age) {
    json_t *kept, *status = NULL;

    pthread_mutex_lock(&lock);
    kept = json_object_get(answers, cluster->name);
    if (kept && json_int(kept, "revision", 0) == cluster->revision &&
        json_int(kept, "created", 0) == cluster->created_us &&
        (any_age || clock_monotonic_us() - json_int(kept, "at", 0) < STATUS_AGE_S * US_PER_S))
        status = json_deep_copy(json_object_get(kept, "status"));
    pthread_mutex_unlock(&lock);
    return status;
}

static void status_keep(const struct cluster_row *cluster, const json_t *status) {
    pthread_mutex_lock(&lock);
    if (!answers)
        answers = json_object();
    json_object_set_new(answers, cluster->name,
                        json_pack("{s:I, s:I, s:I, s:o}", "revision", (json_int_t)cluster->revision,
                                  "created", (json_int_t)cluster->created_us, "at",
                                  (json_int_t)clock_monotonic_us(), "status",
                                  json_deep_copy(status)));
    pthread_mutex_unlock(&lock);
}

/* What a deployment needs in a namespace; on the objects that the environment names where a Role
 * can say so (`sluice env rbac`). */
static const struct {
    const char *group, *resource, *verb;
    const char *of[2]; /* columns with an object's name; none: of any */
} needed[] = {
    {"", "services", "get", {NULL}},
    {"", "services", "watch", {NULL}},
    {"", "services", "patch", {"service"}},
    {"apps", "deployments", "watch", {NULL}},
    {"apps", "deployments", "create", {NULL}}, /* where there are manifests */
    {"apps", "deployments", "patch", {"blue", "green"}},
    {"apps", "deployments", "update", {"blue", "green"}},
    {"apps", "replicasets", "watch", {NULL}},
    {"", "pods", "watch", {NULL}},
    {"discovery.k8s.io", "endpointslices", "watch", {NULL}},
    {"autoscaling", "horizontalpodautoscalers", "watch", {NULL}},
};

/* Notes it as missing if we may not; false when the API server does not answer such questions. */
static bool ask(struct kube_cluster *c, size_t i, const char *namespace_, const char *name,
                json_t *missing) {
    _cleanup_(kube_result_done) struct kube_result result = {0};
    json_auto_t *question =
        json_pack("{s:s, s:s, s:{s:{s:s, s:s, s:s, s:s, s:s*}}}", "apiVersion",
                  "authorization.k8s.io/v1", "kind", "SelfSubjectAccessReview", "spec",
                  "resourceAttributes", "namespace", namespace_, "verb", needed[i].verb, "group",
                  needed[i].group, "resource", needed[i].resource, "name", name);

    kube_create(c, KUBE_SELF_SUBJECT_ACCESS_REVIEW, NULL, question, false, &result);
    if (result.outcome != KUBE_DONE)
        return false;
    if (!json_bool(json_object_get(result.object, "status"), "allowed", false))
        json_array_append_new(missing,
                              json_sprintf("%s %s%s%s in %s", needed[i].verb, needed[i].resource,
                                           name ? "/" : "", name ? name : "", namespace_));
    return true;
}

static bool ask_all(struct kube_cluster *c, const struct db_rows *rows, size_t row,
                    json_t *missing) {
    const char *namespace_ = db_text(rows, row, "namespace");
    bool creates = db_bool(rows, row, "manifests"), answered = true;
    bool again = row > 0 && strcmp(namespace_, db_text(rows, row - 1, "namespace")) == 0;

    for (size_t i = 0; answered && i < sizeof needed / sizeof *needed; i++) {
        if (strcmp(needed[i].verb, "create") == 0 ? !creates : again && !needed[i].of[0])
            continue;
        if (!needed[i].of[0])
            answered = ask(c, i, namespace_, NULL, missing);
        for (size_t n = 0; answered && n < 2 && needed[i].of[n]; n++)
            answered = ask(c, i, namespace_, db_text(rows, row, needed[i].of[n]), missing);
    }
    return answered;
}

static json_t *missing_permissions(struct server_context *context, struct kube_cluster *c,
                                   const struct cluster_row *cluster) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_t *missing = json_array();

    if (db_cluster_targets(context->pool, cluster->name, TARGETS_MAX, &rows) != STATUS_OK)
        return missing;
    for (size_t n = 0; n < db_rows_count(rows); n++)
        if (!ask_all(c, rows, n, missing))
            break;
    return missing;
}

static json_t *status_asked(struct server_context *context, const struct cluster_row *cluster) {
    _cleanup_(kube_cluster_unref) struct kube_cluster *c = NULL;
    _cleanup_(kube_result_done) struct kube_result result = {0};
    json_auto_t *spec = json_parse(cluster->spec);
    char line[256] = "";
    json_t *status = json_object();
    bool reachable = false;

    if (kube_clusters_get(context->clusters, cluster->name, spec, cluster->revision, &c, line,
                          sizeof line) == STATUS_OK) {
        kube_probe(c, &result);
        reachable = result.outcome == KUBE_DONE;
    }
    json_object_set_new(status, "reachable", json_boolean(reachable));
    json_set_str(status, "version", json_str(result.object, "version", NULL));
    json_set_str(status, "uid", json_str(result.object, "uid", cluster->uid));
    json_object_set_new(status, "missing_permissions",
                        reachable ? missing_permissions(context, c, cluster) : json_array());
    json_set_time(status, "checked_at", clock_now_us());
    if (!reachable)
        json_set_str(status, "error", c ? result.message : line);
    return status;
}

json_t *cluster_status(struct server_context *context, const struct cluster_row *cluster,
                       bool ask) {
    json_t *status = status_kept(cluster, !ask);

    if (status || !ask)
        return status;
    status = status_asked(context, cluster);
    status_keep(cluster, status);
    return status;
}

Status cluster_of(const struct request *q, const char *name, const char *spec, int64_t revision,
                  struct kube_cluster **ret, struct reply *r) {
    json_auto_t *parsed = json_parse(spec);
    char line[256] = "";
    Status s =
        kube_clusters_get(context_of(q)->clusters, name, parsed, revision, ret, line, sizeof line);

    if (s <= STATUS_OK)
        return s;
    r->retry_after_s = STATUS_AGE_S;
    return reply_refuse(r, E_CLUSTER_UNAVAILABLE, "Cluster %s cannot be used: %s", name, line);
}

Status cluster_uid(const struct request *q, const struct cluster_row *cluster, const char **ret,
                   struct reply *r) {
    _cleanup_(kube_cluster_unref) struct kube_cluster *c = NULL;
    _cleanup_(kube_result_done) struct kube_result result = {0};
    Status s;

    *ret = arena_strdup(q->arena, cluster->uid);
    if (*ret)
        return STATUS_OK;
    s = cluster_of(q, cluster->name, cluster->spec, cluster->revision, &c, r);
    if (s != STATUS_OK)
        return s;
    kube_probe(c, &result);
    *ret = arena_strdup(q->arena, json_str(result.object, "uid", NULL));
    if (!*ret) {
        r->retry_after_s = STATUS_AGE_S;
        return reply_refuse(r, E_CLUSTER_UNAVAILABLE, "Cluster %s does not say which it is: %s",
                            cluster->name,
                            result.outcome == KUBE_DONE
                                ? "its account needs get on namespace kube-system, whose uid says "
                                  "which cluster it is."
                                : result.message);
    }
    return db_cluster_identify(context_of(q)->pool, cluster->name, cluster->revision, *ret);
}
