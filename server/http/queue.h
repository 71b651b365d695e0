/* http/queue.h: the handler threads and what waits for them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in what is to be run; it belongs to the queue from the push until `run` is called. */
struct job {
    struct job *next;
    void (*run)(struct job *self); /* on a handler thread; may free what holds the job */
    bool urgent;                   /* runs before what is not */
    bool placed;                   /* the queue's own, as is what follows */
    int64_t pushed_us;
};

struct queue;
/* `places`: how many new requests may wait for a thread.  One thread more is kept for what is
 * urgent, so that it runs also while all others are held up. */
struct queue *queue_new(int threads, int places);
/* Takes a place for a new request; false when the queue is closed, or all are taken and it is not
 * urgent.  Whoever has a place must push soon: closing waits for it. */
bool queue_reserve(struct queue *q, bool urgent);
/* placed: uses up a reservation.  Otherwise it goes on with what was admitted before, and is never
 * refused. */
void queue_push(struct queue *q, struct job *j, bool placed);
size_t queue_waiting(struct queue *q);
/* Refuses reservations, runs what is queued, ends the threads. */
void queue_close(struct queue *q);
void queue_free(struct queue *q); /* after queue_close; NULL-safe */
