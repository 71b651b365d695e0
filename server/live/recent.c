/* live/recent.c: a table of few places; two keys of one place drive each other out, which costs
 * them no more than being asked for.
 *
 * Told is written down by topic, not at the answers: who reads does not know yet which topics its
 * answer will depend on, and what was told meanwhile counts too. */
#include "live/recent.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "db/bus.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum {
    PLACES = 256,
    TOPICS = 1024,
    RENEW_MS = RECENT_MS / 2, /* then one asks anew, so that not all do when its time is over */
};

struct kept {
    int64_t began_us;
    bool asked;                   /* it was old enough, and somebody asks anew */
    size_t topics[RECENT_TOPICS]; /* indices of `told` */
    char *key, *etag, *body;      /* owned */
};

struct place {
    pthread_mutex_t lock;
    struct kept *kept; /* owned; under lock */
};

struct recent {
    struct bus *bus;
    pthread_mutex_t telling;      /* the later of two that tell at once writes last */
    _Atomic int64_t told[TOPICS]; /* when, by the topic's hash; 0: never */
    _Atomic int64_t told_anything;
    struct place places[PLACES];
};

static void kept_free(struct kept *k) {
    if (!k)
        return;
    free(k->key);
    free(k->etag);
    free(k->body);
    free(k);
}

static size_t topic_index(const char *topic) {
    return (size_t)(topic_hash(topic) % TOPICS);
}

void recent_tell(struct recent *r, const char *topic) {
    _Atomic int64_t *told = topic ? &r->told[topic_index(topic)] : &r->told_anything;

    pthread_mutex_lock(&r->telling);
    atomic_store(told, clock_monotonic_us());
    pthread_mutex_unlock(&r->telling);
}

static void on_publication(void *ctx, const char *topic) {
    recent_tell(ctx, topic);
}

struct recent *recent_new(struct bus *bus) {
    struct recent *r = xcalloc(1, sizeof *r);

    r->bus = bus;
    pthread_mutex_init(&r->telling, NULL);
    for (size_t i = 0; i < PLACES; i++)
        pthread_mutex_init(&r->places[i].lock, NULL);
    bus_subscribe(bus, on_publication, r);
    return r;
}

void recent_free(struct recent *r) {
    if (!r)
        return;
    for (size_t i = 0; i < PLACES; i++) {
        kept_free(r->places[i].kept);
        pthread_mutex_destroy(&r->places[i].lock);
    }
    pthread_mutex_destroy(&r->telling);
    free(r);
}

/* Told in the microsecond in which it began may have been told before it read, or after. */
static bool holds(const struct recent *r, const struct kept *k) {
    if (clock_monotonic_us() - k->began_us >= RECENT_MS * US_PER_MS || !bus_hears(r->bus) ||
        atomic_load(&r->told_anything) >= k->began_us)
        return false;
    for (size_t i = 0; i < RECENT_TOPICS; i++)
        if (atomic_load(&r->told[k->topics[i]]) >= k->began_us)
            return false;
    return true;
}

static struct place *place_of(struct recent *r, const char *key) {
    return &r->places[topic_hash(key) % PLACES];
}

void recent_keep(struct recent *r, const struct recent_answer *answer) {
    struct place *p = place_of(r, answer->key);
    struct kept *k, *old;

    if (strlen(answer->body) > RECENT_BODY)
        return;
    k = xcalloc(1, sizeof *k);
    k->began_us = answer->began_us;
    for (size_t i = 0; i < RECENT_TOPICS; i++)
        k->topics[i] = topic_index(answer->topics[i]);
    k->key = xstrdup(answer->key);
    k->etag = xstrdup(answer->etag);
    k->body = xstrdup(answer->body);
    pthread_mutex_lock(&p->lock);
    old = p->kept;
    if (old && old->began_us > k->began_us) /* it was read faster */
        old = k;
    else
        p->kept = k;
    pthread_mutex_unlock(&p->lock);
    kept_free(old);
}

bool recent_find(struct recent *r, const char *key, struct arena *arena, const char **ret_etag,
                 char **ret_body) {
    struct place *p = place_of(r, key);
    struct kept *k;
    bool found;

    pthread_mutex_lock(&p->lock);
    k = p->kept;
    found = k && !strcmp(k->key, key) && holds(r, k);
    if (found && !k->asked && clock_monotonic_us() - k->began_us >= RENEW_MS * US_PER_MS) {
        k->asked = true;
        found = false;
    }
    if (found) {
        *ret_etag = arena_strdup(arena, k->etag);
        *ret_body = xstrdup(k->body);
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}
