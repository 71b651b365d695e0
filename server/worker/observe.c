/* worker/observe.c: where objects come from: the API server, or the watch cache. */
#include "worker/observe.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "rollout/left.h"
#include "worker/job.h"
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

/* Takes up what a read by name found; 404 is an answer.  false with seen->error when there was
 * none.
 */
static bool take_read(struct kube_cluster *c, const struct kube_ref *ref, struct kube_result *r,
                      json_t **ret, struct seen *seen) {
    for (int i = 1; read_again(r, i); i++) {
        kube_result_done(r);
        kube_get(c, ref->kind, ref->namespace_, ref->name, r);
    }
    if (r->outcome == KUBE_DONE)
        *ret = TAKE_PTR(r->object);
    else if (r->outcome != KUBE_NOT_FOUND)
        snprintf(seen->error, sizeof seen->error, "%s %s: %.180s", kube_kind_name(ref->kind),
                 ref->name, r->message);
    return r->outcome == KUBE_DONE || r->outcome == KUBE_NOT_FOUND;
}

static bool read_list(struct kube_cluster *c, KubeKind kind, const char *namespace_,
                      const char *selector, json_t **ret, struct seen *seen) {
    _cleanup_(kube_result_done) struct kube_result r = {0};

    for (int i = 0; read_again(&r, i); i++) {
        kube_result_done(&r);
        kube_list(c, kind, namespace_, selector, &r);
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

/* Autoscalers are optional: who may not list them has none as far as we know. */
static bool read_autoscalers(struct kube_cluster *c, const char *namespace_, json_t **ret,
                             struct seen *seen) {
    _cleanup_(kube_result_done) struct kube_result r = {0};

    for (int i = 0; read_again(&r, i); i++) {
        kube_result_done(&r);
        kube_list(c, KUBE_HORIZONTAL_POD_AUTOSCALER, namespace_, NULL, &r);
    }
    if (r.outcome == KUBE_DONE)
        *ret = json_incref(json_object_get(r.object, "items"));
    else if (r.outcome == KUBE_REFUSED || r.outcome == KUBE_NOT_FOUND)
        *ret = json_array();
    else
        snprintf(seen->error, sizeof seen->error, "HorizontalPodAutoscaler: %.200s", r.message);
    return *ret != NULL;
}

/* Both workloads and the Service, at once.  service: as it was read a moment ago, borrowed; NULL:
 * reads it. */
static bool read_named(struct kube_cluster *c, const json_t *spec, json_t *service,
                       struct objects *o, struct seen *ret) {
    const char *ns = json_str(spec, "namespace", "");
    const struct kube_ref refs[] = {
        {KUBE_DEPLOYMENT, ns, workload_name(spec, COLOR_BLUE)},
        {KUBE_DEPLOYMENT, ns, workload_name(spec, COLOR_GREEN)},
        {KUBE_SERVICE, ns, json_str(json_object_get(spec, "blue_green"), "service", "")}};
    json_t **const to[] = {&o->workload[COLOR_BLUE], &o->workload[COLOR_GREEN], &o->service};
    size_t n = service ? 2 : 3;
    struct kube_result r[3];
    bool all = true;

    kube_get_each(c, refs, n, r);
    for (size_t i = 0; i < n; i++) {
        json_decref(*to[i]);
        *to[i] = NULL;
        all = all && take_read(c, &refs[i], &r[i], to[i], ret);
        kube_result_done(&r[i]);
    }
    if (service) {
        json_decref(o->service);
        o->service = json_incref(service);
    }
    return all;
}

enum { SELECTOR_MAX = 4096 };

/* "a=b,c=d"; yours; "", which selects everything, for more than is worth asking for. */
static char *equalities(const json_t *labels) {
    struct strbuf text = STRBUF(SELECTOR_MAX);
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)labels, key, value)
        strbuf_addf(&text, "%s%s=%s", text.len ? "," : "", key,
                    json_string_value(value) ? json_string_value(value) : "");
    if (text.overflowed)
        strbuf_clear(&text);
    return strbuf_take(&text);
}

/* The ReplicaSets and pods of one workload.  It only controls what has the labels of its selector;
 * an expression, if it has any, would ask for fewer. */
