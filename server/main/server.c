/* main/server.c: construction in the order of dependence, destruction in the reverse. */
#include "main/server.h"
#include "auth/keyring.h"
#include "auth/ticket.h"
#include "base/clock.h"
#include "base/log.h"
#include "handlers/environment_recent.h"
#include "handlers/feed.h"
#include "handlers/routes.h"
#include "live/census.h"
#include "live/exposure.h"
#include "live/flag_files.h"
#include "live/flag_loader.h"
#include "live/recent.h"
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

enum {
    FLAGS_POLL_MS = 5000,
    RESERVED_CONNECTIONS = 2,
    WORKER_EXTRA_CONNECTIONS = 2,
    LAST_MS = 1000,
    METRICS_CONNECTIONS = 64
};

char *server_kubeconfig_dir(const struct config *config) {
    char *copy, *dir;

    if (config->kubeconfig_dir || !config->kubeconfig)
        return xstrdup(config->kubeconfig_dir);
    copy = xstrdup(config->kubeconfig);
    dir = xstrdup(dirname(copy));
    free(copy);
    return dir;
}

static struct db_pool *pool_with(const struct config *c, const char *name, int64_t size,
                                 bool plan_once) {
    return db_pool_new(&(struct db_settings){.url = c->database_url,
                                             .size = (int)size,
                                             .wait_ms = (int)c->db_wait_ms,
                                             .statement_ms = (int)c->db_statement_ms,
                                             .idle_in_tx_ms = (int)c->db_idle_in_tx_ms,
                                             .app_name = name,
                                             .plan_once = plan_once});
}

static struct db_pool *pool_of(const struct config *c, const char *name, int64_t size) {
    return pool_with(c, name, size, false);
}

/* Of what carries deployments and takes them back: seldom asked, and then soon. */
static struct db_pool *prompt_pool_of(const struct config *c, const char *name, int64_t size) {
    return pool_with(c, name, size, true);
}

static void object_changed(void *ctx, const char *cluster, KubeKind kind, const char *namespace_,
                           const char *name) {
    struct server *s = ctx;

    environments_saw_change(&s->context, cluster, namespace_);
    pthread_mutex_lock(&s->lock); /* the worker stays while it is told */
    if (s->watched_by)
        worker_object_changed(s->watched_by, cluster, kind, namespace_, name);
    pthread_mutex_unlock(&s->lock);
}

static void watch_for(struct server *s, struct worker *worker) {
    pthread_mutex_lock(&s->lock);
    s->watched_by = worker;
    pthread_mutex_unlock(&s->lock);
}

static bool make_auth(struct server *s, const struct config *c, char *reterr, size_t n) {
    struct auth_settings in;

    s->keys_client = net_client_new("sluiced/" SLUICE_VERSION);
    in = server_auth_settings(c, s->keys_client);
    s->auth = auth_new(&in, reterr, n);
    return s->auth != NULL;
}

static void end_auth(struct server *s) {
    net_client_cancel(s->keys_client); /* a fetch under way ends */
    auth_free(s->auth);
    net_client_free(s->keys_client);
}

static char *authority_of(const char *url) {
    char text[300];

    return url && apisig_authority(url, text, sizeof text) ? xstrdup(text) : NULL;
}

static void make_keys(struct server *s, const struct config *c) {
    s->vault = vault_new(c->key_encryption_key);
    if (!s->vault)
        die("SLUICE_KEY_ENCRYPTION_KEY was read, but is no key");
    s->authority = authority_of(c->public_url);
    s->context.vault = s->vault;
    s->context.keys =
        keyring_new(&(struct keyring_settings){.builtin_secret = c->api_signature_secret,
                                               .vault = s->vault,
                                               .pool = s->context.pool,
                                               .reserved_pool = s->context.reserved_pool,
                                               .bus = s->context.bus});
}

static struct notify *notify_of(const struct config *c, struct db_pool *pool) {
    return notify_new(&(struct notify_settings){.pool = pool,
                                                .key_pem = c->checkpoint_key,
                                                .name = c->checkpoint_name,
                                                .every_s = c->checkpoint_s,
                                                .every_records = c->checkpoint_records,
                                                .dir = c->checkpoint_dir,
                                                .url = c->checkpoint_url,
                                                .outbound_allow = c->outbound_allow,
                                                .poll_ms = c->scan_ms});
}

