/* worker/worker.c: the threads.  A queue of environments that have work; workers take one, run it
 * until it waits, and keep its lease; a wake-up or its time queues it again, so that a few threads
 * carry any number of deployments. */
#include "worker/worker.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/strbuf.h"
#include "db/idempotency.h"
#include "worker/job.h"
#include "worker/runner.h"
#include "worker/starter.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    CLAIM_AT_ONCE = 256,
    RETRY_MS = 300,
    CANCEL_MS = 1000,
    PURGE_AT_ONCE = 500,
    PURGE_MS = 60000,
    CARRIED_BYTES = 16 * 1024 * 1024
};

typedef enum EntryState { ENTRY_WAITING, ENTRY_QUEUED, ENTRY_RUNNING } EntryState;

/* An environment with work.  Urgent ones (undo) are entries of their own, so that an abort runs
 * while a worker still hangs in a call for the job that it takes over: the epoch fences that one.
 */
struct entry {
    struct entry *next;
    char environment_id[40], cluster[64];
    bool urgent;
    bool again; /* woken while it ran */
    bool doubt; /* woken by somebody who may have taken the lease: asks before it goes on */
    EntryState state;
    uint64_t turn;  /* order in the queue */
    int64_t due_us; /* when waiting: monotonic */
    struct job
        *job; /* owned; only the running worker touches it, except under the lock when waiting */
};

struct worker {
    struct worker_settings in;
    struct run_settings run, run_reserved;
    pthread_mutex_t lock;
    pthread_cond_t work, tick, renew, ended;
    struct entry *entries;
    uint64_t turns;
    bool stopping;
    size_t thread_count, alive; /* worker threads: begun, not ended yet */
    pthread_t *threads, scheduler, renewer;
    struct starter *starter;
    struct entry **running; /* what each worker thread runs, or NULL; [0] is the reserved one's */
};

struct thread_start {
    struct worker *w;
    size_t slot;
};

/* ---- entries (all under the lock) ---- */

static struct entry *find_entry(struct worker *w, const char *environment_id, bool urgent) {
    for (struct entry *e = w->entries; e; e = e->next)
        if (e->urgent == urgent && strcmp(e->environment_id, environment_id) == 0)
            return e;
    return NULL;
}

static void enqueue(struct worker *w, struct entry *e) {
    if (e->state == ENTRY_RUNNING) {
        e->again = true;
    } else if (e->state == ENTRY_WAITING) {
        e->state = ENTRY_QUEUED;
        e->turn = w->turns++;
        pthread_cond_broadcast(&w->work);
    }
}

static void enqueue_in_doubt(struct worker *w, struct entry *e) {
    e->doubt = true;
    enqueue(w, e);
}

static struct entry *add_entry(struct worker *w, const char *environment_id, bool urgent) {
    struct entry *e = xcalloc(1, sizeof *e);

    snprintf(e->environment_id, sizeof e->environment_id, "%s", environment_id);
    e->urgent = urgent;
    e->next = w->entries;
    w->entries = e;
    return e;
}

static void remove_entry(struct worker *w, struct entry *e) {
    for (struct entry **at = &w->entries; *at; at = &(*at)->next)
        if (*at == e) {
            *at = e->next;
            free(e);
            return;
        }
}

static size_t running_on(const struct worker *w, const char *cluster) {
    size_t n = 0;

    for (size_t i = 1; i < w->thread_count; i++)
        n += w->running[i] && strcmp(w->running[i]->cluster, cluster) == 0;
    return n;
}

/* At most half of the workers beside the reserved one on one cluster, so that a hung API server
 * stalls only its own. */
static size_t most_on_one(const struct worker *w) {
    return w->in.threads > 1 ? (size_t)w->in.threads / 2 : 1;
}

/* The next entry for a worker: urgent ones first, then in turn.  One whose cluster is not known yet
 * may run: claimed_fits() looks again. */
static struct entry *next_entry(struct worker *w, size_t slot) {
    struct entry *best = NULL;

    for (struct entry *e = w->entries; e; e = e->next) {
        if (e->state != ENTRY_QUEUED || (slot == 0 && !e->urgent) ||
            (slot > 0 && *e->cluster && running_on(w, e->cluster) >= most_on_one(w)))
            continue;
        if (!best || (e->urgent && !best->urgent) ||
            (e->urgent == best->urgent && e->turn < best->turn))
            best = e;
    }
    return best;
}

