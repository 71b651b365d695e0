#include "kubesim/control.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "kubesim/controllers.h"
#include "kubesim/dataplane.h"
#include "kubesim/faults.h"
#include "kubesim/front.h"
#include "kubesim/requests.h"
#include "kubesim/switches.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reply(struct call *call, unsigned code, json_t *body) {
    _cleanup_free_ char *text = json_text(body);

    call_answer(call, code, "application/json", text, strlen(text));
    json_decref(body);
}

static void refuse(struct call *call, unsigned code, const char *why) {
    reply(call, code, json_pack("{s:s}", "error", why));
}

/* A time as RFC 3339, or as whole seconds, milliseconds or microseconds since 1970. */
static bool time_of(const char *text, int64_t *ret_us) {
    char *end;
    long long n = strtoll(text, &end, 10);

    if (*text && !*end) {
        *ret_us = n > 100000000000000 ? n : n > 100000000000 ? n * 1000 : n * 1000000;
        return n >= 0;
    }
    return clock_parse(text, ret_us);
}

static void put(struct sim *sim, struct call *call) {
    json_error_t at;
    json_auto_t *body = json_loadb(call->body, call->body_len, JSON_REJECT_DUPLICATES, &at);
    char error[256] = "", ns[128], name[254];
    bool done;

    if (!body) {
        snprintf(error, sizeof error, "the body is not JSON: %.180s", at.text);
        refuse(call, 400, error);
        return;
    }
    if (!strcmp(call->path, "/images")) {
        done = behaviors_set_image(sim->behaviors, body, error);
    } else if (!strcmp(call->path, "/behavior")) {
        done = behaviors_set_timing(sim->behaviors, body, error);
    } else if (!strcmp(call->path, "/faults")) {
        done = faults_set(sim->faults, body, error);
    } else if (sscanf(call->path, "/pods/%127[^/]/%253[^/]", ns, name) == 2) {
        done = behaviors_set_pod(sim->behaviors, ns, name, body, error);
    } else {
        refuse(call, 404, "no such path");
        return;
    }
    if (!done) {
        refuse(call, 400, error);
        return;
    }
    if (strcmp(call->path, "/faults"))
        kubelet_behave(sim);
    reply(call, 200, json_incref(body));
}

static void traffic(struct sim *sim, struct call *call, const char *ns, const char *name) {
    const char *since = call_arg(call, "since");
    _cleanup_free_ char *key = xasprintf("%s/%s", ns, name);
    _cleanup_free_ char *address = service_ctl_address(sim, ns, name);
    int64_t since_us = 0;
    json_t *body;

    if (since && *since && !time_of(since, &since_us)) {
        refuse(call, 400, "\"since\" is not a time (RFC 3339)");
        return;
    }
    body = dataplane_traffic(sim->plane, key, since_us);
    json_set_str(body, "address", address);
    json_object_set_new(body, "switches", switches_list(sim->switches, ns, name, since_us));
    reply(call, 200, body);
}

/* ?since= is the number of the last request seen, or a time. */
static void requests(struct sim *sim, struct call *call) {
    const char *since = call_arg(call, "since");
    int64_t since_us = 0;
    uint64_t after = 0;
    char *end;

    if (since && *since) {
        after = strtoull(since, &end, 10);
        if (*end) {
            after = 0;
            if (!clock_parse(since, &since_us)) {
                refuse(call, 400, "\"since\" is neither a number nor a time (RFC 3339)");
                return;
            }
        }
    }
    reply(call, 200, requests_list(sim->requests, after, since_us));
}

void control_call(void *ctx, struct call *call) {
    struct sim *sim = ctx;
    char ns[128], name[254];
    int end = 0;

    if (call->too_large) {
        refuse(call, 413, "the body is too large");
    } else if (!strcmp(call->method, "PUT")) {
        put(sim, call);
    } else if (strcmp(call->method, "GET")) {
        refuse(call, 405, "only GET and PUT");
    } else if (!strcmp(call->path, "/requests")) {
        requests(sim, call);
    } else if (!strcmp(call->path, "/health")) {
        reply(call, 200, json_pack("{s:s}", "status", "ok"));
    } else if (sscanf(call->path, "/pods/%127[^/]%n", ns, &end) == 1 && !call->path[end]) {
        reply(call, 200, kubelet_list(sim, ns));
    } else if (sscanf(call->path, "/services/%127[^/]/%253[^/]/traffic%n", ns, name, &end) == 2 &&
               end && !call->path[end]) {
        traffic(sim, call, ns, name);
    } else {
        refuse(call, 404, "no such path");
    }
}
