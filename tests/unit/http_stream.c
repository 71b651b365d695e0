/* tests/unit/http_stream.c: requests that wait, and event streams: neither holds a thread, none is
 * lost. */
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "db/bus.h"
#include "http/http.h"
#include "tests/support/raw.h"
#include "tests/support/suite.h"
#include <pthread.h>
#include <stdatomic.h>

static struct bus *bus;

/* ---- a request that waits for a fact ---- */

static _Atomic bool fact;
static _Atomic unsigned looks;

struct waiting {
    int64_t until_us;
};

static Status wait_for_fact(struct request *q, const void *in, struct reply *r) {
    const char *ms = request_query(q, "ms");
    struct waiting *w = q->state;

    (void)in;
    if (!w) {
        w = q->state = arena_alloc(q->arena, sizeof *w);
        w->until_us = clock_monotonic_us() + (ms ? strtol(ms, NULL, 10) : 60000) * US_PER_MS;
    }
    atomic_fetch_add(&looks, 1);
    if (atomic_load(&fact)) {
        r->json = json_pack("{s:i}", "resumed", (int)q->resumed);
        return STATUS_OK;
    }
    if (clock_monotonic_us() >= w->until_us)
        return reply_refuse(r, E_NOT_CONFIRMED, "Not in time.");
    if (request_query(q, "race") && q->resumed == 0) { /* it happens just after we looked */
        atomic_store(&fact, true);
        bus_publish(bus, "env");
    }
    return reply_park(r, "env", w->until_us);
}

static Status quick(struct request *q, const void *in, struct reply *r) {
    (void)q, (void)in;
    r->json = json_object();
    return STATUS_OK;
}

/* ---- event streams ---- */

static _Atomic unsigned last_event, end_at, freed;
static _Atomic uint64_t flooded;

struct feed {
    unsigned told;
    bool flood;
};

static Status feed_fill(void *ctx, struct strbuf *out, StreamState *ret) {
    struct feed *f = ctx;
    unsigned last = atomic_load(&last_event), end = atomic_load(&end_at);

    *ret = STREAM_OPEN;
    while (f->told < last)
        strbuf_addf(out, "id: %u\ndata: event-%u\n\n", f->told + 1, f->told + 1), f->told++;
    if (end && f->told >= end)
        *ret = STREAM_END;
    return STATUS_OK;
}

static Status flood_fill(void *ctx, struct strbuf *out, StreamState *ret) {
    struct feed *f = ctx;

    for (int i = 0; i < 1000; i++)
        strbuf_addf(out, "data: %010u %030d\n\n", f->told++, 0);
    atomic_fetch_add(&flooded, out->len);
    *ret = STREAM_MORE;
    return STATUS_OK;
}

/* Waits for its first event without being told. */
static Status soon_fill(void *ctx, struct strbuf *out, StreamState *ret) {
    Status s = feed_fill(ctx, out, ret);

    if (*ret == STREAM_OPEN && ((struct feed *)ctx)->told == 0)
        *ret = STREAM_SOON;
    return s;
}

static Status refusing_fill(void *ctx, struct strbuf *out, StreamState *ret) {
    (void)ctx, (void)out, (void)ret;
    return E_NOT_FOUND;
}

static void feed_free(void *ctx) {
    (void)ctx; /* in the arena */
    atomic_fetch_add(&freed, 1);
}

static const char *feed_topic(void *ctx) {
    (void)ctx;
    return "feed";
}

static const struct stream_source feed = {
    .fill = feed_fill, .free = feed_free, .topic = feed_topic, .poll_ms = 600000};
static const struct stream_source flood = {
    .fill = flood_fill, .free = feed_free, .poll_ms = 600000};
static const struct stream_source soon = {.fill = soon_fill, .free = feed_free, .poll_ms = 600000};
static const struct stream_source refusing = {.fill = refusing_fill, .free = feed_free};

