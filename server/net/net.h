/* net/net.h: outbound HTTP over libcurl: one client for calls that wait, one event loop for those
 * that do not.
 *
 * The only place that includes curl/curl.h.  Proxies from the environment are never used and
 * redirects never followed.  Every request has a deadline and every answer a maximum. */
#pragma once
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

/* What is known about a call afterwards: facts/reliability.md, "A timeout is not a no". */
typedef enum NetOutcome {
    NET_ANSWERED, /* a whole HTTP answer arrived */
    NET_NOT_SENT, /* nothing reached the other side (no address, no connection, TLS refused, guard
                     refused) */
    NET_UNKNOWN, /* the request may have been carried out (timeout, reset, cut or garbled answer) */
} NetOutcome;

/* TLS of one destination; texts are borrowed and must outlive the requests that use them. */
struct net_tls {
    const char *ca_pem;             /* NULL: the system's authorities */
    const char *cert_pem, *key_pem; /* client certificate; both or neither */
    const char *server_name;        /* NULL: the URL's host */
    bool insecure;                  /* no verification: only where a kubeconfig says so */
};

/* Which addresses a request may reach; NULL policy: any (for URLs from configuration). */
struct net_policy {
    const char
        *allow; /* CIDRs allowed beside public addresses, comma-separated (SLUICE_OUTBOUND_ALLOW) */
    bool listed_only; /* public addresses neither: for what goes unencrypted */
};

struct net_request {
    const char *method;         /* "GET" */
    const char *url;            /* http or https */
    const char *const *headers; /* "Name: value" strings, ended by NULL; NULL for none */
    const char *body;           /* NULL for none */
    size_t body_len;
    int timeout_ms;   /* the whole call; 0 only for streams, which then end by cancel or idle_ms */
    int connect_ms;   /* 0: 2000 */
    int idle_ms;      /* streams: gives up after that long without a byte; 0: never */
    size_t max_bytes; /* of the answer's body; more is NET_UNKNOWN; ignored for streams */
    const struct net_tls *tls;
    const struct net_policy *policy;
};

struct net_response {
    NetOutcome outcome;
    unsigned status; /* HTTP status when answered */
    char *body;      /* owned; NUL-terminated; NULL for streams */
    size_t body_len;
    char *content_type; /* owned or NULL */
    char *location;     /* owned or NULL */
    char *etag;         /* owned or NULL */
    int retry_after_s;  /* -1 when absent */
    int64_t took_us;
    char error[160]; /* one line for people when not answered */
};
void net_response_done(struct net_response *r); /* NULL-safe, idempotent; leaves zeroes */

/* Once per process, before threads.  From then on SIGPIPE is ignored. */
void net_setup(void);

/* A client keeps connections open and lends them to any thread; each call has one to itself while
 * it lasts. */
struct net_client;
struct net_client *net_client_new(const char *user_agent);
void net_client_free(struct net_client *c);
/* For the program's end: calls under way end soon (curl looks at least once a second), as if their
 * time were up, and none begins any more.  Any thread. */
void net_client_cancel(struct net_client *c);

/* Makes the call and waits.  Always fills *ret (to be released by net_response_done).  A GET or
 * HEAD whose kept connection turns out to be closed is sent once more on a new one; anything else
 * then is NET_UNKNOWN, because the other side may have acted before it closed. */
void net_call(struct net_client *c, const struct net_request *in, struct net_response *ret);
/* n of them to one origin at the same time, 1 to NET_AT_ONCE, each on a connection of its own: what
 * net_call does, until the last has ended. */
enum { NET_AT_ONCE = 3 };
void net_calls(struct net_client *c, const struct net_request *in, size_t n,
               struct net_response *ret);

/* As net_call, handing body bytes to `on_data` as they arrive; `on_data` ends the call by returning
 * false (outcome then NET_ANSWERED).  For command-line programs that follow an event stream. */
typedef bool net_data_fn(void *ctx, unsigned http_status, const char *bytes, size_t n);
void net_stream(struct net_client *c, const struct net_request *in, net_data_fn *on_data, void *ctx,
                struct net_response *ret);

/* An event loop: one thread, one curl multi handle, any number of calls under way. */
struct net_loop;
struct net_loop *net_loop_new(const char *user_agent); /* starts the thread */
/* Cancels what is under way, waits for every on_done, ends the thread.  An on_done that starts its
 * call again without end keeps this from returning.  Not from the loop's own thread. */
void net_loop_free(struct net_loop *l);

/* Starts a call.  `in` and its strings are copied, tls and policy are borrowed.  on_data (NULL: the
 * body is collected) and on_done run on the loop's thread and must not block; on_done comes exactly
 * once, also after a cancel (then with NET_UNKNOWN); `response` is released after it returns.  Any
 * thread.  Returns an id that is never 0. */
typedef void net_done_fn(void *ctx, struct net_response *response);
uint64_t net_loop_start(struct net_loop *l, const struct net_request *in, net_data_fn *on_data,
                        net_done_fn *on_done, void *ctx);
/* Ends a call soon; harmless when it has ended.  Any thread, on_data included. */
void net_loop_cancel(struct net_loop *l, uint64_t id);
/* Calls fn on the loop's thread after that time; with `canceled` sooner, when net_loop_cancel() or
 * the end of the loop comes before.  Exactly once.  Any thread.  Returns an id that is never 0. */
typedef void net_timer_fn(void *ctx, bool canceled);
uint64_t net_loop_after(struct net_loop *l, int delay_ms, net_timer_fn *fn, void *ctx);
