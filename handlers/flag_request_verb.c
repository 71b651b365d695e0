/* handlers/flag_request_verb.c: what becomes of a request: others approve or reject it, somebody
 * applies or cancels it.  All of it holds the lock of the app's flags, so that no two decide at
 * once, and no flag changes meanwhile. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "handlers/answer.h"
#include "handlers/flag_request.h"
#include "handlers/handlers.h"
#include <stdio.h>
#include <string.h>

struct deciding {
    struct request *q;
    struct reply *r;
    struct flag_request_filter of;
    struct flag_change change;
    const char *note;
    struct db_rows *rows;        /* owned */
    struct flag_request_row row; /* borrowed from rows */
};

static Status wrong_state(const struct deciding *w, const char *why) {
    bool approved = strcmp(w->row.state, "approved") == 0;
    bool open = approved || strcmp(w->row.state, "pending") == 0;

    reply_extra(w->r, "state", json_string(w->row.state));
    reply_extra(w->r, "stale", json_parse(w->row.stale));
    reply_extra(w->r, "allowed",
                !open      ? json_array()
                : approved ? json_pack("[s, s, s, s]", "approve", "apply", "reject", "cancel")
                           : json_pack("[s, s, s]", "approve", "reject", "cancel"));
    return reply_refuse(w->r, E_WRONG_STATE, "%s", why);
}

/* In the transaction: the request, open.  Refuses E_NOT_FOUND, E_WRONG_STATE. */
static Status deciding_begin(struct db_tx *tx, struct deciding *w) {
    Status s = begin_change(tx, &w->change, w->r);

    db_rows_free(TAKE_PTR(w->rows));
    if (s == STATUS_OK)
        s = db_flag_request_get(tx, &w->of, &w->rows);
    if (s == STATUS_OK && db_rows_count(w->rows) == 0)
        return flag_request_missing(w->r, w->of.id);
    if (s != STATUS_OK)
        return s;
    w->row = flag_request_row(w->rows, 0);
    if (strcmp(w->row.state, "pending") == 0 || strcmp(w->row.state, "approved") == 0)
        return STATUS_OK;
    return wrong_state(w, arena_printf(w->q->arena, "It is %s.", w->row.state));
}

/* What was asked for is bound to what there was. */
static Status check_fresh(const struct deciding *w) {
    json_auto_t *stale = json_parse(w->row.stale);
    size_t n = json_array_size(stale);

    if (n == 0)
        return STATUS_OK;
    return wrong_state(w, arena_printf(w->q->arena,
                                       n == 1 ? "%s was changed since: ask again."
                                              : "%s and %zu more were changed since: ask again.",
                                       json_string_value(json_array_get(stale, 0)), n - 1));
}

/* done: "approved" */
static Status deciding_record(struct db_tx *tx, const struct deciding *w, const char *done) {
    const struct record_about about = {.app = w->of.app,
                                       .environment = w->of.environment,
                                       .action = arena_printf(w->q->arena, "flag.request.%s", done),
                                       .subject = w->of.id};
    json_auto_t *by = json_parse(w->row.requested_by);
    json_t *data = json_pack("{s:o, s:s, s:s?}", "flags", json_parse(w->row.flags), "reason",
                             w->row.reason, "note", w->note);

    return record_by_caller(w->q, tx, &about, data,
                            "What %s asked for about flags of %s in %s was %s by %s%s%s",
                            json_str(by, "subject", "?"), w->of.app, w->of.environment, done,
                            w->q->principal->subject, w->note ? ": " : ".", w->note ? w->note : "");
}

/* Ends it, and answers and notes that. */
static Status deciding_end(struct db_tx *tx, const struct deciding *w, const char *state) {
    const struct flag_request_end end = {
        .id = w->of.id, .state = state, .by = w->change.by.json, .note = w->note};
    Status s = db_flag_request_end(tx, &end);

    if (s == STATUS_OK)
        s = flag_request_answer(tx, &w->of, 200, w->r);
    return s == STATUS_OK ? deciding_record(tx, w, state) : s;
}

/* ---- approve, reject ---- */

static Status approve_tx(struct db_tx *tx, void *ctx) {
    struct deciding *w = ctx;
    bool fresh = false;
    Status s = deciding_begin(tx, w);

    if (s == STATUS_OK && is_caller(w->q, w->row.requested_by))
        return reply_refuse(w->r, E_FORBIDDEN, "You asked for it: somebody else approves it.");
    if (s == STATUS_OK)
        s = check_fresh(w);
    if (s == STATUS_OK)
        s = db_flag_request_approve(tx, w->of.id, w->change.by.json, w->note, &fresh);
    if (s == STATUS_OK)
        s = flag_request_answer(tx, &w->of, 200, w->r);
    return s == STATUS_OK && fresh ? deciding_record(tx, w, "approved") : s;
}

