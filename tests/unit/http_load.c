/* tests/unit/http_load.c: the edge under pressure: late, leaving and too many callers, and the end
 * under load. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "http/http.h"
#include "tests/support/raw.h"
#include "tests/support/suite.h"
#include <pthread.h>

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static unsigned at_gate;

static Status quick(struct request *q, const void *in, struct reply *r) {
    (void)in;
    r->json = json_pack("{s:I}", "length", (json_int_t)q->body_len);
    return STATUS_OK;
}

/* Waits until the test opens the gate. */
static Status gated(struct request *q, const void *in, struct reply *r) {
    (void)q, (void)in;
    pthread_mutex_lock(&gate_lock);
    at_gate++;
    pthread_cond_broadcast(&gate_moved);
    while (!gate_open)
        pthread_cond_wait(&gate_moved, &gate_lock);
    at_gate--;
    pthread_mutex_unlock(&gate_lock);
    r->json = json_pack("{s:b}", "passed", 1);
    return STATUS_OK;
}

static void gate_set(bool open) {
    pthread_mutex_lock(&gate_lock);
    gate_open = open;
    pthread_cond_broadcast(&gate_moved);
    pthread_mutex_unlock(&gate_lock);
}

static void gate_await(unsigned n) {
    pthread_mutex_lock(&gate_lock);
    while (at_gate < n)
        pthread_cond_wait(&gate_moved, &gate_lock);
    pthread_mutex_unlock(&gate_lock);
}

static const struct field no_fields[1];
static const struct body_schema any_schema = {.name = "Any", .fields = no_fields, .size = 1};

// clang-format off
static const struct route routes[] = {
    {.operation = "now", .path = "/now", .scope = SCOPE_PUBLIC, .io_thread = true, .handler = quick},
    {.operation = "get", .path = "/things", .scope = SCOPE_PUBLIC, .handler = quick},
    {.operation = "post", .method = HTTP_POST, .path = "/things", .scope = SCOPE_PUBLIC, .body = BODY_JSON,
     .schema = &any_schema, .handler = quick},
    {.operation = "report", .method = HTTP_POST, .path = "/reports", .scope = SCOPE_PUBLIC, .body = BODY_RAW,
     .media_type = "text/plain", .max_body = 4 << 20, .handler = quick},
    {.operation = "document", .method = HTTP_POST, .path = "/documents", .scope = SCOPE_PUBLIC, .body = BODY_JSON,
     .schema = &any_schema, .max_body = 4 << 20, .handler = quick},
    {.operation = "gated", .path = "/gated", .scope = SCOPE_PUBLIC, .handler = gated},
    {.operation = "urgent", .method = HTTP_POST, .path = "/urgent", .scope = SCOPE_PUBLIC, .body = BODY_JSON,
     .schema = &any_schema, .urgent = true, .handler = quick},
    {0},
};
// clang-format on

static struct http_server *start(int handler_threads, int queue_max, int header_timeout_ms) {
    struct http_settings in = {.address = "127.0.0.1",
                               .io_threads = 2,
                               .handler_threads = handler_threads,
                               .max_connections = 500,
                               .queue_max = queue_max,
                               .large_bodies_max = 2,
                               .header_timeout_ms = header_timeout_ms,
                               .idle_timeout_s = 10,
                               .routes = routes};
    char why[256];
    struct http_server *s = http_start(&in, why, sizeof why);

    ck_assert_msg(s != NULL, "%s", why);
    return s;
}

static void stop(struct http_server *s) {
    http_stop(s, 3000);
}

/* ---- tests ---- */

