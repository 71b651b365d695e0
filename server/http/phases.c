/* http/phases.c: what happens to a request, in order, as one table and one loop.
 *
 * Threads: up to `dispatch` on the I/O thread of the connection; from there on a handler thread,
 * unless the route says io_thread.  Only `render` turns a Status into HTTP. */
#include "auth/caller.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "http/body.h"
#include "http/server.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BODY_LARGE = 1024 * 1024 };

struct phase {
    const char *name;
    Turn (*run)(struct exchange *x);
};

static Turn answer(struct exchange *x, Status s) {
    x->status = s;
    return TURN_ANSWER;
}

/* ---- begin ---- */

static const struct {
    const char *name;
    HttpMethod method;
} methods[] = {
    {"GET", HTTP_GET},   {"HEAD", HTTP_GET},      {"PUT", HTTP_PUT},
    {"POST", HTTP_POST}, {"DELETE", HTTP_DELETE},
};

static int method_of(const char *name) {
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (!strcmp(methods[i].name, name))
            return (int)methods[i].method;
    return -1;
}

static Turn phase_begin(struct exchange *x) {
    Status s = guard_request(x);

    if (s == STATUS_OK)
        forwarded_read(x, live_of(x->server)->trusted_proxies);
    return s == STATUS_OK ? TURN_NEXT : answer(x, s);
}

/* ---- route ---- */

static char *allow_text(struct exchange *x) {
    static const char *const names[] = {"GET, HEAD", "PUT", "POST", "DELETE"};
    char *text = NULL;

    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (x->match.methods & 1u << i)
            text = arena_printf(&x->arena, "%s%s%s", text ? text : "", text ? ", " : "", names[i]);
    return text;
}

static Turn phase_route(struct exchange *x) {
    int method = method_of(x->method_name);
    Status s;

    x->match = router_find(x->server->router, method, x->uri.segment, x->uri.segments);
    x->q.route = x->match.route;
    if (x->q.route) {
        x->q.method = (HttpMethod)method;
        x->job.urgent = x->q.route->urgent;
        s = limit_network(x);
        return s == STATUS_OK ? TURN_NEXT : answer(x, s);
    }
    s = limit_network(x);
    if (s != STATUS_OK)
        return answer(x, s);
    if (cors_preflight(x))
        return answer(x, STATUS_OK);
    if (!x->match.methods)
        return answer(x, reply_refuse(&x->r, E_NOT_FOUND, "There is nothing at this path."));
    x->r.allow = allow_text(x);
    return answer(x, reply_refuse(&x->r, E_METHOD_NOT_ALLOWED,
                                  "%.20s is not possible here; these are: %s.", x->method_name,
                                  x->r.allow));
}

/* ---- limits ---- */

static size_t body_max(const struct exchange *x) {
    return x->q.route->body == BODY_NONE ? 0 : route_body_max(x->q.route, x->body_raw);
}

/* Whether the media type of a header is one of "a/b|c/d". */
static bool media_type_among(const char *given, const char *types) {
    size_t n = strcspn(given, "; \t");

    for (const char *at = types; *at;) {
        size_t len = strcspn(at, "|");

        if (len == n && !strncasecmp(at, given, n))
            return true;
        at += len + (at[len] == '|');
    }
    return false;
}

static bool body_type_known(struct exchange *x) {
    const struct route *route = x->q.route;
    const char *type = request_header(&x->q, "Content-Type");

    x->body_raw = type && route->media_type && media_type_among(type, route->media_type);
    return x->body_raw ||
           (type && route->body == BODY_JSON && media_type_among(type, "application/json"));
}

static Status body_acceptable(struct exchange *x, uint64_t length, bool type_known) {
    const struct route *route = x->q.route;

    if (route->body == BODY_NONE) /* a chunked one may still turn out to be empty */
        return length ? reply_refuse(&x->r, E_INVALID_BODY, "This takes no body.") : STATUS_OK;
    if (!type_known)
        return reply_refuse(&x->r, E_UNSUPPORTED_MEDIA_TYPE, "Content-Type must be %s%s%s.",
                            route->body == BODY_JSON ? "application/json" : "",
                            route->body == BODY_JSON && route->media_type ? "|" : "",
                            route->media_type ? route->media_type : "");
    if (length > body_max(x))
        return reply_refuse(&x->r, E_BODY_TOO_LARGE, "At most %zu bytes.", body_max(x));
    return STATUS_OK;
}

static Turn phase_limits(struct exchange *x) {
    const char *length_text = request_header(&x->q, "Content-Length");
    uint64_t length = length_text ? strtoull(length_text, NULL, 10) : 0;
    const char *accept = request_header(&x->q, "Accept");
    bool type_known = body_type_known(x);

    x->body_expected = x->body_expected || length > 0;
    x->body = STRBUF(body_max(x));
    if (x->body_expected) {
        Status s = body_acceptable(x, length, type_known);

        if (s != STATUS_OK)
            return answer(x, s);
        if (!length)
            length = body_max(x);
        /* JSON becomes many times as large when it is parsed */
        x->body_large = length > (x->body_raw ? BODY_LARGE : BODY_MAX);
        reaper_reading_body(&x->server->reaper, x->conn, length);
    }
    /* what a GET answers is known only afterwards; others must not act and then have nothing to say
     * it in */
    if (x->q.method != HTTP_GET && !accepts_type(accept, "application/json") &&
        !accepts_type(accept, "application/problem+json"))
        return answer(
            x, reply_refuse(&x->r, E_NOT_ACCEPTABLE,
                            "This is answered as application/json, which Accept does not allow."));
    return TURN_NEXT;
}