static Status reject_tx(struct db_tx *tx, void *ctx) {
    struct deciding *w = ctx;
    Status s = deciding_begin(tx, w);

    return s == STATUS_OK ? deciding_end(tx, w, "rejected") : s;
}

/* ---- cancel ---- */

static Status cancel_tx(struct db_tx *tx, void *ctx) {
    struct deciding *w = ctx;
    Status s = deciding_begin(tx, w);

    if (s == STATUS_OK && !is_caller(w->q, w->row.requested_by) &&
        !principal_may(w->q->principal, "flag:admin"))
        return reply_refuse(w->r, E_FORBIDDEN,
                            "Who asked for it cancels it, or whoever has the scope flag:admin.");
    return s == STATUS_OK ? deciding_end(tx, w, "canceled") : s;
}

/* ---- apply ---- */

static Status apply_change(struct db_tx *tx, struct deciding *w, const json_t *change,
                           const char *at, json_t *errors) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_auto_t *state = NULL;
    struct flag_state_row there;
    Status s =
        db_flag_state_in(tx, w->of.app, w->of.environment, json_str(change, "flag", ""), &rows);

    if (s != STATUS_OK)
        return s;
    there = flag_state_row(rows, 0); /* it is there: nothing is stale */
    s = flag_state_with(tx, w->of.app, &there, json_object_get(change, "set"), at, errors, &state);
    if (s != STATUS_OK || json_array_size(errors))
        return s;
    return flag_state_store(tx, &w->change, &there, state, "flag.configured",
                            "configured, as approved,");
}

static Status apply_changes(struct db_tx *tx, struct deciding *w) {
    json_auto_t *changes = json_parse(w->row.changes), *errors = json_array();
    const json_t *change;
    Status s = STATUS_OK;
    size_t i;

    json_array_foreach(changes, i, change) {
        _cleanup_free_ char *at = xasprintf("/changes/%zu/set", i);

        if (s == STATUS_OK)
            s = apply_change(tx, w, change, at, errors);
    }
    return s == STATUS_OK ? refuse_errors(w->r, errors) : s;
}

static Status check_approved(const struct deciding *w) {
    json_auto_t *approvals = json_parse(w->row.approvals);

    if (strcmp(w->row.state, "approved") == 0)
        return STATUS_OK;
    return wrong_state(w, arena_printf(w->q->arena, "It has %zu of the %d approvals that it takes.",
                                       json_array_size(approvals), (int)w->row.needed));
}

static Status apply_tx(struct db_tx *tx, void *ctx) {
    struct deciding *w = ctx;
    struct flag_request_end end = {.id = w->of.id, .state = "applied", .note = w->note};
    Status s = deciding_begin(tx, w);

    if (s == STATUS_OK)
        s = check_fresh(w);
    if (s == STATUS_OK)
        s = check_approved(w);
    if (s != STATUS_OK)
        return s;
    w->change.source = "request";
    w->change.reason = arena_printf(w->q->arena, "%s (request %s)", w->row.reason, w->of.id);
    end.by = w->change.by.json;
    end.revision = w->change.revision;
    s = db_flag_request_end(tx, &end); /* first: the database lets no other changes pass */
    if (s == STATUS_OK)
        s = apply_changes(tx, w);
    if (s == STATUS_OK)
        s = flag_request_answer(tx, &w->of, 200, w->r);
    return s == STATUS_OK ? deciding_record(tx, w, "applied") : s;
}

/* ---- what is called ---- */

/* what: that only people do; NULL: others may, too. */
static Status decide(struct request *q, struct reply *r, const char *what, db_tx_fn *fn) {
    struct deciding w = {.q = q, .r = r, .note = json_str(q->json, "note", NULL)};
    Status s = path_flag_request(q, &w.of, r);

    w.change = caller_change(q, w.of.app, w.of.environment, NULL);
    if (s == STATUS_OK && what)
        s = only_people(q, what, r);
    if (s == STATUS_OK)
        s = db_tx_run(context_of(q)->pool, "flag_request", DB_READ_COMMITTED, fn, &w);
    if (s == STATUS_OK)
        announce(q, w.row.environment_id);
    if (s == STATUS_OK && fn == apply_tx)
        announce_flags(q, w.of.app, w.of.environment);
    db_rows_free(TAKE_PTR(w.rows));
    return s;
}

Status flag_request_approve(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return decide(q, r, "approve changes of flags", approve_tx);
}

Status flag_request_reject(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return decide(q, r, "reject changes of flags", reject_tx);
}

Status flag_request_apply(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return decide(q, r, NULL, apply_tx);
}

Status flag_request_cancel(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return decide(q, r, NULL, cancel_tx);
}