/* A body in a hundred pieces that takes half a second. */
static Status body_fill(void *ctx, struct strbuf *out, StreamState *ret) {
    struct feed *f = ctx;

    poll(NULL, 0, 5);
    strbuf_addf(out, "line-%u\n", ++f->told);
    *ret = f->told == 100 ? STREAM_END : STREAM_MORE;
    return STATUS_OK;
}

static const struct stream_source body = {
    .fill = body_fill, .free = feed_free, .content_type = "application/x-ndjson"};

static Status open_feed(struct request *q, const void *in, struct reply *r) {
    struct feed *f = arena_alloc(q->arena, sizeof *f);
    const char *last = request_header(q, "Last-Event-ID");

    (void)in;
    f->told = last ? (unsigned)strtoul(last, NULL, 10) : 0;
    if (request_query(q, "body"))
        return reply_stream(r, &body, f);
    if (request_query(q, "soon"))
        return reply_stream(r, &soon, f);
    if (request_query(q, "flood"))
        return reply_stream(r, &flood, f);
    return reply_stream(r, request_query(q, "refuse") ? &refusing : &feed, f);
}

// clang-format off
static const struct route routes[] = {
    {.operation = "wait", .path = "/wait", .scope = SCOPE_PUBLIC, .query = "ms|race", .handler = wait_for_fact},
    {.operation = "quick", .path = "/quick", .scope = SCOPE_PUBLIC, .handler = quick},
    {.operation = "feed", .path = "/feed", .scope = SCOPE_PUBLIC, .query = "flood|refuse|body|soon", .handler = open_feed},
    {0},
};
// clang-format on

static struct http_server *start(int idle_timeout_s) {
    struct http_settings in = {.address = "127.0.0.1",
                               .io_threads = 2,
                               .handler_threads = 1,
                               .max_connections = 500,
                               .queue_max = 400,
                               .header_timeout_ms = 5000,
                               .idle_timeout_s = idle_timeout_s,
                               .heartbeat_ms = 200,
                               .routes = routes};
    struct http_server *s;
    char why[256];

    atomic_store(&fact, false);
    atomic_store(&looks, 0);
    atomic_store(&last_event, 0);
    atomic_store(&end_at, 0);
    atomic_store(&freed, 0);
    atomic_store(&flooded, 0);
    bus = in.bus = bus_new("host=/nonexistent");
    s = http_start(&in, why, sizeof why);
    ck_assert_msg(s != NULL, "%s", why);
    return s;
}

static void stop(struct http_server *s, int timeout_ms) {
    http_stop(s, timeout_ms);
    bus_publish(bus, "feed"); /* nobody is there any more */
    bus_free(bus);
}

static int64_t stat_of(struct http_server *s, const char *name) {
    json_auto_t *v = http_stats(s);

    return json_int(v, name, -1);
}

static void await_stat(struct http_server *s, const char *name, int64_t value) {
    int64_t until_us = clock_monotonic_us() + 10 * US_PER_S;

    while (stat_of(s, name) != value)
        ck_assert_msg(clock_monotonic_us() < until_us, "%s stays %d", name, (int)stat_of(s, name));
}

static void await_freed(unsigned n) {
    int64_t until_us = clock_monotonic_us() + 10 * US_PER_S;

    while (atomic_load(&freed) != n)
        ck_assert_msg(clock_monotonic_us() < until_us, "freed stays %u", atomic_load(&freed));
}

static struct raw_input ask(struct http_server *s, const char *target) {
    struct raw_input in = {.fd = raw_connect(http_port(s))};
    char request[256];

    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target);
    raw_send(in.fd, request);
    return in;
}

/* ---- parks ---- */

