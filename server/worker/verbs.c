#include "worker/verbs.h"
#include "base/cleanup.h"
#include "rollout/rollback.h"
#include "worker/deployment_flags.h"
#include <stdio.h>
#include <string.h>

struct found {
    struct db_rows *rows; /* owned */
    const char *state, *kind, *job, *app, *environment, *environment_id, *current_step;
    bool pause_requested;
};

static void found_done_cleanup(struct found *f) {
    db_rows_free(f->rows);
}

/* Locks the lease, then the row: every tick locks in this order. */
static Status find(struct db_tx *tx, const char *id, struct found *ret) {
    Status s = db_query(tx, SQL_TICK_VERB_FIND, NULL, DB_PARAMS(id));

    if (!s)
        s = db_query(tx, SQL_TICK_VERB_STATE, &ret->rows, DB_PARAMS(id));
    if (s)
        return s;
    if (db_rows_count(ret->rows) == 0)
        return E_NOT_FOUND;
    ret->state = db_text(ret->rows, 0, "state");
    ret->kind = db_text(ret->rows, 0, "kind");
    ret->job = db_text(ret->rows, 0, "job");
    ret->app = db_text(ret->rows, 0, "app");
    ret->environment = db_text(ret->rows, 0, "environment");
    ret->environment_id = db_text(ret->rows, 0, "environment_id");
    ret->current_step = db_text(ret->rows, 0, "current_step");
    ret->pause_requested = db_bool(ret->rows, 0, "pause_requested");
    return STATUS_OK;
}

static Status wrong_state(const struct verb_request *in, const struct found *f, const char *detail,
                          struct verb_result *ret) {
    ret->state = arena_strdup(in->arena, f->state);
    ret->detail = detail;
    return E_WRONG_STATE;
}

/* One record of the verb; data takes the reason. */
static Status record(struct db_tx *tx, const struct verb_request *in, const struct found *f,
                     const char *action, const char *title) {
    json_auto_t *data = json_pack("{s:s?}", "reason", in->reason);
    _cleanup_free_ char *text = json_text(data);
    const char *message = in->reason ? arena_printf(in->arena, "%s: %s", title, in->reason) : title;
    const struct record_entry entry = {.app = f->app,
                                       .environment = f->environment,
                                       .actor = in->by.json,
                                       .from = in->by.from,
                                       .action = action,
                                       .subject = in->deployment_id,
                                       .message = message,
                                       .data = text,
                                       .deployment_id = in->deployment_id};

    return record_append(tx, &entry);
}

struct change {
    DeploymentEvent event;
    bool pause_requested;
    const char *step_done, *detail; /* a step that this decides */
    const char *failure;            /* JSON or NULL: none any more */
};

/* The one way in which a verb changes a state. */
static Status apply(struct db_tx *tx, const struct verb_request *in, const struct found *f,
                    const struct change *c, struct verb_result *ret) {
    const struct transition_row *row = transition_find(f->state, c->event);
    Status s;

    if (!row)
        return wrong_state(in, f, NULL, ret);
    s = db_query(tx, SQL_TICK_VERB_STATE_SET, NULL,
                 DB_PARAMS(in->deployment_id, row->to, DB_BOOL(c->pause_requested), c->step_done,
                           c->detail, c->failure));
    return s ? s : record(tx, in, f, row->action, row->title);
}

Status deployment_abort(struct db_tx *tx, const struct verb_request *in, struct verb_result *ret) {
    _cleanup_(found_done) struct found f = {0};
    json_auto_t *failure = NULL;
    _cleanup_free_ char *text = NULL;
    const struct transition_row *row;
    Status s = find(tx, in->deployment_id, &f);

    if (s)
        return s;
    if (strcmp(f.state, "undoing") == 0) /* joins what runs */
        return STATUS_OK;
    if (transition_find(f.state, EVENT_CANCEL))
        return apply(tx, in, &f, &(struct change){.event = EVENT_CANCEL}, ret);
    row = transition_find(f.state, EVENT_ABORT);
    if (!row || strcmp(f.kind, "deploy") != 0)
        return wrong_state(
            in, &f, row ? "A rollback is not aborted: it is what takes things back." : NULL, ret);
    failure = json_pack("{s:s, s:s, s:s}", "code", "aborted", "detail",
                        in->reason ? in->reason : "Aborted by a person", "hint",
                        "Deploy again when the reason is gone.");
    text = json_text(failure);
    s = db_query(tx, SQL_TICK_ABORT_BEGIN, NULL, DB_PARAMS(in->deployment_id, text));
    if (!s)
        s = deployment_flags_take_back(tx, f.environment_id, in->deployment_id, NULL, in->by);
    return s ? s : record(tx, in, &f, row->action, row->title);
}

