#include "worker/prober.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/trace.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    ANSWER_MAX = 256 * 1024,
    DEFAULT_TIMEOUT_S = 5,
    ENDPOINTS_GRACE_MS = 3000,
    ENDPOINTS_RETRY_MS = 20,
};

struct probe {
    struct prober *owner;
    const json_t *check;   /* borrowed from owner->spec */
    const char **headers;  /* owned strings, ended by NULL */
    uint64_t call;         /* under way: id of the loop; 0: none */
    bool running, unasked; /* unasked: the last time the cluster could not be reached */
    int64_t due_us;
    int passed, failed, runs;
    char last[SEEN_TEXT];
};

struct prober {
    struct prober_settings in;
    json_t *spec;                                          /* keeps the checks alive */
    char *environment_id, *namespace_, *service, *address; /* address: of direct calls, or NULL */
    int port;
    struct net_policy policy; /* of checks that name a url */
    struct trace trace;       /* of the deployment */
    CheckSet set;
    int64_t since_us;
    pthread_mutex_t lock;
    bool ended;
    int refs; /* one of the owner, one per call under way */
    size_t count;
    struct probe probes[SEEN_CHECKS];
};

/* ---- judging an answer ---- */

static bool json_as_wanted(const json_t *wanted, const char *body, char *why, size_t n) {
    json_auto_t *got = body ? json_loads(body, JSON_DECODE_ANY, NULL) : NULL;
    const char *pointer;
    json_t *value;

    if (!got) {
        snprintf(why, n, "the answer is not JSON");
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)wanted, pointer, value) {
        json_t *found = json_pointer(got, pointer);

        if (!found || !json_equal(found, value)) {
            _cleanup_free_ char *text = found ? json_text(found) : xstrdup("absent");

            snprintf(why, n, "%s is %.120s", pointer, text);
            return false;
        }
    }
    return true;
}

bool check_judge(const json_t *check, const struct net_response *r, char *why, size_t n) {
    int64_t status = json_int(check, "status", 200), max_ms = json_int(check, "max_ms", 0);
    const json_t *wanted = json_object_get(check, "json");
    const char *contains = json_str(check, "body_contains", NULL);

    if (r->outcome != NET_ANSWERED) {
        snprintf(why, n, "no answer: %.160s", r->error);
        return false;
    }
    if (r->status != status) {
        snprintf(why, n, "status %u instead of %lld", r->status, (long long)status);
        return false;
    }
    if (max_ms && r->took_us > max_ms * US_PER_MS) {
        snprintf(why, n, "took %lld ms, at most %lld allowed", (long long)(r->took_us / US_PER_MS),
                 (long long)max_ms);
        return false;
    }
    if (contains && (!r->body || !strstr(r->body, contains))) {
        snprintf(why, n, "the body does not contain \"%.100s\"", contains);
        return false;
    }
    if (json_object_size(wanted) > 0 && !json_as_wanted(wanted, r->body, why, n))
        return false;
    snprintf(why, n, "status %u in %lld ms", r->status, (long long)(r->took_us / US_PER_MS));
    return true;
}

/* ---- life ---- */

static void prober_unref_locked(struct prober *p) {
    int left = --p->refs;

    pthread_mutex_unlock(&p->lock);
    if (left > 0)
        return;
    for (size_t i = 0; i < p->count; i++) {
        for (size_t k = 0; p->probes[i].headers && p->probes[i].headers[k]; k++)
            free((void *)(uintptr_t)p->probes[i].headers[k]);
        free(p->probes[i].headers);
    }
    pthread_mutex_destroy(&p->lock);
    json_decref(p->spec);
    kube_cluster_unref(p->in.cluster);
    free(p->environment_id);
    free(p->namespace_);
    free(p->service);
    free(p->address);
    free(p);
}

