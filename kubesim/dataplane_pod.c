/* kubesim/dataplane_pod.c: one pod: a listener and its connections. */
#include "base/clock.h"
#include "base/json.h"
#include "base/status.h"
#include "base/strbuf.h"
#include "kubesim/dataplane_http.h"
#include "kubesim/dataplane_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { ACCEPTS = 64, OUT_FULL = 65536, OUT_MAX = 1 << 20 };

struct connection {
    struct link link; /* first */
    struct watch watch;
    struct timer due;
    struct pod *pod;
    struct http_scan scan;
    struct strbuf out;
    size_t out_at, in_at, in_len;
    bool waiting;   /* for `due`, to answer the request scanned last */
    bool last;      /* the answer in `out` is the last one */
    bool shut, eof; /* we have said our last; the peer has */
    char in[4096];
};

#define CONNECTION_OF(member, p)                                                                   \
    ((struct connection *)((char *)(p)-offsetof(struct connection, member)))

static void connection_end(struct loop *loop, struct connection *c, bool reset) {
    loop_timer_cancel(loop, &c->due);
    if (reset)
        loop_reset(&c->watch);
    else
        loop_close(&c->watch);
    link_remove(&c->link);
    strbuf_done(&c->out);
    loop_bury(loop, c);
}

static const char *reason(unsigned status) {
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "Internal Server Error";
    }
}

static void put_answer(struct connection *c, unsigned status, const char *body, size_t n) {
    const char *connection = c->last          ? "Connection: close\r\n"
                             : c->scan.http10 ? "Connection: keep-alive\r\n"
                                              : "";

    strbuf_addf(&c->out,
                "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                "X-Version: %s\r\n%s\r\n",
                status, reason(status), n, c->pod->version, connection);
    if (!c->scan.head)
        strbuf_add(&c->out, body, n);
}

static void answer(struct connection *c) {
    struct pod_answer a = pod_answer(c->pod, c->scan.path);

    c->last = c->scan.close || c->pod->draining;
    put_answer(c, a.status, a.body, strlen(a.body));
    free(a.body);
}

static void refuse(struct connection *c) {
    static const char body[] = "{\"error\":\"Bad Request\"}";

    c->last = true;
    c->scan.head = false;
    put_answer(c, c->scan.status, body, sizeof body - 1);
}

/* Scans what has come in until there is nothing left, or an answer has to wait. */
static void read_requests(struct loop *loop, struct connection *c) {
    enum scanned happened;

    do {
        if (c->waiting || c->last || c->out.len - c->out_at > OUT_FULL)
            break;
        c->in_at += http_scan(&c->scan, c->in + c->in_at, c->in_len - c->in_at, &happened);
        if (happened == SCANNED_BAD)
            refuse(c);
        else if (happened == SCANNED_HEAD && c->scan.expects && c->scan.post)
            strbuf_adds(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
        else if (happened == SCANNED_END && c->pod->behavior.latency_ms > 0) {
            c->waiting = true;
            loop_timer_set(loop, &c->due,
                           clock_monotonic_us() + c->pod->behavior.latency_ms * US_PER_MS);
        } else if (happened == SCANNED_END)
            answer(c);
    } while (happened != SCANNED_ALL);
    if (c->last || c->in_at == c->in_len)
        c->in_at = c->in_len = 0;
}

/* False when the connection is gone. */
static bool write_answers(struct connection *c) {
    while (c->out_at < c->out.len) {
        ssize_t n =
            send(c->watch.fd, c->out.data + c->out_at, c->out.len - c->out_at, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        c->out_at += (size_t)n;
    }
    strbuf_clear(&c->out);
    c->out_at = 0;
    return true;
}

/* Goes on as far as it can, then says what it waits for. */
static void advance(struct loop *loop, struct connection *c) {
    bool flushed;

    do {
        read_requests(loop, c);
        if (!write_answers(c)) {
            connection_end(loop, c, true);
            return;
        }
        flushed = c->out.len == 0;
    } while (flushed && c->in_len > c->in_at && !c->waiting);
    if (flushed && !c->waiting && c->eof) {
        connection_end(loop, c, false);
        return;
    }
    if (flushed && c->last &&
        !c->shut) { /* what still comes is read, lest a reset eats the answer */
        (void)shutdown(c->watch.fd, SHUT_WR);
        c->shut = true;
    }
    loop_interest(loop, &c->watch,
                  (c->eof || c->in_len == sizeof c->in ? 0 : (uint32_t)EPOLLIN) |
                      (flushed ? 0 : (uint32_t)EPOLLOUT));
}

static void connection_ready(struct loop *loop, struct watch *watch, uint32_t events) {
    struct connection *c = CONNECTION_OF(watch, watch);

    if ((events & EPOLLIN) != 0 && !c->eof && c->in_len < sizeof c->in) {
        ssize_t n = recv(c->watch.fd, c->in + c->in_len, sizeof c->in - c->in_len, 0);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            connection_end(loop, c, true);
            return;
        }
        c->eof = n == 0;
        c->in_len += n > 0 ? (size_t)n : 0;
    } else if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        connection_end(loop, c, true);
        return;
    }
    advance(loop, c);
}

static void answer_due(struct loop *loop, struct timer *timer) {
    struct connection *c = CONNECTION_OF(due, timer);

    c->waiting = false;
    answer(c);
    advance(loop, c);
}

static void pod_ready(struct loop *loop, struct watch *listener, uint32_t events) {
    struct pod *pod = (struct pod *)((char *)listener - offsetof(struct pod, listener));
    bool refused;

    (void)events;
    for (int i = 0, fd; i < ACCEPTS; i++) {
        struct connection *c;
        if ((fd = loop_accept(loop, listener->fd, &refused)) < 0)
            return;
        c = xcalloc(1, sizeof *c);
        c->pod = pod;
        c->out = STRBUF(OUT_MAX);
        c->watch.ready = connection_ready;
        c->due.due = answer_due;
        link_add(&pod->connections, &c->link);
        loop_watch(loop, &c->watch, fd, EPOLLIN);
    }
}

/* A version goes into a header: only what may stand there. */
static char *header_text(const char *s) {
    char *text = xstrdup(s != NULL ? s : "");

    for (char *p = text; *p != 0; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
    return text;
}

struct pod *pod_new(struct loop *loop, const char *uid, int listener, const char *version,
                    const char *name, const char *color) {
    struct pod *pod = xcalloc(1, sizeof *pod);
    json_auto_t *body = json_object();

    pod->uid = xstrdup(uid);
    pod->version = header_text(version);
    pod->name = xstrdup(name);
    pod->color = xstrdup(color);
    json_set_str(body, "version", pod->version);
    json_set_str(body, "pod", name);
    json_set_str(body, "color", color);
    pod->body = json_text(body);
    pod->opened_us = clock_monotonic_us();
    pod->behavior = (struct pod_behavior){.health_ok = true};
    pod->listener.ready = pod_ready;
    link_init(&pod->connections);
    loop_watch(loop, &pod->listener, listener, EPOLLIN);
    return pod;
}

void pod_end(struct loop *loop, struct pod *pod) {
    loop_close(&pod->listener);
    while (pod->connections.next != &pod->connections) {
        struct connection *c = (struct connection *)pod->connections.next;
        bool idle = c->scan.at == SCAN_START && c->scan.line_len == 0 && !c->waiting &&
                    c->in_len == 0 && c->out.len == 0;
        connection_end(loop, c, !(pod->draining && idle));
    }
    free(pod->uid);
    free(pod->version);
    free(pod->name);
    free(pod->color);
    free(pod->body);
    loop_bury(loop, pod);
}
