/* http/calls.c: libmicrohttpd's callbacks around an exchange.
 *
 * Threads: callbacks run on the I/O threads (an epoll pool).  A request for a handler thread is
 * suspended before it is queued; the handler thread builds the response and resumes; the I/O
 * thread, called again, queues the response: nothing but the resume crosses threads. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/metric.h"
#include "http/server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* POOL_BYTES is per connection and bounds a request's head (about 11 KiB; tokens have at most 8).
 * Most of what an open event stream costs. */
enum {
    POOL_BYTES = 12 * 1024,
    DISCARD_MAX = 1024 * 1024,
    RESERVED_FDS = 64, /* for the database, the cluster, files */
};

/* ---- an exchange begins and ends ---- */

static void exchange_job(struct job *j) {
    struct exchange *x = job_exchange(j);

    if (exchange_run(x, false))
        MHD_resume_connection(x->connection); /* from here on x is the I/O thread's again */
}

static void *on_request_line(void *cls, const char *uri, struct MHD_Connection *connection) {
    struct http_server *s = cls;
    const union MHD_ConnectionInfo *socket =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct conn *conn = socket->socket_context;
    struct exchange *x = xmalloc(sizeof *x); /* as in base/arena.c */

    *x = (struct exchange){.q = {.began_us = clock_monotonic_us(),
                                 .path = "",
                                 .remote = conn->remote,
                                 .arena = &x->arena,
                                 .context = s->in.context},
                           .r = {.arena = &x->arena},
                           .job = {.run = exchange_job},
                           .server = s,
                           .connection = connection,
                           .conn = conn,
                           .network = conn->network,
                           .secure = s->tls != NULL};
    x->raw_uri = arena_strdup(&x->arena, uri ? uri : "");
    reaper_reading_headers(&s->reaper, conn, x->q.began_us);
    atomic_fetch_add(&s->requests, 1);
    atomic_fetch_add(&s->active, 1);
    return x;
}

static void log_request(const struct exchange *x, struct arena *arena, bool complete) {
    const struct principal *p = x->q.principal;
    /* a path that was refused has no other form than the raw one; queries are nobody's business */
    const char *path =
        *x->q.path ? x->q.path : arena_strndup(arena, x->raw_uri, strcspn(x->raw_uri, "?"));
    char status[24], took[24];

    log_event(LOG_INFO, "request", "id", x->q.id, "method", x->method_name, "path", path, "status",
              log_int(x->http_status, status), "took_ms",
              log_int((clock_monotonic_us() - x->q.began_us) / US_PER_MS, took), "principal",
              p ? p->subject : NULL, "remote", x->q.remote, "via",
              x->q.remote == x->conn->remote ? NULL : x->conn->remote, "trace",
              *x->q.trace.id ? x->q.trace.id : NULL, "cut", complete ? NULL : "true", NULL);
}

/* What its handler needed, and whoever reads a request. */
static void exchange_forget(struct exchange *x) {
    reply_reset(&x->r);
    json_decref(x->q.json);
    signed_done(x);
    strbuf_done(&x->body);
    if (x->body_admitted)
        atomic_fetch_sub(&x->server->large_bodies, 1);
}

/* An event stream may be open for days, and there are thousands of them: what is left is what its
 * end needs. */
