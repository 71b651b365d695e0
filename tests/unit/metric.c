/* tests/unit/metric.c: the registry: its table, counting from many threads, and the text format. */
#include "base/metric.h"
#include "base/cleanup.h"
#include "handlers/routes.h"
#include "tests/support/suite.h"
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void begin(void) {
    metrics_begin(
        (const char *const[]){"getApp", "putApp", "getApp", "a", "b", "c", "d", "e", "f", NULL},
        (const char *const[]){"resolve", "apply", NULL});
}

/* What is shown of what was counted; yours. */
static char *shown(void) {
    struct metric_text t = METRIC_TEXT(1 << 20);

    metric_put_kept(&t);
    ck_assert(!t.out.overflowed);
    return strbuf_take(&t.out);
}

static bool has_line(const char *text, const char *line) {
    size_t n = strlen(line);

    for (const char *at = text; (at = strstr(at, line)); at += n)
        if ((at == text || at[-1] == '\n') && at[n] == '\n')
            return true;
    return false;
}
#define SHOWN(text, line) ck_assert_msg(has_line(text, line), "no line %s in\n%s", line, text)

static bool ends(const char *text, const char *with) {
    size_t n = strlen(text), m = strlen(with);

    return n >= m && !strcmp(text + n - m, with);
}

/* Prometheus' conventions, as far as promtool does not look. */
START_TEST(metric__table_is_sound) {
    for (Metric m = 0; m < METRICS; m++) {
        const struct metric_row *row = &metric_rows[m];

        ck_assert_msg(row->name && row->help, "row %u is empty", m);
        ck_assert_msg(!strncmp(row->name, "sluice_", 7) || !strncmp(row->name, "process_", 8),
                      "%s has no prefix", row->name);
        ck_assert_msg(ends(row->help, "."), "%s: its help is no sentence", row->name);
        ck_assert_msg(!strpbrk(row->help, "\n\\|"), "%s: its help", row->name);
        ck_assert_msg((row->type == METRIC_COUNTER) == ends(row->name, "_total"), "%s", row->name);
        ck_assert_msg((row->type == METRIC_HISTOGRAM) == ends(row->name, "_duration_seconds"), "%s",
                      row->name);
        ck_assert_msg((row->type == METRIC_HISTOGRAM) == (row->bounds_us != NULL), "%s", row->name);
        ck_assert_msg(!row->kept || (row->labels[0] < LABEL_OPEN && row->labels[1] < LABEL_OPEN),
                      "%s is kept, and has a label without a list", row->name);
        for (size_t i = 0; row->bounds_us && row->bounds_us[i] && row->bounds_us[i + 1]; i++)
            ck_assert_int_lt(row->bounds_us[i], row->bounds_us[i + 1]);
        for (Metric other = 0; other < m; other++)
            ck_assert_str_ne(metric_rows[other].name, row->name);
    }
}
END_TEST

START_TEST(metric__counts_by_labels) {
    _cleanup_free_ char *text = NULL;

    begin();
    metric_add(METRIC_HTTP_REQUESTS, metric_place(LABEL_OPERATION, "putApp"),
               metric_code_place(201), 2);
    metric_add(METRIC_HTTP_REQUESTS, metric_place(LABEL_OPERATION, "gone"), metric_code_place(404),
               1);
    metric_add(METRIC_HTTP_REQUESTS, 0, metric_code_place(299), 1);
    metric_add(METRIC_LEASE_LOST, 0, 0, 3);
    text = shown();
    SHOWN(text, "sluice_http_requests_total{operation=\"putApp\",code=\"201\"} 2");
    SHOWN(text, "sluice_http_requests_total{operation=\"none\",code=\"404\"} 1");
    SHOWN(text, "sluice_http_requests_total{operation=\"none\",code=\"none\"} 1");
    SHOWN(text, "# TYPE sluice_http_requests_total counter");
    SHOWN(text, "sluice_lease_lost_total 3");
    SHOWN(text, "sluice_commit_faults_total 0");
    SHOWN(text, "sluice_kube_watch_restarts_total{why=\"gone\"} 0");
    SHOWN(text, "sluice_http_queue_duration_seconds_bucket{le=\"+Inf\"} 0");
    SHOWN(text, "sluice_http_queue_duration_seconds_sum 0");
    ck_assert_ptr_null(strstr(text, "operation=\"getApp\"")); /* of a long list: what happened */
}
END_TEST

START_TEST(metric__places_are_bounded) {
    static const unsigned odd[] = {0, 1, 99, 102, 299, 599, 600, 999, 4294967295u};

    begin();
    ck_assert_uint_eq(metric_place(LABEL_OPERATION, "getApp"), 1);
    ck_assert_uint_eq(metric_place(LABEL_OPERATION, "putApp"), 2);
    ck_assert_uint_eq(metric_place(LABEL_OPERATION, "none"), 0);
    ck_assert_uint_eq(metric_place(LABEL_STEP, "apply"), 2);
    ck_assert_uint_eq(metric_place(LABEL_NONE, "x"), 0);
    ck_assert_uint_eq(metric_place(LABEL_POOL, "x"), 0);
    ck_assert_uint_ne(metric_code_place(200), metric_code_place(201));
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        ck_assert_uint_eq(metric_code_place(odd[i]), 0);
}
END_TEST

