/* kubesim/dataplane_parts.h: pods and Services as dataplane.c, dataplane_pod.c and
 * dataplane_relay.c share them.  Everything here needs the loop's lock. */
#pragma once
#include "kubesim/dataplane.h"
#include "kubesim/dataplane_loop.h"
#include "kubesim/dataplane_traffic.h"

/* A doubly linked ring without a head of its own kind: what a pod or the data plane has open. */
struct link {
    struct link *prev, *next;
};

static inline void link_init(struct link *head) {
    head->prev = head->next = head;
}
static inline void link_add(struct link *head, struct link *l) {
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}
static inline void link_remove(struct link *l) {
    l->prev->next = l->next;
    l->next->prev = l->prev;
    l->prev = l->next = l;
}

struct pod {
    char *uid; /* first: what the tree of pods compares */
    struct watch listener;
    struct link connections;
    char *version, *name, *color;
    char *body; /* what every ordinary path answers */
    int64_t opened_us;
    struct pod_behavior behavior;
    bool draining;
};

struct service {
    char *key; /* first: what the tree of Services compares */
    struct dataplane *dataplane;
    struct watch listener;
    struct backend *backends;
    size_t n_backends, turn;
    struct traffic traffic;
};

struct dataplane {
    struct loop loop;
    void *pods, *services; /* tsearch() trees */
    struct link relays;
};

/* `listener` is taken over. */
struct pod *pod_new(struct loop *loop, const char *uid, int listener, const char *version,
                    const char *name, const char *color);
void pod_end(struct loop *loop, struct pod *pod); /* closes everything and buries the pod */

/* The text of an answer to `path`: status and body (owned by the caller). */
struct pod_answer {
    unsigned status;
    char *body;
};
struct pod_answer pod_answer(const struct pod *pod, const char *path);

/* Accepts what waits on a Service's socket and joins each to the next backend. */
void service_ready(struct loop *loop, struct watch *listener, uint32_t events);
void relays_end(struct dataplane *d);
