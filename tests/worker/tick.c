/* What the worker's transactions promise: tick_commit, the lease, an abort.  PostgreSQL alone. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "db/db.h"
#include "db/session.h"
#include "tests/support/pg.h"
#include "tests/support/rows.h"
#include "tests/support/suite.h"
#include "worker/verbs.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ENVIRONMENT "0190b6a0-0000-7000-8000-000000000001"
#define DEPLOYMENT  "0190b6a0-0000-7000-8000-000000000002"
#define RELEASE     "0190b6a0-0000-7000-8000-000000000003"
#define OP          "0190b6a0-0000-7000-8000-00000000000"

static char *url;
static struct db_pool *pool;

/* One environment whose deployment runs: epoch 7 is held by 41, whose process nobody knows. */
static void setup(void) {
    url = pg_database();
    pool = db_pool_new(&(struct db_settings){.url = url, .size = 8, .wait_ms = 5000});
    free(pg_sql(
        url,
        ROWS_INOPNC(ENVIRONMENT, RELEASE) ROWS_DEPLOYMENTS(
            ENVIRONMENT, RELEASE,
            "('" DEPLOYMENT
            "', 'running')") "INSERT INTO step (deployment_id, ordinal, name, title, state)"
                             " VALUES ('" DEPLOYMENT "', 1, 'resolve', 'R', 'done'),"
                             " ('" DEPLOYMENT "', 2, 'apply', 'A', 'running'), ('" DEPLOYMENT
                             "', 3, 'promote', 'P',"
                             " 'pending');"
                             "INSERT INTO intent (op, deployment_id, job, step, purpose, kind, "
                             "name, write, epoch)"
                             " VALUES ('" OP "0', '" DEPLOYMENT
                             "', 'deploy', 'apply', 'seize-service', 'Service',"
                             " 'inopnc-prod', '{}', 7);"
                             "INSERT INTO environment_lease (environment_id, epoch, holder, until)"
                             " VALUES ('" ENVIRONMENT
                             "', 7, 41, clock_timestamp() + interval '1 minute')"));
}

static void teardown(void) {
    db_pool_free(pool);
    free(url);
}

/* Everything that is stored, as one digest. */
static char *everything(void) {
    static const char *const tables[] = {"app",     "cluster",          "environment", "deployment",
                                         "step",    "intent",           "chain",       "record",
                                         "release", "environment_lease"};
    _cleanup_free_ char *sql = xstrdup("SELECT md5(concat(");

    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char *longer = xasprintf("%s%s(SELECT string_agg(t::text, '|' ORDER BY t::text) FROM %s t)",
                                 sql, i ? ", '#', " : "", tables[i]);

        free(sql);
        sql = longer;
    }
    return pg_sql(url, "%s))", sql);
}

static Status commit(int64_t epoch, int64_t holder, const char *changes, bool *ret_held) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_once(pool, SQL_TICK_COMMIT, &rows,
                       DB_PARAMS(ENVIRONMENT, DEPLOYMENT, DB_INT(epoch), DB_INT(holder), changes));

    *ret_held = !s && db_bool(rows, 0, "held");
    return s;
}

static void commit_held(const char *changes) {
    bool held;

    ck_assert_int_eq(commit(7, 41, changes, &held), STATUS_OK);
    ck_assert(held);
}

static void *commit_thread(void *changes) {
    commit_held(changes);
    return NULL;
}

/* Until a tick waits for a lock. */
static void await_waiting_tick(void) {
    int64_t late = clock_monotonic_us() + 20 * US_PER_S;

    while (pg_number(url, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND"
                          " query LIKE '%%tick_commit%%' AND pid <> pg_backend_pid()") == 0)
        ck_assert(clock_monotonic_us() < late);
}

