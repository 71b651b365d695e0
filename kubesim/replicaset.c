/* The ReplicaSet controller: as many pods as are asked for. */
#include "base/cleanup.h"
#include "base/json.h"
#include "kubesim/controllers.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_MS = 500,
    BURST = 500,      /* pods made or ended in one go, as kube-controller-manager's limit */
    MAX_PODS = 20000, /* of a namespace */
};

struct set_run {
    struct sim *sim;
    struct slot *slot;
    struct simloop_timer retry;
};

struct pods {
    struct slot **slots; /* owned array */
    size_t n;
};

void replicaset_ctl_gone(struct sim *sim, struct slot *slot) {
    struct set_run *run = slot->attached;

    if (run)
        simloop_disarm(sim->loop, &run->retry);
    free(run);
    slot->attached = NULL;
}

static void on_retry(void *ctx) {
    struct set_run *run = ctx;

    ctl_enqueue(run->sim, run->slot);
}

static struct pods active_pods(struct sim *sim, const struct slot *rs) {
    struct bucket *b = store_bucket(sim->store, KIND_POD, rs->ns);
    struct pods pods = {0};
    size_t i, end;

    for (bucket_named_after(b, rs->name, &i, &end); i < end; i++) {
        if (!ctl_owned_by(b->slots[i], rs) || ctl_terminating(b->slots[i]))
            continue;
        pods.slots = xrealloc(pods.slots, (pods.n + 1) * sizeof(struct slot *));
        pods.slots[pods.n++] = b->slots[i];
    }
    return pods;
}

static size_t pods_of_namespace(struct sim *sim, const char *ns) {
    const struct bucket *b = store_bucket(sim->store, KIND_POD, ns);

    return b ? b->n : 0;
}

/* The error that refused the pod, yours; NULL when it was made. */
static char *create_pod(struct sim *sim, struct slot *rs) {
    const json_t *template = json_at(rs->now->body, "spec", "template", NULL);
    char *over = ctl_quota_exceeded(sim, rs->ns), suffix[6], *message;
    _cleanup_free_ char *name = NULL;
    json_t *body, *metadata;

    if (!over && pods_of_namespace(sim, rs->ns) >= MAX_PODS)
        over = xasprintf("this cluster holds no more than %d pods in a namespace", MAX_PODS);
    if (over) {
        message = xasprintf("pods \"%s-%s\" is forbidden: %s", rs->name, ctl_random_name(suffix, 5),
                            over);
        free(over);
        return message;
    }
    do {
        free(name);
        name = xasprintf("%s-%s", rs->name, ctl_random_name(suffix, 5));
    } while (store_find(sim->store, KIND_POD, rs->ns, name));
    body = object_new(kind_of(KIND_POD), rs->ns, name);
    metadata = object_metadata(body);
    json_object_set_new(metadata, "generateName", json_sprintf("%s-", rs->name));
    json_object_set_new(metadata, "ownerReferences", ctl_owner_reference(rs));
    for (int i = 0; i < 2; i++) {
        const char *key = i ? "annotations" : "labels";
        json_t *map = json_at(template, "metadata", key, NULL);

        if (map)
            json_object_set_new(metadata, key, json_deep_copy(map));
    }
    json_object_set_new(body, "spec", json_deep_copy(json_object_get(template, "spec")));
    json_object_set_new(body, "status", json_pack("{s:s}", "phase", "Pending"));
    store_create(sim->store, kind_of(KIND_POD), body);
    return NULL;
}

/* Not ready goes first, then the youngest. */
static int by_worth(const void *a, const void *b) {
    const struct slot *x = *(struct slot *const *)a, *y = *(struct slot *const *)b;
    bool ready_x = pod_ready(x->now->body), ready_y = pod_ready(y->now->body);

    if (ready_x != ready_y)
        return ready_x ? 1 : -1;
    return strcmp(json_str(json_object_get(y->now->body, "metadata"), "creationTimestamp", ""),
                  json_str(json_object_get(x->now->body, "metadata"), "creationTimestamp", ""));
}

/* Makes or terminates pods; the error that stopped it, yours, or NULL. */
static char *replicate(struct sim *sim, struct slot *rs, int64_t wanted) {
    struct pods pods = active_pods(sim, rs);
    char *error = NULL;

    for (int64_t n = 0; n < wanted - (int64_t)pods.n && n < BURST && !error; n++)
        error = create_pod(sim, rs); /* its event brings the set back for more */
    if ((int64_t)pods.n > wanted) {
        qsort(pods.slots, pods.n, sizeof(struct slot *), by_worth);
        for (size_t i = 0; (int64_t)i < (int64_t)pods.n - wanted; i++)
            kubelet_terminate(sim, pods.slots[i], -1);
    }
    free(pods.slots);
    return error;
}

static void write_status(struct sim *sim, struct slot *rs, const char *error) {
    struct pods pods = active_pods(sim, rs);
    json_t *body = ctl_copy(rs), *old = json_object_get(body, "status"), *status = json_object();
    json_t *conditions = json_deep_copy(json_object_get(old, "conditions"));
    int64_t ready = 0;

    for (size_t i = 0; i < pods.n; i++)
        ready += pod_ready(pods.slots[i]->now->body);
    json_object_set_new(status, "replicas", json_integer((json_int_t)pods.n));
    if (pods.n)
        json_object_set_new(status, "fullyLabeledReplicas", json_integer((json_int_t)pods.n));
    if (ready) {
        json_object_set_new(status, "readyReplicas", json_integer(ready));
        json_object_set_new(status, "availableReplicas", json_integer(ready));
    }
    json_object_set_new(status, "observedGeneration",
                        json_integer(json_int(json_object_get(body, "metadata"), "generation", 1)));
    if (!conditions)
        conditions = json_array();
    if (error)
        ctl_condition(conditions, "ReplicaFailure", "True", "FailedCreate", error);
    else
        ctl_condition_remove(conditions, "ReplicaFailure");
    if (json_array_size(conditions))
        json_object_set(status, "conditions", conditions);
    json_decref(conditions);
    json_object_set_new(body, "status", status);
    free(pods.slots);
    ctl_write(sim, rs, body);
}

/* The message of a failure names a random pod; the same failure keeps the first message, so that
 * retries change nothing. */
static char *steady(const struct slot *rs, char *error) {
    const json_t *now =
        ctl_condition_of(json_at(rs->now->body, "status", "conditions", NULL), "ReplicaFailure");
    const char *before = json_str(now, "message", ""), *tail = strstr(error, "\" is forbidden"),
               *old_tail = strstr(before, "\" is forbidden");

    if (!tail || !old_tail || strcmp(tail, old_tail))
        return error;
    free(error);
    return xstrdup(before);
}

void replicaset_ctl_sync(struct sim *sim, struct slot *slot) {
    struct set_run *run = slot->attached;
    _cleanup_free_ char *error = NULL, *message = NULL;

    if (ctl_terminating(slot))
        return;
    if (!run) {
        run = xcalloc(1, sizeof *run);
        *run = (struct set_run){.sim = sim, .slot = slot};
        slot->attached = run;
    }
    error = replicate(sim, slot, json_int(json_object_get(slot->now->body, "spec"), "replicas", 1));
    simloop_disarm(sim->loop, &run->retry);
    if (error) {
        error = steady(slot, error);
        message = xasprintf("Error creating: %s", error);
        ctl_event(sim, slot, "Warning", "FailedCreate", message);
        simloop_arm(sim->loop, &run->retry, sim_delay_us(sim, RETRY_MS), on_retry, run);
    }
    write_status(sim, slot, error);
}
