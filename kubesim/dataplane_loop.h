/* kubesim/dataplane_loop.h: the one thread of the data plane: sockets that are watched, timers, and
 * the lock under which both the thread and the callers of dataplane.h touch them.
 *
 * All but loop_start(), loop_stop(), loop_enter(), loop_leave() and loop_wake() need the lock;
 * `ready` and `due` are called with it. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

/* A socket and what to do when it is ready.  Part of the object that it belongs to. */
struct watch {
    int fd; /* owned; -1 once closed: events fetched earlier are then dropped */
    uint32_t interest;
    void (*ready)(struct loop *loop, struct watch *watch, uint32_t events);
};

struct timer {
    int64_t at_us; /* clock_monotonic_us() */
    size_t place;  /* in the heap, from 1; 0 when not set */
    void (*due)(struct loop *loop, struct timer *timer);
};

struct loop {
    int epoll, wake,
        spare; /* spare: a descriptor given up to refuse a connection when none are left */
    bool stopping;
    pthread_t thread;
    pthread_mutex_t turn,
        state; /* who wants `state` holds `turn` first: a busy thread starves none */
    struct timer **heap;
    size_t timers, heap_room;
    void **buried;
    size_t burials, burial_room;
};

void loop_start(struct loop *loop); /* ends the process when it cannot */
void loop_stop(struct loop *loop);  /* joins the thread; the objects are then the caller's */
void loop_done(struct loop *loop);  /* after loop_stop() and the closing of every watch */
void loop_enter(struct loop *loop);
void loop_leave(struct loop *loop);
/* Makes the thread look at its timers: after loop_timer_set() by any other thread. */
void loop_wake(struct loop *loop);

/* Takes over `fd`. */
void loop_watch(struct loop *loop, struct watch *watch, int fd, uint32_t interest);
void loop_interest(struct loop *loop, struct watch *watch, uint32_t interest);
void loop_close(struct watch *watch); /* idempotent */
void loop_reset(struct watch *watch); /* the same, but the peer sees a reset */
void loop_timer_set(struct loop *loop, struct timer *timer, int64_t at_us);
void loop_timer_cancel(struct loop *loop, struct timer *timer); /* idempotent */
/* Frees memory that holds a closed watch, once no fetched event can point into it. */
void loop_bury(struct loop *loop, void *memory);

/* A non-blocking listener; -1 with errno. */
int loop_listen(const char *ip, int port);
/* The next waiting connection, non-blocking and without Nagle; -1 when there is none.  With no
 * descriptor left it resets one and says so in `ret_refused`. */
int loop_accept(struct loop *loop, int listener, bool *ret_refused);
