/* http/http.h: the edge.  What handlers see of a request, and what they answer; never
 * libmicrohttpd, never a socket.
 *
 * Phases: begin → route → limits → authenticate → authorise → read_body → verify_body → recall →
 * dispatch → take_nonce → decode → handle → render → end.  Up to `dispatch` they run on I/O
 * threads, from there on a handler thread, or on the I/O thread where route.io_thread says so. */
#pragma once
#include "auth/principal.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"
#include "base/trace.h"
#include <stdbool.h>
#include <stddef.h>

struct body_schema;
struct reply;
struct request;

typedef enum HttpMethod { HTTP_GET, HTTP_PUT, HTTP_POST, HTTP_DELETE } HttpMethod;

/* ---- body schemas: what a JSON body may hold; unknown and duplicate keys are refused, failures
 * name the field ---- */
typedef enum FieldType {
    FIELD_STRING,  /* const char *; min, max: bytes (max 0: 1024) */
    FIELD_NAME,    /* const char *; api.md's names */
    FIELD_ENUM,    /* const char *; one of `words` ("a|b|c") */
    FIELD_TIME,    /* int64_t µs; RFC 3339 */
    FIELD_INT,     /* int64_t; min, max: value (both 0: any) */
    FIELD_BOOL,    /* bool */
    FIELD_STRINGS, /* const char *const *, ended by NULL; min, max: how many (max 0: 100); each at
                      most 1024 bytes */
    FIELD_OBJECT,  /* json_t *, borrowed, whose keys `schema` describes */
    FIELD_OBJECTS, /* json_t *, borrowed: array of objects that `schema` describes; min, max: how
                      many */
    FIELD_MAP, /* json_t *, borrowed: object with free keys, max: how many; `schema` with one field
                * describes each value (its name is ignored); schema NULL: any value */
    FIELD_ANY, /* json_t *, borrowed */
} FieldType;

struct field {
    const char *name;
    FieldType type;
    size_t
        offset; /* into the decoded struct; FIELD_NOWHERE within nested schemas, which only check */
    bool required; /* null counts as absent */
    int64_t min, max;
    const char *words;
    const struct body_schema *schema;
};
#define FIELD_NOWHERE ((size_t)-1)

struct body_schema {
    const char *name; /* the component's name in openapi.yaml */
    const struct field *fields;
    size_t count, size; /* of fields; of the decoded struct */
    /* What fields alone cannot say; NULL for none.  Adds to the reply with reply_field_error.  Runs
     * for a whole body (never for a nested schema), and only when the fields are in order. */
    Status (*check)(const json_t *body, struct reply *r);
    bool open; /* names that it does not know are left alone: others' clients send what they like */
};

/* ---- routes ---- */
/* in: the decoded struct (NULL without schema).  Called again after it parked (request->resumed
 * counts). */
typedef Status handler_fn(struct request *q, const void *in, struct reply *r);

/* What the handler would answer, if it is in memory: on the I/O thread, so that it must not block.
 * false: r is as it was, ask the handler. */
typedef bool recall_fn(const struct request *q, struct reply *r);

/* What another protocol than ours asks of its routes.  Pages of SLUICE_CORS_ORIGINS may read their
 * answers, and names in their queries that we do not know, or that come again, are left alone. */
struct protocol {
    const char *name;
    /* The body of a refusal or fault, yours; NULL: it has none.  r says what was wrong. */
    json_t *(*problem)(const struct request *q, const struct status_row *row,
                       const struct reply *r);
};

typedef enum BodyKind { BODY_NONE, BODY_JSON, BODY_RAW } BodyKind;

struct route {
    const char *operation; /* unique: "createDeployment" */
    HttpMethod method;
    const char *path;  /* template: "/api/v1/apps/{app}/releases/{version}" */
    const char *scope; /* SCOPE_PUBLIC, SCOPE_ANY (any principal), or a scope */
    BodyKind body;
    const struct body_schema *schema; /* of BODY_JSON */
    /* Taken as it is: "application/yaml", or several, "a/b|c/d".  BODY_JSON may have some, too: the
     * handler then gets `in` NULL for them. */
    const char *media_type;
    /* Of what is taken as it is; where nothing is, of JSON; 0: BODY_MAX. */
    size_t max_body;
    const char *query; /* names that the query may have, "limit|cursor|app"; NULL: none */
    bool io_thread;    /* answers without blocking, on the I/O thread */
    handler_fn *handler;
    recall_fn *recall; /* tried before it where there is no query; NULL: never */
    bool urgent;    /* abort, rollback: served before others, on a thread kept for them, and never
                       refused as overload or for their number */
    bool unmetered; /* health, metrics, flags: not counted against any rate */
    bool bare_key; /* Authorization may be an API key without "Bearer", as Unleash's SDKs send it */
    const struct protocol *protocol; /* NULL: ours */
};
enum { BODY_MAX = 256 * 1024 };
/* How large a body may be, as it is or as JSON. */
static inline size_t route_body_max(const struct route *route, bool raw) {
    return route->max_body && (raw || !route->media_type) ? route->max_body : BODY_MAX;
}
#define SCOPE_PUBLIC "public"
#define SCOPE_ANY    "any"