#define WHOLE                                                                                      \
    "\"results\": [{\"op\": \"" OP "0\", \"result\": \"done\", \"resource_version\": \"5\"}],"     \
    "\"steps\": [{\"name\": \"apply\", \"state\": \"done\", \"detail\": \"applied\"},"             \
    "{\"name\": \"promote\", \"state\": \"running\", \"detail\": \"\"}],"                          \
    "\"current_step\": \"promote\", \"resolved\": {\"color\": \"blue\"},"                          \
    "\"intents\": [{\"op\": \"" OP "1\", \"job\": \"deploy\", \"step\": \"promote\", \"purpose\":" \
    " \"p\", \"kind\": \"Service\", \"name\": \"s\", \"write\": {\"verb\": \"merge\"}}],"          \
    "\"records\": [{\"action\": \"step.completed\", \"message\": \"one\", \"data\": {}},"          \
    "{\"action\": \"step.started\", \"message\": \"two\", \"data\": {\"n\": 2}}]"

START_TEST(law5__a_tick_of_a_stale_holder_changes_nothing) {
    static const char *const changes[] = {
        "{" WHOLE "}",
        "{" WHOLE ", \"cutover\": true}",
        "{" WHOLE ", \"state\": \"succeeded\", \"end\": true}",
        "{" WHOLE ", \"state\": \"stuck\", \"release\": true}",
    };
    static const struct { int64_t epoch, holder; } stale[] = {{6, 41}, {8, 41}, {7, 42}, {0, 0}};
    _cleanup_free_ char *before = everything();
    bool held;

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        for (size_t k = 0; k < sizeof stale / sizeof *stale; k++) {
            _cleanup_free_ char *after = NULL;
            Status s = commit(stale[k].epoch, stale[k].holder, changes[i], &held);

            after = everything();
            ck_assert_str_eq(after, before);
            ck_assert(!held);
            ck_assert(s == STATUS_OK || i == 1 || i == 2); /* these end as an exception */
        }
}
END_TEST

START_TEST(law5__a_cleared_lease_takes_no_tick) {
    _cleanup_free_ char *before = NULL, *after = NULL;
    bool held;

    free(pg_sql(url, "UPDATE environment_lease SET holder = NULL, until = NULL"));
    before = everything();
    ck_assert_int_eq(commit(7, 41, "{" WHOLE "}", &held), STATUS_OK);
    after = everything();
    ck_assert(!held);
    ck_assert_str_eq(after, before);
}
END_TEST

START_TEST(tick_commit__stores_everything_of_a_tick) {
    commit_held("{" WHOLE "}");
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM intent WHERE op = '" OP "0' AND result ="
                                    " 'done' AND resource_version = '5' AND result_at IS NOT NULL"),
                     1);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM intent WHERE op = '" OP "1' AND epoch = 7"
                                    " AND result IS NULL AND write->>'verb' = 'merge'"),
                     1);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM step WHERE name = 'apply' AND state ="
                                    " 'done' AND ended_at IS NOT NULL AND detail = 'applied'"),
                     1);
    ck_assert_int_eq(pg_number(url, "SELECT attempt FROM step WHERE name = 'promote' AND"
                                    " started_at IS NOT NULL AND ended_at IS NULL"),
                     1);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM deployment WHERE current_step ="
                                    " 'promote' AND plan->'resolved'->>'color' = 'blue'"),
                     1);
}
END_TEST

START_TEST(tick_commit__appends_records_in_order_to_the_environments_chain) {
    _cleanup_free_ char *actions = NULL;

    commit_held("{" WHOLE "}");
    commit_held("{\"records\": [{\"action\": \"third\", \"message\": \"m\"}]}");
    actions =
        pg_sql(url, "SELECT string_agg(seq || ' ' || action || ' ' || (line::json->>'message')"
                    ", ', ' ORDER BY seq) FROM record WHERE chain = 'inopnc/production'"
                    " AND deployment_id = '" DEPLOYMENT "'");
    ck_assert_str_eq(actions, "1 step.completed one, 2 step.started two, 3 third m");
    ck_assert_int_eq(pg_number(url, "SELECT count(DISTINCT xid) FROM record"), 2);
}
END_TEST

