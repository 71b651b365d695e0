/* handlers/metrics.c: GET /metrics, Prometheus' text format: what was counted (base/metric.h), and
 * the state of the process's parts at this moment.
 *
 * On the I/O thread, also when all handlers are busy or the database is away: nothing here waits.
 * What the database knows was read before (live/census.h), and says how old it is. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/metric.h"
#include "handlers/context.h"
#include "handlers/feed.h"
#include "handlers/handlers.h"
#include "handlers/process.h"
#include "live/census.h"
#include "live/exposure.h"
#include "live/flag_loader.h"
#include "worker/transition.h"
#include <string.h>

enum { METRICS_BYTES = 8 * 1024 * 1024 };

/* One number without labels. */
static void put(struct metric_text *t, Metric m, double value) {
    metric_put(t, m, NULL, NULL, value);
}

/* Numbers of a part's own statistics. */
struct part_number {
    const char *key;
    Metric metric;
    const char *label; /* or NULL */
};
static const struct part_number http_numbers[] = {
    {"overloaded", METRIC_HTTP_OVERLOADED, NULL},
    {"limited", METRIC_HTTP_LIMITED, NULL},
    {"reaped", METRIC_HTTP_REAPED, NULL},
    {"connections", METRIC_HTTP_CONNECTIONS, NULL},
    {"queued", METRIC_HTTP_QUEUED, NULL},
    {"parked", METRIC_HTTP_PARKED, NULL},
    {"streams", METRIC_HTTP_STREAMS, NULL},
    {"large_bodies", METRIC_HTTP_LARGE_BODIES, NULL},
    {NULL, METRICS, NULL},
};
static const struct part_number worker_numbers[] = {
    {"waiting", METRIC_WORKER_JOBS, "waiting"},
    {"queued", METRIC_WORKER_JOBS, "queued"},
    {"running", METRIC_WORKER_JOBS, "running"},
    {NULL, METRICS, NULL},
};
static const struct part_number flag_numbers[] = {
    {"environments", METRIC_FLAG_ENVIRONMENTS, NULL},
    {"flags", METRIC_FLAGS, NULL},
    {"reads", METRIC_FLAG_READS, NULL},
    {"failures", METRIC_FLAG_READ_FAULTS, NULL},
    {NULL, METRICS, NULL},
};
static const struct part_number exposure_numbers[] = {
    {"waiting", METRIC_EXPOSURE_WAITING, NULL},
    {"written", METRIC_EXPOSURE_WRITTEN, NULL},
    {"dropped", METRIC_EXPOSURE_DROPPED, NULL},
    {NULL, METRICS, NULL},
};

/* Takes stats. */
static void put_part(struct metric_text *t, const struct part_number *numbers, json_t *stats) {
    for (; numbers->key; numbers++)
        metric_put(t, numbers->metric, numbers->label, NULL,
                   (double)json_int(stats, numbers->key, 0));
    json_decref(stats);
}

static void put_pools(struct metric_text *t, struct server_context *context) {
    struct db_pool_state state[SERVER_POOLS];
    size_t n = 0;

    for (; n < SERVER_POOLS && context->pools[n]; n++)
        state[n] = db_pool_state(context->pools[n]);
    for (size_t i = 0; i < n; i++) {
        metric_put(t, METRIC_DB_CONNECTIONS, state[i].name, "in_use", state[i].in_use);
        metric_put(t, METRIC_DB_CONNECTIONS, state[i].name, "idle", state[i].idle);
    }
    for (size_t i = 0; i < n; i++)
        metric_put(t, METRIC_DB_CONNECTIONS_MAX, state[i].name, NULL, state[i].size);
    for (size_t i = 0; i < n; i++)
        metric_put(t, METRIC_DB_WAITING, state[i].name, NULL, state[i].waiting);
}

static void put_flags(struct metric_text *t, struct server_context *context) {
    struct flag_age age = flag_loader_age(context->flags);

    if (age.as_of_us)
        put(t, METRIC_FLAG_SNAPSHOT_AGE, (double)age.age_ms / 1000);
    put(t, METRIC_FLAG_SNAPSHOT_STALE, age.stale);
    put_part(t, flag_numbers, flag_loader_stats(context->flags));
    put_part(t, exposure_numbers, exposure_stats(context->exposure));
}

/* ---- what the database knows ---- */

static int64_t count_of(const struct census_facts *facts, const char *state) {
    for (size_t i = 0; i < facts->states_n; i++)
        if (!strcmp(facts->states[i].name, state))
            return facts->states[i].count;
    return 0;
}

