#include "kube/cluster.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "kube/config.h"
#include <stdio.h>
#include <string.h>

static const char user_agent[] = "sluiced/" SLUICE_VERSION;

const struct kube_timing kube_timing_default = {
    .idle_ms = 30000,
    .list_ms = 10000,
    .retry_ms = 100,
    .retry_most_ms = 10000,
    .watch_s = 300,
    .page = 250,
    .token_us = 60 * US_PER_S,
    .exec = {.run_ms = 30000, .retry_ms = 1000, .retry_most_ms = 60000, .renew_ms = 10000},
};

struct kube_clusters *kube_clusters_new(const char *kubeconfig_dir, kube_change_fn *on_change,
                                        void *ctx) {
    struct kube_clusters *s = xcalloc(1, sizeof(*s));

    s->folder = xstrdup(kubeconfig_dir);
    s->on_change = on_change;
    s->ctx = ctx;
    s->timing = kube_timing_default;
    pthread_mutex_init(&s->lock, NULL);
    s->client = net_client_new(user_agent);
    s->loop = net_loop_new(user_agent);
    return s;
}

void kube_clusters_set_timing(struct kube_clusters *s, const struct kube_timing *timing) {
    s->timing = *timing;
}

void kube_clusters_allow_exec(struct kube_clusters *s) {
    s->exec_allowed = true;
}

struct net_loop *kube_clusters_loop(struct kube_clusters *s) {
    return s->loop;
}

void kube_clusters_free(struct kube_clusters *s) {
    struct kube_cluster *next;

    if (!s)
        return;
    for (struct kube_cluster *c = s->first; c; c = c->next)
        kube_watch_end(c);
    net_loop_free(s->loop);
    for (struct kube_cluster *c = s->first; c; c = next) {
        next = c->next;
        kube_cluster_unref(c);
    }
    net_client_free(s->client);
    pthread_mutex_destroy(&s->lock);
    free(s->folder);
    free(s);
}

void kube_clusters_cancel(struct kube_clusters *s) {
    net_client_cancel(s->client);
    pthread_mutex_lock(&s->lock);
    for (struct kube_cluster *c = s->first; c; c = c->next)
        if (c->plugin)
            kube_plugin_cancel(c->plugin);
    pthread_mutex_unlock(&s->lock);
}
struct kube_cluster *kube_cluster_ref(struct kube_cluster *c) {
    atomic_fetch_add(&c->references, 1);
    return c;
}

void kube_cluster_unref(struct kube_cluster *c) {
    if (atomic_fetch_sub(&c->references, 1) > 1)
        return;
    kube_spaces_free(c->spaces);
    kube_plugin_free(c->plugin);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->token_lock);
    kube_config_done(&c->config);
    json_decref(c->spec);
    free(c->name);
    free(c);
}

/* A plain file name: the folder is all that may be named. */
static bool file_name_valid(const char *name) {
    return *name && *name != '.' && !strchr(name, '/');
}