/* The chain's head is what serialises an environment's writers: nothing else may wait behind it. */
START_TEST(tick_commit__appends_records_last) {
    struct pg_session *other;
    pthread_t thread;

    commit_held("{\"records\": [{\"action\": \"first\", \"message\": \"m\"}]}");
    other = pg_hold(url, "SELECT 1 FROM chain FOR UPDATE");
    ck_assert_int_eq(
        pthread_create(&thread, NULL, commit_thread, (void *)(uintptr_t) "{" WHOLE "}"), 0);
    await_waiting_tick();
    /* it waits for the head and has written all the rest: those rows are locked */
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM (SELECT 1 FROM step WHERE name = 'apply'"
                                    " FOR UPDATE SKIP LOCKED) s"),
                     0);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM (SELECT 1 FROM intent FOR UPDATE SKIP"
                                    " LOCKED) s"),
                     0);
    pg_let_go(other, NULL);
    pthread_join(thread, NULL);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM record"), 3);
}
END_TEST

START_TEST(law8__a_tick_whose_record_fails_is_none) {
    _cleanup_free_ char *before = everything(), *after = NULL;
    bool held;

    ck_assert_int_ne(commit(7, 41,
                            "{\"state\": \"undoing\", \"records\": [{\"message\": \"no action\"}]}",
                            &held),
                     STATUS_OK);
    after = everything();
    ck_assert_str_eq(after, before);
}
END_TEST

START_TEST(tick_commit__keeps_the_first_result) {
    commit_held("{" WHOLE "}");
    commit_held("{\"results\": [{\"op\": \"" OP "0\", \"result\": \"refused\","
                " \"resource_version\": \"6\"}]}");
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM intent WHERE op = '" OP "0' AND result ="
                                    " 'done' AND resource_version = '5'"),
                     1);
}
END_TEST

#define SWITCH(n)                                                                                  \
    "{\"intents\": [{\"op\": \"" OP n "\", \"job\": \"deploy\", \"step\": \"switch-traffic\","     \
    " \"purpose\": \"switch\", \"kind\": \"Service\", \"name\": \"s\", \"write\": {}}],"           \
    " \"cutover\": true}"

START_TEST(law5__one_intent_of_a_purpose) {
    _cleanup_free_ char *before = NULL, *after = NULL;
    bool held;

    commit_held(SWITCH("1"));
    before = everything();
    ck_assert_int_ne(commit(7, 41, SWITCH("2"), &held), STATUS_OK);
    commit_held("{}");
    after = everything();
    ck_assert_str_eq(after, before);
    free(pg_sql(url, "UPDATE intent SET result = 'done' WHERE op = '" OP "1'"));
    ck_assert_int_ne(commit(7, 41, SWITCH("2"), &held), STATUS_OK);
    free(pg_sql(url, "ALTER TABLE intent DISABLE TRIGGER USER;"
                     "UPDATE intent SET result = 'refused' WHERE op = '" OP "1';"
                     "ALTER TABLE intent ENABLE TRIGGER USER"));
    ck_assert_int_ne(commit(7, 41, SWITCH("2"), &held), STATUS_OK);
    free(pg_sql(url, "UPDATE intent SET result = 'void' WHERE op = '" OP "1'"));
    commit_held(SWITCH("2"));
}
END_TEST

START_TEST(law4__the_cutover_is_serialised_with_gate_facts) {
    struct pg_session *fact =
        pg_hold(url, "UPDATE environment SET gate_version = gate_version + 1");
    pthread_t thread;

    commit_held("{" WHOLE "}"); /* an ordinary tick does not wait for it */
    ck_assert_int_eq(pthread_create(&thread, NULL, commit_thread, (void *)(uintptr_t)SWITCH("2")),
                     0);
    await_waiting_tick();
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM intent WHERE purpose = 'switch'"), 0);
    pg_let_go(fact, NULL);
    pthread_join(thread, NULL);
    ck_assert_int_eq(pg_number(url, "SELECT gate_version FROM environment"), 2);
    ck_assert_int_eq(pg_number(url, "SELECT cutover FROM environment"), 0);
}
END_TEST