static void find_service(struct prober *p) {
    _cleanup_(kube_result_done) struct kube_result r = {0};
    const json_t *spec;

    kube_get(p->in.cluster, KUBE_SERVICE, p->namespace_, p->service, &r);
    spec = json_object_get(r.object, "spec");
    p->port = (int)json_int(json_array_get(json_object_get(spec, "ports"), 0), "port", 80);
    if (p->in.direct)
        p->address = xstrdup(json_str(spec, "clusterIP", ""));
}

/* A value that must not stand in the environment's body is read from a Secret when the checks
 * begin, and only kept here. */
static char *secret_value(struct prober *p, const json_t *from) {
    _cleanup_(kube_result_done) struct kube_result r = {0};
    const char *encoded;
    size_t n;

    kube_get(p->in.cluster, KUBE_SECRET, p->namespace_, json_str(from, "secret", ""), &r);
    encoded = json_str(json_object_get(r.object, "data"), json_str(from, "key", ""), NULL);
    return encoded ? (char *)base64_decode(encoded, &n) : NULL;
}

static const char **build_headers(struct prober *p, const json_t *headers) {
    const char **list = xcalloc(json_object_size(headers) + 1, sizeof *list), *name;
    json_t *value;
    size_t n = 0;

    json_object_foreach((json_t *)(uintptr_t)headers, name, value) {
        const json_t *from = json_object_get(value, "value_from");
        _cleanup_free_ char *secret = from ? secret_value(p, from) : NULL;
        const char *text = from ? secret : json_string_value(value);

        if (text && !strpbrk(text, "\r\n"))
            list[n++] = xasprintf("%s: %s", name, text);
    }
    return list;
}

static const char *service_of(const struct plan *plan, CheckSet set) {
    if (set == CHECKS_PRODUCTION)
        return plan->service;
    return plan->colors[set == CHECKS_LEFT ? color_other(plan->target) : plan->target].service;
}

struct prober *prober_new(const struct prober_settings *in, const struct plan *plan, CheckSet set) {
    struct prober *p = xcalloc(1, sizeof *p);
    const json_t *checks = plan_checks(plan, set);
    size_t count = json_array_size(checks);

    p->in = *in;
    p->in.cluster = kube_cluster_ref(in->cluster);
    p->spec = json_incref((json_t *)(uintptr_t)plan->spec);
    p->environment_id = xstrdup(in->environment_id);
    p->namespace_ = xstrdup(plan->namespace_);
    p->service = xstrdup(service_of(plan, set));
    p->trace = *trace_current();
    p->policy = (struct net_policy){.allow = in->outbound_allow};
    p->set = set;
    p->since_us = clock_monotonic_us();
    p->refs = 1;
    p->count = count < SEEN_CHECKS ? count : SEEN_CHECKS;
    pthread_mutex_init(&p->lock, NULL);
    find_service(p);
    for (size_t i = 0; i < p->count; i++) {
        p->probes[i].owner = p;
        p->probes[i].check = json_array_get(checks, i);
        p->probes[i].headers = build_headers(p, json_object_get(p->probes[i].check, "headers"));
    }
    return p;
}

CheckSet prober_set(const struct prober *p) {
    return p ? p->set : CHECKS_NONE;
}

void prober_free(struct prober *p) {
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->ended = true;
    for (size_t i = 0; i < p->count; i++)
        if (p->probes[i].running && p->probes[i].call)
            net_loop_cancel(kube_clusters_loop(p->in.clusters), p->probes[i].call);
    prober_unref_locked(p);
}

/* ---- calls ---- */

/* Pods are ready before every proxy knows of them as endpoints: until a check's first answer, for a
 * short while, "nobody there" says nothing about the new version.  Later it counts as a failure. */
static bool too_early(const struct probe *probe, const struct net_response *r) {
    if (probe->runs > 0 || !json_object_get(probe->check, "path") ||
        clock_monotonic_us() > probe->owner->since_us + ENDPOINTS_GRACE_MS * US_PER_MS)
        return false;
    return r->outcome == NET_NOT_SENT || (r->outcome == NET_ANSWERED && r->status == 503 &&
                                          r->body && strstr(r->body, "no endpoints available"));
}