/* A route that is called otherwise would be counted as "none". */
START_TEST(metric__what_is_confirmed_are_operations) {
    struct metric_text t = METRIC_TEXT(1 << 20);
    const char *at;

    begin();
    metric_put_kept(&t);
    at = t.out.data;
    for (const char *name = "sluice_unconfirmed_total{operation=\""; (at = strstr(at, name));) {
        const struct route *r = routes;

        at += strlen(name);
        while (r->operation && (strncmp(at, r->operation, strlen(r->operation)) != 0 ||
                                at[strlen(r->operation)] != '"'))
            r++;
        ck_assert_msg(r->operation || !strncmp(at, "none\"", 5), "%.30s is no operation", at);
    }
    strbuf_done(&t.out);
}
END_TEST

START_TEST(metric__histogram_is_cumulative) {
    static const int64_t took_us[] = {-5, 0, 100000, 100001, 250000, 3600000000, 3600000001};
    _cleanup_free_ char *text = NULL;
    size_t place;

    begin();
    place = metric_place(LABEL_STEP, "apply");
    for (size_t i = 0; i < sizeof took_us / sizeof *took_us; i++)
        metric_observe(METRIC_STEP_TIME, place, took_us[i]);
    text = shown();
    SHOWN(text, "# TYPE sluice_step_duration_seconds histogram");
    SHOWN(text, "sluice_step_duration_seconds_bucket{step=\"apply\",le=\"0.1\"} 3");
    SHOWN(text, "sluice_step_duration_seconds_bucket{step=\"apply\",le=\"0.25\"} 5");
    SHOWN(text, "sluice_step_duration_seconds_bucket{step=\"apply\",le=\"1800\"} 5");
    SHOWN(text, "sluice_step_duration_seconds_bucket{step=\"apply\",le=\"3600\"} 6");
    SHOWN(text, "sluice_step_duration_seconds_bucket{step=\"apply\",le=\"+Inf\"} 7");
    SHOWN(text, "sluice_step_duration_seconds_sum{step=\"apply\"} 7200.450002");
    SHOWN(text, "sluice_step_duration_seconds_count{step=\"apply\"} 7");
    SHOWN(text, "sluice_step_duration_seconds_count{step=\"resolve\"} 0"); /* of a short list all */
}
END_TEST

START_TEST(metric__before_the_start_nothing_is_counted) {
    struct metric_text t = METRIC_TEXT(1000);

    metric_add(METRIC_HTTP_REQUESTS, 0, 0, 1);
    metric_observe(METRIC_STEP_TIME, 0, 1);
    metric_put_kept(&t);
    ck_assert_uint_eq(t.out.len, 0);
    strbuf_done(&t.out);
}
END_TEST

START_TEST(metric__samples_are_escaped) {
    struct metric_text t = METRIC_TEXT(10000);

    metric_put(&t, METRIC_BUILD, "a\"b\\c\nd", NULL, 1);
    metric_put(&t, METRIC_DB_CONNECTIONS, "p", "idle", 0.1);
    metric_put(&t, METRIC_DB_CONNECTIONS, "p", "in_use", 1e15);
    SHOWN(t.out.data, "sluice_build_info{version=\"a\\\"b\\\\c d\"} 1");
    SHOWN(t.out.data, "sluice_database_connections{pool=\"p\",state=\"idle\"} 0.1");
    SHOWN(t.out.data, "sluice_database_connections{pool=\"p\",state=\"in_use\"} 1e+15");
    ck_assert_ptr_eq(strstr(strstr(t.out.data, "# TYPE sluice_database_connections ") + 1,
                            "# TYPE sluice_database_connections "),
                     NULL);
    strbuf_done(&t.out);
}
END_TEST

enum { THREADS = 4, TIMES = 20000 };

static void *count_much(void *unused) {
    for (int i = 0; i < TIMES; i++) {
        metric_add(METRIC_HTTP_REQUESTS, 1, metric_code_place(200), 1);
        metric_observe(METRIC_HTTP_REQUEST_TIME, 1, 1000);
    }
    return unused;
}

START_TEST(metric__no_count_is_lost_among_threads) {
    _cleanup_free_ char *text = NULL;
    pthread_t threads[THREADS];

    begin();
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_much, NULL), 0);
    for (int i = 0; i < 20; i++)
        free(shown()); /* while they count */
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    text = shown();
    SHOWN(text, "sluice_http_requests_total{operation=\"getApp\",code=\"200\"} 80000");
    SHOWN(text, "sluice_http_request_duration_seconds_sum{operation=\"getApp\"} 80");
    SHOWN(text, "sluice_http_request_duration_seconds_count{operation=\"getApp\"} 80000");
}
END_TEST

int main(void) {
    return RUN_SUITE_WITH("metric", 20, NULL, metrics_end, metric__table_is_sound,
                          metric__counts_by_labels, metric__places_are_bounded,
                          metric__what_is_confirmed_are_operations, metric__histogram_is_cumulative,
                          metric__before_the_start_nothing_is_counted, metric__samples_are_escaped,
                          metric__no_count_is_lost_among_threads);
}