START_TEST(tick_commit__an_end_gives_the_lease_back_and_is_counted) {
    commit_held("{\"state\": \"succeeded\", \"end\": true}");
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM environment_lease WHERE holder IS NULL"
                                    " AND until IS NULL AND epoch = 7"),
                     1);
    ck_assert_int_eq(pg_number(url, "SELECT cutover FROM environment WHERE gate_version = 1"), 1);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM deployment WHERE state = 'succeeded' AND"
                                    " ended_at IS NOT NULL"),
                     1);
}
END_TEST

/* 1 when the statement ran. */
static long runs(const char *statement) {
    return pg_number(url,
                     "CREATE OR REPLACE FUNCTION runs() RETURNS int LANGUAGE plpgsql AS $f$ BEGIN "
                     "%s; RETURN 1; EXCEPTION WHEN OTHERS THEN RETURN 0; END $f$; SELECT runs()",
                     statement);
}

START_TEST(law8__a_final_state_is_never_left) {
    static const char *const final[] = {"succeeded", "failed", "aborted", "rolled_back",
                                        "canceled"};
    static const char *const others[] = {"running", "undoing",   "stuck",  "paused",
                                         "queued",  "succeeded", "failed", "aborted"};

    for (size_t i = 0; i < sizeof final / sizeof *final; i++) {
        free(pg_sql(url,
                    "ALTER TABLE deployment DISABLE TRIGGER USER;"
                    "UPDATE deployment SET state = '%s';"
                    "ALTER TABLE deployment ENABLE TRIGGER USER",
                    final[i]));
        for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
            _cleanup_free_ char *leave = xasprintf("UPDATE deployment SET state = '%s'", others[k]);

            ck_assert_int_eq(runs(leave), strcmp(final[i], others[k]) == 0);
        }
        ck_assert_int_eq(runs("UPDATE deployment SET rolled_back_by = gen_random_uuid()"), i == 0);
    }
}
END_TEST

START_TEST(law1__a_second_active_deployment_is_refused) {
    static const char *const active[] = {"running", "paused", "undoing", "stuck"};

    for (size_t i = 0; i < sizeof active / sizeof *active; i++)
        for (size_t k = 0; k < sizeof active / sizeof *active; k++) {
            _cleanup_free_ char *second = xasprintf(
                "INSERT INTO deployment (id, environment_id, app, environment, release_id, version,"
                " strategy, kind, state, requested_by, plan) SELECT gen_random_uuid(),"
                " environment_id, app, environment, release_id, version, strategy, kind, '%s',"
                " '{}', '{}' FROM deployment LIMIT 1",
                active[k]);

            free(pg_sql(url, "UPDATE deployment SET state = '%s'", active[i]));
            ck_assert_int_eq(runs(second), 0);
        }
}
END_TEST

/* ---- the lease ---- */

static int64_t claim(const char *environment, int64_t holder) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;

    ck_assert_int_eq(
        db_once(pool, SQL_LEASE_CLAIM, &rows, DB_PARAMS(environment, DB_INT(holder), "60000")),
        STATUS_OK);
    return db_rows_count(rows) ? db_int(rows, 0, "epoch") : 0;
}

static int claimable(void) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;

    ck_assert_int_eq(db_once(pool, SQL_LEASE_CLAIMABLE, &rows, DB_PARAMS("100")), STATUS_OK);
    return (int)db_rows_count(rows);
}

static bool lease_check(int64_t epoch, int64_t holder) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;

    ck_assert_int_eq(db_once(pool, SQL_LEASE_CHECK, &rows,
                             DB_PARAMS(ENVIRONMENT, DB_INT(epoch), DB_INT(holder))),
                     STATUS_OK);
    return db_bool(rows, 0, "held");
}