void worker_wake(struct worker *w, const char *environment_id) {
    struct entry *plain, *urgent;

    pthread_mutex_lock(&w->lock);
    plain = find_entry(w, environment_id, false);
    urgent = find_entry(w, environment_id, true);
    if (!plain && !urgent && w->in.threads > 0)
        plain = add_entry(w, environment_id, false);
    if (urgent)
        enqueue_in_doubt(w, urgent);
    if (plain)
        enqueue_in_doubt(w, plain);
    pthread_mutex_unlock(&w->lock);
}

void worker_wake_undo(struct worker *w, const char *environment_id) {
    struct entry *plain, *urgent;

    pthread_mutex_lock(&w->lock);
    plain = find_entry(w, environment_id, false);
    urgent = find_entry(w, environment_id, true);
    if (!urgent && w->in.threads > 0)
        urgent = add_entry(w, environment_id, true);
    if (urgent)
        enqueue_in_doubt(w, urgent);
    if (plain) /* its lease is gone: it finds out and ends */
        enqueue_in_doubt(w, plain);
    pthread_mutex_unlock(&w->lock);
}

/* Objects of an environment: its names, or names that Kubernetes derives from them (ReplicaSets,
 * Pods, EndpointSlices). */
static bool concerns(const struct plan *p, const char *namespace_, const char *name) {
    const char *const names[] = {p->service, p->colors[COLOR_BLUE].workload,
                                 p->colors[COLOR_GREEN].workload};

    if (strcmp(p->namespace_, namespace_) != 0)
        return false;
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return !name;
}

void worker_object_changed(struct worker *w, const char *cluster, KubeKind kind,
                           const char *namespace_, const char *name) {
    (void)kind;
    pthread_mutex_lock(&w->lock);
    for (struct entry *e = w->entries; e; e = e->next) {
        if (strcmp(e->cluster, cluster) != 0)
            continue;
        if (e->state == ENTRY_RUNNING || (e->job && concerns(&e->job->plan, namespace_, name)))
            enqueue(w, e);
    }
    pthread_mutex_unlock(&w->lock);
}

/* ---- leases ---- */

static void release(struct worker *w, const struct entry *e, int64_t epoch, int64_t holder) {
    Status s = db_once(w->in.pool, SQL_LEASE_RELEASE, NULL,
                       DB_PARAMS(e->environment_id, DB_INT(epoch), DB_INT(holder)));

    if (s) /* it runs out, or we are found dead */
        log_event(LOG_WARNING, "lease not given back", "environment", e->environment_id, NULL);
}

static void release_all(struct worker *w) {
    int64_t holder = db_replica_number(w->in.replica);

    if (holder && db_once(w->in.pool, SQL_LEASE_RELEASE_ALL, NULL, DB_PARAMS(DB_INT(holder))))
        log_event(LOG_WARNING, "leases not given back", NULL);
}

static bool had_begun(const struct job *j) {
    return j->journal.count > 0;
}

/* Whether the lease of a job in memory is gone. */
static bool lost(struct worker *w, const struct job *j, struct db_pool *pool) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;

    if (j->holder != db_replica_number(w->in.replica))
        return true; /* our number is another: what we held is free for anybody */
    return !db_once(pool, SQL_LEASE_CHECK, &rows,
                    DB_PARAMS(j->environment_id, DB_INT(j->epoch), DB_INT(j->holder))) &&
           !db_bool(rows, 0, "held");
}

/* Whether another entry of ours carries the environment.  An undo may take it from a deploy, never
 * the reverse. */
static bool carried_elsewhere(struct worker *w, const struct entry *e) {
    const struct entry *other;
    bool carried;

    pthread_mutex_lock(&w->lock);
    other = e->urgent ? NULL : find_entry(w, e->environment_id, true);
    carried = other && (other->state != ENTRY_WAITING || other->job);
    pthread_mutex_unlock(&w->lock);
    return carried;
}

