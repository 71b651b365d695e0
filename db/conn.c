/* db/conn.c: sending, waiting and reading on one connection.
 *
 * Blocking libpq calls hang on a stopped server, whatever TCP time-outs are set
 * (facts/reliability.md, fact 4): here every wait is a poll() under a deadline, and a connection
 * past it is closed, never asked to cancel. */
#include "db/conn.h"
#include "base/clock.h"
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char fault_text[512];

const char *db_fault_text(void) {
    return fault_text;
}

void fault_note(const char *format, ...) {
    va_list args;

    va_start(args, format);
    vsnprintf(fault_text, sizeof fault_text, format, args);
    va_end(args);
}

const char *result_sqlstate(const PGresult *r) {
    const char *s = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;

    return s ? s : "";
}

void fault_note_result(const char *where, const PGresult *r) {
    const char *text = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;

    if (text)
        fault_note("%s: %s %s", where, result_sqlstate(r), text);
    else
        fault_note("%s: the connection was lost", where);
}

void conn_close(struct db_conn *c) {
    if (!c)
        return;
    PQfinish(c->pg);
    free(c);
}

/* ---- waiting ---- */

/* Waits until PQgetResult would not block.  ROUND_DONE or ROUND_LATE: a broken connection shows as
 * a result. */
static RoundOutcome await(struct db_conn *c, int64_t deadline) {
    for (;;) {
        int unsent = PQflush(c->pg);
        struct pollfd fd = {.fd = PQsocket(c->pg), .events = POLLIN};
        int64_t left;

        if (!PQisBusy(c->pg) || fd.fd < 0)
            return ROUND_DONE;
        left = deadline - clock_monotonic_us();
        if (left <= 0)
            return ROUND_LATE;
        if (unsent == 1)
            fd.events |= POLLOUT;
        if (poll(&fd, 1, (int)(left / US_PER_MS) + 1) > 0 && (fd.revents & ~POLLOUT))
            (void)PQconsumeInput(c->pg);
    }
}

static bool ended_by_server(const PGresult *r) {
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);

    return !severity || strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0;
}

/* COPY and the like, which nothing here asks for, count as lost. */
static RoundOutcome judge(const struct db_conn *c, const PGresult *r) {
    ExecStatusType status = PQresultStatus(r);

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY ||
        status == PGRES_PIPELINE_SYNC)
        return ROUND_DONE;
    if (status == PGRES_PIPELINE_ABORTED)
        return ROUND_REFUSED;
    if (status != PGRES_FATAL_ERROR || ended_by_server(r) || PQstatus(c->pg) == CONNECTION_BAD)
        return ROUND_LOST;
    return ROUND_REFUSED;
}

/* The answer to one command: its result and, behind it, the NULL that ends it. */
static RoundOutcome read_answer(struct db_conn *c, int64_t deadline, PGresult **ret) {
    PGresult *rest;

    if (await(c, deadline) != ROUND_DONE)
        return ROUND_LATE;
    *ret = PQgetResult(c->pg);
    if (!*ret)
        return ROUND_LOST;
    if (PQstatus(c->pg) == CONNECTION_BAD)
        return ROUND_LOST;
    if (await(c, deadline) != ROUND_DONE)
        return ROUND_LATE;
    rest = PQgetResult(c->pg);
    if (rest) {
        PQclear(rest);
        return ROUND_LOST;
    }
    return judge(c, *ret);
}

/* Reads on to the answer of a Sync.  An error on the way comes from the commit that the Sync stands
 * for. */
