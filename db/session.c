/* db/session.c: see session.h.  A thread that connects, takes a number, and asks once a second
 * whether it still has it. */
#include "db/session.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "db/conn.h"
#include <pthread.h>

enum { CALL_MS = 2000, KEEP_MS = 1000, PAUSE_LEAST_MS = 50, PAUSE_MOST_MS = 1000 };

struct db_replica {
    struct conn_target target;
    db_replica_fn *changed;
    void *ctx;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ending;
    _Atomic int64_t number;
};

static int64_t in_ms(int64_t ms) {
    return clock_monotonic_us() + ms * US_PER_MS;
}

/* Waits unless the session is ending; says whether it is. */
static bool rest(struct db_replica *r, int ms) {
    int64_t until = in_ms(ms);
    bool ending;

    pthread_mutex_lock(&r->lock);
    while (!r->ending && clock_monotonic_us() < until)
        clock_cond_wait(&r->wake, &r->lock, until);
    ending = r->ending;
    pthread_mutex_unlock(&r->lock);
    return ending;
}

static void set_number(struct db_replica *r, int64_t number) {
    char text[24];

    pthread_mutex_lock(&r->lock);
    atomic_store(&r->number, number);
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
    if (number)
        log_event(LOG_INFO, "replica-number", "number", log_int(number, text), NULL);
    else
        log_event(LOG_WARNING, "replica-number-lost", "detail", db_fault_text(), NULL);
    if (r->changed)
        r->changed(r->ctx, number);
}

/* A connection that holds a new number's lock, or NULL.  A number whose lock somebody holds (the
 * sequence went round) is passed over. */
static struct db_conn *enter(struct db_replica *r, int64_t *ret_number) {
    struct db_conn *c = NULL;

    if (conn_open(&r->target, in_ms(CALL_MS), &c) != STATUS_OK)
        return NULL;
    for (int tries = 0; tries < 100; tries++) {
        _cleanup_(db_rows_free) struct db_rows *rows = NULL;

        if (conn_query(c, SQL_REPLICA_ENTER, &rows, DB_NO_PARAMS, in_ms(CALL_MS)) != STATUS_OK)
            break;
        if (db_bool(rows, 0, "locked")) {
            *ret_number = db_int(rows, 0, "number");
            return c;
        }
    }
    conn_close(c);
    return NULL;
}

static void *replica_main(void *arg) {
    struct db_replica *r = arg;
    double pause_ms = PAUSE_LEAST_MS;
    bool ending = false;

    while (!ending) {
        int64_t number = 0;
        struct db_conn *c = enter(r, &number);

        if (!c) {
            pause_ms = PAUSE_LEAST_MS + random_unit() * (pause_ms * 3 - PAUSE_LEAST_MS);
            if (pause_ms > PAUSE_MOST_MS)
                pause_ms = PAUSE_MOST_MS;
            ending = rest(r, (int)pause_ms);
            continue;
        }
        pause_ms = PAUSE_LEAST_MS;
        set_number(r, number);
        do
            ending = rest(r, KEEP_MS);
        while (!ending &&
               conn_query(c, SQL_DB_PING, NULL, DB_NO_PARAMS, in_ms(CALL_MS)) == STATUS_OK);
        if (!ending)
            set_number(r, 0);
        conn_close(c);
    }
    return NULL;
}

struct db_replica *db_replica_open(const char *url, db_replica_fn *changed, void *ctx) {
    struct db_replica *r = xcalloc(1, sizeof *r);

    conn_target_init(&r->target, url, "sluiced-replica", CALL_MS, 0);
    r->changed = changed;
    r->ctx = ctx;
    pthread_mutex_init(&r->lock, NULL);
    clock_cond_init(&r->wake);
    if (pthread_create(&r->thread, NULL, replica_main, r) != 0)
        die("cannot start a thread");
    return r;
}

int64_t db_replica_number(const struct db_replica *r) {
    return atomic_load(&r->number);
}

int64_t db_replica_wait(struct db_replica *r, int ms) {
    int64_t until = in_ms(ms);

    pthread_mutex_lock(&r->lock);
    while (!atomic_load(&r->number) && clock_monotonic_us() < until)
        clock_cond_wait(&r->wake, &r->lock, until);
    pthread_mutex_unlock(&r->lock);
    return atomic_load(&r->number);
}

void db_replica_close(struct db_replica *r) {
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->ending = true;
    pthread_cond_broadcast(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    conn_target_done(&r->target);
    free(r);
}
