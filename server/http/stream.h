/* http/stream.h: Server-Sent Events (internal to http/). */
#pragma once
#include "http/exchange.h"
#include <pthread.h>
#include <stdatomic.h>

enum { STREAM_IO_SLOTS = 16 };

struct streams {
    pthread_mutex_t lock; /* taken before a stream's own lock */
    struct stream *head;  /* not owned: responses and exchanges hold references */
    struct queue *queue;
    void (*nudge)(void *ctx); /* asks for a streams_tick soon */
    void *nudge_ctx;
    int64_t last_wake_us[STREAM_IO_SLOTS]; /* by I/O thread */
    int64_t heartbeat_us;
    size_t count;
    bool ending, cutting;
};

void streams_init(struct streams *set, struct queue *queue, int heartbeat_ms, void (*nudge)(void *),
                  void *nudge_ctx);
void streams_done(struct streams *set);
/* Takes ctx and puts the stream into x->stream.  On a handler thread it fills for the first time:
 * what that returns comes back and may still be answered as a problem. */
MUSTCHECK Status stream_open(struct streams *set, struct exchange *x,
                             const struct stream_source *source, void *ctx, bool on_handler_thread);
void stream_respond(struct exchange *x); /* makes x->response of x->stream */
/* The exchange ends: gives up its reference and its arena, on which the stream's ctx may rely. */
void stream_release(struct exchange *x);
void streams_publish(struct streams *set, const char *topic); /* NULL: all */
/* Polls, heartbeats, delayed wakes.  Returns whether wakes are still delayed: call again in 50 ms.
 */
bool streams_tick(struct streams *set, int64_t now_us);
/* Ends all event streams, and those that open later.  bodies_too: cuts bodies that have not come to
 * their end. */
void streams_end(struct streams *set, bool bodies_too);
size_t streams_count(struct streams *set);
