/* Outbound HTTP against a tiny server in this process that misbehaves on demand. */
#include "net/net.h"
#include "base/clock.h"
#include "base/status.h"
#include "tests/support/suite.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server answers each request by its path; one thread per connection. */
struct server {
    int listener;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t closed;
    int open; /* connections; under the lock */
    atomic_int connections, requests;
    char last[2048]; /* the last request as received; read it when no call is under way */
};

struct visit {
    struct server *server;
    int fd;
};

static void say(int fd, const char *text) {
    size_t n = strlen(text);

    while (n) {
        ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        text += sent;
        n -= (size_t)sent;
    }
}

/* Reads one request whole; false at the end of the connection. */
static bool hear(int fd, char *text, size_t size) {
    size_t n = 0, body = 0;
    char *end, *length;

    for (;;) {
        ssize_t got = recv(fd, text + n, size - 1 - n, 0);

        if (got <= 0)
            return false;
        n += (size_t)got;
        text[n] = '\0';
        end = strstr(text, "\r\n\r\n");
        if (!end)
            continue;
        length = strcasestr(text, "content-length:");
        body = length ? strtoul(length + 15, NULL, 10) : 0;
        if (n >= (size_t)(end + 4 - text) + body)
            return true;
    }
}

static void wait_for_close(int fd) {
    char byte;

    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

/* Returns whether the connection goes on. */
static bool answer(int fd, const char *path, int nth) {
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"7\"\r\n"
                             "Location: /there\r\nContent-Type: text/plain\r\n"
                             "Retry-After: 3\r\n\r\nok";

    if (strncmp(path, "/ok", 3) == 0)
        say(fd, ok);
    else if (strncmp(path, "/large", 6) == 0)
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n123456789012");
    else if (strncmp(path, "/cut", 4) == 0)
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf");
    else if (strncmp(path, "/garbled", 8) == 0)
        say(fd, "\x01\x02nothing like HTTP\r\n\r\n");
    else if (strncmp(path, "/redirect", 9) == 0)
        say(fd, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /ok\r\n\r\n");
    else if (strncmp(path, "/stream", 7) == 0)
        say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n");
    else if (strncmp(path, "/once", 5) == 0 && nth == 0)
        say(fd, ok);
    if (strncmp(path, "/hang", 5) == 0 || strncmp(path, "/stream", 7) == 0)
        wait_for_close(fd);
    return strncmp(path, "/ok", 3) == 0 || strncmp(path, "/redirect", 9) == 0 ||
           (strncmp(path, "/once", 5) == 0 && nth == 0);
}

static void *visit_thread(void *ctx) {
    struct visit *visit = ctx;
    char text[2048], *path;
    int nth = 0;

    while (hear(visit->fd, text, sizeof(text))) {
        pthread_mutex_lock(&visit->server->lock);
        memcpy(visit->server->last, text, sizeof(text));
        pthread_mutex_unlock(&visit->server->lock);
        atomic_fetch_add(&visit->server->requests, 1);
        path = strchr(text, ' ');
        if (!path || !answer(visit->fd, path + 1, nth++))
            break;
    }
    close(visit->fd);
    pthread_mutex_lock(&visit->server->lock);
    visit->server->open--;
    pthread_cond_signal(&visit->server->closed);
    pthread_mutex_unlock(&visit->server->lock);
    free(visit);
    return NULL;
}

static void *server_thread(void *ctx) {
    struct server *s = ctx;
    int fd;

    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        struct visit *visit = xcalloc(1, sizeof(*visit));
        pthread_t thread;

        atomic_fetch_add(&s->connections, 1);
        visit->server = s;
        visit->fd = fd;
        pthread_mutex_lock(&s->lock);
        s->open++;
        pthread_mutex_unlock(&s->lock);
        pthread_create(&thread, NULL, visit_thread, visit);
        pthread_detach(thread);
    }
    return NULL;
}

static struct server *server_new(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct server *s = xcalloc(1, sizeof(*s));
    socklen_t n = sizeof(address);

    net_setup();
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->closed, NULL);
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(s->listener, (struct sockaddr *)&address, n), 0);
    ck_assert_int_eq(listen(s->listener, 16), 0);
    getsockname(s->listener, (struct sockaddr *)&address, &n);
    s->port = ntohs(address.sin_port);
    pthread_create(&s->thread, NULL, server_thread, s);
    return s;
}

