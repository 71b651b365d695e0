/* bench/streams/main.c: sluice-streams PORT KEY STREAMS [PATH]: as many OpenFeature web clients of
 * one server, each with its event stream open.  Says "ready"; when a flag was changed each fetches
 * the flags anew, as its provider does, and once all have, or after a minute, it prints one line of
 * JSON: when the events came (µs of the wall clock), and how long the fetches took.  With a PATH
 * (/api/v1/events…) they are streams of it, KEY is a bearer token, and nothing is fetched. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 64 * 1024, FETCHING_MAX = 1000, BATCH = 256, PATIENCE_S = 60 };

static const char context[] = "{\"context\": {\"targetingKey\": \"user-1\"}}";

struct client {
    int stream, fetch; /* sockets; -1: none */
    int64_t event_us, fetch_us, done_us;
};
struct crowd {
    struct sockaddr_in address;
    const char *key, *path; /* path: NULL for flags */
    struct client *clients;
    size_t n, told, next, fetching, done, refused;
    int epoll;
    char room[ROOM];
};

static int connected(const struct crowd *c) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&c->address, sizeof c->address) != 0)
        die("no connection: %s", strerror(errno));
    return fd;
}

static void say(int fd, const char *text) {
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
        die("not sent: %s", strerror(errno));
}

static void ask(const struct crowd *c, int fd) {
    _cleanup_free_ char *text =
        xasprintf("POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\n"
                  "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                  c->key, strlen(context), context);

    say(fd, text);
}

/* The answer up to `end`, in c->room. */
static const char *answer(struct crowd *c, int fd, const char *end) {
    size_t have = 0;

    for (;;) {
        ssize_t n = recv(fd, c->room + have, ROOM - 1 - have, 0);

        if (n <= 0)
            die("no answer to the end: %.300s", c->room);
        have += (size_t)n;
        c->room[have] = '\0';
        if (strstr(c->room, end))
            return c->room;
    }
}

/* Both requests go over one connection, which is then the stream. */
static char *flags_request(struct crowd *c, int fd) {
    const char *uri;

    ask(c, fd);
    uri = strstr(answer(c, fd, "]}"), "\"requestUri\":\"");
    if (!uri)
        die("no event stream is offered: %.300s", c->room);
    uri += strlen("\"requestUri\":\"");
    return xasprintf("GET %.*s HTTP/1.1\r\nHost: localhost\r\n\r\n", (int)strcspn(uri, "\""), uri);
}

static void open_stream(struct crowd *c, size_t i) {
    int fd = connected(c);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = i * 2};
    _cleanup_free_ char *request =
        c->path ? xasprintf("GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
                            "Authorization: Bearer %s\r\n\r\n",
                            c->path, c->key)
                : flags_request(c, fd);

    say(fd, request);
    if (strncmp(answer(c, fd, "\r\n\r\n"), "HTTP/1.1 200", 12) != 0)
        die("no stream: %.300s", c->room);
    c->clients[i] = (struct client){.stream = fd, .fetch = -1};
    if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll: %s", strerror(errno));
}

static void begin_fetches(struct crowd *c) {
    for (; c->next < c->n && c->fetching < FETCHING_MAX; c->next++) {
        struct client *one = &c->clients[c->next];
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = c->next * 2 + 1};

        if (!one->event_us || c->path)
            return;
        one->fetch_us = clock_now_us();
        one->fetch = connected(c);
        ask(c, one->fetch);
        c->fetching++;
        if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, one->fetch, &event) != 0)
            die("epoll: %s", strerror(errno));
    }
}

static void on_event(struct crowd *c, struct client *one) {
    ssize_t n = recv(one->stream, c->room, ROOM - 1, 0);

    if (n <= 0)
        die("a stream ended");
    c->room[n] = '\0';
    if (!one->event_us && strstr(c->room, c->path ? "\ndata:" : "refetchEvaluation")) {
        one->event_us = clock_now_us();
        c->told++;
    }
}

/* The first part of the answer is enough: its status. */
static void on_fetched(struct crowd *c, struct client *one) {
    ssize_t n = recv(one->fetch, c->room, ROOM - 1, 0);

    c->refused += n < 12 || strncmp(c->room, "HTTP/1.1 200", 12) != 0;
    close(one->fetch);
    one->done_us = clock_now_us();
    c->fetching--;
    c->done++;
}

static void run(struct crowd *c) {
    int64_t until = clock_monotonic_us() + PATIENCE_S * US_PER_S;
    struct epoll_event events[BATCH];

    while ((c->path ? c->told : c->done) < c->n && clock_monotonic_us() < until) {
        int n = epoll_wait(c->epoll, events, BATCH, 100);

        for (int i = 0; i < n; i++) {
            struct client *one = &c->clients[events[i].data.u64 / 2];

            if (events[i].data.u64 % 2)
                on_fetched(c, one);
            else
                on_event(c, one);
        }
        begin_fetches(c);
    }
}

static void report(const struct crowd *c) {
    json_auto_t *out = json_object();
    json_t *events = json_array(), *fetches = json_array();
    _cleanup_free_ char *text = NULL;

    for (size_t i = 0; i < c->n; i++) {
        if (c->clients[i].event_us)
            json_array_append_new(events, json_integer(c->clients[i].event_us));
        if (c->clients[i].done_us)
            json_array_append_new(fetches,
                                  json_integer(c->clients[i].done_us - c->clients[i].fetch_us));
    }
    json_object_set_new(out, "events_us", events);
    json_object_set_new(out, "fetches_us", fetches);
    json_object_set_new(out, "refused", json_integer((json_int_t)c->refused));
    text = json_text(out);
    puts(text);
}

int main(int argc, char **argv) {
    static struct crowd c;
    struct rlimit files;

    if (argc != 4 && argc != 5)
        die("usage: sluice-streams PORT KEY STREAMS [PATH]");
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    c = (struct crowd){.address = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)strtol(argv[1], NULL, 10)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
                       .key = argv[2],
                       .path = argv[4],
                       .n = strtoul(argv[3], NULL, 10),
                       .epoll = epoll_create1(EPOLL_CLOEXEC)};
    c.clients = xcalloc(c.n, sizeof *c.clients);
    for (size_t i = 0; i < c.n; i++)
        open_stream(&c, i);
    puts("ready");
    fflush(stdout);
    run(&c);
    report(&c);
    return 0;
}
