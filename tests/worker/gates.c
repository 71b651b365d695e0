/* Gates against a real database: facts from rows, openings and closings noted once, freezes by
 * PostgreSQL's zone rules. */
#include "worker/gates.h"
#include "base/cleanup.h"
#include "db/gate.h"
#include "tests/support/pg.h"
#include "tests/support/rows.h"
#include "tests/support/suite.h"
#include <string.h>

#define ENVIRONMENT "00000000-0000-7000-8000-000000000001"
#define RELEASE     "00000000-0000-7000-8000-000000000002"
#define DEPLOYMENT  "00000000-0000-7000-8000-000000000003"
#define ANN         "{\"kind\": \"user\", \"subject\": \"ann\", \"issuer\": \"i\"}"

static char *url;
static struct db_pool *pool;

static void setup(void) {
    url = pg_database();
    pool = db_pool_new(&(struct db_settings){.url = url, .size = 4, .wait_ms = 10000});
    free(pg_sql(url, ROWS_INOPNC(ENVIRONMENT, RELEASE)));
}

static void teardown(void) {
    db_pool_free(pool);
    free(url);
}

static void gates(const char *spec) {
    free(pg_sql(url,
                "INSERT INTO environment_gate (environment_id, spec) VALUES ('" ENVIRONMENT
                "', '%s') ON CONFLICT (environment_id) DO UPDATE SET spec = excluded.spec",
                spec));
}

/* The items of every template. */
#define ITEMS                                                                                      \
    "WITH items AS (SELECT name, i FROM checklist_template, jsonb_array_elements(groups) g,"       \
    " jsonb_array_elements(g -> 'items') i) "

/* Something said about every item of before-deployment. */
static void say(const char *state) {
    free(pg_sql(
        url,
        ITEMS "INSERT INTO item_fact (id, kind, release_id, environment_id, item, state, evidence, "
              "content_digest, observed_at, by) SELECT gen_random_uuid(), 'before', '" RELEASE
              "', '" ENVIRONMENT "', i ->> 'key', '%s', i ->> 'kind' = 'evidence', '', "
              "clock_timestamp(), '" ANN "' FROM items WHERE name = 'before-deployment'",
        state));
}

/* How many blockers there are, and that the first has this code. */
static size_t blocked(const char *code) {
    const struct gate_ask ask = {.environment_id = ENVIRONMENT, .version_key = "1.2.3"};
    _cleanup_(gate_verdict_done) struct gate_verdict v = {0};

    ck_assert_int_eq(gates_look(pool, &ask, GATE_START, &v), STATUS_OK);
    ck_assert_int_eq(v.open, !code);
    if (code)
        ck_assert_str_eq(json_str(json_array_get(v.blockers, 0), "code", ""), code);
    return json_array_size(v.blockers);
}

START_TEST(gates__the_runbooks_lists_are_built_in) {
    _cleanup_free_ char *kinds = pg_sql(
        url,
        "SELECT string_agg(name || ' ' || kind || ' ' || n, ', ' ORDER BY name, kind) FROM (" ITEMS
        " SELECT name, i ->> 'kind' AS kind, count(*) AS n FROM items GROUP BY 1, 2) k");

    ck_assert_str_eq(kinds, "after-deployment manual 13, before-deployment evidence 6, "
                            "before-deployment manual 8, before-deployment probe 7, "
                            "success-criteria manual 13");
    ck_assert_int_eq(pg_number(url,
                               ITEMS "SELECT count(*) FROM items WHERE i ->> 'key' !~ "
                                     "'^[a-z][a-z-]*$' OR i ->> 'title' !~ '^[A-Z].*[a-zA-Z)]$'"),
                     0);
    ck_assert_int_eq(pg_number(url, ITEMS "SELECT count(*) - count(DISTINCT (name, i ->> 'key')) "
                                          "FROM items"),
                     0);
}
END_TEST

