/* handlers/deployment_create.c: POST /deployments.  The cluster is observed outside any
 * transaction; the transaction that makes the deployment active then holds only if nothing changed
 * since (law 4), else everything is looked at again. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/ids.h"
#include "base/semver.h"
#include "handlers/answer.h"
#include "handlers/cluster_status.h"
#include "handlers/deployment.h"
#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include "worker/dry_run.h"
#include "worker/start.h"
#include <string.h>

enum { TRIES = 5 };

struct create_in {
    const char *app, *environment, *version, *strategy, *reason;
    int64_t scheduled_us;
    bool queue, dry_run;
    json_t *params;
};

static Status create_check(const json_t *body, struct reply *r) {
    struct semver version;

    if (!semver_parse(json_str(body, "version", ""), &version))
        return reply_field_error(r, "/version", "invalid", "A semantic version, like v1.2.3.");
    if (strcmp(json_str(body, "strategy", "blue-green"), "blue-green") != 0)
        return not_supported(r, "/strategy", "Only the strategy blue-green is supported yet.");
    if (json_is_string(json_object_get(body, "scheduled_at")))
        return not_supported(r, "/scheduled_at", "Scheduling is not supported yet.");
    if (json_bool(body, "queue", false))
        return not_supported(r, "/queue", "Queueing is not supported yet.");
    return STATUS_OK;
}

static const struct field params_fields[] = {
    {.name = "promote", .type = FIELD_ENUM, .offset = FIELD_NOWHERE, .words = "auto|manual"},
    {.name = "wait", .type = FIELD_BOOL, .offset = FIELD_NOWHERE},
};
static const struct body_schema params_schema = {
    .name = "DeploymentParams",
    .fields = params_fields,
    .count = sizeof params_fields / sizeof *params_fields,
};

// clang-format off
#define AT(member) .offset = offsetof(struct create_in, member)
static const struct field create_fields[] = {
    {.name = "app",          .type = FIELD_NAME,   AT(app),         .required = true},
    {.name = "environment",  .type = FIELD_NAME,   AT(environment), .required = true},
    {.name = "version",      .type = FIELD_STRING, AT(version),     .required = true, .min = 1, .max = 129},
    {.name = "strategy",     .type = FIELD_ENUM,   AT(strategy),    .words = "blue-green|rolling|canary"},
    {.name = "reason",       .type = FIELD_STRING, AT(reason),      .max = 1024},
    {.name = "scheduled_at", .type = FIELD_TIME,   AT(scheduled_us)},
    {.name = "queue",        .type = FIELD_BOOL,   AT(queue)},
    {.name = "dry_run",      .type = FIELD_BOOL,   AT(dry_run)},
    {.name = "params",       .type = FIELD_OBJECT, AT(params),      .schema = &params_schema},
};
#undef AT
// clang-format on
const struct body_schema deployment_schema = {
    .name = "DeploymentInput",
    .fields = create_fields,
    .count = sizeof create_fields / sizeof *create_fields,
    .size = sizeof(struct create_in),
    .check = create_check,
};

struct create {
    struct request *q;
    struct reply *r;
    const struct create_in *in;
    struct deployment_basis basis; /* borrowed from its rows */
    const char *version_key, *id, *plan;
    const json_t *plan_json;
    struct gate_verdict gate; /* owned */
};

static Status refuse_busy(struct create *c, const char *active_id) {
    struct reply *r = c->r;

    r->location = deployment_link(r->arena, active_id);
    reply_extra(r, "deployment", json_string(active_id));
    reply_extra(r, "links", json_pack("{s:s}", "deployment", r->location));
    return reply_refuse(r, E_ENVIRONMENT_BUSY, "Deployment %s is active in %s/%s.", active_id,
                        c->in->app, c->in->environment);
}

static Status refuse_yanked(struct create *c) {
    return reply_refuse(c->r, E_RELEASE_YANKED, "Release %s of %s was taken out of use.",
                        c->in->version, c->in->app);
}

/* What is stored: environment, cluster, release, and that none of it forbids a start. */
static Status read_basis(struct create *c, struct db_rows **ret) {
    const struct create_in *in = c->in;
    Status s = db_deployment_prepare(context_of(c->q)->pool, in->app, in->environment,
                                     c->version_key, ret);

    if (s != STATUS_OK)
        return s;
    if (db_rows_count(*ret) == 0)
        return environment_missing(c->r, in->app, in->environment);
    c->basis = deployment_basis(*ret);
    if (!c->basis.release_id)
        return reply_refuse(c->r, E_NOT_FOUND, "App %s has no release %s.", in->app, in->version);
    if (c->basis.yanked)
        return refuse_yanked(c);
    return c->basis.active_id ? refuse_busy(c, c->basis.active_id) : STATUS_OK;
}