static RoundOutcome read_sync(struct db_conn *c, int64_t deadline, PGresult **ret_error) {
    RoundOutcome outcome = ROUND_DONE;

    for (unsigned nothing = 0; nothing < 4;) {
        PGresult *r;

        if (await(c, deadline) != ROUND_DONE)
            return ROUND_LATE;
        r = PQgetResult(c->pg);
        if (!r) {
            nothing++;
            continue;
        }
        nothing = 0;
        if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
            PQclear(r);
            return outcome;
        }
        if (judge(c, r) == ROUND_LOST || PQstatus(c->pg) == CONNECTION_BAD) {
            PQclear(r);
            return ROUND_LOST;
        }
        if (judge(c, r) == ROUND_REFUSED && ret_error) {
            PQclear(*ret_error);
            *ret_error = r;
            outcome = ROUND_REFUSED;
        } else {
            PQclear(r);
        }
    }
    return ROUND_LOST;
}

static RoundOutcome settle(struct db_conn *c, int64_t deadline) {
    while (c->owed) {
        RoundOutcome outcome = read_sync(c, deadline, NULL);

        if (outcome != ROUND_DONE)
            return outcome;
        c->owed--;
    }
    return ROUND_DONE;
}

bool conn_alive(struct db_conn *c) {
    for (;;) {
        struct pollfd fd = {.fd = PQsocket(c->pg), .events = POLLIN};

        if (PQstatus(c->pg) != CONNECTION_OK || fd.fd < 0)
            return false;
        if (poll(&fd, 1, 0) <= 0)
            break;
        if (!PQconsumeInput(c->pg))
            return false;
    }
    while (c->owed && !PQisBusy(c->pg)) {
        if (settle(c, 0) != ROUND_DONE)
            return PQstatus(c->pg) == CONNECTION_OK;
    }
    return PQstatus(c->pg) == CONNECTION_OK;
}

/* ---- rounds ---- */

static bool send_command(struct db_conn *c, const char *text) {
    return PQsendQueryParams(c->pg, text, 0, NULL, NULL, NULL, NULL, 0) == 1;
}

/* Sends the statement, before it its preparation where this connection has none yet. */
static bool send_statement(struct db_conn *c, enum db_statement s, const char *const *params,
                           size_t n, bool *ret_prepares) {
    const struct statement *st = &statements[s];
    Oid types[STATEMENT_PARAMS];

    *ret_prepares = !c->prepared[s];
    if (*ret_prepares) {
        size_t want = statement_types(s, types);

        if (want != n)
            die("db/sql/%s.sql takes %zu parameters, not %zu", st->name, want, n);
        if (PQsendPrepare(c->pg, st->name, st->text, (int)n, types) != 1)
            return false;
    }
    return PQsendQueryPrepared(c->pg, st->name, (int)n, params, NULL, NULL, 0) == 1;
}

static bool send_round(struct db_conn *c, const struct round *r, bool *ret_prepares,
                       bool *ret_prepares_xid) {
    *ret_prepares = *ret_prepares_xid = false;
    for (size_t i = 0; i < r->commands_n; i++)
        if (!send_command(c, r->commands[i]))
            return false;
    if (r->statement != NO_STATEMENT &&
        !send_statement(c, (enum db_statement)r->statement, r->params, r->params_n, ret_prepares))
        return false;
    if (r->xid && !send_statement(c, SQL_DB_XID, NULL, 0, ret_prepares_xid))
        return false;
    return PQpipelineSync(c->pg) == 1;
}

/* Reads one answer; the first failure stays in r->result, and a failure does not end the reading:
 * what was skipped because of it answers too. */
static RoundOutcome take_answer(struct db_conn *c, struct round *r, int64_t deadline,
                                RoundOutcome so_far, PGresult **ret) {
    _cleanup_(PQclear) PGresult *result = NULL;
    RoundOutcome outcome = read_answer(c, deadline, &result);

    if (outcome == ROUND_DONE && so_far == ROUND_DONE) {
        PQclear(*ret);
        *ret = TAKE_PTR(result);
        return ROUND_DONE;
    }
    if (outcome == ROUND_DONE)
        return so_far;
    if (so_far == ROUND_DONE) {
        PQclear(r->result);
        r->result = TAKE_PTR(result);
    }
    return outcome;
}