START_TEST(gates__facts_open_it_and_close_it) {
    ck_assert_uint_eq(blocked(NULL), 0);
    gates("{\"checklist\": {\"before\": \"before-deployment\"}}");
    ck_assert_uint_eq(blocked("item-open"), 20); /* Sluice looks at flags itself */
    say("passed");
    ck_assert_uint_eq(blocked(NULL), 0);
    say("failed");
    ck_assert_uint_eq(blocked("item-failed"), 21);
    say("passed");
    gates("{\"checklist\": {\"before\": \"before-deployment\"}, \"approvals\": [{\"role\": \"qa\", "
          "\"count\": 1}]}");
    ck_assert_uint_eq(blocked("approval-missing"), 1);
    free(pg_sql(url,
                "INSERT INTO signoff (id, release_id, environment_id, role, decision, by, "
                "content_digest, checklist) VALUES (gen_random_uuid(), '" RELEASE "', '" ENVIRONMENT
                "', 'qa', 'approve', '" ANN "', '', 'before-deployment@1')"));
    ck_assert_uint_eq(blocked(NULL), 0);
    free(pg_sql(url, "UPDATE signoff SET withdrawn_at = clock_timestamp()"));
    ck_assert_uint_eq(blocked("approval-missing"), 1);
    free(pg_sql(url, "INSERT INTO change_freeze (id, app, reason, starts_at, ends_at, created_by) "
                     "VALUES (gen_random_uuid(), 'inopnc', 'holidays', clock_timestamp() - "
                     "interval '1 hour', clock_timestamp() + interval '1 hour', '" ANN "')"));
    ck_assert_uint_eq(blocked("frozen"), 2);
    free(pg_sql(url, "UPDATE change_freeze SET ended_at = clock_timestamp()"));
    ck_assert_uint_eq(blocked("approval-missing"), 1);
}
END_TEST

static Status change_fn(struct db_tx *tx, void *ctx) {
    _cleanup_(db_rows_free) struct db_rows *locked = NULL;
    _cleanup_(arena_done) struct arena arena = {0};
    const struct gate_change change = {ENVIRONMENT, RELEASE, "1.2.3", {ANN, "127.0.0.1"}, &arena};
    Status s = db_gate_lock(tx, ENVIRONMENT, NULL, NULL, &locked);

    return s ? s : gates_changed(tx, &change, ctx);
}

START_TEST(gates__openings_and_closings_are_recorded_once) {
    struct gate_effect effect = {0};
    static const char *const says[] = {"", "passed", "passed", "failed", "failed", "passed"};
    _cleanup_free_ char *actions = NULL;

    gates("{\"checklist\": {\"before\": \"before-deployment\"}}");
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        if (*says[i])
            say(says[i]);
        ck_assert_int_eq(db_tx_run(pool, "change", DB_READ_COMMITTED, change_fn, &effect),
                         STATUS_OK);
        ck_assert(effect.effective);
        ck_assert_int_eq(effect.open, strcmp(says[i], "passed") == 0);
    }
    actions = pg_sql(url, "SELECT string_agg(action, ' ' ORDER BY seq) FROM record");
    ck_assert_str_eq(actions, "gate.opened gate.closed gate.opened");
    ck_assert_int_eq(pg_number(url, "SELECT gate_version FROM environment"), 6);
}
END_TEST

/* Nine in the morning stays nine in the morning when the clocks go back (2026-10-25). */
START_TEST(gates__weekly_freezes_follow_the_clocks) {
    _cleanup_free_ char *windows = pg_sql(
        url,
        "SET timezone = 'UTC';"
        "INSERT INTO change_freeze (id, reason, weekly, created_by) VALUES (gen_random_uuid(), 'r',"
        " '{\"days\": [\"monday\"], \"start\": \"09:00\", \"duration_s\": 3600, \"timezone\": "
        "\"Europe/Berlin\"}', '" ANN "');"
        "SELECT freeze_windows(f, '2026-10-18', '2026-10-28')::text FROM change_freeze f");

    ck_assert_str_eq(windows, "{[\"2026-10-19 07:00:00+00\",\"2026-10-19 08:00:00+00\"),"
                              "[\"2026-10-26 08:00:00+00\",\"2026-10-26 09:00:00+00\")}");
}
END_TEST

