#include "tests/support/proxy.h"
#include "base/status.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECTIONS = 64, CHUNK = 65536, TICK_MS = 20, ANSWER_MS = 5000 };

struct proxy {
    char directory[64], path[96], target[108];
    int listener;
    pthread_t acceptor, threads[CONNECTIONS];
    size_t threads_n;
    atomic_bool ending;
    pthread_mutex_t lock;
    ProxyFault fault;
    char pattern[64];
    size_t pattern_n;
    atomic_uint faults;
};

struct pair {
    struct proxy *proxy;
    int client, server;
};

static int unix_socket(const char *path, struct sockaddr_un *ret) {
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(ret->sun_path, sizeof ret->sun_path, "%s", path);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static bool send_all(int fd, const char *bytes, size_t n) {
    while (n) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* Which fault these bytes call for; it happens once. */
static ProxyFault take_fault(struct proxy *p, const char *bytes, size_t n) {
    ProxyFault fault = PROXY_PASS;

    pthread_mutex_lock(&p->lock);
    if (p->fault == PROXY_MUTE) {
        fault = PROXY_MUTE;
    } else if (p->fault != PROXY_PASS && memmem(bytes, n, p->pattern, p->pattern_n)) {
        fault = p->fault;
        p->fault = PROXY_PASS;
        atomic_fetch_add(&p->faults, 1);
    }
    pthread_mutex_unlock(&p->lock);
    return fault;
}

static bool await(const struct proxy *p, int fd) {
    struct pollfd at = {.fd = fd, .events = POLLIN};

    for (int waited = 0; !atomic_load(&p->ending) && waited < ANSWER_MS; waited += TICK_MS)
        if (poll(&at, 1, TICK_MS) > 0)
            return true;
    return false;
}

/* Forwards what the client sent.  False when the connection is to be closed; *ret_deaf: no more is
 * forwarded. */
static bool forward(struct pair *pair, char *buffer, bool *ret_deaf) {
    ssize_t n = recv(pair->client, buffer, CHUNK, 0);

    if (n <= 0)
        return false;
    switch (take_fault(pair->proxy, buffer, (size_t)n)) {
    case PROXY_CUT_BEFORE:
        return false;
    case PROXY_CUT_AFTER:
        send_all(pair->server, buffer, (size_t)n);
        if (await(pair->proxy, pair->server))
            (void)recv(pair->server, buffer, CHUNK, 0);
        return false;
    case PROXY_SWALLOW:
    case PROXY_MUTE:
        *ret_deaf = true;
        return true;
    case PROXY_PASS:
        break;
    }
    return send_all(pair->server, buffer, (size_t)n);
}

static bool back(struct pair *pair, char *buffer) {
    ssize_t n = recv(pair->server, buffer, CHUNK, 0);

    return n > 0 && send_all(pair->client, buffer, (size_t)n);
}

static void *serve(void *arg) {
    struct pair *pair = arg;
    char *buffer = xmalloc(CHUNK);
    bool deaf = false, open = true;

    while (open && !atomic_load(&pair->proxy->ending)) {
        struct pollfd fds[2] = {{.fd = pair->client, .events = POLLIN},
                                {.fd = deaf ? -1 : pair->server, .events = POLLIN}};

        if (poll(fds, 2, TICK_MS) <= 0)
            continue;
        if (fds[0].revents)
            open = forward(pair, buffer, &deaf);
        if (open && fds[1].revents)
            open = back(pair, buffer);
    }
    close(pair->client);
    close(pair->server);
    free(buffer);
    free(pair);
    return NULL;
}

static void *accept_all(void *arg) {
    struct proxy *p = arg;
    struct pollfd fd = {.fd = p->listener, .events = POLLIN};

    while (!atomic_load(&p->ending)) {
        struct sockaddr_un address;
        struct pair *pair;

        if (poll(&fd, 1, TICK_MS) <= 0)
            continue;
        if (p->threads_n == CONNECTIONS)
            die("proxy: more than %d connections", CONNECTIONS);
        pair = xcalloc(1, sizeof *pair);
        pair->proxy = p;
        pair->client = accept(p->listener, NULL, NULL);
        pair->server = unix_socket(p->target, &address);
        if (connect(pair->server, (const struct sockaddr *)&address, sizeof address) != 0) {
            close(pair->client);
            close(pair->server);
            free(pair);
            continue;
        }
        if (pthread_create(&p->threads[p->threads_n++], NULL, serve, pair) != 0)
            die("cannot start a thread");
    }
    return NULL;
}

struct proxy *proxy_start(const char *target) {
    struct proxy *p = xcalloc(1, sizeof *p);
    struct sockaddr_un address;

    snprintf(p->directory, sizeof p->directory, "/tmp/sluice-proxy-XXXXXX");
    if (!mkdtemp(p->directory))
        die("mkdtemp: %s", strerror(errno));
    snprintf(p->path, sizeof p->path, "%s/.s.PGSQL.5432", p->directory);
    snprintf(p->target, sizeof p->target, "%s", target);
    pthread_mutex_init(&p->lock, NULL);
    p->listener = unix_socket(p->path, &address);
    if (bind(p->listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(p->listener, 64) != 0)
        die("proxy: %s", strerror(errno));
    if (pthread_create(&p->acceptor, NULL, accept_all, p) != 0)
        die("cannot start a thread");
    return p;
}

void proxy_fault(struct proxy *p, ProxyFault fault, const void *pattern, size_t n) {
    pthread_mutex_lock(&p->lock);
    p->fault = fault;
    p->pattern_n = n;
    if (n)
        memcpy(p->pattern, pattern, n);
    pthread_mutex_unlock(&p->lock);
}

const char *proxy_directory(const struct proxy *p) {
    return p->directory;
}

unsigned proxy_faults(const struct proxy *p) {
    return atomic_load(&p->faults);
}

void proxy_stop(struct proxy *p) {
    if (!p)
        return;
    atomic_store(&p->ending, true);
    pthread_join(p->acceptor, NULL);
    for (size_t i = 0; i < p->threads_n; i++)
        pthread_join(p->threads[i], NULL);
    close(p->listener);
    unlink(p->path);
    rmdir(p->directory);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
