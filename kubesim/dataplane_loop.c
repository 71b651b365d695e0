/* kubesim/dataplane_loop.c: epoll, a heap of timers, a fair lock. */
#include "kubesim/dataplane_loop.h"
#include "base/clock.h"
#include "base/status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EVENTS = 256, BACKLOG = 4096 };

static void heap_put(struct loop *loop, size_t place, struct timer *timer) {
    loop->heap[place] = timer;
    timer->place = place;
}

static void heap_up(struct loop *loop, size_t place) {
    struct timer *timer = loop->heap[place];

    for (; place > 1 && loop->heap[place / 2]->at_us > timer->at_us; place /= 2)
        heap_put(loop, place, loop->heap[place / 2]);
    heap_put(loop, place, timer);
}

static void heap_down(struct loop *loop, size_t place) {
    struct timer *timer = loop->heap[place];

    for (size_t child; (child = 2 * place) <= loop->timers; place = child) {
        if (child < loop->timers && loop->heap[child + 1]->at_us < loop->heap[child]->at_us)
            child++;
        if (loop->heap[child]->at_us >= timer->at_us)
            break;
        heap_put(loop, place, loop->heap[child]);
    }
    heap_put(loop, place, timer);
}

void loop_timer_cancel(struct loop *loop, struct timer *timer) {
    size_t place = timer->place;
    struct timer *last;

    if (place == 0)
        return;
    timer->place = 0;
    last = loop->heap[loop->timers--];
    if (last == timer)
        return;
    heap_put(loop, place, last);
    heap_up(loop, place);
    heap_down(loop, last->place);
}

void loop_timer_set(struct loop *loop, struct timer *timer, int64_t at_us) {
    loop_timer_cancel(loop, timer);
    if (loop->timers + 2 > loop->heap_room) {
        loop->heap_room = 2 * loop->heap_room + 64;
        loop->heap = xrealloc(loop->heap, loop->heap_room * sizeof *loop->heap);
    }
    timer->at_us = at_us;
    heap_put(loop, ++loop->timers, timer);
    heap_up(loop, loop->timers);
}

static void run_timers(struct loop *loop) {
    int64_t now = loop->timers > 0 ? clock_monotonic_us() : 0;

    while (loop->timers > 0 && loop->heap[1]->at_us <= now) {
        struct timer *timer = loop->heap[1];
        loop_timer_cancel(loop, timer);
        timer->due(loop, timer);
    }
}

static int wait_ms(const struct loop *loop) {
    int64_t left;

    if (loop->timers == 0)
        return -1;
    left = loop->heap[1]->at_us - clock_monotonic_us();
    if (left <= 0)
        return 0;
    return left > 3600 * US_PER_S ? 3600 * 1000 : (int)((left + US_PER_MS - 1) / US_PER_MS);
}

void loop_enter(struct loop *loop) {
    pthread_mutex_lock(&loop->turn);
    pthread_mutex_lock(&loop->state);
    pthread_mutex_unlock(&loop->turn);
}

void loop_leave(struct loop *loop) {
    pthread_mutex_unlock(&loop->state);
}

void loop_bury(struct loop *loop, void *memory) {
    if (loop->burials == loop->burial_room) {
        loop->burial_room = 2 * loop->burial_room + 16;
        loop->buried = xrealloc(loop->buried, loop->burial_room * sizeof *loop->buried);
    }
    loop->buried[loop->burials++] = memory;
}

static void free_buried(struct loop *loop) {
    while (loop->burials > 0)
        free(loop->buried[--loop->burials]);
}

static void *run(void *argument) {
    struct loop *loop = argument;
    struct epoll_event events[EVENTS];
    uint64_t woken;
    int wait = -1;

    for (;;) {
        int n = epoll_wait(loop->epoll, events, EVENTS, wait);

        loop_enter(loop);
        for (int i = 0; i < n && !loop->stopping; i++) {
            struct watch *watch = events[i].data.ptr;
            if (watch == NULL)
                (void)!read(loop->wake, &woken, sizeof woken);
            else if (watch->fd >= 0)
                watch->ready(loop, watch, events[i].events);
        }
        if (!loop->stopping)
            run_timers(loop);
        free_buried(loop);
        wait = wait_ms(loop);
        if (loop->stopping) {
            loop_leave(loop);
            return NULL;
        }
        loop_leave(loop);
    }
}

void loop_start(struct loop *loop) {
    struct epoll_event event = {.events = EPOLLIN};
    struct rlimit files;
    sigset_t all, before;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    *loop = (struct loop){
        .epoll = epoll_create1(EPOLL_CLOEXEC),
        .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .spare = open("/dev/null", O_RDONLY | O_CLOEXEC),
    };
    if (loop->epoll < 0 || loop->wake < 0 ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) < 0)
        die("data plane: %s", strerror(errno));
    pthread_mutex_init(&loop->turn, NULL);
    pthread_mutex_init(&loop->state, NULL);
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&loop->thread, NULL, run, loop) != 0)
        die("data plane: no thread");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void loop_wake(struct loop *loop) {
    uint64_t one = 1;

    if (write(loop->wake, &one, sizeof one) != sizeof one)
        die("data plane: %s", strerror(errno));
}

void loop_stop(struct loop *loop) {
    loop_enter(loop);
    loop->stopping = true;
    loop_leave(loop);
    loop_wake(loop);
    pthread_join(loop->thread, NULL);
}

void loop_done(struct loop *loop) {
    free_buried(loop);
    free(loop->buried);
    free(loop->heap);
    close(loop->epoll);
    close(loop->wake);
    if (loop->spare >= 0)
        close(loop->spare);
    pthread_mutex_destroy(&loop->turn);
    pthread_mutex_destroy(&loop->state);
}

void loop_watch(struct loop *loop, struct watch *watch, int fd, uint32_t interest) {
    struct epoll_event event = {.events = interest, .data.ptr = watch};

    watch->fd = fd;
    watch->interest = interest;
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        die("data plane: epoll_ctl: %s", strerror(errno));
}

void loop_interest(struct loop *loop, struct watch *watch, uint32_t interest) {
    struct epoll_event event = {.events = interest, .data.ptr = watch};

    if (watch->fd < 0 || watch->interest == interest)
        return;
    watch->interest = interest;
    if (epoll_ctl(loop->epoll, EPOLL_CTL_MOD, watch->fd, &event) < 0)
        die("data plane: epoll_ctl: %s", strerror(errno));
}

void loop_close(struct watch *watch) {
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
}

void loop_reset(struct watch *watch) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (watch->fd >= 0)
        (void)setsockopt(watch->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    loop_close(watch);
}

int loop_listen(const char *ip, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, error, fd;

    if (port < 0 || port > 65535 || inet_pton(AF_INET, ip, &address.sin_addr) != 1) {
        errno = EINVAL;
        return -1;
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

int loop_accept(struct loop *loop, int listener, bool *ret_refused) {
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    *ret_refused = false;
    if (fd < 0 && (errno == EMFILE || errno == ENFILE) && loop->spare >= 0) {
        struct watch refused;
        close(loop->spare);
        refused.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        *ret_refused = refused.fd >= 0;
        loop_reset(&refused);
        loop->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return -1;
    }
    if (fd >= 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}
