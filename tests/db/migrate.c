/* tests/db/migrate.c: a schema is made once, completely, by one migrator at a time, or refused. */
#include "db/migrate.h"
#include "base/cleanup.h"
#include "db/db.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include <pthread.h>
#include <string.h>

static char *url;
static char error[512];

static void setup(void) {
    url = pg_empty_database();
    error[0] = '\0';
}

static void teardown(void) {
    free(url);
}

static int known(void) {
    int n = 0;

    while (migrations[n].version)
        n++;
    return n;
}

static int migrate(void) {
    int applied = -1;

    ck_assert_msg(db_migrate(url, &applied, error, sizeof error) == STATUS_OK, "%s", error);
    return applied;
}

START_TEST(migrate__fresh_then_nothing_to_do) {
    ck_assert_int_eq(db_schema_check(url, error, sizeof error), FAULT_DATABASE);
    ck_assert_msg(strstr(error, "sluiced migrate"), "%s", error);
    ck_assert_int_eq(migrate(), known());
    ck_assert_int_eq(migrate(), 0);
    ck_assert_int_eq(db_schema_check(url, error, sizeof error), STATUS_OK);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM schema_migration"), known());
}
END_TEST

START_TEST(migrate__changed_file_is_refused) {
    migrate();
    free(pg_sql(url, "UPDATE schema_migration SET sha256 = repeat('0', 64) WHERE version = 1"));
    ck_assert_int_eq(db_migrate(url, NULL, error, sizeof error), FAULT_DATABASE);
    ck_assert_msg(strstr(error, migrations[0].name) && strstr(error, "another content"), "%s",
                  error);
    ck_assert_int_eq(db_schema_check(url, error, sizeof error), FAULT_DATABASE);
}
END_TEST

START_TEST(migrate__unknown_newer_schema_is_refused) {
    migrate();
    free(pg_sql(url, "INSERT INTO schema_migration (version, name, sha256) VALUES (9999, "
                     "'9999_from_the_future', '')"));
    ck_assert_int_eq(db_migrate(url, NULL, error, sizeof error), FAULT_DATABASE);
    ck_assert_msg(strstr(error, "9999_from_the_future"), "%s", error);
    ck_assert_int_eq(db_schema_check(url, error, sizeof error), FAULT_DATABASE);
}
END_TEST

/* A running replica goes on while a newer one migrates: migrations only expand. */
START_TEST(migrate__running_replica_stays_ready_on_a_newer_schema) {
    struct db_pool *pool;

    migrate();
    pool = db_pool_new(&(struct db_settings){.url = url, .size = 1});
    free(pg_sql(url, "INSERT INTO schema_migration (version, name, sha256) VALUES (9999, "
                     "'9999_from_the_future', '')"));
    ck_assert_int_eq(db_pool_ready(pool), STATUS_OK);
    db_pool_free(pool);
}
END_TEST

START_TEST(migrate__missing_migration_is_not_ready) {
    struct db_pool *pool;

    migrate();
    free(pg_sql(url, "DELETE FROM schema_migration WHERE version = 2"));
    pool = db_pool_new(&(struct db_settings){.url = url, .size = 1});
    ck_assert_int_eq(db_pool_ready(pool), FAULT_DATABASE);
    ck_assert_msg(strstr(db_fault_text(), migrations[1].name), "%s", db_fault_text());
    db_pool_free(pool);
}
END_TEST

enum { RACERS = 4 };
struct racer {
    Status status;
    int applied;
    char error[256];
};

static void *race(void *arg) {
    struct racer *r = arg;

    r->status = db_migrate(url, &r->applied, r->error, sizeof r->error);
    return NULL;
}

START_TEST(migrate__racers_apply_each_once) {
    pthread_t threads[RACERS];
    struct racer racers[RACERS];
    int applied = 0;

    for (int i = 0; i < RACERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    for (int i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_msg(racers[i].status == STATUS_OK, "%s", racers[i].error);
        applied += racers[i].applied;
    }
    ck_assert_int_eq(applied, known());
}
END_TEST

/* Something of the first migration's is there already: it fails in the middle, and leaves nothing.
 */
START_TEST(migrate__failing_migration_leaves_nothing) {
    free(pg_sql(url, "CREATE TABLE chain (mine int)"));
    ck_assert_int_eq(db_migrate(url, NULL, error, sizeof error), FAULT_DATABASE);
    ck_assert_msg(strstr(error, migrations[0].name) && strstr(error, "chain"), "%s", error);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM schema_migration"), 0);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM pg_class WHERE relname = 'app'"), 0);
    free(pg_sql(url, "DROP TABLE chain"));
    ck_assert_int_eq(migrate(), known());
}
END_TEST

START_TEST(migrate__database_away_is_its_own_fault) {
    ck_assert_int_eq(db_migrate("postgresql://127.0.0.1:1/nowhere", NULL, error, sizeof error),
                     FAULT_DB_DOWN);
    ck_assert(*error);
    ck_assert_int_eq(db_schema_check("postgresql://127.0.0.1:1/nowhere", error, sizeof error),
                     FAULT_DB_DOWN);
    ck_assert_int_eq(db_migrate("postgresql://user:secret@[", NULL, error, sizeof error),
                     FAULT_DB_DOWN);
    ck_assert_msg(!strstr(error, "secret"), "%s", error);
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE_WITH(
        "migrate", 30, setup, teardown, migrate__fresh_then_nothing_to_do,
        migrate__changed_file_is_refused, migrate__unknown_newer_schema_is_refused,
        migrate__running_replica_stays_ready_on_a_newer_schema,
        migrate__missing_migration_is_not_ready, migrate__racers_apply_each_once,
        migrate__failing_migration_leaves_nothing, migrate__database_away_is_its_own_fault);
}
