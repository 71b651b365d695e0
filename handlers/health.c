/* handlers/health.c: whether this process lives, whether it can do its work, and how it is. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "db/checkpoint.h"
#include "db/cluster.h"
#include "handlers/answer.h"
#include "handlers/cluster_status.h"
#include "handlers/handlers.h"
#include "live/exposure.h"
#include "live/flag_loader.h"

enum { CLUSTERS_MAX = 50 };

Status health_live(struct request *q, const void *in, struct reply *r) {
    json_t *out = json_object();

    (void)q;
    (void)in;
    json_set_str(out, "status", "healthy");
    json_set_time(out, "timestamp", clock_now_us());
    return answer(r, 200, out);
}

/* What is known of the clusters without asking them now: they are reported, and never decide. */
static json_t *clusters_json(struct server_context *context) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_t *out = json_object();

    if (db_cluster_list(context->pool, NULL, CLUSTERS_MAX, &rows) != STATUS_OK)
        return out;
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        struct cluster_row row = cluster_row(rows, i);
        json_auto_t *status = cluster_status(context, &row, false);

        json_object_set_new(out, row.name,
                            json_string(!status                                 ? "unknown"
                                        : json_bool(status, "reachable", false) ? "reachable"
                                                                                : "unreachable"));
    }
    return out;
}

static const char *database_text(Status s) {
    return s == STATUS_OK ? "ok" : s == FAULT_DB_DOWN ? "unavailable" : "schema mismatch";
}

/* {database, clusters}; clusters only when the database can tell. */
static json_t *checks_json(struct server_context *context, Status database) {
    json_t *checks = json_object();

    json_set_str(checks, "database", database_text(database));
    json_object_set_new(checks, "clusters",
                        database == STATUS_OK ? clusters_json(context) : json_object());
    return checks;
}

Status health_ready(struct request *q, const void *in, struct reply *r) {
    struct server_context *context = context_of(q);
    Status database = db_pool_ready(context->pool);
    bool draining = http_draining(context->http);
    bool ready = database == STATUS_OK && !draining;
    json_t *out = json_object();

    (void)in;
    json_set_str(out, "status", ready ? "ready" : draining ? "draining" : "not ready");
    json_set_time(out, "timestamp", clock_now_us());
    json_object_set_new(out, "checks", checks_json(context, database));
    if (!ready)
        r->retry_after_s = 1;
    return answer(r, ready ? 200 : 503, out);
}

/* What is under signed checkpoints, and whether they get out: of the database where it answers, and
 * of this server's own tasks. */
static json_t *checkpoints_json(struct server_context *context, Status database) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_t *out = notify_stats(context->notify), *sent;

    if (database != STATUS_OK || db_checkpoint_state(context->pool, &rows) != STATUS_OK ||
        db_rows_count(rows) == 0)
        return out;
    json_object_set_new(out, "last_number", json_integer(db_int(rows, 0, "number")));
    json_set_time(out, "last_at", db_time(rows, 0, "made_at"));
    json_object_set_new(out, "records_since", json_integer(db_int(rows, 0, "records_since")));
    sent = json_object_get(out, "send");
    if (json_is_object(sent)) { /* whichever server tried last */
        json_object_set_new(sent, "ok", json_boolean(db_null(rows, 0, "error")));
        json_set_str(sent, "error", db_text(rows, 0, "error"));
        json_object_set_new(sent, "number", json_integer(db_int(rows, 0, "sent")));
        json_object_set_new(sent, "tries", json_integer(db_int(rows, 0, "tries")));
    }
    return out;
}

Status health_detailed(struct request *q, const void *in, struct reply *r) {
    struct server_context *context = context_of(q);
    Status database;
    json_t *out;

    (void)in;
    if (q->principal->environment)
        return reply_refuse(r, E_FORBIDDEN, "A key of one environment evaluates flags, no more.");
    database = db_pool_ready(context->pool);
    out = json_object();
    json_set_str(out, "status", database == STATUS_OK ? "healthy" : "degraded");
    json_set_time(out, "timestamp", clock_now_us());
    json_set_str(out, "version", SLUICE_VERSION);
    json_set_time(out, "started_at", context->started_us);
    json_object_set_new(out, "uptime_s",
                        json_integer((clock_now_us() - context->started_us) / US_PER_S));
    json_object_set_new(out, "checks", checks_json(context, database));
    json_object_set_new(out, "http", http_stats(context->http));
    json_object_set_new(out, "flags", flag_loader_stats(context->flags));
    json_object_set_new(out, "exposure", exposure_stats(context->exposure));
    json_object_set_new(out, "worker", worker_stats(context->worker));
    json_object_set_new(out, "checkpoints", checkpoints_json(context, database));
    return answer(r, 200, out);
}