static bool read_controlled(struct kube_cluster *c, const char *namespace_, const json_t *workload,
                            struct objects *o, struct seen *ret) {
    _cleanup_free_ char *selector =
        equalities(json_at(workload, "spec", "selector", "matchLabels", NULL));
    json_auto_t *sets = NULL, *pods = NULL;
    json_t *set, *pod;
    size_t i, k;

    if (!read_list(c, KUBE_REPLICA_SET, namespace_, selector, &sets, ret) ||
        !read_list(c, KUBE_POD, namespace_, selector, &pods, ret))
        return false;
    json_array_foreach(sets, i, set) {
        if (!kube_controls(workload, set))
            continue;
        json_array_append(o->replica_sets, set);
        json_array_foreach(pods, k, pod) {
            if (kube_controls(set, pod))
                json_array_append(o->pods, pod);
        }
    }
    return true;
}

/* service: as in read_named. */
static bool fetch(struct kube_cluster *c, const json_t *spec, json_t *service_now,
                  struct objects *o, struct seen *ret) {
    const char *ns = json_str(spec, "namespace", "");
    const char *service = json_str(json_object_get(spec, "blue_green"), "service", "");
    _cleanup_free_ char *of_service = xasprintf("kubernetes.io/service-name=%s", service);

    *ret = (struct seen){.now_us = clock_monotonic_us(), .fresh = true};
    if (!read_named(c, spec, service_now, o, ret))
        return false;
    o->replica_sets = json_array();
    o->pods = json_array();
    for (Color color = COLOR_BLUE; color < COLORS; color++)
        if (o->workload[color] && !read_controlled(c, ns, o->workload[color], o, ret))
            return false;
    if (!read_list(c, KUBE_ENDPOINT_SLICE, ns, of_service, &o->slices, ret) ||
        !read_autoscalers(c, ns, &o->autoscalers, ret))
        return false;
    objects_read(o, spec, ret);
    ret->reachable = true;
    return true;
}

void observe_now(struct kube_cluster *c, const json_t *spec, struct seen *ret) {
    _cleanup_(objects_done) struct objects o = {0};

    fetch(c, spec, NULL, &o, ret);
}

/* false, with why, while a watch is not live. */
static bool cache_is_live(struct kube_cluster *c, const char *namespace_, struct seen *ret) {
    static const KubeKind kinds[] = {KUBE_SERVICE, KUBE_DEPLOYMENT, KUBE_REPLICA_SET, KUBE_POD,
                                     KUBE_ENDPOINT_SLICE};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int64_t at = kube_cached_at(c, kinds[i], namespace_);

        if (at == 0 || clock_monotonic_us() - at > CACHE_STALE_S * US_PER_S) {
            kube_cached_error(c, kinds[i], namespace_, ret->error, sizeof ret->error);
            if (!*ret->error)
                snprintf(ret->error, sizeof ret->error, "%s: not listed yet",
                         kube_kind_name(kinds[i]));
            return false;
        }
    }
    return true;
}

/* Of one workload; NULL: not known. */
static json_t *cached_autoscalers(struct kube_cluster *c, const char *namespace_,
                                  const char *workload) {
    char why[SEEN_TEXT];

    if (kube_cached_at(c, KUBE_HORIZONTAL_POD_AUTOSCALER, namespace_))
        return kube_cached_list(c, KUBE_HORIZONTAL_POD_AUTOSCALER, namespace_, workload);
    kube_cached_error(c, KUBE_HORIZONTAL_POD_AUTOSCALER, namespace_, why, sizeof why);
    return strncmp(why, "HTTP 40", 7) == 0 ? json_array() : NULL; /* we may not, or it cannot */
}

static json_t *both_autoscalers(struct kube_cluster *c, const json_t *spec) {
    const char *ns = json_str(spec, "namespace", "");
    json_t *found = cached_autoscalers(c, ns, workload_name(spec, COLOR_BLUE));
    json_auto_t *green = cached_autoscalers(c, ns, workload_name(spec, COLOR_GREEN));

    if (found && green)
        json_array_extend(found, green);
    return found;
}