/* What is served from memory begins before the schema is known to be right: it only reads, and a
 * schema that is not ours makes its statements fail, as a database that is away does. */
static void make_flags(struct server *s, const struct config *c) {
    s->flags_pool = pool_of(c, "sluiced-flags", 1);
    s->context.flags = flag_loader_new(
        &(struct flag_loader_settings){.pool = s->flags_pool,
                                       .bus = s->context.bus,
                                       .files = s->flag_files,
                                       .poll_ms = FLAGS_POLL_MS,
                                       .stale_ms = c->feature_flags_cache_timeout_ms});
    s->exposure_pool = pool_of(c, "sluiced-exposure", 1);
    s->context.exposure = exposure_new(s->exposure_pool, EXPOSURE_FLUSH_MS);
    s->context.tickets = tickets_new(c->jwt_secret);
}

/* Metrics show them all. */
static void list_pools(struct server *s) {
    struct db_pool *const all[] = {s->context.pool, s->context.reserved_pool, s->worker_pool,
                                   s->flags_pool,   s->exposure_pool,         s->notify_pool};

    memcpy(s->context.pools, all, sizeof all);
}

static void make_parts(struct server *s, const struct config *c) {
    char *kubeconfig_dir = server_kubeconfig_dir(c);

    pthread_mutex_init(&s->lock, NULL);
    s->context.config = c;
    s->context.started_us = clock_now_us();
    s->context.pool = pool_of(c, "sluiced", c->handler_threads);
    s->context.reserved_pool = prompt_pool_of(c, "sluiced-reserved", RESERVED_CONNECTIONS);
    s->worker_pool =
        prompt_pool_of(c, "sluiced-worker", c->worker_threads + WORKER_EXTRA_CONNECTIONS);
    s->context.bus = bus_new(c->database_url);
    s->context.recent = recent_new(s->context.bus);
    make_keys(s, c);
    s->context.clusters = kube_clusters_new(kubeconfig_dir, object_changed, s);
    if (!strcmp(c->kubeconfig_exec, "allow"))
        kube_clusters_allow_exec(s->context.clusters);
    s->replica = db_replica_open(c->database_url, NULL, NULL);
    s->context.worker =
        worker_new(&(struct worker_settings){.pool = s->worker_pool,
                                             .reserved_pool = s->context.reserved_pool,
                                             .replica = s->replica,
                                             .bus = s->context.bus,
                                             .clusters = s->context.clusters,
                                             .threads = (int)c->worker_threads,
                                             .lease_ms = c->lease_ms,
                                             .renew_ms = c->lease_renew_ms,
                                             .scan_ms = c->scan_ms,
                                             .outbound_allow = c->outbound_allow});
    watch_for(s, s->context.worker);
    make_flags(s, c);
    s->notify_pool = pool_of(c, "sluiced-notify", 1);
    s->context.notify = notify_of(c, s->notify_pool);
    list_pools(s);
    s->context.census = census_new(s->context.pool);
    s->context.feeds = feeds_new(s->context.pool, s->context.bus, FEED_KEEP_MS);
    free(kubeconfig_dir);
}

static LogLevel log_level(const char *name) {
    static const char *const names[] = {[LOG_DEBUG] = "debug",
                                        [LOG_INFO] = "info",
                                        [LOG_WARNING] = "warning",
                                        [LOG_ERROR] = "error"};

    for (int level = LOG_DEBUG; level <= LOG_ERROR; level++)
        if (!strcmp(names[level], name))
            return (LogLevel)level;
    return LOG_INFO;
}

void server_log_setup(const struct config *c) {
    log_setup(log_level(c->log_level), !strcmp(c->log_format, "json") ? LOG_JSON : LOG_KEY_VALUE);
}