/* After the clients are freed: it waits until every connection is closed. */
static void server_free(struct server *s) {
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    pthread_mutex_lock(&s->lock);
    while (s->open)
        pthread_cond_wait(&s->closed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    close(s->listener);
    free(s);
}

static char *url_of(const struct server *s, const char *path) {
    return xasprintf("http://127.0.0.1:%u%s", s->port, path);
}

static struct net_request get(const char *url) {
    return (struct net_request){.method = "GET", .url = url, .timeout_ms = 3000, .max_bytes = 10};
}

static unsigned closed_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t n = sizeof(address);

    bind(fd, (struct sockaddr *)&address, n);
    getsockname(fd, (struct sockaddr *)&address, &n);
    close(fd);
    return ntohs(address.sin_port);
}

START_TEST(net__outcomes_tell_no_from_unknown) {
    static const struct {
        const char *path, *method;
        NetOutcome outcome;
        unsigned status;
    } cases[] = {
        {"/ok", "GET", NET_ANSWERED, 200},   {"/redirect", "GET", NET_ANSWERED, 302},
        {"/large", "GET", NET_UNKNOWN, 0},   {"/cut", "GET", NET_UNKNOWN, 0},
        {"/garbled", "GET", NET_UNKNOWN, 0}, {"/close", "PATCH", NET_UNKNOWN, 0},
        {"/hang", "POST", NET_UNKNOWN, 0},
    };
    struct server *s = server_new();
    struct net_client *client = net_client_new("test");

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *url = url_of(s, cases[i].path);
        struct net_request in = get(url);
        struct net_response r;

        in.method = cases[i].method;
        in.timeout_ms = 300;
        net_call(client, &in, &r);
        ck_assert_msg(r.outcome == cases[i].outcome, "%s: outcome %d, %s", cases[i].path, r.outcome,
                      r.error);
        ck_assert_uint_eq(r.status, cases[i].status);
        ck_assert_msg((r.outcome == NET_ANSWERED) == (r.error[0] == '\0'), "%s: %s", cases[i].path,
                      r.error);
        net_response_done(&r);
        net_response_done(&r);
        free(url);
    }
    net_client_free(client);
    server_free(s);
}
END_TEST

START_TEST(net__what_never_left_is_not_sent) {
    char *refused;
    const char *urls[4];
    struct net_client *client;

    net_setup();
    client = net_client_new("test");
    refused = xasprintf("http://127.0.0.1:%u/", closed_port());
    urls[0] = refused;
    urls[1] = "http://name.invalid/";
    urls[2] = "ftp://127.0.0.1/";
    urls[3] = "http://127.0.0.1:99999/";
    for (size_t i = 0; i < 4; i++) {
        struct net_request in = get(urls[i]);
        struct net_response r;

        in.method = "POST";
        in.body = "{}";
        in.body_len = 2;
        net_call(client, &in, &r);
        ck_assert_msg(r.outcome == NET_NOT_SENT, "%s: outcome %d", urls[i], r.outcome);
        ck_assert_uint_eq(r.status, 0);
        ck_assert(r.error[0] && !strchr(r.error, '\n'));
        net_response_done(&r);
    }
    free(refused);
    net_client_free(client);
}
END_TEST

