#include "handlers/environment_status.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "worker/drift.h"
#include "worker/observe.h"
#include <string.h>

/* The cluster of an environment; NULL with a line when it cannot be had. */
static struct kube_cluster *cluster_for(struct server_context *context,
                                        const struct environment_row *row, char line[256]) {
    json_auto_t *spec = json_parse(row->cluster_spec);
    struct kube_cluster *c = NULL;

    if (kube_clusters_get(context->clusters, row->cluster, spec, row->cluster_revision, &c, line,
                          256) != STATUS_OK)
        return NULL;
    return c;
}

/* Whether the cache holds every kind, or says why it does not. */
static bool cache_speaks(struct kube_cluster *c, const char *namespace_) {
    static const KubeKind kinds[] = {KUBE_SERVICE, KUBE_DEPLOYMENT, KUBE_REPLICA_SET, KUBE_POD,
                                     KUBE_ENDPOINT_SLICE};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char why[256] = "";

        if (kube_cached_at(c, kinds[i], namespace_))
            continue;
        kube_cached_error(c, kinds[i], namespace_, why, sizeof why);
        return strcmp(why, KUBE_NOT_LISTED) != 0;
    }
    return true;
}

/* The cluster does not tell since when its selector is what it is, nor what somebody else changed
 * since the last deployment; our journal does.  While one is active it sees to changes itself. */
static void add_history(const struct request *q, const struct environment_row *row,
                        struct kube_cluster *c, const json_t *spec, bool fresh, json_t *status) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_t *active = json_object_get(status, "active");
    const char *key = json_str(json_object_get(spec, "blue_green"), "selector_key", "");

    if (db_environment_left_behind(request_pool(q), row->id, key, json_str(active, "color", ""),
                                   &rows) != STATUS_OK)
        return;
    if (json_is_object(active))
        json_set_time(active, "since", db_time(rows, 0, "since"));
    if (!fresh && !row->active_id)
        json_object_set_new(status, "drift", drift_find(c, spec, rows));
}

json_t *environment_status(const struct request *q, const struct environment_row *row, bool ask) {
    _cleanup_(kube_cluster_unref) struct kube_cluster *c = NULL;
    json_auto_t *spec = json_parse(row->spec);
    _cleanup_(seen_done) struct seen seen = {0};
    int64_t now_us = clock_now_us();
    json_t *status;

    c = cluster_for(context_of(q), row, seen.error);
    if (c) {
        kube_watch(c, row->namespace_);
        if (ask && !cache_speaks(c, row->namespace_))
            observe_now(c, spec, &seen);
        else
            observe_cached(c, spec, &seen);
    }
    status = observe_status(&seen, now_us);
    if (seen.reachable)
        add_history(q, row, c, spec, seen.fresh, status);
    json_set_str(status, "deployment", row->active_id);
    if (row->thawed_until_us)
        json_set_time(status, "thawed_until", row->thawed_until_us);
    return status;
}

void environment_observe(struct server_context *context, const struct environment_row *row,
                         struct seen *ret) {
    _cleanup_(kube_cluster_unref) struct kube_cluster *c = cluster_for(context, row, ret->error);
    json_auto_t *spec = json_parse(row->spec);

    if (c)
        observe_now(c, spec, ret);
}

void environment_watch(struct server_context *context, const struct environment_row *row) {
    char line[256];
    _cleanup_(kube_cluster_unref) struct kube_cluster *c = cluster_for(context, row, line);

    if (c)
        kube_watch(c, row->namespace_);
}
