/* tests/db/commit.c: what became of a commit whose answer was lost; and URLs with several hosts. */
#include "tests/support/pool.h"
#include "tests/support/proxy.h"
#include "tests/support/suite.h"
#include <stdio.h>
#include <string.h>

/* The test's database through a proxy; yours. */
static char *url_through(const struct proxy *p) {
    const char *at = strstr(url, "?host=");

    return xasprintf("%.*s?host=%s&user=postgres", (int)(at - url), url, proxy_directory(p));
}

static void lose_commit(ProxyFault fault, int *ret_tries) {
    struct proxy *proxy = proxy_start(pg_socket());
    _cleanup_free_ char *through = url_through(proxy);
    struct db_pool *p = pool_at(through, 1);
    size_t applied = 0;

    ck_assert_int_eq(append_once(p, "warm"), STATUS_OK); /* nobody waits for a ping's own COMMIT */
    proxy_fault(proxy, fault, "COMMIT", 7); /* with its NUL: not the COMMITTED of BEGIN */
    *ret_tries = (int)records("inopnc");
    ck_assert_int_eq(db_tx_run(p, "lost", DB_READ_COMMITTED, read_and_append, &applied), STATUS_OK);
    ck_assert_int_eq(proxy_faults(proxy), 1);
    db_pool_free(p);
    proxy_stop(proxy);
}

START_TEST(commit__answer_lost_but_committed_is_done_once) {
    int before;

    lose_commit(PROXY_CUT_AFTER, &before);
    ck_assert_int_eq(records("inopnc"), before + 1);
}
END_TEST

START_TEST(commit__that_never_arrived_is_done_again) {
    int before;

    lose_commit(PROXY_CUT_BEFORE, &before);
    ck_assert_int_eq(records("inopnc"), before + 1);
}
END_TEST

START_TEST(commit__swallowed_is_resolved_after_the_deadline) {
    int before;

    lose_commit(PROXY_SWALLOW,
                &before); /* our closing ends the server's transaction: aborted, done again */
    ck_assert_int_eq(records("inopnc"), before + 1);
}
END_TEST

START_TEST(commit__of_a_single_statement_too) {
    static const ProxyFault faults[] = {PROXY_CUT_AFTER, PROXY_CUT_BEFORE, PROXY_SWALLOW};

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct proxy *proxy = proxy_start(pg_socket());
        _cleanup_free_ char *through = url_through(proxy);
        struct db_pool *p = pool_at(through, 1);

        ck_assert_int_eq(append_once(p, "warm"), STATUS_OK);
        proxy_fault(proxy, faults[i], "COMMIT", 7);
        ck_assert_int_eq(append_once(p, "inopnc"), STATUS_OK);
        ck_assert_int_eq(proxy_faults(proxy), 1);
        ck_assert_int_eq(records("inopnc"), (long)i + 1);
        db_pool_free(p);
        proxy_stop(proxy);
    }
}
END_TEST

START_TEST(commit__statement_lost_before_it_is_done_again) {
    static const ProxyFault faults[] = {PROXY_CUT_AFTER, PROXY_CUT_BEFORE};

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct proxy *proxy = proxy_start(pg_socket());
        _cleanup_free_ char *through = url_through(proxy);
        struct db_pool *p = pool_at(through, 1);

        ck_assert_int_eq(append_once(p, "warm"), STATUS_OK);
        proxy_fault(proxy, faults[i], "record/append", 14);
        ck_assert_int_eq(append_once(p, "inopnc"), STATUS_OK);
        ck_assert_int_eq(records("inopnc"), (long)i + 1);
        db_pool_free(p);
        proxy_stop(proxy);
    }
}
END_TEST

/* A COMMIT that waits for a synchronous standby which does not come is in progress, whatever one
 * asks. */
START_TEST(commit__not_known_is_not_called_done) {
    size_t applied;
    Status s;

    ck_assert_int_eq(ping(pool), STATUS_OK);
    free(pg_sql(url, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"));
    free(pg_sql(url, "SELECT pg_reload_conf()"));
    while (pg_number(url,
                     "SELECT count(*) FROM pg_settings WHERE name = 'synchronous_standby_names'"
                     " AND setting = 'nobody'") == 0)
        ;
    s = db_tx_run(pool, "unknown", DB_READ_COMMITTED, read_and_append, &applied);
    free(pg_sql(url, "ALTER SYSTEM RESET synchronous_standby_names"));
    free(pg_sql(url, "SELECT pg_reload_conf()"));
    terminate();
    ck_assert_int_eq(s, FAULT_DB_DOWN);
    ck_assert_msg(strstr(db_fault_text(), "not known whether"), "%s", db_fault_text());
}
END_TEST

/* ---- several hosts ---- */

static char *url_with_hosts(const char *hosts) {
    const char *at = strstr(url, "?host=");

    return xasprintf("%.*s?host=%s&user=postgres", (int)(at - url), url, hosts);
}

static const char *host(void) {
    return strstr(url, "?host=") + 6;
}

START_TEST(hosts__next_one_is_taken_when_the_first_refuses) {
    _cleanup_free_ char *hosts =
        xasprintf("/tmp/no-such-directory,%.*s", (int)strcspn(host(), "&"), host());
    _cleanup_free_ char *two = url_with_hosts(hosts);
    struct db_pool *p = pool_at(two, 1);

    ck_assert_int_eq(ping(p), STATUS_OK);
    db_pool_free(p);
}
END_TEST

START_TEST(hosts__next_one_is_taken_when_the_first_is_silent) {
    struct proxy *proxy = proxy_start(pg_socket());
    _cleanup_free_ char *hosts =
        xasprintf("%s,%.*s", proxy_directory(proxy), (int)strcspn(host(), "&"), host());
    _cleanup_free_ char *two = url_with_hosts(hosts);
    struct db_pool *p = db_pool_new(&(struct db_settings){.url = two, .size = 1, .wait_ms = 4000});
    int64_t start = clock_monotonic_us();

    proxy_fault(proxy, PROXY_MUTE, NULL, 0);
    ck_assert_int_eq(ping(p), STATUS_OK);
    ck_assert_int_le(ms_since(start), 2500);
    db_pool_free(p);
    proxy_stop(proxy);
}
END_TEST

START_TEST(hosts__read_only_server_is_not_taken) {
    struct db_pool *patient = pool_waiting(url, 1, 3000); /* it is to be refused, not to be late */

    free(pg_sql(url, "ALTER DATABASE %.*s SET default_transaction_read_only = on",
                (int)strcspn(strstr(url, "///") + 3, "?"), strstr(url, "///") + 3));
    ck_assert_int_eq(ping(patient), FAULT_DB_DOWN);
    ck_assert_msg(strstr(db_fault_text(), "read-only"), "%s", db_fault_text());
    db_pool_free(patient);
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE_WITH(
        "commit", 60, setup, teardown, commit__answer_lost_but_committed_is_done_once,
        commit__that_never_arrived_is_done_again, commit__swallowed_is_resolved_after_the_deadline,
        commit__of_a_single_statement_too, commit__statement_lost_before_it_is_done_again,
        commit__not_known_is_not_called_done, hosts__next_one_is_taken_when_the_first_refuses,
        hosts__next_one_is_taken_when_the_first_is_silent, hosts__read_only_server_is_not_taken);
}
