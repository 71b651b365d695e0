#include "worker/start.h"
#include "base/cleanup.h"
#include "db/checklist.h"
#include "kube/yaml.h"
#include "rollout/plan.h"
#include "rollout/step.h"
#include "worker/observe.h"
#include <string.h>

static Status observe(const struct start_plan *in, const json_t *spec, struct seen *ret,
                      const char **reterr) {
    _cleanup_(kube_cluster_unref) struct kube_cluster *cluster = NULL;
    const struct deployment_basis *b = in->basis;
    json_auto_t *cluster_spec = json_parse(b->cluster_spec);
    char line[256] = "";
    Status s = kube_clusters_get(in->clusters, b->cluster, cluster_spec, b->cluster_revision,
                                 &cluster, line, sizeof line);

    if (s < STATUS_OK)
        return s;
    if (s != STATUS_OK) {
        *reterr = arena_printf(in->arena, "Cluster %s cannot be used: %s", b->cluster, line);
        return E_CLUSTER_UNAVAILABLE;
    }
    kube_watch(cluster, json_str(spec, "namespace", ""));
    observe_start(cluster, spec, ret);
    if (ret->reachable)
        return STATUS_OK;
    *reterr = arena_printf(in->arena, "Cluster %s does not answer: %s", b->cluster, ret->error);
    return E_CLUSTER_UNAVAILABLE;
}

static Status parse_manifests(const struct start_plan *in, json_t **ret, const char **reterr) {
    const char *text = in->basis->manifests;
    char line[256] = "";

    if (!text)
        return STATUS_OK;
    *ret = kube_yaml_documents(text, strlen(text), line, sizeof line);
    if (*ret)
        return STATUS_OK;
    *reterr = arena_printf(in->arena, "The manifests cannot be read: %s", line);
    return E_INVALID_BODY;
}

Status start_plan(const struct start_plan *in, json_t **ret, const char **reterr) {
    json_auto_t *documents = NULL, *flags = NULL, *spec = json_parse(in->basis->spec);
    _cleanup_(seen_done) struct seen seen = {0};
    struct plan_request request = {.spec = spec,
                                   .version = in->basis->version,
                                   .image = in->basis->image,
                                   .digest = in->basis->digest,
                                   .params = in->params,
                                   .seen = &seen};
    Status s = parse_manifests(in, &documents, reterr);

    if (s == STATUS_OK)
        s = observe(in, spec, &seen, reterr);
    if (s != STATUS_OK)
        return s;
    request.documents = documents;
    request.flags = flags = json_parse(in->basis->flags);
    return plan_make(&request, in->arena, ret, reterr);
}

json_t *start_steps(const struct deployment_basis *basis, const json_t *plan) {
    return deployment_steps_json("blue-green", basis->gated, plan);
}

Status start_gates(struct db_tx *tx, const struct deployment_basis *basis,
                   const struct gate_ask *ask, struct gate_verdict *ret) {
    const struct checklist_of of = {
        .kind = "before", .environment_id = basis->environment_id, .release_id = basis->release_id};
    Status s = basis->gated ? db_checklist_use(tx, &of, NULL) : STATUS_OK;

    return s == STATUS_OK ? gates_look_in(tx, ask, GATE_START, ret) : s;
}
