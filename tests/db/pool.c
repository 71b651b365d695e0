/* tests/db/pool.c: transactions, refusals, races, deadlines, lost connections, restarts. */
#include "tests/support/pool.h"
#include "db/conn.h"
#include "tests/support/suite.h"
#include <libpq-fe.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

enum { FREEZES = 20 };

/* Server processes of the pool's connections to this test's database. */
static long backends(void) {
    return pg_number(url,
                     "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pool-test'"
                     " AND datname = current_database()");
}

static long backend(void) {
    return pg_number(url, "SELECT pid FROM pg_stat_activity WHERE application_name = 'pool-test'"
                          " AND datname = current_database()");
}

/* ---- what works ---- */

START_TEST(pool__transaction_commits) {
    size_t applied = 0;

    ck_assert_int_eq(db_tx_run(pool, "t", DB_READ_COMMITTED, read_and_append, &applied), STATUS_OK);
    ck_assert_int_ge((int)applied, 2);
    ck_assert_int_eq(records("inopnc"), 1);
    ck_assert_int_eq(db_tx_run(pool, "t", DB_SERIALIZABLE, read_and_append, &applied), STATUS_OK);
    ck_assert_int_eq(records("inopnc"), 2);
    ck_assert_int_eq(backends(), 1);
}
END_TEST

static Status no_statement(struct db_tx *tx, void *ctx) {
    (void)tx;
    return *(Status *)ctx;
}

START_TEST(pool__function_without_statements_decides_alone) {
    Status s = STATUS_OK;

    ck_assert_int_eq(db_tx_run(pool, "none", DB_READ_COMMITTED, no_statement, &s), STATUS_OK);
    s = E_BLOCKED;
    ck_assert_int_eq(db_tx_run(pool, "none", DB_READ_COMMITTED, no_statement, &s), E_BLOCKED);
    ck_assert_int_eq(ping(pool), STATUS_OK);
}
END_TEST

START_TEST(pool__values_come_back) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    char text[DB_TIME];

    free(pg_sql(url, "UPDATE schema_migration SET name = '{\"a\": [1, null]}' WHERE version = 1"));
    ck_assert_int_eq(db_once(pool, SQL_MIGRATE_APPLIED, &rows, DB_NO_PARAMS), STATUS_OK);
    ck_assert_int_eq(db_int(rows, 0, "version"), 1);
    ck_assert(!db_null(rows, 0, "name"));
    {
        json_auto_t *v = db_json(rows, 0, "name");

        ck_assert_int_eq((int)json_integer_value(json_pointer(v, "/a/0")), 1);
    }
    ck_assert_str_eq(db_time_text(INT64_C(1795557208123456), text), "2026-11-24T21:53:28.123456Z");
    ck_assert_str_eq(db_time_text(-1, text), "1969-12-31T23:59:59.999999Z");
    ck_assert_str_eq(DB_INT(-5), "-5");
}
END_TEST

START_TEST(pool__filled_before_it_is_needed) {
    ck_assert_int_eq(backends(), 0);
    ck_assert_int_eq(db_pool_fill(pool), STATUS_OK);
    ck_assert_int_eq(backends(), 4);
    ck_assert_int_eq(db_pool_fill(pool), STATUS_OK);
    ck_assert_int_eq(ping(pool), STATUS_OK);
    ck_assert_int_eq(backends(), 4);
}
END_TEST

static void expect_plan_mode(bool plan_once, const char *mode) {
    struct conn_target target;
    struct db_conn *c;
    PGresult *r;

    conn_target_init(&target, url, "pool-test", STATEMENT_MS, 0);
    target.plan_once = plan_once;
    ck_assert_int_eq(conn_open(&target, clock_monotonic_us() + 5 * US_PER_S, &c), STATUS_OK);
    ck_assert_int_eq(PQexitPipelineMode(c->pg), 1);
    r = PQexec(c->pg, "SHOW plan_cache_mode");
    ck_assert_str_eq(PQgetvalue(r, 0, 0), mode);
    PQclear(r);
    conn_close(c);
    conn_target_done(&target);
}

START_TEST(pool__plans_a_statement_once_where_that_is_asked) {
    expect_plan_mode(true, "force_generic_plan");
    expect_plan_mode(false, "auto");
}
END_TEST

/* ---- refusals ---- */

static Status duplicate(struct db_tx *tx, void *ctx) {
    Status s = db_query(tx, SQL_MIGRATE_RECORD, NULL, DB_PARAMS("1", "again", ""));

    snprintf(ctx, 64, "%s", db_tx_constraint(tx));
    return s;
}

