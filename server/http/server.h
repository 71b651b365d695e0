/* http/server.h: what the files of the edge share (internal to http/). */
#pragma once
#include "http/park.h"
#include "http/rate.h"
#include "http/reaper.h"
#include "http/stream.h"
#include "http/tls.h"

/* What http_change changes, as requests see it: each looks once or more, and may see two.  Those
 * that were replaced stay until the end. */
struct live {
    struct live *older;
    bool log_requests;
    int large_bodies_max;
    const char *cors_origins, *trusted_proxies;
    char rate_policy[RATE_KINDS][48]; /* items of the header RateLimit-Policy; "": no limit */
};

struct http_server {
    struct http_settings in;
    struct MHD_Daemon *daemon;
    int listen_fd, port;
    struct tls *tls; /* NULL: none is spoken */
    struct router *router;
    struct queue *queue;
    struct parking parking;
    struct streams streams;
    struct reaper reaper;
    struct rates *rates;
    _Atomic(struct live *) live;
    /* the ticker: one thread for everything that happens by the clock */
    pthread_t ticker;
    pthread_mutex_t tick_lock;
    pthread_cond_t tick_cond;
    bool tick_soon, tick_stop; /* under tick_lock */
    /* requests under way, and what became of them */
    _Atomic size_t active;
    pthread_mutex_t active_lock; /* while draining: */
    pthread_cond_t active_none;  /* active became 0 */
    _Atomic bool draining;
    _Atomic int large_bodies;                                   /* that are held */
    _Atomic uint64_t requests, overloaded, limited, answers[6]; /* answers: by class, 2xx … */
    size_t *operations;       /* of in.routes: their places in the metrics' list */
    struct http_server *next; /* of the running servers (bus.c) */
};

static inline const struct live *live_of(const struct http_server *s) {
    return atomic_load_explicit(&s->live, memory_order_acquire);
}

/* calls.c: the pool of I/O threads; NULL with errno set. */
struct MHD_Daemon *calls_start(struct http_server *s);
/* bus.c: the bus has no way to unsubscribe, so that it must never hold a pointer to a server. */
void server_listen_to_bus(struct http_server *s);
void server_ignore_bus(struct http_server *s);
/* ticker.c */
void ticker_start(struct http_server *s);
void ticker_nudge(void *server); /* tick within 50 ms */
void ticker_stop(struct http_server *s);
/* listen.c: a listening socket, or -1 with a line in reterr. */
int listen_open(const char *address, int port, char *reterr, size_t n);
int listen_port(int fd);
/* Stops accepting: from here on the descriptor is a socket that nobody connects to. */
void listen_mute(int fd);
