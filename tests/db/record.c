/* tests/db/record.c: the audit chain: exact bytes, no gaps, no deadlocks, pages. */
#include "db/record.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static char *url;
static struct db_pool *pool;

static void setup(void) {
    url = pg_database();
    pool = db_pool_new(&(struct db_settings){.url = url, .size = 16, .wait_ms = 10000});
}

static void teardown(void) {
    db_pool_free(pool);
    free(url);
}

static Status append_fn(struct db_tx *tx, void *ctx) {
    return record_append(tx, ctx);
}

static void append(struct record_entry *e) {
    ck_assert_int_eq(db_tx_run(pool, "append", DB_READ_COMMITTED, append_fn, e), STATUS_OK);
}

static struct record_entry entry(const char *app, const char *environment, const char *action) {
    return (struct record_entry){
        .app = app,
        .environment = environment,
        .actor = "{\"kind\":\"ci\",\"subject\":\"ci\",\"issuer\":\"sluice\"}",
        .from = "127.0.0.1",
        .action = action,
        .subject = "inopnc/production",
        .message = "Größe „1“ – \"quoted\" \\ and\ttab.",
        .data = "{\"n\": 1}",
    };
}

/* Every line's prev is the SHA-256 of the line before; seq counts from 1; the head is the last
 * line's. */
static void verify_chain(const char *chain, int64_t want) {
    struct record_query q = {.chain = chain};
    _cleanup_(record_page_done) struct record_page page = {0};
    char prev[SHA256_HEX];
    _cleanup_free_ char *head = pg_sql(url, "SELECT head FROM chain WHERE name = '%s'", chain);

    memset(prev, '0', 64);
    prev[64] = '\0';
    ck_assert_int_eq(record_page(pool, &q, NULL, 100000, &page), STATUS_OK);
    ck_assert_int_eq((int64_t)page.count, want);
    for (size_t i = 0; i < page.count; i++) {
        const char *line = db_text(page.rows, i, "line");
        json_auto_t *v = db_json(page.rows, i, "line");

        ck_assert_int_eq(json_int(v, "seq", -1), (int64_t)i + 1);
        ck_assert_str_eq(json_str(v, "prev", ""), prev);
        ck_assert_str_eq(json_str(v, "chain", ""), chain);
        sha256_hex(line, strlen(line), prev);
    }
    ck_assert_str_eq(head, prev);
}

START_TEST(record__line_holds_every_field) {
    struct record_entry e = entry("inopnc", "production", "deployment.created");
    _cleanup_(record_page_done) struct record_page page = {0};
    json_auto_t *v = NULL;
    int64_t at;

    e.deployment_id = "0190a000-0000-7000-8000-000000000000";
    append(&e);
    ck_assert_int_eq(
        record_page(pool, &(struct record_query){.chain = "inopnc/production"}, NULL, 10, &page),
        STATUS_OK);
    ck_assert_int_eq((int)page.count, 1);
    v = db_json(page.rows, 0, "line");
    ck_assert_int_eq((int)json_object_size(v), 10);
    ck_assert_str_eq(json_str(v, "from", ""), "127.0.0.1");
    ck_assert_str_eq(json_str(v, "action", ""), "deployment.created");
    ck_assert_str_eq(json_str(v, "subject", ""), "inopnc/production");
    ck_assert_str_eq(json_str(v, "message", ""), e.message);
    ck_assert_str_eq(json_str(json_at(v, "actor", NULL), "kind", ""), "ci");
    ck_assert_int_eq(json_int(json_at(v, "data", NULL), "n", 0), 1);
    ck_assert(clock_parse(json_str(v, "at", ""), &at));
    ck_assert_str_eq(db_text(page.rows, 0, "action"), "deployment.created");
    ck_assert_ptr_null(strchr(db_text(page.rows, 0, "line"), '\n'));
}
END_TEST

START_TEST(record__chain_verifies_and_goes_on) {
    for (int i = 0; i < 5; i++) {
        struct record_entry system = entry(NULL, NULL, "cluster.put"),
                            app = entry("inopnc", NULL, "app.put");

        append(&system);
        append(&app);
    }
    verify_chain("system", 5);
    verify_chain("inopnc", 5);
}
END_TEST

