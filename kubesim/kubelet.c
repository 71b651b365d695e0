/* The node's part: pods are placed, started, become ready, crash, restart, terminate, each by
 * timers of the one loop. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "kubesim/addresses.h"
#include "kubesim/controllers.h"
#include "kubesim/dataplane.h"
#include "kubesim/podrun.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    PULL_MS = 20,          /* until a pull fails */
    PULL_BACKOFF_MS = 200, /* ErrImagePull becomes ImagePullBackOff */
    CRASH_MS = 100,        /* how long a crash-looping container lives, at most */
    STOP_MS = 20,          /* a pod without a running container is gone that soon */
    BACKOFF_MS = 10000,    /* doubles with each crash */
    MAX_BACKOFF_MS = 300000,
};

static void start(void *ctx);
static void on_crash(void *ctx);

static struct behavior behavior_now(const struct pod_run *run) {
    return behaviors_of(run->sim->behaviors, run->slot->ns, run->slot->name,
                        podrun_image(run->slot));
}

static void later(struct pod_run *run, int64_t ms, simloop_fn *fn) {
    simloop_arm(run->sim->loop, &run->timer, sim_delay_us(run->sim, ms), fn, run);
}

static void write_status(struct pod_run *run) {
    json_t *body = ctl_copy(run->slot);

    json_object_set_new(body, "status", podrun_status(run));
    ctl_write(run->sim, run->slot, body);
}

bool pod_ready(const json_t *body) {
    const json_t *ready = ctl_condition_of(json_at(body, "status", "conditions", NULL), "Ready");

    return !strcmp(json_str(ready, "status", ""), "True");
}

static void behave(struct pod_run *run) {
    struct behavior b = behavior_now(run);

    dataplane_pod_behave(run->sim->plane, run->slot->uid,
                         (struct pod_behavior){.error_rate = b.error_rate,
                                               .latency_ms = b.latency_ms,
                                               .health_ok = b.health_ok});
}

/* The container listens from now on. */
static void open_server(struct pod_run *run) {
    const json_t *labels = object_labels(run->slot->now->body);
    _cleanup_free_ char *version = image_tag(podrun_image(run->slot));

    run->open = dataplane_pod_open(
        run->sim->plane, run->slot->uid, run->ip, run->port, version, run->slot->name,
        json_str(labels, "environment", json_str(labels, "color", NULL)));
    if (!run->open)
        log_event(LOG_WARNING, "pod cannot listen", "pod", run->slot->name, "ip", run->ip, "error",
                  strerror(errno), NULL);
    else
        behave(run);
}

static void close_server(struct pod_run *run) {
    if (run->open)
        dataplane_pod_close(run->sim->plane, run->slot->uid);
    run->open = false;
}

static void on_ready(void *ctx) {
    struct pod_run *run = ctx;

    open_server(run);
    run->stage = POD_READY;
    kube_time(run->ready_at);
    run->ready_us = clock_now_us();
    write_status(run);
}

/* `spent_ms` of the time until ready have passed. */
static void await_ready(struct pod_run *run, int64_t spent_ms) {
    struct behavior b = behavior_now(run);
    int64_t crash_ms = b.crash_after_ms;

    if (!b.never_ready)
        later(run, b.ready_after_ms - spent_ms, on_ready);
    if (b.crash_loop && crash_ms < 0)
        crash_ms = b.ready_after_ms / 2 < CRASH_MS ? b.ready_after_ms / 2 : CRASH_MS;
    if (crash_ms >= 0 && (b.crash_loop || !run->exits))
        simloop_arm(run->sim->loop, &run->crash, sim_delay_us(run->sim, crash_ms), on_crash, run);
}

static void start(void *ctx) {
    struct pod_run *run = ctx;
    struct behavior b = behavior_now(run);

    if (!*run->ip && !addresses_take(run->sim->pod_addresses, run->ip))
        log_event(LOG_WARNING, "no address left for a pod", "pod", run->slot->name, NULL);
    run->stage = POD_STARTED;
    kube_time(run->started_at);
    write_status(run);
    await_ready(run, run->exits ? 0 : b.ready_after_ms / 2);
}