static struct exchange *exchange_shrink(struct exchange *x) {
    exchange_forget(x);
    x->shrunk = true;
    return xrealloc(x, offsetof(struct exchange, r));
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode how) {
    struct http_server *s = cls;
    struct exchange *x = *con_cls;

    (void)connection;
    if (!x)
        return;
    *con_cls = NULL;
    if (live_of(s)->log_requests && x->method_name)
        log_request(x, &x->arena, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    reaper_idle(&s->reaper, x->conn);
    if (x->response)
        MHD_destroy_response(x->response);
    stream_release(x);
    if (!x->shrunk)
        exchange_forget(x);
    arena_done(&x->arena);
    free(x);
    if (atomic_fetch_sub(&s->active, 1) == 1 && http_draining(s)) {
        pthread_mutex_lock(&s->active_lock);
        pthread_cond_signal(&s->active_none);
        pthread_mutex_unlock(&s->active_lock);
    }
}

/* ---- a request, call by call ---- */

static void exchange_headers_complete(struct exchange *x, const char *method, const char *version) {
    char id[UUID_TEXT];

    x->method_name = arena_strdup(&x->arena, method);
    x->version = arena_strdup(&x->arena, version);
    x->q.id = arena_strdup(&x->arena, uuid_v7(id)); /* unless the caller's own is good */
    trace_of_uuid(id, &x->q.trace);                 /* likewise */
    reaper_no_deadline(x->conn);
}

/* false: more than can be thrown away politely. */
static bool exchange_take_body(struct exchange *x, const char *bytes, size_t n) {
    if (!x->body_over && n <= x->body.max - x->body.len) {
        strbuf_add(&x->body, bytes, n);
        signed_take_body(x, bytes, n);
        return true;
    }
    x->body_over = true;
    x->discarded += n;
    return x->discarded <= DISCARD_MAX;
}

static void count_answer(const struct exchange *x, int64_t now_us) {
    const struct http_server *s = x->server;
    size_t operation = x->q.route ? s->operations[x->q.route - s->in.routes] : 0;

    metric_add(METRIC_HTTP_REQUESTS, operation, metric_code_place(x->http_status), 1);
    metric_observe(METRIC_HTTP_REQUEST_TIME, operation, now_us - x->q.began_us);
}

static enum MHD_Result exchange_answer(struct exchange *x, bool early, void **con_cls) {
    struct http_server *s = x->server;
    struct MHD_Response *response = TAKE_PTR(x->response);
    int64_t now_us = clock_monotonic_us();
    enum MHD_Result queued;

    if (x->http_status >= 100 && x->http_status < 600)
        atomic_fetch_add(&s->answers[x->http_status / 100], 1);
    count_answer(x, now_us);
    if (x->stream)
        reaper_no_deadline(x->conn);
    else
        reaper_answering(&s->reaper, x->conn, x->answer_size, now_us);
    if (early)
        reaper_linger(&s->reaper, x->conn->fd);
    queued = MHD_queue_response(x->connection, x->http_status, response);
    MHD_destroy_response(response);
    if (x->stream)
        *con_cls = exchange_shrink(x);
    return queued;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_n, void **con_cls) {
    struct exchange *x = *con_cls;
    bool first = x && !x->method_name;

    (void)cls, (void)connection, (void)url;
    if (!x)
        return MHD_NO;
    if (x->response) /* a handler thread is done */
        return exchange_answer(x, false, con_cls);
    if (first) {
        exchange_headers_complete(x, method, version);
    } else if (*upload_n) {
        bool taken = exchange_take_body(x, upload, *upload_n);

        *upload_n = 0;
        return taken ? MHD_YES : MHD_NO;
    } else {
        x->body_complete = true;
    }
    if (!exchange_run(x, first))
        return MHD_YES;
    return exchange_answer(x, first, con_cls);
}

/* ---- connections ---- */

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
    struct http_server *s = cls;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        const struct sockaddr *remote =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;

        struct conn *c = reaper_opened(&s->reaper, fd, remote);

        if (reaper_idle_s(&s->reaper) != (unsigned)s->in.idle_timeout_s) /* it was changed */
            MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                      reaper_idle_s(&s->reaper));
        c->tls = s->tls;
        c->network = rates_of_network(s->rates, &c->peer);
        *socket_context = c;
    } else if (*socket_context) {
        reaper_closed(&s->reaper, *socket_context);
        *socket_context = NULL;
    }
}

__attribute__((format(printf, 2, 0))) static void on_library_message(void *cls, const char *format,
                                                                     va_list args) {
    char text[256];

    (void)cls;
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = '\0';
    log_event(LOG_DEBUG, "libmicrohttpd", "message", text, NULL);
}

/* ---- the pool ---- */

/* As many connections as the process may have descriptors for, beside its own. */
static unsigned connection_limit(int wanted) {
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return (unsigned)wanted;
    if (files.rlim_cur < files.rlim_max && files.rlim_cur < (rlim_t)wanted + RESERVED_FDS) {
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) != 0 || getrlimit(RLIMIT_NOFILE, &files) != 0)
            return (unsigned)wanted;
    }
    if ((rlim_t)wanted + RESERVED_FDS <= files.rlim_cur)
        return (unsigned)wanted;
    return files.rlim_cur > 2 * RESERVED_FDS ? (unsigned)files.rlim_cur - RESERVED_FDS
                                             : (unsigned)files.rlim_cur / 2 + 1;
}

struct MHD_Daemon *calls_start(struct http_server *s) {
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)tls_retrieve},
        {MHD_OPTION_END, 0, NULL},
    };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned threads = s->in.io_threads > 0 ? (unsigned)s->in.io_threads
                       : cores > 0          ? (unsigned)cores
                                            : 2;

    if (threads < 2)
        threads = 2;
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
            (s->tls ? MHD_USE_TLS : 0),
        0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_library_message, NULL,
        MHD_OPTION_LISTEN_SOCKET, s->listen_fd, MHD_OPTION_THREAD_POOL_SIZE, threads,
        MHD_OPTION_CONNECTION_LIMIT,
        connection_limit(s->in.max_connections > 0 ? s->in.max_connections : 1024),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)s->in.idle_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_ARRAY, s->tls ? tls : none,
        MHD_OPTION_END);
}
