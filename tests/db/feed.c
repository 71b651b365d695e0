/* tests/db/feed.c: event streams that ask the same share what PostgreSQL is asked, and none misses
 * a record or has it twice by that. */
#include "handlers/feed.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "db/bus.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include <pthread.h>
#include <string.h>

enum { READERS = 8, KEEP_MS = 600000, LONG_MS = 30000 };

static char *url;
static struct db_pool *pool;
static struct bus *bus;
static struct feeds *feeds;
static int64_t written;
static uint64_t reads_before;

static void setup(void) {
    url = pg_database();
    pool = db_pool_new(
        &(struct db_settings){.url = url, .size = 16, .wait_ms = LONG_MS, .statement_ms = LONG_MS});
    bus = bus_new(NULL);
    feeds = feeds_new(pool, bus, KEEP_MS);
    written = 0;
    reads_before = 0;
}

static void teardown(void) {
    feeds_free(feeds);
    bus_free(bus);
    db_pool_free(pool);
    free(url);
}

#define APPEND                                                                                     \
    "SELECT record_append('%s', '{\"kind\": \"service\"}', 'test', 'test.written', 'x', 'Test.', " \
    "'{}', NULL)"

static void append(const char *chain) {
    free(pg_sql(url, APPEND, chain));
    written++;
}

static void publish(void) {
    bus_publish(bus, "something");
}

struct reader {
    struct feed feed;
    struct arena arena;
    struct strbuf seen;
    StreamState state;
    pthread_t thread;
};

static struct reader reader(struct record_query query) {
    struct reader r = {.seen = STRBUF(16 * 1024 * 1024)};

    r.feed =
        (struct feed){.all = feeds, .query = query, .question = feed_question(&r.arena, &query)};
    return r;
}

static void reader_done(struct reader *r) {
    strbuf_done(&r->seen);
    arena_done(&r->arena);
}

/* As the edge does: again at once while there is more. */
static void fill(struct reader *r) {
    do
        ck_assert_int_eq(feed_fill(&r->feed, &r->seen, &r->state), STATUS_OK);
    while (r->state == STREAM_MORE);
}

static void *fill_thread(void *arg) {
    fill(arg);
    return NULL;
}

static void fill_beside(struct reader *r) {
    ck_assert_int_eq(pthread_create(&r->thread, NULL, fill_thread, r), 0);
}

static int64_t events(const struct reader *r) {
    int64_t n = 0;

    for (const char *at = r->seen.data; at && (at = strstr(at, "\nevent: ")); at++)
        n++;
    return n;
}

static void has_all(const struct reader *r) {
    ck_assert_int_eq(events(r), written);
}

static uint64_t reads(void) {
    uint64_t now = feeds_reads(feeds), n = now - reads_before;

    reads_before = now;
    return n;
}

static void until_waiting(long n) {
    int64_t until_us = clock_monotonic_us() + LONG_MS * US_PER_MS;

    while (pg_number(url, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = "
                          "'record'::regclass") != n)
        ck_assert_msg(clock_monotonic_us() < until_us, "not %ld wait for the records", n);
}

START_TEST(feed__who_asks_the_same_shares_a_look_wherever_they_began) {
    struct reader r[READERS];

    for (int i = 0; i < READERS; i++) {
        append("shop");
        publish();
        r[i] = reader((struct record_query){0});
        fill(&r[i]);
        has_all(&r[i]);
    }
    ck_assert_uint_eq(reads(), READERS); /* each begins by itself */
    for (int round = 0; round < 3; round++) {
        append(round % 2 ? "other" : "shop");
        publish();
        for (int i = READERS; i--;) { /* who is behind comes last: the worst order */
            fill(&r[i]);
            has_all(&r[i]);
            ck_assert_str_eq(r[i].seen.data, r[READERS - 1].seen.data);
        }
        if (round == 0)
            ck_assert_uint_le(reads(), READERS);
        else
            ck_assert_uint_eq(reads(), 1);
    }
    for (int i = 0; i < READERS; i++)
        reader_done(&r[i]);
}
END_TEST

