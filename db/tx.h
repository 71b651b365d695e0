/* db/tx.h: a transaction under way.  Private to db/. */
#pragma once
#include "db/conn.h"

typedef enum TxFate {
    TX_GOES_ON,
    TX_AGAIN,     /* 40001, 40P01: run fn again */
    TX_LOST,      /* the connection broke before COMMIT: run fn again, once, on another */
    TX_AMBIGUOUS, /* it broke during COMMIT: ask what became of the transaction */
    TX_FAILED,    /* tx.failure is final */
} TxFate;

enum { TX_COMMANDS = 16 };

struct db_tx {
    struct db_conn *conn;
    const char *name;
    int64_t statement_us;
    bool began;    /* something was sent */
    bool violated; /* a constraint; until a savepoint undoes it, the server refuses all that follows
                    */
    bool waiting;  /* the statement may wait for a lock: running out of that time is a refusal */
    bool late;     /* a deadline passed: the connection's siblings are suspect */
    bool broken;   /* the connection must be closed */
    const char *commands[TX_COMMANDS]; /* sent with the next statement: BEGIN, SAVEPOINT … */
    size_t commands_n;
    char lock_timeout[48]; /* one of the commands */
    char xid[XID_TEXT];    /* "" until it wrote */
    char constraint[64];
    TxFate fate;
    Status failure; /* once fate is not TX_GOES_ON */
};

/* Says what came of a round: moves fate, notes the fault.  STATUS_OK, a refusal (constraints) or
 * tx->failure. */
Status tx_judge(struct db_tx *tx, RoundOutcome o, const PGresult *r, const char *where);
/* Sends a round with the waiting commands, under the statement's deadline. */
RoundOutcome tx_round(struct db_tx *tx, struct round *r);
