/* handlers/verbs.c: what people ask of a deployment.  Each is asked for in one transaction.  An
 * abort and a rollback are answered when their write to the Service was seen (confirmed_at), which
 * the caller waits for without holding a thread. */
#include "worker/verbs.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/ids.h"
#include "base/metric.h"
#include "handlers/answer.h"
#include "handlers/cluster_status.h"
#include "handlers/deployment.h"
#include "handlers/environment_status.h"
#include "handlers/flag.h"
#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include "rollout/rollback.h"
#include "worker/observe.h"
#include <string.h>

enum { CONFIRM_S = 10, REASON_MAX = 1024 };

struct verb_in {
    const char *reason, *as, *to, *color;
};
#define REASON(required_)                                                                          \
    {                                                                                              \
        .name = "reason", .type = FIELD_STRING, .offset = offsetof(struct verb_in, reason),        \
        .required = (required_), .min = (required_), .max = REASON_MAX                             \
    }
#define SCHEMA(variable, name_, fields_)                                                           \
    const struct body_schema variable = {.name = name_,                                            \
                                         .fields = fields_,                                        \
                                         .count = sizeof fields_ / sizeof *fields_,                \
                                         .size = sizeof(struct verb_in)}

static const struct field verb_fields[] = {REASON(false)};
static const struct field resolve_fields[] = {
    {.name = "as",
     .type = FIELD_ENUM,
     .offset = offsetof(struct verb_in, as),
     .required = true,
     .words = "failed|succeeded"},
    REASON(true),
};
static const struct field rollback_fields[] = {
    {.name = "to",
     .type = FIELD_STRING,
     .offset = offsetof(struct verb_in, to),
     .min = 1,
     .max = 128},
    REASON(true),
};
static const struct field traffic_fields[] = {
    {.name = "color",
     .type = FIELD_ENUM,
     .offset = offsetof(struct verb_in, color),
     .required = true,
     .words = "blue|green"},
    REASON(true),
};
SCHEMA(verb_schema, "Verb", verb_fields);
SCHEMA(resolve_schema, "Resolve", resolve_fields);
SCHEMA(rollback_schema, "Rollback", rollback_fields);
SCHEMA(traffic_schema, "Traffic", traffic_fields);

/* ---- asking ---- */

typedef Status verb_fn(struct db_tx *tx, const struct verb_request *in, struct verb_result *ret);
struct verb {
    const char *name; /* in the sentence of a refusal: "aborted" */
    verb_fn *fn;
    unsigned status;
};

struct asking {
    struct request *q;
    struct reply *r; /* of rollback and traffic */
    const struct verb *verb;
    const struct verb_in *in;
    const char *id; /* of the deployment that it is asked of; NULL: of an environment */
    const char *app, *environment, *environment_id, *new_id;
    struct environment_row row; /* where {env} is in the path */
    const json_t *plan;         /* of traffic */
    bool capacity;              /* of traffic */
    struct verb_result result;
};

static Status verb_tx(struct db_tx *tx, void *ctx) {
    struct asking *a = ctx;
    const struct verb_request in = {.deployment_id = a->id,
                                    .reason = a->in->reason,
                                    .by = {a->q->principal->actor_json, a->q->remote},
                                    .arena = a->q->arena};

    a->result = (struct verb_result){0};
    return a->verb->fn(tx, &in, &a->result);
}

static Status resolve_failed(struct db_tx *tx, const struct verb_request *in,
                             struct verb_result *ret) {
    return deployment_resolve(tx, in, false, ret);
}

static Status resolve_succeeded(struct db_tx *tx, const struct verb_request *in,
                                struct verb_result *ret) {
    return deployment_resolve(tx, in, true, ret);
}

static const struct verb verb_abort = {"aborted", deployment_abort, 200};
static const struct verb verb_promote = {"promoted", deployment_promote, 200};
static const struct verb verb_pause = {"paused", deployment_pause, 200};
static const struct verb verb_resume = {"resumed", deployment_resume, 200};
static const struct verb verb_cancel = {"canceled", deployment_cancel, 200};
static const struct verb verb_retry = {"retried", deployment_retry, 202};
static const struct verb verb_resolve[] = {{"resolved", resolve_failed, 200},
                                           {"resolved", resolve_succeeded, 200}};
static const struct verb verb_rollback = {"rolled back", NULL, 200};

