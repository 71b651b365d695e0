/* db/db.h: PostgreSQL under our own deadlines.  The only folder that includes libpq-fe.h.
 *
 * Statements are files under db/sql/ with typed headers; they are prepared lazily per connection.
 * libpq is driven non-blocking (facts/reliability.md, fact 4): a call past its deadline closes the
 * connection and is FAULT_DB_DOWN. */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"
#include "sql/statements.h"
#include <stdbool.h>
#include <stddef.h>

struct db_settings {
    const char *url;      /* libpq URL or keyword string; several hosts allowed; borrowed */
    int size;             /* connections at most; made when first needed */
    int wait_ms;          /* for a free connection; past it FAULT_DB_DOWN */
    int statement_ms;     /* deadline of each statement, ours; 0: 5000 */
    int idle_in_tx_ms;    /* idle_in_transaction_session_timeout; 0: the server's own */
    const char *app_name; /* application_name */
    bool plan_once;       /* a connection plans a statement once, not for each of its first five
                             executions: where what matters is how soon the first few are answered, and
                             statements find their rows by the same index whatever the values */
};

struct db_pool;
struct db_pool *db_pool_new(const struct db_settings *in); /* connects nothing yet */
void db_pool_free(struct db_pool *p);                      /* waits for lent connections */
/* Makes every connection now, so that what is reserved is there when it is needed, also when the
 * database takes no more.  FAULT_DB_DOWN when it could not. */
Status db_pool_fill(struct db_pool *p);
/* Whether the database answers and carries the schema of this program (a newer one too).  Cached
 * for a second, unless a connection failed since; while one caller looks, the others get the answer
 * before.  Any thread. */
Status db_pool_ready(struct db_pool *p);

struct db_pool_state {
    const char *name;                /* application_name; borrowed */
    int size, in_use, idle, waiting; /* waiting: threads */
};
struct db_pool_state db_pool_state(struct db_pool *p); /* any thread */

struct db_tx;
typedef enum DbIsolation { DB_READ_COMMITTED, DB_SERIALIZABLE } DbIsolation;
/* What runs inside a transaction.  It may be run again (40001, 40P01: at most 5 times, with
 * jitter): inputs are const, outputs are overwritten, no HTTP, no log, no remote call.  A refusal
 * or fault rolls back and is returned as it is. */
typedef Status db_tx_fn(struct db_tx *tx, void *ctx);
MUSTCHECK Status db_tx_run(struct db_pool *p, const char *name, DbIsolation isolation, db_tx_fn *fn,
                           void *ctx);
/* One statement in a transaction of its own: one round trip when it only reads.  Retried as
 * db_tx_run's.  It has a BEGIN too: PostgreSQL's limit on idle transactions, by which a frozen
 * process lets go of its locks, does not count for a pipeline whose Sync is held back. */
struct db_rows;
MUSTCHECK Status db_once(struct db_pool *p, enum db_statement s, struct db_rows **ret,
                         const char *const *params, size_t n);

/* Runs a statement.  Params are texts in PostgreSQL's own input form, NULL for null; the types are
 * in the file's header. *ret may be NULL when no rows matter; else it is yours, db_rows_free() it.
 * Constraint violations are returned as E_IN_USE (foreign key) or E_WRONG_STATE (unique) with
 * db_tx_constraint() naming the constraint: the caller turns them into its own refusal; they abort
 * the transaction unless inside db_savepoint.  So does E_FORBIDDEN: a record that the actor's kind
 * never makes (table duty), and E_APPROVAL_REQUIRED: a change of flags that needs approval and has
 * none, where db_tx_constraint() names the environment that asks for it. */
MUSTCHECK Status db_query(struct db_tx *tx, enum db_statement s, struct db_rows **ret,
                          const char *const *params, size_t n);
/* db_query for a statement that may have to wait for another transaction's row: at most wait_ms, on
 * top of the statement's own deadline.  Refuses E_OVERLOADED after that, which ends the
 * transaction.
 */
MUSTCHECK Status db_query_waiting(struct db_tx *tx, int wait_ms, enum db_statement s,
                                  struct db_rows **ret, const char *const *params, size_t n);
#define DB_PARAMS(...)                                                                             \
    (const char *const[]){__VA_ARGS__},                                                            \
        (sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
#define DB_NO_PARAMS NULL, 0
/* db_query(tx, SQL_APP_GET, &rows, DB_PARAMS(name)) */
const char *db_tx_constraint(const struct db_tx *tx); /* of the last violation, "" if none */
/* Runs fn inside a savepoint: what it refuses or violates undoes only what it did itself. */
MUSTCHECK Status db_savepoint(struct db_tx *tx, db_tx_fn *fn, void *ctx);
/* What PostgreSQL said at this thread's last fault, for the one line that the edge logs: "app/get:
 * 42703 column …";
 * "" when there was none.  Never holds values of parameters.  Valid until the thread's next fault.
 */
const char *db_fault_text(void);

size_t db_rows_count(const struct db_rows *r); /* NULL counts 0 */
int64_t db_rows_affected(const struct db_rows *r);
/* Values of row i by column name: a column that the statement does not have ends the process (a bug
 * that the first test shows).  Texts are borrowed from the rows. */
bool db_null(const struct db_rows *r, size_t i, const char *column);
const char *db_text(const struct db_rows *r, size_t i, const char *column); /* NULL for null */
int64_t db_int(const struct db_rows *r, size_t i, const char *column);      /* 0 for null */
bool db_bool(const struct db_rows *r, size_t i, const char *column);        /* false for null */
int64_t db_time(const struct db_rows *r, size_t i,
                const char *column); /* timestamptz: µs since 1970; 0 for null */
json_t *db_json(const struct db_rows *r, size_t i,
                const char *column); /* parsed, yours; NULL for null */
void db_rows_free(struct db_rows *r);
static inline void db_rows_free_cleanup(struct db_rows **r) {
    db_rows_free(*r);
}

unsigned char *db_bytea(const struct db_rows *r, size_t i, const char *column,
                        size_t *ret_n); /* yours; NULL for null */

/* Parameter texts. */
enum { DB_NUMBER = 24 };
char *db_number(int64_t n, char text[DB_NUMBER]);
#define DB_INT(n)  db_number((n), (char[DB_NUMBER]){0})
#define DB_BOOL(b) ((b) ? "true" : "false")
enum { DB_TIME = 40 };
char *db_time_text(int64_t us, char text[DB_TIME]); /* timestamptz from µs since 1970 */
#define DB_TIMESTAMP(us) db_time_text((us), (char[DB_TIME]){0})
char *db_bytea_text(const void *bytes, size_t n); /* bytea; yours */
/* text[] from strings ended by NULL; NULL for NULL.  In the arena. */
char *db_text_array(struct arena *a, const char *const *items);
