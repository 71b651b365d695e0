/* tests/simulate/cluster.c: the API server and its pods, and the laws that a landing write may not
 * break. */
#include "base/clock.h"
#include "kube/kube.h"
#include "tests/simulate/simulate.h"
#include "worker/observe.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPY(field, text) snprintf(field, sizeof field, "%s", text)

enum { START_MS = 400, SETTLE_S = 30 };

static json_t *templates[VERSIONS]; /* kept for the process's life */

void cluster_keep(void) {
    for (int i = 0; i < VERSIONS; i++)
        templates[i] = json_pack("{s:{s:[{s:s, s:o}]}}", "spec", "containers", "name", "app",
                                 "image", json_sprintf("app:%d", i));
}

static int version_of(const json_t *template_) {
    const char *image =
        json_str(json_array_get(json_at(template_, "spec", "containers", NULL), 0), "image", "");

    return *image ? (int)strtol(image + strlen("app:"), NULL, 10) : -1;
}

bool cluster_sick(int version, int how) {
    return version >= 0 && world.sick[version] & how;
}

static void pods_start(struct object *w) {
    w->ready = 0;
    w->ready_at = world.now + (int64_t)(1 + roll(START_MS)) * US_PER_MS;
}

void cluster_begin(void) {
    world.revision = 100;
    for (int i = 0; i < OBJECTS; i++)
        world.object[i] = (struct object){.exists = true, .revision = ++world.revision};
    world.object[WORKLOAD + COLOR_BLUE].replicas = 1 + (int)roll(3);
    world.object[WORKLOAD + COLOR_BLUE].version = 1;
    world.object[WORKLOAD + COLOR_BLUE].ready = world.object[WORKLOAD + COLOR_BLUE].replicas;
    if (roll(2))
        world.object[WORKLOAD + COLOR_GREEN].replicas = 1;
    world.object[WORKLOAD + COLOR_GREEN].ready = world.object[WORKLOAD + COLOR_GREEN].replicas;
    world.endpoints[COLOR_BLUE] = world.object[WORKLOAD + COLOR_BLUE].ready;
    cluster_remember();
}

static void endpoints_follow(void) {
    for (Color c = COLOR_BLUE; c < COLORS; c++)
        world.endpoints[c] =
            world.object[SERVICE].selector == c ? world.object[WORKLOAD + c].ready : 0;
}

bool cluster_move(void) {
    bool moved = false;

    for (Color c = COLOR_BLUE; c < COLORS; c++) {
        struct object *w = &world.object[WORKLOAD + c];

        if (w->ready_at && w->ready_at <= world.now) {
            w->ready_at = 0;
            w->ready = cluster_sick(w->version, SICK_NEVER_READY) ? 0 : w->replicas;
            moved = true;
        } else if (w->ready > 0 && cluster_sick(w->version, SICK_LATER) && chance(8)) {
            w->ready = 0;
            moved = true;
        }
    }
    if (moved && !world.endpoints_at)
        world.endpoints_at = world.now + (int64_t)roll(20) * US_PER_MS;
    if (world.endpoints_at && world.endpoints_at <= world.now) {
        world.endpoints_at = 0;
        endpoints_follow();
        moved = true;
    }
    return moved;
}

void cluster_heal(void) {
    memset(world.sick, 0, sizeof world.sick);
    for (Color c = COLOR_BLUE; c < COLORS; c++)
        pods_start(&world.object[WORKLOAD + c]);
}

int64_t cluster_next(void) {
    int64_t next = world.endpoints_at;

    for (Color c = COLOR_BLUE; c < COLORS; c++) {
        int64_t at = world.object[WORKLOAD + c].ready_at;

        if (at && (!next || at < next))
            next = at;
    }
    return next;
}

struct sight cluster_now(void) {
    struct sight s = {.at = world.now};

    memcpy(s.object, world.object, sizeof s.object);
    memcpy(s.endpoints, world.endpoints, sizeof s.endpoints);
    return s;
}

bool cluster_away(void) {
    return world.now < world.away_until;
}