/* What the workloads control: of a namespace with thousands of pods only their own are looked at.
 */
static void cached_pods(struct kube_cluster *c, const char *namespace_, struct objects *o) {
    json_t *rs;
    size_t i;

    json_decref(o->replica_sets);
    json_decref(o->pods);
    o->replica_sets = json_array();
    o->pods = json_array();
    for (Color color = COLOR_BLUE; color < COLORS; color++) {
        json_auto_t *sets = o->workload[color] ? kube_cached_list(c, KUBE_REPLICA_SET, namespace_,
                                                                  kube_uid(o->workload[color]))
                                               : NULL;

        json_array_foreach(sets, i, rs) {
            json_auto_t *pods = kube_cached_list(c, KUBE_POD, namespace_, kube_uid(rs));

            json_array_extend(o->pods, pods);
        }
        json_array_extend(o->replica_sets, sets);
    }
}

static bool fetch_cached(struct kube_cluster *c, const json_t *spec, struct objects *o,
                         struct seen *ret) {
    const char *ns = json_str(spec, "namespace", "");
    const char *service = json_str(json_object_get(spec, "blue_green"), "service", "");

    *ret = (struct seen){.now_us = clock_monotonic_us()};
    if (!cache_is_live(c, ns, ret))
        return false;
    o->service = kube_cached(c, KUBE_SERVICE, ns, service);
    for (Color color = COLOR_BLUE; color < COLORS; color++)
        o->workload[color] = kube_cached(c, KUBE_DEPLOYMENT, ns, workload_name(spec, color));
    cached_pods(c, ns, o);
    o->slices = kube_cached_list(c, KUBE_ENDPOINT_SLICE, ns, service);
    o->autoscalers = both_autoscalers(c, spec);
    objects_read(o, spec, ret);
    ret->reachable = true;
    return true;
}

void observe_cached(struct kube_cluster *c, const json_t *spec, struct seen *ret) {
    _cleanup_(objects_done) struct objects o = {0};

    fetch_cached(c, spec, &o, ret);
}

/* Whether the cache shows Service and workloads at least as our last write left each. */
static bool cache_follows(const struct journal *j, const struct seen *s, const json_t *spec) {
    const char *service = json_str(json_object_get(spec, "blue_green"), "service", "");

    for (Color c = COLOR_BLUE; c < COLORS; c++)
        if (journal_is_ahead(j, "Deployment", workload_name(spec, c),
                             s->workload[c].resource_version))
            return false;
    return !journal_is_ahead(j, "Service", service, s->service.resource_version);
}

/* Whether every ready pod of the target was seen after the target was seized. */
static bool pods_follow(const struct journal *j, const struct seen *s, const json_t *spec) {
    const struct intent *seizure = journal_find(j, "deploy", "seize-target");

    if (!seizure)
        seizure = journal_find(j, "rollback", "seize-target");
    for (Color c = COLOR_BLUE; seizure && c < COLORS; c++)
        if (strcmp(seizure->name, workload_name(spec, c)) == 0 && s->workload[c].pods_ready > 0 &&
            kube_version_newer(seizure->resource_version, s->workload[c].oldest_ready))
            return false;
    return true;
}

/* Puts Service and workloads as they are now in place of those of the cache: a watch may still be
 * about to tell what somebody did to them.  service: as in read_named. */
static bool named_now(struct kube_cluster *c, const json_t *spec, json_t *service,
                      struct objects *o, struct seen *ret) {
    seen_done(ret);
    *ret = (struct seen){.now_us = clock_monotonic_us()};
    if (!read_named(c, spec, service, o, ret))
        return false;
    cached_pods(c, json_str(spec, "namespace", ""), o); /* a workload may be new to the cache */
    objects_read(o, spec, ret);
    ret->reachable = true;
    return true;
}

void observe_start(struct kube_cluster *c, const json_t *spec, struct seen *ret) {
    _cleanup_(objects_done) struct objects o = {0};

    if (fetch_cached(c, spec, &o, ret) && named_now(c, spec, NULL, &o, ret) &&
        ret->service.color_known && ret->workload[ret->service.color].pods_ready > 0)
        return;
    seen_done(ret);
    observe_now(c, spec, ret);
}

