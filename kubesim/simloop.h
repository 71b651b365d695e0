/* kubesim/simloop.h: the one thread that everything but the data plane runs on: descriptors,
 * timers, and hooks that run once a round.  Nothing here is thread-safe, and nothing on top needs a
 * lock.
 */
#pragma once
#include "base/clock.h"
#include "base/status.h"
#include <stdbool.h>

struct simloop;
typedef void simloop_fn(void *ctx);
/* Runs once a round; returns how long the loop may wait afterwards in microseconds, -1 for any
 * time. */
typedef int64_t simloop_hook_fn(void *ctx);

/* A timer lives inside the thing that it belongs to; zeroed is disarmed. */
struct simloop_timer {
    int64_t due_us; /* monotonic */
    size_t at;      /* 1-based place in the heap; 0: not armed */
    simloop_fn *fn;
    void *ctx;
};

struct simloop *simloop_new(void);
void simloop_free(struct simloop *l); /* NULL-safe; armed timers are forgotten, not run */
/* (Re-)arms a timer; it fires once.  A negative delay is 0. */
void simloop_arm(struct simloop *l, struct simloop_timer *t, int64_t delay_us, simloop_fn *fn,
                 void *ctx);
void simloop_disarm(struct simloop *l, struct simloop_timer *t);
/* Calls fn whenever fd has any of `events` (EPOLL…); the caller keeps fd open until
 * simloop_unwatch.
 */
void simloop_watch(struct simloop *l, int fd, uint32_t events, simloop_fn *fn, void *ctx);
void simloop_unwatch(struct simloop *l, int fd);
/* Hooks run in the order they were added, after timers and descriptors. */
void simloop_hook(struct simloop *l, simloop_hook_fn *fn, void *ctx);
void simloop_run(struct simloop *l); /* until simloop_stop */
void simloop_round(struct simloop *l, bool wait);
void simloop_stop(struct simloop *l);
