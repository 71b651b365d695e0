/* The Service's part: its address, its EndpointSlice after the endpoint lag, its proxy after the
 * proxy lag. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "kubesim/addresses.h"
#include "kubesim/controllers.h"
#include "kubesim/dataplane.h"
#include "kubesim/kstatus.h"
#include "kubesim/selector.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNPRIVILEGED = 8000 }; /* is added to a port that only root may have */

struct service_run {
    struct sim *sim;
    struct slot *slot;
    struct simloop_timer endpoints, proxy;
    char *key;   /* "namespace/name" */
    char *slice; /* the name of its EndpointSlice */
    char ip[16];
    int port;      /* that it has; 0: it does not listen */
    int listening; /* that it listens on: another one where the port is privileged and we are not */
};

json_t *service_ctl_admit(struct sim *sim, json_t *body) {
    json_t *spec = json_object_get(body, "spec");
    char ip[16];

    if (!json_is_object(spec) || *json_str(spec, "clusterIP", "") ||
        !strcmp(json_str(spec, "type", ""), "ExternalName"))
        return NULL;
    if (!addresses_take(sim->service_addresses, ip))
        return kstatus(500, "InternalError", "no address left for a Service");
    json_object_set_new(spec, "clusterIP", json_string(ip));
    json_object_set_new(spec, "clusterIPs", json_pack("[s]", ip));
    return NULL;
}

/* The container port behind the Service's first port. */
static int target_port(const json_t *service, const json_t *pod) {
    const json_t *port = json_array_get(json_at(service, "spec", "ports", NULL), 0);
    const json_t *target = json_object_get(port, "targetPort");
    json_t *container, *candidate;
    size_t i, j;

    if (!json_is_string(target))
        return (int)json_integer_value(target);
    json_array_foreach(json_at(pod, "spec", "containers", NULL), i, container) {
        json_array_foreach(json_object_get(container, "ports"), j, candidate) {
            if (!strcmp(json_str(candidate, "name", ""), json_string_value(target)))
                return (int)json_int(candidate, "containerPort", 0);
        }
    }
    return 0;
}

static json_t *endpoint_of(const struct slot *pod) {
    const json_t *status = json_object_get(pod->now->body, "status");
    bool ready = pod_ready(pod->now->body), terminating = ctl_terminating(pod);

    return json_pack("{s:[s], s:{s:b, s:b, s:b}, s:s, s:{s:s, s:s, s:s, s:s}}", "addresses",
                     json_str(status, "podIP", ""), "conditions", "ready", ready && !terminating,
                     "serving", ready, "terminating", terminating, "nodeName", "kubesim",
                     "targetRef", "kind", "Pod", "namespace", pod->ns, "name", pod->name, "uid",
                     pod->uid);
}

/* The slice as it should be now. */
static json_t *slice_body(const struct service_run *run) {
    const json_t *service = run->slot->now->body;
    const json_t *selector = json_at(service, "spec", "selector", NULL);
    const json_t *first = json_array_get(json_at(service, "spec", "ports", NULL), 0);
    struct bucket *pods = store_bucket(run->sim->store, KIND_POD, run->slot->ns);
    json_t *endpoints = json_array();
    int port = 0;

    for (size_t i = 0; pods && i < pods->n; i++) {
        const json_t *pod = pods->slots[i]->now->body;

        if (!selector_map_matches(selector, object_labels(pod)) ||
            !*json_str(json_object_get(pod, "status"), "podIP", ""))
            continue;
        port = target_port(service, pod);
        json_array_append_new(endpoints, endpoint_of(pods->slots[i]));
    }
    if (!port)
        port = target_port(service, NULL);
    return json_pack("{s:s, s:o, s:[{s:s, s:i, s:s}]}", "addressType", "IPv4", "endpoints",
                     endpoints, "ports", "name", json_str(first, "name", ""), "port", port,
                     "protocol", json_str(first, "protocol", "TCP"));
}

static void on_proxy(void *ctx) {
    struct service_run *run = ctx;
    struct slot *slice =
        run->slice ? store_find(run->sim->store, KIND_ENDPOINTSLICE, run->slot->ns, run->slice)
                   : NULL;
    const json_t *endpoints = slice ? json_object_get(slice->now->body, "endpoints") : NULL, *e;
    const json_t *port =
        slice ? json_array_get(json_object_get(slice->now->body, "ports"), 0) : NULL;
    struct backend *backends = xcalloc(json_array_size(endpoints) + 1, sizeof *backends);
    size_t n = 0, i;

    /* Ready ones; where there are none, those that still serve while they terminate. */
    for (int round = 0; round < 2 && !n; round++) {
        json_array_foreach((json_t *)(uintptr_t)endpoints, i, e) {
            const json_t *conditions = json_object_get(e, "conditions");

            if (!json_bool(conditions, round ? "serving" : "ready", false))
                continue;
            snprintf(backends[n].ip, sizeof backends[n].ip, "%s",
                     json_string_value(json_array_get(json_object_get(e, "addresses"), 0)));
            backends[n++].port = (int)json_int(port, "port", 0);
        }
    }
    dataplane_service_backends(run->sim->plane, run->key, backends, n);
    free(backends);
}