void cluster_remember(void) {
    if (!cluster_away())
        world.cache = cluster_now();
}

/* ---- looking ---- */

void cluster_see(const struct sight *from, struct seen *ret) {
    const struct object *s = &from->object[SERVICE];

    *ret = (struct seen){.now_us = world.now, .reachable = true};
    ret->service = (struct seen_service){
        .exists = true, .epoch = s->epoch, .color_known = true, .color = s->selector, .port = 80};
    COPY(ret->service.color_text, color_names[s->selector]);
    COPY(ret->service.op, s->op);
    for (Color c = COLOR_BLUE; c < COLORS; c++) {
        const struct object *o = &from->object[WORKLOAD + c];
        struct seen_workload *w = &ret->workload[c];

        ret->service.endpoints_ready[c] = from->endpoints[c];
        w->exists = o->exists;
        w->replicas = w->status_replicas = w->updated = w->pods = o->replicas;
        w->pods_ready = w->available = o->ready;
        w->epoch = o->epoch;
        COPY(w->uid, color_names[c]);
        COPY(w->op, o->op);
        snprintf(w->template_hash, sizeof w->template_hash, "h%d", o->version);
        snprintf(w->version, sizeof w->version, "v%d", o->version);
        snprintf(w->image, sizeof w->image, "app:%d", o->version);
        COPY(w->strategy, "{\"type\":\"RollingUpdate\"}");
        ret->template_[c] = json_incref(templates[o->version]);
    }
}

static void unreachable(struct seen *ret) {
    *ret = (struct seen){.now_us = world.now};
    COPY(ret->error, "no answer");
}

/* What the watch cache is good for: it shows each object as our own last write left it, or later.
 */
static bool cache_follows(const struct journal *j) {
    for (size_t i = 0; i < j->count; i++) {
        const struct intent *n = &j->intents[i];
        int object = strcmp(n->kind, "Service") == 0 ? SERVICE
                     : strcmp(n->name, "blue") == 0  ? WORKLOAD + COLOR_BLUE
                                                     : WORKLOAD + COLOR_GREEN;

        if (n->result == INTENT_DONE &&
            world.cache.object[object].revision < strtoll(n->resource_version, NULL, 10))
            return false;
    }
    return true;
}

/* What may be older than the objects that are read by name. */
static void pods_of_cache(struct sight *look) {
    look->at = world.cache.at;
    for (Color color = COLOR_BLUE; color < COLORS; color++)
        look->object[WORKLOAD + color].ready = world.cache.object[WORKLOAD + color].ready;
}

static void see(bool objects_old, bool pods_old, struct seen *ret) {
    struct sight now;

    if (!elsewhere() || cluster_away() || (!world.calm && chance((unsigned)world.faults / 4))) {
        unreachable(ret);
        return;
    }
    now = cluster_now();
    if (objects_old && roll(2))
        now = world.cache;
    else if (pods_old && roll(2))
        pods_of_cache(&now);
    cluster_see(&now, ret);
}

void observe_after_writes(struct kube_cluster *c, const struct plan *p, const struct journal *j,
                          struct seen *ret) {
    (void)c, (void)p;
    see(cache_follows(j), true, ret);
}

void observe_named(struct kube_cluster *c, const struct plan *p, const struct journal *j,
                   struct seen *ret) {
    (void)c, (void)p, (void)j;
    see(false, true, ret);
}

void observe_fresh(struct kube_cluster *c, const struct plan *p, const struct journal *j,
                   struct seen *ret) {
    (void)c, (void)p;
    see(j->count > 0 && cache_follows(j), false, ret);
    ret->fresh = true;
}

void observe_cutover(struct kube_cluster *c, const struct plan *p, const struct journal *j,
                     json_t *service, struct seen *ret) {
    struct sight *look = &world.running->look;

    (void)c, (void)p, (void)service;
    if (!elsewhere() || cluster_away()) {
        unreachable(ret);
        return;
    }
    *look = cluster_now();
    look->object[SERVICE] = world.running->service;
    if (world.wrong == WRONG_OLD_LOOK ||
        (cache_follows(j) && roll(2))) /* pods may come from there, objects not */
        pods_of_cache(look);
    cluster_see(look, ret);
}

