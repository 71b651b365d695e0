/* tests/worker/exposure.c: what clients report is summed up, kept while the database is away, and
 * bounded. */
#include "live/exposure.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "db/db.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include <poll.h>
#include <stdio.h>

enum { SOON_MS = 10000, FLUSH_MS = 20 };

static char *url, id[UUID_TEXT];
static struct db_pool *pool;

static void setup(void) {
    url = pg_database();
    pool = db_pool_new(&(struct db_settings){
        .url = url, .size = 1, .wait_ms = 500, .statement_ms = 5000, .app_name = "exposure"});
    free(pg_sql(url,
                "INSERT INTO app (name, spec) VALUES ('shop', '{}');"
                "INSERT INTO cluster (name, spec) VALUES ('local', '{}');"
                "INSERT INTO environment (id, app, name, cluster, namespace, spec)"
                " VALUES ('%s', 'shop', 'production', 'local', 'production', '{}')",
                uuid_v7(id)));
}

static void teardown(void) {
    db_pool_free(pool);
    free(url);
}

static struct exposure_count count(const char *flag, int64_t yes, int64_t no) {
    return (struct exposure_count){.environment_id = id,
                                   .flag = flag,
                                   .app_name = "web",
                                   .variant = "",
                                   .hour = clock_now_us() / US_PER_S / 3600,
                                   .yes = yes,
                                   .no = no};
}

static void add(struct exposure *e, const char *flag, int64_t yes, int64_t no) {
    struct exposure_count c = count(flag, yes, no);

    exposure_add(e, &c);
}

static int64_t stat_of(struct exposure *e, const char *name) {
    json_auto_t *stats = exposure_stats(e);

    return json_int(stats, name, -1);
}

static bool good(struct exposure *e) {
    json_auto_t *stats = exposure_stats(e);

    return json_bool(stats, "ok", false);
}

static void await_ok(struct exposure *e, bool wanted) {
    int64_t until = clock_monotonic_us() + SOON_MS * US_PER_MS;

    while (clock_monotonic_us() < until && good(e) != wanted)
        poll(NULL, 0, 1);
    ck_assert(good(e) == wanted);
}

static void await_total(long total) {
    static const char sum[] = "SELECT coalesce(sum(yes + no), 0) FROM flag_exposure";
    int64_t until = clock_monotonic_us() + SOON_MS * US_PER_MS;

    while (clock_monotonic_us() < until && pg_number(url, sum) != total)
        poll(NULL, 0, 5);
    ck_assert_int_eq(pg_number(url, sum), total);
}

START_TEST(exposure__outlives_the_database_and_counts_once) {
    struct exposure *e = exposure_new(pool, FLUSH_MS);

    add(e, "a", 1, 2);
    await_total(3);
    pg_crash();
    add(e, "a", 10, 0);
    await_ok(e, false);
    add(e, "b", 0, 100);
    pg_start_again();
    await_total(113);
    await_ok(e, true);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM flag_exposure"), 2);
    ck_assert_int_eq(pg_number(url, "SELECT yes FROM flag_exposure WHERE flag = 'a'"), 11);
    exposure_free(e);
}
END_TEST

START_TEST(exposure__is_bounded_and_written_at_the_end) {
    struct exposure *e = exposure_new(pool, 600000);
    char flag[24];

    for (int i = 0; i < EXPOSURE_MAX + 7; i++) {
        snprintf(flag, sizeof flag, "flag-%d", i);
        add(e, flag, 1, 0);
    }
    add(e, "flag-0", 1, 0); /* what has its place goes on */
    ck_assert_int_eq(stat_of(e, "waiting"), EXPOSURE_MAX);
    ck_assert_int_eq(stat_of(e, "dropped"), 7);
    exposure_free(e);
    ck_assert_int_eq(pg_number(url, "SELECT sum(yes) FROM flag_exposure"), EXPOSURE_MAX + 1);
}
END_TEST

START_TEST(exposure__of_an_environment_that_is_gone_is_left_out) {
    struct exposure *e = exposure_new(pool, 600000);
    struct exposure_count gone = count("a", 5, 0);
    char other[UUID_TEXT];

    gone.environment_id = uuid_v7(other);
    exposure_add(e, &gone);
    add(e, "a", 1, 0);
    exposure_free(e);
    ck_assert_int_eq(pg_number(url, "SELECT sum(yes) FROM flag_exposure"), 1);
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE_WITH("exposure", 60, setup, teardown,
                          exposure__outlives_the_database_and_counts_once,
                          exposure__is_bounded_and_written_at_the_end,
                          exposure__of_an_environment_that_is_gone_is_left_out);
}
