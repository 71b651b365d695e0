/* kube/calls.c: the calls that wait. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "kube/cluster.h"
#include "kube/kind.h"
#include <stdio.h>
#include <string.h>

enum {
    READ_MS = 3000,
    WRITE_MS = 10000,
    OBJECT_BYTES = 8 << 20, /* etcd holds 1.5 MiB; managedFields come on top */
    LIST_BYTES = 256 << 20,
};

struct call {
    const char *method;
    char *path;               /* owned */
    const char *content_type; /* a header line or NULL */
    const json_t *body;       /* or NULL */
    size_t max_bytes;
};

/* There is nothing to authenticate with: nothing was sent. */
static void call_unsent(struct kube_result *ret, const char *why) {
    *ret = (struct kube_result){.outcome = KUBE_UNREACHED, .retry_after_s = -1};
    snprintf(ret->message, sizeof(ret->message), "%s", why);
}

/* Milliseconds until then, one at least. */
static int left_ms(int64_t deadline_us) {
    int64_t left = (deadline_us - clock_monotonic_us()) / US_PER_MS;

    return left > 1 ? (int)left : 1;
}

/* One try of a call, from its headers to its answer. */
struct attempt {
    struct kube_headers headers;
    struct net_request request;
    char *url, *body; /* owned */
};

static void attempt_done(struct attempt *t) {
    kube_headers_done(&t->headers);
    free(t->url);
    free(t->body);
}

static void attempt_done_cleanup(struct attempt *t) {
    attempt_done(t);
}

/* false, with *ret: nothing is to be sent. */
static bool attempt_begin(struct kube_cluster *c, const struct call *in, int64_t deadline,
                          struct attempt *t, struct kube_result *ret) {
    char why[KUBE_EXEC_TEXT];

    *t = (struct attempt){0};
    if (kube_headers_set(&t->headers, c, in->content_type, left_ms(deadline), why, sizeof(why)) !=
        LOGIN_READY) {
        call_unsent(ret, why);
        return false;
    }
    t->url = xasprintf("%s%s", c->config.server, in->path);
    t->body = in->body ? json_text(in->body) : NULL;
    t->request = (struct net_request){
        .method = in->method,
        .url = t->url,
        .headers = t->headers.lines,
        .body = t->body,
        .body_len = t->body ? strlen(t->body) : 0,
        .timeout_ms = left_ms(deadline),
        .max_bytes = in->max_bytes,
        .tls = t->headers.tls,
    };
    return true;
}

static void answer_read(const struct call *in, struct net_response *response,
                        struct kube_result *ret) {
    kube_call_count(in->method, response, true);
    kube_result_read(response, ret);
    net_response_done(response);
}

/* Makes the call; after a 401 once more if there is another token: a 401 was not carried out. */
static void call_run(struct kube_cluster *c, const struct call *in, struct kube_result *ret) {
    int64_t deadline = clock_monotonic_us() + (in->body ? WRITE_MS : READ_MS) * US_PER_MS;
    bool again = true;

    while (again) {
        _cleanup_(attempt_done) struct attempt t;
        struct net_response response;

        if (!attempt_begin(c, in, deadline, &t, ret))
            return;
        net_call(c->set->client, &t.request, &response);
        answer_read(in, &response, ret);
        again = again && ret->code == 401 && kube_token_renewed(c, &t.headers, left_ms(deadline));
        if (again)
            kube_result_done(ret);
    }
}

/* An object or a list has metadata; whatever else comes with a 200 is not the API server's. */
static void check_object(struct kube_result *ret) {
    if (ret->outcome == KUBE_DONE && !json_is_object(json_object_get(ret->object, "metadata"))) {
        unsigned code = ret->code;

        kube_result_done(ret);
        ret->outcome = KUBE_UNKNOWN;
        ret->code = code;
        snprintf(ret->message, sizeof(ret->message), "an answer without metadata");
    }
}

static void call_object(struct kube_cluster *c, const struct call *in, struct kube_result *ret) {
    call_run(c, in, ret);
    check_object(ret);
}