START_TEST(reaper__slow_headers_are_cut) {
    struct http_server *s = start(2, 10, 500);
    struct raw_input silent = {.fd = raw_connect(http_port(s))},
                     slow = {.fd = raw_connect(http_port(s))},
                     body = {.fd = raw_connect(http_port(s))},
                     good = {.fd = raw_connect(http_port(s))};
    int64_t from_us = clock_monotonic_us();
    struct raw_answer a;
    json_auto_t *stats = NULL;

    raw_send(slow.fd, "GET /now HTTP/1.1\r\nHost: h\r\nX: ");
    raw_send(body.fd, "POST /things HTTP/1.1\r\nHost: h\r\nContent-Type: "
                      "application/json\r\nContent-Length: 9\r\n\r\n{");
    while (!raw_closes(&slow, 50)) {
        raw_send(slow.fd, "x");
        raw_send(good.fd, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
        ck_assert_int_eq(raw_answer(&good, &a, 2000), 200);
        ck_assert_msg(clock_monotonic_us() - from_us < 3 * US_PER_S,
                      "a byte now and then holds the connection");
    }
    ck_assert_int_ge(clock_monotonic_us() - from_us, 400 * US_PER_MS);
    ck_assert(raw_closes(&silent, 1000));
    ck_assert(raw_closes(&body, 1000));
    stats = http_stats(s);
    ck_assert_int_eq(json_int(stats, "reaped", 0), 3);
    close(silent.fd);
    close(slow.fd);
    close(body.fd);
    close(good.fd);
    stop(s);
}
END_TEST

/* A later request on a connection has its time too, from its first line on, and so has its body. */
START_TEST(reaper__later_requests_are_timed) {
    static const char *const beginnings[] = {
        "GET /now HTTP/1.1\r\nHost: h\r\nX: ",
        "POST /things HTTP/1.1\r\nHost: h\r\nContent-Type: "
        "application/json\r\nContent-Length: 900\r\n\r\n{",
    };
    struct http_server *s = start(2, 10, 500);

    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        struct raw_input in = {.fd = raw_connect(http_port(s))};
        int64_t until_us = clock_monotonic_us() + 60 * US_PER_S;
        struct raw_answer a;

        raw_send(in.fd, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
        ck_assert_int_eq(raw_answer(&in, &a, 2000), 200);
        raw_send(in.fd, beginnings[i]);
        while (!raw_closes(&in, 50)) {
            raw_send(in.fd, " ");
            ck_assert_msg(clock_monotonic_us() < until_us, "%s holds", beginnings[i]);
        }
        close(in.fd);
    }
    stop(s);
}
END_TEST

START_TEST(queue__overload_is_503_and_urgent_goes_through) {
    static const char get[] = "GET /gated HTTP/1.1\r\nHost: h\r\n\r\n";
    static const char urgent[] = "POST /urgent HTTP/1.1\r\nHost: h\r\n\r\n";
    struct http_server *s = start(1, 2, 5000);
    struct raw_input waiting[3], refused = {.fd = raw_connect(http_port(s))},
                                 pressing = {.fd = raw_connect(http_port(s))};
    struct raw_answer a;
    json_t *stats;

    gate_set(false);
    for (int i = 0; i < 3; i++) { /* one runs, two wait */
        waiting[i] = (struct raw_input){.fd = raw_connect(http_port(s))};
        raw_send(waiting[i].fd, get);
        if (i == 0)
            gate_await(1);
    }
    for (int64_t queued = 0, until = clock_monotonic_us() + 2 * US_PER_S; queued < 2;) {
        stats = http_stats(s);
        queued = json_int(stats, "queued", 0);
        json_decref(stats);
        ck_assert(clock_monotonic_us() < until);
    }
    raw_send(refused.fd, get);
    ck_assert_int_eq(raw_answer(&refused, &a, 2000), 503);
    ck_assert_ptr_nonnull(strstr(a.head, "Retry-After: "));
    ck_assert_ptr_nonnull(strstr(a.body, "\"overloaded\""));
    raw_send(refused.fd, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n"); /* I/O threads are free */
    ck_assert_int_eq(raw_answer(&refused, &a, 2000), 200);
    for (int i = 0; i < 100; i++) { /* there is a thread for it alone */
        raw_send(pressing.fd, urgent);
        ck_assert_int_eq(raw_answer(&pressing, &a, 2000), 200);
    }
    gate_set(true);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(raw_answer(&waiting[i], &a, 2000), 200);
        close(waiting[i].fd);
    }
    close(refused.fd);
    close(pressing.fd);
    stop(s);
}
END_TEST

#define REPORT "POST /reports HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\n"
#define LARGE  REPORT "Content-Length: 1048577\r\n\r\n"

static int64_t stat_of(struct http_server *s, const char *name) {
    json_auto_t *stats = http_stats(s);

    return json_int(stats, name, -1);
}

/* One gets through as soon as the server has seen that another has left. */
static void enters(struct http_server *s) {
    static const char megabyte[1 << 20];
    int64_t until = clock_monotonic_us() + 5 * US_PER_S;
    struct raw_answer a;
    int status;

    do {
        struct raw_input in = {.fd = raw_connect(http_port(s))};

        raw_send(in.fd, LARGE);
        if (raw_send_n(in.fd, megabyte, sizeof megabyte)) /* else it was refused meanwhile */
            raw_send(in.fd, "x");
        status = raw_answer(&in, &a, 5000);
        close(in.fd);
    } while (status != 200 && clock_monotonic_us() < until);
    ck_assert_int_eq(status, 200);
    ck_assert_ptr_nonnull(strstr(a.body, "1048577"));
}

/* Two are held, and no more: neither one whose length is not told; small ones are not counted. */
START_TEST(bodies__few_large_ones_at_once) {
    static const char *const more[] = {
        LARGE, REPORT "Transfer-Encoding: chunked\r\n\r\n",
        "POST /documents HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        "Content-Length: 262145\r\n\r\n"};
    struct http_server *s = start(2, 10, 5000);
    struct raw_input held[2], small = {.fd = raw_connect(http_port(s))};
    struct raw_answer a;
    bool closed;

    for (int i = 0; i < 2; i++) {
        held[i] = (struct raw_input){.fd = raw_connect(http_port(s))};
        raw_send(held[i].fd, LARGE "begun");
    }
    for (int64_t until = clock_monotonic_us() + 2 * US_PER_S; stat_of(s, "large_bodies") < 2;)
        ck_assert(clock_monotonic_us() < until);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        ck_assert_int_eq(raw_exchange(http_port(s), more[i], strlen(more[i]), &a, &closed), 503);
        ck_assert_ptr_nonnull(strstr(a.head, "Retry-After: 1"));
        ck_assert_ptr_nonnull(strstr(a.body, "\"overloaded\""));
        ck_assert_msg(closed, "its body would be taken for a request");
    }
    ck_assert_int_eq(stat_of(s, "large_bodies"), 2);
    ck_assert_int_eq(stat_of(s, "overloaded"), 3);
    raw_send(small.fd, REPORT "Content-Length: 5\r\n\r\nsmall");
    ck_assert_int_eq(raw_answer(&small, &a, 2000), 200);
    close(held[0].fd); /* in the middle of it */
    enters(s);
    close(held[1].fd);
    enters(s);
    close(small.fd);
    stop(s);
}
END_TEST

struct stopping {
    struct http_server *server;
    int64_t took_us;
};

static void *stop_thread(void *arg) {
    struct stopping *st = arg;
    int64_t from_us = clock_monotonic_us();

    http_stop(st->server, 3000);
    st->took_us = clock_monotonic_us() - from_us;
    return NULL;
}

START_TEST(stop__requests_under_way_are_finished) {
    struct stopping st = {.server = start(2, 10, 5000)};
    int port = http_port(st.server);
    struct raw_input handled = {.fd = raw_connect(port)}, upload = {.fd = raw_connect(port)};
    struct raw_answer a;
    pthread_t thread;

    gate_set(false);
    raw_send(handled.fd, "GET /gated HTTP/1.1\r\nHost: h\r\n\r\n");
    gate_await(1);
    raw_send(upload.fd, "POST /things HTTP/1.1\r\nHost: h\r\nContent-Type: "
                        "application/json\r\nContent-Length: 12\r\n\r\n{ ");
    for (int64_t n = 0; n < 2;) { /* both are known to the server */
        json_auto_t *stats = http_stats(st.server);

        n = json_int(stats, "requests", 0);
    }
    http_drain(st.server);
    ck_assert(http_draining(st.server));
    pthread_create(&thread, NULL, stop_thread, &st);
    for (int open = 1; open;) { /* refuses new callers */
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        open = connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
        close(fd);
    }
    raw_send(upload.fd, "         }");
    ck_assert_int_eq(raw_answer(&upload, &a, 2000), 200);
    ck_assert_ptr_nonnull(strstr(a.head, "Connection: close"));
    ck_assert(raw_closes(&upload, 1000));
    gate_set(true);
    ck_assert_int_eq(raw_answer(&handled, &a, 2000), 200);
    ck_assert(raw_closes(&handled, 1000));
    pthread_join(thread, NULL);
    ck_assert_int_lt(st.took_us, 2 * US_PER_S);
    close(handled.fd);
    close(upload.fd);
}
END_TEST

/* ---- callers who leave ---- */

static void leave_abruptly(int fd) {
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
               sizeof(struct linger)); /* a reset */
    close(fd);
}

