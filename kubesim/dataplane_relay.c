/* kubesim/dataplane_relay.c: a Service: bytes go between a client and the backend that its
 * connection was given, unchanged; on the way requests and answers are counted. */
#include "base/status.h"
#include "kubesim/dataplane_http.h"
#include "kubesim/dataplane_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A read brings at most 8192/14 requests: they fit above ASKED_FULL. */
enum { ACCEPTS = 64, ROUNDS = 16, ASKED_ROOM = 1024, ASKED_FULL = 400 };

struct flow {
    size_t at, len;
    bool eof;  /* its source has said its last */
    bool shut; /* and that was passed on */
    char bytes[8192];
};

struct relay {
    struct link link; /* first */
    struct watch client, backend;
    struct service *service;
    struct flow up, down; /* client to backend, and back */
    struct http_scan asks, answers;
    bool asked_head[ASKED_ROOM]; /* of the unanswered requests, a ring: whether it is HEAD */
    unsigned asked_first, asked;
    bool answered;     /* the connection has carried an answer */
    bool backend_lost; /* what is unanswered now stays so */
};

#define RELAY_OF(member, p) ((struct relay *)((char *)(p)-offsetof(struct relay, member)))

static void count_lost(struct relay *r, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        traffic_add(&r->service->traffic, NULL, 0);
    r->asked = 0;
}

static void relay_end(struct loop *loop, struct relay *r, bool reset) {
    if (r->backend_lost)
        count_lost(r, r->asked);
    if (reset) {
        loop_reset(&r->client);
        loop_reset(&r->backend);
    }
    loop_close(&r->client);
    loop_close(&r->backend);
    link_remove(&r->link);
    loop_bury(loop, r);
}

/* The backend refused or reset: so does the Service. */
static void backend_failed(struct loop *loop, struct relay *r) {
    unsigned lost = r->asked;
    int unread = 0;

    if (r->asks.at == SCAN_HEAD || r->asks.line_len > 0)
        lost++; /* its head is not complete, so that it is not among the asked */
    if (lost == 0 && !r->up.eof && ioctl(r->client.fd, FIONREAD, &unread) == 0 && unread > 0)
        lost = 1;
    if (lost == 0 && !r->up.eof && !r->answered && !r->backend_lost)
        lost = 1;
    count_lost(r, lost);
    relay_end(loop, r, true);
}

static void scan_asks(struct relay *r, const char *bytes, size_t n) {
    enum scanned happened;

    do {
        size_t used = http_scan(&r->asks, bytes, n, &happened);
        bytes += used;
        n -= used;
        if (happened == SCANNED_HEAD && r->asked < ASKED_ROOM)
            r->asked_head[(r->asked_first + r->asked++) % ASKED_ROOM] = r->asks.head;
    } while (happened != SCANNED_ALL);
}

static void count_answer(struct relay *r) {
    if (r->asked > 0) {
        r->asked_first = (r->asked_first + 1) % ASKED_ROOM;
        r->asked--;
    }
    r->answered = true;
    traffic_add(&r->service->traffic, r->answers.version, r->answers.status);
}

static void scan_answers(struct relay *r, const char *bytes, size_t n) {
    enum scanned happened;

    do {
        size_t used;
        r->answers.bodiless = r->asked > 0 && r->asked_head[r->asked_first];
        used = http_scan(&r->answers, bytes, n, &happened);
        bytes += used;
        n -= used;
        if (happened == SCANNED_END)
            count_answer(r);
    } while (happened != SCANNED_ALL);
}

static void backend_said_its_last(struct relay *r) {
    if (r->answers.at == SCAN_UNTIL_CLOSE)
        count_answer(r);
    r->backend_lost = true;
    count_lost(r, r->asked);
}

enum moved { MOVED, STUCK, FAILED };

static enum moved fill(struct relay *r, struct flow *flow, int from) {
    bool up = flow == &r->up;
    ssize_t n;