static json_t *allowed_verbs(const char *state) {
    static const struct {
        const char *name;
        DeploymentEvent event;
    } verbs[] = {
        {"promote", EVENT_PROMOTE},     {"pause", EVENT_PAUSE},
        {"resume", EVENT_RESUME},       {"cancel", EVENT_CANCEL},
        {"abort", EVENT_ABORT},         {"abort", EVENT_CANCEL},
        {"retry", EVENT_RETRY},         {"resolve", EVENT_RESOLVE_FAILED},
        {"rollback", EVENT_TAKEN_OVER},
    };
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (transition_find(state, verbs[i].event))
            json_array_append_new(list, json_string(verbs[i].name));
    if (!strcmp(state, "undoing"))
        json_array_append_new(list, json_string("abort"));
    if (!strcmp(state, "succeeded"))
        json_array_append_new(list, json_string("rollback"));
    return list;
}

static Status refuse_state(const struct asking *a, struct reply *r) {
    const char *state = a->result.state ? a->result.state : "unknown";

    reply_extra(r, "state", json_string(state));
    reply_extra(r, "allowed", allowed_verbs(state));
    if (a->result.detail)
        return reply_refuse(r, E_WRONG_STATE, "%s", a->result.detail);
    return reply_refuse(r, E_WRONG_STATE, "The deployment is %s: it cannot be %s.", state,
                        a->verb->name);
}

/* Asks for a verb of the deployment in the path. */
static Status ask(struct asking *a, struct db_rows **ret, struct reply *r) {
    Status s = path_deployment(a->q, ret, r);

    if (s != STATUS_OK)
        return s;
    a->id = deployment_row(*ret, 0).id;
    s = db_tx_run(request_pool(a->q), a->verb->name, DB_READ_COMMITTED, verb_tx, a);
    return s == E_WRONG_STATE ? refuse_state(a, r) : s;
}

static Status simple_verb(struct request *q, const struct verb *verb, const void *in,
                          struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL, *now = NULL;
    struct asking a = {.q = q, .verb = verb, .in = in};
    struct deployment_row row;
    Status s = ask(&a, &rows, r);

    if (s != STATUS_OK)
        return s;
    row = deployment_row(rows, 0);
    announce(q, row.environment_id);
    announce_flags(q, row.app, row.environment);
    worker_wake(context_of(q)->worker, row.environment_id);
    s = db_deployment_get(request_pool(q), a.id, &now);
    if (s != STATUS_OK)
        return s;
    row = deployment_row_whole(now);
    r->location = deployment_link(q->arena, row.id);
    return answer(r, verb->status, deployment_json(q, &row));
}

Status deployment_promote_verb(struct request *q, const void *in, struct reply *r) {
    return simple_verb(q, &verb_promote, in, r);
}

Status deployment_pause_verb(struct request *q, const void *in, struct reply *r) {
    return simple_verb(q, &verb_pause, in, r);
}

Status deployment_resume_verb(struct request *q, const void *in, struct reply *r) {
    return simple_verb(q, &verb_resume, in, r);
}

Status deployment_cancel_verb(struct request *q, const void *in, struct reply *r) {
    return simple_verb(q, &verb_cancel, in, r);
}

Status deployment_retry_verb(struct request *q, const void *in, struct reply *r) {
    return simple_verb(q, &verb_retry, in, r);
}

Status deployment_resolve_verb(struct request *q, const void *in, struct reply *r) {
    const struct verb_in *body = in;

    return simple_verb(q, &verb_resolve[!strcmp(body->as, "succeeded")], in, r);
}

/* ---- waiting for the confirmation ---- */

/* Kept between parks, in the request's arena. */
struct waiting {
    const char *id, *environment_id;
    int64_t until_us; /* monotonic */
};

static void wait_for(struct request *q, const char *id, const char *environment_id) {
    struct waiting *w = arena_alloc(q->arena, sizeof *w);

    *w = (struct waiting){.id = arena_strdup(q->arena, id),
                          .environment_id = arena_strdup(q->arena, environment_id),
                          .until_us = clock_monotonic_us() + CONFIRM_S * US_PER_S};
    q->state = w;
    announce(q, environment_id);
    worker_wake_undo(context_of(q)->worker, environment_id);
}

