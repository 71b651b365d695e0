#include "tests/support/relay.h"
#include "base/cleanup.h"
#include "base/status.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 256, CHUNK = 16384 };

/* One thread does it all: fds[0] is the listener, fds[1] wakes it, then pairs that belong together.
 */
struct relay {
    pthread_t thread;
    pthread_mutex_t lock;
    struct sockaddr_in to;
    unsigned port;
    int wake[2];
    struct pollfd fds[MOST];
    nfds_t n;
    bool cut, frozen, ending; /* under lock */
};

static int dial(const struct relay *r) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (const struct sockaddr *)&r->to, sizeof(r->to)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void begin_pair(struct relay *r) {
    int near = accept4(r->fds[0].fd, NULL, NULL, SOCK_CLOEXEC), far = near < 0 ? -1 : dial(r);
    int one = 1;

    if (near < 0)
        return;
    if (far < 0 || r->n + 2 > MOST) {
        close(near);
        if (far >= 0)
            close(far);
        return;
    }
    setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    r->fds[r->n++] = (struct pollfd){.fd = near, .events = POLLIN};
    r->fds[r->n++] = (struct pollfd){.fd = far, .events = POLLIN};
}

static void end_pair(struct relay *r, nfds_t first) {
    close(r->fds[first].fd);
    close(r->fds[first + 1].fd);
    r->n -= 2;
    r->fds[first] = r->fds[r->n];
    r->fds[first + 1] = r->fds[r->n + 1];
}

/* False at the end of either. */
static bool pass_on(int from, int to) {
    char bytes[CHUNK];
    ssize_t n = recv(from, bytes, sizeof(bytes), 0), sent;

    for (ssize_t at = 0; at < n; at += sent) {
        sent = send(to, bytes + at, (size_t)(n - at), MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
    }
    return n > 0;
}

static void serve_pairs(struct relay *r) {
    for (nfds_t i = 2; i < r->n;) {
        bool goes_on = true;

        for (nfds_t side = 0; side < 2 && goes_on; side++)
            if (r->fds[i + side].revents)
                goes_on = pass_on(r->fds[i + side].fd, r->fds[i + 1 - side].fd);
        if (goes_on)
            i += 2;
        else
            end_pair(r, i);
    }
}

/* Reads what it was told.  False: to end. */
static bool obey(struct relay *r, bool *ret_frozen) {
    char byte;
    bool ending;

    if (r->fds[1].revents)
        (void)!read(r->fds[1].fd, &byte, 1);
    pthread_mutex_lock(&r->lock);
    ending = r->ending;
    *ret_frozen = r->frozen;
    if (r->cut || ending)
        while (r->n > 2)
            end_pair(r, 2);
    r->cut = false;
    pthread_mutex_unlock(&r->lock);
    return !ending;
}

static void *relay_thread(void *ctx) {
    struct relay *r = ctx;
    bool frozen = false;

    while (poll(r->fds + frozen, frozen ? 1 : r->n, -1) >= 0 || errno == EINTR) {
        if (!obey(r, &frozen))
            break;
        if (frozen)
            continue;
        serve_pairs(r);
        if (r->fds[0].revents)
            begin_pair(r);
    }
    return NULL;
}

struct relay *relay_new(unsigned to_port) {
    struct relay *r = xcalloc(1, sizeof(*r));
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);

    r->to = at;
    r->to.sin_port = htons((uint16_t)to_port);
    pthread_mutex_init(&r->lock, NULL);
    r->fds[0] =
        (struct pollfd){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .events = POLLIN};
    if (pipe(r->wake) != 0 || bind(r->fds[0].fd, (struct sockaddr *)&at, n) != 0 ||
        listen(r->fds[0].fd, 64) != 0)
        die("no relay on loopback");
    r->fds[1] = (struct pollfd){.fd = r->wake[0], .events = POLLIN};
    r->n = 2;
    getsockname(r->fds[0].fd, (struct sockaddr *)&at, &n);
    r->port = ntohs(at.sin_port);
    if (pthread_create(&r->thread, NULL, relay_thread, r) != 0)
        die("no thread");
    return r;
}

static void tell(struct relay *r, bool *what, bool value) {
    pthread_mutex_lock(&r->lock);
    *what = value;
    pthread_mutex_unlock(&r->lock);
    (void)!write(r->wake[1], "x", 1);
}

void relay_cut(struct relay *r) {
    tell(r, &r->cut, true);
}

void relay_freeze(struct relay *r, bool frozen) {
    tell(r, &r->frozen, frozen);
}

unsigned relay_port(const struct relay *r) {
    return r->port;
}

void relay_free(struct relay *r) {
    tell(r, &r->ending, true);
    pthread_join(r->thread, NULL);
    close(r->fds[0].fd);
    close(r->wake[0]);
    close(r->wake[1]);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
