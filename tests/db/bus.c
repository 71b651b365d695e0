/* tests/db/bus.c: who hears what, how soon, and what a lost connection costs. */
#include "db/bus.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/support/pg.h"
#include "tests/support/proxy.h"
#include "tests/support/suite.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SOON_MS = 5000 };

struct ear {
    pthread_mutex_t lock;
    pthread_cond_t heard;
    char last[256];
    int topics, anything; /* how many of each */
};

static char *url;

static void setup(void) {
    url = pg_database();
}

static void teardown(void) {
    free(url);
}

static void hear(void *ctx, const char *topic) {
    struct ear *e = ctx;

    pthread_mutex_lock(&e->lock);
    if (topic) {
        e->topics++;
        snprintf(e->last, sizeof e->last, "%s", topic);
    } else {
        e->anything++;
    }
    pthread_cond_broadcast(&e->heard);
    pthread_mutex_unlock(&e->lock);
}

static void ear_init(struct ear *e) {
    memset(e, 0, sizeof *e);
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->heard, NULL);
}

/* Waits until at least so many were heard; says whether they were. */
static bool await(struct ear *e, int topics, int anything) {
    struct timespec until;
    bool heard;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += SOON_MS / 1000;
    pthread_mutex_lock(&e->lock);
    while ((e->topics < topics || e->anything < anything) &&
           pthread_cond_timedwait(&e->heard, &e->lock, &until) == 0)
        ;
    heard = e->topics >= topics && e->anything >= anything;
    pthread_mutex_unlock(&e->lock);
    return heard;
}

static int heard(struct ear *e, const int *what) {
    int n;

    pthread_mutex_lock(&e->lock);
    n = *what;
    pthread_mutex_unlock(&e->lock);
    return n;
}

static bool last_is(struct ear *e, const char *topic) {
    bool is;

    pthread_mutex_lock(&e->lock);
    is = strcmp(e->last, topic) == 0;
    pthread_mutex_unlock(&e->lock);
    return is;
}

static struct bus *bus_with(const char *at, struct ear *e) {
    struct bus *b = bus_new(at);

    ear_init(e);
    bus_subscribe(b, hear, e);
    return b;
}

/* A listener that is up before the subscription tells its "anything" nobody: hence from
 * pg_stat_activity. */
static void await_listeners(long n) {
    int64_t deadline = clock_monotonic_us() + SOON_MS * US_PER_MS;

    while (pg_number(url, "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN sluice'"
                          " AND state = 'idle' AND datname = current_database()") < n)
        ck_assert_int_lt(clock_monotonic_us(), deadline);
}

static void await_hearing(const struct bus *b, bool hears) {
    int64_t deadline = clock_monotonic_us() + SOON_MS * US_PER_MS;

    while (bus_hears(b) != hears)
        ck_assert_int_lt(clock_monotonic_us(), deadline);
}

START_TEST(bus__works_without_a_database) {
    struct ear e;
    struct bus *b = bus_with(NULL, &e);

    ck_assert(bus_hears(b)); /* there is nobody else */
    bus_publish(b, "inopnc/production");
    ck_assert_int_eq(heard(&e, &e.topics), 1); /* at once, on this thread */
    ck_assert(last_is(&e, "inopnc/production"));
    bus_free(b);
}
END_TEST

START_TEST(bus__works_while_the_database_is_away) {
    struct ear e;
    struct bus *b = bus_with("postgresql://127.0.0.1:1/nowhere", &e);
    int64_t start = clock_monotonic_us();
    char topic[32];

    for (int i = 0; i < 2000; i++) {
        snprintf(topic, sizeof topic, "topic-%d", i);
        bus_publish(b, topic);
    }
    ck_assert_int_eq(heard(&e, &e.topics), 2000);
    ck_assert(!bus_hears(b));
    bus_free(b);
    ck_assert_int_le(clock_monotonic_us() - start, 3 * US_PER_S);
}
END_TEST

START_TEST(bus__replicas_hear_each_other_once) {
    struct ear a, b;
    struct bus *first = bus_with(url, &a), *second = bus_with(url, &b);

    await_listeners(2);
    bus_publish(first, "inopnc/production");
    ck_assert(await(&b, 1, 0));
    ck_assert(last_is(&b, "inopnc/production"));
    bus_publish(second, "back");
    ck_assert(await(&a, 2, 0));
    ck_assert(last_is(&a, "back"));
    ck_assert_int_eq(heard(&a, &a.topics), 2); /* its own once, not again by NOTIFY */
    ck_assert_int_eq(heard(&b, &b.topics), 2);
    bus_free(first);
    bus_free(second);
}
END_TEST

