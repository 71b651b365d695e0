/* kube/cluster.h: the clusters of this process and what their calls and watches share.  Private to
 * kube/ and its tests. */
#pragma once
#include "base/trace.h"
#include "kube/exec.h"
#include "kube/kube.h"
#include <pthread.h>
#include <stdatomic.h>

struct kube_space; /* kube/watch.h: the watches of one namespace */

struct kube_timing {
    int idle_ms;       /* a watch without a byte for that long is ended and listed again */
    int list_ms;       /* one page of a list */
    int retry_ms;      /* the first pause after a failure; then doubled ... */
    int retry_most_ms; /* ... up to this */
    int watch_s;       /* how long the server is asked to keep a watch, less up to a fifth */
    int page;          /* objects per page of a list */
    int64_t token_us;  /* age at which a token file is read again */
    struct kube_plugin_timing exec;
};
extern const struct kube_timing kube_timing_default;

struct kube_clusters {
    char *folder; /* of kubeconfig files; NULL: none may be named */
    bool exec_allowed;
    kube_change_fn *on_change;
    void *ctx;
    struct kube_timing timing;
    struct net_client *client;
    struct net_loop *loop;
    pthread_mutex_t lock;
    struct kube_cluster *first; /* under lock; each holds one reference */
};

struct kube_cluster {
    struct kube_cluster *next; /* under the set's lock */
    struct kube_clusters *set;
    atomic_int references;
    char *name;
    int64_t revision;
    json_t *spec;
    struct kube_config config; /* constant, but for the token */
    struct net_tls tls;
    struct kube_plugin *plugin; /* NULL: without one */

    pthread_mutex_t token_lock;
    int64_t token_read_us; /* under token_lock, as is config.token */

    pthread_mutex_t lock;      /* the cache: held for moments only, never around a call */
    struct kube_space *spaces; /* under lock; freed with the cluster */
    bool ended;                /* under lock: another took its place; no call of a watch begins */
};

/* For tests: before the first cluster. */
void kube_clusters_set_timing(struct kube_clusters *s, const struct kube_timing *timing);
/* What one call authenticates with, and its headers: fill with kube_headers_set(). */
struct kube_headers {
    const char *lines[8];
    char trace[TRACE_HEADER_TEXT]; /* of the call's own span */
    const char *authorization;     /* or NULL */
    const struct net_tls *tls;     /* lives as long as this, or as `login` */
    char *line;                    /* owned: the authorization of a cluster without plugin */
    struct kube_login *login;      /* a reference; NULL without plugin */
};
/* `more`: a header line or NULL, borrowed.  With a plugin waits for its credential at most wait_ms;
 * anything but LOGIN_READY comes with a sentence. */
MUSTCHECK KubeLogin kube_headers_set(struct kube_headers *h, struct kube_cluster *c,
                                     const char *more, int wait_ms, char *reterr, size_t n);
/* After a 401: reads the token file, or has the plugin run and waits for it at most wait_ms.  False
 * when there is nothing but what was refused. */
bool kube_token_renewed(struct kube_cluster *c, const struct kube_headers *refused, int wait_ms);
void kube_headers_done(struct kube_headers *h);
static inline void kube_headers_done_cleanup(struct kube_headers *h) {
    kube_headers_done(h);
}

/* The first line of UTF-8 text into n bytes, cut between characters. */
void kube_text_copy(char *ret, size_t n, const char *text);
/* Counts a call that is over, by verb (LABEL_KUBE_VERB) and code. */
void kube_call_count(const char *verb, const struct net_response *response, bool timed);
/* What an answer means.  Takes nothing from it. */
void kube_result_read(const struct net_response *response, struct kube_result *ret);

/* kube/space.c: ends the watches of a cluster soon, and frees what is left of them. */
void kube_watch_end(struct kube_cluster *c);
/* Ends them and begins the same ones on `to`. */
void kube_watch_move(struct kube_cluster *from, struct kube_cluster *to);
void kube_spaces_free(struct kube_space *first);