void observe_cached(struct kube_cluster *c, const json_t *spec, struct seen *ret) {
    (void)c, (void)spec;
    if (chance((unsigned)world.faults))
        unreachable(ret);
    else
        cluster_see(&world.cache, ret);
}

/* ---- a write lands ---- */

static void land_selector(struct deployed *d, const struct sent *s, Color color) {
    struct object *service = &world.object[SERVICE];
    struct object *to = &world.object[WORKLOAD + color];
    bool forward = strcmp(s->purpose, "switch") == 0;

    if (forward) {
        HOLDS(!d->taken_back, "law 5: %s moves traffic after what took it back was confirmed",
              d->id);
        HOLDS(d->cut, "law 4: %s moves traffic without a cut-over", d->id);
        HOLDS(!d->withdrawn, "law 4: %s moves traffic though its gates closed before", d->id);
        HOLDS(color == d->target, "law 5: %s moves traffic to %s", d->id, color_names[color]);
        HOLDS(service->selector == color || ++d->switches <= 1, "law 5: %s switches twice", d->id);
        HOLDS(to->replicas > 0 && (to->version == d->version), "law 6: %s serves v%d x%d",
              color_names[color], to->version, to->replicas);
    }
    if (service->selector != color) {
        world.object[WORKLOAD + service->selector].left_at = world.now;
        service->selector = color;
        to->left_at = 0;
        world.endpoints_at = world.now + (int64_t)(1 + roll(30)) * US_PER_MS;
    }
}

static void land_workload(struct deployed *d, const struct sent *s, const struct flight *f) {
    struct object *w = &world.object[f->object];
    Color color = (Color)(f->object - WORKLOAD);
    bool serves = world.object[SERVICE].selector == color, deploys = strcmp(s->job, "deploy") == 0;

    if (f->version >= 0) {
        HOLDS(!deploys || !serves, "law 5: %s is applied to what serves", d->id);
        if (f->version != w->version) {
            w->version = f->version;
            pods_start(w);
        }
    }
    if (f->replicas >= 0 && f->replicas != w->replicas) {
        HOLDS(f->replicas > 0 || !serves, "law 6: %s (%s) scales what serves to 0", s->purpose,
              s->job);
        HOLDS(f->replicas > w->replicas || !w->left_at ||
                  world.now >= w->left_at + SETTLE_S * US_PER_S || deploys,
              "law 6: %s (%s) scales down what served %lld ms ago", s->purpose, s->job,
              (long long)((world.now - w->left_at) / US_PER_MS));
        w->replicas = f->replicas;
        if (w->ready > w->replicas)
            w->ready = w->replicas;
        else
            w->ready_at = world.now + (int64_t)(1 + roll(START_MS)) * US_PER_MS;
    }
}

/* 0 done, else the conflict. */
static bool land(const struct flight *f) {
    struct object *o = &world.object[f->object];
    const struct sent *s = rows_sent(f->op);
    struct deployed *d;
    bool changes;

    if (f->creates ? o->exists
                   : !o->exists || (f->revision != o->revision && world.wrong != WRONG_NO_FENCE))
        return false;
    if (!s) {
        broke("law 8: a write that is not in the journal: %s", f->op);
        return false;
    }
    d = &world.d[s->deployment];
    changes = f->creates || (f->selector >= 0 && (Color)f->selector != o->selector) ||
              (f->replicas >= 0 && f->replicas != o->replicas) ||
              (f->version >= 0 && f->version != o->version);
    if (!changes && world.wrong == WRONG_NOOP_WRITE)
        return true;
    TRACE("lands: %s %s of %s", s->job, s->purpose, d->id);
    /* a seizure of what was pre-empted may be late, of an object that the rollback had no need to
     * write: marks alone (docs/model/README.md) */
    HOLDS(!d->closed || !changes || strcmp(s->job, "clean-up") == 0,
          "%s (%s) of %s lands after its end", s->purpose, s->job, d->id);
    HOLDS(f->epoch >= o->epoch || world.wrong == WRONG_NO_FENCE,
          "I6: the epoch on an object goes back");
    o->exists = true;
    if (f->object == SERVICE && f->selector >= 0)
        land_selector(d, s, (Color)f->selector);
    else if (f->object != SERVICE)
        land_workload(d, s, f);
    if (strncmp(s->purpose, "seize-", 6) == 0)
        d->seized_at = world.now;
    o->revision = ++world.revision;
    o->epoch = f->epoch;
    COPY(o->op, f->op);
    return true;
}