START_TEST(record__ndjson_is_the_stored_bytes) {
    struct record_entry e = entry("inopnc", NULL, "app.put");
    _cleanup_(record_page_done) struct record_page page = {0};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(100000);
    _cleanup_free_ char *stored = NULL;

    append(&e);
    append(&e);
    ck_assert_int_eq(record_page(pool, &(struct record_query){.chain = "inopnc"}, NULL, 10, &page),
                     STATUS_OK);
    record_page_lines(&page, &b);
    stored = pg_sql(
        url,
        "SELECT string_agg(line || chr(10), '' ORDER BY seq) FROM record WHERE chain = 'inopnc'");
    ck_assert_str_eq(b.data, stored);
}
END_TEST

/* Each writer appends to three of four chains in one transaction, in name order; one of them is
 * everybody's. */
enum { WRITERS = 16, ROUNDS = 12, CHAINS = 4, SHARED = 2 };

static Status append_three(struct db_tx *tx, void *ctx) {
    static const char *const apps[CHAINS] = {"a", "b", "c", "d"};
    const int *n = ctx;

    for (int i = 0; i < CHAINS; i++) {
        struct record_entry e = entry(apps[i], i % 2 ? "production" : NULL, "app.put");
        Status s;

        if (i == *n % CHAINS && i != SHARED)
            continue;
        s = record_append(tx, &e);
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

static void *writer(void *arg) {
    for (int i = 0; i < ROUNDS; i++)
        if (db_tx_run(pool, "three", DB_READ_COMMITTED, append_three, arg) != STATUS_OK)
            return arg;
    return NULL;
}

START_TEST(record__seq_has_no_gap_under_concurrent_writers) {
    pthread_t threads[WRITERS];
    int numbers[WRITERS];

    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, writer, &numbers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    verify_chain("c", WRITERS * ROUNDS);
    verify_chain("a", WRITERS * ROUNDS - WRITERS / CHAINS * ROUNDS);
    verify_chain("b/production", WRITERS * ROUNDS - WRITERS / CHAINS * ROUNDS);
    ck_assert_int_eq(
        pg_number(url, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"),
        0);
}
END_TEST

static Status refuse_after_append(struct db_tx *tx, void *ctx) {
    Status s = record_append(tx, ctx);

    return s == STATUS_OK ? E_BLOCKED : s;
}

START_TEST(record__refused_transaction_leaves_no_record) {
    struct record_entry e = entry("inopnc", NULL, "app.put");

    append(&e);
    ck_assert_int_eq(db_tx_run(pool, "refused", DB_READ_COMMITTED, refuse_after_append, &e),
                     E_BLOCKED);
    append(&e);
    verify_chain("inopnc", 2);
}
END_TEST

/* Reads everything in pages; returns how many, and the actions in order in `ret`. */
static size_t read_all(const struct record_query *q, int64_t limit, char ret[1024]) {
    char position[RECORD_POSITION], *after = NULL;
    size_t total = 0;

    ret[0] = '\0';
    for (bool more = true; more;) {
        _cleanup_(record_page_done) struct record_page page = {0};

        ck_assert_int_eq(record_page(pool, q, after, limit, &page), STATUS_OK);
        ck_assert_int_le((int64_t)page.count, limit);
        for (size_t i = 0; i < page.count; i++) {
            size_t n = strlen(ret);

            snprintf(ret + n, 1024 - n, "%s ", db_text(page.rows, i, "action"));
        }
        total += page.count;
        if (page.count)
            after = record_position(q, &page, page.count - 1, position);
        more = page.more;
    }
    return total;
}

static void append_some(void) {
    static const struct {
        const char *app, *environment, *action;
    } some[] = {
        {"inopnc", "production", "one"},   {NULL, NULL, "two"},
        {"inopnc", "production", "three"}, {"inopnc", NULL, "four"},
        {"inopnc-x", NULL, "five"},        {"inopnc", "staging", "six"},
        {"other", "production", "one"},
    };

    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        struct record_entry e = entry(some[i].app, some[i].environment, some[i].action);

        append(&e);
    }
}

START_TEST(record__pages_in_order_and_narrowed) {
    const struct {
        struct record_query query;
        const char *actions;
    } cases[] = {
        {{0}, "one two three four five six one "},
        {{.app = "inopnc"}, "one three four six "},
        {{.app = "system"}, ""},
        {{.environment = "production"}, "one three one "},
        {{.app = "inopnc", .environment = "staging"}, "six "},
        {{.action = "one"}, "one one "},
        {{.apps = (const char *const[]){"inopnc-x", "other", NULL}}, "five one "},
        {{.apps = (const char *const[]){"x", "*", NULL}}, "one two three four five six one "},
        {{.apps = (const char *const[]){NULL}}, ""},
        {{.chain = "inopnc/production"}, "one three "},
        {{.chain = "inopnc/production", .from_seq = 2}, "three "},
        {{.chain = "inopnc/production", .to_seq = 1}, "one "},
        {{.chain = "nowhere"}, ""},
        {{.chain = "system"}, "two "},
    };
    char actions[1024];

    append_some();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int64_t limit = 1; limit < 9; limit += 2) {
            read_all(&cases[i].query, limit, actions);
            ck_assert_msg(strcmp(actions, cases[i].actions) == 0, "case %zu, limit %d: \"%s\"", i,
                          (int)limit, actions);
        }
    }
}
END_TEST

