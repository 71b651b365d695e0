/* handlers/metrics.c: GET /metrics, Prometheus' text format.  Numbers of the process always;
 * numbers of the database when it answers. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "db/checkpoint.h"
#include "db/deployment.h"
#include "handlers/context.h"
#include "handlers/handlers.h"

enum { METRICS_BYTES = 256 * 1024 };

static void head(struct strbuf *out, const char *name, const char *type, const char *help) {
    strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Numbers of http_stats and worker_stats.  Several rows of one metric stand together and differ in
 * their label. */
static const struct metric {
    const char *key, *name, *label, *type, *help;
} http_metrics[] =
    {
        {"connections", "sluice_http_connections", "", "gauge", "Open connections."},
        {"queued", "sluice_http_queued", "", "gauge", "Requests that wait for a handler thread."},
        {"large_bodies", "sluice_http_large_bodies", "", "gauge",
         "Bodies of more than 1 MiB that are held."},
        {"parked", "sluice_http_parked", "", "gauge", "Requests that wait for an event."},
        {"streams", "sluice_http_streams", "", "gauge", "Open event streams."},
        {"requests", "sluice_http_requests_total", "", "counter", "Requests."},
        {"2xx", "sluice_http_responses_total", "{class=\"2xx\"}", "counter",
         "Answers by class of status."},
        {"3xx", "sluice_http_responses_total", "{class=\"3xx\"}", NULL, NULL},
        {"4xx", "sluice_http_responses_total", "{class=\"4xx\"}", NULL, NULL},
        {"5xx", "sluice_http_responses_total", "{class=\"5xx\"}", NULL, NULL},
        {"overloaded", "sluice_http_overloaded_total", "", "counter",
         "Requests refused as overload."},
        {"limited", "sluice_http_limited_total", "", "counter",
         "Requests refused for their number."},
        {"reaped", "sluice_http_reaped_total", "", "counter",
         "Connections closed for being too slow."},
},
  worker_metrics[] = {
      {"waiting", "sluice_worker_waiting", "", "gauge", "Environments whose job waits."},
      {"queued", "sluice_worker_queued", "", "gauge", "Environments whose job waits for a worker."},
      {"running", "sluice_worker_running", "", "gauge", "Environments whose job runs."},
};

static void put_metrics(struct strbuf *out, const struct metric *rows, size_t n,
                        const json_t *stats) {
    for (size_t i = 0; i < n; i++) {
        if (rows[i].type)
            head(out, rows[i].name, rows[i].type, rows[i].help);
        strbuf_addf(out, "%s%s %lld\n", rows[i].name, rows[i].label,
                    (long long)json_int(stats, rows[i].key, 0));
    }
}

static void put_deployments(struct strbuf *out, struct db_pool *pool) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;

    if (db_deployment_states(pool, &rows) != STATUS_OK)
        return;
    head(out, "sluice_deployments", "gauge", "Deployments by state.");
    for (size_t i = 0; i < db_rows_count(rows); i++)
        strbuf_addf(out, "sluice_deployments{state=\"%s\"} %lld\n", db_text(rows, i, "state"),
                    (long long)db_int(rows, i, "count"));
}

/* Age and number of what is signed: nothing without a checkpoint. */
static void put_checkpoints(struct strbuf *out, struct db_pool *pool) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;

    if (db_checkpoint_state(pool, &rows) != STATUS_OK || db_rows_count(rows) == 0 ||
        db_int(rows, 0, "number") == 0)
        return;
    head(out, "sluice_checkpoint_number", "gauge", "Number of the last checkpoint of the record.");
    strbuf_addf(out, "sluice_checkpoint_number %lld\n", (long long)db_int(rows, 0, "number"));
    head(out, "sluice_checkpoint_age_seconds", "gauge", "Age of the last checkpoint.");
    strbuf_addf(out, "sluice_checkpoint_age_seconds %.3f\n",
                strtod(db_text(rows, 0, "age_s"), NULL));
    head(out, "sluice_checkpoint_records_since", "gauge", "Records newer than it.");
    strbuf_addf(out, "sluice_checkpoint_records_since %lld\n",
                (long long)db_int(rows, 0, "records_since"));
}

static void put_checkpoint_tasks(struct strbuf *out, struct notify *notify) {
    json_auto_t *stats = notify_stats(notify);
    const char *task;
    json_t *v;

    head(out, "sluice_checkpoint_failing", "gauge",
         "Whether making (make), writing (keep) or sending (send) fails on this server.");
    json_object_foreach(stats, task, v) {
        if (json_is_object(v))
            strbuf_addf(out, "sluice_checkpoint_failing{task=\"%s\"} %d\n", task,
                        !json_bool(v, "ok", false));
    }
}

Status metrics_get(struct request *q, const void *in, struct reply *r) {
    struct server_context *context = context_of(q);
    _cleanup_(strbuf_done) struct strbuf out = STRBUF(METRICS_BYTES);
    json_auto_t *http = http_stats(context->http);
    json_auto_t *worker = worker_stats(context->worker);
    bool ready = db_pool_ready(context->pool) == STATUS_OK;

    (void)in;
    head(&out, "sluice_build_info", "gauge", "Which program this is.");
    strbuf_addf(&out, "sluice_build_info{version=\"%s\"} 1\n", SLUICE_VERSION);
    head(&out, "sluice_start_time_seconds", "gauge", "When it was started, since 1970.");
    strbuf_addf(&out, "sluice_start_time_seconds %.3f\n",
                (double)context->started_us / (double)US_PER_S);
    head(&out, "sluice_database_ready", "gauge", "Whether the database answers with our schema.");
    strbuf_addf(&out, "sluice_database_ready %d\n", ready);
    put_metrics(&out, http_metrics, sizeof http_metrics / sizeof *http_metrics, http);
    put_metrics(&out, worker_metrics, sizeof worker_metrics / sizeof *worker_metrics, worker);
    put_checkpoint_tasks(&out, context->notify);
    if (ready) {
        put_deployments(&out, context->pool);
        put_checkpoints(&out, context->pool);
    }
    r->raw_len = out.len;
    r->raw = strbuf_take(&out);
    r->content_type = "text/plain; version=0.0.4; charset=utf-8";
    return STATUS_OK;
}