/* Every state that there can be, also with none in it: an alert on `stuck` needs the 0. */
static void put_deployments(struct metric_text *t, const struct census_facts *facts) {
    size_t n = 0;
    const struct transition_row *rows = transitions(&n);

    for (size_t i = 0; i < n; i++) {
        size_t before = 0;

        while (before < i && strcmp(rows[before].to, rows[i].to) != 0)
            before++;
        if (before == i)
            metric_put(t, METRIC_DEPLOYMENTS, rows[i].to, NULL,
                       (double)count_of(facts, rows[i].to));
    }
}

static void put_census(struct metric_text *t, const struct census_facts *facts) {
    put(t, METRIC_DB_READY, facts->ready);
    if (facts->age_s < 0)
        return;
    put(t, METRIC_CENSUS_AGE, facts->age_s);
    put_deployments(t, facts);
    put(t, METRIC_RECORD_CHAINS, (double)facts->chains);
    put(t, METRIC_RECORDS, (double)facts->records);
    if (facts->record_age_s >= 0)
        put(t, METRIC_RECORD_AGE, facts->record_age_s);
    if (facts->checkpoint_number == 0)
        return;
    put(t, METRIC_CHECKPOINT_NUMBER, (double)facts->checkpoint_number);
    put(t, METRIC_CHECKPOINT_AGE, facts->checkpoint_age_s);
    put(t, METRIC_CHECKPOINT_RECORDS, (double)facts->checkpoint_records);
}

static void put_checkpoint_tasks(struct metric_text *t, struct notify *notify) {
    json_auto_t *stats = notify_stats(notify);
    const char *task;
    json_t *v;

    json_object_foreach(stats, task, v) {
        if (json_is_object(v))
            metric_put(t, METRIC_CHECKPOINT_FAILING, task, NULL, !json_bool(v, "ok", false));
    }
}

/* ---- the whole ---- */

static void put_process(struct metric_text *t, int64_t started_us) {
    struct process_numbers now = process_numbers();

    metric_put(t, METRIC_BUILD, SLUICE_VERSION, NULL, 1);
    put(t, METRIC_PROCESS_START, (double)started_us / (double)US_PER_S);
    put(t, METRIC_PROCESS_CPU, now.cpu_s);
    put(t, METRIC_PROCESS_RESIDENT, now.resident);
    put(t, METRIC_PROCESS_VIRTUAL, now.virtual);
    put(t, METRIC_PROCESS_FDS, now.fds);
    put(t, METRIC_PROCESS_FDS_MAX, now.fds_max);
    put(t, METRIC_PROCESS_THREADS, now.threads);
}

Status metrics_get_apart(struct request *q, const void *in, struct reply *r) {
    struct server_context *context = context_of(q);
    struct metric_text t = METRIC_TEXT(METRICS_BYTES);
    const struct census_facts facts = census_facts(context->census);
    const struct kube_watch_counts watches = kube_watches(context->clusters);

    (void)in;
    metric_put_kept(&t);
    put_part(&t, http_numbers, http_stats(context->http));
    put(&t, METRIC_HTTP_STREAM_READS, (double)feeds_reads(context->feeds));
    put(&t, METRIC_HTTP_CONNECTIONS_MAX, (double)context->config->max_connections);
    put(&t, METRIC_HTTP_QUEUE_MAX, (double)context->config->queue_max);
    if (http_tls_until_us(context->http))
        put(&t, METRIC_TLS_EXPIRY, (double)http_tls_until_us(context->http) / (double)US_PER_S);
    put_pools(&t, context);
    put_part(&t, worker_numbers, worker_stats(context->worker));
    put(&t, METRIC_WORKER_THREADS, (double)context->config->worker_threads);
    metric_put(&t, METRIC_KUBE_WATCHES, "live", NULL, (double)watches.live);
    metric_put(&t, METRIC_KUBE_WATCHES, "failing", NULL, (double)watches.failing);
    put_flags(&t, context);
    put_census(&t, &facts);
    put_checkpoint_tasks(&t, context->notify);
    put_process(&t, context->started_us);
    r->raw_len = t.out.len;
    r->raw = strbuf_take(&t.out);
    r->content_type = "text/plain; version=0.0.4; charset=utf-8";
    return STATUS_OK;
}

Status metrics_get(struct request *q, const void *in, struct reply *r) {
    if (context_of(q)->config->metrics_listen)
        return reply_refuse(r, E_NOT_FOUND, "Metrics have a listener of their own here.");
    return metrics_get_apart(q, in, r);
}
