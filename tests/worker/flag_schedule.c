/* Scheduled changes of flags against a real database: whoever looks, and however many at once, each
 * is made once, with its history, its record, and the word to those who serve flags. */
#include "worker/flag_schedule.h"
#include "base/cleanup.h"
#include "db/flag.h"
#include "tests/support/pg.h"
#include "tests/support/rows.h"
#include "tests/support/suite.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define ENVIRONMENT "00000000-0000-7000-8000-000000000001"
#define RELEASE     "00000000-0000-7000-8000-000000000002"
enum { SCHEDULES = 40, SERVERS = 4 };

static char *url;
static struct db_pool *pool;
static atomic_int told; /* topics of flags */

static void setup(void) {
    url = pg_database();
    pool = db_pool_new(&(struct db_settings){.url = url, .size = SERVERS, .wait_ms = 10000});
    free(pg_sql(
        url,
        ROWS_INOPNC(
            ENVIRONMENT,
            RELEASE) "INSERT INTO flag (app, name, spec, revision) VALUES ('inopnc', 'checkout',"
                     " '{\"variants\": [], \"dependencies\": []}', 1)"));
    atomic_store(&told, 0);
}

static void teardown(void) {
    db_pool_free(pool);
    free(url);
}

/* n of them, the i-th due i seconds ago (or, where `ahead`, to come). */
static void schedule(int n, bool ahead) {
    free(pg_sql(url,
                "INSERT INTO flag_schedule (id, app, environment, environment_id, flag,"
                " flag_created_at, at, change, created_by) SELECT gen_random_uuid(), 'inopnc',"
                " 'production', '" ENVIRONMENT "', 'checkout', f.created_at, clock_timestamp() %s i"
                " * interval '1 second', '{\"enabled\": true}', '{\"kind\": \"user\"}'"
                " FROM flag f, generate_series(1, %d) i",
                ahead ? "+" : "-", n));
}

static void on_changed(void *ctx, const char *topic) {
    char text[FLAG_TOPIC];

    (void)ctx;
    if (!strcmp(topic, flag_topic("inopnc", "production", text)))
        atomic_fetch_add(&told, 1);
    else
        ck_assert_str_eq(topic, ENVIRONMENT);
}

static long pending(void) {
    return pg_number(url, "SELECT count(*) FROM flag_schedule WHERE state = 'pending'");
}

/* One look may end early, because another server had the flags: then the next one goes on. */
static void *server(void *arg) {
    (void)arg;
    do
        flag_schedules_apply(pool, on_changed, NULL);
    while (pending() > 0);
    return NULL;
}

START_TEST(schedule__is_made_once_however_many_look) {
    pthread_t threads[SERVERS];

    schedule(SCHEDULES, false);
    for (size_t i = 0; i < SERVERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, server, NULL), 0);
    for (size_t i = 0; i < SERVERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&told), SCHEDULES);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM flag_schedule WHERE state = 'applied'"),
                     SCHEDULES);
    ck_assert_int_eq(pg_number(url, "SELECT count(DISTINCT revision) FROM flag_change"), SCHEDULES);
    ck_assert_int_eq(pg_number(url, "SELECT length FROM chain WHERE name = 'inopnc/production'"),
                     SCHEDULES);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM flag_schedule s JOIN flag_change c"
                                    " USING (revision) WHERE c.source = 'schedule'"),
                     SCHEDULES);
}
END_TEST

START_TEST(schedule__waits_for_its_time) {
    schedule(1, true);
    flag_schedules_apply(pool, on_changed, NULL);
    ck_assert_int_eq(atomic_load(&told), 0);
    ck_assert_int_eq(pending(), 1);
}
END_TEST

/* Nothing else is held up by one that fails. */
START_TEST(schedule__fails_alone) {
    schedule(3, false);
    free(pg_sql(url, "ALTER TABLE flag_schedule DISABLE TRIGGER flag_schedule_is_immutable;"
                     "UPDATE flag_schedule SET if_revision = 7 WHERE at ="
                     " (SELECT min(at) FROM flag_schedule);"
                     "ALTER TABLE flag_schedule ENABLE TRIGGER flag_schedule_is_immutable"));
    flag_schedules_apply(pool, on_changed, NULL);
    ck_assert_int_eq(atomic_load(&told), 2);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM flag_schedule WHERE state = 'failed'"
                                    " AND failure LIKE '%%changed since%%' AND revision IS NULL"),
                     1);
    ck_assert_int_eq(
        pg_number(url, "SELECT count(*) FROM record WHERE action = 'flag.schedule_failed'"), 1);
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE_WITH("flag_schedule", 60, setup, teardown,
                          schedule__is_made_once_however_many_look, schedule__waits_for_its_time,
                          schedule__fails_alone);
}