/* Takes the lease and loads the job.  false: nothing to do here now; *ret_keep: try again soon. */
static bool claim(struct worker *w, struct entry *e, struct db_pool *pool, bool *ret_keep) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    int64_t holder = db_replica_number(w->in.replica), epoch;
    char why[SEEN_TEXT] = "";
    Status s;

    *ret_keep = false;
    if (carried_elsewhere(w, e))
        return false;
    *ret_keep = true;
    if (holder == 0)
        return false;
    s = db_once(pool, SQL_LEASE_CLAIM, &rows,
                DB_PARAMS(e->environment_id, DB_INT(holder), DB_INT(w->in.lease_ms)));
    if (s)
        return false;
    if (db_rows_count(rows) == 0) {
        *ret_keep = false; /* somebody else has it; the scanner sees when that ends */
        return false;
    }
    epoch = db_int(rows, 0, "epoch");
    s = job_load(pool, w->in.clusters, e->environment_id, epoch, holder, &e->job, why, sizeof why);
    if (!e->job) {
        if (*why)
            log_event(LOG_ERROR, "deployment cannot be carried", "environment", e->environment_id,
                      "why", why, NULL);
        release(w, e, epoch, holder);
        *ret_keep = s != STATUS_OK;
        return false;
    }
    if (had_begun(e->job)) {
        log_event(LOG_INFO, "lease", "deployment", e->job->deployment_id, "epoch", DB_INT(epoch),
                  NULL);
        change_record(
            e->job, "lease.taken",
            json_pack("{s:I, s:I}", "epoch", (json_int_t)epoch, "holder", (json_int_t)holder),
            "Another worker goes on with it");
    }
    return true;
}

/* ---- running ---- */

/* Others look at a waiting entry's job under the lock.  It is freed outside of it: that takes the
 * lock of a prober, which may be waking us. */
static void drop_job(struct worker *w, struct entry *e) {
    struct job *job;

    pthread_mutex_lock(&w->lock);
    job = e->job;
    e->job = NULL;
    pthread_mutex_unlock(&w->lock);
    job_free(job);
}

/* Whether this thread may run what was just claimed; else it is queued again. */
static bool claimed_fits(struct worker *w, struct entry *e, size_t slot) {
    bool fits;

    pthread_mutex_lock(&w->lock);
    snprintf(e->cluster, sizeof e->cluster, "%s", e->job->cluster_name);
    if (!job_backward(e->job) && !find_entry(w, e->environment_id, false))
        e->urgent = false; /* the next deployment: it was asked for while the undo ended */
    fits = slot == 0 ? e->urgent : running_on(w, e->cluster) <= most_on_one(w);
    pthread_mutex_unlock(&w->lock);
    return fits;
}

/* Runs an entry until it waits.  Returns when it wants to run again (monotonic µs), 0: it is over.
 */
static int64_t run_entry(struct worker *w, struct entry *e, bool doubt, size_t slot) {
    const struct run_settings *run = slot == 0 ? &w->run_reserved : &w->run;
    int64_t until_us = 0, now = clock_monotonic_us(), retry = now + RETRY_MS * US_PER_MS;
    bool keep = false;
    RunEnd end;

    if (e->job && doubt && lost(w, e->job, run->pool)) {
        metric_add(METRIC_LEASE_LOST, 0, 0, 1);
        drop_job(w, e);
    }
    if (!e->job) {
        if (!claim(w, e, run->pool, &keep))
            return keep ? retry : 0;
        if (!claimed_fits(w, e, slot))
            return now;
    }
    end = run_job(run, e->job, &until_us);
    if (end == RUN_WAIT) {
        now = clock_monotonic_us();
        return until_us > now ? until_us : now;
    }
    if (end != RUN_ENDED)
        metric_add(end == RUN_FAULT ? METRIC_COMMIT_FAULTS : METRIC_LEASE_LOST, 0, 0, 1);
    drop_job(w, e);
    return end == RUN_FAULT ? retry : 0;
}

