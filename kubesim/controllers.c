#include "kubesim/controllers.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "kubesim/kstatus.h"
#include "kubesim/switches.h"
#include "kubesim/watcher.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_DRAIN_US = 5000 }; /* then requests get their turn */

void ctl_enqueue(struct sim *sim, struct slot *slot) {
    struct work_queue *q = &sim->queue;

    if (slot->queued)
        return;
    if (q->n == q->cap) {
        size_t cap = q->cap ? q->cap * 2 : 64;
        struct slot **slots = xcalloc(cap, sizeof(struct slot *));

        for (size_t i = 0; i < q->n; i++)
            slots[i] = q->slots[(q->head + i) % q->cap];
        free(q->slots);
        *q = (struct work_queue){.slots = slots, .n = q->n, .cap = cap};
    }
    slot->queued = true;
    q->slots[(q->head + q->n++) % q->cap] = slot;
}

static struct slot *queue_take(struct work_queue *q) {
    struct slot *slot = q->slots[q->head];

    q->head = (q->head + 1) % q->cap;
    q->n--;
    if (slot)
        slot->queued = false;
    return slot;
}

static void queue_forget(struct work_queue *q, struct slot *slot) {
    for (size_t i = 0; slot->queued && i < q->n; i++) {
        struct slot **at = &q->slots[(q->head + i) % q->cap];

        if (*at == slot)
            *at = NULL;
    }
}

static void sync(struct sim *sim, struct slot *slot) {
    switch ((int)slot->kind->id) {
    case KIND_DEPLOYMENT:
        deployment_ctl_sync(sim, slot);
        break;
    case KIND_REPLICASET:
        replicaset_ctl_sync(sim, slot);
        break;
    case KIND_POD:
        kubelet_sync(sim, slot);
        break;
    case KIND_SERVICE:
        service_ctl_sync(sim, slot);
        break;
    default:
        break;
    }
}

static void gone(struct sim *sim, struct slot *slot) {
    switch ((int)slot->kind->id) {
    case KIND_DEPLOYMENT:
        deployment_ctl_gone(sim, slot);
        break;
    case KIND_REPLICASET:
        replicaset_ctl_gone(sim, slot);
        break;
    case KIND_POD:
        kubelet_gone(sim, slot);
        break;
    case KIND_SERVICE:
        service_ctl_gone(sim, slot);
        break;
    default:
        break;
    }
}

int64_t controllers_drain(void *ctx) {
    struct sim *sim = ctx;

    int64_t until_us = clock_monotonic_us() + MAX_DRAIN_US;

    while (sim->queue.n && clock_monotonic_us() < until_us) {
        struct slot *slot = queue_take(&sim->queue);

        if (slot)
            sync(sim, slot);
    }
    return sim->queue.n ? 0 : -1;
}

/* The objects that `slot` owns through ownerReferences of its kind lose their owner with it. */
static void collect_garbage(struct sim *sim, const struct slot *owner, KindId dependents) {
    struct bucket *b = store_bucket(sim->store, dependents, owner->ns);

    for (size_t i = b ? b->n : 0; i-- > 0;) {
        if (i < b->n && ctl_owned_by(b->slots[i], owner))
            controllers_delete(sim, b->slots[i], -1);
    }
}

/* The controller of `slot`, queued; NULL when there is none of that kind. */
static struct slot *enqueue_owner(struct sim *sim, const struct slot *slot, KindId kind) {
    const json_t *owner = object_controller(slot->now->body);
    struct slot *found =
        owner ? store_find(sim->store, kind, slot->ns, json_str(owner, "name", "")) : NULL;

    if (!found || strcmp(found->uid, json_str(owner, "uid", "")))
        return NULL;
    ctl_enqueue(sim, found);
    return found;
}

static void on_pod(struct sim *sim, const struct slot *slot, const struct event *e) {
    const struct slot *set = enqueue_owner(sim, slot, KIND_REPLICASET);

    if (set && e->deleted)
        enqueue_owner(sim, set, KIND_DEPLOYMENT); /* Recreate waits for the last old pod */
    service_ctl_pod(sim, slot->ns, e->before ? e->before->body : NULL,
                    e->deleted ? NULL : e->after->body);
}

