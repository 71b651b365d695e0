/* net/client.c: calls that wait.  curl keeps an easy handle's connections inside the handle, so the
 * client keeps finished handles, newest first, and prefers one that last spoke to the same
 * origin. */
#include "net/easy.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_MOST = 128, DEFAULT_TIMEOUT_MS = 30000 };

struct idle_easy {
    struct idle_easy *next;
    CURL *easy;
    char *origin; /* scheme, host and port of its last call */
};

struct net_client {
    pthread_mutex_t lock;
    struct idle_easy *idle; /* newest first */
    unsigned n_idle;
    char *user_agent;
    atomic_bool canceled;
};

struct net_client *net_client_new(const char *user_agent) {
    struct net_client *c = xcalloc(1, sizeof(*c));

    pthread_mutex_init(&c->lock, NULL);
    c->user_agent = xstrdup(user_agent);
    return c;
}

static void idle_free(struct idle_easy *i) {
    curl_easy_cleanup(i->easy);
    free(i->origin);
    free(i);
}

void net_client_free(struct net_client *c) {
    struct idle_easy *next;

    if (!c)
        return;
    for (struct idle_easy *i = c->idle; i; i = next) {
        next = i->next;
        idle_free(i);
    }
    pthread_mutex_destroy(&c->lock);
    free(c->user_agent);
    free(c);
}

void net_client_cancel(struct net_client *c) {
    atomic_store(&c->canceled, true);
}

static size_t origin_length(const char *url) {
    const char *host = strstr(url, "://");

    return host ? (size_t)(host + 3 - url) + strcspn(host + 3, "/?#") : strlen(url);
}

static struct idle_easy *idle_new(const char *url) {
    struct idle_easy *i = xcalloc(1, sizeof(*i));

    i->easy = curl_easy_init();
    if (!i->easy)
        die("out of memory");
    i->origin = xstrndup(url, origin_length(url));
    return i;
}

static struct idle_easy *client_take(struct net_client *c, const char *url) {
    struct idle_easy **at, *found = NULL;
    size_t n = origin_length(url);

    pthread_mutex_lock(&c->lock);
    for (at = &c->idle; *at; at = &(*at)->next) {
        if (strlen((*at)->origin) == n && memcmp((*at)->origin, url, n) == 0) {
            found = *at;
            *at = found->next;
            c->n_idle--;
            break;
        }
    }
    pthread_mutex_unlock(&c->lock);
    return found ? found : idle_new(url);
}

static void client_return(struct net_client *c, struct idle_easy *i) {
    struct idle_easy **at, *surplus = NULL;

    curl_easy_reset(i->easy); /* keeps its connections */
    pthread_mutex_lock(&c->lock);
    if (c->n_idle == IDLE_MOST) {
        for (at = &c->idle; (*at)->next; at = &(*at)->next)
            ;
        surplus = *at;
        *at = NULL;
        c->n_idle--;
    }
    i->next = c->idle;
    c->idle = i;
    c->n_idle++;
    pthread_mutex_unlock(&c->lock);
    if (surplus)
        idle_free(surplus);
}

static void client_run(struct net_client *c, const struct net_request *in,
                       struct net_data_sink sink, struct net_response *ret) {
    struct idle_easy *i = client_take(c, in->url);
    CURLcode code = CURLE_BAD_FUNCTION_ARGUMENT;
    struct easy_call call;

    if (easy_begin(&call, i->easy, in, c->user_agent, sink)) {
        easy_watch(&call, &c->canceled);
        code = atomic_load(&c->canceled) ? CURLE_ABORTED_BY_CALLBACK : curl_easy_perform(i->easy);
    }
    easy_end(&call, code, ret);
    client_return(c, i);
}

void net_call(struct net_client *c, const struct net_request *in, struct net_response *ret) {
    struct net_request bounded = *in;

    if (bounded.timeout_ms <= 0)
        bounded.timeout_ms = DEFAULT_TIMEOUT_MS;
    bounded.idle_ms = 0;
    client_run(c, &bounded, (struct net_data_sink){0}, ret);
}

void net_stream(struct net_client *c, const struct net_request *in, net_data_fn *on_data, void *ctx,
                struct net_response *ret) {
    client_run(c, in, (struct net_data_sink){on_data, ctx}, ret);
}