bool cluster_land_one(void) {
    int first = (int)roll(FLIGHTS);

    for (int i = 0; i < FLIGHTS; i++) {
        struct flight *f = &world.flight[(first + i) % FLIGHTS];

        if (!f->used)
            continue;
        f->used = false;
        if (land(f))
            TRACE("it landed late");
        return true;
    }
    return false;
}

/* ---- calls ---- */

static int object_of(KubeKind kind, const char *name) {
    if (kind == KUBE_SERVICE)
        return SERVICE;
    return strcmp(name, "blue") == 0 ? WORKLOAD + COLOR_BLUE : WORKLOAD + COLOR_GREEN;
}

static json_t *object_json(const struct object *o, bool service) {
    json_t *out = json_pack("{s:{s:o, s:{}}, s:{}}", "metadata", "resourceVersion",
                            json_sprintf("%lld", (long long)o->revision), "annotations", "spec");
    json_t *spec = json_object_get(out, "spec");

    if (*o->op) {
        json_t *annotations = json_at(out, "metadata", "annotations", NULL);

        json_object_set_new(annotations, "sluice.dev/op", json_string(o->op));
        json_object_set_new(annotations, "sluice.dev/epoch",
                            json_sprintf("%lld", (long long)o->epoch));
    }
    if (service)
        json_object_set_new(spec, "selector",
                            json_pack("{s:s}", "environment", color_names[o->selector]));
    else
        json_object_set_new(spec, "replicas", json_integer(o->replicas));
    return out;
}

static void unknown(struct kube_result *ret, KubeOutcome outcome, unsigned code) {
    *ret = (struct kube_result){.outcome = outcome, .code = code, .retry_after_s = -1};
    COPY(ret->message, "no answer");
}

static void answer(struct kube_result *ret, int object) {
    *ret = (struct kube_result){.outcome = KUBE_DONE,
                                .code = 200,
                                .retry_after_s = -1,
                                .object = object_json(&world.object[object], object == SERVICE)};
}

void kube_result_done(struct kube_result *r) {
    json_decref(r->object);
    *r = (struct kube_result){0};
}

void kube_get(struct kube_cluster *c, KubeKind kind, const char *namespace_, const char *name,
              struct kube_result *ret) {
    int object = object_of(kind, name);

    (void)c, (void)namespace_;
    if (!elsewhere() || cluster_away() || chance((unsigned)world.faults / 2)) {
        unknown(ret, KUBE_UNKNOWN, 500);
        return;
    }
    if (object == SERVICE)
        world.running->service = world.object[SERVICE];
    if (world.object[object].exists)
        answer(ret, object);
    else
        unknown(ret, KUBE_NOT_FOUND, 404);
    if (!elsewhere()) {
        kube_result_done(ret);
        unknown(ret, KUBE_UNKNOWN, 0);
    }
}

/* Asked for the Service alone. */
json_t *kube_cached(struct kube_cluster *c, KubeKind kind, const char *namespace_,
                    const char *name) {
    (void)c, (void)kind, (void)namespace_, (void)name;
    world.running->service = world.cache.object[SERVICE];
    return object_json(&world.cache.object[SERVICE], true);
}

