/* live/exposure.c: a hash table of counters; the thread takes the whole table and leaves an empty
 * one.  What could not be written is added again. */
#include "live/exposure.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/exposure.h"
#include <pthread.h>
#include <string.h>

enum { BUCKETS = 8192, BATCH = 2000, HOUR_S = 3600 };

struct counter {
    struct counter *next;
    struct exposure_count sum; /* its texts in the table's arena */
};
struct table {
    struct arena arena;
    struct counter *bucket[BUCKETS];
    size_t n;
};

struct exposure {
    struct db_pool *pool;
    int64_t flush_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct table *table; /* under lock, as all below */
    bool stop, failing;
    uint64_t written, dropped;
};

/* ---- the table ---- */

static size_t mixed(size_t hash, const char *text) {
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash * 31;
}

static size_t bucket_of(const struct exposure_count *c) {
    size_t hash = mixed((size_t)c->hour, c->environment_id);

    return mixed(mixed(mixed(hash, c->flag), c->app_name), c->variant) % BUCKETS;
}

static bool same(const struct exposure_count *a, const struct exposure_count *b) {
    return a->hour == b->hour && !strcmp(a->flag, b->flag) && !strcmp(a->variant, b->variant) &&
           !strcmp(a->app_name, b->app_name) && !strcmp(a->environment_id, b->environment_id);
}

/* Under lock; false: there is no room. */
static bool add(struct table *t, const struct exposure_count *c) {
    struct counter **at = &t->bucket[bucket_of(c)], *fresh;

    for (struct counter *one = *at; one; one = one->next)
        if (same(&one->sum, c)) {
            one->sum.yes += c->yes;
            one->sum.no += c->no;
            return true;
        }
    if (t->n == EXPOSURE_MAX)
        return false;
    fresh = arena_alloc(&t->arena, sizeof *fresh);
    fresh->sum = *c;
    fresh->sum.environment_id = arena_strdup(&t->arena, c->environment_id);
    fresh->sum.flag = arena_strdup(&t->arena, c->flag);
    fresh->sum.app_name = arena_strdup(&t->arena, c->app_name);
    fresh->sum.variant = arena_strdup(&t->arena, c->variant);
    fresh->next = *at;
    *at = fresh;
    t->n++;
    return true;
}

static void table_free(struct table *t) {
    arena_done(&t->arena);
    free(t);
}

void exposure_add(struct exposure *e, const struct exposure_count *c) {
    pthread_mutex_lock(&e->lock);
    if (!add(e->table, c))
        e->dropped++;
    pthread_mutex_unlock(&e->lock);
}

/* ---- writing ---- */

static json_t *row_of(const struct exposure_count *c) {
    char hour[TIME_TEXT];

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "environment_id", c->environment_id,
                     "flag", c->flag, "app_name", c->app_name, "variant", c->variant, "hour",
                     clock_format(c->hour * HOUR_S * US_PER_S, hour), "yes", (json_int_t)c->yes,
                     "no", (json_int_t)c->no);
}

static bool write_rows(struct exposure *e, const json_t *rows) {
    _cleanup_free_ char *text = json_text(rows);

    return !json_array_size(rows) || db_exposure_add(e->pool, text) == STATUS_OK;
}

/* Back into what is gathered, from where the next write takes it. */
static void put_back(struct exposure *e, const struct counter *c) {
    exposure_add(e, &c->sum);
}

/* In batches, each a transaction; from the first that fails on, everything is kept. */
static bool write_table(struct exposure *e, struct table *t) {
    bool good = true;
    size_t written = 0, from = 0;

    while (from < BUCKETS) {
        json_auto_t *rows = json_array();
        size_t to = from;

        for (; to < BUCKETS && json_array_size(rows) < BATCH; to++)
            for (const struct counter *c = t->bucket[to]; c; c = c->next)
                json_array_append_new(rows, row_of(&c->sum));
        good = good && write_rows(e, rows);
        written += good ? json_array_size(rows) : 0;
        for (; from < to; from++)
            for (const struct counter *c = good ? NULL : t->bucket[from]; c; c = c->next)
                put_back(e, c);
    }
    pthread_mutex_lock(&e->lock);
    e->written += written;
    pthread_mutex_unlock(&e->lock);
    return good;
}

static void flush(struct exposure *e) {
    struct table *full = NULL;
    bool good;

    pthread_mutex_lock(&e->lock);
    if (e->table->n) {
        full = e->table;
        e->table = xcalloc(1, sizeof *e->table);
    }
    pthread_mutex_unlock(&e->lock);
    if (!full)
        return;
    good = write_table(e, full);
    if (!good && !e->failing)
        log_event(LOG_WARNING, "exposure-not-written", "detail", db_fault_text(), NULL);
    pthread_mutex_lock(&e->lock);
    e->failing = !good;
    pthread_mutex_unlock(&e->lock);
    table_free(full);
}

static bool pause_until(struct exposure *e, int64_t until_us) {
    bool go_on;

    pthread_mutex_lock(&e->lock);
    while (!e->stop && clock_cond_wait(&e->changed, &e->lock, until_us))
        ;
    go_on = !e->stop;
    pthread_mutex_unlock(&e->lock);
    return go_on;
}

static void *exposure_main(void *ctx) {
    struct exposure *e = ctx;
    int64_t forget_us = 0, now_us;

    while (now_us = clock_monotonic_us(), pause_until(e, now_us + e->flush_ms * US_PER_MS)) {
        flush(e);
        if (now_us >= forget_us && db_exposure_forget(e->pool) == STATUS_OK)
            forget_us = now_us + HOUR_S * US_PER_S;
    }
    flush(e);
    return NULL;
}

struct exposure *exposure_new(struct db_pool *pool, int64_t flush_ms) {
    struct exposure *e = xcalloc(1, sizeof *e);

    e->pool = pool;
    e->flush_ms = flush_ms;
    e->table = xcalloc(1, sizeof *e->table);
    pthread_mutex_init(&e->lock, NULL);
    clock_cond_init(&e->changed);
    if (pthread_create(&e->thread, NULL, exposure_main, e) != 0)
        die("cannot start the exposure's thread");
    return e;
}

void exposure_free(struct exposure *e) {
    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->stop = true;
    pthread_cond_signal(&e->changed);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    table_free(e->table);
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

json_t *exposure_stats(struct exposure *e) {
    json_t *out = json_object();

    pthread_mutex_lock(&e->lock);
    json_object_set_new(out, "waiting", json_integer((json_int_t)e->table->n));
    json_object_set_new(out, "written", json_integer((json_int_t)e->written));
    json_object_set_new(out, "dropped", json_integer((json_int_t)e->dropped));
    json_object_set_new(out, "ok", json_boolean(!e->failing));
    pthread_mutex_unlock(&e->lock);
    return out;
}