static void *worker_thread(void *arg) {
    struct thread_start start = *(struct thread_start *)arg;
    struct worker *w = start.w;

    free(arg);
    pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        struct entry *e = next_entry(w, start.slot);
        int64_t due;
        bool doubt;

        if (!e) {
            pthread_cond_wait(&w->work, &w->lock);
            continue;
        }
        e->state = ENTRY_RUNNING;
        doubt = e->doubt || (e->job && e->job->holder != db_replica_number(w->in.replica));
        e->again = e->doubt = false;
        w->running[start.slot] = e;
        pthread_mutex_unlock(&w->lock);
        due = run_entry(w, e, doubt, start.slot);
        pthread_mutex_lock(&w->lock);
        w->running[start.slot] = NULL;
        e->state = ENTRY_WAITING;
        e->due_us = due;
        /* what changed in the cluster meanwhile is nothing to one that is over */
        if (due == 0 ? e->doubt : e->again || due <= clock_monotonic_us())
            enqueue(w, e);
        else if (due == 0)
            remove_entry(w, e);
        pthread_cond_broadcast(&w->work); /* a cluster's place may be free again */
        pthread_cond_signal(&w->tick);
    }
    w->alive--;
    pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- the scheduler: timers, and work that nobody holds ---- */

static void scan(struct worker *w) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;

    if (db_once(w->in.pool, SQL_LEASE_CLAIMABLE, &rows, DB_PARAMS(DB_INT(CLAIM_AT_ONCE))))
        return;
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        const char *id = db_text(rows, i, "environment_id");

        if (db_bool(rows, i, "urgent"))
            worker_wake_undo(w, id);
        else
            worker_wake(w, id);
    }
}

/* Idempotency keys that have expired, a few at a time.  When to look again. */
static int64_t purge(struct worker *w) {
    size_t dropped = 0;
    Status s = db_idempotency_purge(w->in.pool, PURGE_AT_ONCE, &dropped);
    bool more = s == STATUS_OK && dropped == PURGE_AT_ONCE;

    return clock_monotonic_us() + (more ? 0 : PURGE_MS * US_PER_MS);
}

