/* kubesim/sim.h: the simulated cluster: everything that its parts share.  All of it belongs to the
 * loop's thread; only the data plane has another. */
#pragma once
#include "kubesim/behavior.h"
#include "kubesim/simloop.h"
#include "kubesim/store.h"

struct dataplane;
struct watchers;
struct faults;
struct requests;
struct switches;
struct addresses;
struct proxy;

struct work_queue { /* slots that wait for their controller, each once */
    struct slot **slots;
    size_t head, n, cap; /* a ring */
};

struct sim {
    struct simloop *loop;
    struct store *store;
    struct dataplane *plane;
    struct watchers *watchers;
    struct behaviors *behaviors;
    struct faults *faults;
    struct requests *requests;
    struct switches *switches;
    struct addresses *pod_addresses, *service_addresses;
    struct proxy *proxy;
    struct work_queue queue;
    char *token; /* the bearer token of the Kubernetes API */
};

struct sim *sim_new(struct simloop *l, size_t history, const char *token);
void sim_free(struct sim *sim);
/* Namespaces default, kube-system, production; with `inopnc` INOPNC's three Services. */
void sim_seed(struct sim *sim, bool inopnc);
/* A simulated duration as real microseconds: PUT /behavior {speed} divides it. */
int64_t sim_delay_us(const struct sim *sim, int64_t ms);