START_TEST(park__ends_when_the_bus_names_its_topic) {
    enum { N = 50 };
    struct http_server *s = start(10);
    static struct raw_input in[N];
    struct raw_input other;
    struct raw_answer a;
    int64_t from_us;

    for (int i = 0; i < N; i++)
        in[i] = ask(s, "/wait");
    await_stat(s, "parked", N);
    other = ask(s, "/quick"); /* the only handler thread is free */
    ck_assert_int_eq(raw_answer(&other, &a, 1000), 200);
    bus_publish(bus, "something else");
    atomic_store(&fact, true);
    from_us = clock_monotonic_us();
    bus_publish(bus, "env");
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(raw_answer(&in[i], &a, 2000), 200);
        close(in[i].fd);
    }
    ck_assert_int_lt(clock_monotonic_us() - from_us, 400 * US_PER_MS); /* not by the poll */
    close(other.fd);
    stop(s, 2000);
}
END_TEST

START_TEST(park__a_lost_message_costs_half_a_second) {
    struct http_server *s = start(10);
    struct raw_input in = ask(s, "/wait");
    struct raw_answer a;

    await_stat(s, "parked", 1);
    atomic_store(&fact, true);
    ck_assert_int_eq(raw_answer(&in, &a, 1500), 200);
    close(in.fd);
    stop(s, 2000);
}
END_TEST

START_TEST(park__a_publication_between_look_and_park_is_not_lost) {
    struct http_server *s = start(10);
    int64_t from_us = clock_monotonic_us();
    struct raw_input in = ask(s, "/wait?race=1");
    struct raw_answer a;

    ck_assert_int_eq(raw_answer(&in, &a, 1500), 200);
    ck_assert_int_lt(clock_monotonic_us() - from_us, 300 * US_PER_MS);
    ck_assert_ptr_nonnull(strstr(a.body, "\"resumed\":1"));
    close(in.fd);
    stop(s, 2000);
}
END_TEST

START_TEST(park__ends_at_its_deadline) {
    struct http_server *s = start(10);
    int64_t from_us = clock_monotonic_us(), took_us;
    struct raw_input in = ask(s, "/wait?ms=300");
    struct raw_answer a;

    ck_assert_int_eq(raw_answer(&in, &a, 2000), 504);
    took_us = clock_monotonic_us() - from_us;
    ck_assert_int_ge(took_us, 300 * US_PER_MS);
    ck_assert_int_lt(took_us, 490 * US_PER_MS);
    ck_assert_ptr_nonnull(strstr(a.head, "Retry-After: "));
    close(in.fd);
    stop(s, 2000);
}
END_TEST

START_TEST(park__survives_a_caller_who_went_away) {
    struct http_server *s = start(10);
    struct raw_input in = ask(s, "/wait");

    await_stat(s, "parked", 1);
    close(in.fd);
    atomic_store(&fact, true);
    bus_publish(bus, "env");
    await_stat(s, "parked", 0);
    await_stat(s, "connections", 0);
    stop(s, 2000);
}
END_TEST

START_TEST(park__at_the_end_of_a_drain_is_answered) {
    struct http_server *s = start(10);
    struct raw_input in = ask(s, "/wait");
    int64_t from_us = clock_monotonic_us();
    struct raw_answer a;

    await_stat(s, "parked", 1);
    stop(s, 300);
    ck_assert_int_lt(clock_monotonic_us() - from_us, 2 * US_PER_S);
    ck_assert_int_eq(raw_answer(&in, &a, 1000), 503);
    ck_assert_ptr_nonnull(strstr(a.head, "Retry-After: "));
    close(in.fd);
}
END_TEST

/* ---- streams ---- */

