/* http/reaper.c: libmicrohttpd's timeout is one of inactivity: a byte per second held a connection
 * for as long as the test lasted (measured).  Here every phase of a connection has an end: headers,
 * body and answer at a least rate, idling.
 *
 * Threads: I/O threads report, the ticker's thread judges.  It shuts sockets down under the lock
 * that a connection takes before its socket is closed, so that it can never hit a descriptor that
 * already belongs to somebody else. */
#include "http/reaper.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LEAST_RATE = 8 * 1024, /* bytes per second */
    LINGERS_MAX = 64,
    LINGER_MS = 2000,
    LINGER_BYTES = 32 * 1024 * 1024,
};

struct lingerer {
    struct lingerer *next;
    int fd;
    int64_t until_us;
    size_t bytes;
};

void reaper_init(struct reaper *r) {
    pthread_mutex_init(&r->lock, NULL);
}

void reaper_change(struct reaper *r, int header_timeout_ms, int idle_timeout_s) {
    atomic_store(&r->header_us, header_timeout_ms * US_PER_MS);
    atomic_store(&r->idle_us, idle_timeout_s * US_PER_S);
}

unsigned reaper_idle_s(const struct reaper *r) {
    return (unsigned)(atomic_load(&r->idle_us) / US_PER_S);
}

void reaper_done(struct reaper *r) {
    while (r->lingering) {
        struct lingerer *l = r->lingering;

        r->lingering = l->next;
        close(l->fd);
        free(l);
    }
    pthread_mutex_destroy(&r->lock);
}

struct conn *reaper_opened(struct reaper *r, int fd, const struct sockaddr *remote) {
    struct conn *c = xcalloc(1, sizeof *c);
    struct address peer = address_of(remote);

    c->fd = fd;
    c->peer = address_unmapped(&peer);
    address_text(&c->peer, c->remote);
    atomic_store(&c->deadline_us, clock_monotonic_us() + r->header_us);
    pthread_mutex_lock(&r->lock);
    c->next = r->head;
    if (r->head)
        r->head->prev = c;
    r->head = c;
    r->count++;
    pthread_mutex_unlock(&r->lock);
    return c;
}

void reaper_closed(struct reaper *r, struct conn *c) {
    pthread_mutex_lock(&r->lock);
    if (c->next)
        c->next->prev = c->prev;
    if (c->prev)
        c->prev->next = c->next;
    else
        r->head = c->next;
    r->count--;
    pthread_mutex_unlock(&r->lock);
    free(c);
}

/* The ticker looks now and then: whether it sees this one or the one before is the same to it. */
static void deadline_at(struct conn *c, int64_t us) {
    atomic_store_explicit(&c->deadline_us, us, memory_order_relaxed);
}

static void deadline_in(struct conn *c, int64_t us) {
    deadline_at(c, clock_monotonic_us() + us);
}

static int64_t transfer_us(uint64_t bytes) {
    return (int64_t)(bytes / LEAST_RATE) * US_PER_S;
}

void reaper_reading_headers(const struct reaper *r, struct conn *c, int64_t now_us) {
    int64_t headers_by = now_us + r->header_us;

    atomic_store_explicit(&c->asked, true, memory_order_relaxed);
    /* a first request has had its deadline since the connection began; a later one gets it with its
     * first line */
    if (atomic_load(&c->deadline_us) > headers_by)
        deadline_at(c, headers_by);
}

void reaper_reading_body(const struct reaper *r, struct conn *c, uint64_t bytes) {
    deadline_in(c, r->header_us + transfer_us(bytes));
}

void reaper_answering(const struct reaper *r, struct conn *c, uint64_t bytes, int64_t now_us) {
    deadline_at(c, now_us + r->header_us + transfer_us(bytes));
}

void reaper_no_deadline(struct conn *c) {
    deadline_at(c, 0);
}

void reaper_idle(const struct reaper *r, struct conn *c) {
    deadline_in(c, r->idle_us + r->header_us);
}

void reaper_linger(struct reaper *r, int fd) {
    struct lingerer *l;
    int copy;

    pthread_mutex_lock(&r->lock);
    if (r->lingers < LINGERS_MAX && (copy = fcntl(fd, F_DUPFD_CLOEXEC, 3)) >= 0) {
        l = xcalloc(1, sizeof *l);
        *l = (struct lingerer){.next = r->lingering,
                               .fd = copy,
                               .until_us = clock_monotonic_us() + LINGER_MS * US_PER_MS};
        r->lingering = l;
        r->lingers++;
    }
    pthread_mutex_unlock(&r->lock);
}

/* Whether it is over: the caller is done, or has had enough time and bytes. */
static bool linger_over(struct lingerer *l, int64_t now_us) {
    char sink[16 * 1024];
    ssize_t n;

    do {
        n = recv(l->fd, sink, sizeof sink, MSG_DONTWAIT);
        if (n > 0)
            l->bytes += (size_t)n;
    } while (n > 0 && l->bytes < LINGER_BYTES);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || l->bytes >= LINGER_BYTES ||
           now_us >= l->until_us;
}

static void lingers_tick(struct reaper *r, int64_t now_us) {
    for (struct lingerer **at = &r->lingering; *at;) {
        struct lingerer *l = *at;

        if (!linger_over(l, now_us)) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        r->lingers--;
        close(l->fd);
        free(l);
    }
}

bool reaper_tick(struct reaper *r, int64_t now_us) {
    bool lingering;

    pthread_mutex_lock(&r->lock);
    for (struct conn *c = r->head; c; c = c->next) {
        int64_t deadline_us = atomic_load(&c->deadline_us);

        if (deadline_us == 0 || now_us < deadline_us || c->reaped)
            continue;
        shutdown(c->fd, SHUT_RDWR);
        c->reaped = true;
        atomic_fetch_add(&r->reaped, 1);
    }
    lingers_tick(r, now_us);
    lingering = r->lingering != NULL;
    pthread_mutex_unlock(&r->lock);
    return lingering;
}

size_t reaper_count(struct reaper *r) {
    size_t n;

    pthread_mutex_lock(&r->lock);
    n = r->count;
    pthread_mutex_unlock(&r->lock);
    return n;
}

size_t reaper_newcomers(struct reaper *r) {
    size_t n = 0;

    pthread_mutex_lock(&r->lock);
    for (struct conn *c = r->head; c; c = c->next)
        n += !atomic_load(&c->asked);
    pthread_mutex_unlock(&r->lock);
    return n;
}