static struct flight flight_of(int object, const json_t *body, bool creates) {
    const json_t *metadata = json_object_get(body, "metadata"),
                 *spec = json_object_get(body, "spec"),
                 *annotations = json_object_get(metadata, "annotations");
    const char *selector = json_str(json_object_get(spec, "selector"), "environment", NULL);
    struct flight f = {.object = object,
                       .creates = creates,
                       .revision = strtoll(json_str(metadata, "resourceVersion", "-1"), NULL, 10),
                       .epoch = strtoll(json_str(annotations, "sluice.dev/epoch", "0"), NULL, 10),
                       .selector = -1,
                       .replicas = (int)json_int(spec, "replicas", -1),
                       .version = version_of(json_object_get(spec, "template"))};
    Color color;

    COPY(f.op, json_str(annotations, "sluice.dev/op", ""));
    if (color_find(selector, &color))
        f.selector = (int)color;
    return f;
}

/* What is known when a write is sent (law 6: what was seen after seizing, just before it). */
static void sending(const struct flight *f) {
    const struct sent *s = rows_sent(f->op);
    const struct sight *look = &world.running->look;
    const struct deployed *d = s ? &world.d[s->deployment] : NULL;

    if (!s || strcmp(s->purpose, "switch") != 0)
        return;
    HOLDS(look->at >= d->seized_at, "law 6: what %s saw before its seizures counts", d->id);
    HOLDS(look->object[WORKLOAD + d->target].ready >=
              (d->has_from && look->object[WORKLOAD + d->from].replicas > 0
                   ? look->object[WORKLOAD + d->from].replicas
                   : 1),
          "law 6: %s is to serve with %d pods", d->id, look->object[WORKLOAD + d->target].ready);
}

static void put_aside(const struct flight *f) {
    for (int i = 0; i < FLIGHTS; i++)
        if (!world.flight[i].used) {
            world.flight[i] = *f;
            world.flight[i].used = true;
            return;
        }
}

static void write_object(int object, const json_t *body, bool creates, struct kube_result *ret) {
    struct flight f = flight_of(object, body, creates);
    bool fails = chance((unsigned)world.faults);

    unknown(ret, KUBE_UNKNOWN, 0);
    if (!elsewhere())
        return;
    sending(&f);
    if (cluster_away()) {
        unknown(ret, KUBE_UNREACHED, 0);
        return;
    }
    if (fails && roll(3) == 0) {
        unknown(ret, roll(2) ? KUBE_UNKNOWN : KUBE_UNREACHED, 503);
        return;
    }
    if (fails && roll(2)) {
        put_aside(&f);
        TRACE("its answer is late");
        return;
    }
    if (!land(&f)) {
        unknown(ret, KUBE_CONFLICT, 409);
        return;
    }
    if (fails || !elsewhere())
        return;
    answer(ret, object);
}

void kube_patch(struct kube_cluster *c, KubeKind kind, const char *namespace_, const char *name,
                KubePatch how, const json_t *body, bool dry_run, struct kube_result *ret) {
    (void)c, (void)namespace_, (void)how, (void)dry_run;
    write_object(object_of(kind, name), body, false, ret);
}

void kube_create(struct kube_cluster *c, KubeKind kind, const char *namespace_, const json_t *body,
                 bool dry_run, struct kube_result *ret) {
    (void)c, (void)namespace_, (void)dry_run;
    write_object(object_of(kind, json_str(json_object_get(body, "metadata"), "name", "")), body,
                 true, ret);
}

void kube_replace(struct kube_cluster *c, KubeKind kind, const char *namespace_, const char *name,
                  const json_t *body, struct kube_result *ret) {
    (void)c, (void)namespace_;
    write_object(object_of(kind, name), body, false, ret);
}

Status kube_clusters_get(struct kube_clusters *s, const char *name, const json_t *spec,
                         int64_t revision, struct kube_cluster **ret, char *reterr, size_t n) {
    static int one;

    (void)s, (void)name, (void)spec, (void)revision, (void)reterr, (void)n;
    *ret = (void *)&one;
    return STATUS_OK;
}

void kube_cluster_unref(struct kube_cluster *c) {
    (void)c;
}

void kube_watch(struct kube_cluster *c, const char *namespace_) {
    (void)c, (void)namespace_;
}
