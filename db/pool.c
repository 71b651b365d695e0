/* db/pool.c: connections that are lent, one transaction at a time.
 *
 * When the database is away, one borrower at a time tries to connect, after pauses with
 * decorrelated jitter; the others wait for it, and once the outage has lasted longer than a
 * borrower's patience they are refused at once, so that an outage does not pile up handler threads.
 * Nothing sleeps under the lock: it is a condition's. */
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "db/conn.h"
#include "db/migrate.h"
#include <pthread.h>
#include <stdio.h>

enum { PAUSE_LEAST_US = 25000, PAUSE_MOST_US = 2000000, READY_US = 1000000 };

struct db_pool {
    struct conn_target target;
    int size;
    int64_t wait_us;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct db_conn *idle;
    int open, lent, waiting; /* made or being made; with borrowers; threads that wait for one */
    bool down, probing;      /* the last attempt failed; somebody is at the next one */
    bool seen;               /* it was up once: for the log */
    int64_t down_since_us, retry_at_us, pause_us;
    char why[256];   /* why it is down */
    int64_t good_us; /* when a connection was last given back in order */
    bool looking;    /* db_pool_ready is at it */
    int64_t looked_us;
    Status ready;
};

struct db_pool *db_pool_new(const struct db_settings *in) {
    struct db_pool *p = xcalloc(1, sizeof *p);

    conn_target_init(&p->target, in->url, in->app_name, in->statement_ms, in->idle_in_tx_ms);
    p->target.plan_once = in->plan_once;
    p->size = in->size > 0 ? in->size : 1;
    p->wait_us = (in->wait_ms > 0 ? in->wait_ms : 2000) * US_PER_MS;
    pthread_mutex_init(&p->lock, NULL);
    p->ready = FAULT_DB_DOWN;
    clock_cond_init(&p->changed);
    return p;
}

static void drop_idle(struct db_pool *p) {
    while (p->idle) {
        struct db_conn *c = p->idle;

        p->idle = c->next;
        conn_close(c);
        p->open--;
    }
}

void db_pool_free(struct db_pool *p) {
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    while (p->lent)
        pthread_cond_wait(&p->changed, &p->lock);
    drop_idle(p);
    pthread_mutex_unlock(&p->lock);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    conn_target_done(&p->target);
    free(p);
}

int64_t pool_statement_us(const struct db_pool *p) {
    return p->target.statement_ms * US_PER_MS;
}

static void mark_up(struct db_pool *p) {
    if (p->down || !p->seen)
        log_event(LOG_INFO, "database-up", NULL);
    p->down = false;
    p->seen = true;
    p->pause_us = 0;
}

/* hurried: its caller had little time left, so that being late says less than what was said before.
 */
static void mark_down(struct db_pool *p, int64_t now, bool hurried) {
    double widest;

    if (!p->down || !hurried)
        snprintf(p->why, sizeof p->why, "%s", db_fault_text());
    if (!p->down) {
        log_event(LOG_WARNING, "database-down", "detail", p->why, NULL);
        p->down = true;
        p->down_since_us = now;
        p->pause_us = PAUSE_LEAST_US;
    }
    widest = (double)p->pause_us * 3 - PAUSE_LEAST_US;
    p->pause_us = PAUSE_LEAST_US + (int64_t)(random_unit() * widest);
    if (p->pause_us > PAUSE_MOST_US)
        p->pause_us = PAUSE_MOST_US;
    p->retry_at_us = now + p->pause_us;
}

/* Called and returns with the lock held; connects without it. */
static struct db_conn *connect_unlocked(struct db_pool *p, int64_t deadline) {
    struct db_conn *c = NULL;
    bool probe = p->down, hurried = deadline - clock_monotonic_us() < p->wait_us / 2;
    Status s;

    p->open++;
    p->lent++;
    p->probing |= probe;
    pthread_mutex_unlock(&p->lock);
    s = conn_open(&p->target, deadline, &c);
    pthread_mutex_lock(&p->lock);
    if (probe)
        p->probing = false;
    if (s == STATUS_OK) {
        mark_up(p);
    } else {
        p->open--;
        p->lent--;
        mark_down(p, clock_monotonic_us(), hurried);
    }
    pthread_cond_broadcast(&p->changed);
    return c;
}

/* An idle connection that still stands, or NULL. */
static struct db_conn *take_idle(struct db_pool *p) {
    while (p->idle) {
        struct db_conn *c = p->idle;

        p->idle = c->next;
        if (conn_alive(c)) {
            p->lent++;
            return c;
        }
        conn_close(c);
        p->open--;
    }
    return NULL;
}

