/* tests/db/session.c: a replica's number is alone, is held while it lives, and is free at once when
 * it dies. */
#include "db/session.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOON_MS = 8000 };

static char *url;
static _Atomic int64_t told[16];
static atomic_int told_n;

static void setup(void) {
    url = pg_database();
    atomic_store(&told_n, 0);
}

static void teardown(void) {
    free(url);
}

static void tell(void *ctx, int64_t number) {
    (void)ctx;
    atomic_store(&told[atomic_fetch_add(&told_n, 1) % 16], number);
}

static bool is_free(int64_t number) {
    return pg_number(url, "SELECT pg_try_advisory_lock(1397510483, %d)::int", (int)number) == 1;
}

/* A server process needs a moment to notice that its client is gone. */
static void await_free(int64_t number) {
    int64_t deadline = clock_monotonic_us() + 1 * US_PER_S;

    while (!is_free(number))
        ck_assert_int_lt(clock_monotonic_us(), deadline);
}

START_TEST(session__numbers_differ_and_are_held) {
    struct db_replica *a = db_replica_open(url, NULL, NULL), *b = db_replica_open(url, NULL, NULL);
    int64_t first = db_replica_wait(a, SOON_MS), second = db_replica_wait(b, SOON_MS);

    ck_assert_int_gt(first, 0);
    ck_assert_int_gt(second, 0);
    ck_assert_int_ne(first, second);
    ck_assert(!is_free(first));
    ck_assert(!is_free(second));
    db_replica_close(a);
    await_free(first);
    db_replica_close(b);
}
END_TEST

START_TEST(session__lost_connection_gives_a_new_number) {
    struct db_replica *r = db_replica_open(url, tell, NULL);
    int64_t first = db_replica_wait(r, SOON_MS), deadline;

    free(pg_sql(url,
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'sluiced-replica' AND datname = current_database()"));
    deadline = clock_monotonic_us() + SOON_MS * US_PER_MS;
    while (atomic_load(&told_n) < 3)
        ck_assert_int_lt(clock_monotonic_us(), deadline);
    ck_assert_int_eq(atomic_load(&told[0]), first);
    ck_assert_int_eq(atomic_load(&told[1]), 0);
    ck_assert_int_gt(atomic_load(&told[2]), first);
    ck_assert_int_eq(db_replica_number(r), atomic_load(&told[2]));
    ck_assert(is_free(first));
    db_replica_close(r);
}
END_TEST

START_TEST(session__stopped_backend_is_noticed) {
    struct db_replica *r = db_replica_open(url, NULL, NULL);
    int64_t first = db_replica_wait(r, SOON_MS),
            deadline = clock_monotonic_us() + SOON_MS * US_PER_MS;
    long pid =
        pg_number(url, "SELECT pid FROM pg_stat_activity WHERE application_name = 'sluiced-replica'"
                       " AND datname = current_database()");

    ck_assert_int_eq(kill((pid_t)pid, SIGSTOP), 0);
    while (db_replica_number(r) == first)
        ck_assert_int_lt(clock_monotonic_us(), deadline);
    ck_assert_int_gt(db_replica_wait(r, SOON_MS), first);
    kill((pid_t)pid, SIGCONT);
    db_replica_close(r);
}
END_TEST

START_TEST(session__killed_process_frees_its_number) {
    int64_t deadline = clock_monotonic_us() + SOON_MS * US_PER_MS;
    long number = -1;
    pid_t child = fork();

    if (child == 0) {
        struct db_replica *r = db_replica_open(url, NULL, NULL);

        db_replica_wait(r, SOON_MS);
        for (;;)
            pause();
    }
    while (number <= 0) {
        ck_assert_int_lt(clock_monotonic_us(), deadline);
        number = pg_number(
            url,
            "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = 1397510483"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    await_free(number);
}
END_TEST

START_TEST(session__without_a_database_there_is_no_number) {
    struct db_replica *r = db_replica_open("postgresql://127.0.0.1:1/nowhere", NULL, NULL);

    ck_assert_int_eq(db_replica_wait(r, 200), 0);
    db_replica_close(r);
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE_WITH(
        "session", 30, setup, teardown, session__numbers_differ_and_are_held,
        session__lost_connection_gives_a_new_number, session__stopped_backend_is_noticed,
        session__killed_process_frees_its_number, session__without_a_database_there_is_no_number);
}