/* Not confirmed: what is seen of the environment goes into the answer. */
static Status refuse_unconfirmed(struct request *q, const struct deployment_row *row,
                                 struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct environment_row environment;

    r->location = deployment_link(q->arena, row->id);
    reply_extra(r, "state", json_string(row->state));
    reply_extra(r, "deployment", deployment_json(q, row));
    if (db_environment_get(request_pool(q), row->app, row->environment, &rows) == STATUS_OK &&
        db_rows_count(rows)) {
        environment = environment_row(rows, 0);
        reply_extra(r, "seen", environment_status(q, &environment, false));
    }
    if (!strcmp(row->state, "stuck"))
        return reply_refuse(r, E_NOT_CONFIRMED, "The deployment is stuck: see its failure.");
    return reply_refuse(
        r, E_NOT_CONFIRMED,
        "The Service was not seen to carry our write within %d s; the work goes on.", CONFIRM_S);
}

static Status confirmed(struct request *q, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const struct waiting *w = q->state;
    struct deployment_row row;
    Status s = db_deployment_get(request_pool(q), w->id, &rows);

    if (s != STATUS_OK)
        return s;
    if (db_rows_count(rows) == 0)
        return FAULT_BUG; /* deployments are never deleted */
    row = deployment_row_whole(rows);
    if (row.confirmed_us)
        metric_observe(METRIC_CONFIRM_TIME, metric_place(LABEL_ASKED, q->route->operation),
                       clock_monotonic_us() - q->began_us);
    if (row.confirmed_us || deployment_final(row.state)) {
        r->location = deployment_link(q->arena, row.id);
        return answer(r, 200, deployment_json(q, &row));
    }
    if (!strcmp(row.state, "stuck") || clock_monotonic_us() >= w->until_us) {
        metric_add(METRIC_UNCONFIRMED, metric_place(LABEL_ASKED, q->route->operation), 0, 1);
        return refuse_unconfirmed(q, &row, r);
    }
    return reply_park(r, w->environment_id, w->until_us);
}

static Status begin_abort(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct asking a = {.q = q, .verb = &verb_abort, .in = in};
    struct deployment_row row;
    Status s;

    crash_point(CRASH_BEFORE_ABORT);
    s = ask(&a, &rows, r);
    crash_point(CRASH_AFTER_ABORT);
    if (s != STATUS_OK)
        return s;
    row = deployment_row(rows, 0);
    announce_flags(q, row.app, row.environment);
    wait_for(q, a.id, row.environment_id);
    return STATUS_OK;
}

Status deployment_abort_verb(struct request *q, const void *in, struct reply *r) {
    Status s = q->state ? STATUS_OK : begin_abort(q, in, r);

    return s == STATUS_OK ? confirmed(q, r) : s;
}

/* ---- rollback and traffic ---- */

static struct rollback_ask rollback_ask_of(const struct asking *a) {
    return (struct rollback_ask){.app = a->app,
                                 .environment = a->environment,
                                 .of = a->id,
                                 .version = a->in->to,
                                 .id = a->new_id,
                                 .reason = a->in->reason,
                                 .by = {a->q->principal->actor_json, a->q->remote},
                                 .arena = a->q->arena};
}

static Status begun(struct asking *a, Status s) {
    if (s == STATUS_OK)
        a->r->location = deployment_link(a->q->arena, a->result.deployment_id);
    return s;
}

static Status rollback_tx(struct db_tx *tx, void *ctx) {
    struct asking *a = ctx;
    const struct rollback_ask in = rollback_ask_of(a);

    a->result = (struct verb_result){0};
    return begun(a, deployment_rollback(tx, &in, &a->result));
}

static Status traffic_tx(struct db_tx *tx, void *ctx) {
    struct asking *a = ctx;
    const struct rollback_ask in = rollback_ask_of(a);

    gate_verdict_done(&a->result.gate);
    a->result = (struct verb_result){0};
    return begun(a, deployment_traffic(tx, &in, a->plan, a->capacity, &a->result));
}

static Status begin_moving(struct asking *a, db_tx_fn *fn, struct reply *r) {
    char id[UUID_TEXT];
    Status s;

    a->new_id = arena_strdup(a->q->arena, uuid_v7(id));
    crash_point(CRASH_BEFORE_ROLLBACK);
    s = idempotent_tx(a->q, r, "rollback", fn, a);
    crash_point(CRASH_AFTER_ROLLBACK);
    if (s == E_WRONG_STATE)
        return refuse_state(a, r);
    if (s == E_ENVIRONMENT_BUSY) {
        reply_extra(r, "deployment", json_string(a->result.deployment_id));
        return reply_refuse(r, s, "Deployment %s is active here: abort it or roll back.",
                            a->result.deployment_id);
    }
    if (s == E_BLOCKED)
        return refuse_blocked(r, &a->result.gate, a->app,
                              json_str(json_object_get(a->plan, "target"), "version", "?"),
                              a->environment);
    if (s == E_NO_CAPACITY)
        return reply_refuse(r, s,
                            "%s has fewer ready pods than what serves now: scale it up, or deploy.",
                            a->in->color);
    if (s == STATUS_OK && !r->replayed && !r->begun) {
        announce_flags(a->q, a->app, a->environment);
        wait_for(a->q, a->result.deployment_id, a->environment_id);
    }
    return s;
}