static bool ends_connection(RoundOutcome o) {
    return o == ROUND_LOST || o == ROUND_LATE;
}

static RoundOutcome read_round(struct db_conn *c, struct round *r, bool prepares, bool prepares_xid,
                               int64_t deadline) {
    _cleanup_(PQclear) PGresult *other = NULL;
    RoundOutcome o = settle(c, deadline);

    for (size_t i = 0; i < r->commands_n && !ends_connection(o); i++)
        o = take_answer(c, r, deadline, o, &r->result);
    if (prepares && !ends_connection(o)) {
        o = take_answer(c, r, deadline, o, &other);
        c->prepared[r->statement] = o == ROUND_DONE;
    }
    if (r->statement != NO_STATEMENT && !ends_connection(o))
        o = take_answer(c, r, deadline, o, &r->result);
    if (prepares_xid && !ends_connection(o)) {
        o = take_answer(c, r, deadline, o, &other);
        c->prepared[SQL_DB_XID] = o == ROUND_DONE;
    }
    if (r->xid && !ends_connection(o)) {
        o = take_answer(c, r, deadline, o, &other);
        if (o == ROUND_DONE && !PQgetisnull(other, 0, 0))
            snprintf(r->xid, XID_TEXT, "%s", PQgetvalue(other, 0, 0));
    }
    return o;
}

RoundOutcome conn_round(struct db_conn *c, struct round *r, int64_t deadline) {
    bool prepares, prepares_xid;
    RoundOutcome o, end;

    r->result = NULL;
    if (!send_round(c, r, &prepares, &prepares_xid))
        return ROUND_LOST;
    o = read_round(c, r, prepares, prepares_xid, deadline);
    if (ends_connection(o))
        return o;
    end = read_sync(c, deadline, o == ROUND_DONE ? &r->result : NULL);
    if (end == ROUND_REFUSED || ends_connection(end))
        return end;
    return o;
}

void conn_post(struct db_conn *c, const char *const *commands, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!send_command(c, commands[i]))
            return;
    if (PQpipelineSync(c->pg) != 1)
        return;
    c->owed++;
    (void)PQflush(c->pg);
}

RoundOutcome conn_script(struct db_conn *c, const char *text, int64_t deadline, PGresult **ret) {
    RoundOutcome outcome = settle(c, deadline);

    *ret = NULL;
    if (outcome != ROUND_DONE)
        return outcome;
    if (!PQexitPipelineMode(c->pg) || !PQsendQuery(c->pg, text))
        return ROUND_LOST;
    for (;;) {
        PGresult *r;

        if (await(c, deadline) != ROUND_DONE)
            return ROUND_LATE;
        r = PQgetResult(c->pg);
        if (!r)
            break;
        if (outcome == ROUND_DONE && (outcome = judge(c, r)) != ROUND_DONE)
            *ret = r;
        else
            PQclear(r);
    }
    if (PQstatus(c->pg) != CONNECTION_OK || !PQenterPipelineMode(c->pg))
        return ROUND_LOST;
    return outcome;
}

Status conn_query(struct db_conn *c, enum db_statement s, struct db_rows **ret,
                  const char *const *params, size_t n, int64_t deadline) {
    struct round r = {.statement = (int)s, .params = params, .params_n = n};
    _cleanup_(PQclear) PGresult *result = NULL;
    RoundOutcome o = conn_round(c, &r, deadline);

    result = r.result;
    if (ret)
        *ret = NULL;
    if (o == ROUND_DONE) {
        if (ret)
            *ret = rows_wrap(TAKE_PTR(result), s);
        return STATUS_OK;
    }
    if (o == ROUND_LATE)
        fault_note("%s: no answer in time", statements[s].name);
    else
        fault_note_result(statements[s].name, result);
    return o == ROUND_REFUSED ? FAULT_DATABASE : FAULT_DB_DOWN;
}
