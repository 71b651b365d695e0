/* The Deployment controller: one ReplicaSet per template, rolled over as kube-controller-manager
 * does. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "kubesim/controllers.h"
#include "kubesim/rollout.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REVISION "deployment.kubernetes.io/revision"
#define HASH     "pod-template-hash"

struct deployment_run {
    struct sim *sim;
    struct slot *slot;
    struct simloop_timer deadline;
    int64_t progressed_us; /* when it last got further; monotonic */
};

static void on_deadline(void *ctx) {
    struct deployment_run *run = ctx;

    ctl_enqueue(run->sim, run->slot);
}

static struct deployment_run *run_of(struct sim *sim, struct slot *slot) {
    struct deployment_run *run = slot->attached;

    if (!run) {
        run = xcalloc(1, sizeof *run);
        *run = (struct deployment_run){
            .sim = sim, .slot = slot, .progressed_us = clock_monotonic_us()};
        slot->attached = run;
    }
    return run;
}

void deployment_ctl_gone(struct sim *sim, struct slot *slot) {
    struct deployment_run *run = slot->attached;

    if (run)
        simloop_disarm(sim->loop, &run->deadline);
    free(run);
    slot->attached = NULL;
}

/* The hash of a pod template, in the letters that Kubernetes uses for it (FNV-1a, as safe text). */
static char *template_hash(const json_t *template, char text[16]) {
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    _cleanup_free_ char *canonical = json_dumps(template, JSON_COMPACT | JSON_SORT_KEYS);
    uint32_t hash = 2166136261u;
    char digits[16];
    size_t i;

    for (const char *c = canonical ? canonical : ""; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    snprintf(digits, sizeof digits, "%" PRIu32, hash);
    for (i = 0; digits[i]; i++)
        text[i] = alphabet[(unsigned char)digits[i] % (sizeof alphabet - 1)];
    text[i] = '\0';
    return text;
}

static int64_t revision_of(const struct slot *rs) {
    const char *text =
        json_str(json_at(rs->now->body, "metadata", "annotations", NULL), REVISION, "0");

    return strtoll(text, NULL, 10);
}

static bool older(const struct slot *a, const struct slot *b) {
    int order =
        strcmp(json_str(json_object_get(a->now->body, "metadata"), "creationTimestamp", ""),
               json_str(json_object_get(b->now->body, "metadata"), "creationTimestamp", ""));

    return order ? order < 0 : revision_of(a) < revision_of(b);
}

/* Fills in the deployment's ReplicaSets, oldest first, the new one apart. */
static void find_sets(struct sim *sim, const struct slot *slot, const char *hash,
                      struct rollout *r) {
    struct bucket *b = store_bucket(sim->store, KIND_REPLICASET, slot->ns);
    size_t i, end, at;

    for (bucket_named_after(b, slot->name, &i, &end); i < end; i++) {
        struct slot *rs = b->slots[i];

        if (!ctl_owned_by(rs, slot) || ctl_terminating(rs))
            continue;
        if (!strcmp(json_str(object_labels(rs->now->body), HASH, ""), hash)) {
            r->new_set = rs;
            continue;
        }
        r->old_sets = xrealloc(r->old_sets, (r->n_old + 1) * sizeof(struct slot *));
        for (at = r->n_old++; at > 0 && older(rs, r->old_sets[at - 1]); at--)
            r->old_sets[at] = r->old_sets[at - 1];
        r->old_sets[at] = rs;
    }
}

static json_t *annotations_for_set(const json_t *deployment, int64_t revision) {
    json_t *annotations = json_copy(json_at(deployment, "metadata", "annotations", NULL));

    if (!annotations)
        annotations = json_object();
    json_object_del(annotations, "kubectl.kubernetes.io/last-applied-configuration");
    json_object_set_new(annotations, REVISION, json_sprintf("%" PRId64, revision));
    return annotations;
}

static void create_set(struct sim *sim, struct slot *slot, struct rollout *r, const char *hash,
                       int64_t revision) {
    const json_t *spec = json_object_get(slot->now->body, "spec");
    json_t *template = json_deep_copy(json_object_get(spec, "template"));
    json_t *selector = json_deep_copy(json_object_get(spec, "selector")), *labels, *body;
    _cleanup_free_ char *name = xasprintf("%s-%s", slot->name, hash);

    if (!json_object_get(selector, "matchLabels"))
        json_object_set_new(selector, "matchLabels", json_object());
    json_object_set_new(json_object_get(selector, "matchLabels"), HASH, json_string(hash));
    labels = json_object_get(object_metadata(template), "labels");
    json_object_set_new(labels, HASH, json_string(hash));
    body = object_new(kind_of(KIND_REPLICASET), slot->ns, name);
    json_object_update_new(object_metadata(body),
                           json_pack("{s:O, s:o, s:o, s:i}", "labels", labels, "annotations",
                                     annotations_for_set(slot->now->body, revision),
                                     "ownerReferences", ctl_owner_reference(slot), "generation",
                                     1));
    json_object_set_new(
        body, "spec",
        json_pack("{s:i, s:o, s:o}", "replicas", 0, "selector", selector, "template", template));
    r->new_set = store_create(sim->store, kind_of(KIND_REPLICASET), body);
    r->created = true;
}

static void annotate_revision(struct sim *sim, struct slot *slot, int64_t revision) {
    json_t *body = ctl_copy(slot), *metadata = object_metadata(body);

    if (!json_object_get(metadata, "annotations"))
        json_object_set_new(metadata, "annotations", json_object());
    json_object_set_new(json_object_get(metadata, "annotations"), REVISION,
                        json_sprintf("%" PRId64, revision));
    ctl_write(sim, slot, body);
}

/* Makes sure that the template has its ReplicaSet and that this one has the highest revision. */
static void ensure_new_set(struct sim *sim, struct slot *slot, struct rollout *r,
                           const char *hash) {
    int64_t newest = 0;

    for (size_t i = 0; i < r->n_old; i++) {
        int64_t revision = revision_of(r->old_sets[i]);

        newest = revision > newest ? revision : newest;
    }
    if (!r->new_set) {
        create_set(sim, slot, r, hash, newest + 1);
    } else if (revision_of(r->new_set) <= newest) {
        annotate_revision(sim, r->new_set, newest + 1);
        r->found = true;
    }
    annotate_revision(sim, slot, revision_of(r->new_set));
}

static void forget_old_sets(struct sim *sim, const json_t *spec, struct rollout *r) {
    int64_t limit = json_int(spec, "revisionHistoryLimit", 10);
    size_t idle = 0;

    for (size_t i = 0; i < r->n_old; i++)
        idle += set_wanted(r->old_sets[i]) == 0 && set_count(r->old_sets[i], "replicas") == 0;
    for (size_t i = 0; i < r->n_old && idle > (size_t)limit;) {
        struct slot *rs = r->old_sets[i];

        if (set_wanted(rs) || set_count(rs, "replicas")) {
            i++;
            continue;
        }
        memmove(r->old_sets + i, r->old_sets + i + 1, (r->n_old - i - 1) * sizeof(struct slot *));
        r->n_old--;
        idle--;
        controllers_delete(sim, rs, -1);
    }
}

static void condition_progress(struct deployment_run *run, const struct rollout *r,
                               const json_t *before, json_t *status) {
    json_t *conditions = json_object_get(status, "conditions");
    const json_t *now = ctl_condition_of(conditions, "Progressing");
    const char *name = r->new_set ? r->new_set->name : "";
    int64_t deadline_s =
        json_int(json_object_get(run->slot->now->body, "spec"), "progressDeadlineSeconds", 600);
    int64_t deadline_us = sim_delay_us(run->sim, deadline_s * 1000), left;
    char message[400];

    if (r->created || r->found || rollout_got_further(before, status))
        run->progressed_us = clock_monotonic_us();
    left = run->progressed_us + deadline_us - clock_monotonic_us();
    simloop_disarm(run->sim->loop, &run->deadline);
    if (rollout_complete(r, status)) {
        snprintf(message, sizeof message, "ReplicaSet \"%s\" has successfully progressed.", name);
        ctl_condition(conditions, "Progressing", "True", "NewReplicaSetAvailable", message);
        return;
    }
    if (now && !strcmp(json_str(now, "reason", ""), "NewReplicaSetAvailable") && !r->created &&
        !r->found && json_int(status, "replicas", 0) == json_int(status, "updatedReplicas", 0))
        return; /* it was rolled out; what pods do afterwards is no progress */
    if (left <= 0) {
        snprintf(message, sizeof message, "ReplicaSet \"%s\" has timed out progressing.", name);
        ctl_condition(conditions, "Progressing", "False", "ProgressDeadlineExceeded", message);
        return;
    }
    simloop_arm(run->sim->loop, &run->deadline, left, on_deadline, run);
    if (r->created || r->found) {
        snprintf(message, sizeof message,
                 r->created ? "Created new replica set \"%s\"" : "Found new replica set \"%s\"",
                 name);
        ctl_condition(conditions, "Progressing", "True",
                      r->created ? "NewReplicaSetCreated" : "FoundNewReplicaSet", message);
    } else if (rollout_got_further(before, status)) {
        snprintf(message, sizeof message, "ReplicaSet \"%s\" is progressing.", name);
        ctl_condition(conditions, "Progressing", "True", "ReplicaSetUpdated", message);
    }
}

static void condition_failure(const struct rollout *r, json_t *conditions) {
    const json_t *failure =
        r->new_set ? ctl_condition_of(json_at(r->new_set->now->body, "status", "conditions", NULL),
                                      "ReplicaFailure")
                   : NULL;

    for (size_t i = 0; !failure && i < r->n_old; i++)
        failure = ctl_condition_of(json_at(r->old_sets[i]->now->body, "status", "conditions", NULL),
                                   "ReplicaFailure");
    if (failure)
        ctl_condition(conditions, "ReplicaFailure", "True", json_str(failure, "reason", ""),
                      json_str(failure, "message", ""));
    else
        ctl_condition_remove(conditions, "ReplicaFailure");
}

static void write_status(struct deployment_run *run, const struct rollout *r) {
    struct slot *slot = run->slot;
    const json_t *before = json_object_get(slot->now->body, "status");
    json_t *body = ctl_copy(slot),
           *conditions = json_deep_copy(json_object_get(before, "conditions"));
    json_t *status = rollout_status(r);
    bool available = json_int(status, "availableReplicas", 0) >= r->replicas - r->max_unavailable;

    if (!conditions)
        conditions = json_array();
    json_object_set_new(status, "observedGeneration",
                        json_integer(json_int(json_object_get(body, "metadata"), "generation", 1)));
    json_object_set_new(status, "conditions", conditions);
    ctl_condition(conditions, "Available", available ? "True" : "False",
                  available ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                  available ? "Deployment has minimum availability."
                            : "Deployment does not have minimum availability.");
    condition_failure(r, conditions);
    condition_progress(run, r, before, status);
    json_object_set_new(body, "status", status);
    ctl_write(run->sim, slot, body);
}

void deployment_ctl_sync(struct sim *sim, struct slot *slot) {
    struct deployment_run *run = run_of(sim, slot);
    json_t *spec = json_incref(json_object_get(slot->now->body, "spec"));
    struct rollout r = rollout_new(spec);
    char hash[16];

    template_hash(json_object_get(spec, "template"), hash);
    find_sets(sim, slot, hash, &r);
    if (!ctl_terminating(slot)) {
        if (!json_bool(spec, "paused", false)) {
            ensure_new_set(sim, slot, &r, hash);
            rollout_step(sim, &r);
            forget_old_sets(sim, spec, &r);
        } else if (r.new_set) {
            set_scale(sim, &r, r.new_set, r.replicas);
        }
        write_status(run, &r);
    }
    free(r.old_sets);
    json_decref(spec);
}
