/* http/server.c: the life of the server: started in order, drained, stopped in the other order. */
#include "http/server.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/metric.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LARGE_BODIES = 4 };

void http_change(struct http_server *s, const struct http_settings *in) {
    const struct http_rate rule[RATE_KINDS] = {in->rate_principal, in->rate_network};
    struct live *live = xcalloc(1, sizeof *live);

    live->log_requests = in->log_requests;
    live->large_bodies_max = in->large_bodies_max ? in->large_bodies_max : LARGE_BODIES;
    live->cors_origins = in->cors_origins;
    live->trusted_proxies = in->trusted_proxies;
    for (RateKind kind = RATE_PRINCIPAL; kind < RATE_KINDS; kind++)
        if (rule[kind].per_s)
            snprintf(live->rate_policy[kind], sizeof live->rate_policy[kind],
                     "\"%s\";q=%lld;w=%lld", rate_names[kind], (long long)rule[kind].burst,
                     (long long)((rule[kind].burst + rule[kind].per_s - 1) / rule[kind].per_s));
    rates_change(s->rates, rule);
    reaper_change(&s->reaper, in->header_timeout_ms, in->idle_timeout_s);
    live->older = atomic_load(&s->live);
    atomic_store(&s->live, live);
}

static void operations_init(struct http_server *s) {
    size_t n = 0;

    while (s->in.routes[n].operation)
        n++;
    s->operations = xcalloc(n + 1, sizeof *s->operations);
    while (n--)
        s->operations[n] = metric_place(LABEL_OPERATION, s->in.routes[n].operation);
}

static void server_init(struct http_server *s) {
    operations_init(s);
    pthread_mutex_init(&s->active_lock, NULL);
    clock_cond_init(&s->active_none);
    s->router = router_new(s->in.routes);
    s->queue = queue_new(s->in.handler_threads, s->in.queue_max);
    parking_init(&s->parking, s->queue);
    streams_init(&s->streams, s->queue, s->in.heartbeat_ms, ticker_nudge, s);
    s->rates = rates_new((struct http_rate[RATE_KINDS]){s->in.rate_principal, s->in.rate_network});
    reaper_init(&s->reaper);
    http_change(s, &s->in);
    ticker_start(s);
}

static void server_free(struct http_server *s) {
    queue_free(s->queue);
    free(s->operations);
    reaper_done(&s->reaper);
    tls_free(s->tls);
    rates_free(s->rates);
    for (struct live *l = atomic_load(&s->live), *older; l; l = older) {
        older = l->older;
        free(l);
    }
    streams_done(&s->streams);
    parking_done(&s->parking);
    router_free(s->router);
    pthread_cond_destroy(&s->active_none);
    pthread_mutex_destroy(&s->active_lock);
    free(s);
}

static bool needs_auth(const struct route *routes) {
    for (; routes->operation; routes++)
        if (strcmp(routes->scope, SCOPE_PUBLIC) != 0)
            return true;
    return false;
}

struct http_server *http_start(const struct http_settings *in, char *reterr, size_t n) {
    const char *fault = http_routes_check(in->routes);
    struct http_server *s;
    struct tls *tls = NULL;
    sigset_t all, before;
    int fd;

    if (!fault && !in->auth && needs_auth(in->routes))
        fault = "routes with scopes need auth";
    if (fault) {
        snprintf(reterr, n, "%s", fault);
        return NULL;
    }
    if (in->tls_cert) {
        tls = tls_new();
        if (!tls_use(tls, in->tls_cert, in->tls_key, reterr, n)) {
            tls_free(tls);
            return NULL;
        }
    }
    fd = listen_open(in->address, in->port, reterr, n);
    if (fd < 0) {
        tls_free(tls);
        return NULL;
    }
    s = xcalloc(1, sizeof *s);
    s->in = *in;
    s->tls = tls;
    if (in->self)
        *in->self = s;
    s->listen_fd = fd;
    s->port = listen_port(fd);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    server_init(s);
    s->daemon = calls_start(s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!s->daemon) {
        snprintf(reterr, n, "the HTTP server did not start: %s", strerrordesc_np(errno));
        close(fd);
        ticker_stop(s);
        queue_close(s->queue);
        server_free(s);
        if (in->self)
            *in->self = NULL;
        return NULL;
    }
    server_listen_to_bus(s);
    return s;
}

