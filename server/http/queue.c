/* http/queue.c: a request that needs the database must not hold an I/O thread: blocking 2 ms there
 * cost a factor of eight in throughput (measured).  It waits here for one of a fixed number of
 * threads.
 *
 * Threads: any thread pushes; the threads of the queue pop.  A place is reserved before the
 * connection is suspended, because a refusal has to be answered by the thread that still holds the
 * connection. */
#include "http/queue.h"
#include "base/clock.h"
#include "base/metric.h"
#include "base/status.h"
#include <pthread.h>
#include <stdlib.h>

struct list {
    struct job *head, *tail;
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t some, some_urgent; /* some_urgent: of the thread that is kept for it */
    struct list urgent, normal;
    size_t waiting, places, taken;
    bool closed;
    size_t threads;
    pthread_t thread[];
};

static void list_push(struct list *l, struct job *j) {
    j->next = NULL;
    if (l->tail)
        l->tail->next = j;
    else
        l->head = j;
    l->tail = j;
}

static struct job *list_pop(struct list *l) {
    struct job *j = l->head;

    if (j) {
        l->head = j->next;
        if (!l->head)
            l->tail = NULL;
    }
    return j;
}

static void wake_all(struct queue *q) {
    pthread_cond_broadcast(&q->some);
    pthread_cond_broadcast(&q->some_urgent);
}

/* NULL: the queue is closed and nothing is left. */
static struct job *queue_pop(struct queue *q, bool only_urgent) {
    struct job *j;

    pthread_mutex_lock(&q->lock);
    while (!q->urgent.head && (only_urgent || !q->normal.head) && !(q->closed && !q->taken))
        pthread_cond_wait(only_urgent ? &q->some_urgent : &q->some, &q->lock);
    j = list_pop(&q->urgent);
    if (!j && !only_urgent)
        j = list_pop(&q->normal);
    if (j) {
        q->waiting--;
        q->taken -= j->placed;
        if (q->closed)
            wake_all(q);
    }
    pthread_mutex_unlock(&q->lock);
    if (j)
        metric_observe(METRIC_HTTP_QUEUE_TIME, 0, clock_monotonic_us() - j->pushed_us);
    return j;
}

static void *handler_thread(void *arg) {
    struct queue *q = arg;
    struct job *j;

    while ((j = queue_pop(q, false)))
        j->run(j);
    return NULL;
}

static void *urgent_thread(void *arg) {
    struct queue *q = arg;
    struct job *j;

    while ((j = queue_pop(q, true)))
        j->run(j);
    return NULL;
}

struct queue *queue_new(int threads, int places) {
    size_t n = (threads > 0 ? (size_t)threads : 1) + 1;
    struct queue *q = xcalloc(1, sizeof *q + n * sizeof *q->thread);

    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->some, NULL);
    pthread_cond_init(&q->some_urgent, NULL);
    q->places = places > 0 ? (size_t)places : 1;
    for (; q->threads < n; q->threads++)
        if (pthread_create(&q->thread[q->threads], NULL,
                           q->threads ? handler_thread : urgent_thread, q) != 0)
            die("cannot start a handler thread");
    return q;
}

bool queue_reserve(struct queue *q, bool urgent) {
    bool got;

    pthread_mutex_lock(&q->lock);
    got = !q->closed && (urgent || q->taken < q->places);
    q->taken += got;
    pthread_mutex_unlock(&q->lock);
    return got;
}

void queue_push(struct queue *q, struct job *j, bool placed) {
    j->pushed_us = clock_monotonic_us();
    pthread_mutex_lock(&q->lock);
    j->placed = placed;
    list_push(j->urgent ? &q->urgent : &q->normal, j);
    q->waiting++;
    pthread_cond_signal(&q->some);
    if (j->urgent)
        pthread_cond_signal(&q->some_urgent);
    pthread_mutex_unlock(&q->lock);
}

size_t queue_waiting(struct queue *q) {
    size_t n;

    pthread_mutex_lock(&q->lock);
    n = q->waiting;
    pthread_mutex_unlock(&q->lock);
    return n;
}

void queue_close(struct queue *q) {
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    wake_all(q);
    pthread_mutex_unlock(&q->lock);
    for (size_t i = 0; i < q->threads; i++)
        pthread_join(q->thread[i], NULL);
}

void queue_free(struct queue *q) {
    if (!q)
        return;
    pthread_cond_destroy(&q->some);
    pthread_cond_destroy(&q->some_urgent);
    pthread_mutex_destroy(&q->lock);
    free(q);
}
