#include "kubesim/rest.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "kubesim/discovery.h"
#include "kubesim/faults.h"
#include "kubesim/front.h"
#include "kubesim/kstatus.h"
#include "kubesim/proxy.h"
#include "kubesim/requests.h"
#include "kubesim/rest_parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What goes with a call until it is answered or becomes a watch. */
struct rest_request {
    struct sim *sim;
    struct call *call;
    uint64_t n; /* of the request log */
    bool cut;   /* the answer is dropped */
    struct simloop_timer timer;
};

static void request_end(void *note, struct call *call) {
    struct rest_request *r = note;

    (void)call;
    simloop_disarm(r->sim->loop, &r->timer);
    free(r);
}

void rest_text(struct call *call, unsigned code, const char *text, size_t n) {
    struct rest_request *r = call->note;

    requests_code(r->sim->requests, r->n, code);
    if (r->cut)
        call_drop(call);
    else
        call_answer(call, code, "application/json", text, n);
}

void rest_answer(struct call *call, unsigned code, const json_t *body) {
    _cleanup_free_ char *text = json_text(body);

    rest_text(call, code, text, strlen(text));
}

void rest_refuse(struct call *call, json_t *status) {
    rest_answer(call, kstatus_code(status), status);
    json_decref(status);
}

void rest_plain(struct call *call, unsigned code, const char *content_type, const char *bytes,
                size_t n) {
    struct rest_request *r = call->note;

    requests_code(r->sim->requests, r->n, code);
    if (r->cut)
        call_drop(call);
    else
        call_answer(call, code, content_type, bytes, n);
}

void rest_object(struct call *call, unsigned code, struct object *o) {
    size_t n;
    const char *text = object_text(o, &n);

    rest_text(call, code, text, n);
    object_unref(o);
}

bool rest_flag(const struct call *call, const char *name) {
    const char *v = call_arg(call, name);

    return v && strcmp(v, "false") && strcmp(v, "0");
}

bool rest_release(struct call *call) {
    struct rest_request *r = call->note;
    bool cut = r->cut;

    requests_code(r->sim->requests, r->n, 200);
    if (cut) {
        call_drop(call);
        return false;
    }
    request_end(r, call);
    call->note = NULL;
    call->on_end = NULL;
    return true;
}

static bool authorized(const struct sim *sim, const struct call *call) {
    const char *header = call_header(call, "Authorization");

    return header && !strncmp(header, "Bearer ", 7) && !strcmp(header + 7, sim->token);
}

static void handle(struct sim *sim, struct call *call) {
    struct target t;

    if (!authorized(sim, call)) {
        rest_refuse(call, kstatus(401, "Unauthorized", "Unauthorized"));
        return;
    }
    if (discovery_answer(call))
        return;
    if (!strcmp(call->path, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") &&
        !strcmp(call->method, "POST")) {
        rest_review(call);
        return;
    }
    if (!target_parse(call->path, &t)) {
        rest_refuse(call,
                    kstatus(404, "NotFound", "the server could not find the requested resource"));
        return;
    }
    if (!strcmp(t.sub, "proxy") && (t.kind->id == KIND_SERVICE || t.kind->id == KIND_POD))
        proxy_call(sim, call, &t);
    else if (strcmp(call->method, "GET"))
        rest_write(sim, call, &t);
    else if (rest_flag(call, "watch") && !*t.sub)
        rest_watch(sim, call, &t);
    else if (!*t.name)
        rest_list(sim, call, &t);
    else
        rest_get(sim, call, &t);
}

static void on_delay(void *ctx) {
    struct rest_request *r = ctx;

    handle(r->sim, r->call);
}

/* The verb as Kubernetes names it. */
static const char *kube_verb(const struct call *call) {
    struct target t;
    bool named = target_parse(call->path, &t) && *t.name;

    if (!strcmp(call->method, "GET"))
        return rest_flag(call, "watch") ? "watch" : named ? "get" : "list";
    if (!strcmp(call->method, "POST"))
        return "create";
    return !strcmp(call->method, "PUT") ? "update" : call->method;
}

static void refuse_injected(struct call *call, const struct fault_effect *effect) {
    char seconds[16];

    if (effect->retry_after_s >= 0) {
        snprintf(seconds, sizeof seconds, "%d", effect->retry_after_s);
        call_set_header(call, "Retry-After", seconds);
    }
    rest_refuse(call, kstatus(effect->code, kstatus_reason(effect->code), "injected by kubesim"));
}

void rest_call(void *ctx, struct call *call) {
    struct sim *sim = ctx;
    struct rest_request *r = xcalloc(1, sizeof *r);
    const char *agent = call_header(call, "User-Agent");
    struct fault_effect effect;

    *r = (struct rest_request){.sim = sim, .call = call};
    r->n = requests_add(sim->requests, call->method, call->path, call->query, agent,
                        call_header(call, "traceparent"), call->body);
    call->note = r;
    call->on_end = request_end;
    effect = faults_meet(sim->faults, call->method, kube_verb(call), call->path, call->query,
                         agent ? agent : "");
    switch (effect.action) {
    case FAULT_NONE:
        handle(sim, call);
        break;
    case FAULT_STATUS:
        refuse_injected(call, &effect);
        break;
    case FAULT_DELAY:
        call_park(call);
        simloop_arm(sim->loop, &r->timer, effect.delay_ms * US_PER_MS, on_delay, r);
        break;
    case FAULT_HANG:
        call_park(call);
        break;
    case FAULT_CUT_BEFORE:
        call_drop(call);
        break;
    case FAULT_CUT_AFTER:
        r->cut = true;
        handle(sim, call);
        break;
    }
}
