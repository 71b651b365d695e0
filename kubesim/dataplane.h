/* kubesim/dataplane.h: the simulated cluster's traffic: pods that are real HTTP/1.1 servers on
 * loopback addresses, Services that are real load-balancing sockets in front of them.
 *
 * One epoll thread serves them all, so that an idle pod or Service costs a socket and no thread.
 * Every function may be called from any thread; none waits for the network.  Strings are copied.
 * What names a pod or Service that is not open is silently without effect, because the controllers
 * that call may be late. */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dataplane;

/* How a pod answers from its next request on. */
struct pod_behavior {
    double error_rate; /* probability of a 500 on any path but /api/health and /api/health/ready */
    int latency_ms;    /* how long each answer is held back */
    bool health_ok;    /* false: the three health paths answer 503 */
};

/* Raises the soft limit of open files to the hard one and starts the epoll thread.  Ends the
 * process when it cannot. */
struct dataplane *dataplane_new(void);
/* Stops the thread, closes every socket.  NULL-safe. */
void dataplane_free(struct dataplane *d);

/* Listens on ip:port and answers as a healthy pod without latency or errors; replaces a pod of
 * that uid.  `color` may be NULL.  False, with errno, when the address cannot be had. */
bool dataplane_pod_open(struct dataplane *d, const char *uid, const char *ip, int port,
                        const char *version, const char *pod, const char *color);
void dataplane_pod_behave(struct dataplane *d, const char *uid, struct pod_behavior b);
/* The pod begins to terminate (SIGTERM): it still accepts, as a pod with a preStop delay does, but
 * every answer from now on says `Connection: close`, so that no client is cut off who comes back
 * before dataplane_pod_close(). */
void dataplane_pod_drain(struct dataplane *d, const char *uid);
/* The pod ends: its port refuses, connections are reset.  After dataplane_pod_drain() connections
 * without an unfinished request are closed properly instead. */
void dataplane_pod_close(struct dataplane *d, const char *uid);

/* Listens on ip:port.  `key` is "namespace/name".  A Service without backends resets connections.
 * False, with errno, when the address cannot be had or the key is open already (EEXIST). */
bool dataplane_service_open(struct dataplane *d, const char *key, const char *ip, int port);
struct backend {
    char ip[16];
    int port;
};
/* Replaces the backends of new connections.  As with kube-proxy each connection goes to the next
 * backend in turn and stays with it until one of its ends closes. */
void dataplane_service_backends(struct dataplane *d, const char *key, const struct backend *b,
                                size_t n);
/* Established connections live on. */
void dataplane_service_close(struct dataplane *d, const char *key);

/* What went through a Service since a wall-clock time (0: ever; the Service's counts survive its
 * closing and reopening): {"total", "by": [{"version", "status", "count"}], "failed"}; yours.
 * `total` counts the answers in `by`; `failed` counts the requests that got none because there was
 * no backend, or it refused or closed before its answer was complete. */
json_t *dataplane_traffic(struct dataplane *d, const char *key, int64_t since_us);
