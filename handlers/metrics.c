/* handlers/metrics.c: GET /metrics, Prometheus' text format.  Numbers of the process always;
 * numbers of the database when it answers. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "db/deployment.h"
#include "handlers/context.h"
#include "handlers/handlers.h"

enum { METRICS_BYTES = 256 * 1024 };

static void head(struct strbuf *out, const char *name, const char *type, const char *help) {
    strbuf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Every number of an object as sluice_PREFIX_KEY. */
static void put_stats(struct strbuf *out, const char *prefix, const char *help,
                      const json_t *stats) {
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)stats, key, value) {
        _cleanup_free_ char *name = xasprintf("sluice_%s_%s", prefix, key);

        if (!json_is_number(value))
            continue;
        head(out, name, "untyped", help);
        strbuf_addf(out, "%s %.17g\n", name, json_number_value(value));
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
    put_stats(&out, "http", "Counters of the HTTP edge.", http);
    put_stats(&out, "worker", "Counters of the worker.", worker);
    if (ready)
        put_deployments(&out, context->pool);
    r->raw_len = out.len;
    r->raw = strbuf_take(&out);
    r->content_type = "text/plain; version=0.0.4; charset=utf-8";
    return STATUS_OK;
}