START_TEST(server__survives_callers_who_leave) {
    static const char *const requests[] = {
        "GET /things HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /now HTTP/1.1\r\nHost: h\r\n\r\nGET /things HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /things HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: "
        "2\r\n\r\n{}",
        "POST /things HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: "
        "20\r\n\r\n{}",
        "GET /a%00 HTTP/1.1\r\nHost: h\r\n\r\n",
    };
    struct http_server *s = start(2, 100, 5000);
    struct raw_answer a;
    int64_t until_us;

    for (int i = 0; i < 1000; i++) {
        const char *request = requests[i % 5];
        size_t n = (size_t)(random_unit() * (double)(strlen(request) + 1));
        int fd = raw_connect(http_port(s));

        raw_send_n(fd, request, n);
        if (i % 3 == 0)
            poll(NULL, 0, 1);
        if (i % 2)
            leave_abruptly(fd);
        else
            close(fd);
    }
    for (int i = 0; i < 5; i++)
        ck_assert_int_ne(raw_exchange(http_port(s), requests[i], strlen(requests[i]), &a, NULL), 0);
    until_us = clock_monotonic_us() + 10 * US_PER_S;
    for (int64_t open = 1; open;) {
        json_auto_t *stats = http_stats(s);

        open = json_int(stats, "connections", 0);
        ck_assert(clock_monotonic_us() < until_us);
    }
    stop(s);
}
END_TEST