static Status load(const struct kube_clusters *s, const json_t *spec, struct kube_config *ret,
                   char *reterr, size_t n) {
    const char *file = json_str(spec, "kubeconfig_file", NULL);
    _cleanup_free_ char *path = NULL;
    Status status;

    if (json_bool(spec, "in_cluster", false))
        return kube_config_in_cluster(ret, reterr, n);
    if (!file || !file_name_valid(file)) {
        snprintf(reterr, n, "kubeconfig_file is not a plain file name");
        return E_INVALID_BODY;
    }
    if (!s->folder) {
        snprintf(reterr, n, "kubeconfig_file needs SLUICE_KUBECONFIG_DIR, which is not set");
        return E_NOT_SUPPORTED;
    }
    path = xasprintf("%s/%s", s->folder, file);
    status = kube_config_load(path, json_str(spec, "context", NULL), ret, reterr, n);
    if (status == STATUS_OK && ret->exec && !s->exec_allowed) {
        snprintf(reterr, n, "exec plugins run only with SLUICE_KUBECONFIG_EXEC=allow: %s names %s",
                 file, ret->exec->command);
        kube_config_done(ret);
        status = E_NOT_SUPPORTED;
    }
    return status;
}
static struct kube_cluster *cluster_new(struct kube_clusters *s, const char *name,
                                        const json_t *spec, int64_t revision,
                                        struct kube_config *config) {
    struct kube_cluster *c = xcalloc(1, sizeof(*c));

    c->set = s;
    atomic_init(&c->references, 1);
    c->name = xstrdup(name);
    c->revision = revision;
    c->spec = json_deep_copy(spec);
    c->config = *config;
    c->tls = (struct net_tls){
        .ca_pem = config->ca_pem,
        .cert_pem = config->cert_pem,
        .key_pem = config->key_pem,
        .server_name = config->tls_server_name,
        .insecure = config->insecure,
    };
    c->token_read_us = clock_monotonic_us();
    pthread_mutex_init(&c->token_lock, NULL);
    pthread_mutex_init(&c->lock, NULL);
    if (config->exec)
        c->plugin = kube_plugin_new(c->config.exec, &c->tls, c->name, &s->timing.exec);
    return c;
}
/* Where the cluster of that name hangs, or the end of the list. */
static struct kube_cluster **find(struct kube_clusters *s, const char *name) {
    struct kube_cluster **at = &s->first;

    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

Status kube_clusters_get(struct kube_clusters *s, const char *name, const json_t *spec,
                         int64_t revision, struct kube_cluster **ret, char *reterr, size_t n) {
    struct kube_cluster **at, *old, *made = NULL;
    struct kube_config config;
    Status status = STATUS_OK;

    pthread_mutex_lock(&s->lock);
    at = find(s, name);
    old = *at;
    /* A name that was deleted and made again may come with a revision that was there before. */
    if (!old || old->revision != revision || !json_equal(old->spec, spec)) {
        status = load(s, spec, &config, reterr, n);
        if (status == STATUS_OK) {
            made = cluster_new(s, name, spec, revision, &config);
            made->next = old ? old->next : NULL;
            *at = made;
        }
    }
    if (status == STATUS_OK)
        *ret = kube_cluster_ref(made ? made : old);
    pthread_mutex_unlock(&s->lock);
    if (made && old) {
        kube_watch_move(old, made);
        kube_cluster_unref(old);
    }
    return status;
}

/* Reads the token file; a failure leaves the token that we have.  Under token_lock. */
static void token_read(struct kube_cluster *c) {
    char why[256], *token;

    c->token_read_us = clock_monotonic_us();
    token = kube_token_read(c->config.token_file, why, sizeof(why));
    if (!token) {
        log_event(LOG_WARNING, "kube.token", "cluster", c->name, "error", why, NULL);
        return;
    }
    explicit_bzero(c->config.token, strlen(c->config.token));
    free(c->config.token);
    c->config.token = token;
}

/* "Authorization: Bearer …", yours; NULL when the cluster has no token.  Reads an old token file
 * again. */
static char *authorization(struct kube_cluster *c) {
    char *line = NULL;

    pthread_mutex_lock(&c->token_lock);
    if (c->config.token_file && clock_monotonic_us() - c->token_read_us >= c->set->timing.token_us)
        token_read(c);
    if (c->config.token)
        line = xasprintf("Authorization: Bearer %s", c->config.token);
    pthread_mutex_unlock(&c->token_lock);
    return line;
}

bool kube_token_renewed(struct kube_cluster *c, const struct kube_headers *refused, int wait_ms) {
    _cleanup_free_ char *now = NULL;

    if (c->plugin)
        return kube_plugin_refused(c->plugin, refused->login, wait_ms);
    if (!c->config.token_file)
        return false;
    pthread_mutex_lock(&c->token_lock);
    token_read(c);
    pthread_mutex_unlock(&c->token_lock);
    now = authorization(c);
    return now && (!refused->authorization || strcmp(now, refused->authorization) != 0);
}

KubeLogin kube_headers_set(struct kube_headers *h, struct kube_cluster *c, const char *more,
                           int wait_ms, char *reterr, size_t nerr) {
    KubeLogin found = LOGIN_READY;
    size_t n = 0;

    *h = (struct kube_headers){.tls = &c->tls};
    if (c->plugin) {
        found = kube_plugin_login(c->plugin, wait_ms, &h->login, reterr, nerr);
        if (found != LOGIN_READY)
            return found;
        h->authorization = h->login->authorization;
        h->tls = &h->login->tls;
    } else {
        h->authorization = h->line = authorization(c);
    }
    h->lines[n++] = "Accept: application/json";
    if (h->authorization)
        h->lines[n++] = h->authorization;
    if (more)
        h->lines[n++] = more;
    if (trace_header(h->trace))
        h->lines[n++] = h->trace;
    return found;
}

void kube_headers_done(struct kube_headers *h) {
    if (h->line)
        explicit_bzero(h->line, strlen(h->line));
    free(h->line);
    kube_login_unref(h->login);
    *h = (struct kube_headers){0};
}
