/* worker/observe.c: where objects come from: the API server, or the watch cache. */
#include "worker/observe.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "worker/objects.h"
#include <stdio.h>
#include <string.h>

/* A watch that was not confirmed for that long is no evidence any more: facts/reliability.md, the
 * poll floor. */
enum { CACHE_STALE_S = 40 };

static void objects_done_cleanup(struct objects *o) {
    objects_done(o);
}

enum { READ_TRIES = 3 };

/* A read that the API server failed to answer is repeated at once: it changes nothing. */
static bool read_again(const struct kube_result *r, int tried) {
    return tried == 0 || (tried < READ_TRIES && r->outcome == KUBE_UNKNOWN && r->code >= 500);
}

/* One read; 404 is an answer.  false with seen->error when there was none. */
static bool read_one(struct kube_cluster *c, KubeKind kind, const char *namespace_,
                     const char *name, json_t **ret, struct seen *seen) {
    _cleanup_(kube_result_done) struct kube_result r = {0};

    for (int i = 0; read_again(&r, i); i++) {
        kube_result_done(&r);
        kube_get(c, kind, namespace_, name, &r);
    }
    if (r.outcome == KUBE_DONE)
        *ret = TAKE_PTR(r.object);
    else if (r.outcome != KUBE_NOT_FOUND)
        snprintf(seen->error, sizeof seen->error, "%s %s: %.180s", kube_kind_name(kind), name,
                 r.message);
    return r.outcome == KUBE_DONE || r.outcome == KUBE_NOT_FOUND;
}

static bool read_list(struct kube_cluster *c, KubeKind kind, const char *namespace_, json_t **ret,
                      struct seen *seen) {
    _cleanup_(kube_result_done) struct kube_result r = {0};

    for (int i = 0; read_again(&r, i); i++) {
        kube_result_done(&r);
        kube_list(c, kind, namespace_, NULL, &r);
    }
    if (r.outcome == KUBE_DONE)
        *ret = json_incref(json_object_get(r.object, "items"));
    else
        snprintf(seen->error, sizeof seen->error, "%s: %.200s", kube_kind_name(kind), r.message);
    return r.outcome == KUBE_DONE;
}

static const char *workload_name(const json_t *spec, Color c) {
    return json_str(json_at(spec, "blue_green", "colors", color_names[c], NULL), "deployment", "");
}

void observe_now(struct kube_cluster *c, const json_t *spec, struct seen *ret) {
    _cleanup_(objects_done) struct objects o = {0};
    const char *ns = json_str(spec, "namespace", "");
    const char *service = json_str(json_object_get(spec, "blue_green"), "service", "");

    *ret = (struct seen){.now_us = clock_now_us(), .fresh = true};
    if (!read_one(c, KUBE_SERVICE, ns, service, &o.service, ret) ||
        !read_one(c, KUBE_DEPLOYMENT, ns, workload_name(spec, COLOR_BLUE), &o.workload[COLOR_BLUE],
                  ret) ||
        !read_one(c, KUBE_DEPLOYMENT, ns, workload_name(spec, COLOR_GREEN),
                  &o.workload[COLOR_GREEN], ret) ||
        !read_list(c, KUBE_REPLICA_SET, ns, &o.replica_sets, ret) ||
        !read_list(c, KUBE_POD, ns, &o.pods, ret) ||
        !read_list(c, KUBE_ENDPOINT_SLICE, ns, &o.slices, ret))
        return;
    objects_read(&o, spec, ret);
    ret->reachable = true;
}

void observe_cached(struct kube_cluster *c, const json_t *spec, struct seen *ret) {
    static const KubeKind kinds[] = {KUBE_SERVICE, KUBE_DEPLOYMENT, KUBE_REPLICA_SET, KUBE_POD,
                                     KUBE_ENDPOINT_SLICE};
    _cleanup_(objects_done) struct objects o = {0};
    const char *ns = json_str(spec, "namespace", "");
    const char *service = json_str(json_object_get(spec, "blue_green"), "service", "");

    *ret = (struct seen){.now_us = clock_now_us()};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int64_t at = kube_cached_at(c, kinds[i], ns);

        if (at == 0 || clock_monotonic_us() - at > CACHE_STALE_S * US_PER_S) {
            kube_cached_error(c, kinds[i], ns, ret->error, sizeof ret->error);
            if (!*ret->error)
                snprintf(ret->error, sizeof ret->error, "%s: not listed yet",
                         kube_kind_name(kinds[i]));
            return;
        }
    }
    o.service = kube_cached(c, KUBE_SERVICE, ns, service);
    for (Color color = COLOR_BLUE; color < COLORS; color++)
        o.workload[color] = kube_cached(c, KUBE_DEPLOYMENT, ns, workload_name(spec, color));
    o.replica_sets = kube_cached_list(c, KUBE_REPLICA_SET, ns, NULL);
    o.pods = kube_cached_list(c, KUBE_POD, ns, NULL);
    o.slices = kube_cached_list(c, KUBE_ENDPOINT_SLICE, ns, NULL);
    objects_read(&o, spec, ret);
    ret->reachable = true;
}