static void on_restart(void *ctx) {
    struct pod_run *run = ctx;

    run->restarts++;
    start(run);
}

static int64_t backoff_ms(int exits) {
    int64_t ms = BACKOFF_MS;

    for (int i = 2; i < exits && ms < MAX_BACKOFF_MS; i++)
        ms *= 2;
    return ms < MAX_BACKOFF_MS ? ms : MAX_BACKOFF_MS;
}

/* The container exits with code 1: restarted at once the first time, then with back-off. */
static void on_crash(void *ctx) {
    struct pod_run *run = ctx;
    char message[400];

    close_server(run);
    simloop_disarm(run->sim->loop, &run->timer);
    simloop_disarm(run->sim->loop, &run->crash);
    if (run->stage == POD_READY)
        kube_time(run->ready_at);
    run->exits++;
    snprintf(run->last_started_at, sizeof run->last_started_at, "%s", run->started_at);
    kube_time(run->last_finished_at);
    if (run->exits == 1) {
        on_restart(run);
        return;
    }
    *run->started_at = '\0';
    run->stage = POD_CRASHED;
    write_status(run);
    snprintf(message, sizeof message,
             "Back-off restarting failed container in pod %.200s_%.60s(%s)", run->slot->name,
             run->slot->ns, run->slot->uid);
    ctl_event(run->sim, run->slot, "Warning", "BackOff", message);
    later(run, backoff_ms(run->exits), on_restart);
}

static void on_pull_backoff(void *ctx);

static void on_pull_error(void *ctx) {
    struct pod_run *run = ctx;
    struct behavior b = behavior_now(run);

    if (!*b.pull_error) {
        start(run);
        return;
    }
    run->stage = POD_PULL_ERROR;
    snprintf(run->pull_message, sizeof run->pull_message,
             "failed to pull and unpack image \"%.120s\": %.100s", podrun_image(run->slot),
             b.pull_error);
    write_status(run);
    ctl_event(run->sim, run->slot, "Warning", "Failed", run->pull_message);
    ctl_event(run->sim, run->slot, "Warning", "Failed", "Error: ErrImagePull");
    later(run, PULL_BACKOFF_MS, on_pull_backoff);
}

static void on_pull_backoff(void *ctx) {
    struct pod_run *run = ctx;
    char message[400];

    run->stage = POD_PULL_BACKOFF;
    write_status(run);
    snprintf(message, sizeof message, "Back-off pulling image \"%.200s\"", podrun_image(run->slot));
    ctl_event(run->sim, run->slot, "Normal", "BackOff", message);
    later(run, BACKOFF_MS, on_pull_error);
}

static int container_port(const json_t *body) {
    const json_t *first = json_array_get(json_at(body, "spec", "containers", NULL), 0);
    const json_t *port = json_array_get(json_object_get(first, "ports"), 0);

    return (int)json_int(port, "containerPort", 3000);
}

/* Gives the pod a node, or says that none takes it. */
static void place(struct pod_run *run) {
    struct behavior b = behavior_now(run);
    json_t *body = ctl_copy(run->slot), *spec = json_object_get(body, "spec");

    kube_time(run->scheduled_at);
    run->port = container_port(body);
    if (json_object_size(json_object_get(spec, "nodeSelector"))) {
        run->stage = POD_UNSCHEDULABLE;
        json_decref(body);
        write_status(run);
        ctl_event(run->sim, run->slot, "Warning", "FailedScheduling",
                  "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.");
        return;
    }
    run->stage = POD_CREATING;
    spec = json_copy(spec);
    json_object_set_new(spec, "nodeName", json_string("kubesim"));
    json_object_set_new(body, "spec", spec);
    json_object_set_new(body, "status", podrun_status(run));
    ctl_write(run->sim, run->slot, body);
    if (*b.pull_error)
        later(run, PULL_MS, on_pull_error);
    else
        later(run, b.ready_after_ms / 2, start);
}

void kubelet_sync(struct sim *sim, struct slot *slot) {
    struct pod_run *run = slot->attached;

    if (run)
        return;
    run = xcalloc(1, sizeof *run);
    *run = (struct pod_run){.sim = sim, .slot = slot};
    slot->attached = run;
    place(run);
}

