/* main/server.h: the running server as one thing: what is made, in which order, and how it ends. */
#pragma once
#include "auth/auth.h"
#include "config/config.h"
#include "handlers/context.h"
#include "net/net.h"
#include <pthread.h>

struct server {
    struct server_context context; /* what handlers reach */
    struct auth *auth;
    struct net_client *keys_client; /* auth fetches issuers' keys with it */
    struct vault *vault;
    char *authority; /* of SLUICE_PUBLIC_URL; NULL without one */
    struct db_pool *worker_pool, *notify_pool, *flags_pool, *exposure_pool;
    struct flag_files *flag_files; /* NULL: none are kept */
    struct http_server *metrics;   /* of SLUICE_METRICS_LISTEN; NULL: without */
    struct db_replica *replica;
    pthread_mutex_t lock;
    struct worker *watched_by; /* under lock: context.worker while it may be told of events */
};

/* What auth needs; `client` (NULL: none is fetched) is borrowed. */
struct auth_settings server_auth_settings(const struct config *config, struct net_client *client);
/* Listens, and starts everything else but the workers; waits for neither database nor clusters.
 * `config` is borrowed until server_stop.  false with one line; nothing is left then. */
bool server_start(struct server *s, const struct config *config, char *reterr, size_t n);
/* What http_start gets, and http_change; texts are the config's. */
struct http_settings server_http_settings(struct server *s, const struct config *c);
void server_log_setup(const struct config *c);
/* Starts the workers and what leaves by itself, once: a schema that is not known to be ours is not
 * worked on. */
void server_work(struct server *s);
/* Not ready any more, requests under way finish, streams end, leases are given back (all within the
 * drain timeout); frees. */
void server_stop(struct server *s);
/* The kubeconfig folder in effect: SLUICE_KUBECONFIG_DIR, else where KUBECONFIG lies, else none;
 * yours. */
char *server_kubeconfig_dir(const struct config *config);