/* The plan, fixed before the transaction: its text in the arena, the JSON yours. */
static Status make_plan(struct create *c, json_t **ret) {
    const struct start_plan in = {.clusters = context_of(c->q)->clusters,
                                  .basis = &c->basis,
                                  .params = c->in->params,
                                  .arena = c->q->arena};
    _cleanup_free_ char *text = NULL;
    const char *why = "";
    Status s = start_plan(&in, ret, &why);

    if (s == E_INVALID_BODY)
        return reply_field_error(c->r, "/version", "manifests", "%s", why);
    if (s == E_CLUSTER_UNAVAILABLE) {
        c->r->retry_after_s = 5;
        return reply_refuse(c->r, s, "%s", why);
    }
    if (s != STATUS_OK)
        return s;
    text = json_text(*ret);
    c->plan = arena_strdup(c->q->arena, text);
    c->plan_json = *ret;
    return STATUS_OK;
}

static Status create_records(struct db_tx *tx, const struct create *c, bool open) {
    const struct create_in *in = c->in;
    const struct transition_row *row = transition_find(NULL, open ? EVENT_START : EVENT_BLOCK);
    struct record_about about = {.app = in->app,
                                 .environment = in->environment,
                                 .action = "deployment.created",
                                 .subject = c->id,
                                 .deployment_id = c->id};
    _cleanup_free_ char *why = gate_verdict_text(&c->gate);
    json_t *target = json_object_get(c->plan_json, "target");
    json_t *from = json_object_get(c->plan_json, "from");
    Status s = record_by_caller(
        c->q, tx, &about,
        json_pack("{s:s, s:s, s:s, s:O, s:O, s:s?}", "version", c->basis.version, "strategy",
                  "blue-green", "kind", "deploy", "from", from, "to", target, "reason", in->reason),
        "Deployment of %s %s to %s was requested.", in->app, c->basis.version, in->environment);

    if (s != STATUS_OK)
        return s;
    about.action = row->action;
    if (!open)
        return record_by_caller(c->q, tx, &about, gate_verdict_json(&c->gate), "%s: %s", row->title,
                                why);
    return record_by_caller(c->q, tx, &about, NULL, "Deployment of %s %s to %s started.", in->app,
                            c->basis.version, in->environment);
}

/* Active where the gates are open; else blocked where it may wait; else refused. */
static Status store(struct db_tx *tx, const struct create *c) {
    json_auto_t *steps = start_steps(&c->basis, c->plan_json);
    _cleanup_free_ char *steps_text = json_text(steps), *params = NULL;
    struct deployment_new new = {.id = c->id,
                                 .environment_id = c->basis.environment_id,
                                 .app = c->in->app,
                                 .environment = c->in->environment,
                                 .release_id = c->basis.release_id,
                                 .strategy = "blue-green",
                                 .reason = c->in->reason,
                                 .requested_by = c->q->principal->actor_json,
                                 .plan = c->plan,
                                 .steps = steps_text};

    if (c->gate.open)
        return db_deployment_insert(tx, &new);
    if (!json_bool(c->in->params, "wait", false))
        return E_BLOCKED;
    new.plan = params = json_text(c->in->params);
    return db_deployment_insert_blocked(tx, &new, c->gate.next_us);
}

static Status create_tx(struct db_tx *tx, void *ctx) {
    struct create *c = ctx;
    const struct gate_ask ask = {.environment_id = c->basis.environment_id,
                                 .version_key = c->version_key,
                                 .version = c->in->version,
                                 .requested_by = c->q->principal->actor_json};
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct deployment_row row;
    Status s = db_deployment_begin(tx, &c->basis);

    gate_verdict_done(&c->gate);
    if (s == STATUS_OK)
        s = start_gates(tx, &c->basis, &ask, &c->gate);
    if (s == STATUS_OK)
        s = store(tx, c);
    if (s == STATUS_OK)
        s = db_deployment_get_in(tx, c->id, &rows);
    if (s != STATUS_OK)
        return s;
    row = deployment_row_whole(rows);
    c->r->location = deployment_link(c->q->arena, c->id);
    answer(c->r, 202, deployment_json(c->q, &row));
    if (!c->gate.open)
        gate_verdict_add(&c->gate, c->r->json);
    return create_records(tx, c, c->gate.open);
}

/* Lost against law 1 at the last moment: by whom?  E_PRECONDITION_FAILED when that has ended
 * meanwhile. */
static Status busy_after_all(struct create *c) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_deployment_active(context_of(c->q)->pool, c->basis.environment_id, &rows);

    if (s != STATUS_OK)
        return s;
    if (db_rows_count(rows) == 0)
        return E_PRECONDITION_FAILED;
    return refuse_busy(c, arena_strdup(c->q->arena, db_text(rows, 0, "id")));
}

