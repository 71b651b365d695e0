/* tests/support/pool.h: what the suites of the pool share: a database, a pool with short deadlines,
 * and a fact to write. */
#pragma once
#include "base/cleanup.h"
#include "base/clock.h"
#include "db/db.h"
#include "db/record.h"
#include "tests/support/pg.h"

#define ACTOR "{\"kind\": \"service\"}"
/* GRACE_MS: what a loaded machine may take longer, under sanitizers too. */
enum { STATEMENT_MS = 800, WAIT_MS = 600, GRACE_MS = 3000 };

static char *url;
static struct db_pool *pool;

static inline struct db_pool *pool_waiting(const char *at, int size, int wait_ms) {
    return db_pool_new(&(struct db_settings){.url = at,
                                             .size = size,
                                             .wait_ms = wait_ms,
                                             .statement_ms = STATEMENT_MS,
                                             .app_name = "pool-test"});
}

static inline struct db_pool *pool_at(const char *at, int size) {
    return pool_waiting(at, size, WAIT_MS);
}

static inline void setup(void) {
    url = pg_database();
    pool = pool_at(url, 4);
}

static inline void teardown(void) {
    db_pool_free(pool);
    free(url);
}

static inline Status ping(struct db_pool *p) {
    return db_once(p, SQL_DB_PING, NULL, DB_NO_PARAMS);
}

static inline int64_t ms_since(int64_t us) {
    return (clock_monotonic_us() - us) / US_PER_MS;
}

static inline Status append(struct db_tx *tx, const char *app) {
    return record_append(tx, &(struct record_entry){.app = app,
                                                    .actor = ACTOR,
                                                    .from = "test",
                                                    .action = "app.put",
                                                    .subject = app,
                                                    .message = "A test."});
}

static inline Status append_fn(struct db_tx *tx, void *ctx) {
    return append(tx, ctx);
}

static inline Status append_once(struct db_pool *p, const char *app) {
    return db_once(p, SQL_RECORD_APPEND, NULL,
                   DB_PARAMS(app, ACTOR, "test", "app.put", app, "A test.", "{}", NULL, NULL));
}

static inline long records(const char *app) {
    return pg_number(url, "SELECT count(*) FROM record WHERE chain = '%s'", app);
}

static inline void terminate(void) {
    free(pg_sql(url, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE "
                     "application_name = 'pool-test'"
                     " AND datname = current_database()"));
}

static inline Status read_and_append(struct db_tx *tx, void *ctx) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_MIGRATE_APPLIED, &rows, DB_NO_PARAMS);

    if (s != STATUS_OK)
        return s;
    *(size_t *)ctx = db_rows_count(rows);
    return append(tx, "inopnc");
}
