/* http/answer.c: the only place that turns a Status and a reply into HTTP.  Any thread: it builds
 * the response and touches no connection. */
#include "base/cleanup.h"
#include "base/log.h"
#include "db/db.h"
#include "http/exchange.h"
#include "http/page.h"
#include "http/server.h"
#include "http/stream.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void reply_reset(struct reply *r) {
    json_decref(r->json);
    json_decref(r->errors);
    json_decref(r->extra);
    free(r->raw);
    if (r->stream && r->stream->free)
        r->stream->free(r->stream_ctx);
    *r = (struct reply){.arena = r->arena};
}

static void header(struct exchange *x, const char *name, const char *value) {
    if (value)
        MHD_add_response_header(x->response, name, value);
}

static void respond_buffer(struct exchange *x, char *bytes, size_t n,
                           enum MHD_ResponseMemoryMode mode) {
    x->answer_size = n;
    x->response = MHD_create_response_from_buffer(n, bytes, mode);
    if (!x->response)
        die("out of memory for a response");
}

static void respond_bytes(struct exchange *x, char *bytes, size_t n) {
    respond_buffer(x, bytes, n, MHD_RESPMEM_MUST_FREE);
}

static void respond_json(struct exchange *x, const json_t *v) {
    char *text = json_line(v);

    respond_bytes(x, text, strlen(text));
}

/* An answer is no page that loads anything or may be framed, unless it says otherwise. */
#define CSP_NOTHING "default-src 'none'; frame-ancestors 'none'"

/* What every answer carries. */
static void common_headers(struct exchange *x) {
    bool ours = !(x->q.route && x->q.route->protocol); /* no browser shows others' as a page */
    char seconds[16];

    header(x, "X-Request-Id", x->q.id);
    if (x->traced || !(x->q.route && x->q.route->unmetered)) /* flags are asked for all the time */
        header(x, "X-Trace-Id", x->q.trace.id);
    header(x, "X-Content-Type-Options", "nosniff");
    header(x, "Referrer-Policy", ours ? "no-referrer" : NULL);
    header(x, "Content-Security-Policy", x->r.csp ? x->r.csp : ours ? CSP_NOTHING : NULL);
    if (x->secure)
        header(x, "Strict-Transport-Security", "max-age=31536000");
    header(x, "Cache-Control", x->r.cache_control ? x->r.cache_control : "no-store");
    cors_headers(x);
    header(x, "Location", x->r.location);
    header(x, "Allow", x->r.allow);
    if (x->r.retry_after_s > 0) {
        snprintf(seconds, sizeof seconds, "%d", x->r.retry_after_s);
        header(x, "Retry-After", seconds);
    }
    header(x, "RateLimit-Policy", limit_policy_text(x));
    header(x, "RateLimit", limit_text(x));
    if (x->close || http_draining(x->server))
        header(x, "Connection", "close");
}

static void render_problem(struct exchange *x) {
    const struct status_row *row = status_row(x->status);
    const struct protocol *protocol = x->q.route ? x->q.route->protocol : NULL;
    json_auto_t *problem = protocol ? protocol->problem(&x->q, row, &x->r) : problem_json(x, row);

    x->http_status = row->http;
    if ((row->http == 503 || row->http == 504) && x->r.retry_after_s == 0)
        x->r.retry_after_s = 1;
    if (problem)
        respond_json(x, problem);
    else
        respond_bytes(x, NULL, 0);
    header(x, "Content-Type",
           !problem   ? NULL
           : protocol ? "application/json"
                      : "application/problem+json");
    if (x->status == E_UNAUTHENTICATED)
        header(x, "WWW-Authenticate", "Bearer");
    common_headers(x);
}

static bool not_modified(struct exchange *x) {
    const char *given = x->r.etag && !x->r.live && x->q.method == HTTP_GET && x->http_status == 200
                            ? request_header(&x->q, "If-None-Match")
                            : NULL;

    return given && etag_listed(given, x->r.etag);
}

static void render_reply(struct exchange *x) {
    struct reply *r = &x->r;
    const char *type = x->stream || r->raw || r->fixed ? r->content_type
                       : r->json                       ? "application/json"
                                                       : NULL;

    x->http_status = r->status ? r->status : type ? 200 : 204;
    if (x->q.method == HTTP_GET && type && !accepts_type(request_header(&x->q, "Accept"), type)) {
        reply_refuse(r, E_NOT_ACCEPTABLE, "This is answered as %s, which Accept does not allow.",
                     type);
        x->status = E_NOT_ACCEPTABLE;
        render_problem(x);
        return;
    }
    if (not_modified(x)) {
        x->http_status = 304;
        type = NULL;
        respond_bytes(x, NULL, 0);
    } else if (x->stream) {
        stream_respond(x);
        header(x, "X-Accel-Buffering", "no"); /* nginx would hold events back */
    } else if (r->json) {
        respond_json(x, r->json);
    } else if (r->fixed) {
        respond_buffer(x, (char *)(uintptr_t)r->fixed, r->raw_len, MHD_RESPMEM_PERSISTENT);
    } else {
        respond_bytes(x, TAKE_PTR(r->raw), r->raw_len);
    }
    header(x, "Content-Type", type);
    header(x, "Content-Disposition", r->download ? "attachment" : NULL);
    header(x, "Idempotency-Replayed", r->replayed ? "true" : NULL);
    if (r->etag)
        header(x, "ETag", arena_printf(&x->arena, "\"%s\"", r->etag));
    common_headers(x);
}

/* The one place where a fault is logged; the caller learns only where to look for it. */
static void report_fault(struct exchange *x) {
    const char *name = x->status == FAULT_BUG        ? "bug"
                       : x->status == FAULT_DATABASE ? "database"
                       : x->status == FAULT_DB_DOWN  ? "database-down"
                                                     : "io";

    bool of_database = x->status == FAULT_DATABASE || x->status == FAULT_DB_DOWN;

    log_event(LOG_ERROR, "fault", "request_id", x->q.id, "operation",
              x->q.route ? x->q.route->operation : NULL, "fault", name, "detail", x->r.detail,
              "database_said", of_database && *db_fault_text() ? db_fault_text() : NULL, NULL);
    reply_reset(&x->r);
    x->r.detail = x->status == FAULT_DB_DOWN
                      ? "The database does not answer; try again."
                      : "Something went wrong on our side; the log has it under this request id.";
}

void exchange_render(struct exchange *x) {
    if (x->status < 0)
        report_fault(x);
    if (x->status == STATUS_OK)
        render_reply(x);
    else
        render_problem(x);
}
