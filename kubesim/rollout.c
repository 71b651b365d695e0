#include "kubesim/rollout.h"
#include "base/json.h"
#include "kubesim/controllers.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int64_t amount_of(const json_t *v, int64_t replicas, bool up) {
    const char *text = json_string_value(v);
    int64_t percent;

    if (json_is_integer(v))
        return json_integer_value(v);
    percent = text ? strtoll(text, NULL, 10) * replicas : 0;
    return up ? (percent + 99) / 100 : percent / 100;
}

struct rollout rollout_new(const json_t *spec) {
    const json_t *strategy = json_object_get(spec, "strategy");
    const json_t *rolling = json_object_get(strategy, "rollingUpdate");
    struct rollout r = {.replicas = json_int(spec, "replicas", 1),
                        .recreate = !strcmp(json_str(strategy, "type", ""), "Recreate")};

    r.max_surge = amount_of(json_object_get(rolling, "maxSurge"), r.replicas, true);
    r.max_unavailable = amount_of(json_object_get(rolling, "maxUnavailable"), r.replicas, false);
    if (r.max_unavailable > r.replicas)
        r.max_unavailable = r.replicas;
    if (!r.max_surge && !r.max_unavailable && !r.recreate)
        r.max_unavailable = 1; /* both may round to nothing: it must move all the same */
    return r;
}

int64_t set_wanted(const struct slot *rs) {
    return json_int(json_object_get(rs->now->body, "spec"), "replicas", 0);
}

int64_t set_count(const struct slot *rs, const char *key) {
    return json_int(json_object_get(rs->now->body, "status"), key, 0);
}

void set_scale(struct sim *sim, const struct rollout *r, struct slot *rs, int64_t replicas) {
    json_t *body = ctl_copy(rs), *spec = json_copy(json_object_get(body, "spec"));
    json_t *metadata = object_metadata(body), *annotations;

    if (!json_object_get(metadata, "annotations"))
        json_object_set_new(metadata, "annotations", json_object());
    annotations = json_object_get(metadata, "annotations");
    json_object_set_new(annotations, "deployment.kubernetes.io/desired-replicas",
                        json_sprintf("%" PRId64, r->replicas));
    json_object_set_new(annotations, "deployment.kubernetes.io/max-replicas",
                        json_sprintf("%" PRId64, r->replicas + r->max_surge));
    if (replicas != set_wanted(rs))
        json_object_set_new(metadata, "generation",
                            json_integer(json_int(metadata, "generation", 1) + 1));
    json_object_set_new(spec, "replicas", json_integer(replicas));
    json_object_set_new(body, "spec", spec);
    ctl_write(sim, rs, body);
}

static int64_t sum_wanted(const struct rollout *r) {
    int64_t n = r->new_set ? set_wanted(r->new_set) : 0;

    for (size_t i = 0; i < r->n_old; i++)
        n += set_wanted(r->old_sets[i]);
    return n;
}

static int64_t sum_count(const struct rollout *r, const char *key) {
    int64_t n = r->new_set ? set_count(r->new_set, key) : 0;

    for (size_t i = 0; i < r->n_old; i++)
        n += set_count(r->old_sets[i], key);
    return n;
}

static void recreate(struct sim *sim, struct rollout *r) {
    bool running = false;

    for (size_t i = 0; i < r->n_old; i++) {
        struct bucket *pods = store_bucket(sim->store, KIND_POD, r->old_sets[i]->ns);
        size_t p, end;

        set_scale(sim, r, r->old_sets[i], 0);
        for (bucket_named_after(pods, r->old_sets[i]->name, &p, &end); p < end; p++)
            running = running || ctl_owned_by(pods->slots[p], r->old_sets[i]);
    }
    if (!running)
        set_scale(sim, r, r->new_set, r->replicas);
}

/* Old pods that are not available go first: that costs nothing. */
static void drop_unhealthy(struct sim *sim, struct rollout *r, int64_t most) {
    for (size_t i = 0; i < r->n_old && most > 0; i++) {
        struct slot *rs = r->old_sets[i];
        int64_t n = set_wanted(rs) - set_count(rs, "availableReplicas");

        n = n < most ? n : most;
        if (n > 0) {
            set_scale(sim, r, rs, set_wanted(rs) - n);
            most -= n;
        }
    }
}

static void scale_down_old(struct sim *sim, struct rollout *r, int64_t most) {
    for (size_t i = 0; i < r->n_old && most > 0; i++) {
        struct slot *rs = r->old_sets[i];
        int64_t n = set_wanted(rs) < most ? set_wanted(rs) : most;

        if (n > 0) {
            set_scale(sim, r, rs, set_wanted(rs) - n);
            most -= n;
        }
    }
}

static void roll(struct sim *sim, struct rollout *r) {
    int64_t room = r->replicas + r->max_surge - sum_wanted(r), wanted = set_wanted(r->new_set);
    int64_t least = r->replicas - r->max_unavailable, spare;

    if (wanted > r->replicas) {
        set_scale(sim, r, r->new_set, r->replicas);
    } else if (wanted < r->replicas && room > 0) {
        int64_t missing = r->replicas - wanted;

        set_scale(sim, r, r->new_set, wanted + (missing < room ? missing : room));
    } else {
        set_scale(sim, r, r->new_set, wanted); /* only its annotations may be old */
    }
    spare = sum_wanted(r) - least -
            (set_wanted(r->new_set) - set_count(r->new_set, "availableReplicas"));
    if (spare <= 0)
        return;
    drop_unhealthy(sim, r, spare);
    scale_down_old(sim, r, sum_count(r, "availableReplicas") - least);
}

void rollout_step(struct sim *sim, struct rollout *r) {
    if (r->recreate)
        recreate(sim, r);
    else
        roll(sim, r);
}

static void set_nonzero(json_t *status, const char *key, int64_t n) {
    if (n > 0)
        json_object_set_new(status, key, json_integer(n));
}

json_t *rollout_status(const struct rollout *r) {
    json_t *status = json_object();
    int64_t replicas = sum_count(r, "replicas"), available = sum_count(r, "availableReplicas");
    int64_t wanted = sum_wanted(r);

    set_nonzero(status, "replicas", replicas);
    set_nonzero(status, "updatedReplicas", r->new_set ? set_count(r->new_set, "replicas") : 0);
    set_nonzero(status, "readyReplicas", sum_count(r, "readyReplicas"));
    set_nonzero(status, "availableReplicas", available);
    set_nonzero(status, "unavailableReplicas", wanted - available);
    return status;
}

bool rollout_complete(const struct rollout *r, const json_t *status) {
    return json_int(status, "updatedReplicas", 0) == r->replicas &&
           json_int(status, "replicas", 0) == r->replicas &&
           json_int(status, "availableReplicas", 0) == r->replicas;
}

static int64_t old_replicas(const json_t *status) {
    return json_int(status, "replicas", 0) - json_int(status, "updatedReplicas", 0);
}

bool rollout_got_further(const json_t *before, const json_t *after) {
    return json_int(after, "updatedReplicas", 0) > json_int(before, "updatedReplicas", 0) ||
           json_int(after, "readyReplicas", 0) > json_int(before, "readyReplicas", 0) ||
           json_int(after, "availableReplicas", 0) > json_int(before, "availableReplicas", 0) ||
           old_replicas(after) < old_replicas(before);
}
