/* http/ticker.c: one thread for what happens by the clock: late connections, poll floors,
 * heartbeats, delayed wakes. */
#include "base/clock.h"
#include "http/server.h"

enum { TICK_MS = 100, SOON_MS = 50, LINGER_MS = 10 };

static int64_t in_ms(int ms) {
    return clock_monotonic_us() + ms * US_PER_MS;
}

/* false: the thread is to end. */
static bool ticker_wait(struct http_server *s, int ms) {
    int64_t until = in_ms(ms);
    bool go_on, hurried = ms <= SOON_MS;

    pthread_mutex_lock(&s->tick_lock);
    while (!s->tick_stop) {
        if (s->tick_soon && !hurried) {
            hurried = true;
            until = until < in_ms(SOON_MS) ? until : in_ms(SOON_MS);
        }
        if (!clock_cond_wait(&s->tick_cond, &s->tick_lock, until))
            break;
    }
    s->tick_soon = false;
    go_on = !s->tick_stop;
    pthread_mutex_unlock(&s->tick_lock);
    return go_on;
}

static void *ticker_thread(void *arg) {
    struct http_server *s = arg;
    int ms = TICK_MS;

    while (ticker_wait(s, ms)) {
        int64_t now_us = clock_monotonic_us();

        ms = TICK_MS;
        parking_tick(&s->parking, now_us);
        if (streams_tick(&s->streams, now_us))
            ms = SOON_MS;
        if (reaper_tick(&s->reaper, now_us))
            ms = LINGER_MS;
    }
    return NULL;
}

void ticker_start(struct http_server *s) {

    pthread_mutex_init(&s->tick_lock, NULL);
    clock_cond_init(&s->tick_cond);
    if (pthread_create(&s->ticker, NULL, ticker_thread, s) != 0)
        die("cannot start the ticker's thread");
}

void ticker_nudge(void *server) {
    struct http_server *s = server;

    pthread_mutex_lock(&s->tick_lock);
    if (!s->tick_soon) {
        s->tick_soon = true;
        pthread_cond_signal(&s->tick_cond);
    }
    pthread_mutex_unlock(&s->tick_lock);
}

void ticker_stop(struct http_server *s) {
    pthread_mutex_lock(&s->tick_lock);
    s->tick_stop = true;
    pthread_cond_signal(&s->tick_cond);
    pthread_mutex_unlock(&s->tick_lock);
    pthread_join(s->ticker, NULL);
    pthread_cond_destroy(&s->tick_cond);
    pthread_mutex_destroy(&s->tick_lock);
}
