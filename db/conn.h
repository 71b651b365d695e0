/* db/conn.h: one connection, driven non-blocking under our own deadlines.  Private to db/.
 *
 * The connection stays in libpq's pipeline mode: what is sent together costs one round trip.  Used
 * by one thread at a time.  Deadlines are of clock_monotonic_us(). */
#pragma once
#include "base/cleanup.h"
#include "db/db.h"
#include "db/statement.h"
#include <libpq-fe.h>
#include <stdatomic.h>

/* Where to connect and how.  Several hosts of one URL are tried in order; after one that did not
 * answer in time the next attempt begins with the host after it. */
struct conn_target {
    char *url, *app_name; /* owned */
    int statement_ms, idle_in_tx_ms;
    int server_timeout_ms; /* statement_timeout; -1: none */
    bool plan_once;        /* as in struct db_settings */
    atomic_uint rotation;
};
void conn_target_init(struct conn_target *t, const char *url, const char *app_name,
                      int statement_ms, int idle_in_tx_ms);
void conn_target_done(struct conn_target *t);

struct db_conn {
    PGconn *pg;
    unsigned owed; /* rounds whose answers nobody waits for; read before the next one's */
    bool prepared[SQL_STATEMENTS];
    struct db_conn *next; /* of the pool's idle list */
};

/* STATUS_OK or FAULT_DB_DOWN, with the reason in db_fault_text(). */
MUSTCHECK Status conn_open(struct conn_target *t, int64_t deadline, struct db_conn **ret);
/* Whether an idle connection still stands; reads what came meanwhile, never waits. */
bool conn_alive(struct db_conn *c);
void conn_close(struct db_conn *c); /* NULL-safe; never waits */

typedef enum RoundOutcome {
    ROUND_DONE,
    ROUND_REFUSED, /* the server answered ERROR: round.result says which; the connection goes on */
    ROUND_LOST,    /* the connection broke or was ended by the server: close it */
    ROUND_LATE,    /* no answer by the deadline: close it */
} RoundOutcome;

enum { NO_STATEMENT = -1, XID_TEXT = 24 };

/* What goes out together.  Commands are texts without parameters ("BEGIN", "SAVEPOINT s"). */
struct round {
    const char *const *commands;
    size_t commands_n;
    int statement; /* enum db_statement or NO_STATEMENT */
    const char *const *params;
    size_t params_n;
    char *xid; /* XID_TEXT bytes: filled with the transaction's id once it has one; NULL: do not ask
                */
    PGresult *result; /* out: of the statement, or the first that failed; else of the last command;
                         yours */
};
RoundOutcome conn_round(struct db_conn *c, struct round *r, int64_t deadline);
/* Sends commands and a Sync whose answers nobody waits for. */
void conn_post(struct db_conn *c, const char *const *commands, size_t n);
/* Runs a script of several statements, outside pipeline mode.  ROUND_REFUSED: *ret is the failed
 * result, yours. */
RoundOutcome conn_script(struct db_conn *c, const char *text, int64_t deadline, PGresult **ret);
/* One statement that ends with the round.  Maps what came of it to a Status; rows in *ret unless
 * NULL. */
MUSTCHECK Status conn_query(struct db_conn *c, enum db_statement s, struct db_rows **ret,
                            const char *const *params, size_t n, int64_t deadline);

/* ---- faults ---- */
void fault_note(const char *format, ...) PRINTF(1, 2); /* what db_fault_text() says from now on */
void fault_note_result(const char *where, const PGresult *r);
const char *result_sqlstate(const PGresult *r); /* never NULL; "" when the client made it up */

DEFINE_CLEANUP(PQclear, PGresult *);

/* ---- rows ---- */
struct db_rows *rows_wrap(PGresult *r, enum db_statement s); /* takes r */

/* ---- the pool, as transactions see it ---- */
MUSTCHECK Status pool_take(struct db_pool *p, struct db_conn **ret);
typedef enum ConnFate {
    CONN_GOOD,
    CONN_BROKEN,
    CONN_SILENT /* no answer: its idle siblings are suspect */
} ConnFate;
void pool_give(struct db_pool *p, struct db_conn *c, ConnFate fate);
int64_t pool_statement_us(const struct db_pool *p);
