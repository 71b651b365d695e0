/* http/listen.c: the listening socket is ours, so that a port in use is one clear line, and so that
 * draining is safe.
 *
 * MHD_quiesce_daemon (0.9.75) takes the socket out of each thread's epoll set while those threads
 * may do the same, and aborts the process when it comes second: a SIGTERM under load could end in a
 * crash.  listen_mute() instead puts another listening socket, which nobody knows, under the same
 * descriptor number: the kernel closes the real one at that instant, and libmicrohttpd's
 * bookkeeping stays true. */
#include "http/server.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

static bool parse_address(const char *address, int port, struct sockaddr_storage *ret,
                          socklen_t *ret_n) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

    if (inet_pton(AF_INET, address, &in.sin_addr) == 1) {
        memcpy(ret, &in, sizeof in);
        *ret_n = sizeof in;
        return true;
    }
    if (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1) {
        memcpy(ret, &in6, sizeof in6);
        *ret_n = sizeof in6;
        return true;
    }
    return false;
}

static int listen_on(const struct sockaddr_storage *a, socklen_t n) {
    int fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), saved;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (a->ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int));
    if (bind(fd, (const struct sockaddr *)a, n) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int listen_open(const char *address, int port, char *reterr, size_t n) {
    struct sockaddr_storage a;
    socklen_t len;
    int fd;

    if (!parse_address(address, port, &a, &len)) {
        snprintf(reterr, n, "%s is no IP address to listen on", address);
        return -1;
    }
    fd = listen_on(&a, len);
    if (fd < 0 && errno == EAFNOSUPPORT && !strcmp(address, "::") &&
        parse_address("0.0.0.0", port, &a, &len))
        fd = listen_on(&a, len); /* a machine without IPv6 */
    if (fd < 0)
        snprintf(reterr, n, "cannot listen on %s port %d: %s", address, port,
                 strerrordesc_np(errno));
    return fd;
}

int listen_port(int fd) {
    struct sockaddr_storage a;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    socklen_t n = sizeof a;

    if (getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        return -1;
    memcpy(&in, &a, sizeof in);
    memcpy(&in6, &a, sizeof in6);
    return ntohs(a.ss_family == AF_INET6 ? in6.sin6_port : in.sin_port);
}

void listen_mute(int fd) {
    struct sockaddr_un nowhere = {.sun_family = AF_UNIX}; /* the kernel makes up an abstract name */
    int inert = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (inert < 0 || bind(inert, (struct sockaddr *)&nowhere, sizeof nowhere.sun_family) != 0 ||
        listen(inert, 1) != 0 || dup3(inert, fd, O_CLOEXEC) < 0)
        shutdown(fd, SHUT_RD); /* out of descriptors: refuse callers the loud way */
    if (inert >= 0)
        close(inert);
}