static void create_slice(struct service_run *run, json_t *content) {
    char suffix[6];
    json_t *body;

    free(run->slice);
    run->slice = xasprintf("%s-%s", run->slot->name, ctl_random_name(suffix, 5));
    body = object_new(kind_of(KIND_ENDPOINTSLICE), run->slot->ns, run->slice);
    json_object_update_new(object_metadata(body),
                           json_pack("{s:{s:s, s:s}, s:o, s:i}", "labels",
                                     "kubernetes.io/service-name", run->slot->name,
                                     "endpointslice.kubernetes.io/managed-by",
                                     "endpointslice-controller.k8s.io", "ownerReferences",
                                     ctl_owner_reference(run->slot), "generation", 1));
    json_object_update_new(body, content);
    store_create(run->sim->store, kind_of(KIND_ENDPOINTSLICE), body);
}

static void on_endpoints(void *ctx) {
    struct service_run *run = ctx;
    struct slot *slice =
        run->slice ? store_find(run->sim->store, KIND_ENDPOINTSLICE, run->slot->ns, run->slice)
                   : NULL;
    json_t *content, *body;

    if (json_object_size(json_at(run->slot->now->body, "spec", "selector", NULL)) == 0)
        return;
    content = slice_body(run);
    if (!slice) {
        create_slice(run, content);
    } else {
        body = ctl_copy(slice);
        json_object_update_new(body, content);
        if (!json_equal(body, slice->now->body))
            json_object_set_new(object_metadata(body), "generation",
                                json_integer(json_int(object_metadata(body), "generation", 1) + 1));
        ctl_write(run->sim, slice, body);
    }
    if (!run->proxy.at)
        simloop_arm(run->sim->loop, &run->proxy,
                    sim_delay_us(run->sim, behaviors_timing(run->sim->behaviors)->proxy_lag_ms),
                    on_proxy, run);
}

static void touch(struct service_run *run) {
    if (!run->endpoints.at)
        simloop_arm(run->sim->loop, &run->endpoints,
                    sim_delay_us(run->sim, behaviors_timing(run->sim->behaviors)->endpoint_lag_ms),
                    on_endpoints, run);
}

static void close_socket(struct service_run *run) {
    if (run->port)
        dataplane_service_close(run->sim->plane, run->key);
    run->port = 0;
}

static void open_socket(struct service_run *run) {
    const json_t *spec = json_object_get(run->slot->now->body, "spec");
    int port = (int)json_int(json_array_get(json_object_get(spec, "ports"), 0), "port", 0);
    const char *ip = json_str(spec, "clusterIP", "");
    bool open;

    if (run->port == port || !port || strncmp(ip, "127.", 4))
        return;
    close_socket(run);
    snprintf(run->ip, sizeof run->ip, "%s", ip);
    run->listening = port;
    open = dataplane_service_open(run->sim->plane, run->key, ip, port);
    if (!open && errno == EACCES) {
        run->listening = port + UNPRIVILEGED;
        open = dataplane_service_open(run->sim->plane, run->key, ip, run->listening);
        log_event(LOG_INFO, "service listens on another port: its own needs privileges", "service",
                  run->key, "ip", ip, "port", log_int(run->listening, (char[24]){0}), NULL);
    }
    if (open)
        run->port = port;
    else
        log_event(LOG_WARNING, "service cannot listen", "service", run->key, "ip", ip, "port",
                  log_int(run->listening, (char[24]){0}), "error", strerror(errno), NULL);
}

char *service_ctl_address(struct sim *sim, const char *ns, const char *name) {
    const struct slot *slot = store_find(sim->store, KIND_SERVICE, ns, name);
    const struct service_run *run = slot ? slot->attached : NULL;

    return run && run->port ? xasprintf("%s:%d", run->ip, run->listening) : NULL;
}

void service_ctl_sync(struct sim *sim, struct slot *slot) {
    struct service_run *run = slot->attached;

    if (!run) {
        run = xcalloc(1, sizeof *run);
        *run = (struct service_run){
            .sim = sim, .slot = slot, .key = xasprintf("%s/%s", slot->ns, slot->name)};
        slot->attached = run;
    }
    open_socket(run);
    touch(run);
}

void service_ctl_gone(struct sim *sim, struct slot *slot) {
    struct service_run *run = slot->attached;

    if (!run)
        return;
    simloop_disarm(sim->loop, &run->endpoints);
    simloop_disarm(sim->loop, &run->proxy);
    close_socket(run);
    addresses_give_back(sim->service_addresses, run->ip);
    free(run->key);
    free(run->slice);
    free(run);
    slot->attached = NULL;
}

void service_ctl_pod(struct sim *sim, const char *ns, const json_t *before, const json_t *after) {
    struct bucket *b = store_bucket(sim->store, KIND_SERVICE, ns);

    for (size_t i = 0; b && i < b->n; i++) {
        const json_t *selector = json_at(b->slots[i]->now->body, "spec", "selector", NULL);

        if (b->slots[i]->attached && (selector_map_matches(selector, object_labels(before)) ||
                                      selector_map_matches(selector, object_labels(after))))
            touch(b->slots[i]->attached);
    }
}
