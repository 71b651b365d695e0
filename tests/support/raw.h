/* tests/support/raw.h: HTTP as bytes on a socket, for shapes that no client library would send. */
#pragma once
#include "base/clock.h"
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline int raw_connect(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

/* false: the other side has closed. */
static inline bool raw_send_n(int fd, const char *bytes, size_t n) {
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

        if (sent < 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

static inline bool raw_send(int fd, const char *text) {
    return raw_send_n(fd, text, strlen(text));
}

/* What has arrived and was not yet taken. */
struct raw_input {
    int fd;
    char bytes[64 * 1024];
    size_t n;
    bool closed;
};

/* Reads more; false at the deadline or when the other side has closed. */
static inline bool raw_more(struct raw_input *in, int64_t deadline_us) {
    int64_t left_ms = (deadline_us - clock_monotonic_us()) / US_PER_MS;
    struct pollfd p = {.fd = in->fd, .events = POLLIN};
    ssize_t got;

    if (in->closed || left_ms < 0 || in->n + 1 >= sizeof in->bytes ||
        poll(&p, 1, (int)left_ms) != 1)
        return false;
    got = recv(in->fd, in->bytes + in->n, sizeof in->bytes - 1 - in->n, 0);
    if (got <= 0) {
        in->closed = true;
        return false;
    }
    in->n += (size_t)got;
    in->bytes[in->n] = '\0';
    return true;
}

static inline void raw_drop(struct raw_input *in, size_t n) {
    memmove(in->bytes, in->bytes + n, in->n - n + 1);
    in->n -= n;
}

/* Waits until the text has arrived; drops everything up to its end. */
static inline bool raw_await(struct raw_input *in, const char *text, int ms) {
    int64_t deadline_us = clock_monotonic_us() + ms * US_PER_MS;
    const char *at;

    while (!(at = in->n ? strstr(in->bytes, text) : NULL))
        if (!raw_more(in, deadline_us))
            return false;
    raw_drop(in, (size_t)(at - in->bytes) + strlen(text));
    return true;
}

/* Whether the other side closes within the time; what arrives before is kept. */
static inline bool raw_closes(struct raw_input *in, int ms) {
    int64_t deadline_us = clock_monotonic_us() + ms * US_PER_MS;

    while (raw_more(in, deadline_us))
        ;
    return in->closed;
}

struct raw_answer {
    int status;
    char head[8 * 1024], body[32 * 1024];
};

/* One answer with Content-Length (or none).  Its status, or 0 when none came. */
static inline int raw_answer(struct raw_input *in, struct raw_answer *ret, int ms) {
    int64_t deadline_us = clock_monotonic_us() + ms * US_PER_MS;
    const char *end, *length;
    size_t head, body;

    *ret = (struct raw_answer){0};
    while (!(end = in->n ? strstr(in->bytes, "\r\n\r\n") : NULL))
        if (!raw_more(in, deadline_us))
            return 0;
    head = (size_t)(end - in->bytes) + 4;
    ck_assert_uint_lt(head, sizeof ret->head);
    memcpy(ret->head, in->bytes, head);
    length = strcasestr(ret->head, "\r\nContent-Length: ");
    body = length ? strtoul(length + 18, NULL, 10) : 0;
    ck_assert_uint_lt(body, sizeof ret->body);
    while (in->n < head + body)
        if (!raw_more(in, deadline_us))
            return 0;
    memcpy(ret->body, in->bytes + head, body);
    raw_drop(in, head + body);
    ret->status = strncmp(ret->head, "HTTP/1.", 7) == 0 ? (int)strtol(ret->head + 9, NULL, 10) : -1;
    return ret->status;
}

/* Sends one request on a connection of its own and reads the answer; whether the server closed
 * after it. */
static inline int raw_exchange(int port, const char *request, size_t n, struct raw_answer *ret,
                               bool *retclosed) {
    struct raw_input in = {.fd = raw_connect(port)};
    int status;

    raw_send_n(in.fd, request, n);
    status = raw_answer(&in, ret, 3000);
    if (retclosed)
        *retclosed = raw_closes(&in, 300);
    close(in.fd);
    return status;
}