/* ---- a request ---- */
struct request {
    const char *id;     /* X-Request-Id, given or made */
    struct trace trace; /* of traceparent, else made */
    HttpMethod method;
    const char *path;   /* raw, without the query */
    const char *query;  /* raw; NULL: none */
    const char *remote; /* the caller's address */
    const struct route *route;
    const struct principal *principal; /* NULL on public routes */
    const char *body;                  /* raw bytes; NUL-terminated */
    size_t body_len;
    json_t *json;        /* the body as parsed (borrowed) or NULL */
    struct arena *arena; /* lives as long as the request */
    int64_t began_us;    /* monotonic: its first line was read */
    unsigned resumed;    /* how often it was parked */
    void *context;       /* what http_start was given */
    void *state;         /* the handler's own, between parks; in the arena */
};
/* Path value; never NULL for a name in the template.  A segment that is no plain text (%00, %2f, …)
 * never gets here. */
const char *request_param(const struct request *q, const char *name);
const char *request_query(const struct request *q,
                          const char *name); /* decoded; NULL when absent */
/* The i-th name and value as they came, names that come again too; false: there are no more. */
bool request_query_at(const struct request *q, size_t i, const char **ret_name,
                      const char **ret_value);
const char *request_header(const struct request *q, const char *name); /* NULL when absent */
bool request_accepts(const struct request *q,
                     const char *media_type); /* named in Accept (wildcards do not count) */
/* If-Match against the ETag of what is there (without quotes): STATUS_OK, E_PRECONDITION_REQUIRED
 * (absent) or E_PRECONDITION_FAILED; "*" matches whatever is there. */
MUSTCHECK Status request_if_match(const struct request *q, const char *etag, struct reply *r);

/* A scope beside the route's own, of what the body asks for.  Refuses E_FORBIDDEN, naming it. */
MUSTCHECK Status request_may(const struct request *q, const char *scope, struct reply *r);

/* ?limit= (1..200, default 50) and ?cursor= : an opaque text that carries one position string. */
struct page {
    int64_t limit;
    const char *after; /* position of the last item of the page before, or NULL */
};
MUSTCHECK Status request_page(const struct request *q, struct page *ret, struct reply *r);

/* ---- a reply ---- */
struct stream_source;
struct reply {
    unsigned status;                     /* 0: 200, or 204 with nothing to say */
    json_t *json;                        /* owned by the reply */
    char *raw;                           /* instead of json: bytes, owned (malloc) */
    const char *fixed;                   /* likewise, static: not copied */
    size_t raw_len;                      /* of raw or fixed */
    const char *content_type;            /* of raw or fixed; static */
    const char *etag, *location, *allow; /* in the arena or static; etag without quotes */
    int retry_after_s;                   /* 0: none */
    const char *detail;                  /* of a refusal: one sentence for people; in the arena */
    json_t *errors;                      /* of a refusal: [{field, code, detail}], owned */
    json_t *extra;                       /* of a refusal: further members of the problem, owned */
    const char *park_topic;              /* set by reply_park */
    int64_t park_until_us;
    const struct stream_source *stream; /* set by reply_stream */
    void *stream_ctx;
    struct arena *arena;
    const char *cache_control; /* NULL: no-store */
    const char *csp;           /* Content-Security-Policy, static; NULL: loads nothing, no frames */
    bool replayed;             /* given before, to the same Idempotency-Key */
    bool begun;                /* not given yet, but what it is about was begun for the same key */
    bool download;             /* what others wrote: a browser saves it instead of showing it */
    bool live;                 /* holds more than its etag stands for (a status): never 304 */
};

/* Refuses: return reply_refuse(r, E_NOT_FOUND, "No app is called %s.", name).  Returns its status.
 */
Status reply_refuse(struct reply *r, Status s, const char *format, ...) PRINTF(3, 4);
/* Adds {field, code, detail} to errors; field is an RFC 6901 pointer ("/checks/health/0/name").
 * Returns E_INVALID_BODY. */
Status reply_field_error(struct reply *r, const char *field, const char *code, const char *format,
                         ...) PRINTF(4, 5);
/* The same for a value of the query; field is its name.  Returns E_INVALID_QUERY. */
Status reply_query_error(struct reply *r, const char *name, const char *code, const char *format,
                         ...) PRINTF(4, 5);
void reply_extra(struct reply *r, const char *key, json_t *value); /* takes value */
/* The list shape of api.md; takes items; next: position of the last item when there are more, else
 * NULL. */