START_TEST(lease__of_a_dead_holder_is_taken_at_once_of_a_living_one_not) {
    struct db_replica *first = db_replica_open(url, NULL, NULL), *second;
    int64_t one = db_replica_wait(first, 10000), two;

    ck_assert_int_eq(claimable(), 1); /* 41 is nobody */
    ck_assert_int_eq(claim(ENVIRONMENT, one), 8);
    second = db_replica_open(url, NULL, NULL);
    two = db_replica_wait(second, 10000);
    ck_assert_int_eq(claimable(), 0);
    ck_assert_int_eq(claim(ENVIRONMENT, two), 0);
    ck_assert(lease_check(8, one));
    ck_assert(!lease_check(7, one) && !lease_check(9, one) && !lease_check(8, two));
    ck_assert_int_eq(claim(ENVIRONMENT, one), 9); /* our own, again: a new epoch */
    ck_assert(!lease_check(8, one));
    db_replica_close(first); /* dies, long before `until` */
    for (int64_t late = clock_monotonic_us() + 10 * US_PER_S; claimable() == 0;)
        ck_assert(clock_monotonic_us() < late); /* its backend ends a moment later */
    ck_assert_int_eq(claim(ENVIRONMENT, two), 10);
    db_replica_close(second);
}
END_TEST

START_TEST(lease__that_ran_out_is_taken_from_a_living_holder) {
    struct db_replica *first = db_replica_open(url, NULL, NULL),
                      *second = db_replica_open(url, NULL, NULL);
    int64_t one = db_replica_wait(first, 10000), two = db_replica_wait(second, 10000);

    ck_assert_int_eq(claim(ENVIRONMENT, one), 8);
    free(pg_sql(url, "UPDATE environment_lease SET until = clock_timestamp() - interval '1 ms'"));
    ck_assert(!lease_check(8, one)); /* no write under it any more */
    ck_assert_int_eq(claimable(), 1);
    ck_assert_int_eq(claim(ENVIRONMENT, two), 9);
    ck_assert(lease_check(9, two));
    db_replica_close(first);
    db_replica_close(second);
}
END_TEST

START_TEST(lease__is_renewed_and_given_back_only_by_its_holder) {
    struct db_replica *first = db_replica_open(url, NULL, NULL);
    int64_t one = db_replica_wait(first, 10000);

    ck_assert_int_eq(claim(ENVIRONMENT, one), 8);
    free(pg_sql(url, "UPDATE environment_lease SET until = 'epoch'"));
    ck_assert_int_eq(db_once(pool, SQL_LEASE_RENEW, NULL,
                             DB_PARAMS(DB_INT(one + 1), "1000", "{" ENVIRONMENT "}")),
                     0);
    ck_assert(!lease_check(8, one));
    ck_assert_int_eq(db_once(pool, SQL_LEASE_RENEW, NULL, DB_PARAMS(DB_INT(one), "10000", "{}")),
                     0);
    ck_assert(!lease_check(8, one));
    ck_assert_int_eq(
        db_once(pool, SQL_LEASE_RENEW, NULL, DB_PARAMS(DB_INT(one), "10000", "{" ENVIRONMENT "}")),
        0);
    ck_assert(lease_check(8, one));
    ck_assert_int_eq(
        db_once(pool, SQL_LEASE_RELEASE, NULL, DB_PARAMS(ENVIRONMENT, "7", DB_INT(one))), 0);
    ck_assert_int_eq(
        db_once(pool, SQL_LEASE_RELEASE, NULL, DB_PARAMS(ENVIRONMENT, "8", DB_INT(one + 1))), 0);
    ck_assert_int_eq(db_once(pool, SQL_LEASE_RELEASE_ALL, NULL, DB_PARAMS(DB_INT(one + 1))), 0);
    ck_assert(lease_check(8, one));
    ck_assert_int_eq(db_once(pool, SQL_LEASE_RELEASE_ALL, NULL, DB_PARAMS(DB_INT(one))), 0);
    ck_assert(!lease_check(8, one));
    ck_assert_int_eq(pg_number(url, "SELECT epoch FROM environment_lease"), 8);
    db_replica_close(first);
}
END_TEST

