/* db/tx.c: running a function as one transaction: again when it lost a race, and knowing what
 * became of it when the answer to COMMIT was lost. */
#include "db/tx.h"
#include "base/clock.h"
#include "base/ids.h"
#include <string.h>
#include <time.h>

enum { TRIES = 5, PAUSE_MS = 8, ASK_MS = 50 };

static void pause_ms(double ms) {
    struct timespec t = {.tv_nsec = (long)(ms * 1e6)};

    nanosleep(&t, NULL);
}

static void roll_back(struct db_tx *tx) {
    static const char *const rollback[] = {"ROLLBACK"};

    if (tx->began && !tx->broken)
        conn_post(tx->conn, rollback, 1);
}

/* Judges a round that may have committed. */
static Status judge_commit(struct db_tx *tx, RoundOutcome o, const PGresult *r) {
    Status s = tx_judge(tx, o, r, "commit");

    if (o == ROUND_LOST ||
        o == ROUND_LATE) /* with nothing written, whether it committed does not matter */
        tx->fate = tx->xid[0] ? TX_AMBIGUOUS : TX_LOST;
    return s;
}

static Status gone_wrong(const struct db_tx *tx) {
    fault_note("%s: went on after a statement was refused", tx->name);
    return FAULT_BUG;
}

static Status commit(struct db_tx *tx, DbIsolation isolation) {
    struct round r = {.statement = NO_STATEMENT};
    _cleanup_(PQclear) PGresult *result = NULL;
    RoundOutcome o;
    Status s;

    tx->commands[tx->commands_n++] = "COMMIT";
    if (!tx->xid[0] && isolation == DB_READ_COMMITTED) { /* it only read: nobody needs the answer */
        conn_post(tx->conn, tx->commands, tx->commands_n);
        return STATUS_OK;
    }
    r.commands = tx->commands;
    r.commands_n = tx->commands_n;
    o = conn_round(tx->conn, &r, clock_monotonic_us() + tx->statement_us);
    result = r.result;
    s = judge_commit(tx, o, result);
    if (s == STATUS_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0)
        return gone_wrong(tx);
    return s;
}

static Status attempt(struct db_tx *tx, DbIsolation isolation, db_tx_fn *fn, void *ctx) {
    Status s;

    tx->commands[tx->commands_n++] = isolation == DB_SERIALIZABLE
                                         ? "BEGIN ISOLATION LEVEL SERIALIZABLE"
                                         : "BEGIN ISOLATION LEVEL READ COMMITTED";
    s = fn(tx, ctx);
    if (tx->fate != TX_GOES_ON) {
        roll_back(tx);
        return tx->failure;
    }
    if (s != STATUS_OK) {
        roll_back(tx);
        return s;
    }
    if (!tx->began)
        return STATUS_OK;
    if (tx->violated) {
        roll_back(tx);
        return gone_wrong(tx);
    }
    return commit(tx, isolation);
}

/* What became of a transaction: committed → STATUS_OK, aborted → E_WRONG_STATE, else FAULT_DB_DOWN.
 */
static Status ask(struct db_conn *c, const char *xid, int64_t deadline) {
    for (;;) {
        _cleanup_(db_rows_free) struct db_rows *rows = NULL;
        Status s = conn_query(c, SQL_DB_XID_STATUS, &rows, DB_PARAMS(xid), deadline);
        const char *status;

        if (s != STATUS_OK)
            return FAULT_DB_DOWN;
        status = db_text(rows, 0, "status");
        if (status && strcmp(status, "committed") == 0)
            return STATUS_OK;
        if (status && strcmp(status, "aborted") == 0)
            return E_WRONG_STATE;
        if (!status || clock_monotonic_us() + ASK_MS * US_PER_MS >= deadline)
            return FAULT_DB_DOWN;
        pause_ms(ASK_MS); /* in progress: its server process has not noticed that we are gone */
    }
}

static Status resolve(struct db_pool *p, const char *xid) {
    int64_t deadline = clock_monotonic_us() + pool_statement_us(p);
    Status s = FAULT_DB_DOWN;

    while (s == FAULT_DB_DOWN && clock_monotonic_us() < deadline) {
        struct db_conn *c;

        s = pool_take(p, &c);
        if (s != STATUS_OK) {
            pause_ms(ASK_MS);
            continue;
        }
        s = ask(c, xid, deadline);
        pool_give(p, c, s == FAULT_DB_DOWN ? CONN_BROKEN : CONN_GOOD);
    }
    if (s == FAULT_DB_DOWN)
        fault_note("commit: not known whether transaction %s took effect", xid);
    return s;
}

Status db_tx_run(struct db_pool *p, const char *name, DbIsolation isolation, db_tx_fn *fn,
                 void *ctx) {
    for (int tries = 1, losses = 0;;) {
        struct db_tx tx = {.name = name, .statement_us = pool_statement_us(p)};
        Status s = pool_take(p, &tx.conn);

        if (s != STATUS_OK)
            return s;
        s = attempt(&tx, isolation, fn, ctx);
        pool_give(p, tx.conn, tx.late ? CONN_SILENT : tx.broken ? CONN_BROKEN : CONN_GOOD);
        if (tx.fate == TX_GOES_ON || tx.fate == TX_FAILED)
            return s;
        if (tx.fate == TX_AMBIGUOUS) {
            s = resolve(p, tx.xid);
            if (s != E_WRONG_STATE)
                return s;
            s = FAULT_DB_DOWN; /* it was rolled back: as if the connection had broken earlier */
        }
        if (tx.fate == TX_AGAIN) {
            if (tries++ == TRIES)
                return s;
            pause_ms(random_unit() * (PAUSE_MS << tries));
        } else if (losses++) {
            return s;
        }
    }
}

struct once {
    enum db_statement statement;
    struct db_rows **ret;
    const char *const *params;
    size_t n;
};

static Status once_fn(struct db_tx *tx, void *ctx) {
    const struct once *o = ctx;

    if (o->ret) {
        db_rows_free(*o->ret); /* of a try whose commit failed */
        *o->ret = NULL;
    }
    return db_query(tx, o->statement, o->ret, o->params, o->n);
}

Status db_once(struct db_pool *p, enum db_statement s, struct db_rows **ret,
               const char *const *params, size_t n) {
    struct once o = {.statement = s, .ret = ret, .params = params, .n = n};
    Status status;

    if (ret)
        *ret = NULL;
    status = db_tx_run(p, statements[s].name, DB_READ_COMMITTED, once_fn, &o);
    if (status != STATUS_OK && ret) {
        db_rows_free(*ret);
        *ret = NULL;
    }
    return status;
}
