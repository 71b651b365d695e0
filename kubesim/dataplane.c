/* kubesim/dataplane.c: the pods and Services by name, for callers of any thread. */
#include "kubesim/dataplane.h"
#include "base/status.h"
#include "kubesim/dataplane_parts.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Both kinds begin with their name. */
static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void *find(void *const *tree, const char *name) {
    void *const *node = tfind(&name, tree, by_name);

    return node != NULL ? *node : NULL;
}

static void add(void **tree, void *item) {
    if (tsearch(item, tree, by_name) == NULL)
        die("out of memory");
}

struct dataplane *dataplane_new(void) {
    struct dataplane *d = xcalloc(1, sizeof *d);

    link_init(&d->relays);
    loop_start(&d->loop);
    return d;
}

static void remove_pod(struct dataplane *d, struct pod *pod) {
    tdelete(pod, &d->pods, by_name);
    pod_end(&d->loop, pod);
}

static void service_free(struct service *s) {
    loop_close(&s->listener);
    traffic_done(&s->traffic);
    free(s->backends);
    free(s->key);
    free(s);
}

void dataplane_free(struct dataplane *d) {
    if (d == NULL)
        return;
    loop_stop(&d->loop);
    relays_end(d);
    while (d->pods != NULL) /* a node of the tree begins with its item */
        remove_pod(d, *(struct pod **)d->pods);
    while (d->services != NULL) {
        struct service *s = *(struct service **)d->services;
        tdelete(s, &d->services, by_name);
        service_free(s);
    }
    loop_done(&d->loop);
    free(d);
}

bool dataplane_pod_open(struct dataplane *d, const char *uid, const char *ip, int port,
                        const char *version, const char *pod, const char *color) {
    struct pod *before;
    int fd;

    loop_enter(&d->loop);
    before = find(&d->pods, uid);
    if (before != NULL)
        remove_pod(d, before);
    fd = loop_listen(ip, port);
    if (fd >= 0)
        add(&d->pods, pod_new(&d->loop, uid, fd, version, pod, color));
    loop_leave(&d->loop);
    return fd >= 0;
}

void dataplane_pod_behave(struct dataplane *d, const char *uid, struct pod_behavior b) {
    struct pod *pod;

    loop_enter(&d->loop);
    pod = find(&d->pods, uid);
    if (pod != NULL)
        pod->behavior = b;
    loop_leave(&d->loop);
}

void dataplane_pod_drain(struct dataplane *d, const char *uid) {
    struct pod *pod;

    loop_enter(&d->loop);
    pod = find(&d->pods, uid);
    if (pod != NULL)
        pod->draining = true;
    loop_leave(&d->loop);
}

void dataplane_pod_close(struct dataplane *d, const char *uid) {
    struct pod *pod;

    loop_enter(&d->loop);
    pod = find(&d->pods, uid);
    if (pod != NULL)
        remove_pod(d, pod);
    loop_leave(&d->loop);
}

/* A Service is kept for its counts once it was open. */
static struct service *service_at(struct dataplane *d, const char *key) {
    struct service *s = find(&d->services, key);

    if (s == NULL) {
        s = xcalloc(1, sizeof *s);
        s->key = xstrdup(key);
        s->dataplane = d;
        s->listener = (struct watch){.fd = -1, .ready = service_ready};
        add(&d->services, s);
    }
    return s;
}

static bool service_open(struct dataplane *d, const char *key, const char *ip, int port) {
    struct service *s = find(&d->services, key);
    int fd;

    if (s != NULL && s->listener.fd >= 0) {
        errno = EEXIST;
        return false;
    }
    fd = loop_listen(ip, port);
    if (fd >= 0)
        loop_watch(&d->loop, &service_at(d, key)->listener, fd, EPOLLIN);
    return fd >= 0;
}

bool dataplane_service_open(struct dataplane *d, const char *key, const char *ip, int port) {
    bool open;

    loop_enter(&d->loop);
    open = service_open(d, key, ip, port);
    loop_leave(&d->loop);
    return open;
}

static void set_backends(struct service *s, const struct backend *b, size_t n) {
    free(s->backends);
    s->backends = NULL;
    s->n_backends = n;
    if (n == 0)
        return;
    s->backends = xmalloc(n * sizeof *b);
    memcpy(s->backends, b, n * sizeof *b);
}

void dataplane_service_backends(struct dataplane *d, const char *key, const struct backend *b,
                                size_t n) {
    struct service *s;

    loop_enter(&d->loop);
    s = find(&d->services, key);
    if (s != NULL)
        set_backends(s, b, n);
    loop_leave(&d->loop);
}

void dataplane_service_close(struct dataplane *d, const char *key) {
    struct service *s;

    loop_enter(&d->loop);
    s = find(&d->services, key);
    if (s != NULL) {
        loop_close(&s->listener);
        set_backends(s, NULL, 0);
    }
    loop_leave(&d->loop);
}

json_t *dataplane_traffic(struct dataplane *d, const char *key, int64_t since_us) {
    static const struct traffic none;
    const struct service *s;
    json_t *traffic;

    loop_enter(&d->loop);
    s = find(&d->services, key);
    traffic = traffic_since(s != NULL ? &s->traffic : &none, since_us);
    loop_leave(&d->loop);
    return traffic;
}
