#include "kubesim/simloop.h"
#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { MAX_HOOKS = 4, MAX_EVENTS = 64 };

struct watched {
    int fd;
    simloop_fn *fn;
    void *ctx;
    struct watched *next;
};

struct simloop {
    int epoll_fd;
    bool stopping;
    struct simloop_timer **heap; /* 1-based */
    size_t n, cap;
    struct watched *watched;
    struct watched *unwatched; /* freed after the round: an event of it may still be queued */
    struct {
        simloop_hook_fn *fn;
        void *ctx;
    } hooks[MAX_HOOKS];
    size_t n_hooks;
};

struct simloop *simloop_new(void) {
    struct simloop *l = xcalloc(1, sizeof *l);

    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll_fd < 0)
        die("epoll_create1: %s", strerror(errno));
    return l;
}

static void free_list(struct watched **list) {
    while (*list) {
        struct watched *w = *list;

        *list = w->next;
        free(w);
    }
}

void simloop_free(struct simloop *l) {
    if (!l)
        return;
    for (size_t i = 1; i <= l->n; i++)
        l->heap[i]->at = 0;
    free_list(&l->watched);
    free_list(&l->unwatched);
    free(l->heap);
    close(l->epoll_fd);
    free(l);
}

static void place(struct simloop *l, size_t at, struct simloop_timer *t) {
    l->heap[at] = t;
    t->at = at;
}

static void sift_up(struct simloop *l, struct simloop_timer *t, size_t at) {
    for (; at > 1 && l->heap[at / 2]->due_us > t->due_us; at /= 2)
        place(l, at, l->heap[at / 2]);
    place(l, at, t);
}

static void sift_down(struct simloop *l, struct simloop_timer *t, size_t at) {
    while (at * 2 <= l->n) {
        size_t child = at * 2;

        if (child < l->n && l->heap[child + 1]->due_us < l->heap[child]->due_us)
            child++;
        if (l->heap[child]->due_us >= t->due_us)
            break;
        place(l, at, l->heap[child]);
        at = child;
    }
    place(l, at, t);
}

void simloop_disarm(struct simloop *l, struct simloop_timer *t) {
    size_t at = t->at;
    struct simloop_timer *last;

    if (!at)
        return;
    t->at = 0;
    last = l->heap[l->n--];
    if (last == t)
        return;
    if (at > 1 && l->heap[at / 2]->due_us > last->due_us)
        sift_up(l, last, at);
    else
        sift_down(l, last, at);
}

void simloop_arm(struct simloop *l, struct simloop_timer *t, int64_t delay_us, simloop_fn *fn,
                 void *ctx) {
    simloop_disarm(l, t);
    *t = (struct simloop_timer){
        .due_us = clock_monotonic_us() + (delay_us > 0 ? delay_us : 0), .fn = fn, .ctx = ctx};
    if (l->n + 1 >= l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->heap = xrealloc(l->heap, l->cap * sizeof(struct simloop_timer *));
    }
    l->n++;
    sift_up(l, t, l->n);
}

void simloop_watch(struct simloop *l, int fd, uint32_t events, simloop_fn *fn, void *ctx) {
    struct watched *w = xcalloc(1, sizeof *w);
    struct epoll_event event = {.events = events, .data.ptr = w};

    *w = (struct watched){.fd = fd, .fn = fn, .ctx = ctx, .next = l->watched};
    l->watched = w;
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl: %s", strerror(errno));
}

void simloop_unwatch(struct simloop *l, int fd) {
    for (struct watched **p = &l->watched; *p; p = &(*p)->next) {
        struct watched *w = *p;

        if (w->fd != fd)
            continue;
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        *p = w->next;
        w->fn = NULL;
        w->next = l->unwatched;
        l->unwatched = w;
        return;
    }
}

void simloop_hook(struct simloop *l, simloop_hook_fn *fn, void *ctx) {
    if (l->n_hooks == MAX_HOOKS)
        die("too many hooks in the loop");
    l->hooks[l->n_hooks].fn = fn;
    l->hooks[l->n_hooks++].ctx = ctx;
}

static void run_timers(struct simloop *l) {
    int64_t now = clock_monotonic_us();

    while (l->n && l->heap[1]->due_us <= now) {
        struct simloop_timer *t = l->heap[1];

        simloop_disarm(l, t);
        t->fn(t->ctx);
    }
}

static int64_t run_hooks(struct simloop *l) {
    int64_t wait = -1;

    for (size_t i = 0; i < l->n_hooks; i++) {
        int64_t w = l->hooks[i].fn(l->hooks[i].ctx);

        if (w >= 0 && (wait < 0 || w < wait))
            wait = w;
    }
    if (l->n) {
        int64_t w = l->heap[1]->due_us - clock_monotonic_us();

        w = w < 0 ? 0 : w;
        if (wait < 0 || w < wait)
            wait = w;
    }
    return wait;
}

void simloop_round(struct simloop *l, bool wait) {
    struct epoll_event events[MAX_EVENTS];
    struct timespec timeout = {0};
    int64_t us;
    int n;

    run_timers(l);
    us = run_hooks(l);
    if (!wait || l->stopping)
        us = 0;
    timeout.tv_sec = us / US_PER_S;
    timeout.tv_nsec = us % US_PER_S * 1000;
    n = epoll_pwait2(l->epoll_fd, events, MAX_EVENTS, us < 0 ? NULL : &timeout, NULL);
    for (int i = 0; i < n; i++) {
        struct watched *w = events[i].data.ptr;

        if (w->fn)
            w->fn(w->ctx);
    }
    free_list(&l->unwatched);
}

void simloop_run(struct simloop *l) {
    while (!l->stopping)
        simloop_round(l, true);
}

void simloop_stop(struct simloop *l) {
    l->stopping = true;
}