START_TEST(stream__tells_events_beats_and_ends) {
    struct http_server *s = start(10);
    struct raw_input in;
    int64_t from_us;

    atomic_store(&last_event, 2);
    in = ask(s, "/feed");
    ck_assert(raw_await(&in, "Content-Type: text/event-stream\r\n", 1000));
    ck_assert(raw_await(&in, "\r\n\r\n", 1000));
    ck_assert(raw_await(&in, "id: 1\ndata: event-1\n\nid: 2\ndata: event-2\n\n", 1000));
    from_us = clock_monotonic_us();
    atomic_store(&last_event, 3);
    bus_publish(bus, "feed");
    ck_assert(raw_await(&in, "data: event-3\n\n", 1000));
    ck_assert_int_lt(clock_monotonic_us() - from_us, 900 * US_PER_MS);
    ck_assert(raw_await(&in, ": ping\n\n", 1000));
    ck_assert(raw_await(&in, ": ping\n\n", 1000));
    atomic_store(&last_event, 4);
    atomic_store(&end_at, 4);
    bus_publish(bus, "feed");
    ck_assert(raw_await(&in, "data: event-4\n\n", 1000));
    ck_assert(raw_await(&in, "0\r\n\r\n", 1000)); /* the last chunk */
    await_stat(s, "streams", 0);
    await_freed(1);
    raw_send(in.fd, "GET /quick HTTP/1.1\r\nHost: h\r\n\r\n"); /* the connection lives on */
    ck_assert(raw_await(&in, "200 OK", 1000));
    close(in.fd);
    stop(s, 2000);
}
END_TEST

START_TEST(stream__a_publication_reaches_everybody_once) {
    enum { N = 100 };
    struct http_server *s = start(10);
    static struct raw_input in[N];

    for (int i = 0; i < N; i++)
        in[i] = ask(s, "/feed");
    for (int i = 0; i < N; i++)
        ck_assert(raw_await(&in[i], "\r\n\r\n", 5000));
    for (unsigned n = 1; n <= 20; n++) {
        atomic_store(&last_event, n);
        bus_publish(bus, "feed");
    }
    for (int i = 0; i < N; i++) {
        char expected[32];

        for (unsigned n = 1; n <= 20; n++) {
            snprintf(expected, sizeof expected, "data: event-%u\n", n);
            ck_assert_msg(raw_await(&in[i], expected, 5000), "stream %d misses event %u", i, n);
        }
        ck_assert(in[i].n == 0 || !strstr(in[i].bytes, "data:"));
        close(in[i].fd);
    }
    await_stat(s, "streams", 0);
    await_freed(N);
    stop(s, 2000);
}
END_TEST

START_TEST(stream__a_caller_who_went_away_is_noticed) {
    struct http_server *s = start(10);
    struct raw_input in = ask(s, "/feed");

    ck_assert(raw_await(&in, "\r\n\r\n", 1000));
    close(in.fd);
    await_stat(s, "streams", 0);
    await_stat(s, "connections", 0);
    await_freed(1);
    stop(s, 2000);
}
END_TEST

START_TEST(stream__what_ends_unannounced_is_looked_for_soon) {
    struct http_server *s = start(10);
    struct raw_input in = ask(s, "/feed?soon=1");

    ck_assert(raw_await(&in, "\r\n\r\n", 1000));
    atomic_store(&last_event, 1);
    ck_assert(raw_await(&in, "data: event-1\n\n", 10000)); /* not by the poll of ten minutes */
    close(in.fd);
    stop(s, 2000);
}
END_TEST

START_TEST(stream__a_slow_reader_stops_its_source_and_misses_nothing) {
    struct http_server *s = start(30);
    struct raw_input in = {.fd = raw_connect(http_port(s))};
    uint64_t before, now = 0;
    char expected[64];

    raw_send(in.fd,
             "GET /feed?flood=1 HTTP/1.0\r\n\r\n"); /* no chunks: events arrive as they are */
    ck_assert(raw_await(&in, "\r\n\r\n", 1000));
    do { /* until the kernel's buffers and ours are full */
        before = now;
        poll(NULL, 0, 200);
        now = atomic_load(&flooded);
    } while (now != before);
    ck_assert_uint_lt(now, 64 * 1024 * 1024);
    for (unsigned i = 0; i < 200000; i++) {
        snprintf(expected, sizeof expected, "data: %010u ", i);
        ck_assert_msg(raw_await(&in, expected, 5000), "event %u is missing", i);
    }
    close(in.fd);
    await_stat(s, "streams", 0);
    stop(s, 2000);
}
END_TEST