START_TEST(feed__who_is_behind_is_told_from_the_middle_of_a_look) {
    struct reader far = reader((struct record_query){0}), near = reader((struct record_query){0});

    append("shop");
    fill(&far);
    append("shop");
    fill(&near);
    reads();
    append("shop");
    append("other");
    publish();
    fill(&far);
    fill(&near);
    ck_assert_uint_eq(reads(), 1);
    has_all(&far);
    has_all(&near);
    ck_assert_str_eq(far.seen.data, near.seen.data);
    reader_done(&far);
    reader_done(&near);
}
END_TEST

START_TEST(feed__what_was_published_is_seen_by_who_asks_later) {
    struct reader a = reader((struct record_query){0}), b = reader((struct record_query){0}),
                  late = reader((struct record_query){0});

    fill(&a);
    fill(&b);
    fill(&a); /* nothing: kept for ten minutes */
    reads();
    append("shop");
    fill(&b);
    ck_assert_uint_eq(reads(), 0);
    ck_assert_int_eq(events(&b), 0); /* nobody said so */
    fill(&late);
    has_all(&late); /* what it begins with is there, said or not */
    reads();
    publish();
    fill(&b);
    has_all(&b);
    fill(&a);
    has_all(&a);
    ck_assert_uint_eq(reads(), 1);
    reader_done(&a);
    reader_done(&b);
    reader_done(&late);
}
END_TEST

START_TEST(feed__a_look_under_way_is_waited_for_but_not_by_who_heard_more) {
    struct reader before = reader((struct record_query){0}), woken[READERS];
    struct pg_session *locked;

    fill(&before);
    for (int i = 0; i < READERS; i++) {
        woken[i] = reader((struct record_query){0});
        fill(&woken[i]);
    }
    publish();
    reads();
    locked = pg_hold(url, "LOCK TABLE record IN ACCESS EXCLUSIVE MODE");
    fill_beside(&before);
    until_waiting(1);
    publish();
    for (int i = 0; i < READERS; i++)
        fill_beside(&woken[i]);
    until_waiting(2); /* before's look may have begun too early for them */
    pg_let_go(locked, "SELECT record_append('shop', '{\"kind\": \"service\"}', 'test', "
                      "'test.written', 'x', 'Test.', '{}', NULL)");
    written++;
    pthread_join(before.thread, NULL);
    for (int i = 0; i < READERS; i++)
        pthread_join(woken[i].thread, NULL);
    ck_assert_uint_eq(reads(), 2);
    publish();
    fill(&before);
    has_all(&before);
    for (int i = 0; i < READERS; i++) {
        fill(&woken[i]);
        has_all(&woken[i]);
        reader_done(&woken[i]);
    }
    reader_done(&before);
}
END_TEST

START_TEST(feed__what_an_older_transaction_held_back_comes_once) {
    struct reader a = reader((struct record_query){0}), b = reader((struct record_query){0});
    struct pg_session *older;

    append("shop");
    fill(&a);
    fill(&b);
    older = pg_hold(url, "SELECT pg_current_xact_id()");
    append("shop");
    publish();
    fill(&a);
    fill(&b);
    ck_assert_int_eq(events(&a), 1);
    ck_assert_int_eq(events(&b), 1);
    ck_assert_int_eq(a.state, STREAM_SOON); /* most are short */
    for (int i = 0; i < 20; i++)
        fill(&a);
    ck_assert_int_eq(a.state, STREAM_OPEN); /* this one is not: polls are enough */
    pg_let_go(older, "SELECT record_append('other', '{\"kind\": \"service\"}', 'test', "
                     "'test.written', 'x', 'Test.', '{}', NULL)");
    written++;
    publish();
    fill(&b);
    fill(&a);
    has_all(&a);
    ck_assert_str_eq(a.seen.data, b.seen.data);
    ck_assert_int_eq(a.state, STREAM_OPEN);
    reader_done(&a);
    reader_done(&b);
}
END_TEST