START_TEST(pool__violation_is_a_refusal_that_names_the_constraint) {
    char constraint[64] = "";

    ck_assert_int_eq(db_tx_run(pool, "dup", DB_READ_COMMITTED, duplicate, constraint),
                     E_WRONG_STATE);
    ck_assert_str_eq(constraint, "schema_migration_pkey");
    ck_assert_int_eq(db_once(pool, SQL_MIGRATE_RECORD, NULL, DB_PARAMS("1", "again", "")),
                     E_WRONG_STATE);
    ck_assert_int_eq(backends(), 1);
}
END_TEST

static Status duplicate_in_savepoint(struct db_tx *tx, void *ctx) {
    char constraint[64];
    Status s = append(tx, "before");

    for (int i = 0; i < 12 && s == STATUS_OK; i++) /* more than one round of waiting commands */
        s = db_savepoint(tx, no_statement, &(Status){STATUS_OK});
    if (s != STATUS_OK || db_savepoint(tx, duplicate, constraint) != E_WRONG_STATE)
        return FAULT_BUG;
    s = db_savepoint(tx, append_fn, ctx);
    return s == STATUS_OK ? append(tx, "after") : s;
}

START_TEST(pool__savepoint_undoes_only_its_own) {
    char app[] = "inside";

    ck_assert_int_eq(db_tx_run(pool, "sp", DB_READ_COMMITTED, duplicate_in_savepoint, app),
                     STATUS_OK);
    ck_assert_int_eq(records("before") + records("inside") + records("after"), 3);
}
END_TEST

static Status ignores_a_refusal(struct db_tx *tx, void *ctx) {
    (void)duplicate(tx, ctx);
    return STATUS_OK;
}

START_TEST(pool__refusal_ignored_is_a_bug_not_a_success) {
    char constraint[64];

    ck_assert_int_eq(db_tx_run(pool, "ignores", DB_READ_COMMITTED, ignores_a_refusal, constraint),
                     FAULT_BUG);
    ck_assert_int_eq(ping(pool), STATUS_OK);
}
END_TEST

static Status bad_parameter(struct db_tx *tx, void *ctx) {
    (void)ctx;
    return db_query(tx, SQL_MIGRATE_RECORD, NULL, DB_PARAMS("no-number", "x", ""));
}

START_TEST(pool__wrong_statement_is_a_fault_and_says_what) {
    ck_assert_int_eq(db_tx_run(pool, "bad", DB_READ_COMMITTED, bad_parameter, NULL),
                     FAULT_DATABASE);
    ck_assert_msg(strstr(db_fault_text(), "migrate/record: 22P02"), "%s", db_fault_text());
    ck_assert_int_eq(ping(pool), STATUS_OK);
    ck_assert_int_eq(backends(), 1);
}
END_TEST

/* ---- races ---- */

struct race {
    pthread_barrier_t *both; /* both read before either writes; on the first try only */
    const char *app;
    int tries;
};

static Status read_then_write(struct db_tx *tx, void *ctx) {
    struct race *r = ctx;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_RECORD_CHAINS, &rows, DB_PARAMS("", NULL, "100"));

    if (s != STATUS_OK)
        return s;
    if (r->tries++ == 0)
        pthread_barrier_wait(r->both);
    return append(tx, r->app);
}

static Status write_two(struct db_tx *tx, void *ctx) {
    struct race *r = ctx;
    bool forward = strcmp(r->app, "a") == 0;
    Status s = append(tx, forward ? "a" : "b");

    if (s != STATUS_OK)
        return s;
    if (r->tries++ == 0)
        pthread_barrier_wait(r->both);
    return append(tx, forward ? "b" : "a");
}

struct runner {
    db_tx_fn *fn;
    DbIsolation isolation;
    struct race race;
    Status status;
};

static void *run_race(void *arg) {
    struct runner *r = arg;

    r->status = db_tx_run(pool, "race", r->isolation, r->fn, &r->race);
    return NULL;
}

/* Runs fn twice at once; returns how often they were run in all. */
static int race(db_tx_fn *fn, DbIsolation isolation) {
    pthread_barrier_t both;
    struct runner runners[2] = {{fn, isolation, {&both, "a", 0}, FAULT_BUG},
                                {fn, isolation, {&both, "b", 0}, FAULT_BUG}};
    pthread_t threads[2];

    pthread_barrier_init(&both, NULL, 2);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_race, &runners[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&both);
    ck_assert_int_eq(runners[0].status, STATUS_OK);
    ck_assert_int_eq(runners[1].status, STATUS_OK);
    return runners[0].race.tries + runners[1].race.tries;
}

