#include "kubesim/front.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "kubesim/simloop.h"
#include <arpa/inet.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

enum { MAX_CONNECTIONS = 20000, MAX_ANSWER_HEADERS = 4 };

typedef enum CallState { CALL_READING, CALL_PARKED, CALL_ANSWERED, CALL_DROPPED } CallState;

struct call_private {
    struct call public;
    struct front *front;
    struct MHD_Connection *connection;
    char *uri; /* owned; path and query point into it */
    struct strbuf body;
    CallState state;
    bool suspended;
    stream_fn *stream;
    void *stream_ctx;
    struct {
        char *name, *value;
    } headers[MAX_ANSWER_HEADERS];
    size_t n_headers;
    struct call_private *next, **link; /* of the front's list */
};

struct front {
    struct simloop *loop;
    struct front_options options;
    struct MHD_Daemon *daemon;
    int epoll_fd;
    struct call_private *calls;
    struct simloop_timer reaper;
    bool stopping;
};

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *connection) {
    struct front *f = cls;
    struct call_private *p = xcalloc(1, sizeof *p);
    char *mark;

    p->front = f;
    p->connection = connection;
    p->uri = xstrdup(uri);
    p->body = STRBUF(f->options.max_body);
    mark = strchr(p->uri, '?');
    if (mark)
        *mark = '\0';
    p->public =
        (struct call){.path = p->uri, .query = mark ? mark + 1 : "", .body = "", .private = p};
    p->next = f->calls;
    p->link = &f->calls;
    if (p->next)
        p->next->link = &p->next;
    f->calls = p;
    return p;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode toe) {
    struct call_private *p = *con_cls;

    (void)cls, (void)connection, (void)toe;
    if (!p)
        return;
    if (p->public.on_end)
        p->public.on_end(p->public.note, &p->public);
    *p->link = p->next;
    if (p->next)
        p->next->link = p->link;
    for (size_t i = 0; i < p->n_headers; i++) {
        free(p->headers[i].name);
        free(p->headers[i].value);
    }
    strbuf_done(&p->body);
    free(p->uri);
    free(p);
    *con_cls = NULL;
}

/* The whole request is here: hands it over. */
static enum MHD_Result hand_over(struct call_private *p, const char *method) {
    struct front *f = p->front;

    p->public.method = method;
    p->public.body = p->body.data && !p->body.overflowed ? p->body.data : "";
    p->public.body_len = p->body.overflowed ? 0 : p->body.len;
    p->public.too_large = p->body.overflowed;
    f->options.fn(f->options.ctx, &p->public);
    if (p->state == CALL_READING)
        die("kubesim: a call was neither answered nor parked");
    if (p->state == CALL_PARKED && !p->suspended) {
        p->suspended = true;
        MHD_suspend_connection(p->connection);
    }
    return p->state == CALL_DROPPED ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **con_cls) {
    struct call_private *p = *con_cls;

    (void)cls, (void)connection, (void)url, (void)version;
    if (p->state == CALL_DROPPED)
        return MHD_NO;
    if (!p->public.method) {
        p->public.method = "";
        return MHD_YES;
    }
    if (*upload_len) {
        strbuf_add(&p->body, upload, *upload_len);
        *upload_len = 0;
        return MHD_YES;
    }
    return p->state == CALL_READING ? hand_over(p, method) : MHD_YES;
}

static int64_t run(void *ctx) {
    struct front *f = ctx;
    MHD_UNSIGNED_LONG_LONG ms;

    MHD_run(f->daemon);
    return MHD_get_timeout(f->daemon, &ms) == MHD_YES ? (int64_t)ms * 1000 : -1;
}

static void readable(void *ctx) {
    (void)ctx; /* the next round's hook runs the daemon */
}

static void resume(struct call_private *p) {
    if (p->suspended) {
        p->suspended = false;
        MHD_resume_connection(p->connection);
    }
}