struct http_settings server_http_settings(struct server *s, const struct config *c) {
    return (struct http_settings){
        .address = c->listen,
        .port = (int)c->port,
        .io_threads = (int)c->io_threads,
        .handler_threads = (int)c->handler_threads,
        .max_connections = (int)c->max_connections,
        .queue_max = (int)c->queue_max,
        .large_bodies_max = (int)c->large_bodies_max,
        .header_timeout_ms = (int)c->header_timeout_ms,
        .idle_timeout_s = (int)c->idle_timeout_s,
        .rate_principal = {c->rate_principal.per_s, c->rate_principal.burst},
        .rate_network = {c->rate_network.per_s, c->rate_network.burst},
        .log_requests = c->enable_request_logging,
        .routes = routes,
        .auth = s->auth,
        .keys = s->context.keys,
        .authority = s->authority,
        .cors_origins = c->cors_origins,
        .tls_cert = c->tls_cert,
        .tls_key = c->tls_key,
        .trusted_proxies = c->trusted_proxies,
        .bus = s->context.bus,
        .context = &s->context,
        .self = &s->context.http,
    };
}

/* After the other, whose numbers it shows, and ended before it. */
static bool listen_for_metrics(struct server *s, const struct config *c, char *reterr, size_t n) {
    char address[CONFIG_ADDRESS];
    int64_t port = 0;

    if (!c->metrics_listen)
        return true;
    if (!config_listen(c->metrics_listen, address, &port))
        die("SLUICE_METRICS_LISTEN was read, but is none");
    s->metrics = http_start(
        &(struct http_settings){.address = *address ? address : c->listen,
                                .port = (int)port,
                                .io_threads = 2,
                                .handler_threads = 1, /* for nothing: it has no such route */
                                .max_connections = METRICS_CONNECTIONS,
                                .header_timeout_ms = (int)c->header_timeout_ms,
                                .idle_timeout_s = (int)c->idle_timeout_s,
                                .log_requests = c->enable_request_logging,
                                .routes = metrics_routes,
                                .context = &s->context},
        reterr, n);
    return s->metrics != NULL;
}

/* Workers last: a request that waits for one (an abort's confirmation) may still get its answer. */
static void end_parts(struct server *s, int worker_ms) {
    watch_for(s, NULL);
    census_free(s->context.census);
    feeds_free(s->context.feeds);
    notify_free(s->context.notify);
    worker_free(s->context.worker, worker_ms);
    db_replica_close(s->replica);
    kube_clusters_free(s->context.clusters);
    flag_loader_stop(s->context.flags); /* it publishes, and is told until the bus has ended */
    bus_free(s->context.bus);
    recent_free(s->context.recent);
    exposure_free(s->context.exposure);
    db_pool_free(s->exposure_pool);
    flag_loader_free(s->context.flags);
    flag_files_close(s->flag_files);
    tickets_free(s->context.tickets);
    db_pool_free(s->flags_pool);
    keyring_free(s->context.keys);
    vault_free(s->vault);
    free(s->authority);
    db_pool_free(s->notify_pool);
    db_pool_free(s->worker_pool);
    db_pool_free(s->context.reserved_pool);
    db_pool_free(s->context.pool);
    end_auth(s);
    pthread_mutex_destroy(&s->lock);
}

static bool open_files(struct server *s, const struct config *c, char *reterr, size_t n) {
    if (c->flags_dir)
        s->flag_files = flag_files_open(c->flags_dir, reterr, n);
    return !c->flags_dir || s->flag_files;
}

bool server_start(struct server *s, const struct config *config, char *reterr, size_t n) {
    struct http_settings http;

    if (!make_auth(s, config, reterr, n) || !open_files(s, config, reterr, n)) {
        end_auth(s);
        return false;
    }
    make_parts(s, config);
    http = server_http_settings(s, config);
    if (http_start(&http, reterr, n) && listen_for_metrics(s, config, reterr, n))
        return true;
    http_stop(s->context.http, 0);
    end_parts(s, 0);
    return false;
}

void server_work(struct server *s) {
    if (db_pool_fill(s->context.reserved_pool) != STATUS_OK)
        log_event(LOG_WARNING, "reserved connections not made", "detail", db_fault_text(), NULL);
    worker_begin(s->context.worker);
    notify_begin(s->context.notify);
}

void server_stop(struct server *s) {
    int64_t deadline = clock_monotonic_us() + s->context.config->drain_timeout_s * US_PER_S,
            left_ms;

    http_drain(s->context.http);
    http_stop(s->metrics, LAST_MS);
    http_stop(s->context.http, (int)(s->context.config->drain_timeout_s * 1000));
    left_ms = (deadline - clock_monotonic_us()) / US_PER_MS;
    end_parts(s, left_ms > LAST_MS ? (int)left_ms : LAST_MS);
}