START_TEST(pool__serialization_failure_runs_again) {
    ck_assert_int_ge(race(read_then_write, DB_SERIALIZABLE), 3);
    ck_assert_int_eq(records("a") + records("b"), 2);
}
END_TEST

START_TEST(pool__deadlock_runs_again) {
    ck_assert_int_ge(race(write_two, DB_READ_COMMITTED), 3);
    ck_assert_int_eq(records("a"), 2);
    ck_assert_int_eq(records("b"), 2);
}
END_TEST

enum { CONFLICTS = 5 };

/* Each try meets a conflicting commit of somebody else. */
static Status always_conflicts(struct db_tx *tx, void *ctx) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_RECORD_CHAINS, &rows, DB_PARAMS("", NULL, "100"));

    if (s != STATUS_OK)
        return s;
    ++*(int *)ctx;
    free(pg_sql(url, "SELECT record_append('x', '" ACTOR "', '', '', '', '', '{}', NULL)"));
    return append(tx, "x");
}

START_TEST(pool__endless_conflict_ends_after_five_tries) {
    int tries = 0;

    free(pg_sql(url, "SELECT record_append('x', '" ACTOR "', '', '', '', '', '{}', NULL)"));
    ck_assert_int_eq(db_tx_run(pool, "always", DB_SERIALIZABLE, always_conflicts, &tries),
                     FAULT_DB_DOWN);
    ck_assert_int_eq(tries, CONFLICTS);
    ck_assert_msg(strstr(db_fault_text(), "40001"), "%s", db_fault_text());
}
END_TEST

enum { THREADS = 12, CALLS = 60 };

static void *many_calls(void *arg) {
    for (int i = 0; i < CALLS; i++) {
        _cleanup_(db_rows_free) struct db_rows *rows = NULL;
        size_t applied;
        Status s = i % 3 ? db_once(pool, SQL_MIGRATE_APPLIED, &rows, DB_NO_PARAMS)
                         : db_tx_run(pool, "many", DB_READ_COMMITTED, read_and_append, &applied);

        if (s != STATUS_OK || (i % 3 && db_rows_count(rows) < 2))
            return arg;
    }
    return NULL;
}

START_TEST(pool__many_threads_share_few_connections) {
    pthread_t threads[THREADS];
    void *failed;

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, many_calls, pool), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    ck_assert_int_eq(records("inopnc"), THREADS * CALLS / 3);
    ck_assert_int_le(backends(), 4);
}
END_TEST

/* ---- deadlines ---- */

START_TEST(pool__stopped_backend_is_given_up_in_time) {
    int64_t start;
    long pid;

    ck_assert_int_eq(ping(pool), STATUS_OK);
    pid = backend();
    ck_assert_int_eq(kill((pid_t)pid, SIGSTOP), 0);
    start = clock_monotonic_us();
    ck_assert_int_eq(ping(pool), FAULT_DB_DOWN);
    ck_assert_int_ge(ms_since(start), STATEMENT_MS - 1);
    ck_assert_int_le(ms_since(start), STATEMENT_MS + GRACE_MS);
    ck_assert_msg(strstr(db_fault_text(), "no answer in time"), "%s", db_fault_text());
    start = clock_monotonic_us();
    ck_assert_int_eq(ping(pool), STATUS_OK); /* on another connection */
    ck_assert_int_lt(ms_since(start), STATEMENT_MS);
    kill((pid_t)pid, SIGCONT);
}
END_TEST

START_TEST(pool__lock_waits_no_longer_than_the_deadline) {
    PGconn *other = PQconnectdb(url);
    int64_t start = clock_monotonic_us();

    PQclear(PQexec(other, "BEGIN; LOCK TABLE schema_migration"));
    ck_assert_int_eq(db_once(pool, SQL_MIGRATE_APPLIED, NULL, DB_NO_PARAMS), FAULT_DB_DOWN);
    ck_assert_int_le(ms_since(start), STATEMENT_MS + GRACE_MS);
    PQfinish(other);
    ck_assert_int_eq(db_once(pool, SQL_MIGRATE_APPLIED, NULL, DB_NO_PARAMS), STATUS_OK);
}
END_TEST