/* ---- authenticate, authorise ---- */

static Status presented_authenticate(struct exchange *x, const char **reterr) {
    const struct presented in = {
        .authorization = request_header(&x->q, "Authorization"),
        .api_key = request_header(&x->q, "X-API-Key"),
        .bare_key = x->q.route->bare_key,
    };

    return caller_find(x->server->in.auth, x->server->in.keys, &in, &x->arena, &x->q.principal,
                       reterr);
}

static Turn phase_authenticate(struct exchange *x) {
    const char *why = NULL;
    Status s;

    if (!strcmp(x->q.route->scope, SCOPE_PUBLIC))
        return TURN_NEXT;
    s = signed_given(x) ? signed_authenticate(x, &why) : presented_authenticate(x, &why);
    if (s == STATUS_OK) {
        s = limit_principal(x);
    } else {
        x->r.detail = why;
        limit_failure(x);
    }
    return s == STATUS_OK ? TURN_NEXT : answer(x, s);
}

static Turn phase_authorise(struct exchange *x) {
    const struct principal *p = x->q.principal;
    const char *scope = x->q.route->scope, *app = request_param(&x->q, "app"),
               *env = request_param(&x->q, "env");

    if (!p)
        return TURN_NEXT;
    if (strcmp(scope, SCOPE_ANY) != 0 && request_may(&x->q, scope, &x->r) != STATUS_OK)
        return answer(x, E_FORBIDDEN);
    if (app && !principal_may_app(p, app))
        return answer(x, reply_refuse(&x->r, E_FORBIDDEN, "You may not act on the app %s.", app));
    if (app && env && !principal_may_environment(p, app, env))
        return answer(x, reply_refuse(&x->r, E_FORBIDDEN,
                                      "You may not act on the environment %s of %s.", env, app));
    return TURN_NEXT;
}

/* ---- admit_body, read_body, verify_body, recall, dispatch, take_nonce ---- */

static Turn overloaded(struct exchange *x, const char *why) {
    atomic_fetch_add(&x->server->overloaded, 1);
    return answer(x, reply_refuse(&x->r, E_OVERLOADED, "%s; nothing was done.", why));
}

/* A body is held whole, and may be many times so large while it is worked on: few large ones at a
 * time, from before the first byte until the answer, bound what that takes. */
static Turn phase_admit_body(struct exchange *x) {
    struct http_server *s = x->server;

    if (!x->body_large)
        return TURN_NEXT;
    x->body_admitted = atomic_fetch_add(&s->large_bodies, 1) < live_of(s)->large_bodies_max;
    if (x->body_admitted)
        return TURN_NEXT;
    atomic_fetch_sub(&s->large_bodies, 1);
    return overloaded(x, "Too many large bodies are being read");
}

static Turn phase_read_body(struct exchange *x) {
    if (!x->body_complete) {
        x->phase--;
        return TURN_WAIT;
    }
    reaper_no_deadline(x->conn);
    x->q.body = x->body.data ? x->body.data : "";
    x->q.body_len = x->body.len;
    if (!x->body_over)
        return TURN_NEXT;
    if (x->q.route->body == BODY_NONE)
        return answer(x, reply_refuse(&x->r, E_INVALID_BODY, "This takes no body."));
    return answer(x, reply_refuse(&x->r, E_BODY_TOO_LARGE, "At most %zu bytes.", x->body.max));
}

static Turn phase_verify_body(struct exchange *x) {
    Status s = signed_check_body(x);

    return s == STATUS_OK ? TURN_NEXT : answer(x, s);
}

static Turn phase_recall(struct exchange *x) {
    const struct route *route = x->q.route;

    if (!route->recall || x->uri.query || !route->recall(&x->q, &x->r))
        return TURN_NEXT;
    return answer(x, STATUS_OK);
}

static Turn phase_dispatch(struct exchange *x) {
    if (x->q.route->io_thread)
        return TURN_NEXT;
    if (!queue_reserve(x->server->queue, x->job.urgent))
        return overloaded(x, "Too many requests wait for a thread");
    x->suspended = true;
    MHD_suspend_connection(x->connection);
    queue_push(x->server->queue, &x->job, true);
    return TURN_WAIT;
}

static Turn phase_take_nonce(struct exchange *x) {
    Status s = signed_take_nonce(x);

    return s == STATUS_OK ? TURN_NEXT : answer(x, s);
}

/* ---- decode ---- */