void reply_list(struct reply *r, json_t *items, const char *next);
/* Gives the thread back; the handler is called again when the bus says topic, each 500 ms, and at
 * the deadline (monotonic µs), until it no longer parks. */
Status reply_park(struct reply *r, const char *topic, int64_t until_us);

/* Server-Sent Events.  fill() runs on a handler thread at the start, when the topic is published
 * and each poll_ms: it appends events to `out` (at most 64 KiB a call) and says whether the stream
 * goes on.  The edge adds heartbeats.  A reader that is behind is not filled for until it has
 * caught up, and is cut when it does not read at all: it resumes by Last-Event-ID.  ctx may live in
 * the request's arena, which is kept as long as the stream; the request itself is not (fill
 * allocates nothing in q->arena). */
struct strbuf;
typedef enum StreamState {
    STREAM_OPEN,
    STREAM_MORE /* call again at once */,
    STREAM_SOON /* call again in 50 to 150 ms: what it waits for ends unannounced */,
    STREAM_END
} StreamState;
struct stream_source {
    Status (*fill)(void *ctx, struct strbuf *out, StreamState *ret);
    void (*free)(void *ctx);         /* any thread; must not block */
    const char *(*topic)(void *ctx); /* NULL, or returning NULL: any topic wakes it */
    int poll_ms;                     /* 0: 5000 */
    /* NULL: Server-Sent Events.  Another type is a body that comes in pieces and has an end: no
     * heartbeats, no polls, and a fill that fails cuts the connection, so that nobody takes half
     * for the whole. */
    const char *content_type;
};
Status reply_stream(struct reply *r, const struct stream_source *source, void *ctx); /* takes ctx */

/* ---- the server ---- */
struct keyring;
struct auth;
struct bus;
struct http_rate {
    int64_t per_s, burst; /* per_s 0: no limit */
};
struct http_settings {
    const char *address; /* "127.0.0.1", "::", … */
    int port;            /* 0: any free one */
    int io_threads, handler_threads;
    int max_connections,
        queue_max; /* queue_max: requests waiting for a handler thread; more: 503 overloaded */
    /* Bodies of more than 1 MiB (JSON: BODY_MAX) that are held; more: 503 overloaded; 0: 4. */
    int large_bodies_max;
    int header_timeout_ms, idle_timeout_s;
    int heartbeat_ms;                              /* of event streams; 0: 15000 */
    struct http_rate rate_principal, rate_network; /* more: 429 rate-limited */
    bool log_requests;
    const struct route *routes;     /* ended by a NULL operation */
    struct auth *auth;              /* borrowed */
    struct keyring *keys;           /* borrowed; NULL: API keys and signatures are refused */
    const char *authority;          /* what they are made for; borrowed; NULL: the Host header */
    const char *cors_origins;       /* comma-separated, or "*"; borrowed; NULL: none */
    const char *tls_cert, *tls_key; /* PEM; borrowed for the start; NULL: no TLS */
    const char *trusted_proxies;    /* CIDRs; borrowed; NULL: none */
    struct bus *bus;                /* borrowed; NULL: parks and streams only poll */
    void *context;                  /* request->context */
    struct http_server **self;      /* set before the first request can come; NULL: not wanted */
};
struct http_server;
/* Checks the table (http_routes_check) and starts.  NULL with a line in reterr when it cannot. */
struct http_server *http_start(const struct http_settings *in, char *reterr, size_t n);
int http_port(const struct http_server *s);
/* Takes over rates, timeouts, large_bodies_max, log_requests, cors_origins and trusted_proxies; the
 * rest of `in` is not looked at.  Its texts are borrowed until http_stop, the earlier ones too. One
 * thread at a time. */
void http_change(struct http_server *s, const struct http_settings *in);
/* When the certificate that is shown ends: wall clock; 0: there is none. */
int64_t http_tls_until_us(const struct http_server *s);
/* New connections to a server that speaks TLS get this certificate (PEM, with its chain), open ones
 * go on; false with a line in reterr: nothing changes. */
bool http_tls_use(struct http_server *s, const char *cert_pem, const char *key_pem, char *reterr,
                  size_t n);
/* Whether a server could show them. */
bool http_tls_check(const char *cert_pem, const char *key_pem, char *reterr, size_t n);
/* Graceful: accepts no more, ends streams, lets requests under way finish (at most timeout_ms),
 * frees. */
void http_stop(struct http_server *s, int timeout_ms);
/* Readiness turns false first: call this, then http_stop. */
void http_drain(struct http_server *s);
bool http_draining(const struct http_server *s);
/* NULL when the table is sound, else what is wrong (unique operation and method+template, known
 * scope, schema iff JSON). */
const char *http_routes_check(const struct route *routes);
/* Counters for metrics and /api/health/detailed. */
json_t *http_stats(const struct http_server *s);
