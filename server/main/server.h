/* main/server.h: the running server as one thing: what is made, in which order, and how it ends. */
#pragma once
#include "config/config.h"
#include "handlers/context.h"
#include <stdatomic.h>

struct server {
    struct server_context context; /* what handlers reach */
    struct auth *auth;
    struct db_pool *worker_pool;
    struct db_replica *replica;
    _Atomic(struct worker *) watched_by; /* context.worker, for events that come while it is made */
};

/* Listens, and starts everything else; waits for neither database nor clusters.  `config` is
 * borrowed until server_stop.  false with one line; nothing is left then. */
bool server_start(struct server *s, const struct config *config, char *reterr, size_t n);
/* Not ready any more, requests under way finish, streams end, leases are given back (all within the
 * drain timeout); frees. */
void server_stop(struct server *s);
/* The kubeconfig folder in effect: SLUICE_KUBECONFIG_DIR, else where KUBECONFIG lies, else none;
 * yours. */
char *server_kubeconfig_dir(const struct config *config);
