/* db/query.c: one statement inside a transaction, and what PostgreSQL's answers mean to callers. */
#include "base/clock.h"
#include "db/tx.h"
#include <stdio.h>
#include <string.h>

static const char *const savepoint_begin = "SAVEPOINT s";
static const char *const savepoint_back = "ROLLBACK TO SAVEPOINT s";
static const char *const savepoint_end = "RELEASE SAVEPOINT s";

static bool one_of(const char *sqlstate, const char *const *list) {
    for (; *list; list++)
        if (strncmp(sqlstate, *list, strlen(*list)) == 0)
            return true;
    return false;
}

static Status fail(struct db_tx *tx, TxFate fate, Status failure) {
    tx->fate = fate;
    tx->failure = failure;
    return failure;
}

static Status violated(struct db_tx *tx, const PGresult *r, Status refusal) {
    const char *name = PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME);

    tx->violated = true;
    snprintf(tx->constraint, sizeof tx->constraint, "%s", name ? name : "");
    return refusal;
}

static Status judge_error(struct db_tx *tx, const PGresult *r) {
    static const char *const again[] = {"40001", "40P01", NULL};
    /* demoted to a standby; plans or statements that this connection knows are no longer right */
    static const char *const elsewhere[] = {"25006", "0A000", "26000", "57P0", "08", NULL};
    /* time-outs of the server, no room: not wrong, only not now */
    static const char *const not_now[] = {"57014", "55P03", "53", NULL};
    const char *sqlstate = result_sqlstate(r);

    if (strcmp(sqlstate, "23503") == 0)
        return violated(tx, r, E_IN_USE);
    if (strcmp(sqlstate, "23505") == 0 || strcmp(sqlstate, "23P01") == 0)
        return violated(tx, r, E_WRONG_STATE);
    if (strcmp(sqlstate, "SL002") == 0) /* record_append: what the actor's kind never does */
        return violated(tx, r, E_FORBIDDEN);
    if (strcmp(sqlstate, "SL003") == 0) /* flag_change: what needs approval, and has none */
        return violated(tx, r, E_APPROVAL_REQUIRED);
    if (tx->waiting && strcmp(sqlstate, "55P03") == 0) {
        tx->violated = true;
        return E_OVERLOADED;
    }
    if (one_of(sqlstate, again))
        return fail(tx, TX_AGAIN, FAULT_DB_DOWN);
    if (one_of(sqlstate, elsewhere)) {
        tx->broken = true;
        return fail(tx, TX_LOST, strncmp(sqlstate, "0A", 2) == 0 ? FAULT_DATABASE : FAULT_DB_DOWN);
    }
    if (one_of(sqlstate, not_now))
        return fail(tx, TX_FAILED, FAULT_DB_DOWN);
    return fail(tx, TX_FAILED, FAULT_DATABASE);
}

Status tx_judge(struct db_tx *tx, RoundOutcome o, const PGresult *r, const char *where) {
    if (o == ROUND_DONE)
        return STATUS_OK;
    if (o == ROUND_LATE)
        fault_note("%s, %s: no answer in time", tx->name, where);
    else
        fault_note_result(where, r);
    if (o == ROUND_REFUSED)
        return judge_error(tx, r);
    tx->broken = true;
    tx->late = o == ROUND_LATE;
    return fail(tx, o == ROUND_LATE ? TX_FAILED : TX_LOST, FAULT_DB_DOWN);
}

RoundOutcome tx_round(struct db_tx *tx, struct round *r) {
    RoundOutcome o;

    r->commands = tx->commands;
    r->commands_n = tx->commands_n;
    r->xid = tx->xid[0] ? NULL : tx->xid;
    tx->began = true;
    o = conn_round(tx->conn, r, clock_monotonic_us() + tx->statement_us);
    tx->commands_n = 0;
    return o;
}

Status db_query(struct db_tx *tx, enum db_statement s, struct db_rows **ret,
                const char *const *params, size_t n) {
    struct round r = {.statement = (int)s, .params = params, .params_n = n};
    _cleanup_(PQclear) PGresult *result = NULL;
    RoundOutcome o;

    if (ret)
        *ret = NULL;
    if (tx->fate != TX_GOES_ON)
        return tx->failure;
    o = tx_round(tx, &r);
    result = r.result;
    if (o == ROUND_DONE && ret)
        *ret = rows_wrap(TAKE_PTR(result), s);
    return tx_judge(tx, o, result, statements[s].name);
}

const char *db_tx_constraint(const struct db_tx *tx) {
    return tx->constraint;
}

/* Puts a command before the next statement; sends what waits when there is no room left. */
static Status command(struct db_tx *tx, const char *text) {
    struct round r = {.statement = NO_STATEMENT};
    _cleanup_(PQclear) PGresult *result = NULL;

    if (tx->commands_n == TX_COMMANDS - 1) { /* COMMIT always has its place */
        RoundOutcome o = tx_round(tx, &r);
        Status s;

        result = r.result;
        s = tx_judge(tx, o, result, tx->name);
        if (s != STATUS_OK)
            return s;
    }
    tx->commands[tx->commands_n++] = text;
    return STATUS_OK;
}

/* The lock's own limit bounds the wait; the server's on statements would cut it short. */
Status db_query_waiting(struct db_tx *tx, int wait_ms, enum db_statement s, struct db_rows **ret,
                        const char *const *params, size_t n) {
    int64_t statement_us = tx->statement_us;
    Status status;

    if (ret)
        *ret = NULL;
    if (tx->fate != TX_GOES_ON)
        return tx->failure;
    snprintf(tx->lock_timeout, sizeof tx->lock_timeout, "SET LOCAL lock_timeout = %d", wait_ms);
    status = command(tx, tx->lock_timeout);
    if (status == STATUS_OK)
        status = command(tx, "SET LOCAL statement_timeout = 0");
    if (status != STATUS_OK)
        return status;
    tx->waiting = true;
    tx->statement_us += wait_ms * US_PER_MS;
    status = db_query(tx, s, ret, params, n);
    tx->waiting = false;
    tx->statement_us = statement_us;
    if (status != STATUS_OK)
        return status;
    status = command(tx, "SET LOCAL lock_timeout = DEFAULT");
    return status == STATUS_OK ? command(tx, "SET LOCAL statement_timeout = DEFAULT") : status;
}

Status db_savepoint(struct db_tx *tx, db_tx_fn *fn, void *ctx) {
    Status s, undone;

    if (tx->fate != TX_GOES_ON)
        return tx->failure;
    s = command(tx, savepoint_begin);
    if (s != STATUS_OK)
        return s;
    s = fn(tx, ctx);
    if (tx->fate != TX_GOES_ON)
        return tx->failure;
    if (s == STATUS_OK)
        return command(tx, savepoint_end);
    undone = command(tx, savepoint_back);
    if (undone == STATUS_OK)
        undone = command(tx, savepoint_end);
    tx->violated = false;
    return undone == STATUS_OK ? s : undone;
}
