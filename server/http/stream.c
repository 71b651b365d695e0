/* http/stream.c: an open event stream is a suspended connection and a small buffer; it costs no
 * thread.
 *
 * Threads: fill() runs on a handler thread and never twice at a time for one stream; the reader
 * callback runs on the connection's I/O thread, drains the buffer and suspends the connection
 * before it says "nothing yet" (saying so without suspending costs a whole core).  Waking an I/O
 * thread makes it scan all its suspended connections, so that wakes are collected: the first goes
 * at once, the next at most 20 times a second.
 *
 * A reader that does not read stops its own source (HIGH) and is cut by the idle timeout; positions
 * are the client's (Last-Event-ID), so that nothing is lost by it. */
#include "http/stream.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/park.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE_MAX = 256 * 1024, /* a fill says at most 64 KiB by contract */
    HIGH = 128 * 1024,      /* unread bytes above which the source is not asked */
    POLL_MS = 5000,
    SOON_MS = 40, /* less than what a nudged tick takes to come */
    WAKE_GAP_MS = 50,
    HEARTBEAT_MS = 15000,
    HEADER_NAME = 64,
    BLOCK =
        256, /* read at a time for HTTP/1.0; chunks are as large as the connection's pool allows */
};

typedef enum FillState { FILL_IDLE, FILL_QUEUED, FILL_RUNNING } FillState;

struct stream {
    struct stream *prev, *next; /* set->lock */
    bool ready;                 /* set->lock: its wake is delayed */
    bool listed;                /* set->lock */
    struct streams *set;
    const struct stream_source *source;
    void *ctx;          /* owned */
    struct arena arena; /* of the request, once that has ended */
    uint64_t topic;
    struct MHD_Connection *connection;
    struct MHD_Response *response; /* once it is there; stays as long as its reader is called */
    struct job job;
    bool begun;            /* its headers are written; of the I/O thread */
    _Atomic unsigned refs; /* exchange, response, queued job */
    pthread_mutex_t lock;  /* all below */
    struct strbuf out;
    size_t sent; /* of out */
    unsigned io; /* slot of the I/O thread that reads it */
    FillState fill;
    bool again;     /* published while the fill ran */
    bool hungry;    /* not filled since the reader is behind */
    bool suspended; /* its connection is */
    bool ended, closed;
    bool cut; /* a body that did not come to its end */
    int64_t poll_us, said_us;
};

static unsigned io_slot(void) {
    static _Atomic unsigned next;
    static _Thread_local unsigned slot; /* 0: none yet */

    if (slot == 0)
        slot = atomic_fetch_add(&next, 1) % STREAM_IO_SLOTS + 1;
    return slot - 1;
}