Status deployment_promote(struct db_tx *tx, const struct verb_request *in,
                          struct verb_result *ret) {
    _cleanup_(found_done) struct found f = {0};
    Status s = find(tx, in->deployment_id, &f);

    if (s)
        return s;
    if (strcmp(f.state, "paused") == 0 &&
        (f.pause_requested || strcmp(f.current_step, "promote") != 0))
        return wrong_state(
            in, &f, "It is paused by a person or a freeze, not waiting to be promoted: resume it.",
            ret);
    return apply(tx, in, &f,
                 &(struct change){.event = EVENT_PROMOTE,
                                  .step_done = "promote",
                                  .detail = "promoted by a person"},
                 ret);
}

Status deployment_pause(struct db_tx *tx, const struct verb_request *in, struct verb_result *ret) {
    _cleanup_(found_done) struct found f = {0};
    Status s = find(tx, in->deployment_id, &f);

    if (s)
        return s;
    if (strcmp(f.state, "running") != 0 || strcmp(f.kind, "deploy") != 0)
        return wrong_state(in, &f, NULL, ret);
    if (f.pause_requested)
        return STATUS_OK;
    s = db_query(tx, SQL_TICK_PAUSE_REQUEST, NULL, DB_PARAMS(in->deployment_id));
    if (!s) /* the next holder loads the request; what is under way goes on as after any change of
               holder */
        s = db_query(tx, SQL_TICK_FENCE, NULL, DB_PARAMS(f.environment_id));
    return s ? s
             : record(tx, in, &f, "deployment.pause_requested", "It is to stop at the next step");
}

Status deployment_resume(struct db_tx *tx, const struct verb_request *in, struct verb_result *ret) {
    _cleanup_(found_done) struct found f = {0};
    Status s = find(tx, in->deployment_id, &f);

    if (s)
        return s;
    if (strcmp(f.state, "running") == 0 && f.pause_requested) { /* it had not stopped yet */
        s = db_query(tx, SQL_TICK_FENCE, NULL, DB_PARAMS(f.environment_id));
        if (!s)
            s = db_query(tx, SQL_TICK_VERB_STATE_SET, NULL,
                         DB_PARAMS(in->deployment_id, "running", "false", NULL, NULL, NULL));
        return s ? s : record(tx, in, &f, "deployment.resumed", "It goes on");
    }
    if (strcmp(f.state, "paused") == 0 && !f.pause_requested &&
        strcmp(f.current_step, "promote") == 0)
        return wrong_state(in, &f, "It waits to be promoted.", ret);
    return apply(tx, in, &f, &(struct change){.event = EVENT_RESUME}, ret);
}

Status deployment_cancel(struct db_tx *tx, const struct verb_request *in, struct verb_result *ret) {
    _cleanup_(found_done) struct found f = {0};
    Status s = find(tx, in->deployment_id, &f);

    return s ? s : apply(tx, in, &f, &(struct change){.event = EVENT_CANCEL}, ret);
}

Status deployment_retry(struct db_tx *tx, const struct verb_request *in, struct verb_result *ret) {
    _cleanup_(found_done) struct found f = {0};
    Status s = find(tx, in->deployment_id, &f);
    bool undo;

    if (s)
        return s;
    undo = strcmp(f.job, "undo") == 0;
    return apply(tx, in, &f, &(struct change){.event = undo ? EVENT_RETRY_UNDO : EVENT_RETRY}, ret);
}

Status deployment_resolve(struct db_tx *tx, const struct verb_request *in, bool succeeded,
                          struct verb_result *ret) {
    _cleanup_(found_done) struct found f = {0};
    Status s = find(tx, in->deployment_id, &f);

    if (s)
        return s;
    if (strcmp(f.state, "stuck") == 0) { /* of any other the environment may be gone */
        s = db_query(tx, SQL_TICK_FENCE, NULL, DB_PARAMS(f.environment_id));
        if (!s && !succeeded)
            s = deployment_flags_take_back(tx, f.environment_id, in->deployment_id, NULL, in->by);
    }
    return s ? s
             : apply(tx, in, &f,
                     &(struct change){.event = succeeded ? EVENT_RESOLVE_SUCCEEDED
                                                         : EVENT_RESOLVE_FAILED},
                     ret);
}