static void *scheduler_thread(void *arg) {
    struct worker *w = arg;
    int64_t next_scan = 0, next_purge = 0;

    pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        int64_t now = clock_monotonic_us(), next;

        if (now >= next_scan) {
            pthread_mutex_unlock(&w->lock);
            scan(w);
            if (now >= next_purge)
                next_purge = purge(w);
            pthread_mutex_lock(&w->lock);
            next_scan = clock_monotonic_us() + w->in.scan_ms * US_PER_MS;
        }
        now = clock_monotonic_us();
        next = next_scan;
        for (struct entry *e = w->entries; e; e = e->next) {
            if (e->state == ENTRY_WAITING && e->due_us <= now)
                enqueue(w, e);
            else if (e->state == ENTRY_WAITING && e->due_us < next)
                next = e->due_us;
        }
        if (!w->stopping)
            clock_cond_wait(&w->tick, &w->lock, next);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Of what is carried here, as an array of PostgreSQL; yours.  Under the lock. */
static char *carried(const struct worker *w) {
    struct strbuf ids = STRBUF(CARRIED_BYTES);

    strbuf_adds(&ids, "{");
    for (const struct entry *e = w->entries; e; e = e->next)
        strbuf_addf(&ids, "%s%s", e == w->entries ? "" : ",", e->environment_id);
    strbuf_adds(&ids, "}");
    return strbuf_take(&ids);
}

static void *renewer_thread(void *arg) {
    struct worker *w = arg;

    pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        int64_t holder = db_replica_number(w->in.replica);
        bool any = w->entries != NULL;
        _cleanup_free_ char *ids = carried(w);

        pthread_mutex_unlock(&w->lock);
        if (holder && any &&
            db_once(w->in.pool, SQL_LEASE_RENEW, NULL,
                    DB_PARAMS(DB_INT(holder), DB_INT(w->in.lease_ms), ids))) {
            metric_add(METRIC_RENEW_FAULTS, 0, 0, 1);
            log_event(LOG_WARNING, "leases not renewed", NULL);
        }
        pthread_mutex_lock(&w->lock);
        if (!w->stopping)
            clock_cond_wait(&w->renew, &w->lock, clock_monotonic_us() + w->in.renew_ms * US_PER_MS);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- life ---- */

static void on_changed(void *ctx, const char *topic) {
    struct worker *w = ctx;

    if (w->in.bus)
        bus_publish(w->in.bus, topic);
}

static void on_began(void *ctx, const char *environment_id) {
    on_changed(ctx, environment_id);
    worker_wake(ctx, environment_id);
}

static void on_check(void *ctx, const char *environment_id) {
    struct worker *w = ctx;
    struct entry *e;

    pthread_mutex_lock(&w->lock);
    for (int urgent = 0; urgent < 2; urgent++)
        if ((e = find_entry(w, environment_id, urgent)))
            enqueue(w, e);
    pthread_mutex_unlock(&w->lock);
}

static void start_thread(pthread_t *ret, void *(*fn)(void *), void *arg) {
    if (pthread_create(ret, NULL, fn, arg))
        die("cannot start a thread");
}

struct worker *worker_new(const struct worker_settings *in) {
    struct worker *w = xcalloc(1, sizeof *w);

    w->in = *in;
    w->run = (struct run_settings){.pool = in->pool,
                                   .clusters = in->clusters,
                                   .outbound_allow = in->outbound_allow,
                                   .changed = on_changed,
                                   .wake = on_check,
                                   .ctx = w};
    w->run_reserved = w->run;
    w->run_reserved.pool = in->reserved_pool;
    pthread_mutex_init(&w->lock, NULL);
    clock_cond_init(&w->work);
    clock_cond_init(&w->tick);
    clock_cond_init(&w->renew);
    clock_cond_init(&w->ended);
    return w;
}

void worker_begin(struct worker *w) {
    size_t count = (size_t)w->in.threads + 1;

    if (w->in.threads <= 0)
        return;
    w->threads = xcalloc(count, sizeof *w->threads);
    pthread_mutex_lock(&w->lock); /* others wake us already */
    w->running = xcalloc(count, sizeof(struct entry *));
    w->thread_count = w->alive = count;
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < count; i++) {
        struct thread_start *start = xcalloc(1, sizeof *start);

        *start = (struct thread_start){w, i};
        start_thread(&w->threads[i], worker_thread, start);
    }
    start_thread(&w->scheduler, scheduler_thread, w);
    start_thread(&w->renewer, renewer_thread, w);
    w->starter = starter_new(&(struct starter_settings){.pool = w->in.pool,
                                                        .clusters = w->in.clusters,
                                                        .scan_ms = w->in.scan_ms,
                                                        .changed = on_changed,
                                                        .began = on_began,
                                                        .ctx = w});
}

/* Ticks under way end by themselves; those that hang in a call to a cluster lose it in time.  What
 * they had sent is an intent with an unknown result, which the next holder resolves. */
static void end_threads(struct worker *w, int timeout_ms) {
    int64_t until = clock_monotonic_us() + (timeout_ms - CANCEL_MS) * US_PER_MS;

    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->work);
    pthread_cond_broadcast(&w->tick);
    pthread_cond_broadcast(&w->renew);
    while (w->alive > 0 && clock_monotonic_us() < until)
        clock_cond_wait(&w->ended, &w->lock, until);
    if (w->alive > 0)
        kube_clusters_cancel(w->in.clusters);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->thread_count; i++)
        pthread_join(w->threads[i], NULL);
    if (w->thread_count > 0) {
        pthread_join(w->scheduler, NULL);
        pthread_join(w->renewer, NULL);
    }
}

void worker_free(struct worker *w, int timeout_ms) {
    if (!w)
        return;
    end_threads(w, timeout_ms);
    if (w->thread_count > 0 && w->entries)
        release_all(w);
    starter_free(w->starter);
    while (w->entries) {
        job_free(w->entries->job);
        remove_entry(w, w->entries);
    }
    pthread_cond_destroy(&w->ended);
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->tick);
    pthread_cond_destroy(&w->renew);
    pthread_mutex_destroy(&w->lock);
    free(w->threads);
    free(w->running);
    free(w);
}

json_t *worker_stats(struct worker *w) {
    int count[3] = {0};

    pthread_mutex_lock(&w->lock);
    for (const struct entry *e = w->entries; e; e = e->next)
        count[e->state]++;
    pthread_mutex_unlock(&w->lock);
    return json_pack("{s:i, s:i, s:i}", "waiting", count[ENTRY_WAITING], "queued",
                     count[ENTRY_QUEUED], "running", count[ENTRY_RUNNING]);
}