START_TEST(lease__urgent_work_is_found_first_and_ended_work_not) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;

    free(pg_sql(url, "INSERT INTO environment (id, app, name, cluster, namespace, spec)"
                     " SELECT gen_random_uuid(), 'inopnc', 'e' || n, 'local', 'x', '{}'"
                     " FROM generate_series(1, 6) n;"
                     "INSERT INTO environment_lease (environment_id) SELECT id FROM environment"
                     " WHERE name <> 'production';"
                     "INSERT INTO deployment (id, environment_id, app, environment, release_id,"
                     " version, strategy, kind, state, job, requested_by, plan)"
                     " SELECT gen_random_uuid(), e.id, 'inopnc', e.name, '" RELEASE "', 'v1.2.3',"
                     " 'blue-green', 'deploy', s.state, s.job, '{}', '{}' FROM environment e JOIN"
                     " (VALUES ('e1', 'undoing', 'undo'), ('e2', 'paused', 'deploy'), ('e3',"
                     " 'stuck', 'undo'), ('e4', 'succeeded', 'deploy'), ('e5', 'queued', 'deploy'),"
                     " ('e6', 'aborted', 'undo')) s (name, state, job) ON s.name = e.name"));
    ck_assert_int_eq(db_once(pool, SQL_LEASE_CLAIMABLE, &rows, DB_PARAMS("100")), STATUS_OK);
    ck_assert_uint_eq(db_rows_count(rows), 2);
    ck_assert(db_bool(rows, 0, "urgent"));
    ck_assert(!db_bool(rows, 1, "urgent"));
    ck_assert_str_eq(db_text(rows, 1, "environment_id"), ENVIRONMENT);
}
END_TEST

enum { MANY = 200, REPLICAS = 4 };

struct racer {
    pthread_t thread;
    struct db_replica *replica;
    int64_t holder;
    const struct db_rows *environments;
    size_t first;
    int claimed;
};

static void *race(void *arg) {
    struct racer *r = arg;

    for (size_t i = 0; i < MANY; i++)
        r->claimed +=
            claim(db_text(r->environments, (r->first + i) % MANY, "environment_id"), r->holder) > 0;
    return NULL;
}

START_TEST(law5__replicas_race_for_200_environments_and_each_is_taken_once) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct racer racers[REPLICAS] = {0};
    int claimed = 0;

    free(pg_sql(url,
                "ALTER TABLE deployment DISABLE TRIGGER USER;"
                "ALTER TABLE intent DISABLE TRIGGER USER;"
                "DELETE FROM environment_lease; DELETE FROM step; DELETE FROM intent;"
                "DELETE FROM deployment; ALTER TABLE intent ENABLE TRIGGER USER;"
                "ALTER TABLE deployment ENABLE TRIGGER USER;"
                "INSERT INTO environment (id, app, name, cluster, namespace, spec)"
                " SELECT gen_random_uuid(), 'inopnc', 'e' || n, 'local', 'x', '{}'"
                " FROM generate_series(1, %d) n;"
                "INSERT INTO environment_lease (environment_id) SELECT id FROM environment"
                " WHERE name <> 'production';"
                "INSERT INTO deployment (id, environment_id, app, environment, release_id,"
                " version, strategy, kind, state, requested_by, plan)"
                " SELECT gen_random_uuid(), id, 'inopnc', name, '" RELEASE "', 'v1.2.3',"
                " 'blue-green', 'deploy', 'running', '{}', '{}' FROM environment"
                " WHERE name <> 'production'",
                MANY));
    ck_assert_int_eq(db_once(pool, SQL_LEASE_CLAIMABLE, &rows, DB_PARAMS("1000")), STATUS_OK);
    ck_assert_uint_eq(db_rows_count(rows), MANY);
    for (size_t i = 0; i < REPLICAS; i++) {
        racers[i].replica = db_replica_open(url, NULL, NULL);
        racers[i].holder = db_replica_wait(racers[i].replica, 10000);
        racers[i].environments = rows;
        racers[i].first = i % 2 * MANY / 2; /* two of them meet all the time */
    }
    for (size_t i = 0; i < REPLICAS; i++)
        ck_assert_int_eq(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    for (size_t i = 0; i < REPLICAS; i++) {
        pthread_join(racers[i].thread, NULL);
        claimed += racers[i].claimed;
    }
    ck_assert_int_eq(claimed, MANY);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM environment_lease WHERE epoch = 1 AND"
                                    " holder IS NOT NULL"),
                     MANY);
    for (size_t i = 0; i < REPLICAS; i++)
        db_replica_close(racers[i].replica);
}
END_TEST