static void on_service(struct sim *sim, const struct slot *slot, const struct event *e) {
    const json_t *before = json_at(e->before ? e->before->body : NULL, "spec", "selector", NULL);
    const json_t *after = json_at(e->after->body, "spec", "selector", NULL);

    if (e->before && !e->deleted && !json_equal(before, after))
        switches_add(sim->switches, slot->ns, slot->name, after);
}

void controllers_on_event(void *ctx, struct slot *slot, const struct event *e) {
    struct sim *sim = ctx;

    watchers_wake(sim->watchers, slot, e);
    if (slot->kind->id == KIND_POD) {
        on_pod(sim, slot, e);
    } else if (slot->kind->id == KIND_REPLICASET) {
        enqueue_owner(sim, slot, KIND_DEPLOYMENT);
    } else if (slot->kind->id == KIND_SERVICE) {
        on_service(sim, slot, e);
    }
    if (!e->deleted) {
        ctl_enqueue(sim, slot);
        return;
    }
    gone(sim, slot);
    queue_forget(&sim->queue, slot);
    if (slot->kind->id == KIND_DEPLOYMENT)
        collect_garbage(sim, slot, KIND_REPLICASET);
    else if (slot->kind->id == KIND_REPLICASET)
        collect_garbage(sim, slot, KIND_POD);
    else if (slot->kind->id == KIND_SERVICE)
        collect_garbage(sim, slot, KIND_ENDPOINTSLICE);
}

void controllers_stop(struct sim *sim) {
    static const KindId kinds[] = {KIND_DEPLOYMENT, KIND_REPLICASET, KIND_POD, KIND_SERVICE};

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (struct bucket *b = store_buckets(sim->store, kinds[k]); b; b = b->next) {
            for (size_t i = 0; i < b->n; i++)
                gone(sim, b->slots[i]);
        }
    }
    free(sim->queue.slots);
    sim->queue = (struct work_queue){0};
}

json_t *controllers_admit(struct sim *sim, const struct kind *kind, json_t *body, bool dry_run) {
    _cleanup_free_ char *over = NULL;

    if (kind->id == KIND_SERVICE && !dry_run)
        return service_ctl_admit(sim, body);
    if (kind->id != KIND_POD)
        return NULL;
    over = ctl_quota_exceeded(sim, object_ns(body));
    return over ? kstatus(403, "Forbidden", "pods \"%s\" is forbidden: %s", object_name(body), over)
                : NULL;
}

void controllers_admit_update(const struct kind *kind, const json_t *before, json_t *body) {
    static const char *const kept[] = {"clusterIP", "clusterIPs"};
    json_t *spec = json_object_get(body, "spec");
    const json_t *was = json_object_get(before, "spec");

    if (kind->id != KIND_SERVICE)
        return;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json_t *value = json_object_get(was, kept[i]);

        if (value && json_is_object(spec) && !*json_str(spec, kept[i], "") &&
            !json_array_size(json_object_get(spec, kept[i])))
            json_object_set(spec, kept[i], value);
    }
}

static bool has_finalizers(const struct slot *slot) {
    return json_array_size(json_at(slot->now->body, "metadata", "finalizers", NULL)) > 0;
}

static void delete_namespace_content(struct sim *sim, const char *ns) {
    for (int k = 0; k < KIND_END; k++) {
        struct bucket *b =
            kind_of((KindId)k)->namespaced ? store_bucket(sim->store, (KindId)k, ns) : NULL;

        for (size_t i = b ? b->n : 0; i-- > 0;) {
            if (i < b->n)
                controllers_delete(sim, b->slots[i], 0);
        }
    }
}

bool controllers_delete(struct sim *sim, struct slot *slot, int grace_s) {
    char now[32];

    if (has_finalizers(slot)) {
        json_t *body = ctl_copy(slot);

        if (!ctl_terminating(slot))
            json_object_set_new(object_metadata(body), "deletionTimestamp",
                                json_string(kube_time(now)));
        ctl_write(sim, slot, body);
        return false;
    }
    if (slot->kind->id == KIND_POD)
        return kubelet_terminate(sim, slot, grace_s);
    if (slot->kind->id == KIND_NAMESPACE)
        delete_namespace_content(sim, slot->name);
    store_delete(sim->store, slot);
    return true;
}

void controllers_finalized(struct sim *sim, struct slot *slot) {
    if (slot->kind->id != KIND_POD && ctl_terminating(slot) && !has_finalizers(slot))
        store_delete(sim->store, slot);
}
