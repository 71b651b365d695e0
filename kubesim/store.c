#include "kubesim/store.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ring {
    struct event *events;
    uint64_t first, end; /* positions */
    int64_t forgotten;   /* the resourceVersion up to which events are gone */
};

struct store {
    int64_t rv;
    size_t history;
    struct bucket *buckets[KIND_END];
    struct ring rings[KIND_END];
    store_hook_fn *hook;
    void *ctx;
};

/* Versions start from the clock, so that they grow across restarts and a watch that goes on from
 * before a restart is told 410 instead of missing events. */
struct store *store_new(size_t history, store_hook_fn *hook, void *ctx) {
    struct store *s = xcalloc(1, sizeof *s);

    *s = (struct store){
        .rv = clock_now_us() / US_PER_MS, .history = history, .hook = hook, .ctx = ctx};
    for (int i = 0; i < KIND_END; i++) {
        s->rings[i].events = xcalloc(history, sizeof(struct event));
        s->rings[i].forgotten = s->rv;
    }
    return s;
}

static void event_done(struct event *e) {
    object_unref(e->before);
    object_unref(e->after);
    *e = (struct event){0};
}

static void slot_free(struct slot *slot) {
    object_unref(slot->now);
    free(slot->ns);
    free(slot->name);
    free(slot->uid);
    free(slot);
}

void store_free(struct store *s) {
    if (!s)
        return;
    for (int i = 0; i < KIND_END; i++) {
        struct ring *r = &s->rings[i];

        for (uint64_t at = r->first; at < r->end; at++)
            event_done(&r->events[at % s->history]);
        free(r->events);
        while (s->buckets[i]) {
            struct bucket *b = s->buckets[i];

            s->buckets[i] = b->next;
            for (size_t j = 0; j < b->n; j++)
                slot_free(b->slots[j]);
            free(b->slots);
            free(b->ns);
            free(b);
        }
    }
    free(s);
}

int64_t store_version(const struct store *s) {
    return s->rv;
}

struct bucket *store_buckets(struct store *s, KindId kind) {
    return s->buckets[kind];
}

struct bucket *store_bucket(struct store *s, KindId kind, const char *ns) {
    for (struct bucket *b = s->buckets[kind]; b; b = b->next) {
        if (!strcmp(b->ns, ns))
            return b;
    }
    return NULL;
}

static struct bucket *bucket_made(struct store *s, const struct kind *kind, const char *ns) {
    struct bucket **p = &s->buckets[kind->id];
    struct bucket *b;

    while (*p && strcmp((*p)->ns, ns) < 0)
        p = &(*p)->next;
    if (*p && !strcmp((*p)->ns, ns))
        return *p;
    b = xcalloc(1, sizeof *b);
    *b = (struct bucket){.kind = kind, .ns = xstrdup(ns), .next = *p};
    return *p = b;
}

/* The index of `name` in the bucket, or where it belongs. */
static size_t bucket_place(const struct bucket *b, const char *name, bool *ret_found) {
    size_t low = 0, high = b->n;

    *ret_found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(b->slots[middle]->name, name);

        if (!order) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void bucket_named_after(const struct bucket *b, const char *owner, size_t *ret_first,
                        size_t *ret_end) {
    _cleanup_free_ char *prefix = xasprintf("%s-", owner);
    size_t n = strlen(prefix);
    bool found;

    *ret_first = *ret_end = b ? bucket_place(b, prefix, &found) : 0;
    while (b && *ret_end < b->n && !strncmp(b->slots[*ret_end]->name, prefix, n))
        ++*ret_end;
}

struct slot *store_find(struct store *s, KindId kind, const char *ns, const char *name) {
    struct bucket *b = store_bucket(s, kind, ns);
    bool found;
    size_t at;

    if (!b)
        return NULL;
    at = bucket_place(b, name, &found);
    return found ? b->slots[at] : NULL;
}

static struct object *object_stored(struct store *s, const struct kind *kind, json_t *body) {
    struct object *o = xcalloc(1, sizeof *o);
    char rv[24];

    s->rv++;
    snprintf(rv, sizeof rv, "%" PRId64, s->rv);
    json_object_set_new(object_metadata(body), "resourceVersion", json_string(rv));
    *o = (struct object){.refs = 1, .kind = kind, .body = body, .rv = s->rv};
    return o;
}

static void publish(struct store *s, struct slot *slot, struct event event) {
    struct ring *r = &s->rings[slot->kind->id];

    if (r->end - r->first == s->history) {
        struct event *oldest = &r->events[r->first++ % s->history];

        r->forgotten = oldest->after->rv;
        event_done(oldest);
    }
    r->events[r->end++ % s->history] = event;
    s->hook(s->ctx, slot, &event);
}

struct slot *store_create(struct store *s, const struct kind *kind, json_t *body) {
    struct slot *slot = xcalloc(1, sizeof *slot);
    const json_t *metadata = object_metadata(body);
    struct bucket *b = bucket_made(s, kind, kind->namespaced ? object_ns(body) : "");
    bool found;
    size_t at;

    *slot = (struct slot){.kind = kind,
                          .ns = xstrdup(b->ns),
                          .name = xstrdup(object_name(body)),
                          .uid = xstrdup(json_str(metadata, "uid", "")),
                          .now = object_stored(s, kind, body)};
    at = bucket_place(b, slot->name, &found);
    if (found)
        die("%s %s/%s exists already", kind->kind, slot->ns, slot->name);
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 16;
        b->slots = xrealloc(b->slots, b->cap * sizeof(struct slot *));
    }
    memmove(b->slots + at + 1, b->slots + at, (b->n - at) * sizeof(struct slot *));
    b->slots[at] = slot;
    b->n++;
    publish(s, slot, (struct event){.after = object_ref(slot->now)});
    return slot;
}

void store_replace(struct store *s, struct slot *slot, json_t *body) {
    struct object *before = slot->now;

    slot->now = object_stored(s, slot->kind, body);
    publish(s, slot, (struct event){.before = before, .after = object_ref(slot->now)});
}

void store_delete(struct store *s, struct slot *slot) {
    struct bucket *b = store_bucket(s, slot->kind->id, slot->ns);
    struct object *last = object_stored(s, slot->kind, json_deep_copy(slot->now->body));
    bool found;
    size_t at = bucket_place(b, slot->name, &found);

    memmove(b->slots + at, b->slots + at + 1, (b->n - at - 1) * sizeof(struct slot *));
    b->n--;
    publish(s, slot,
            (struct event){.before = object_ref(slot->now), .after = last, .deleted = true});
    slot_free(slot);
}

uint64_t store_first_event(const struct store *s, KindId kind) {
    return s->rings[kind].first;
}

uint64_t store_end_event(const struct store *s, KindId kind) {
    return s->rings[kind].end;
}

const struct event *store_event(const struct store *s, KindId kind, uint64_t at) {
    return &s->rings[kind].events[at % s->history];
}

bool store_events_after(const struct store *s, KindId kind, int64_t rv, uint64_t *ret_at) {
    const struct ring *r = &s->rings[kind];
    uint64_t at = r->end;

    if (rv < r->forgotten)
        return false;
    while (at > r->first && store_event(s, kind, at - 1)->after->rv > rv)
        at--;
    *ret_at = at;
    return true;
}