/* A day a hundred days from now, at midnight UTC. */
#define THAT_DAY "(date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') + interval '100 days')"

static void freeze_weekly(const char *days, const char *start, int duration_s) {
    free(pg_sql(url,
                "INSERT INTO change_freeze (id, reason, weekly, created_by) VALUES "
                "(gen_random_uuid(), 'r', jsonb_build_object('days', %s, 'start', '%s', "
                "'duration_s', %d, 'timezone', 'UTC'), '" ANN "')",
                days, start, duration_s));
}

static int64_t opens(void) {
    const struct gate_ask ask = {.environment_id = ENVIRONMENT, .version_key = "1.2.3"};
    _cleanup_(gate_verdict_done) struct gate_verdict v = {0};

    ck_assert_int_eq(gates_look(pool, &ask, GATE_START, &v), STATUS_OK);
    ck_assert(!v.open && v.frozen_only);
    return v.opens_us;
}

/* A freeze that ends in a window of a weekly one, however far off, opens when that ends. */
START_TEST(gates__opens_at_looks_beyond_what_is_near) {
    free(pg_sql(url, "INSERT INTO change_freeze (id, reason, starts_at, ends_at, created_by) "
                     "VALUES (gen_random_uuid(), 'r', clock_timestamp(), (" THAT_DAY
                     " + interval '20 hours') AT TIME ZONE 'UTC', '" ANN "')"));
    freeze_weekly("jsonb_build_array(trim(to_char(" THAT_DAY ", 'day')))", "18:00", 4 * 3600);
    ck_assert_int_eq(opens(), pg_number(url, "SELECT (extract(epoch FROM (" THAT_DAY
                                             " + interval '22 hours') AT TIME ZONE 'UTC') * "
                                             "1000000)::bigint"));
}
END_TEST

START_TEST(gates__two_freezes_that_leave_no_gap_never_open) {
    freeze_weekly("'[\"monday\", \"wednesday\", \"friday\", \"sunday\"]'::jsonb", "00:00", 86400);
    freeze_weekly("'[\"tuesday\", \"thursday\", \"saturday\"]'::jsonb", "00:00", 86400);
    ck_assert_int_eq(opens(), 0);
}
END_TEST

START_TEST(gates__what_comes_after_the_cutover_is_too_late) {
    struct gate_effect effect = {0};

    free(pg_sql(url, ROWS_DEPLOYMENTS(
                         ENVIRONMENT, RELEASE,
                         "('" DEPLOYMENT
                         "', 'running')") "UPDATE deployment SET started_at = clock_timestamp()"));
    ck_assert_int_eq(db_tx_run(pool, "change", DB_READ_COMMITTED, change_fn, &effect), STATUS_OK);
    ck_assert(effect.effective);
    free(pg_sql(url,
                "INSERT INTO intent (op, deployment_id, job, step, purpose, kind, name, write, "
                "epoch) VALUES (gen_random_uuid(), '" DEPLOYMENT
                "', 'deploy', 'switch-traffic', 'switch', 'Service', 'inopnc-prod', '{}', 1)"));
    ck_assert_int_eq(db_tx_run(pool, "change", DB_READ_COMMITTED, change_fn, &effect), STATUS_OK);
    ck_assert(!effect.effective);
    free(pg_sql(url, "UPDATE deployment SET state = 'undoing'"));
    ck_assert_int_eq(db_tx_run(pool, "change", DB_READ_COMMITTED, change_fn, &effect), STATUS_OK);
    ck_assert(effect.effective);
}
END_TEST

/* Asked for: pending until somebody accepts, nothing once it did not succeed; what served before is
 * kept until the final approval. */