START_TEST(net__answer_carries_its_headers) {
    struct server *s = server_new();
    struct net_client *client = net_client_new("sluice-test/1");
    char *url = url_of(s, "/ok/../a");
    const char *headers[] = {"X-One: 1", NULL};
    struct net_request in = get(url);
    struct net_response r;

    in.headers = headers;
    net_call(client, &in, &r);
    ck_assert_str_eq(r.body, "ok");
    ck_assert_uint_eq(r.body_len, 2);
    ck_assert_str_eq(r.etag, "\"7\"");
    ck_assert_str_eq(r.location, "/there");
    ck_assert_str_eq(r.content_type, "text/plain");
    ck_assert_int_eq(r.retry_after_s, 3);
    ck_assert(r.took_us > 0);
    ck_assert(strstr(s->last, "GET /ok/../a HTTP/1.1\r\n"));
    ck_assert(strstr(s->last, "X-One: 1\r\n"));
    ck_assert(strstr(s->last, "User-Agent: sluice-test/1\r\n"));
    net_response_done(&r);
    in.method = "PATCH";
    in.body = "{\"a\":1}";
    in.body_len = 7;
    net_call(client, &in, &r);
    ck_assert(strstr(s->last, "PATCH /ok"));
    ck_assert(strstr(s->last, "\r\n\r\n{\"a\":1}"));
    ck_assert(!strcasestr(s->last, "expect:"));
    ck_assert(!strcasestr(s->last, "content-type:"));
    net_response_done(&r);
    net_client_free(client);
    server_free(s);
    free(url);
}
END_TEST

START_TEST(net__proxy_from_the_environment_is_ignored) {
    struct server *s = server_new();
    struct net_client *client = net_client_new("test");
    char *url = url_of(s, "/ok");
    struct net_request in = get(url);
    struct net_response r;

    setenv("http_proxy", "http://127.0.0.1:1", 1);
    net_call(client, &in, &r);
    unsetenv("http_proxy");
    ck_assert_int_eq(r.outcome, NET_ANSWERED);
    net_response_done(&r);
    net_client_free(client);
    server_free(s);
    free(url);
}
END_TEST

START_TEST(net__connection_is_kept) {
    struct server *s = server_new();
    struct net_client *client = net_client_new("test");
    char *url = url_of(s, "/ok");
    struct net_request in = get(url);
    struct net_response r;

    for (int i = 0; i < 5; i++) {
        net_call(client, &in, &r);
        ck_assert_int_eq(r.outcome, NET_ANSWERED);
        net_response_done(&r);
    }
    ck_assert_int_eq(atomic_load(&s->connections), 1);
    net_client_free(client);
    server_free(s);
    free(url);
}
END_TEST

START_TEST(net__write_is_sent_once_when_a_kept_connection_closes) {
    struct server *s = server_new();
    struct net_client *client = net_client_new("test");
    char *url = url_of(s, "/once");
    struct net_request in = get(url);
    struct net_response r;

    net_call(client, &in, &r); /* the server closes after the second request, unanswered */
    ck_assert_int_eq(r.outcome, NET_ANSWERED);
    net_response_done(&r);
    in.method = "PATCH";
    in.body = "{}";
    in.body_len = 2;
    net_call(client, &in, &r);
    ck_assert_int_eq(r.outcome, NET_UNKNOWN);
    ck_assert_int_eq(atomic_load(&s->requests), 2);
    net_response_done(&r);
    net_call(client, &in, &r); /* a new connection */
    ck_assert_int_eq(r.outcome, NET_ANSWERED);
    net_response_done(&r);
    in.method = "GET"; /* a read is repeated */
    in.body = NULL;
    net_call(client, &in, &r);
    ck_assert_int_eq(r.outcome, NET_ANSWERED);
    net_response_done(&r);
    net_client_free(client);
    server_free(s);
    free(url);
}
END_TEST

START_TEST(net__line_break_in_a_header_is_refused) {
    struct server *s = server_new();
    struct net_client *client = net_client_new("test");
    char *url = url_of(s, "/ok");
    const char *headers[] = {"X-One: 1\r\nX-Two: 2", NULL};
    struct net_request in = get(url);
    struct net_response r;

    in.headers = headers;
    net_call(client, &in, &r);
    ck_assert_int_eq(r.outcome, NET_NOT_SENT);
    ck_assert_int_eq(atomic_load(&s->connections), 0);
    net_client_free(client);
    server_free(s);
    free(url);
}
END_TEST

