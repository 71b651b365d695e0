/* net/client.c: calls that wait.  curl keeps connections inside a multi handle, so the client keeps
 * those that are not in use, newest first, and prefers one that last spoke to the same origin. */
#include "net/easy.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_MOST = 128, DEFAULT_TIMEOUT_MS = 30000, POLL_MS = 1000 };

struct lane {
    struct lane *next;
    CURLM *multi; /* has the connections */
    CURL *easy[NET_AT_ONCE];
    char *origin; /* scheme, host and port of its last calls */
};

struct net_client {
    pthread_mutex_t lock;
    struct lane *idle; /* newest first */
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

static void lane_free(struct lane *l) {
    for (size_t k = 0; k < NET_AT_ONCE; k++)
        curl_easy_cleanup(l->easy[k]);
    curl_multi_cleanup(l->multi);
    free(l->origin);
    free(l);
}

void net_client_free(struct net_client *c) {
    struct lane *next;

    if (!c)
        return;
    for (struct lane *l = c->idle; l; l = next) {
        next = l->next;
        lane_free(l);
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

static struct lane *lane_new(const char *url) {
    struct lane *l = xcalloc(1, sizeof(*l));

    l->multi = curl_multi_init();
    if (!l->multi)
        die("out of memory");
    curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    l->origin = xstrndup(url, origin_length(url));
    return l;
}

static struct lane *client_take(struct net_client *c, const char *url) {
    struct lane **at, *found = NULL;
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
    return found ? found : lane_new(url);
}

static void client_return(struct net_client *c, struct lane *l) {
    struct lane **at, *surplus = NULL;

    pthread_mutex_lock(&c->lock);
    if (c->n_idle == IDLE_MOST) {
        for (at = &c->idle; (*at)->next; at = &(*at)->next)
            ;
        surplus = *at;
        *at = NULL;
        c->n_idle--;
    }
    l->next = c->idle;
    c->idle = l;
    c->n_idle++;
    pthread_mutex_unlock(&c->lock);
    if (surplus)
        lane_free(surplus);
}

/* The i-th call of a lane; until it is under way, code says why it is not. */
static void lane_begin(struct net_client *c, struct lane *l, size_t i, struct easy_call *call,
                       const struct net_request *in, struct net_data_sink sink, CURLcode *code) {
    if (!l->easy[i] && !(l->easy[i] = curl_easy_init()))
        die("out of memory");
    *code = CURLE_BAD_FUNCTION_ARGUMENT;
    if (!easy_begin(call, l->easy[i], in, c->user_agent, sink))
        return;
    easy_watch(call, &c->canceled);
    *code = CURLE_ABORTED_BY_CALLBACK;
    if (!atomic_load(&c->canceled) && curl_multi_add_handle(l->multi, l->easy[i]) != CURLM_OK)
        die("libcurl takes no call");
}

/* Until all of them have ended. */
static void lane_run(struct lane *l, CURLcode code[NET_AT_ONCE]) {
    CURLMsg *message;
    int running, left;

    do {
        if (curl_multi_perform(l->multi, &running) != CURLM_OK)
            die("libcurl's event loop failed");
        while ((message = curl_multi_info_read(l->multi, &left)))
            for (size_t i = 0; i < NET_AT_ONCE; i++)
                if (message->msg == CURLMSG_DONE && message->easy_handle == l->easy[i])
                    code[i] = message->data.result;
        if (running)
            curl_multi_poll(l->multi, NULL, 0, POLL_MS, NULL);
    } while (running);
}

static void client_run(struct net_client *c, const struct net_request *in, size_t n,
                       struct net_data_sink sink, struct net_response *ret) {
    struct lane *l = client_take(c, in[0].url);
    struct easy_call call[NET_AT_ONCE];
    CURLcode code[NET_AT_ONCE];

    for (size_t i = 0; i < n; i++)
        lane_begin(c, l, i, &call[i], &in[i], sink, &code[i]);
    lane_run(l, code);
    for (size_t i = 0; i < n; i++) {
        curl_multi_remove_handle(l->multi, l->easy[i]); /* harmless where it never began */
        easy_end(&call[i], code[i], &ret[i]);
        curl_easy_reset(l->easy[i]);
    }
    client_return(c, l);
}

void net_calls(struct net_client *c, const struct net_request *in, size_t n,
               struct net_response *ret) {
    struct net_request bounded[NET_AT_ONCE];

    for (size_t i = 0; i < n; i++) {
        bounded[i] = in[i];
        if (bounded[i].timeout_ms <= 0)
            bounded[i].timeout_ms = DEFAULT_TIMEOUT_MS;
        bounded[i].idle_ms = 0;
    }
    client_run(c, bounded, n, (struct net_data_sink){0}, ret);
}

void net_call(struct net_client *c, const struct net_request *in, struct net_response *ret) {
    net_calls(c, in, 1, ret);
}

void net_stream(struct net_client *c, const struct net_request *in, net_data_fn *on_data, void *ctx,
                struct net_response *ret) {
    client_run(c, in, 1, (struct net_data_sink){on_data, ctx}, ret);
}