/* ---- abort ---- */

struct ask {
    const char *id;
    char state[16];
};

static Status abort_fn(struct db_tx *tx, void *ctx) {
    struct ask *a = ctx;
    struct arena arena = {0};
    struct verb_result result = {0};
    const struct verb_request in = {
        .deployment_id = a->id,
        .reason = "it smells",
        .by = {"{\"kind\": \"user\", \"subject\": \"ann\"}", "192.0.2.1"},
        .arena = &arena};
    Status s = deployment_abort(tx, &in, &result);

    snprintf(a->state, sizeof a->state, "%s", result.state ? result.state : "");
    arena_done(&arena);
    return s;
}

static Status ask_abort(struct ask *a) {
    return db_tx_run(pool, "abort", DB_READ_COMMITTED, abort_fn, a);
}

START_TEST(law5__an_abort_fences_the_tick_that_runs) {
    struct ask a = {.id = DEPLOYMENT};
    _cleanup_free_ char *before = NULL, *after = NULL;
    bool held;

    ck_assert_int_eq(ask_abort(&a), STATUS_OK);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM environment_lease WHERE epoch = 8 AND"
                                    " holder IS NULL AND until IS NULL"),
                     1);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM deployment WHERE state = 'undoing' AND"
                                    " job = 'undo' AND failure->>'code' = 'aborted' AND"
                                    " failure->>'detail' = 'it smells'"),
                     1);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM step WHERE state = 'failed'"), 1);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM record WHERE action ="
                                    " 'deployment.undoing' AND line LIKE '%%\"ann\"%%' AND line"
                                    " LIKE '%%192.0.2.1%%' AND line LIKE '%%it smells%%'"),
                     1);
    ck_assert(!lease_check(7, 41));
    before = everything();
    ck_assert_int_eq(commit(7, 41, "{" WHOLE "}", &held), STATUS_OK);
    ck_assert(!held);
    ck_assert_int_ne(commit(7, 41, SWITCH("1"), &held), STATUS_OK);
    after = everything();
    ck_assert_str_eq(after, before);
}
END_TEST

START_TEST(abort__of_one_that_is_undoing_joins) {
    struct ask a = {.id = DEPLOYMENT};
    _cleanup_free_ char *before = NULL, *after = NULL;

    ck_assert_int_eq(ask_abort(&a), STATUS_OK);
    before = everything();
    ck_assert_int_eq(ask_abort(&a), STATUS_OK);
    after = everything();
    ck_assert_str_eq(after, before);
}
END_TEST