START_TEST(net__policy_refuses_before_a_connection) {
    struct server *s = server_new();
    struct net_client *client = net_client_new("test");
    char *url = url_of(s, "/ok");
    struct net_policy none = {0}, loopback = {.allow = "10.0.0.0/8, 127.0.0.0/8"};
    struct net_request in = get(url);
    struct net_response r;

    net_call(client, &in, &r); /* leaves an open connection behind */
    net_response_done(&r);
    in.policy = &none;
    net_call(client, &in, &r);
    ck_assert_int_eq(r.outcome, NET_NOT_SENT);
    ck_assert_str_eq(r.error, "the address 127.0.0.1 is not allowed");
    ck_assert_int_eq(atomic_load(&s->connections), 1);
    net_response_done(&r);
    in.policy = &loopback;
    net_call(client, &in, &r);
    ck_assert_int_eq(r.outcome, NET_ANSWERED);
    ck_assert_int_eq(atomic_load(&s->connections), 2);
    net_response_done(&r);
    net_client_free(client);
    server_free(s);
    free(url);
}
END_TEST

struct heard {
    char text[64];
    size_t n, stop_after;
};

static bool on_stream(void *ctx, unsigned status, const char *bytes, size_t n) {
    struct heard *heard = ctx;

    ck_assert_uint_eq(status, 200);
    ck_assert(heard->n + n < sizeof(heard->text));
    memcpy(heard->text + heard->n, bytes, n);
    heard->n += n;
    return heard->stop_after == 0 || heard->n < heard->stop_after;
}

START_TEST(net__stream_ends_when_told) {
    struct server *s = server_new();
    struct net_client *client = net_client_new("test");
    char *url = url_of(s, "/stream");
    struct heard heard = {.stop_after = 6};
    struct net_request in = get(url);
    struct net_response r;

    in.timeout_ms = 0;
    net_stream(client, &in, on_stream, &heard, &r);
    ck_assert_int_eq(r.outcome, NET_ANSWERED);
    ck_assert_str_eq(heard.text, "onetwo");
    ck_assert_ptr_null(r.body);
    net_response_done(&r);
    heard = (struct heard){0};
    in.idle_ms = 100;
    net_stream(client, &in, on_stream, &heard, &r);
    ck_assert_int_eq(r.outcome, NET_UNKNOWN);
    ck_assert_str_eq(heard.text, "onetwo");
    net_response_done(&r);
    net_client_free(client);
    server_free(s);
    free(url);
}
END_TEST

/* What the loop's callbacks saw. */
struct seen {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int done, answered, unknown;
    struct net_loop *loop;
    uint64_t id; /* to be canceled from on_data */
    struct heard heard;
};

static void seen_wait(struct seen *seen, int done) {
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 5;
    pthread_mutex_lock(&seen->lock);
    while (seen->done < done)
        ck_assert_int_eq(pthread_cond_timedwait(&seen->changed, &seen->lock, &until), 0);
    pthread_mutex_unlock(&seen->lock);
}

static void on_done(void *ctx, struct net_response *r) {
    struct seen *seen = ctx;

    pthread_mutex_lock(&seen->lock);
    seen->done++;
    seen->answered += r->outcome == NET_ANSWERED;
    seen->unknown += r->outcome == NET_UNKNOWN;
    pthread_cond_broadcast(&seen->changed);
    pthread_mutex_unlock(&seen->lock);
}

static bool on_loop_data(void *ctx, unsigned status, const char *bytes, size_t n) {
    struct seen *seen = ctx;

    pthread_mutex_lock(&seen->lock); /* the id is stored under it */
    on_stream(&seen->heard, status, bytes, n);
    if (seen->loop)
        net_loop_cancel(seen->loop, seen->id);
    pthread_mutex_unlock(&seen->lock);
    return true;
}

#define SEEN                                                                                       \
    { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER }

START_TEST(net__loop_runs_many_calls) {
    enum { CALLS = 50 };
    struct server *s = server_new();
    struct net_loop *loop = net_loop_new("test");
    struct seen seen = SEEN;

    for (int i = 0; i < CALLS; i++) {
        char *url = url_of(s, i % 10 ? "/ok" : "/close");
        struct net_request in = get(url);

        ck_assert_uint_ne(net_loop_start(loop, &in, NULL, on_done, &seen), 0);
        memset(url, 'x', strlen(url)); /* copied */
        free(url);
    }
    seen_wait(&seen, CALLS);
    ck_assert_int_eq(seen.answered, CALLS - 5);
    ck_assert_int_eq(seen.unknown, 5);
    net_loop_free(loop);
    ck_assert_int_eq(seen.done, CALLS);
    server_free(s);
}
END_TEST

