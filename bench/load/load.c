/* bench/load/load.c: one epoll thread; each request has a connection, from the pool or new. */
#include "bench/load/load.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/status.h"
#include "kubesim/dataplane_http.h"
#include "kubesim/dataplane_loop.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum failure { FAILED_CONNECT, FAILED_RESET, FAILED_TIMEOUT, FAILED_PROTOCOL, FAILURES };
static const char *const failure_names[FAILURES] = {"connect", "reset", "timeout", "protocol"};

struct kind {
    char *version;
    unsigned status;
    int64_t count, first_us, last_us;
};

struct client {
    struct watch watch; /* first */
    struct timer timeout;
    struct load *load;
    struct client *prev, *next; /* while idle: the pool, oldest first */
    struct http_scan scan;
    int64_t due_us;
    size_t sent;
    bool busy, connected;
};

struct load {
    struct loop loop;
    struct load_settings settings;
    struct timer tick;
    char *request;
    size_t request_len;
    struct client pool; /* the head of the ring of idle ones */
    int idle;
    bool stopped;
    int64_t begun_us, asked, open, answered;
    int64_t failed[FAILURES], first_failure_us, last_failure_us;
    struct kind *kinds;
    size_t n_kinds;
    uint32_t *latencies_us;
    size_t n_latencies, latency_room;
};

static void pool_remove(struct client *c) {
    c->prev->next = c->next;
    c->next->prev = c->prev;
    c->load->idle--;
}

static void pool_add(struct load *load, struct client *c) {
    c->prev = load->pool.prev;
    c->next = &load->pool;
    c->prev->next = c->next->prev = c;
    load->idle++;
}

static void client_end(struct loop *loop, struct client *c) {
    if (c->busy)
        c->load->open--;
    else
        pool_remove(c);
    loop_timer_cancel(loop, &c->timeout);
    loop_close(&c->watch);
    loop_bury(loop, c);
}

static void client_failed(struct loop *loop, struct client *c, enum failure failure) {
    struct load *load = c->load;

    load->failed[failure]++;
    load->last_failure_us = clock_now_us();
    if (load->first_failure_us == 0)
        load->first_failure_us = load->last_failure_us;
    client_end(loop, c);
}

static struct kind *kind_of(struct load *load, const char *version, unsigned status) {
    for (size_t i = 0; i < load->n_kinds; i++) {
        if (load->kinds[i].status == status && strcmp(load->kinds[i].version, version) == 0)
            return &load->kinds[i];
    }
    load->kinds = xrealloc(load->kinds, (load->n_kinds + 1) * sizeof *load->kinds);
    load->kinds[load->n_kinds] =
        (struct kind){.version = xstrdup(version), .status = status, .first_us = clock_now_us()};
    return &load->kinds[load->n_kinds++];
}

static void count_answer(struct load *load, const struct client *c) {
    struct kind *kind = kind_of(load, c->scan.version, c->scan.status);

    kind->count++;
    kind->last_us = clock_now_us();
    load->answered++;
    if (load->n_latencies == load->latency_room) {
        load->latency_room = 2 * load->latency_room + 4096;
        load->latencies_us =
            xrealloc(load->latencies_us, load->latency_room * sizeof *load->latencies_us);
    }
    load->latencies_us[load->n_latencies++] = (uint32_t)(clock_monotonic_us() - c->due_us);
}

static void answered(struct loop *loop, struct client *c) {
    struct load *load = c->load;

    count_answer(load, c);
    if (c->scan.close || load->stopped || load->idle >= load->settings.keep_alive) {
        client_end(loop, c);
        return;
    }
    loop_timer_cancel(loop, &c->timeout);
    c->busy = false;
    load->open--;
    pool_add(load, c);
}

/* False when the client has ended. */
static bool send_request(struct loop *loop, struct client *c) {
    struct load *load = c->load;

    while (c->sent < load->request_len) {
        ssize_t n =
            send(c->watch.fd, load->request + c->sent, load->request_len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n < 0) {
            client_failed(loop, c, c->connected ? FAILED_RESET : FAILED_CONNECT);
            return false;
        }
        c->connected = true;
        c->sent += (size_t)n;
    }
    loop_interest(loop, &c->watch, c->sent < load->request_len ? EPOLLIN | EPOLLOUT : EPOLLIN);
    return true;
}

static void received(struct loop *loop, struct client *c, const char *bytes, size_t n) {
    enum scanned happened;

    do {
        size_t used = http_scan(&c->scan, bytes, n, &happened);
        bytes += used;
        n -= used;
        if (happened == SCANNED_BAD) {
            client_failed(loop, c, FAILED_PROTOCOL);
            return;
        }
    } while (happened == SCANNED_HEAD);
    if (happened == SCANNED_END)
        answered(loop, c);
}

static void client_ready(struct loop *loop, struct watch *watch, uint32_t events) {
    struct client *c = (struct client *)watch;
    char bytes[16384];
    ssize_t n;

    if (!c->busy) { /* a kept connection says something unasked: that it closes */
        client_end(loop, c);
        return;
    }
    if ((events & EPOLLOUT) != 0 && (events & EPOLLERR) == 0 && !send_request(loop, c))
        return;
    n = recv(c->watch.fd, bytes, sizeof bytes, 0);
    if (n > 0)
        received(loop, c, bytes, (size_t)n);
    else if (n == 0 && c->scan.at == SCAN_UNTIL_CLOSE)
        answered(loop, c);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        client_failed(loop, c, c->connected ? FAILED_RESET : FAILED_CONNECT);
}

