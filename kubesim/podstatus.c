#include "base/cleanup.h"
#include "base/ids.h"
#include "base/json.h"
#include "kubesim/podrun.h"
#include <stdio.h>
#include <string.h>

const char *podrun_image(const struct slot *slot) {
    const json_t *containers = json_at(slot->now->body, "spec", "containers", NULL);

    return json_str(json_array_get(containers, 0), "image", "");
}

char *image_tag(const char *image) {
    size_t n = strcspn(image, "@");
    const char *colon = memrchr(image, ':', n), *slash = memrchr(image, '/', n);

    if (!colon || (slash && colon < slash))
        return xstrdup("latest");
    return xstrndup(colon + 1, (size_t)(image + n - colon - 1));
}

static json_t *waiting(const char *reason, const char *message) {
    json_t *state = json_pack("{s:s}", "reason", reason);

    if (*message)
        json_object_set_new(state, "message", json_string(message));
    return json_pack("{s:o}", "waiting", state);
}

static json_t *container_state(const struct pod_run *run, const char *container) {
    char message[400];

    switch (run->stage) {
    case POD_PULL_ERROR:
        return waiting("ErrImagePull", run->pull_message);
    case POD_PULL_BACKOFF:
        snprintf(message, sizeof message, "Back-off pulling image \"%.200s\"",
                 podrun_image(run->slot));
        return waiting("ImagePullBackOff", message);
    case POD_CRASHED:
        snprintf(message, sizeof message,
                 "back-off restarting failed container=%.60s pod=%.120s_%.60s(%s)", container,
                 run->slot->name, run->slot->ns, run->slot->uid);
        return waiting("CrashLoopBackOff", message);
    case POD_STARTED:
    case POD_READY:
    case POD_TERMINATING:
        if (*run->started_at)
            return json_pack("{s:{s:s}}", "running", "startedAt", run->started_at);
        return waiting("ContainerCreating", "");
    case POD_NEW:
    case POD_UNSCHEDULABLE:
    case POD_CREATING:
        break;
    }
    return waiting("ContainerCreating", "");
}

static json_t *last_state(const struct pod_run *run) {
    if (!run->exits)
        return json_object();
    return json_pack("{s:{s:i, s:s, s:s, s:s}}", "terminated", "exitCode", 1, "reason", "Error",
                     "startedAt", run->last_started_at, "finishedAt", run->last_finished_at);
}

static char *image_id(const char *image) {
    const char *digest = strchr(image, '@');
    _cleanup_free_ char *bare = xstrndup(image, strcspn(image, "@"));
    char hex[SHA256_HEX], *tag = strrchr(bare, ':'), *slash = strrchr(bare, '/');

    if (tag && (!slash || tag > slash))
        *tag = '\0';
    if (digest)
        return xasprintf("%s%s", bare, digest);
    return xasprintf("%s@sha256:%s", bare, sha256_hex(image, strlen(image), hex));
}

static json_t *container_statuses(const struct pod_run *run, bool ready, bool running) {
    json_t *list = json_array(), *container;
    size_t i;

    json_array_foreach(json_at(run->slot->now->body, "spec", "containers", NULL), i, container) {
        const char *image = json_str(container, "image", "");
        bool pulled = *run->started_at || run->stage == POD_CRASHED;
        _cleanup_free_ char *id = pulled ? image_id(image) : xstrdup("");
        const char *name = json_str(container, "name", "");
        json_t *status = json_pack("{s:s, s:s, s:s, s:b, s:b, s:i, s:o, s:o}", "name", name,
                                   "image", image, "imageID", id, "ready", ready, "started",
                                   running, "restartCount", run->restarts, "state",
                                   container_state(run, name), "lastState", last_state(run));

        if (pulled)
            json_object_set_new(status, "containerID",
                                json_sprintf("containerd://%s-%d", run->slot->uid, run->restarts));
        json_array_append_new(list, status);
    }
    return list;
}

static void add_condition(json_t *list, const char *type, bool holds, const char *at,
                          const char *reason, const char *message) {
    json_t *condition =
        json_pack("{s:s, s:s, s:n, s:s}", "type", type, "status", holds ? "True" : "False",
                  "lastProbeTime", "lastTransitionTime", at);

    if (!holds && reason)
        json_object_set_new(condition, "reason", json_string(reason));
    if (!holds && message)
        json_object_set_new(condition, "message", json_string(message));
    json_array_append_new(list, condition);
}

json_t *podrun_status(const struct pod_run *run) {
    bool ready = run->stage == POD_READY || (run->stage == POD_TERMINATING && run->was_ready);
    bool running = run->stage == POD_STARTED || ready;
    bool phase_running =
        running || run->stage == POD_CRASHED || (run->stage == POD_TERMINATING && *run->started_at);
    const char *changed = *run->ready_at ? run->ready_at : run->scheduled_at;
    _cleanup_free_ char *unready = NULL;
    json_t *status = json_pack("{s:s}", "phase", phase_running ? "Running" : "Pending");
    json_t *conditions = json_array();
    const json_t *first =
        json_array_get(json_at(run->slot->now->body, "spec", "containers", NULL), 0);

    json_object_set_new(status, "conditions", conditions);
    json_object_set_new(status, "qosClass", json_string("BestEffort"));
    if (run->stage == POD_UNSCHEDULABLE) {
        add_condition(conditions, "PodScheduled", false, run->scheduled_at, "Unschedulable",
                      "0/1 nodes are available: 1 node(s) didn't match Pod's node "
                      "affinity/selector.");
        return status;
    }
    unready = xasprintf("containers with unready status: [%s]", json_str(first, "name", ""));
    add_condition(conditions, "PodReadyToStartContainers", *run->ip != '\0', run->scheduled_at,
                  NULL, NULL);
    add_condition(conditions, "Initialized", true, run->scheduled_at, NULL, NULL);
    add_condition(conditions, "Ready", ready, changed, "ContainersNotReady", unready);
    add_condition(conditions, "ContainersReady", ready, changed, "ContainersNotReady", unready);
    add_condition(conditions, "PodScheduled", true, run->scheduled_at, NULL, NULL);
    json_object_update_new(status, json_pack("{s:s, s:s, s:o}", "hostIP", "127.0.0.1", "startTime",
                                             run->scheduled_at, "containerStatuses",
                                             container_statuses(run, ready, running)));
    if (*run->ip)
        json_object_update_new(
            status, json_pack("{s:s, s:[{s:s}]}", "podIP", run->ip, "podIPs", "ip", run->ip));
    return status;
}