static Status borrow_another(struct db_tx *tx, void *ctx) {
    int64_t start;
    Status s = db_query(tx, SQL_DB_PING, NULL, DB_NO_PARAMS);

    if (s != STATUS_OK)
        return s;
    start = clock_monotonic_us();
    s = ping(ctx);
    ck_assert_int_ge(ms_since(start), WAIT_MS - 1);
    ck_assert_int_le(ms_since(start), WAIT_MS + GRACE_MS);
    return s;
}

START_TEST(pool__exhausted_pool_refuses_after_its_wait) {
    struct db_pool *small = pool_at(url, 1);

    ck_assert_int_eq(db_tx_run(small, "outer", DB_READ_COMMITTED, borrow_another, small),
                     FAULT_DB_DOWN);
    ck_assert_msg(strstr(db_fault_text(), "became free"), "%s", db_fault_text());
    ck_assert_int_eq(ping(small), STATUS_OK);
    db_pool_free(small);
}
END_TEST

static void *ping_thread(void *p) {
    ck_assert_int_eq(ping(p), STATUS_OK);
    return NULL;
}

static void state_is(struct db_pool *p, int in_use, int idle, int waiting) {
    struct db_pool_state state = db_pool_state(p);

    ck_assert_str_eq(state.name, "pool-test");
    ck_assert_int_eq(state.size, 1);
    ck_assert_int_eq(state.in_use, in_use);
    ck_assert_int_eq(state.idle, idle);
    ck_assert_int_eq(state.waiting, waiting);
}

struct crowd {
    struct db_pool *pool;
    pthread_t other;
};

static Status make_another_wait(struct db_tx *tx, void *ctx) {
    struct crowd *c = ctx;

    (void)tx;
    ck_assert_int_eq(pthread_create(&c->other, NULL, ping_thread, c->pool), 0);
    while (db_pool_state(c->pool).waiting == 0)
        sched_yield();
    state_is(c->pool, 1, 0, 1);
    return STATUS_OK;
}

START_TEST(pool__says_who_uses_it_and_who_waits) {
    struct crowd c = {.pool = pool_waiting(url, 1, 10000)};

    state_is(c.pool, 0, 0, 0);
    ck_assert_int_eq(db_tx_run(c.pool, "crowd", DB_READ_COMMITTED, make_another_wait, &c),
                     STATUS_OK);
    pthread_join(c.other, NULL);
    state_is(c.pool, 0, 1, 0);
    db_pool_free(c.pool);
}
END_TEST

/* ---- lost connections ---- */

START_TEST(pool__terminated_idle_backend_is_not_noticed) {
    ck_assert_int_eq(append_once(pool, "inopnc"), STATUS_OK);
    terminate();
    ck_assert_int_eq(append_once(pool, "inopnc"), STATUS_OK);
    terminate();
    ck_assert_int_eq(db_tx_run(pool, "t", DB_READ_COMMITTED, append_fn, (char[]){"inopnc"}),
                     STATUS_OK);
    ck_assert_int_eq(records("inopnc"), 3);
}
END_TEST

static Status terminated_in_the_middle(struct db_tx *tx, void *ctx) {
    int *tries = ctx;
    Status s = append(tx, "inopnc");

    if (s != STATUS_OK)
        return s;
    if ((*tries)++ < 1)
        terminate();
    return append(tx, "inopnc");
}

START_TEST(pool__terminated_transaction_runs_again_once) {
    int tries = 0;

    ck_assert_int_eq(db_tx_run(pool, "t", DB_READ_COMMITTED, terminated_in_the_middle, &tries),
                     STATUS_OK);
    ck_assert_int_eq(tries, 2);
    ck_assert_int_eq(records("inopnc"), 2);
    tries = -1; /* terminated twice: enough */
    ck_assert_int_eq(db_tx_run(pool, "t", DB_READ_COMMITTED, terminated_in_the_middle, &tries),
                     FAULT_DB_DOWN);
    ck_assert_int_eq(records("inopnc"), 2);
}
END_TEST