START_TEST(bus__bursts_are_coalesced) {
    struct ear a, b;
    struct bus *first = bus_with(url, &a), *second = bus_with(url, &b);

    await_listeners(2);
    for (int i = 0; i < 5000; i++)
        bus_publish(first, i % 2 ? "odd" : "even");
    bus_publish(first, "last");
    ck_assert_int_eq(heard(&a, &a.topics), 5001);
    while (!last_is(&b, "last"))
        ck_assert(await(&b, heard(&b, &b.topics) + 1, 0));
    ck_assert_int_lt(heard(&b, &b.topics), 1000);
    bus_free(first);
    bus_free(second);
}
END_TEST

START_TEST(bus__too_many_topics_become_anything) {
    struct ear a, b;
    struct proxy *proxy = proxy_start(pg_socket());
    const char *at = strstr(url, "?host=");
    _cleanup_free_ char *through =
        xasprintf("%.*s?host=%s&user=postgres", (int)(at - url), url, proxy_directory(proxy));
    struct bus *second = bus_with(url, &b), *first;
    char topic[200];
    int anything;

    await_listeners(1);
    proxy_fault(proxy, PROXY_MUTE, NULL, 0);
    first = bus_with(through, &a);
    anything = heard(&b, &b.anything);
    for (int i = 0; i < 3000; i++) {
        snprintf(topic, sizeof topic, "%0150d", i);
        bus_publish(first, topic);
    }
    proxy_fault(proxy, PROXY_PASS, NULL, 0);
    ck_assert(await(&b, 0, anything + 1));
    bus_free(first);
    bus_free(second);
    proxy_stop(proxy);
}
END_TEST

START_TEST(bus__long_topics_arrive_in_several_payloads) {
    struct ear a, b;
    struct bus *first = bus_with(url, &a), *second = bus_with(url, &b);
    char topic[201];

    await_listeners(2);
    for (int i = 0; i < 300; i++) {
        snprintf(topic, sizeof topic, "%0200d", i);
        bus_publish(first, topic);
    }
    ck_assert(await(&b, 300, 0));
    bus_free(first);
    bus_free(second);
}
END_TEST

START_TEST(bus__reconnected_listener_says_anything) {
    struct ear a, b;
    struct bus *first = bus_with(url, &a), *second = bus_with(url, &b);
    int before;

    await_listeners(2);
    before = heard(&b, &b.anything);
    free(pg_sql(url, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                     " WHERE application_name = 'sluiced-bus' AND datname = current_database()"));
    ck_assert(await(&b, 0, before + 1));
    bus_publish(first, "after");
    ck_assert(await(&b, 1, 0));
    ck_assert(last_is(&b, "after"));
    bus_free(first);
    bus_free(second);
}
END_TEST

START_TEST(bus__restart_of_the_server_is_survived) {
    struct ear a, b;
    struct bus *first = bus_with(url, &a), *second = bus_with(url, &b);
    int before;

    await_listeners(2);
    await_hearing(second, true);
    before = heard(&b, &b.anything);
    pg_crash();
    await_hearing(second, false);
    bus_publish(first, "lost"); /* not by the other: it hears that anything may have changed */
    pg_start_again();
    await_hearing(second, true);
    ck_assert_int_gt(heard(&b, &b.anything), before); /* before it says that it hears */
    bus_free(first);
    bus_free(second);
}
END_TEST

START_TEST(bus__free_sends_what_is_pending) {
    struct ear a, b;
    struct bus *first = bus_with(url, &a), *second = bus_with(url, &b);

    await_listeners(2);
    bus_publish(first, "farewell");
    bus_free(first);
    ck_assert(await(&b, 1, 0));
    ck_assert(last_is(&b, "farewell"));
    bus_free(second);
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE_WITH("bus", 30, setup, teardown, bus__works_without_a_database,
                          bus__works_while_the_database_is_away, bus__replicas_hear_each_other_once,
                          bus__bursts_are_coalesced, bus__too_many_topics_become_anything,
                          bus__long_topics_arrive_in_several_payloads,
                          bus__reconnected_listener_says_anything,
                          bus__restart_of_the_server_is_survived, bus__free_sends_what_is_pending);
}