START_TEST(feed__many_pages_are_told_once) {
    struct reader a = reader((struct record_query){0}), b = reader((struct record_query){0}),
                  chain = reader((struct record_query){.chain = "shop"}),
                  chain_too = reader((struct record_query){.chain = "shop"});

    fill(&a);
    fill(&chain);
    fill(&chain_too);
    for (int i = 0; i < 250; i++)
        append("shop");
    fill(&b);
    publish();
    reads();
    fill(&chain);
    fill(&chain_too);
    ck_assert_uint_eq(reads(), 3);
    fill(&a);
    fill(&b);
    has_all(&a);
    ck_assert_str_eq(a.seen.data, b.seen.data);
    has_all(&chain);
    ck_assert_str_eq(chain.seen.data, chain_too.seen.data);
    reader_done(&a);
    reader_done(&b);
    reader_done(&chain);
    reader_done(&chain_too);
}
END_TEST

START_TEST(feed__nobody_is_told_what_another_asked) {
    const char *const shop[] = {"shop", NULL}, *const none[] = {NULL};
    struct {
        struct record_query query;
        int64_t sees;
    } cases[] = {{{0}, 2},
                 {{.apps = none}, 0},
                 {{.apps = shop}, 1},
                 {{.app = "shop"}, 1},
                 {{.environment = "shop"}, 0},
                 {{.action = "shop"}, 0},
                 {{.action = "test.written"}, 2},
                 {{.chain = "shop"}, 1},
                 {{.app = "other", .apps = shop}, 0}};
    enum { CASES = sizeof cases / sizeof *cases };
    struct reader r[CASES];

    for (int i = 0; i < CASES; i++) {
        r[i] = reader(cases[i].query);
        fill(&r[i]);
    }
    append("shop");
    append("other");
    publish();
    for (int i = 0; i < CASES; i++) {
        fill(&r[i]);
        ck_assert_int_eq(events(&r[i]), cases[i].sees);
        reader_done(&r[i]);
    }
}
END_TEST

START_TEST(feed__a_shared_look_ends_where_the_deployment_does) {
    static const char id[] = "0190a000-0000-7000-8000-000000000000";
    struct record_query query = {.deployment_id = id};
    struct reader a = reader(query), b = reader(query);
    const char *const actions[] = {"deployment.created", "deployment.succeeded",
                                   "deployment.noted"};

    a.feed.ends = b.feed.ends = true;
    fill(&a);
    fill(&b);
    for (int i = 0; i < 3; i++)
        free(pg_sql(url,
                    "SELECT record_append('shop/production', '{\"kind\": \"user\"}', 'test', "
                    "'%s', 'x', 'Test.', '{}', '%s')",
                    actions[i], id));
    publish();
    reads();
    fill(&a);
    fill(&b);
    ck_assert_uint_eq(reads(), 1);
    ck_assert_int_eq(a.state, STREAM_END);
    ck_assert_int_eq(b.state, STREAM_END);
    ck_assert_int_eq(events(&a), 2);
    ck_assert_str_eq(a.seen.data, b.seen.data);
    reader_done(&a);
    reader_done(&b);
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE_WITH("feed", 120, setup, teardown,
                          feed__who_asks_the_same_shares_a_look_wherever_they_began,
                          feed__who_is_behind_is_told_from_the_middle_of_a_look,
                          feed__what_was_published_is_seen_by_who_asks_later,
                          feed__a_look_under_way_is_waited_for_but_not_by_who_heard_more,
                          feed__what_an_older_transaction_held_back_comes_once,
                          feed__many_pages_are_told_once, feed__nobody_is_told_what_another_asked,
                          feed__a_shared_look_ends_where_the_deployment_does);
}
