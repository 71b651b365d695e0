/* kubesim/loop.h: the one thread that everything but the data plane runs on: descriptors, timers, and
 * hooks that run once a round.  Nothing here is thread-safe, and nothing on top needs a lock. */
#pragma once
#include "base/status.h"
#include <stdbool.h>

struct loop;
typedef void loop_fn(void *ctx);
/* Runs once a round; returns how long the loop may wait afterwards in microseconds, -1 for any time. */
typedef int64_t loop_hook_fn(void *ctx);

/* A timer lives inside the thing that it belongs to; zeroed is disarmed. */
struct loop_timer {
    int64_t due_us; /* monotonic */
    size_t at;      /* 1-based place in the heap; 0: not armed */
    loop_fn *fn;
    void *ctx;
};

struct loop *loop_new(void);
void loop_free(struct loop *l); /* NULL-safe; armed timers are forgotten, not run */
/* (Re-)arms a timer; it fires once.  A negative delay is 0. */
void loop_arm(struct loop *l, struct loop_timer *t, int64_t delay_us, loop_fn *fn, void *ctx);
void loop_disarm(struct loop *l, struct loop_timer *t);
/* Calls fn whenever fd has any of `events` (EPOLL…); the caller keeps fd open until loop_unwatch. */
void loop_watch(struct loop *l, int fd, uint32_t events, loop_fn *fn, void *ctx);
void loop_unwatch(struct loop *l, int fd);
/* Hooks run in the order they were added, after timers and descriptors. */
void loop_hook(struct loop *l, loop_hook_fn *fn, void *ctx);
void loop_run(struct loop *l); /* until loop_stop */
void loop_round(struct loop *l, bool wait);
void loop_stop(struct loop *l);