    if (flow->len > 0 || flow->eof || (up && r->asked > ASKED_FULL))
        return STUCK;
    n = recv(from, flow->bytes, sizeof flow->bytes, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? STUCK : FAILED;
    flow->eof = n == 0;
    flow->len = (size_t)n;
    if (up)
        scan_asks(r, flow->bytes, flow->len);
    else
        scan_answers(r, flow->bytes, flow->len);
    if (flow->eof && !up)
        backend_said_its_last(r);
    return MOVED;
}

static enum moved drain(struct flow *flow, int to) {
    while (flow->at < flow->len) {
        ssize_t n = send(to, flow->bytes + flow->at, flow->len - flow->at, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? STUCK : FAILED;
        flow->at += (size_t)n;
    }
    flow->at = flow->len = 0;
    if (flow->eof && !flow->shut) {
        (void)shutdown(to, SHUT_WR);
        flow->shut = true;
    }
    return MOVED;
}

/* Moves bytes both ways as far as they go.  False when the relay has ended. */
static bool pump(struct loop *loop, struct relay *r) {
    for (int i = 0; i < ROUNDS; i++) {
        enum moved from_client = fill(r, &r->up, r->client.fd), from_backend, to;

        if (from_client == FAILED) { /* the client went: nobody is left to fail */
            relay_end(loop, r, true);
            return false;
        }
        to = drain(&r->up, r->backend.fd);
        from_backend = fill(r, &r->down, r->backend.fd);
        /* What the backend said before it went still reaches the client. */
        if (from_backend == FAILED || (to == FAILED && from_backend != MOVED)) {
            backend_failed(loop, r);
            return false;
        }
        if (drain(&r->down, r->client.fd) == FAILED) {
            relay_end(loop, r, true);
            return false;
        }
        if (from_client == STUCK && from_backend == STUCK)
            break;
    }
    if (r->up.shut && r->down.shut) {
        relay_end(loop, r, false);
        return false;
    }
    return true;
}

static uint32_t interest(const struct relay *r, const struct flow *from, const struct flow *to) {
    bool full = from->len > 0 || from->eof || (from == &r->up && r->asked > ASKED_FULL);

    return (full ? 0 : (uint32_t)EPOLLIN) | (to->len > 0 ? (uint32_t)EPOLLOUT : 0);
}

static void advance(struct loop *loop, struct relay *r) {
    if (!pump(loop, r))
        return;
    loop_interest(loop, &r->client, interest(r, &r->up, &r->down));
    loop_interest(loop, &r->backend, interest(r, &r->down, &r->up));
}

static void client_ready(struct loop *loop, struct watch *watch, uint32_t events) {
    struct relay *r = RELAY_OF(client, watch);

    if ((events & EPOLLERR) != 0) {
        relay_end(loop, r, true);
        return;
    }
    if ((events & EPOLLHUP) != 0 && r->up.eof)
        loop_close(&r->client); /* nothing more can come or go: epoll would say so for ever */
    advance(loop, r);
}

static void backend_ready(struct loop *loop, struct watch *watch, uint32_t events) {
    struct relay *r = RELAY_OF(backend, watch);

    if ((events & EPOLLHUP) != 0 && r->down.eof)
        loop_close(&r->backend);
    advance(loop, r);
}

/* -1 when the backend refuses at once. */
static int connect_backend(const struct backend *b) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)b->port)};
    int one = 1, fd;

    if (inet_pton(AF_INET, b->ip, &address.sin_addr) != 1)
        return -1;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS)
        return fd;
    close(fd);
    return -1;
}

static void join(struct loop *loop, struct service *s, int client) {
    int backend = -1;
    struct relay *r;

    if (s->n_backends > 0)
        backend = connect_backend(&s->backends[s->turn++ % s->n_backends]);
    if (backend < 0) {
        struct watch refused = {.fd = client};
        traffic_add(&s->traffic, NULL, 0);
        loop_reset(&refused);
        return;
    }
    r = xcalloc(1, sizeof *r);
    r->service = s;
    r->answers.answers = true;
    r->client.ready = client_ready;
    r->backend.ready = backend_ready;
    link_add(&s->dataplane->relays, &r->link);
    loop_watch(loop, &r->client, client, EPOLLIN);
    loop_watch(loop, &r->backend, backend, EPOLLIN);
}

void service_ready(struct loop *loop, struct watch *listener, uint32_t events) {
    struct service *s = (struct service *)((char *)listener - offsetof(struct service, listener));
    bool refused;

    (void)events;
    for (int i = 0, fd; i < ACCEPTS; i++) {
        fd = loop_accept(loop, listener->fd, &refused);
        if (refused)
            traffic_add(&s->traffic, NULL, 0);
        if (fd < 0)
            return;
        join(loop, s, fd);
    }
}

void relays_end(struct dataplane *d) {
    while (d->relays.next != &d->relays)
        relay_end(&d->loop, (struct relay *)d->relays.next, true);
}