/* "." and ".." cannot be escaped: they would name another object. */
static bool name_fits(const char *name, struct kube_result *ret) {
    if (*name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
        return true;
    *ret = (struct kube_result){.outcome = KUBE_REFUSED, .retry_after_s = -1};
    snprintf(ret->reason, sizeof(ret->reason), "Invalid");
    snprintf(ret->message, sizeof(ret->message), "\"%s\" is not a name", name);
    return false;
}

void kube_get(struct kube_cluster *c, KubeKind kind, const char *namespace_, const char *name,
              struct kube_result *ret) {
    struct call call = {.method = "GET", .max_bytes = OBJECT_BYTES};

    if ((namespace_ && !name_fits(namespace_, ret)) || !name_fits(name, ret))
        return;
    call.path = kube_kind_path(kind, namespace_, name);
    call_object(c, &call, ret);
    free(call.path);
}

void kube_get_each(struct kube_cluster *c, const struct kube_ref *what, size_t n,
                   struct kube_result *ret) {
    int64_t deadline = clock_monotonic_us() + READ_MS * US_PER_MS;
    struct call call = {.method = "GET", .max_bytes = OBJECT_BYTES};
    struct attempt tries[NET_AT_ONCE];
    struct net_request requests[NET_AT_ONCE];
    struct net_response responses[NET_AT_ONCE];
    size_t of[NET_AT_ONCE], sent = 0; /* which of `what` a request is */

    for (size_t i = 0; i < n; i++) {
        ret[i] = (struct kube_result){0};
        if (!name_fits(what[i].namespace_, &ret[i]) || !name_fits(what[i].name, &ret[i]))
            continue;
        call.path = kube_kind_path(what[i].kind, what[i].namespace_, what[i].name);
        if (attempt_begin(c, &call, deadline, &tries[sent], &ret[i])) {
            requests[sent] = tries[sent].request;
            of[sent++] = i;
        } else {
            attempt_done(&tries[sent]);
        }
        free(call.path);
    }
    if (sent)
        net_calls(c->set->client, requests, sent, responses);
    for (size_t k = 0; k < sent; k++) {
        struct kube_result *r = &ret[of[k]];

        answer_read(&call, &responses[k], r);
        check_object(r);
        attempt_done(&tries[k]);
        if (r->code == 401) { /* there may be another token */
            kube_result_done(r);
            kube_get(c, what[of[k]].kind, what[of[k]].namespace_, what[of[k]].name, r);
        }
    }
}

void kube_list(struct kube_cluster *c, KubeKind kind, const char *namespace_,
               const char *label_selector, struct kube_result *ret) {
    struct call call = {.method = "GET", .max_bytes = LIST_BYTES};
    _cleanup_free_ char *path = NULL, *selector = NULL;

    if (namespace_ && !name_fits(namespace_, ret))
        return;
    path = kube_kind_path(kind, namespace_, NULL);
    selector = label_selector ? kube_escape(label_selector) : NULL;
    call.path =
        xasprintf("%s%s%s", path, selector ? "?labelSelector=" : "", selector ? selector : "");
    call_object(c, &call, ret);
    free(call.path);
}

void kube_patch(struct kube_cluster *c, KubeKind kind, const char *namespace_, const char *name,
                KubePatch how, const json_t *body, bool dry_run, struct kube_result *ret) {
    static const char *const types[] = {
        [KUBE_MERGE_PATCH] = "Content-Type: application/merge-patch+json",
        [KUBE_STRATEGIC_PATCH] = "Content-Type: application/strategic-merge-patch+json",
        [KUBE_APPLY] = "Content-Type: application/apply-patch+yaml", /* JSON is YAML */
    };
    struct call call = {.method = "PATCH", .body = body, .max_bytes = OBJECT_BYTES};
    _cleanup_free_ char *path = NULL;

    if ((namespace_ && !name_fits(namespace_, ret)) || !name_fits(name, ret))
        return;
    path = kube_kind_path(kind, namespace_, name);
    call.content_type = types[how];
    call.path = xasprintf("%s?fieldManager=sluice%s%s", path,
                          how == KUBE_APPLY ? "&force=true" : "", dry_run ? "&dryRun=All" : "");
    call_object(c, &call, ret);
    free(call.path);
}

void kube_create(struct kube_cluster *c, KubeKind kind, const char *namespace_, const json_t *body,
                 bool dry_run, struct kube_result *ret) {
    struct call call = {.method = "POST",
                        .content_type = "Content-Type: application/json",
                        .body = body,
                        .max_bytes = OBJECT_BYTES};
    _cleanup_free_ char *path = NULL;

    if (namespace_ && !name_fits(namespace_, ret))
        return;
    path = kube_kind_path(kind, namespace_, NULL);
    call.path = xasprintf("%s?fieldManager=sluice%s", path, dry_run ? "&dryRun=All" : "");
    call_object(c, &call, ret);
    free(call.path);
}

void kube_replace(struct kube_cluster *c, KubeKind kind, const char *namespace_, const char *name,
                  const json_t *body, struct kube_result *ret) {
    struct call call = {.method = "PUT",
                        .content_type = "Content-Type: application/json",
                        .body = body,
                        .max_bytes = OBJECT_BYTES};
    _cleanup_free_ char *path = NULL;

    if ((namespace_ && !name_fits(namespace_, ret)) || !name_fits(name, ret))
        return;
    path = kube_kind_path(kind, namespace_, name);
    call.path = xasprintf("%s?fieldManager=sluice", path);
    call_object(c, &call, ret);
    free(call.path);
}

void kube_probe(struct kube_cluster *c, struct kube_result *ret) {
    struct call call = {.method = "GET", .max_bytes = OBJECT_BYTES};
    _cleanup_(kube_result_done) struct kube_result space = {0};
    json_t *answer;

    call.path = xstrdup("/version");
    call_run(c, &call, ret);
    free(call.path);
    if (ret->outcome != KUBE_DONE)
        return;
    kube_get(c, KUBE_NAMESPACE, NULL, "kube-system", &space);
    if (space.outcome != KUBE_DONE && space.outcome != KUBE_REFUSED &&
        space.outcome != KUBE_NOT_FOUND) {
        kube_result_done(ret);
        *ret = space;
        space = (struct kube_result){0};
        return;
    }
    answer = json_object(); /* who may not read kube-system has a cluster without a known uid */
    json_set_str(answer, "version", json_str(ret->object, "gitVersion", NULL));
    json_set_str(answer, "uid", space.object ? kube_uid(space.object) : NULL);
    json_decref(ret->object);
    ret->object = answer;
}