/* The API server could not be reached: that says nothing about the version, the step's deadline
 * decides. */
static bool unasked(const struct probe *probe, const struct net_response *r) {
    return r->outcome == NET_NOT_SENT && json_object_get(probe->check, "path") &&
           !probe->owner->address;
}

static void note(struct probe *probe, const char *why) {
    probe->due_us = clock_monotonic_us() + json_int(probe->check, "interval_s", 1) * US_PER_S;
    snprintf(probe->last, sizeof probe->last, "%s", why);
}

static void count(struct probe *probe, bool passed, const char *why) {
    probe->runs++;
    probe->passed = passed ? probe->passed + 1 : 0;
    probe->failed = passed ? 0 : probe->failed + 1;
    note(probe, why);
}

static void probe_done(void *ctx, struct net_response *r) {
    struct probe *probe = ctx;
    struct prober *p = probe->owner;
    char why[SEEN_TEXT];
    bool passed = check_judge(probe->check, r, why, sizeof why);

    pthread_mutex_lock(&p->lock);
    probe->running = false;
    probe->call = 0;
    if (!p->ended) {
        if (too_early(probe, r))
            probe->due_us = clock_monotonic_us() + ENDPOINTS_RETRY_MS * US_PER_MS;
        else if ((probe->unasked = unasked(probe, r)))
            note(probe, why);
        else
            count(probe, passed, why);
        p->in.wake(p->in.wake_ctx, p->environment_id);
    }
    prober_unref_locked(p);
}

static uint64_t start_call(struct prober *p, struct probe *probe) {
    const char *path = json_str(probe->check, "path", NULL);
    struct net_request request = {
        .method = json_str(probe->check, "method", "GET"),
        .headers = probe->headers,
        .timeout_ms = (int)json_int(probe->check, "timeout_s", DEFAULT_TIMEOUT_S) * 1000,
        .max_bytes = ANSWER_MAX,
    };
    char url[512];

    if (!path) {
        request.url = json_str(probe->check, "url", "");
        request.policy = &p->policy;
    } else if (p->address) {
        snprintf(url, sizeof url, "http://%s:%d%.400s", p->address, p->port, path);
        request.url = url;
    } else {
        const struct trace before = *trace_current();
        uint64_t id;

        request.url = path;
        trace_enter(&p->trace); /* also on the loop's thread */
        id = kube_service_call(p->in.cluster, p->namespace_, p->service, p->port, &request,
                               probe_done, probe);
        trace_enter(&before);
        return id;
    }
    return net_loop_start(kube_clusters_loop(p->in.clusters), &request, NULL, probe_done, probe);
}

/* A check that has all it needs is not called again; the step ends or waits for the others. */
static bool wants_run(const struct probe *probe, int64_t now) {
    return !probe->running && probe->due_us <= now &&
           probe->passed < json_int(probe->check, "consecutive", 1) &&
           probe->failed < json_int(probe->check, "failures", 3);
}

int64_t prober_run(struct prober *p, struct seen *seen) {
    int64_t now = clock_monotonic_us(), next = 0;

    pthread_mutex_lock(&p->lock);
    seen->check_count = (int)p->count;
    for (size_t i = 0; i < p->count; i++) {
        struct probe *probe = &p->probes[i];
        struct seen_check *c = &seen->checks[i];

        if (wants_run(probe, now)) {
            probe->running = true;
            p->refs++;
            probe->call = start_call(p, probe);
        }
        if (!probe->running && (next == 0 || probe->due_us < next) && probe->due_us > now)
            next = probe->due_us;
        *c = (struct seen_check){.name = json_str(probe->check, "name", ""),
                                 .passed = probe->passed,
                                 .needed = (int)json_int(probe->check, "consecutive", 1),
                                 .failed = probe->failed,
                                 .allowed = (int)json_int(probe->check, "failures", 3),
                                 .unasked = probe->unasked};
        snprintf(c->last, sizeof c->last, "%s", probe->last);
    }
    pthread_mutex_unlock(&p->lock);
    return next;
}
