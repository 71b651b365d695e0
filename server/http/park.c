/* http/park.c: an abort waits up to ten seconds for the cluster to confirm.  Holding a handler
 * thread (and its database connection) for that would let a dozen impatient people stop the API; so
 * the request is put down here and taken up again when the bus names its topic, each half second (a
 * lost message costs no more), and at its deadline. */
#include "http/park.h"
#include "base/clock.h"
#include "http/exchange.h"

enum { POLL_MS = 500 };

void parking_init(struct parking *p, struct queue *queue) {
    pthread_mutex_init(&p->lock, NULL);
    p->queue = queue;
}

void parking_done(struct parking *p) {
    pthread_mutex_destroy(&p->lock);
}

uint64_t parking_mark(struct parking *p) {
    uint64_t now;

    pthread_mutex_lock(&p->lock);
    now = p->now;
    pthread_mutex_unlock(&p->lock);
    return now;
}

static bool published_since(const struct parking *p, uint64_t mark, uint64_t topic) {
    if (p->now - mark > PARK_RECENT)
        return true;
    for (uint64_t i = mark; i < p->now; i++)
        if (p->recent[i % PARK_RECENT] == topic || p->recent[i % PARK_RECENT] == 0)
            return true;
    return false;
}

bool parking_add(struct parking *p, struct exchange *x) {
    int64_t now_us = clock_monotonic_us();
    bool parked;

    x->park_topic = topic_hash(x->r.park_topic);
    x->park_poll_us = now_us + POLL_MS * US_PER_MS;
    if (x->r.park_until_us < x->park_poll_us)
        x->park_poll_us = x->r.park_until_us;
    pthread_mutex_lock(&p->lock);
    parked = !p->closed && !published_since(p, x->bus_seen, x->park_topic);
    if (parked) {
        x->park_prev = NULL;
        x->park_next = p->head;
        if (p->head)
            p->head->park_prev = x;
        p->head = x;
        p->count++;
    }
    pthread_mutex_unlock(&p->lock);
    return parked;
}

/* Under the lock. */
static void unpark(struct parking *p, struct exchange *x) {
    if (x->park_next)
        x->park_next->park_prev = x->park_prev;
    if (x->park_prev)
        x->park_prev->park_next = x->park_next;
    else
        p->head = x->park_next;
    p->count--;
    queue_push(p->queue, &x->job, false);
}

void parking_publish(struct parking *p, const char *topic) {
    uint64_t hash = topic_hash(topic);

    pthread_mutex_lock(&p->lock);
    p->recent[p->now++ % PARK_RECENT] = hash;
    for (struct exchange *x = p->head, *next; x; x = next) {
        next = x->park_next;
        if (hash == 0 || x->park_topic == hash || x->park_topic == 0)
            unpark(p, x);
    }
    pthread_mutex_unlock(&p->lock);
}

void parking_tick(struct parking *p, int64_t now_us) {
    pthread_mutex_lock(&p->lock);
    for (struct exchange *x = p->head, *next; x; x = next) {
        next = x->park_next;
        if (x->park_poll_us <= now_us)
            unpark(p, x);
    }
    pthread_mutex_unlock(&p->lock);
}

void parking_close(struct parking *p) {
    pthread_mutex_lock(&p->lock);
    p->closed = true;
    while (p->head) {
        p->head->abandoned = true;
        unpark(p, p->head);
    }
    pthread_mutex_unlock(&p->lock);
}

size_t parking_count(struct parking *p) {
    size_t n;

    pthread_mutex_lock(&p->lock);
    n = p->count;
    pthread_mutex_unlock(&p->lock);
    return n;
}

bool parking_closed(struct parking *p) {
    bool closed;

    pthread_mutex_lock(&p->lock);
    closed = p->closed;
    pthread_mutex_unlock(&p->lock);
    return closed;
}