START_TEST(net__loop_cancels_from_anywhere) {
    struct server *s = server_new();
    struct net_loop *loop = net_loop_new("test");
    struct seen seen = SEEN;
    char *hang = url_of(s, "/hang"), *stream = url_of(s, "/stream");
    struct net_request in = get(hang);
    uint64_t id;

    id = net_loop_start(loop, &in, NULL, on_done, &seen);
    net_loop_cancel(loop, id);
    seen_wait(&seen, 1);
    net_loop_cancel(loop, id); /* harmless */
    in.url = stream;
    pthread_mutex_lock(&seen.lock);
    seen.loop = loop;
    seen.id = net_loop_start(loop, &in, on_loop_data, on_done, &seen);
    pthread_mutex_unlock(&seen.lock);
    seen_wait(&seen, 2);
    net_loop_start(loop, &in, NULL, on_done, &seen);
    net_loop_free(loop); /* cancels the rest */
    ck_assert_int_eq(seen.done, 3);
    ck_assert_int_eq(seen.unknown, 3);
    server_free(s);
    free(hang);
    free(stream);
}
END_TEST

START_TEST(net__loop_ends_silent_streams) {
    struct server *s = server_new();
    struct net_loop *loop = net_loop_new("test");
    struct seen seen = SEEN;
    char *url = url_of(s, "/stream");
    struct net_request in = get(url);
    int64_t before = clock_monotonic_us();

    in.timeout_ms = 0;
    in.idle_ms = 100;
    net_loop_start(loop, &in, on_loop_data, on_done, &seen);
    seen_wait(&seen, 1);
    ck_assert_int_eq(seen.unknown, 1);
    ck_assert(clock_monotonic_us() - before >= 100 * US_PER_MS);
    ck_assert_str_eq(seen.heard.text, "onetwo");
    net_loop_free(loop);
    server_free(s);
    free(url);
}
END_TEST

static void on_time(void *ctx, bool canceled) {
    struct seen *seen = ctx;

    pthread_mutex_lock(&seen->lock);
    seen->done++;
    seen->answered += !canceled;
    pthread_cond_broadcast(&seen->changed);
    pthread_mutex_unlock(&seen->lock);
}

START_TEST(net__loop_calls_back_after_a_time) {
    struct net_loop *loop;
    struct seen seen = SEEN;
    int64_t before;
    uint64_t id;

    net_setup();
    loop = net_loop_new("test");
    before = clock_monotonic_us();
    net_loop_after(loop, 50, on_time, &seen);
    seen_wait(&seen, 1);
    ck_assert(clock_monotonic_us() - before >= 50 * US_PER_MS);
    ck_assert_int_eq(seen.answered, 1);
    id = net_loop_after(loop, 60000, on_time, &seen);
    net_loop_cancel(loop, id);
    seen_wait(&seen, 2);
    net_loop_after(loop, 60000, on_time, &seen);
    net_loop_free(loop); /* does not wait for it */
    ck_assert_int_eq(seen.done, 3);
    ck_assert_int_eq(seen.answered, 1);
    ck_assert(clock_monotonic_us() - before < 5 * US_PER_S);
}
END_TEST

int main(void) {
    return RUN_SUITE(
        "net", 20, net__outcomes_tell_no_from_unknown, net__what_never_left_is_not_sent,
        net__answer_carries_its_headers, net__proxy_from_the_environment_is_ignored,
        net__connection_is_kept, net__write_is_sent_once_when_a_kept_connection_closes,
        net__line_break_in_a_header_is_refused, net__policy_refuses_before_a_connection,
        net__stream_ends_when_told, net__loop_runs_many_calls, net__loop_cancels_from_anywhere,
        net__loop_ends_silent_streams, net__loop_calls_back_after_a_time);
}
