/* tests/unit/http_rate.c: buckets: how many come through, when the next may come, who is counted
 * with whom. */
#include "base/clock.h"
#include "http/rate.h"
#include "tests/support/suite.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const struct http_rate ten_of_twenty[RATE_KINDS] = {{10, 20}, {1000000, 1}};

static struct rate_state state;

static int taken(struct rates *r, uint64_t who, int64_t now_us, int tries) {
    int n = 0;

    for (int i = 0; i < tries; i++)
        n += rates_take(r, RATE_PRINCIPAL, who, now_us, &state);
    return n;
}

START_TEST(rate__a_full_bucket_then_one_each_tenth) {
    struct rates *r = rates_new(ten_of_twenty);
    int64_t now = 1000 * US_PER_S;

    ck_assert(rates_take(r, RATE_PRINCIPAL, 7, now, &state));
    ck_assert_int_eq(state.remaining, 19);
    ck_assert_int_eq(state.full_s, 1);
    ck_assert_int_eq(taken(r, 7, now, 100), 19);
    ck_assert_int_eq(state.remaining, 0);
    ck_assert_int_eq(state.full_s, 2);
    ck_assert_int_eq(state.retry_after_s, 1);
    ck_assert_int_eq(taken(r, 7, now + 99 * US_PER_MS, 10), 0);
    ck_assert_int_eq(taken(r, 7, now + 100 * US_PER_MS, 10), 1);
    ck_assert_int_eq(taken(r, 7, now + US_PER_S, 100), 9);
    ck_assert_int_eq(taken(r, 7, now + 100 * US_PER_S, 100), 20);
    ck_assert_int_eq(taken(r, 8, now + 100 * US_PER_S, 100), 20);
    rates_free(r);
}
END_TEST

START_TEST(rate__over_a_long_time_it_is_the_rate) {
    struct rates *r = rates_new(ten_of_twenty);
    int n = 0;

    for (int64_t ms = 0; ms < 60000; ms++)
        n += taken(r, 7, ms * US_PER_MS + US_PER_S, 1);
    ck_assert_int_ge(n, 10 * 60 + 20 - 1);
    ck_assert_int_le(n, 10 * 60 + 20);
    rates_free(r);
}
END_TEST

START_TEST(rate__nothing_is_limited_without_a_rule) {
    const struct http_rate none[RATE_KINDS] = {{0, 0}, {1, 1}};
    struct rates *r = rates_new(none);

    ck_assert(!rates_limit(r, RATE_PRINCIPAL));
    ck_assert(rates_limit(r, RATE_NETWORK));
    rates_free(r);
}
END_TEST

static uint64_t network(const struct rates *r, const char *text) {
    struct address a;

    ck_assert(address_parse(text, strlen(text), &a));
    a = address_unmapped(&a);
    return rates_of_network(r, &a);
}

START_TEST(rate__networks_are_24_bits_of_ipv4_and_48_of_ipv6) {
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"192.0.2.1", "192.0.2.254", true},
        {"192.0.2.1", "192.0.3.1", false},
        {"192.0.2.1", "::ffff:192.0.2.77", true},
        {"2001:db8:1:2::1", "2001:db8:1:ffff:ffff::", true},
        {"2001:db8:1::1", "2001:db8:2::1", false},
        {"127.0.0.1", "::1", false},
        {"::1", "::2", true},
        {"1.2.3.4", "3.2.1.4", false},
    };
    struct rates *r = rates_new(ten_of_twenty), *other = rates_new(ten_of_twenty);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg((network(r, cases[i].a) == network(r, cases[i].b)) == cases[i].same, "%s %s",
                      cases[i].a, cases[i].b);
    ck_assert(network(r, "192.0.2.1") != network(other, "192.0.2.1")); /* the secret is another */
    rates_free(r);
    rates_free(other);
}
END_TEST

START_TEST(rate__principals_are_issuer_and_subject) {
    const struct principal cases[] = {{.issuer = "a", .subject = "bc"},
                                      {.issuer = "ab", .subject = "c"},
                                      {.issuer = "", .subject = "abc"},
                                      {.issuer = "a-long-issuer", .subject = "12345678"},
                                      {.issuer = "a-long-issuer", .subject = "123456780"}};
    struct rates *r = rates_new(ten_of_twenty);
    const size_t n = sizeof cases / sizeof *cases;

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            ck_assert((rates_of_principal(r, &cases[i]) == rates_of_principal(r, &cases[k])) ==
                      (i == k));
    rates_free(r);
}
END_TEST

/* More callers than places: the table stays as it is, and a caller who empties its bucket all the
 * time is not forgotten for those who come by once. */
START_TEST(rate__the_busiest_are_remembered) {
    struct rates *r = rates_new(ten_of_twenty);
    const uint64_t busy = 5;
    int64_t now = 1000 * US_PER_S;
    int through = taken(r, busy, now, 100);

    for (uint64_t stranger = 1; stranger < 100000; stranger++) {
        ck_assert_int_eq(taken(r, busy + (stranger << 12), now, 1), 1); /* all in one row */
        through += taken(r, busy, now, 1);
    }
    ck_assert_int_eq(through, 20);
    rates_free(r);
}
END_TEST

enum { THREADS = 4, EACH = 50000 };

static void *hammer(void *arg) {
    struct rates *r = arg;
    struct rate_state s;
    long n = 0;

    for (uint64_t i = 0; i < EACH; i++)
        n += rates_take(r, RATE_PRINCIPAL, 1 + i % 64, US_PER_S, &s);
    return (void *)n;
}

START_TEST(rate__threads_share_the_buckets) {
    struct rates *r = rates_new(ten_of_twenty);
    pthread_t thread[THREADS];
    long n = 0;
    void *one;

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, hammer, r), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], &one);
        n += (long)one;
    }
    ck_assert_int_eq(n, 64 * 20);
    rates_free(r);
}
END_TEST

int main(void) {
    return RUN_SUITE("http-rate", 30, rate__a_full_bucket_then_one_each_tenth,
                     rate__over_a_long_time_it_is_the_rate, rate__nothing_is_limited_without_a_rule,
                     rate__networks_are_24_bits_of_ipv4_and_48_of_ipv6,
                     rate__principals_are_issuer_and_subject, rate__the_busiest_are_remembered,
                     rate__threads_share_the_buckets);
}
