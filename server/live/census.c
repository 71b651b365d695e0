/* live/census.c: see census.h. */
#include "live/census.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "db/checkpoint.h"
#include "db/deployment.h"
#include "db/record.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct census {
    struct db_pool *pool;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop;                 /* under lock, as all below */
    struct census_facts facts; /* ages: when they were read */
    int64_t read_us;           /* monotonic; 0: never */
};

/* ---- reading ---- */

static Status read_states(struct db_pool *pool, struct census_facts *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_deployment_states(pool, &rows);

    for (size_t i = 0; s == STATUS_OK && i < db_rows_count(rows) && i < CENSUS_STATES; i++) {
        snprintf(ret->states[i].name, sizeof ret->states[i].name, "%s", db_text(rows, i, "state"));
        ret->states[i].count = db_int(rows, i, "count");
        ret->states_n = i + 1;
    }
    return s;
}

static double seconds(const struct db_rows *rows, const char *column) {
    return db_null(rows, 0, column) ? -1 : strtod(db_text(rows, 0, column), NULL);
}

static Status read_record(struct db_pool *pool, struct census_facts *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = record_head(pool, &rows);

    if (s != STATUS_OK)
        return s;
    ret->chains = db_int(rows, 0, "chains");
    ret->records = db_int(rows, 0, "records");
    ret->record_age_s = seconds(rows, "age_s");
    return STATUS_OK;
}

static Status read_checkpoint(struct db_pool *pool, struct census_facts *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_checkpoint_state(pool, &rows);

    if (s != STATUS_OK || db_rows_count(rows) == 0 || db_int(rows, 0, "number") == 0)
        return s;
    ret->checkpoint_number = db_int(rows, 0, "number");
    ret->checkpoint_records = db_int(rows, 0, "records_since");
    ret->checkpoint_age_s = seconds(rows, "age_s");
    return STATUS_OK;
}

static void look(struct census *c) {
    struct census_facts found = {.ready = db_pool_ready(c->pool) == STATUS_OK};
    int64_t now_us = clock_monotonic_us();
    bool due, read;

    pthread_mutex_lock(&c->lock);
    c->facts.ready = found.ready;
    due = !c->read_us || now_us >= c->read_us + CENSUS_READ_MS * US_PER_MS;
    pthread_mutex_unlock(&c->lock);
    read = found.ready && due && read_states(c->pool, &found) == STATUS_OK &&
           read_record(c->pool, &found) == STATUS_OK &&
           read_checkpoint(c->pool, &found) == STATUS_OK;
    if (!read)
        return;
    pthread_mutex_lock(&c->lock);
    c->facts = found;
    c->read_us = now_us;
    pthread_mutex_unlock(&c->lock);
}

/* ---- the thread ---- */

static void *census_main(void *arg) {
    struct census *c = arg;

    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        int64_t next_us = clock_monotonic_us() + CENSUS_POLL_MS * US_PER_MS;

        pthread_mutex_unlock(&c->lock);
        look(c);
        pthread_mutex_lock(&c->lock);
        while (!c->stop && clock_cond_wait(&c->changed, &c->lock, next_us))
            ;
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct census *census_new(struct db_pool *pool) {
    struct census *c = xcalloc(1, sizeof *c);

    c->pool = pool;
    pthread_mutex_init(&c->lock, NULL);
    clock_cond_init(&c->changed);
    if (pthread_create(&c->thread, NULL, census_main, c) != 0)
        die("cannot start the census' thread");
    return c;
}

void census_free(struct census *c) {
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

struct census_facts census_facts(struct census *c) {
    struct census_facts facts;
    int64_t read_us;

    pthread_mutex_lock(&c->lock);
    facts = c->facts;
    read_us = c->read_us;
    pthread_mutex_unlock(&c->lock);
    facts.age_s = (double)(clock_monotonic_us() - read_us) / (double)US_PER_S;
    if (!read_us || facts.age_s > CENSUS_OLD_S)
        facts.age_s = -1;
    if (facts.record_age_s >= 0)
        facts.record_age_s += facts.age_s;
    facts.checkpoint_age_s += facts.age_s;
    return facts;
}
