/* handlers/context.h: what handlers reach through request->context. */
#pragma once
#include "config/config.h"
#include "db/bus.h"
#include "db/db.h"
#include "http/http.h"
#include "kube/kube.h"
#include "notify/notify.h"
#include "worker/worker.h"

struct census;
struct exposure;
struct feeds;
struct flag_loader;
struct tickets;
struct keyring;
struct recent;
struct vault;

enum { SERVER_POOLS = 8 };

struct server_context {
    struct db_pool *pool;
    struct db_pool *reserved_pool;       /* few connections, for abort and rollback */
    struct db_pool *pools[SERVER_POOLS]; /* all that there are, ended by NULL unless it is full */
    struct census *census;               /* what the database knows, for metrics */
    struct bus *bus;
    struct keyring *keys; /* who may sign */
    const struct vault *vault;
    struct worker *worker;
    struct notify *notify;
    struct flag_loader *flags; /* what is evaluated, in memory */
    struct exposure *exposure; /* what flag clients report */
    struct tickets *tickets;
    struct recent *recent; /* answers of a moment ago */
    struct feeds *feeds;   /* event streams of the record */
    struct kube_clusters *clusters;
    const struct config *_Atomic config; /* SIGHUP puts another in its place; both stay */
    struct http_server *http;
    int64_t started_us; /* wall clock */
};
static inline struct server_context *context_of(const struct request *q) {
    return q->context;
}
/* What the request's own statements run on: an urgent one never waits for a connection behind
 * others. */
static inline struct db_pool *request_pool(const struct request *q) {
    return q->route->urgent ? context_of(q)->reserved_pool : context_of(q)->pool;
}