START_TEST(record__deployment_pages) {
    struct record_entry e = entry("inopnc", "production", "step.started"), other = e;
    struct record_query q = {.deployment_id = "0190a000-0000-7000-8000-000000000001"};
    char actions[1024];

    e.deployment_id = q.deployment_id;
    other.action = "other";
    append(&e);
    append(&other);
    append(&e);
    ck_assert_int_eq((int)read_all(&q, 1, actions), 2);
    ck_assert_str_eq(actions, "step.started step.started ");
}
END_TEST

START_TEST(record__bad_position_is_refused) {
    static const char *const several[] = {"",     "1",      "x/1/a",  "1/1",
                                          "1//a", "1/2/A'", "1/-2/a", "99999999999999999999/1/a"};
    static const char *const single[] = {"", "x", "1 ", "-1", "1/2/a", "99999999999999999999"};
    struct record_page page;

    for (size_t i = 0; i < sizeof several / sizeof *several; i++)
        ck_assert_msg(record_page(pool, &(struct record_query){0}, several[i], 1, &page) ==
                          E_INVALID_QUERY,
                      "%s", several[i]);
    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        ck_assert_msg(record_page(pool, &(struct record_query){.chain = "a"}, single[i], 1,
                                  &page) == E_INVALID_QUERY,
                      "%s", single[i]);
}
END_TEST

/* A transaction that appended earlier and commits later must not be passed over. */
static Status append_while_other(struct db_tx *tx, void *ctx) {
    struct record_entry first = entry("early", NULL, "early"), late = entry("late", NULL, "late");
    char actions[1024];
    Status s = record_append(tx, &first);

    (void)ctx;
    append(&late); /* in another transaction, which commits at once */
    ck_assert_int_eq((int)read_all(&(struct record_query){0}, 10, actions), 0);
    ck_assert_int_eq((int)read_all(&(struct record_query){.chain = "late"}, 10, actions), 1);
    return s;
}

START_TEST(record__several_chains_wait_for_open_transactions) {
    char actions[1024];

    ck_assert_int_eq(db_tx_run(pool, "early", DB_READ_COMMITTED, append_while_other, NULL),
                     STATUS_OK);
    read_all(&(struct record_query){0}, 10, actions);
    ck_assert_str_eq(actions, "early late ");
}
END_TEST

/* A transaction that began earlier, and writes to the chain later. */
static Status append_around_other(struct db_tx *tx, void *ctx) {
    struct record_entry first = entry("a", NULL, "first"), mine = entry("b", NULL, "third");
    struct record_entry other = entry("b", NULL, "second");
    Status s = record_append(tx, &first);

    (void)ctx;
    append(&other);
    return s == STATUS_OK ? record_append(tx, &mine) : s;
}

