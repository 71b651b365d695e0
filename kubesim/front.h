/* kubesim/front.h: the HTTP side, over libmicrohttpd run from the loop's own thread (external
 * epoll): no lock, and a waiting call or an idle watch costs a connection, no thread.
 *
 * A call's function must answer, stream, drop or park it.  A parked call is answered or dropped
 * later. The only place that includes microhttpd.h. */
#pragma once
#include "base/status.h"
#include <stdbool.h>
#include <sys/types.h>

struct simloop;
struct front;
struct call;
struct MHD_Connection;

typedef void call_fn(void *ctx, struct call *call);
/* Fills up to max bytes of a stream: how many, 0 when there is nothing yet (then call_wake() asks
 * again), STREAM_END or STREAM_CUT. */
typedef ssize_t stream_fn(void *ctx, char *buffer, size_t max);
enum { STREAM_END = -1, STREAM_CUT = -2 };

struct call {
    const char *method, *path, *query; /* as sent: not decoded; query is "" without one */
    const char *body;                  /* NUL-terminated; "" without one */
    size_t body_len;
    bool too_large;  /* the body was larger than the front takes; it is empty then */
    void *note;      /* the owner's; on_end runs once when the call is over, however it ends */
    call_fn *on_end; /* called with `note` */
    struct call_private *private;
};

struct front_options {
    int port;                       /* 0: any free one */
    const char *cert_pem, *key_pem; /* NULL: plain HTTP */
    size_t max_body;
    call_fn *fn;
    void *ctx;
};

/* Listens on 127.0.0.1.  NULL when the port cannot be had. */
struct front *front_new(struct simloop *l, const struct front_options *options);
int front_port(const struct front *f);
/* Drops what is open. */
void front_free(struct front *f);

const char *call_header(const struct call *call, const char *name); /* borrowed or NULL */
const char *call_arg(const struct call *call, const char *name);    /* decoded; borrowed or NULL */
void call_set_header(struct call *call, const char *name, const char *value); /* of the answer */
void call_answer(struct call *call, unsigned code, const char *content_type, const char *bytes,
                 size_t n);
void call_stream(struct call *call, const char *content_type, stream_fn *fn, void *ctx);
void call_wake(struct call *call);
void call_park(struct call *call);
void call_drop(struct call *call); /* closes the connection without an answer */