START_TEST(abort__of_what_ended_or_is_unknown_is_refused) {
    static const char *const final[] = {"succeeded", "failed", "aborted", "rolled_back"};
    struct ask a = {.id = ENVIRONMENT};

    ck_assert_int_eq(ask_abort(&a), E_NOT_FOUND);
    a.id = DEPLOYMENT;
    free(pg_sql(url, "UPDATE deployment SET kind = 'rollback'"));
    ck_assert_int_eq(ask_abort(&a), E_WRONG_STATE);
    ck_assert_str_eq(a.state, "running");
    for (size_t i = 0; i < sizeof final / sizeof *final; i++) {
        _cleanup_free_ char *before = NULL, *after = NULL;

        free(pg_sql(url,
                    "ALTER TABLE deployment DISABLE TRIGGER USER;"
                    "UPDATE deployment SET kind = 'deploy', state = '%s';"
                    "ALTER TABLE deployment ENABLE TRIGGER USER",
                    final[i]));
        before = everything();
        ck_assert_int_eq(ask_abort(&a), E_WRONG_STATE);
        ck_assert_str_eq(a.state, final[i]);
        after = everything();
        ck_assert_str_eq(after, before);
    }
}
END_TEST

START_TEST(law5__an_abort_of_one_stuck_in_undo_begins_undo_anew) {
    static const char again[] =
        "{\"intents\": [{\"op\": \"" OP "9\", \"job\": \"undo\", \"step\": \"undo-traffic\","
        " \"purpose\": \"restore-service\", \"kind\": \"Service\", \"name\": \"s\","
        " \"write\": {}}]}";
    struct ask a = {.id = DEPLOYMENT};

    free(pg_sql(url,
                "INSERT INTO intent (op, deployment_id, job, step, purpose, kind, name, write,"
                " epoch, result) VALUES ('" OP "5', '" DEPLOYMENT "', 'undo', 'undo-traffic',"
                " 'restore-service', 'Service', 's', '{}', 7, 'done'), ('" OP "6', '" DEPLOYMENT
                "', 'undo', 'undo-apply', 'scale-target', 'Deployment', 'd', '{}', 7,"
                " 'refused');"
                "UPDATE deployment SET state = 'stuck', job = 'undo',"
                " confirmed_at = clock_timestamp();"
                "UPDATE environment_lease SET holder = NULL, until = NULL"));
    ck_assert_int_eq(ask_abort(&a), STATUS_OK);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM deployment WHERE state = 'undoing' AND"
                                    " confirmed_at IS NULL"),
                     1);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM intent WHERE job = 'undo' AND"
                                    " result = 'void'"),
                     2);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM intent WHERE job = 'deploy' AND"
                                    " result IS NULL"),
                     1);
    free(pg_sql(url, "UPDATE environment_lease SET epoch = 7, holder = 41"));
    commit_held(again);
}
END_TEST

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    pg_start();
    return RUN_SUITE_WITH(
        "tick", 60, setup, teardown, law5__a_tick_of_a_stale_holder_changes_nothing,
        law5__a_cleared_lease_takes_no_tick, tick_commit__stores_everything_of_a_tick,
        tick_commit__appends_records_in_order_to_the_environments_chain,
        tick_commit__appends_records_last, law8__a_tick_whose_record_fails_is_none,
        tick_commit__keeps_the_first_result, law5__one_intent_of_a_purpose,
        law4__the_cutover_is_serialised_with_gate_facts,
        tick_commit__an_end_gives_the_lease_back_and_is_counted, law8__a_final_state_is_never_left,
        law1__a_second_active_deployment_is_refused,
        lease__of_a_dead_holder_is_taken_at_once_of_a_living_one_not,
        lease__that_ran_out_is_taken_from_a_living_holder,
        lease__is_renewed_and_given_back_only_by_its_holder,
        lease__urgent_work_is_found_first_and_ended_work_not,
        law5__replicas_race_for_200_environments_and_each_is_taken_once,
        law5__an_abort_fences_the_tick_that_runs, abort__of_one_that_is_undoing_joins,
        abort__of_what_ended_or_is_unknown_is_refused,
        law5__an_abort_of_one_stuck_in_undo_begins_undo_anew);
}