START_TEST(gates__acceptance_is_what_the_environment_asks_for) {
    static const char *const ends[][2] = {{"succeeded", "pending"}, {"failed", "not-required"}};

    gates("{\"acceptance\": [{\"role\": \"final\", \"count\": 1}]}");
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        _cleanup_free_ char *was = NULL, *is = NULL;

        free(pg_sql(url, "ALTER TABLE deployment DISABLE TRIGGER deployment_stays; DELETE FROM "
                         "deployment;" ROWS_DEPLOYMENTS(ENVIRONMENT, RELEASE,
                                                        "('" DEPLOYMENT "', 'running')")));
        was = pg_sql(url, "SELECT acceptance FROM deployment");
        is = pg_sql(url, "UPDATE deployment SET state = '%s' RETURNING acceptance", ends[i][0]);
        ck_assert_str_eq(was, "pending");
        ck_assert_str_eq(is, ends[i][1]);
    }
}
END_TEST

START_TEST(gates__the_previous_version_stays_until_the_final_approval) {
    static const char *const asked[] = {"{\"acceptance\": [{\"role\": \"qa\"}]}", "{}",
                                        "{\"acceptance\": [{\"role\": \"final\"}]}"};

    free(pg_sql(url, "INSERT INTO environment_lease (environment_id) VALUES ('" ENVIRONMENT "')"));
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        _cleanup_(db_rows_free) struct db_rows *due = NULL;

        gates(asked[i]);
        free(pg_sql(url,
                    "ALTER TABLE deployment DISABLE TRIGGER deployment_stays; DELETE FROM cleanup;"
                    "DELETE FROM deployment;" ROWS_DEPLOYMENTS(
                        ENVIRONMENT, RELEASE,
                        "('" DEPLOYMENT
                        "', 'succeeded')") "INSERT INTO cleanup (environment_id, deployment_id, "
                                           "color, workload, uid, "
                                           "template_hash, due_at) VALUES ('" ENVIRONMENT
                                           "', '" DEPLOYMENT
                                           "', 'blue', 'w', 'u', 'h', clock_timestamp())"));
        ck_assert_int_eq(db_once(pool, SQL_LEASE_CLAIMABLE, &due, DB_PARAMS(DB_INT(9))), STATUS_OK);
        ck_assert_uint_eq(db_rows_count(due), i < 2);
    }
}
END_TEST

START_TEST(gates__what_was_said_stays) {
    static const char *const changes[] = {
        "UPDATE item_fact SET state = 'passed'",
        "DELETE FROM item_fact",
        "DELETE FROM signoff",
        "DELETE FROM change_freeze",
        "DELETE FROM break_glass",
        "UPDATE change_freeze SET reason = 'none'",
        "UPDATE checklist_template SET groups = '[]'",
    };

    free(pg_sql(url,
                "INSERT INTO change_freeze (id, reason, starts_at, ends_at, created_by) VALUES "
                "(gen_random_uuid(), 'r', '2026-01-01', '2026-01-02', '" ANN "')"));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        _cleanup_free_ char *refused = pg_sql(
            url,
            "CREATE OR REPLACE FUNCTION pg_temp.refused(q text) RETURNS boolean LANGUAGE plpgsql AS"
            " $f$ BEGIN EXECUTE q; RETURN false; EXCEPTION WHEN insufficient_privilege THEN RETURN "
            "true; END $f$; SELECT pg_temp.refused($q$%s$q$)",
            changes[i]);

        ck_assert_msg(strcmp(refused, "t") == 0, "%s", changes[i]);
    }
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE_WITH(
        "gates", 60, setup, teardown, gates__the_runbooks_lists_are_built_in,
        gates__facts_open_it_and_close_it, gates__openings_and_closings_are_recorded_once,
        gates__weekly_freezes_follow_the_clocks, gates__opens_at_looks_beyond_what_is_near,
        gates__two_freezes_that_leave_no_gap_never_open,
        gates__what_comes_after_the_cutover_is_too_late,
        gates__acceptance_is_what_the_environment_asks_for,
        gates__the_previous_version_stays_until_the_final_approval, gates__what_was_said_stays);
}