/* What a worker that was stopped inside a transaction finds afterwards. */
static Status idle_too_long(struct db_tx *tx, void *ctx) {
    int *tries = ctx;
    Status s = append(tx, "inopnc");

    if (s != STATUS_OK)
        return s;
    while (*tries == 0 &&
           pg_number(url, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'idle'") >
               0)
        ;
    ++*tries;
    return append(tx, "inopnc");
}

START_TEST(pool__transaction_idle_too_long_runs_again) {
    struct db_pool *p = db_pool_new(&(struct db_settings){
        .url = url, .size = 1, .wait_ms = WAIT_MS, .idle_in_tx_ms = 100, .app_name = "idle"});
    int tries = 0;

    ck_assert_int_eq(db_tx_run(p, "idle", DB_READ_COMMITTED, idle_too_long, &tries), STATUS_OK);
    ck_assert_int_eq(tries, 2);
    ck_assert_int_eq(records("inopnc"), 2);
    db_pool_free(p);
}
END_TEST

/* A process that commits one statement after the other, all under the same lock. */
static pid_t appender(void) {
    pid_t child = fork();
    struct db_pool *p;

    if (child != 0)
        return child;
    p = db_pool_new(&(struct db_settings){
        .url = url, .size = 1, .wait_ms = WAIT_MS, .idle_in_tx_ms = 100, .app_name = "frozen"});
    for (;;)
        (void)append_once(p, "inopnc");
}

/* It is frozen wherever it happens to be, also between a statement and its commit. */
START_TEST(pool__frozen_process_lets_go_of_its_locks) {
    pid_t child = appender();
    long before;

    ck_assert_int_gt(child, 0);
    for (int i = 0; i < FREEZES; i++) {
        for (before = records("inopnc"); records("inopnc") < before + 3;)
            ;
        ck_assert_int_eq(kill(child, SIGSTOP), 0);
        ck_assert_int_eq(append_once(pool, "inopnc"), STATUS_OK);
        ck_assert_int_eq(kill(child, SIGCONT), 0);
    }
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

START_TEST(pool__restart_is_survived) {
    int64_t start;

    ck_assert_int_eq(append_once(pool, "inopnc"), STATUS_OK);
    ck_assert_int_eq(db_pool_ready(pool), STATUS_OK);
    pg_crash();
    start = clock_monotonic_us();
    ck_assert_int_eq(ping(pool), FAULT_DB_DOWN);
    ck_assert_int_le(ms_since(start), WAIT_MS + GRACE_MS);
    ck_assert_int_eq(db_pool_ready(pool), FAULT_DB_DOWN);
    start = clock_monotonic_us(); /* known to be away: refused at once, connection attempts apart */
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(ping(pool), FAULT_DB_DOWN);
    ck_assert_int_lt(ms_since(start), 50 * WAIT_MS / 2);
    pg_start_again();
    start = clock_monotonic_us();
    while (ping(pool) != STATUS_OK)
        ck_assert_int_le(ms_since(start), 4000);
    ck_assert_int_eq(append_once(pool, "inopnc"), STATUS_OK);
    ck_assert_int_eq(records("inopnc"), 2);
}
END_TEST

static void *start_soon(void *arg) {
    nanosleep(&(struct timespec){.tv_nsec = 100 * 1000000}, NULL);
    pg_start_again();
    return arg;
}

START_TEST(pool__short_outage_costs_only_time) {
    struct db_pool *patient =
        db_pool_new(&(struct db_settings){.url = url, .size = 2, .wait_ms = 10000});
    pthread_t thread;

    ck_assert_int_eq(ping(patient), STATUS_OK);
    pg_crash();
    ck_assert_int_eq(pthread_create(&thread, NULL, start_soon, NULL), 0);
    ck_assert_int_eq(append_once(patient, "inopnc"), STATUS_OK);
    pthread_join(thread, NULL);
    ck_assert_int_eq(records("inopnc"), 1);
    db_pool_free(patient);
}
END_TEST

int main(void) {
    pg_start_with((const char *const[]){"deadlock_timeout = 50ms", NULL});
    return RUN_SUITE_WITH(
        "pool", 60, setup, teardown, pool__transaction_commits,
        pool__function_without_statements_decides_alone, pool__values_come_back,
        pool__filled_before_it_is_needed, pool__plans_a_statement_once_where_that_is_asked,
        pool__violation_is_a_refusal_that_names_the_constraint, pool__savepoint_undoes_only_its_own,
        pool__refusal_ignored_is_a_bug_not_a_success,
        pool__wrong_statement_is_a_fault_and_says_what, pool__serialization_failure_runs_again,
        pool__deadlock_runs_again, pool__endless_conflict_ends_after_five_tries,
        pool__many_threads_share_few_connections, pool__stopped_backend_is_given_up_in_time,
        pool__lock_waits_no_longer_than_the_deadline, pool__exhausted_pool_refuses_after_its_wait,
        pool__says_who_uses_it_and_who_waits, pool__terminated_idle_backend_is_not_noticed,
        pool__terminated_transaction_runs_again_once, pool__transaction_idle_too_long_runs_again,
        pool__frozen_process_lets_go_of_its_locks, pool__restart_is_survived,
        pool__short_outage_costs_only_time);
}
