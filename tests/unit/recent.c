/* tests/unit/recent.c: an answer is given again only as long as nothing can have changed it. */
#include "live/recent.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "db/bus.h"
#include "tests/support/suite.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bus *bus;
static struct recent *recent;

/* Without a database everything is heard: there is nobody else. */
static void setup(void) {
    bus = bus_new(NULL);
    recent = recent_new(bus);
}

static void teardown(void) {
    bus_free(bus);
    recent_free(recent);
}

/* A moment after whatever was told before. */
static int64_t begin(void) {
    int64_t before_us = clock_monotonic_us(), now_us;

    do
        now_us = clock_monotonic_us();
    while (now_us == before_us);
    return now_us;
}

static void keep(int64_t began_us, const char *body) {
    recent_keep(recent, &(struct recent_answer){.key = "shop/production",
                                                .etag = "7",
                                                .body = body,
                                                .topics = {"id", "cluster", "seen"},
                                                .began_us = began_us});
}

/* What is given for it: "" when it has to be asked for. */
static const char *given(const char *key) {
    static char text[64];
    _cleanup_(arena_done) struct arena arena = {0};
    _cleanup_free_ char *body = NULL;
    const char *etag = NULL;

    if (!recent_find(recent, key, &arena, &etag, &body))
        return "";
    ck_assert_str_eq(etag, "7");
    snprintf(text, sizeof text, "%s", body);
    return text;
}

/* Again if this thread was held up for longer than an answer is given. */
static const char *kept_and_given(const char *body, const char *told) {
    const char *text;

    do {
        keep(begin(), body);
        if (told)
            bus_publish(bus, told);
        text = given("shop/production");
    } while (!*text);
    return text;
}

START_TEST(recent__is_given_to_whoever_asks_the_same) {
    ck_assert_str_eq(given("shop/production"), "");
    ck_assert_str_eq(kept_and_given("as it was", NULL), "as it was");
    ck_assert_str_eq(given("shop/staging"), "");
}
END_TEST

START_TEST(recent__each_of_its_topics_ends_it) {
    static const char *const topics[] = {"id", "cluster", "seen", NULL};

    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        ck_assert_str_eq(kept_and_given("before", "another"), "before");
        if (topics[i])
            bus_publish(bus, topics[i]);
        else
            recent_tell(recent, NULL);
        ck_assert_str_eq(given("shop/production"), "");
        ck_assert_str_eq(kept_and_given("after", NULL), "after");
    }
}
END_TEST

START_TEST(recent__told_while_it_was_read_it_is_never_given) {
    int64_t began_us = begin();

    bus_publish(bus, "id");
    keep(began_us, "of before or after");
    ck_assert_str_eq(given("shop/production"), "");
}
END_TEST

START_TEST(recent__a_slow_reading_does_not_replace_a_later_one) {
    const char *text;

    do {
        int64_t slow_us = begin();

        keep(begin(), "later");
        keep(slow_us, "earlier");
        text = given("shop/production");
    } while (!*text);
    ck_assert_str_eq(text, "later");
}
END_TEST

START_TEST(recent__age_ends_it) {
    keep(begin() - RECENT_MS * US_PER_MS, "old");
    ck_assert_str_eq(given("shop/production"), "");
    ck_assert_str_eq(kept_and_given("young", NULL), "young");
}
END_TEST

START_TEST(recent__one_asks_anew_before_its_time_is_over) {
    const char *text;

    do {
        keep(begin() - RECENT_MS * US_PER_MS * 2 / 3, "as it was");
        ck_assert_str_eq(given("shop/production"), "");
        text = given("shop/production");
    } while (!*text); /* held up for the rest of its time */
    ck_assert_str_eq(text, "as it was");
}
END_TEST

START_TEST(recent__nothing_is_given_while_others_are_not_heard) {
    struct bus *deaf = bus_new("postgresql://127.0.0.1:1/nowhere");

    recent_free(recent);
    recent = recent_new(deaf);
    keep(begin(), "somebody may have changed it");
    ck_assert_str_eq(given("shop/production"), "");
    bus_free(deaf);
}
END_TEST

START_TEST(recent__what_is_large_is_not_kept) {
    _cleanup_free_ char *large = xcalloc(1, RECENT_BODY + 2);

    memset(large, 'x', RECENT_BODY + 1);
    keep(begin(), large);
    ck_assert_str_eq(given("shop/production"), "");
}
END_TEST

static atomic_int written;
static atomic_bool over;

static void *read_and_keep(void *arg) {
    char text[16];

    (void)arg;
    while (!atomic_load(&over)) {
        int64_t began_us = clock_monotonic_us();

        snprintf(text, sizeof text, "%d", atomic_load(&written));
        keep(began_us, text);
    }
    return NULL;
}

START_TEST(recent__nobody_gets_what_was_before_a_write_that_was_told) {
    enum { READERS = 3, WRITES = 5000 };
    pthread_t readers[READERS];

    for (int i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&readers[i], NULL, read_and_keep, NULL), 0);
    for (int i = 1; i <= WRITES; i++) {
        const char *text;

        atomic_store(&written, i);
        bus_publish(bus, "id");
        do
            text = given("shop/production");
        while (i % 64 == 0 && !*text); /* now and then until there is one */
        if (*text)
            ck_assert_int_eq(strtol(text, NULL, 10), i);
    }
    atomic_store(&over, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
}
END_TEST

int main(void) {
    return RUN_SUITE_WITH(
        "recent", 20, setup, teardown, recent__is_given_to_whoever_asks_the_same,
        recent__each_of_its_topics_ends_it, recent__told_while_it_was_read_it_is_never_given,
        recent__a_slow_reading_does_not_replace_a_later_one, recent__age_ends_it,
        recent__one_asks_anew_before_its_time_is_over,
        recent__nothing_is_given_while_others_are_not_heard, recent__what_is_large_is_not_kept,
        recent__nobody_gets_what_was_before_a_write_that_was_told);
}