static struct db_conn *take_locked(struct db_pool *p, int64_t deadline) {
    for (;;) {
        struct db_conn *c = take_idle(p);
        int64_t now = clock_monotonic_us();
        bool may_connect =
            p->open < p->size && (!p->down || (!p->probing && now >= p->retry_at_us));

        if (c)
            return c;
        if (may_connect && now < deadline) {
            c = connect_unlocked(p, deadline);
            if (c)
                return c;
            continue;
        }
        if (p->down && now >= p->down_since_us + p->wait_us && p->lent <= (p->probing ? 1 : 0)) {
            fault_note("%s", p->why);
            return NULL;
        }
        if (now >= deadline) {
            fault_note("%s", p->down ? p->why : "no connection became free in time");
            return NULL;
        }
        p->waiting++;
        clock_cond_wait(&p->changed, &p->lock,
                        p->down && !p->probing && p->open < p->size && p->retry_at_us < deadline
                            ? p->retry_at_us
                            : deadline);
        p->waiting--;
    }
}

Status pool_take(struct db_pool *p, struct db_conn **ret) {
    pthread_mutex_lock(&p->lock);
    *ret = take_locked(p, clock_monotonic_us() + p->wait_us);
    pthread_mutex_unlock(&p->lock);
    return *ret ? STATUS_OK : FAULT_DB_DOWN;
}

void pool_give(struct db_pool *p, struct db_conn *c, ConnFate fate) {
    if (fate != CONN_GOOD)
        conn_close(c);
    pthread_mutex_lock(&p->lock);
    p->lent--;
    if (fate == CONN_GOOD) {
        p->good_us = clock_monotonic_us();
        c->next = p->idle;
        p->idle = c;
    } else {
        p->open--;
    }
    if (fate == CONN_SILENT)
        drop_idle(p);
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

struct db_pool_state db_pool_state(struct db_pool *p) {
    struct db_pool_state state = {.name = p->target.app_name, .size = p->size};

    pthread_mutex_lock(&p->lock);
    state.in_use = p->lent;
    state.idle = p->open - p->lent;
    state.waiting = p->waiting;
    pthread_mutex_unlock(&p->lock);
    return state;
}

Status db_pool_fill(struct db_pool *p) {
    struct db_conn *taken = NULL, *c;
    Status s = STATUS_OK;

    for (int i = 0; i < p->size && s == STATUS_OK; i++) {
        s = pool_take(p, &c);
        if (s == STATUS_OK) {
            c->next = taken;
            taken = c;
        }
    }
    while ((c = taken)) {
        taken = c->next;
        pool_give(p, c, CONN_GOOD);
    }
    return s;
}

static Status look(struct db_pool *p) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    char why[256];
    Status s = db_once(p, SQL_MIGRATE_APPLIED, &rows, DB_NO_PARAMS);

    if (s != STATUS_OK)
        return s;
    /* A newer schema is fine here: another replica of a newer version migrated it, and migrations
     * only expand. */
    if (migrate_compare(rows, true, why, sizeof why))
        return STATUS_OK;
    fault_note("%s", why);
    return FAULT_DATABASE;
}

/* A pool whose connections are all at work says nothing about the database, which is answering
 * them. */
static bool only_busy(const struct db_pool *p, Status s, int64_t since_us) {
    return s == FAULT_DB_DOWN && !p->down && p->good_us >= since_us;
}

Status db_pool_ready(struct db_pool *p) {
    int64_t now = clock_monotonic_us();
    Status s;

    pthread_mutex_lock(&p->lock);
    s = p->down ? FAULT_DB_DOWN : p->ready; /* what was learned since it was looked at counts */
    if (p->looking && now >= p->looked_us + READY_US)
        s = FAULT_DB_DOWN; /* somebody has been waiting for the answer for a while */
    if (p->looking || (p->looked_us && now < p->looked_us + READY_US)) {
        pthread_mutex_unlock(&p->lock);
        return s;
    }
    p->looking = true;
    p->looked_us = now;
    pthread_mutex_unlock(&p->lock);
    s = look(p);
    pthread_mutex_lock(&p->lock);
    if (!only_busy(p, s, now))
        p->ready = s;
    s = p->ready;
    p->looking = false;
    p->looked_us = clock_monotonic_us();
    pthread_mutex_unlock(&p->lock);
    return s;
}