START_TEST(record__several_chains_keep_the_order_of_each) {
    char actions[1024];

    ck_assert_int_eq(db_tx_run(pool, "around", DB_READ_COMMITTED, append_around_other, NULL),
                     STATUS_OK);
    read_all(&(struct record_query){0}, 10, actions);
    ck_assert_str_eq(actions, "first second third ");
    read_all(&(struct record_query){0}, 1, actions);
    ck_assert_str_eq(actions, "first second third ");
}
END_TEST

START_TEST(record__what_a_query_leaves_out_is_looked_at_once) {
    const struct record_query q = {.action = "rare"};
    _cleanup_(record_page_done) struct record_page page = {0}, next = {0}, full = {0};
    struct record_entry e = entry("inopnc", NULL, "rare");

    append_some();
    ck_assert_int_eq(record_page(pool, &q, NULL, 10, &page), STATUS_OK);
    ck_assert_int_eq((int)page.count, 0);
    ck_assert(page.looked[0]);
    append(&e);
    ck_assert_int_eq(record_page(pool, &q, page.looked, 10, &next), STATUS_OK);
    ck_assert_int_eq((int)next.count, 1);
    record_page_done(&page);
    ck_assert_int_eq(record_page(pool, &(struct record_query){0}, next.looked, 10, &page),
                     STATUS_OK);
    ck_assert_int_eq((int)page.count, 0);
    ck_assert_int_eq(record_page(pool, &(struct record_query){0}, NULL, 1, &full), STATUS_OK);
    ck_assert(full.more && !full.looked[0]);
}
END_TEST

START_TEST(record__latest_shows_only_news) {
    struct record_query queries[] = {
        {0}, {.chain = "inopnc"}, {.deployment_id = "0190a000-0000-7000-8000-000000000001"}};
    struct record_entry e = entry("inopnc", NULL, "old");

    e.deployment_id = queries[2].deployment_id;
    append(&e);
    for (size_t i = 0; i < 3; i++) {
        _cleanup_(record_page_done) struct record_page none = {0}, news = {0};
        char position[RECORD_POSITION];

        ck_assert_int_eq(record_latest(pool, &queries[i], position), STATUS_OK);
        ck_assert_int_eq(record_page(pool, &queries[i], position, 10, &none), STATUS_OK);
        ck_assert_int_eq((int)none.count, 0);
        e.action = "new";
        append(&e);
        ck_assert_int_eq(record_page(pool, &queries[i], position, 10, &news), STATUS_OK);
        ck_assert_int_eq((int)news.count, 1);
        ck_assert_str_eq(db_text(news.rows, 0, "action"), "new");
    }
}
END_TEST

START_TEST(record__chains_by_name) {
    _cleanup_(db_rows_free) struct db_rows *all = NULL, *some = NULL, *second = NULL;

    append_some();
    ck_assert_int_eq(record_chains(pool, NULL, NULL, 50, &all), STATUS_OK);
    ck_assert_int_eq((int)db_rows_count(all), 6);
    ck_assert_str_eq(db_text(all, 0, "name"), "inopnc");
    ck_assert_int_eq(db_int(all, 0, "length"), 1);
    ck_assert_int_eq((int)strlen(db_text(all, 0, "head")), 64);
    ck_assert_int_eq(record_chains(pool, (const char *const[]){"inopnc", NULL}, NULL, 50, &some),
                     STATUS_OK);
    ck_assert_int_eq((int)db_rows_count(some), 3);
    ck_assert_int_eq(record_chains(pool, NULL, "inopnc", 1, &second), STATUS_OK);
    ck_assert_int_eq((int)db_rows_count(second), 2);
    ck_assert_str_eq(db_text(second, 0, "name"), "inopnc-x");
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE_WITH("record", 60, setup, teardown, record__line_holds_every_field,
                          record__chain_verifies_and_goes_on, record__ndjson_is_the_stored_bytes,
                          record__seq_has_no_gap_under_concurrent_writers,
                          record__refused_transaction_leaves_no_record,
                          record__pages_in_order_and_narrowed, record__deployment_pages,
                          record__bad_position_is_refused,
                          record__several_chains_wait_for_open_transactions,
                          record__several_chains_keep_the_order_of_each,
                          record__what_a_query_leaves_out_is_looked_at_once,
                          record__latest_shows_only_news, record__chains_by_name);
}