/* Whether what is in the cache was observed after every write of ours to this object, and to all of
 * them for its pods. */
static bool cache_follows(const struct journal *j, const struct seen *s, const json_t *spec) {
    const char *service = json_str(json_object_get(spec, "blue_green"), "service", "");

    for (size_t i = 0; i < j->count; i++) {
        const struct intent *n = &j->intents[i];

        if (!*n->resource_version)
            continue;
        if (strcmp(n->kind, "Service") == 0 && strcmp(n->name, service) == 0 &&
            (!s->service.exists ||
             resource_version_newer(n->resource_version, s->service.resource_version)))
            return false;
        for (Color c = COLOR_BLUE; c < COLORS; c++)
            if (strcmp(n->kind, "Deployment") == 0 &&
                strcmp(n->name, workload_name(spec, c)) == 0 &&
                (!s->workload[c].exists ||
                 resource_version_newer(n->resource_version, s->workload[c].resource_version)))
                return false;
    }
    return true;
}

/* Whether every ready pod of the target was seen after the target was seized. */
static bool pods_follow(const struct journal *j, const struct seen *s, const json_t *spec) {
    const struct intent *seizure = journal_find(j, "deploy", "seize-target");

    if (!seizure)
        seizure = journal_find(j, "rollback", "seize-target");
    for (Color c = COLOR_BLUE; seizure && c < COLORS; c++)
        if (strcmp(seizure->name, workload_name(spec, c)) == 0 && s->workload[c].pods_ready > 0 &&
            resource_version_newer(seizure->resource_version, s->workload[c].oldest_ready))
            return false;
    return true;
}

void observe_after_writes(struct kube_cluster *c, const json_t *spec, const struct journal *j,
                          struct seen *ret) {
    observe_cached(c, spec, ret);
    if (ret->reachable && cache_follows(j, ret, spec))
        return;
    seen_done(ret);
    observe_now(c, spec, ret);
}

void observe_fresh(struct kube_cluster *c, const json_t *spec, const struct journal *j,
                   struct seen *ret) {
    if (j->count > 0) {
        observe_cached(c, spec, ret);
        if (ret->reachable && cache_follows(j, ret, spec) && pods_follow(j, ret, spec))
            return;
        seen_done(ret);
    }
    observe_now(c, spec, ret);
}

static json_t *status_of(const struct seen_workload *w, Color color) {
    const char *digest = strchr(w->image, '@');

    if (!w->exists || (w->replicas == 0 && w->pods == 0))
        return json_null();
    return json_pack("{s:s, s:s, s:s, s:s?, s:i, s:n}", "color", color_names[color], "version",
                     w->version, "image", w->image, "digest", digest ? digest + 1 : NULL, "ready",
                     w->pods_ready, "since");
}

json_t *observe_status(const json_t *spec, const struct seen *seen) {
    json_t *status = json_pack("{s:n, s:n, s:[]}", "active", "previous", "drift");
    const struct seen_service *s = &seen->service;

    (void)spec;
    if (seen->reachable && s->exists && s->color_known) {
        json_object_set_new(status, "active", status_of(&seen->workload[s->color], s->color));
        json_object_set_new(
            status, "previous",
            status_of(&seen->workload[color_other(s->color)], color_other(s->color)));
    }
    json_set_time(status, "observed_at", seen->now_us);
    if (!seen->reachable)
        json_set_str(status, "error", seen->error);
    else if (!s->exists)
        json_set_str(status, "error", "The production Service does not exist");
    else if (!s->color_known)
        json_set_str(status, "error", "The Service's selector names neither blue nor green");
    return status;
}