/* libmicrohttpd does not look at suspended connections: finds those whose client is gone. */
static void reap(void *ctx) {
    struct front *f = ctx;

    for (struct call_private *p = f->calls; p; p = p->next) {
        const union MHD_ConnectionInfo *fd =
            p->suspended ? MHD_get_connection_info(p->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
                         : NULL;
        struct pollfd poller = {.fd = fd ? fd->connect_fd : -1, .events = POLLRDHUP};

        if (fd && poll(&poller, 1, 0) > 0 && (poller.revents & (POLLRDHUP | POLLHUP | POLLERR)))
            call_drop(&p->public);
    }
    simloop_arm(f->loop, &f->reaper, 1000000, reap, f);
}

static struct MHD_Daemon *start(struct front *f, const struct sockaddr_in *address) {
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)f->options.cert_pem},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)f->options.key_pem},
        {MHD_OPTION_HTTPS_PRIORITIES, 0,
         (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;

    if (f->options.cert_pem)
        flags |= MHD_USE_TLS;
    else
        tls[0].option = MHD_OPTION_END;
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, f, MHD_OPTION_SOCK_ADDR, address,
                            MHD_OPTION_URI_LOG_CALLBACK, on_uri, f, MHD_OPTION_NOTIFY_COMPLETED,
                            on_completed, f, MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS,
                            MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024u, MHD_OPTION_ARRAY, tls,
                            MHD_OPTION_END);
}

struct front *front_new(struct simloop *l, const struct front_options *options) {
    struct front *f = xcalloc(1, sizeof *f);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)options->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    f->loop = l;
    f->options = *options;
    f->daemon = start(f, &address);
    if (!f->daemon) {
        free(f);
        return NULL;
    }
    f->epoll_fd = MHD_get_daemon_info(f->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    simloop_watch(l, f->epoll_fd, EPOLLIN, readable, f);
    simloop_hook(l, run, f);
    simloop_arm(l, &f->reaper, 1000000, reap, f);
    return f;
}

int front_port(const struct front *f) {
    return MHD_get_daemon_info(f->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void front_free(struct front *f) {
    if (!f)
        return;
    f->stopping = true;
    simloop_disarm(f->loop, &f->reaper);
    simloop_unwatch(f->loop, f->epoll_fd);
    for (int rounds = 0; rounds < 3; rounds++) { /* a stream suspends again before it ends */
        for (struct call_private *p = f->calls; p; p = p->next)
            call_drop(&p->public);
        MHD_run(f->daemon);
    }
    MHD_stop_daemon(f->daemon);
    free(f);
}

const char *call_header(const struct call *call, const char *name) {
    return MHD_lookup_connection_value(call->private->connection, MHD_HEADER_KIND, name);
}

const char *call_arg(const struct call *call, const char *name) {
    return MHD_lookup_connection_value(call->private->connection, MHD_GET_ARGUMENT_KIND, name);
}

void call_set_header(struct call *call, const char *name, const char *value) {
    struct call_private *p = call->private;

    if (p->n_headers == MAX_ANSWER_HEADERS)
        die("kubesim: too many headers in one answer");
    p->headers[p->n_headers].name = xstrdup(name);
    p->headers[p->n_headers++].value = xstrdup(value);
}

static void send_response(struct call_private *p, unsigned code, const char *content_type,
                          struct MHD_Response *response) {
    if (!response)
        die("out of memory");
    MHD_add_response_header(response, "Content-Type", content_type);
    for (size_t i = 0; i < p->n_headers; i++)
        MHD_add_response_header(response, p->headers[i].name, p->headers[i].value);
    p->state = CALL_ANSWERED;
    MHD_queue_response(p->connection, code, response);
    MHD_destroy_response(response);
    resume(p);
}

void call_answer(struct call *call, unsigned code, const char *content_type, const char *bytes,
                 size_t n) {
    if (call->private->state == CALL_DROPPED)
        return;
    send_response(
        call->private, code, content_type,
        MHD_create_response_from_buffer(n, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY));
}

static ssize_t read_stream(void *cls, uint64_t pos, char *buffer, size_t max) {
    struct call_private *p = cls;
    ssize_t n;

    (void)pos;
    if (p->state == CALL_DROPPED || p->front->stopping)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    n = p->stream(p->stream_ctx, buffer, max);
    if (n == STREAM_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n == STREAM_CUT)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (n == 0) {
        p->suspended = true;
        MHD_suspend_connection(p->connection);
    }
    return n;
}

void call_stream(struct call *call, const char *content_type, stream_fn *fn, void *ctx) {
    struct call_private *p = call->private;

    if (p->state == CALL_DROPPED)
        return;
    p->stream = fn;
    p->stream_ctx = ctx;
    send_response(p, MHD_HTTP_OK, content_type,
                  MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, read_stream, p, NULL));
}

void call_wake(struct call *call) {
    if (call->private->stream)
        resume(call->private);
}

void call_park(struct call *call) {
    call->private->state = CALL_PARKED;
}

void call_drop(struct call *call) {
    call->private->state = CALL_DROPPED;
    resume(call->private);
}