/* Whether the ReplicaSet of everything that runs was found: its hash goes on record. */
static bool hashes_known(const struct seen *s) {
    for (Color c = COLOR_BLUE; c < COLORS; c++)
        if (seen_template_unknown(&s->workload[c]))
            return false;
    return true;
}

enum { PODS_FOLLOW = 1, NAMED_NOW = 2, HASHES_KNOWN = 4 };

/* Reads from where the rule allows, and compares with what our writes left.  service: as in
 * read_named. */
static void observe_job(struct kube_cluster *c, const struct plan *p, const struct journal *j,
                        unsigned must, json_t *service, struct seen *ret) {
    _cleanup_(objects_done) struct objects o = {0};
    bool known = fetch_cached(c, p->spec, &o, ret);
    bool behind = known && !cache_follows(j, ret, p->spec);

    if (behind) /* the watch is about to tell of a write of ours */
        must |= NAMED_NOW;
    if (!known || !o.autoscalers || (behind && must & PODS_FOLLOW) ||
        (must & NAMED_NOW && !named_now(c, p->spec, service, &o, ret)) ||
        (must & PODS_FOLLOW && !pods_follow(j, ret, p->spec)) ||
        (must & HASHES_KNOWN && !hashes_known(ret))) {
        seen_done(ret);
        objects_done(&o);
        known = fetch(c, p->spec, service, &o, ret);
    }
    if (!known)
        return;
    left_compare(p, j, ret);
    objects_blame(&o, ret);
}

void observe_after_writes(struct kube_cluster *c, const struct plan *p, const struct journal *j,
                          struct seen *ret) {
    observe_job(c, p, j, 0, NULL, ret);
}

void observe_named(struct kube_cluster *c, const struct plan *p, const struct journal *j,
                   struct seen *ret) {
    observe_job(c, p, j, NAMED_NOW, NULL, ret);
}

void observe_fresh(struct kube_cluster *c, const struct plan *p, const struct journal *j,
                   struct seen *ret) {
    /* before the first write nothing tells how old the cache is */
    observe_job(c, p, j, j->count > 0 ? PODS_FOLLOW : NAMED_NOW | HASHES_KNOWN, NULL, ret);
}

void observe_cutover(struct kube_cluster *c, const struct plan *p, const struct journal *j,
                     json_t *service, struct seen *ret) {
    observe_job(c, p, j, PODS_FOLLOW | NAMED_NOW, service, ret);
}

bool observe_autoscaler(struct kube_cluster *c, const char *namespace_, const char *workload) {
    struct seen_autoscaler found = {0};
    struct seen nobody;
    json_auto_t *all = cached_autoscalers(c, namespace_, workload);

    if (!all && !read_autoscalers(c, namespace_, &all, &nobody))
        return true; /* not known: then its replicas are not ours to judge */
    objects_autoscaler(all, workload, &found);
    return found.exists;
}

static json_t *status_of(const struct seen_workload *w, Color color) {
    const char *digest = strchr(w->image, '@');

    if (!w->exists || (w->replicas == 0 && w->pods == 0))
        return json_null();
    return json_pack("{s:s, s:s, s:s, s:s?, s:i, s:n}", "color", color_names[color], "version",
                     w->version, "image", w->image, "digest", digest ? digest + 1 : NULL, "ready",
                     w->pods_ready, "since");
}

json_t *observe_status(const struct seen *seen, int64_t observed_us) {
    json_t *status = json_pack("{s:n, s:n, s:[]}", "active", "previous", "drift");
    const struct seen_service *s = &seen->service;

    if (seen->reachable && s->exists && s->color_known) {
        json_object_set_new(status, "active", status_of(&seen->workload[s->color], s->color));
        json_object_set_new(
            status, "previous",
            status_of(&seen->workload[color_other(s->color)], color_other(s->color)));
    }
    json_set_time(status, "observed_at", observed_us);
    if (!seen->reachable)
        json_set_str(status, "error", seen->error);
    else if (!s->exists)
        json_set_str(status, "error", "The production Service does not exist");
    else if (!s->color_known)
        json_set_str(status, "error", "The Service's selector names neither blue nor green");
    return status;
}
