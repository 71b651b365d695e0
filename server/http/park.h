/* http/park.h: requests that wait for a fact, holding neither a thread nor an I/O thread's
 * attention (internal to http/). */
#pragma once
#include "base/status.h"
#include "db/bus.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct exchange;
struct queue;

enum { PARK_RECENT = 256 };

struct parking {
    pthread_mutex_t lock;
    struct exchange *head; /* not owned: an exchange ends when its connection does */
    struct queue *queue;
    uint64_t now;                 /* counts publications */
    uint64_t recent[PARK_RECENT]; /* topics of the latest ones, by number */
    size_t count;
    bool closed;
};

void parking_init(struct parking *p, struct queue *queue);
void parking_done(struct parking *p);
/* Taken before the handler looks at the facts, so that no publication between its look and its
 * parking is lost. */
uint64_t parking_mark(struct parking *p);
/* Gives the exchange away.  false: it stays with the caller, because its topic was published since
 * x->bus_seen or the server stops. */
bool parking_add(struct parking *p, struct exchange *x);
void parking_publish(struct parking *p, const char *topic); /* NULL: wakes all */
void parking_tick(struct parking *p, int64_t now_us);       /* poll floor and deadlines */
void parking_close(struct parking *p); /* sends everybody back as abandoned; refuses new ones */
size_t parking_count(struct parking *p);
bool parking_closed(struct parking *p);