/* What another request with the same key began: waits for it too. */
static Status join(struct request *q, const struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const char *id = strrchr(r->location, '/') + 1;
    Status s = db_deployment_get(request_pool(q), id, &rows);

    if (s != STATUS_OK)
        return s;
    if (db_rows_count(rows) == 0)
        return FAULT_BUG; /* deployments are never deleted */
    wait_for(q, id, deployment_row(rows, 0).environment_id);
    return STATUS_OK;
}

/* The answer, kept before it is given. */
static Status settled(struct request *q, struct reply *r) {
    Status s = confirmed(q, r);

    return s == STATUS_OK && !r->park_until_us ? idempotent_settle(q, r) : s;
}

/* Begins, unless its key has an answer, and waits. */
static Status move(struct asking *a, create_fn *begin, struct reply *r) {
    Status s = idempotent_run(a->q, r, begin, a);

    if (s == STATUS_OK && r->begun)
        s = join(a->q, r);
    return s != STATUS_OK || r->replayed ? s : settled(a->q, r);
}

static Status begin_rollback(struct request *q, struct reply *r, void *ctx) {
    (void)q;
    return begin_moving(ctx, rollback_tx, r);
}

Status deployment_rollback_verb(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct asking a = {.q = q, .r = r, .verb = &verb_rollback, .in = in};
    struct deployment_row row;
    Status s;

    if (q->state)
        return settled(q, r);
    s = path_deployment(q, &rows, r);
    if (s != STATUS_OK)
        return s;
    row = deployment_row(rows, 0);
    a.id = row.id;
    a.app = row.app;
    a.environment = row.environment;
    a.environment_id = row.environment_id;
    return move(&a, begin_rollback, r);
}

/* The environment of the path. */
static Status find_environment(struct asking *a, struct db_rows **ret, struct reply *r) {
    Status s = path_environment(a->q, ret, r);

    if (s != STATUS_OK)
        return s;
    a->row = environment_row(*ret, 0);
    a->app = a->row.app;
    a->environment = a->row.name;
    a->environment_id = a->row.id;
    return STATUS_OK;
}

Status environment_rollback(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct asking a = {.q = q, .r = r, .verb = &verb_rollback, .in = in};
    Status s;

    if (q->state)
        return settled(q, r);
    s = find_environment(&a, &rows, r);
    return s == STATUS_OK ? move(&a, begin_rollback, r) : s;
}

static Status begin_traffic(struct request *q, struct reply *r, void *ctx) {
    _cleanup_(seen_done) struct seen seen = {0};
    json_auto_t *spec = NULL, *plan = NULL;
    struct asking *a = ctx;
    Color color = COLOR_BLUE;

    environment_observe(context_of(q), &a->row, &seen);
    if (!seen.reachable) {
        r->retry_after_s = 5;
        return reply_refuse(r, E_CLUSTER_UNAVAILABLE, "The cluster does not answer: %s",
                            seen.error);
    }
    color_find(a->in->color, &color);
    if (seen.service.color_known && seen.service.color == color) {
        a->result = (struct verb_result){
            .state = "serving",
            .detail = arena_printf(q->arena, "%s serves already.", a->in->color)};
        return refuse_state(a, r);
    }
    spec = json_parse(a->row.spec);
    plan = traffic_plan(spec, &seen, color);
    a->plan = plan;
    a->capacity = traffic_has_capacity(&seen, color);
    return begin_moving(a, traffic_tx, r);
}

Status environment_traffic(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct asking a = {.q = q, .r = r, .verb = &verb_rollback, .in = in};
    Status s;

    if (q->state)
        return settled(q, r);
    s = find_environment(&a, &rows, r);
    if (s == STATUS_OK)
        s = move(&a, begin_traffic, r);
    gate_verdict_done(&a.result.gate);
    return s;
}