static bool query_allowed(const struct route *route, const char *name) {
    size_t n = strlen(name);

    for (const char *at = route->query; at && *at;) {
        size_t len = strcspn(at, "|");

        if (len == n && !memcmp(at, name, n))
            return true;
        at += len + (at[len] == '|');
    }
    return false;
}

static Status decode_query(struct exchange *x) {
    struct uri_query *query;
    const char *name, *why;
    struct page page;
    Status s;

    if (!x->uri.query)
        return STATUS_OK;
    query = arena_alloc(&x->arena, sizeof *query);
    x->query = query;
    s = uri_query(&x->arena, x->uri.query, query, &name, &why);
    if (s != STATUS_OK)
        return reply_query_error(&x->r, name, "format", "%s", why);
    for (size_t i = 0; i < query->n && !x->q.route->protocol; i++) {
        const struct uri_pair *p = &query->pair[i];

        if (!query_allowed(x->q.route, p->name))
            s = reply_query_error(&x->r, p->name, "unknown", "There is no such name here.");
        for (size_t k = 0; k < i; k++)
            if (!strcmp(query->pair[k].name, p->name))
                s = reply_query_error(&x->r, p->name, "duplicate", "It may be there once.");
    }
    /* refused here, so that it does not depend on what else a handler finds first */
    if (s == STATUS_OK && query_allowed(x->q.route, "limit"))
        s = request_page(&x->q, &page, &x->r);
    return s;
}

static Turn phase_decode(struct exchange *x) {
    const struct route *route = x->q.route;
    Status s = decode_query(x);

    if (s == STATUS_OK && route->body == BODY_JSON && !x->body_raw) {
        /* no body is an empty object: verbs take an optional reason */
        s = x->q.body_len ? body_parse(x->q.body, x->q.body_len, &x->r, &x->q.json)
                          : body_parse("{}", 2, &x->r, &x->q.json);
        if (s == STATUS_OK)
            s = body_decode(route->schema, x->q.json, &x->r, &x->in);
    }
    return s == STATUS_OK ? TURN_NEXT : answer(x, s);
}

/* ---- handle ---- */

static Turn overtaken_by_stop(struct exchange *x) {
    return answer(x, reply_refuse(&x->r, E_OVERLOADED, "This server is stopping; ask again."));
}

static Turn handled(struct exchange *x) {
    const struct stream_source *source = x->r.stream;
    Status s = STATUS_OK;

    if (source)
        x->r.content_type = source->content_type ? source->content_type : "text/event-stream";
    if (source && !strcmp(x->method_name, "HEAD")) {
        x->r.raw = xstrdup("");
    } else if (source) {
        x->r.stream = NULL; /* ctx is the stream's now */
        s = stream_open(&x->server->streams, x, source, x->r.stream_ctx, x->suspended);
    }
    return s == STATUS_OK ? TURN_NEXT : answer(x, s);
}

static Turn phase_handle(struct exchange *x) {
    struct parking *parking = &x->server->parking;

    for (;;) {
        Status s;

        if (x->abandoned)
            return overtaken_by_stop(x);
        reply_reset(&x->r);
        x->bus_seen = parking_mark(parking);
        s = x->q.route->handler(&x->q, x->in, &x->r);
        if (s != STATUS_OK)
            return answer(x, s);
        if (!x->r.park_until_us)
            return handled(x);
        if (!x->suspended)
            return answer(x, FAULT_BUG); /* an io_thread route may not wait */
        x->q.resumed++;
        x->phase--;
        if (parking_add(parking, x))
            return TURN_WAIT;
        x->phase++;
        x->abandoned = parking_closed(parking);
    }
}

/* ---- the loop ---- */

static const struct phase phases[] = {
    {"begin", phase_begin},           {"route", phase_route},
    {"limits", phase_limits},         {"authenticate", phase_authenticate},
    {"authorise", phase_authorise},   {"admit_body", phase_admit_body},
    {"read_body", phase_read_body},   {"verify_body", phase_verify_body},
    {"recall", phase_recall},         {"dispatch", phase_dispatch},
    {"take_nonce", phase_take_nonce}, {"decode", phase_decode},
    {"handle", phase_handle},
};
enum { PHASES = sizeof phases / sizeof *phases };

/* A refusal on the first call closes the connection (libmicrohttpd leaves the body unread); without
 * a body it can wait for the second call, and the connection lives on. */
static bool must_answer_now(const struct exchange *x) {
    return x->close || x->body_expected;
}

static bool run_phases(struct exchange *x, bool first_call) {
    while (x->phase < PHASES) {
        const struct phase *p = &phases[x->phase++];
        Turn turn = p->run(x);

        if (turn == TURN_WAIT)
            return false;
        if (turn == TURN_ANSWER)
            x->phase = PHASES;
    }
    if (first_call && !must_answer_now(x))
        return false;
    exchange_render(x);
    return true;
}

bool exchange_run(struct exchange *x, bool first_call) {
    bool done;

    trace_enter(&x->q.trace);
    done = run_phases(x, first_call);
    trace_enter(NULL); /* x may be another thread's by now */
    return done;
}