/* ---- the end under load ---- */

struct caller {
    int port;
    unsigned answered, unanswered, resets;
};

static int try_connect(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Asks until nobody listens; does as "Connection: close" says. */
static void *caller_thread(void *arg) {
    struct caller *c = arg;
    struct raw_input *in = calloc(1, sizeof *in);
    struct raw_answer *a = calloc(1, sizeof *a);

    while ((in->fd = try_connect(c->port)) >= 0) {
        in->n = 0;
        in->closed = false;
        for (int i = 0; i < 50; i++) {
            bool sent = raw_send(in->fd, i % 2 ? "GET /things HTTP/1.1\r\nHost: h\r\n\r\n"
                                               : "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");

            if (sent && raw_answer(in, a, 5000) == 200)
                c->answered++;
            else if (i == 0)
                c->resets++; /* was still in the kernel's queue when the listener closed */
            else
                c->unanswered++;
            if (a->status != 200 || strstr(a->head, "Connection: close"))
                break;
        }
        close(in->fd);
    }
    free(in);
    free(a);
    return NULL;
}

START_TEST(stop__under_load_loses_nothing) {
    enum { CALLERS = 8, ROUNDS = 15 };

    for (int round = 0; round < ROUNDS; round++) {
        struct http_server *s = start(4, 100, 5000);
        struct caller callers[CALLERS] = {0};
        pthread_t threads[CALLERS];
        unsigned answered = 0, resets = 0;

        for (int i = 0; i < CALLERS; i++) {
            callers[i].port = http_port(s);
            pthread_create(&threads[i], NULL, caller_thread, &callers[i]);
        }
        for (int64_t requests = 0; requests < 500;) {
            json_auto_t *stats = http_stats(s);

            requests = json_int(stats, "requests", 0);
        }
        http_drain(s);
        stop(s);
        for (int i = 0; i < CALLERS; i++) {
            pthread_join(threads[i], NULL);
            ck_assert_msg(callers[i].unanswered == 0, "round %d: %u requests unanswered", round,
                          callers[i].unanswered);
            answered += callers[i].answered;
            resets += callers[i].resets;
        }
        ck_assert_uint_ge(answered, 500 - CALLERS);
        ck_assert_uint_le(resets, CALLERS);
    }
}
END_TEST

int main(void) {
    return RUN_SUITE("http-load", 120, reaper__slow_headers_are_cut,
                     reaper__later_requests_are_timed,
                     queue__overload_is_503_and_urgent_goes_through, bodies__few_large_ones_at_once,
                     stop__requests_under_way_are_finished, server__survives_callers_who_leave,
                     stop__under_load_loses_nothing);
}