/* One look and one attempt.  E_PRECONDITION_FAILED: something changed in between. */
static Status create_once(struct create *c) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_auto_t *plan = NULL;
    Status s = read_basis(c, &rows);

    if (s != STATUS_OK)
        return s;
    s = make_plan(c, &plan);
    crash_point(CRASH_BEFORE_CREATE);
    if (s == STATUS_OK)
        s = idempotent_tx(c->q, c->r, "deployment_create", create_tx, c);
    crash_point(CRASH_AFTER_CREATE);
    if (s == E_BLOCKED)
        return refuse_blocked(c->r, &c->gate, c->in->app, c->basis.version, c->in->environment);
    if (s == E_ENVIRONMENT_BUSY)
        return busy_after_all(c);
    if (s == E_RELEASE_YANKED && !c->r->detail)
        return refuse_yanked(c);
    if (s != STATUS_OK)
        return s;
    bus_publish(context_of(c->q)->bus, c->basis.environment_id);
    worker_wake(context_of(c->q)->worker, c->basis.environment_id);
    return STATUS_OK;
}

static Status create(struct request *q, struct reply *r, void *ctx) {
    struct create *c = ctx;

    (void)q;
    for (int i = 0; i < TRIES; i++) {
        Status s = create_once(c);

        if (s != E_PRECONDITION_FAILED)
            return s;
    }
    r->retry_after_s = 1;
    return reply_refuse(r, E_OVERLOADED, "Environment %s/%s keeps changing: try again.", c->in->app,
                        c->in->environment);
}

/* ---- dry_run: the plan, tried and thrown away ---- */

static Status refuse_failing(struct reply *r, const struct dry_run *tried) {
    reply_extra(r, "failure",
                json_pack("{s:s, s:s, s:s?}", "code", tried->code, "detail", tried->detail, "hint",
                          tried->hint));
    return reply_refuse(r, E_WRONG_STATE, "The deployment would fail: %s.", tried->detail);
}

static Status dry_run_gates(struct create *c) {
    const struct gate_ask ask = {.environment_id = c->basis.environment_id,
                                 .version_key = c->version_key,
                                 .version = c->in->version,
                                 .requested_by = c->q->principal->actor_json};

    return gates_look(context_of(c->q)->pool, &ask, GATE_START, &c->gate);
}

static Status dry_run_answer(struct create *c, const json_t *plan) {
    _cleanup_(kube_cluster_unref) struct kube_cluster *cluster = NULL;
    _cleanup_(dry_run_done) struct dry_run tried = {0};
    const struct deployment_basis *b = &c->basis;
    struct dry_run_request in = {.pool = context_of(c->q)->pool,
                                 .environment_id = b->environment_id,
                                 .app = c->in->app,
                                 .environment = c->in->environment,
                                 .plan = plan};
    Status s = cluster_of(c->q, b->cluster, b->cluster_spec, b->cluster_revision, &cluster, c->r);

    if (s != STATUS_OK)
        return s;
    in.cluster = cluster;
    s = dry_run_deployment(&in, &tried);
    if (s == E_CLUSTER_UNAVAILABLE) {
        c->r->retry_after_s = 5;
        return reply_refuse(c->r, s, "Cluster %s does not answer: %s", b->cluster, tried.detail);
    }
    if (s != STATUS_OK)
        return s;
    if (tried.code)
        return refuse_failing(c->r, &tried);
    return answer(c->r, 200,
                  json_pack("{s:o, s:O, s:O}", "steps", start_steps(b, plan), "changes",
                            tried.changes, "gates", c->gate.blockers));
}

static Status create_dry_run(struct create *c) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_auto_t *plan = NULL;
    Status s = read_basis(c, &rows);

    if (s != STATUS_OK)
        return s;
    s = make_plan(c, &plan);
    if (s == STATUS_OK)
        s = dry_run_gates(c);
    return s == STATUS_OK ? dry_run_answer(c, plan) : s;
}

Status deployment_create(struct request *q, const void *body, struct reply *r) {
    struct create c = {.q = q, .r = r, .in = body};
    struct semver version;
    char id[UUID_TEXT];
    Status s = app_allowed(q, c.in->app, r);

    if (s != STATUS_OK)
        return s;
    if (!semver_parse(c.in->version, &version))
        return FAULT_BUG; /* the schema's check saw to it */
    c.version_key = version.key;
    c.id = uuid_v7(id);
    s = c.in->dry_run ? create_dry_run(&c) : idempotent_run(q, r, create, &c);
    gate_verdict_done(&c.gate);
    return s;
}
