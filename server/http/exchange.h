/* http/exchange.h: one request and its answer inside the edge (internal to http/).
 *
 * Threads: an exchange belongs to one thread at a time: the I/O thread of its connection, or,
 * between suspend and resume, the handler thread that runs its job, or, while parked, nobody
 * (parking.lock).  Whoever gives it away must not touch it again. */
#pragma once
#include "base/strbuf.h"
#include "http/http.h"
#include "http/queue.h"
#include "http/rate.h"
#include "http/router.h"
#include "http/uri.h"
#include <microhttpd.h>

struct apisig;
struct apisig_body;
struct conn;
struct stream;

typedef enum Turn {
    TURN_NEXT,   /* on to the next phase */
    TURN_WAIT,   /* for the rest of the request, or it was given away: do not touch it */
    TURN_ANSWER, /* exchange.status says which answer */
} Turn;

struct exchange {
    struct request q; /* first: request_exchange() relies on it */
    struct arena arena;
    struct conn *conn; /* borrowed: lives as long as the connection */
    const char *raw_uri, *method_name;
    struct stream *stream; /* a reference */
    struct MHD_Response *response;
    unsigned http_status;
    bool shrunk; /* what follows is not there any more (calls.c) */
    /* until an event stream is answered */
    struct reply r;
    struct job job;
    struct http_server *server; /* borrowed */
    struct MHD_Connection *connection;
    /* the request, as read */
    const char *version;
    const char *host; /* that a trusted proxy says it was reached under; NULL: the Host header */
    bool traced;      /* it brought a traceparent that holds */
    bool secure;      /* the caller spoke TLS, with a trusted proxy or with us */
    uint64_t network; /* the caller's, for http/rate.h */
    struct uri uri;
    const struct uri_query *query; /* NULL before it is decoded, and without one */
    struct router_match match;
    struct strbuf body;
    struct apisig *signature;   /* of a signed write, in the arena; else NULL */
    struct apisig_body *digest; /* owned; of the same, while its body arrives */
    bool body_expected, body_complete, body_over;
    bool body_raw;                  /* of a type that is taken as it is */
    bool body_large, body_admitted; /* it may be; it is one of server->large_bodies */
    size_t discarded;               /* bytes of a body that is too large */
    /* where it is */
    unsigned phase;
    Status status;
    bool suspended; /* given to a handler thread: the answer must resume the connection */
    bool close;     /* the answer ends the connection */
    bool preflight; /* a browser's question (cors.c) */
    bool abandoned; /* the server stops: answer instead of parking on */
    void *in;       /* the decoded body */
    struct rate_state rate[RATE_KINDS];
    bool rated[RATE_KINDS]; /* rate[kind] is known */
    /* parked */
    struct exchange *park_prev, *park_next;
    uint64_t park_topic, bus_seen;
    int64_t park_poll_us;
    uint64_t answer_size;
};

static inline struct exchange *request_exchange(const struct request *q) {
    return (struct exchange *)(uintptr_t)q;
}
static inline struct exchange *job_exchange(struct job *j) {
    return (struct exchange *)(void *)((char *)j - offsetof(struct exchange, job));
}

/* guard.c: refuses what an HTTP parser in front of us might read in another way.  close is set when
 * it refuses. */
MUSTCHECK Status guard_request(struct exchange *x);
/* forwarded.c: takes the caller's address, and the name it was reached under, from the headers of
 * trusted proxies (CIDRs; NULL: none). */
void forwarded_read(struct exchange *x, const char *trusted);
/* accept.c: whether Accept allows this type. */
bool accepts_type(const char *accept, const char *media_type);

/* cors.c: answers the question of a browser that would like to call a route of another protocol;
 * false: it is no such question. */
bool cors_preflight(struct exchange *x);
/* What lets a page of an allowed origin read this answer. */
void cors_headers(struct exchange *x);

/* limit.c: counts the request against the rate of its network, or its principal.  Refuses
 * E_RATE_LIMITED. */
MUSTCHECK Status limit_network(struct exchange *x);
MUSTCHECK Status limit_principal(struct exchange *x);
/* A credential that does not hold counts against the network, also where the route is exempt. */
void limit_failure(struct exchange *x);
/* The items of RateLimit-Policy and RateLimit, in the arena; NULL when nothing was counted. */
const char *limit_policy_text(struct exchange *x);
const char *limit_text(struct exchange *x);

/* signed.c: API signatures.  Of a request that has one: */
bool signed_given(const struct exchange *x);
/* its principal, by the headers alone.  *reterr: static.  Refuses E_UNAUTHENTICATED,
 * E_DATABASE_UNAVAILABLE. */
MUSTCHECK Status signed_authenticate(struct exchange *x, const char **reterr);
void signed_take_body(struct exchange *x, const void *bytes, size_t n);
/* Whether the whole body is what was signed.  Refuses E_UNAUTHENTICATED. */
MUSTCHECK Status signed_check_body(struct exchange *x);
/* That a write is the first with its nonce, on a handler thread, in a transaction of its own before
 * the handler's: two equal requests at once are one that acts and one that is refused at once,
 * instead of one that waits for the other's locks.  Before the body is decoded, so that a write
 * whose body is refused cannot be sent again either. */
MUSTCHECK Status signed_take_nonce(struct exchange *x);
void signed_done(struct exchange *x); /* idempotent */

/* phases.c.  Runs phases until the answer is there (true) or the exchange was given away or waits
 * for input (false: do not touch it unless waiting for input on the I/O thread). */
bool exchange_run(struct exchange *x, bool first_call);
/* answer.c: builds x->response from status and reply. */
void exchange_render(struct exchange *x);
void reply_reset(struct reply *r); /* drops what it owns, keeps the arena */
/* problem.c: the body of a refusal or fault. */
json_t *problem_json(const struct exchange *x, const struct status_row *row);
