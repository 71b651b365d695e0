/* handlers/abort.c: POST /deployments/{id}/abort.  Asked for in one transaction on the reserved
 * connection; answered when the write to the Service was seen (confirmed_at), which the caller
 * waits for without holding a thread. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "handlers/answer.h"
#include "handlers/deployment.h"
#include "handlers/environment_status.h"
#include "handlers/handlers.h"
#include "worker/crash.h"
#include "worker/verbs.h"
#include <string.h>

enum { CONFIRM_S = 10 };

struct verb_in {
    const char *reason;
};
static const struct field verb_fields[] = {
    {.name = "reason",
     .type = FIELD_STRING,
     .offset = offsetof(struct verb_in, reason),
     .max = 1024},
};
const struct body_schema verb_schema = {
    .name = "Verb",
    .fields = verb_fields,
    .count = sizeof verb_fields / sizeof *verb_fields,
    .size = sizeof(struct verb_in),
};

/* Kept between parks, in the request's arena. */
struct aborting {
    const char *id, *environment_id;
    int64_t until_us; /* monotonic */
};

struct ask {
    struct request *q;
    const char *id, *reason;
    struct verb_result result;
};

static Status ask_tx(struct db_tx *tx, void *ctx) {
    struct ask *a = ctx;
    const struct verb_request in = {.deployment_id = a->id,
                                    .reason = a->reason,
                                    .by = {a->q->principal->actor_json, a->q->remote},
                                    .arena = a->q->arena};

    return deployment_abort(tx, &in, &a->result);
}

static Status refuse_state(struct reply *r, const char *state) {
    bool active = !deployment_final(state);

    reply_extra(r, "state", json_string(state));
    reply_extra(r, "allowed", active ? json_pack("[s]", "abort") : json_array());
    return reply_refuse(r, E_WRONG_STATE, "The deployment is %s: it cannot be aborted.", state);
}

/* Asks, once, and remembers what is being waited for. */
static Status begin(struct request *q, const struct verb_in *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct ask a = {.q = q, .reason = in->reason};
    struct aborting *waiting;
    struct deployment_row row;
    Status s = path_deployment(q, &rows, r);

    if (s != STATUS_OK)
        return s;
    row = deployment_row(rows, 0);
    a.id = row.id;
    crash_point("before-abort");
    s = db_tx_run(context_of(q)->reserved_pool, "deployment_abort", DB_READ_COMMITTED, ask_tx, &a);
    crash_point("after-abort");
    if (s == E_WRONG_STATE)
        return refuse_state(r, a.result.state ? a.result.state : row.state);
    if (s != STATUS_OK)
        return s;
    waiting = arena_alloc(q->arena, sizeof *waiting);
    *waiting = (struct aborting){.id = arena_strdup(q->arena, row.id),
                                 .environment_id = arena_strdup(q->arena, row.environment_id),
                                 .until_us = clock_monotonic_us() + CONFIRM_S * US_PER_S};
    q->state = waiting;
    bus_publish(context_of(q)->bus, row.environment_id);
    worker_wake_undo(context_of(q)->worker, row.environment_id);
    return STATUS_OK;
}

/* Not confirmed: what is seen of the environment goes into the answer. */
static Status refuse_unconfirmed(struct request *q, const struct deployment_row *row,
                                 struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct environment_row environment;

    r->location = deployment_link(q->arena, row->id);
    reply_extra(r, "state", json_string(row->state));
    reply_extra(r, "deployment", deployment_json(row));
    if (db_environment_get(context_of(q)->pool, row->app, row->environment, &rows) == STATUS_OK &&
        db_rows_count(rows)) {
        environment = environment_row(rows, 0);
        reply_extra(r, "seen", environment_status(context_of(q), &environment, false));
    }
    if (!strcmp(row->state, "stuck"))
        return reply_refuse(r, E_NOT_CONFIRMED, "The deployment is stuck: see its failure.");
    return reply_refuse(
        r, E_NOT_CONFIRMED,
        "The Service was not seen to carry our write within %d s; the work goes on.", CONFIRM_S);
}

Status deployment_abort_verb(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const struct aborting *waiting;
    struct deployment_row row;
    Status s = q->state ? STATUS_OK : begin(q, in, r);

    if (s != STATUS_OK)
        return s;
    waiting = q->state;
    s = db_deployment_get(context_of(q)->pool, waiting->id, &rows);
    if (s != STATUS_OK)
        return s;
    if (db_rows_count(rows) == 0)
        return FAULT_BUG; /* deployments are never deleted */
    row = deployment_row(rows, 0);
    if (row.confirmed_us || deployment_final(row.state)) {
        r->location = deployment_link(q->arena, row.id);
        return answer(r, 200, deployment_json(&row));
    }
    if (!strcmp(row.state, "stuck") || clock_monotonic_us() >= waiting->until_us)
        return refuse_unconfirmed(q, &row, r);
    return reply_park(r, waiting->environment_id, waiting->until_us);
}