void kubelet_gone(struct sim *sim, struct slot *slot) {
    struct pod_run *run = slot->attached;

    if (!run)
        return;
    close_server(run);
    simloop_disarm(sim->loop, &run->timer);
    simloop_disarm(sim->loop, &run->crash);
    addresses_give_back(sim->pod_addresses, run->ip);
    free(run);
    slot->attached = NULL;
}

static void on_stopped(void *ctx) {
    struct pod_run *run = ctx;

    store_delete(run->sim->store, run->slot);
}

bool kubelet_terminate(struct sim *sim, struct slot *slot, int grace_s) {
    struct pod_run *run = slot->attached;
    json_t *body;
    char at[32];

    if (!run || run->stage == POD_UNSCHEDULABLE || grace_s == 0) {
        store_delete(sim->store, slot);
        return true;
    }
    if (run->stage == POD_TERMINATING)
        return false;
    if (grace_s < 0)
        grace_s = (int)json_int(json_object_get(slot->now->body, "spec"),
                                "terminationGracePeriodSeconds", 30);
    simloop_disarm(sim->loop, &run->crash);
    run->was_ready = run->stage == POD_READY;
    later(run, run->open ? behaviors_timing(sim->behaviors)->termination_grace_ms : STOP_MS,
          on_stopped);
    run->stage = POD_TERMINATING;
    if (run->open)
        dataplane_pod_drain(sim->plane, slot->uid);
    body = ctl_copy(slot);
    json_object_set_new(object_metadata(body), "deletionTimestamp", json_string(kube_time(at)));
    json_object_set_new(object_metadata(body), "deletionGracePeriodSeconds", json_integer(grace_s));
    ctl_write(sim, slot, body);
    return false;
}

static void look_again(struct pod_run *run) {
    struct behavior b = behavior_now(run);

    switch (run->stage) {
    case POD_READY:
        behave(run);
        if (b.crash_loop || (b.crash_after_ms >= 0 && !run->exits)) {
            simloop_arm(run->sim->loop, &run->crash,
                        sim_delay_us(run->sim, b.crash_after_ms > 0 ? b.crash_after_ms : 0),
                        on_crash, run);
        } else {
            simloop_disarm(run->sim->loop, &run->crash);
        }
        if (b.never_ready) {
            run->stage = POD_STARTED;
            kube_time(run->ready_at);
            write_status(run);
        }
        break;
    case POD_STARTED:
        simloop_disarm(run->sim->loop, &run->timer);
        simloop_disarm(run->sim->loop, &run->crash);
        if (run->open && !b.never_ready && !b.crash_loop)
            on_ready(run);
        else
            await_ready(run, 0);
        break;
    case POD_CRASHED:
        if (!b.crash_loop)
            on_restart(run);
        break;
    case POD_PULL_ERROR:
    case POD_PULL_BACKOFF:
        if (!*b.pull_error)
            start(run);
        break;
    case POD_CREATING:
        if (*b.pull_error)
            later(run, PULL_MS, on_pull_error);
        break;
    case POD_TERMINATING:
        behave(run);
        break;
    case POD_NEW:
    case POD_UNSCHEDULABLE:
        break;
    }
}

void kubelet_behave(struct sim *sim) {
    for (struct bucket *b = store_buckets(sim->store, KIND_POD); b; b = b->next) {
        for (size_t i = 0; i < b->n; i++) {
            if (b->slots[i]->attached)
                look_again(b->slots[i]->attached);
        }
    }
}

json_t *kubelet_list(struct sim *sim, const char *ns) {
    const struct bucket *b = store_bucket(sim->store, KIND_POD, ns);
    json_t *items = json_array();
    char at[40];

    for (size_t i = 0; b && i < b->n; i++) {
        const struct pod_run *run = b->slots[i]->attached;

        if (!run)
            continue;
        json_array_append_new(
            items, json_pack("{s:s, s:s, s:b, s:s?}", "name", run->slot->name, "image",
                             podrun_image(run->slot), "ready", run->stage == POD_READY, "ready_at",
                             run->ready_us ? kube_micro_time(run->ready_us, at) : NULL));
    }
    return json_pack("{s:o, s:n}", "items", items, "next_cursor");
}