static void client_timed_out(struct loop *loop, struct timer *timer) {
    struct client *c = (struct client *)((char *)timer - offsetof(struct client, timeout));

    client_failed(loop, c, FAILED_TIMEOUT);
}

static struct client *client_new(struct load *load) {
    const struct sockaddr_in *address = &load->settings.address;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct client *c;

    if (fd < 0)
        return NULL;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 &&
        errno != EINPROGRESS) {
        close(fd);
        return NULL;
    }
    c = xcalloc(1, sizeof *c);
    c->load = load;
    c->watch.ready = client_ready;
    c->timeout.due = client_timed_out;
    loop_watch(&load->loop, &c->watch, fd, EPOLLIN | EPOLLOUT);
    return c;
}

static void ask(struct load *load, int64_t due_us) {
    struct client *c = load->pool.next;

    load->asked++;
    if (load->idle > 0) {
        pool_remove(c);
    } else if ((c = client_new(load)) == NULL) {
        load->failed[FAILED_CONNECT]++;
        return;
    }
    load->open++;
    c->busy = true;
    c->scan = (struct http_scan){.answers = true};
    c->sent = 0;
    c->due_us = due_us;
    loop_timer_set(&load->loop, &c->timeout, due_us + load->settings.timeout_ms * US_PER_MS);
    if (c->connected)
        (void)send_request(&load->loop, c);
}

static int64_t due_at(const struct load *load, int64_t i) {
    return load->begun_us + (int64_t)((double)i * 1e6 / load->settings.rate);
}

static void tick(struct loop *loop, struct timer *timer) {
    struct load *load = (struct load *)((char *)timer - offsetof(struct load, tick));
    int64_t now = clock_monotonic_us(), due;

    if (load->stopped)
        return;
    while ((due = due_at(load, load->asked)) <= now) {
        if (load->settings.seconds > 0 &&
            due - load->begun_us >= load->settings.seconds * US_PER_S) {
            load->stopped = true;
            return;
        }
        ask(load, due);
    }
    loop_timer_set(loop, timer, due);
}

struct load *load_start(const struct load_settings *settings) {
    struct load *load = xcalloc(1, sizeof *load);

    load->settings = *settings;
    load->pool.prev = load->pool.next = &load->pool;
    load->request = xasprintf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sluice-load\r\n%s\r\n",
                              settings->path, settings->host,
                              settings->keep_alive > 0 ? "" : "Connection: close\r\n");
    load->request_len = strlen(load->request);
    load->tick.due = tick;
    loop_start(&load->loop);
    loop_enter(&load->loop);
    load->begun_us = clock_monotonic_us();
    loop_timer_set(&load->loop, &load->tick, load->begun_us);
    loop_leave(&load->loop);
    loop_wake(&load->loop);
    return load;
}

bool load_finished(struct load *load) {
    bool finished;

    loop_enter(&load->loop);
    finished = load->stopped && load->open == 0;
    loop_leave(&load->loop);
    return finished;
}

void load_stop(struct load *load) {
    loop_enter(&load->loop);
    load->stopped = true;
    loop_leave(&load->loop);
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static json_t *latency_report(struct load *load) {
    static const struct {
        const char *name;
        double share;
    } rows[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}};
    json_t *report = json_object();
    size_t n = load->n_latencies;

    if (n > 0)
        qsort(load->latencies_us, n, sizeof *load->latencies_us, by_size);
    for (size_t i = 0; n > 0 && i < sizeof rows / sizeof *rows; i++) {
        size_t at = (size_t)(rows[i].share * (double)n);
        json_object_set_new(report, rows[i].name,
                            json_real(load->latencies_us[at < n ? at : n - 1] / 1000.0));
    }
    return report;
}

static json_t *kinds_report(const struct load *load) {
    json_t *by = json_array();

    for (size_t i = 0; i < load->n_kinds; i++) {
        const struct kind *kind = &load->kinds[i];
        json_t *row = json_object();
        json_set_str(row, "version", kind->version);
        json_object_set_new(row, "status", json_integer(kind->status));
        json_object_set_new(row, "count", json_integer(kind->count));
        json_set_time(row, "first_at", kind->first_us);
        json_set_time(row, "last_at", kind->last_us);
        json_array_append_new(by, row);
    }
    return by;
}

json_t *load_report(struct load *load, bool latencies) {
    json_t *report = json_object(), *failures = json_object();
    int64_t failed = 0;

    loop_enter(&load->loop);
    for (int i = 0; i < FAILURES; i++) {
        failed += load->failed[i];
        json_object_set_new(failures, failure_names[i], json_integer(load->failed[i]));
    }
    json_object_set_new(report, "seconds",
                        json_real((double)(clock_monotonic_us() - load->begun_us) / 1e6));
    json_object_set_new(report, "requests", json_integer(load->asked));
    json_object_set_new(report, "answered", json_integer(load->answered));
    json_object_set_new(report, "failed", json_integer(failed));
    json_object_set_new(report, "failures", failures);
    json_set_time(report, "first_failure_at", load->first_failure_us);
    json_set_time(report, "last_failure_at", load->last_failure_us);
    json_object_set_new(report, "by", kinds_report(load));
    if (latencies)
        json_object_set_new(report, "latency_ms", latency_report(load));
    loop_leave(&load->loop);
    return report;
}

void load_free(struct load *load) {
    loop_stop(&load->loop);
    while (load->idle > 0)
        client_end(&load->loop, load->pool.next);
    loop_done(&load->loop);
    for (size_t i = 0; i < load->n_kinds; i++)
        free(load->kinds[i].version);
    free(load->kinds);
    free(load->latencies_us);
    free(load->request);
    free(load);
}
