/* http/reaper.h: open connections and their deadlines (internal to http/). */
#pragma once
#include "base/address.h"
#include "base/status.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct conn {
    struct conn *prev, *next;
    int fd;
    _Atomic int64_t deadline_us; /* monotonic; 0: none.  Set by the connection's I/O thread */
    _Atomic bool asked;          /* a request began on it */
    bool reaped;                 /* under the reaper's lock */
    struct address peer;
    struct tls *tls;  /* borrowed; NULL: it speaks none */
    uint64_t network; /* the peer's, for http/rate.h */
    char remote[ADDRESS_TEXT];
};

struct reaper {
    pthread_mutex_t lock;
    struct conn *head; /* owned */
    size_t count;
    struct lingerer *lingering; /* owned */
    size_t lingers;
    _Atomic int64_t header_us, idle_us;
    _Atomic uint64_t reaped;
};

void reaper_init(struct reaper *r); /* then reaper_change */
void reaper_change(struct reaper *r, int header_timeout_ms, int idle_timeout_s); /* any thread */
unsigned reaper_idle_s(const struct reaper *r);
void reaper_done(struct reaper *r);
/* When libmicrohttpd says that a connection began, and (before it closes the socket) that it ended.
 */
struct conn *reaper_opened(struct reaper *r, int fd, const struct sockaddr *remote);
void reaper_closed(struct reaper *r, struct conn *c);
/* The phases of a connection, each with its deadline. */
void reaper_reading_headers(const struct reaper *r, struct conn *c, int64_t now_us);
void reaper_reading_body(const struct reaper *r, struct conn *c, uint64_t bytes);
void reaper_answering(const struct reaper *r, struct conn *c, uint64_t bytes, int64_t now_us);
void reaper_no_deadline(struct conn *c); /* the handler's time, or a stream */
void reaper_idle(const struct reaper *r, struct conn *c);
/* The answer goes out while the caller is still sending: keeps the socket open for a moment and
 * throws away what arrives, because closing it with unread bytes resets the connection and the
 * caller would never see the answer. */
void reaper_linger(struct reaper *r, int fd);
/* Shuts what is late; true while something lingers (call again soon). */
bool reaper_tick(struct reaper *r, int64_t now_us);
size_t reaper_count(struct reaper *r);
/* Connections on which no request has begun yet. */
size_t reaper_newcomers(struct reaper *r);