int http_port(const struct http_server *s) {
    return s->port;
}

void http_drain(struct http_server *s) {
    atomic_store(&s->draining, true);
}

bool http_draining(const struct http_server *s) {
    return atomic_load(&s->draining);
}

/* Whether no request is under way any more. */
static bool wait_for_requests(struct http_server *s, int timeout_ms) {
    int64_t until_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    bool none;

    pthread_mutex_lock(&s->active_lock);
    while (atomic_load(&s->active) && clock_cond_wait(&s->active_none, &s->active_lock, until_us))
        ;
    none = atomic_load(&s->active) == 0;
    pthread_mutex_unlock(&s->active_lock);
    return none;
}

static void pause_ms(int ms) {
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

/* Requests that are still on their way: on connections accepted a moment ago, and on those whose
 * callers have not yet read an answer with "Connection: close".  Both come within moments or not at
 * all. */
static void wait_for_stragglers(struct http_server *s) {
    enum { STRAGGLERS_MS = 250, QUIET_MS = 50, LOOK_MS = 5 };
    uint64_t seen = atomic_load(&s->requests);

    for (int ms = 0, quiet = 0; ms < STRAGGLERS_MS; ms += LOOK_MS) {
        uint64_t now = atomic_load(&s->requests);

        quiet = now == seen ? quiet + LOOK_MS : 0;
        seen = now;
        if (quiet >= QUIET_MS && reaper_newcomers(&s->reaper) == 0)
            return;
        pause_ms(LOOK_MS);
    }
}

void http_stop(struct http_server *s, int timeout_ms) {
    enum { LAST_ANSWERS_MS = 1000 };

    if (!s)
        return;
    http_drain(s);
    listen_mute(s->listen_fd);
    streams_end(&s->streams, false);
    wait_for_stragglers(s);
    if (!wait_for_requests(s, timeout_ms)) {
        parking_close(&s->parking);
        streams_end(&s->streams, true);
        wait_for_requests(s, LAST_ANSWERS_MS);
    }
    parking_close(&s->parking);
    streams_end(&s->streams, true);
    server_ignore_bus(s);
    ticker_stop(s);
    queue_close(s->queue); /* a handler that runs is waited for: its connection is suspended */
    wait_for_requests(s, LAST_ANSWERS_MS);
    MHD_stop_daemon(s->daemon);
    server_free(s);
}

json_t *http_stats(const struct http_server *in) {
    struct http_server *s =
        (struct http_server *)(uintptr_t)in; /* locks are not part of its value */
    json_t *v = json_object();

    json_object_set_new(v, "connections", json_integer((json_int_t)reaper_count(&s->reaper)));
    json_object_set_new(v, "queued", json_integer((json_int_t)queue_waiting(s->queue)));
    json_object_set_new(v, "parked", json_integer((json_int_t)parking_count(&s->parking)));
    json_object_set_new(v, "streams", json_integer((json_int_t)streams_count(&s->streams)));
    json_object_set_new(v, "requests", json_integer((json_int_t)atomic_load(&s->requests)));
    json_object_set_new(v, "large_bodies", json_integer(atomic_load(&s->large_bodies)));
    json_object_set_new(v, "overloaded", json_integer((json_int_t)atomic_load(&s->overloaded)));
    json_object_set_new(v, "limited", json_integer((json_int_t)atomic_load(&s->limited)));
    json_object_set_new(v, "reaped", json_integer((json_int_t)atomic_load(&s->reaper.reaped)));
    for (int i = 2; i < 6; i++) {
        char name[4] = {(char)('0' + i), 'x', 'x', '\0'};

        json_object_set_new(v, name, json_integer((json_int_t)atomic_load(&s->answers[i])));
    }
    return v;
}