START_TEST(stream__who_does_not_read_is_cut) {
    struct http_server *s = start(1);
    struct raw_input in = ask(s, "/feed?flood=1");

    await_stat(s, "streams", 1);
    await_stat(s, "streams", 0);
    await_freed(1);
    close(in.fd);
    stop(s, 2000);
}
END_TEST

START_TEST(stream__a_refusal_at_its_start_is_a_problem) {
    struct http_server *s = start(10);
    struct raw_input in = ask(s, "/feed?refuse=1");
    struct raw_answer a;

    ck_assert_int_eq(raw_answer(&in, &a, 1000), 404);
    raw_send(in.fd, "HEAD /feed HTTP/1.1\r\nHost: h\r\n\r\n");
    ck_assert(raw_await(&in, "200 OK", 1000));
    ck_assert(raw_await(&in, "Content-Type: text/event-stream\r\n", 1000));
    ck_assert(raw_await(&in, "\r\n\r\n", 1000));
    raw_send(in.fd, "GET /feed HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\n\r\n");
    ck_assert_int_eq(raw_answer(&in, &a, 1000), 406);
    await_stat(s, "streams", 0);
    await_freed(3);
    close(in.fd);
    stop(s, 2000);
}
END_TEST

START_TEST(stream__a_drain_ends_it) {
    struct http_server *s = start(10);
    struct raw_input in[3];
    int64_t from_us;

    for (int i = 0; i < 3; i++) {
        in[i] = ask(s, "/feed");
        ck_assert(raw_await(&in[i], "\r\n\r\n", 1000));
    }
    from_us = clock_monotonic_us();
    stop(s, 5000);
    ck_assert_int_lt(clock_monotonic_us() - from_us, 2 * US_PER_S);
    for (int i = 0; i < 3; i++) {
        ck_assert(raw_await(&in[i], "0\r\n\r\n", 1000)); /* ended, not cut */
        ck_assert(raw_closes(&in[i], 1000));
        close(in[i].fd);
    }
    await_freed(3);
}
END_TEST

START_TEST(stream__a_drain_lets_a_body_come_to_its_end) {
    struct http_server *s = start(10);
    struct raw_input whole = ask(s, "/feed?body=1"), half;

    ck_assert(raw_await(&whole, "line-2\n", 2000));
    stop(s, 5000);
    ck_assert(raw_await(&whole, "line-100\n", 1000));
    ck_assert(raw_await(&whole, "0\r\n\r\n", 1000));
    close(whole.fd);
    s = start(10);
    half = ask(s, "/feed?body=1");
    ck_assert(raw_await(&half, "line-2\n", 2000));
    stop(s, 10); /* no time: cut, so that nobody takes half for the whole */
    ck_assert(raw_closes(&half, 1000));
    ck_assert(half.n == 0 || !strstr(half.bytes, "\r\n0\r\n\r\n"));
    close(half.fd);
}
END_TEST

int main(void) {
    return RUN_SUITE(
        "http-stream", 60, park__ends_when_the_bus_names_its_topic,
        park__a_lost_message_costs_half_a_second,
        park__a_publication_between_look_and_park_is_not_lost, park__ends_at_its_deadline,
        park__survives_a_caller_who_went_away, park__at_the_end_of_a_drain_is_answered,
        stream__tells_events_beats_and_ends, stream__a_publication_reaches_everybody_once,
        stream__a_caller_who_went_away_is_noticed, stream__what_ends_unannounced_is_looked_for_soon,
        stream__a_slow_reader_stops_its_source_and_misses_nothing, stream__who_does_not_read_is_cut,
        stream__a_refusal_at_its_start_is_a_problem, stream__a_drain_ends_it,
        stream__a_drain_lets_a_body_come_to_its_end);
}
