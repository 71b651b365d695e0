/* What the controllers share: conditions, owners, Events, quotas. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/json.h"
#include "kubesim/controllers.h"
#include <stdio.h>
#include <string.h>

enum { MAX_EVENTS = 1000 }; /* per namespace: Kubernetes forgets them after an hour */

json_t *ctl_copy(const struct slot *slot) {
    json_t *body = json_copy(slot->now->body);
    static const char *const own[] = {"metadata", "status"};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        json_t *part = json_object_get(body, own[i]);

        if (part || i == 0 || slot->kind->has_status)
            json_object_set_new(body, own[i], part ? json_deep_copy(part) : json_object());
    }
    return body;
}

void ctl_write(struct sim *sim, struct slot *slot, json_t *body) {
    if (json_equal(body, slot->now->body))
        json_decref(body);
    else
        store_replace(sim->store, slot, body);
}

bool ctl_owned_by(const struct slot *slot, const struct slot *owner) {
    const json_t *reference;
    size_t i;

    json_array_foreach(json_at(slot->now->body, "metadata", "ownerReferences", NULL), i,
                       reference) {
        if (!strcmp(json_str(reference, "uid", ""), owner->uid))
            return true;
    }
    return false;
}

bool ctl_terminating(const struct slot *slot) {
    return json_at(slot->now->body, "metadata", "deletionTimestamp", NULL) != NULL;
}

json_t *ctl_owner_reference(const struct slot *owner) {
    char version[64];

    return json_pack("[{s:s, s:s, s:s, s:s, s:b, s:b}]", "apiVersion",
                     kind_api_version(owner->kind, version), "kind", owner->kind->kind, "name",
                     owner->name, "uid", owner->uid, "controller", 1, "blockOwnerDeletion", 1);
}

json_t *ctl_condition_of(const json_t *conditions, const char *type) {
    json_t *condition;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)conditions, i, condition) {
        if (!strcmp(json_str(condition, "type", ""), type))
            return condition;
    }
    return NULL;
}

void ctl_condition(json_t *conditions, const char *type, const char *status, const char *reason,
                   const char *message) {
    json_t *condition = ctl_condition_of(conditions, type);
    char now[32];

    kube_time(now);
    if (!condition) {
        condition = json_pack("{s:s}", "type", type);
        json_array_append_new(conditions, condition);
    }
    if (strcmp(json_str(condition, "status", ""), status))
        json_object_set_new(condition, "lastTransitionTime", json_string(now));
    else if (!strcmp(json_str(condition, "reason", ""), reason) &&
             !strcmp(json_str(condition, "message", ""), message))
        return;
    json_object_set_new(condition, "lastUpdateTime", json_string(now));
    json_object_set_new(condition, "status", json_string(status));
    json_object_set_new(condition, "reason", json_string(reason));
    json_object_set_new(condition, "message", json_string(message));
}

void ctl_condition_remove(json_t *conditions, const char *type) {
    for (size_t i = json_array_size(conditions); i-- > 0;) {
        if (!strcmp(json_str(json_array_get(conditions, i), "type", ""), type))
            json_array_remove(conditions, i);
    }
}

char *ctl_random_name(char *text, size_t n) {
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    unsigned char random[32];

    n = n < sizeof random ? n : sizeof random;
    random_bytes(random, n);
    for (size_t i = 0; i < n; i++)
        text[i] = alphabet[random[i] % (sizeof alphabet - 1)];
    text[n] = '\0';
    return text;
}

static struct slot *event_like(struct bucket *b, const char *uid, const char *reason,
                               const char *message) {
    for (size_t i = 0; b && i < b->n; i++) {
        const json_t *body = b->slots[i]->now->body;

        if (!strcmp(json_str(json_object_get(body, "involvedObject"), "uid", ""), uid) &&
            !strcmp(json_str(body, "reason", ""), reason) &&
            !strcmp(json_str(body, "message", ""), message))
            return b->slots[i];
    }
    return NULL;
}

static void forget_oldest_event(struct sim *sim, struct bucket *b) {
    struct slot *oldest = NULL;

    for (size_t i = 0; b && b->n >= MAX_EVENTS && i < b->n; i++) {
        if (!oldest || b->slots[i]->now->rv < oldest->now->rv)
            oldest = b->slots[i];
    }
    if (oldest)
        store_delete(sim->store, oldest);
}

void ctl_event(struct sim *sim, const struct slot *about, const char *type, const char *reason,
               const char *message) {
    struct bucket *b = store_bucket(sim->store, KIND_EVENT, about->ns);
    struct slot *known = event_like(b, about->uid, reason, message);
    char now[32], version[64], suffix[17], name[300];
    json_t *body;

    kube_time(now);
    if (known) {
        body = ctl_copy(known);
        json_object_set_new(body, "count", json_integer(json_int(body, "count", 1) + 1));
        json_object_set_new(body, "lastTimestamp", json_string(now));
        store_replace(sim->store, known, body);
        return;
    }
    forget_oldest_event(sim, b);
    snprintf(name, sizeof name, "%s.%s", about->name, ctl_random_name(suffix, 16));
    body = object_new(kind_of(KIND_EVENT), about->ns, name);
    json_object_update_new(
        body,
        json_pack("{s:{s:s, s:s, s:s, s:s, s:s}, s:s, s:s, s:s, s:i, s:s, s:s, s:{s:s}}",
                  "involvedObject", "apiVersion", kind_api_version(about->kind, version), "kind",
                  about->kind->kind, "namespace", about->ns, "name", about->name, "uid", about->uid,
                  "type", type, "reason", reason, "message", message, "count", 1, "firstTimestamp",
                  now, "lastTimestamp", now, "source", "component", "kubesim"));
    store_create(sim->store, kind_of(KIND_EVENT), body);
}

char *ctl_quota_exceeded(struct sim *sim, const char *ns) {
    struct bucket *quotas = store_bucket(sim->store, KIND_RESOURCEQUOTA, ns);
    struct bucket *pods = store_bucket(sim->store, KIND_POD, ns);
    size_t used = pods ? pods->n : 0;

    for (size_t i = 0; quotas && i < quotas->n; i++) {
        const json_t *hard = json_at(quotas->slots[i]->now->body, "spec", "hard", "pods", NULL);
        long limit = json_is_integer(hard)  ? (long)json_integer_value(hard)
                     : json_is_string(hard) ? strtol(json_string_value(hard), NULL, 10)
                                            : -1;

        if (limit >= 0 && used + 1 > (size_t)limit)
            return xasprintf("exceeded quota: %s, requested: pods=1, used: pods=%zu, limited: "
                             "pods=%ld",
                             quotas->slots[i]->name, used, limit);
    }
    return NULL;
}