static void stream_unref(struct stream *s) {
    if (atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    if (s->source->free)
        s->source->free(s->ctx);
    arena_done(&s->arena);
    strbuf_done(&s->out);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static size_t unread(const struct stream *s) {
    return s->out.len - s->sent;
}

/* Under s->lock. */
static void resume(struct stream *s) {
    if (!s->suspended)
        return;
    s->suspended = false;
    MHD_resume_connection(s->connection);
}

/* Something to read, or the end: at once, or with the next batch of its I/O thread. */
static void stream_wake(struct stream *s) {
    struct streams *set = s->set;
    int64_t now_us = clock_monotonic_us();
    bool delayed = false;

    pthread_mutex_lock(&set->lock);
    pthread_mutex_lock(&s->lock);
    if (s->suspended &&
        (s->source->content_type || now_us - set->last_wake_us[s->io] >= WAKE_GAP_MS * US_PER_MS)) {
        set->last_wake_us[s->io] = now_us;
        resume(s);
    } else if (s->suspended) {
        delayed = s->ready = true;
    }
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_unlock(&set->lock);
    if (delayed)
        set->nudge(set->nudge_ctx);
}

/* Under s->lock, when the source may have more to say. */
static void ask(struct stream *s) {
    if (s->closed || s->ended)
        return;
    if (s->fill == FILL_RUNNING)
        s->again = true;
    else if (s->fill == FILL_IDLE && unread(s) >= HIGH)
        s->hungry = true;
    else if (s->fill == FILL_IDLE) {
        s->fill = FILL_QUEUED;
        atomic_fetch_add(&s->refs, 1);
        queue_push(s->set->queue, &s->job, false);
    }
}

/* Under s->lock. */
static void say(struct stream *s, const char *bytes, size_t n, int64_t now_us) {
    if (s->sent) {
        memmove(s->out.data, s->out.data + s->sent, unread(s));
        s->out.len -= s->sent;
        s->sent = 0;
    }
    strbuf_add(&s->out, bytes, n);
    s->said_us = now_us;
}

/* Takes up what a fill said.  Under s->lock. */
static void take_piece(struct stream *s, struct strbuf *piece, Status status, StreamState state) {
    int64_t now_us = clock_monotonic_us();
    int poll_ms = state == STREAM_SOON ? SOON_MS
                  : s->source->poll_ms ? s->source->poll_ms
                                       : POLL_MS;
    bool more = state == STREAM_MORE || s->again;

    if (piece->len)
        say(s, piece->data, piece->len, now_us);
    if (s->source->content_type && !s->ended)
        s->cut = status != STATUS_OK || s->out.overflowed || piece->overflowed;
    s->ended = s->ended || status != STATUS_OK || state == STREAM_END || s->out.overflowed ||
               piece->overflowed;
    s->fill = FILL_IDLE;
    s->again = false;
    s->poll_us = now_us + poll_ms * US_PER_MS;
    if (more)
        ask(s);
}

static Status stream_fill(struct stream *s) {
    _cleanup_(strbuf_done) struct strbuf piece = STRBUF(PIECE_MAX);
    StreamState state = STREAM_OPEN;
    Status status = s->source->fill(s->ctx, &piece, &state);
    bool wake;

    if (piece.overflowed)
        log_event(LOG_ERROR, "stream-overflow", NULL);
    pthread_mutex_lock(&s->lock);
    take_piece(s, &piece, status, state);
    wake = s->suspended && (unread(s) > 0 || s->ended);
    pthread_mutex_unlock(&s->lock);
    if (wake)
        stream_wake(s);
    if (state == STREAM_SOON)
        s->set->nudge(s->set->nudge_ctx);
    return status;
}

static void stream_run(struct job *j) {
    struct stream *s = (struct stream *)(void *)((char *)j - offsetof(struct stream, job));
    Status status = STATUS_OK;
    bool skip;

    pthread_mutex_lock(&s->lock);
    skip = s->closed || s->ended;
    s->fill = skip ? FILL_IDLE : FILL_RUNNING;
    pthread_mutex_unlock(&s->lock);
    if (!skip)
        status = stream_fill(s);
    if (status != STATUS_OK)
        log_event(LOG_WARNING, "stream-ended", "code", status_row(status)->code, NULL);
    stream_unref(s);
}

/* ---- the reader's side, on I/O threads ---- */

static enum MHD_Result header_name(void *cls, enum MHD_ValueKind kind, const char *name,
                                   const char *value) {
    (void)kind, (void)value;
    snprintf(cls, HEADER_NAME, "%s", name);
    return MHD_NO; /* the first is enough */
}

/* They are written when the body is asked for; libmicrohttpd would keep 1.5 kB of copies as long as
 * the stream.  Connection is of use to it until the end. */
static void forget_headers(struct MHD_Response *r) {
    char name[HEADER_NAME] = "";

    while (MHD_get_response_headers(r, header_name, name) > 0 && strcmp(name, "Connection") != 0)
        if (!MHD_del_response_header(r, name, MHD_get_response_header(r, name)))
            return;
}

static ssize_t stream_read(void *cls, uint64_t pos, char *buf, size_t max) {
    struct stream *s = cls;
    bool ended, cut;
    size_t n;

    (void)pos;
    if (!s->begun)
        forget_headers(s->response);
    s->begun = true;
    pthread_mutex_lock(&s->lock);
    ended = s->ended;
    cut = s->cut;
    n = unread(s) < max ? unread(s) : max;
    if (n > 0) {
        memcpy(buf, s->out.data + s->sent, n);
        s->sent += n;
        if (unread(s) == 0) {
            strbuf_done(&s->out); /* ten thousand idle streams should not keep a buffer each */
            s->sent = 0;
        }
        if (s->hungry && unread(s) < HIGH / 2) {
            s->hungry = false;
            ask(s);
        }
    } else if (!ended) {
        s->io = io_slot();
        MHD_suspend_connection(s->connection);
        s->suspended = true;
    }
    pthread_mutex_unlock(&s->lock);
    if (n > 0)
        return (ssize_t)n;
    if (!ended)
        return 0;
    return cut ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
}

static void stream_close(struct stream *s) {
    pthread_mutex_lock(&s->set->lock);
    if (s->listed) {
        if (s->next)
            s->next->prev = s->prev;
        if (s->prev)
            s->prev->next = s->next;
        else
            s->set->head = s->next;
        s->set->count--;
        s->listed = false;
    }
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    pthread_mutex_unlock(&s->lock);
    pthread_mutex_unlock(&s->set->lock);
    stream_unref(s);
}

static void stream_response_free(void *cls) {
    stream_close(cls);
}

void stream_respond(struct exchange *x) {
    atomic_fetch_add(&x->stream->refs, 1);
    x->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, stream_read, x->stream,
                                                    stream_response_free);
    if (!x->response)
        die("out of memory for a stream");
    x->stream->response = x->response;
}

void stream_release(struct exchange *x) {
    struct stream *s = TAKE_PTR(x->stream);

    if (!s)
        return;
    s->arena = x->arena;
    x->arena = (struct arena){0};
    stream_close(s);
}

/* ---- opening, and the set ---- */

Status stream_open(struct streams *set, struct exchange *x, const struct stream_source *source,
                   void *ctx, bool on_handler_thread) {
    struct stream *s = xcalloc(1, sizeof *s);
    const char *topic = source->topic ? source->topic(ctx) : NULL;

    s->set = set;
    s->source = source;
    s->ctx = ctx;
    s->topic = topic_hash(topic);
    s->connection = x->connection;
    s->job.run = stream_run;
    s->refs = 1;
    s->out = STRBUF(HIGH + PIECE_MAX);
    s->poll_us = s->said_us = clock_monotonic_us();
    s->fill = on_handler_thread ? FILL_RUNNING : FILL_IDLE;
    pthread_mutex_init(&s->lock, NULL);
    x->stream = s;
    pthread_mutex_lock(&set->lock);
    s->ended = source->content_type ? set->cutting : set->ending;
    s->cut = s->ended && source->content_type;
    s->listed = true;
    s->next = set->head;
    if (set->head)
        set->head->prev = s;
    set->head = s;
    set->count++;
    pthread_mutex_unlock(&set->lock);
    if (on_handler_thread)
        return stream_fill(s);
    pthread_mutex_lock(&s->lock);
    ask(s);
    pthread_mutex_unlock(&s->lock);
    return STATUS_OK;
}

void streams_init(struct streams *set, struct queue *queue, int heartbeat_ms, void (*nudge)(void *),
                  void *nudge_ctx) {
    set->heartbeat_us = (heartbeat_ms > 0 ? heartbeat_ms : HEARTBEAT_MS) * US_PER_MS;
    pthread_mutex_init(&set->lock, NULL);
    set->queue = queue;
    set->nudge = nudge;
    set->nudge_ctx = nudge_ctx;
}

void streams_done(struct streams *set) {
    pthread_mutex_destroy(&set->lock);
}

void streams_publish(struct streams *set, const char *topic) {
    uint64_t hash = topic_hash(topic);

    pthread_mutex_lock(&set->lock);
    for (struct stream *s = set->head; s; s = s->next) {
        if (hash != 0 && s->topic != 0 && s->topic != hash)
            continue;
        pthread_mutex_lock(&s->lock);
        ask(s);
        pthread_mutex_unlock(&s->lock);
    }
    pthread_mutex_unlock(&set->lock);
}

/* Under both locks. */
static void stream_tick(struct stream *s, int64_t now_us) {
    static const char heartbeat[] = ": ping\n\n";

    if (s->ended || s->closed || s->source->content_type)
        return;
    if (s->poll_us <= now_us)
        ask(s);
    if (now_us - s->said_us >= s->set->heartbeat_us && unread(s) == 0) {
        say(s, heartbeat, sizeof heartbeat - 1, now_us);
        s->ready = s->suspended;
    }
}

bool streams_tick(struct streams *set, int64_t now_us) {
    bool may_wake[STREAM_IO_SLOTS], delayed = false;

    pthread_mutex_lock(&set->lock);
    for (int i = 0; i < STREAM_IO_SLOTS; i++)
        may_wake[i] = now_us - set->last_wake_us[i] >= WAKE_GAP_MS * US_PER_MS;
    for (struct stream *s = set->head; s; s = s->next) {
        pthread_mutex_lock(&s->lock);
        stream_tick(s, now_us);
        if (s->ready && may_wake[s->io]) {
            s->ready = false;
            set->last_wake_us[s->io] = now_us;
            resume(s);
        }
        delayed = delayed || s->ready;
        pthread_mutex_unlock(&s->lock);
    }
    pthread_mutex_unlock(&set->lock);
    return delayed;
}

void streams_end(struct streams *set, bool bodies_too) {
    pthread_mutex_lock(&set->lock);
    set->ending = true;
    set->cutting = bodies_too;
    for (struct stream *s = set->head; s; s = s->next) {
        bool body = s->source->content_type != NULL;

        if (body && !bodies_too)
            continue;
        pthread_mutex_lock(&s->lock);
        s->cut = s->cut || (body && !s->ended);
        s->ended = true;
        resume(s);
        pthread_mutex_unlock(&s->lock);
    }
    pthread_mutex_unlock(&set->lock);
}

size_t streams_count(struct streams *set) {
    size_t n;

    pthread_mutex_lock(&set->lock);
    n = set->count;
    pthread_mutex_unlock(&set->lock);
    return n;
}
