/* base/metric.c: see metric.h. */
#include "base/metric.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the table ---- */

#define MS INT64_C(1000)
#define S  INT64_C(1000000)

static const int64_t request_bounds[] = {MS / 2,  MS,        5 * MS / 2, 5 * MS, 10 * MS,
                                         25 * MS, 50 * MS,   100 * MS,   S / 4,  S / 2,
                                         S,       5 * S / 2, 5 * S,      10 * S, 0};
static const int64_t confirm_bounds[] = {10 * MS, 25 * MS,   50 * MS, 100 * MS, S / 4, S / 2,
                                         S,       5 * S / 2, 5 * S,   10 * S,   0};
static const int64_t step_bounds[] = {100 * MS, S / 4,   S / 2,    S,        5 * S / 2,
                                      5 * S,    10 * S,  30 * S,   60 * S,   120 * S,
                                      300 * S,  600 * S, 1800 * S, 3600 * S, 0};

#define COUNTER(name_, help_, ...)                                                                 \
    {                                                                                              \
        .name = name_, .help = help_, .type = METRIC_COUNTER, .kept = true, .labels = {            \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define HISTOGRAM(name_, help_, bounds_, ...)                                                      \
    {                                                                                              \
        .name = name_, .help = help_, .type = METRIC_HISTOGRAM, .kept = true,                      \
        .bounds_us = bounds_, .labels = {                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
/* asked for when somebody looks */
#define GAUGE(name_, help_, ...)                                                                   \
    {                                                                                              \
        .name = name_, .help = help_, .type = METRIC_GAUGE, .labels = { __VA_ARGS__ }              \
    }
#define COUNTED_ELSEWHERE(name_, help_)                                                            \
    { .name = name_, .help = help_, .type = METRIC_COUNTER }

// clang-format off
const struct metric_row metric_rows[METRICS] = {
    [METRIC_HTTP_REQUESTS]       = COUNTER("sluice_http_requests_total", "Answered requests. Operation `none`: nothing is at that path.", LABEL_OPERATION, LABEL_CODE),
    [METRIC_HTTP_REQUEST_TIME]   = HISTOGRAM("sluice_http_request_duration_seconds", "Time from a request's first line until its answer was there; of a stream, until it began.", request_bounds, LABEL_OPERATION),
    [METRIC_HTTP_OVERLOADED]     = COUNTED_ELSEWHERE("sluice_http_overloaded_total", "Requests refused as overload."),
    [METRIC_HTTP_LIMITED]        = COUNTED_ELSEWHERE("sluice_http_limited_total", "Requests refused for their number."),
    [METRIC_HTTP_REAPED]         = COUNTED_ELSEWHERE("sluice_http_reaped_total", "Connections closed for being too slow."),
    [METRIC_HTTP_CONNECTIONS]    = GAUGE("sluice_http_connections", "Open connections.", LABEL_NONE),
    [METRIC_HTTP_CONNECTIONS_MAX] = GAUGE("sluice_http_connections_max", "Connections that may be open: SLUICE_MAX_CONNECTIONS.", LABEL_NONE),
    [METRIC_HTTP_QUEUED]         = GAUGE("sluice_http_queued", "Requests that wait for a handler thread.", LABEL_NONE),
    [METRIC_HTTP_QUEUE_TIME]     = HISTOGRAM("sluice_http_queue_duration_seconds", "Time that requests, and streams with something to say, waited for a handler thread.", request_bounds, LABEL_NONE),
    [METRIC_HTTP_QUEUE_MAX]      = GAUGE("sluice_http_queue_max", "Requests that may wait for one: SLUICE_QUEUE_MAX.", LABEL_NONE),
    [METRIC_HTTP_PARKED]         = GAUGE("sluice_http_parked", "Requests that wait for an event, without a thread.", LABEL_NONE),
    [METRIC_HTTP_STREAMS]        = GAUGE("sluice_http_streams", "Open event streams.", LABEL_NONE),
    [METRIC_HTTP_STREAM_READS]   = COUNTED_ELSEWHERE("sluice_http_stream_reads_total", "Times that PostgreSQL was asked what event streams of the record have to tell. Streams that ask the same share them."),
    [METRIC_HTTP_LARGE_BODIES]   = GAUGE("sluice_http_large_bodies", "Large bodies that are held: SLUICE_LARGE_BODIES_MAX.", LABEL_NONE),
    [METRIC_TLS_EXPIRY]          = GAUGE("sluice_tls_expiry_timestamp_seconds", "When the listener's certificate ends, since 1970. Absent without SLUICE_TLS_CERT.", LABEL_NONE),
    [METRIC_DB_READY]            = GAUGE("sluice_database_ready", "Whether the database answered with our schema, last time it was asked.", LABEL_NONE),
    [METRIC_DB_CONNECTIONS]      = GAUGE("sluice_database_connections", "Connections to PostgreSQL, `in_use` and `idle`. The pool is the connection's application_name.", LABEL_POOL, LABEL_STATE),
    [METRIC_DB_CONNECTIONS_MAX]  = GAUGE("sluice_database_connections_max", "Connections that the pool may open.", LABEL_POOL),
    [METRIC_DB_WAITING]          = GAUGE("sluice_database_waiting", "Threads that wait for a connection.", LABEL_POOL),
    [METRIC_WORKER_JOBS]         = GAUGE("sluice_worker_jobs", "Environments that this server carries: `waiting` for time or the cluster, `queued` for a worker, `running`.", LABEL_STATE),
    [METRIC_WORKER_THREADS]      = GAUGE("sluice_worker_threads", "Workers beside the one for abort and rollback: SLUICE_WORKER_THREADS.", LABEL_NONE),
    [METRIC_STEP_TIME]           = HISTOGRAM("sluice_step_duration_seconds", "Time that a step took, of those that were done. One that another server began counts from its beginning.", step_bounds, LABEL_STEP),
    [METRIC_CONFIRM_TIME]        = HISTOGRAM("sluice_confirm_duration_seconds", "Time from the request for an abort, a rollback or traffic until its write was seen at the Service.", confirm_bounds, LABEL_ASKED),
    [METRIC_UNCONFIRMED]         = COUNTER("sluice_unconfirmed_total", "Such requests that were answered 504 `not-confirmed`; the work goes on.", LABEL_ASKED),
    [METRIC_LEASE_LOST]          = COUNTER("sluice_lease_lost_total", "Jobs that were dropped because the environment's lease was somebody else's by then: another server's, or a verb's (abort, rollback, pause).", LABEL_NONE),
    [METRIC_COMMIT_FAULTS]       = COUNTER("sluice_commit_faults_total", "Commits of jobs that the database did not take; the job is loaded again.", LABEL_NONE),
    [METRIC_RENEW_FAULTS]        = COUNTER("sluice_lease_renew_faults_total", "Renewals of leases that failed.", LABEL_NONE),
    [METRIC_KUBE_REQUESTS]       = COUNTER("sluice_kube_requests_total", "Calls to Kubernetes API servers. Code `none`: no answer; verb `watch`: watches that ended; `proxy`: checks through the API server.", LABEL_KUBE_VERB, LABEL_CODE),
    [METRIC_KUBE_REQUEST_TIME]   = HISTOGRAM("sluice_kube_request_duration_seconds", "Time that they took; not of watches.", request_bounds, LABEL_KUBE_VERB),
    [METRIC_KUBE_WATCHES]        = GAUGE("sluice_kube_watches", "Watches, one for each cluster, namespace and kind: `live`, or `failing`.", LABEL_STATE),
    [METRIC_KUBE_RESTARTS]       = COUNTER("sluice_kube_watch_restarts_total", "Watches that had to begin again: `gone` (410), `cut`, `silent` (no byte for too long), `failed`.", LABEL_RESTART),
    [METRIC_FLAG_EVALUATIONS]    = COUNTER("sluice_flag_evaluations_total", "Flags that were evaluated for clients.", LABEL_NONE),
    [METRIC_FLAG_SNAPSHOT_AGE]   = GAUGE("sluice_flag_snapshot_age_seconds", "Since when the served flags have not been compared with the database. Absent: none are served.", LABEL_NONE),
    [METRIC_FLAG_SNAPSHOT_STALE] = GAUGE("sluice_flag_snapshot_stale", "Whether that is longer than FEATURE_FLAGS_CACHE_TIMEOUT.", LABEL_NONE),
    [METRIC_FLAG_ENVIRONMENTS]   = GAUGE("sluice_flag_environments", "Environments whose flags are served.", LABEL_NONE),
    [METRIC_FLAGS]               = GAUGE("sluice_flags", "Flags in them.", LABEL_NONE),
    [METRIC_FLAG_READS]          = COUNTED_ELSEWHERE("sluice_flag_reads_total", "Reads of one environment's flags."),
    [METRIC_FLAG_READ_FAULTS]    = COUNTED_ELSEWHERE("sluice_flag_read_faults_total", "Reads of flags that failed."),
    [METRIC_EXPOSURE_WAITING]    = GAUGE("sluice_exposure_waiting", "Counts of flag clients that wait to be written.", LABEL_NONE),
    [METRIC_EXPOSURE_WRITTEN]    = COUNTED_ELSEWHERE("sluice_exposure_written_total", "Counts that were written."),
    [METRIC_EXPOSURE_DROPPED]    = COUNTED_ELSEWHERE("sluice_exposure_dropped_total", "Counts that found no room."),
    [METRIC_CENSUS_AGE]          = GAUGE("sluice_census_age_seconds", "How long ago the database said what `sluice_deployments`, `sluice_record…` and `sluice_checkpoint…` (but `_failing`) show, which is the same on every server. It and they are absent when it has not answered for a minute.", LABEL_NONE),
    [METRIC_DEPLOYMENTS]         = GAUGE("sluice_deployments", "Deployments by state.", LABEL_STATE),
    [METRIC_RECORD_CHAINS]       = GAUGE("sluice_record_chains", "Chains of the record.", LABEL_NONE),
    [METRIC_RECORDS]             = GAUGE("sluice_records", "Records: the sum of the chains' last sequence numbers. It never falls.", LABEL_NONE),
    [METRIC_RECORD_AGE]          = GAUGE("sluice_record_age_seconds", "Age of the last record. Absent: there is none.", LABEL_NONE),
    [METRIC_CHECKPOINT_NUMBER]   = GAUGE("sluice_checkpoint_number", "Number of the last checkpoint of the record. Absent: there is none.", LABEL_NONE),
    [METRIC_CHECKPOINT_AGE]      = GAUGE("sluice_checkpoint_age_seconds", "Its age.", LABEL_NONE),
    [METRIC_CHECKPOINT_RECORDS]  = GAUGE("sluice_checkpoint_records_since", "Records newer than it.", LABEL_NONE),
    [METRIC_CHECKPOINT_FAILING]  = GAUGE("sluice_checkpoint_failing", "Whether making (`make`), writing (`keep`) or sending (`send`) checkpoints fails on this server.", LABEL_TASK),
    [METRIC_BUILD]               = GAUGE("sluice_build_info", "Which program this is; always 1.", LABEL_VERSION),
    [METRIC_PROCESS_START]       = GAUGE("process_start_time_seconds", "When the process was started, since 1970.", LABEL_NONE),
    [METRIC_PROCESS_CPU]         = COUNTED_ELSEWHERE("process_cpu_seconds_total", "Processor time of the process, user and system."),
    [METRIC_PROCESS_RESIDENT]    = GAUGE("process_resident_memory_bytes", "Resident memory.", LABEL_NONE),
    [METRIC_PROCESS_VIRTUAL]     = GAUGE("process_virtual_memory_bytes", "Virtual memory.", LABEL_NONE),
    [METRIC_PROCESS_FDS]         = GAUGE("process_open_fds", "Open file descriptors.", LABEL_NONE),
    [METRIC_PROCESS_FDS_MAX]     = GAUGE("process_max_fds", "File descriptors that may be open.", LABEL_NONE),
    [METRIC_PROCESS_THREADS]     = GAUGE("process_threads", "Threads.", LABEL_NONE),
};
// clang-format on

/* ---- labels ---- */

static const char *const codes[] = {"none", "200", "201", "202", "204", "206", "301", "304",
                                    "400",  "401", "403", "404", "405", "406", "408", "409",
                                    "410",  "412", "413", "415", "422", "428", "429", "431",
                                    "500",  "501", "502", "503", "504", NULL};
enum { CODES = 600 };
static uint8_t code_places[CODES]; /* in that list: every request looks */
static const char *const asked[] = {
    "none", "abortDeployment", "rollbackDeployment", "rollbackEnvironment", "moveTraffic", NULL};
static const char *const kube_verbs[] = {"other", "GET",   "PATCH", "POST",
                                         "PUT",   "watch", "proxy", NULL};
static const char *const restarts[] = {"failed", "gone", "cut", "silent", NULL};

static struct label {
    const char *name;
    const char *const *values;
} labels[LABELS] = {
    [LABEL_NONE] = {NULL, NULL},          [LABEL_OPERATION] = {"operation", NULL},
    [LABEL_CODE] = {"code", codes},       [LABEL_STEP] = {"step", NULL},
    [LABEL_ASKED] = {"operation", asked}, [LABEL_KUBE_VERB] = {"verb", kube_verbs},
    [LABEL_RESTART] = {"why", restarts},  [LABEL_POOL] = {"pool", NULL},
    [LABEL_STATE] = {"state", NULL},      [LABEL_TASK] = {"task", NULL},
    [LABEL_VERSION] = {"version", NULL},
};

const char *metric_label_name(MetricLabel l) {
    return labels[l].name;
}

static size_t list_length(const char *const *list) {
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

static size_t label_size(MetricLabel l) {
    return l == LABEL_NONE ? 1 : list_length(labels[l].values);
}

size_t metric_place(MetricLabel l, const char *value) {
    const char *const *list = labels[l].values;

    for (size_t i = 1; list && list[0] && list[i]; i++)
        if (!strcmp(list[i], value))
            return i;
    return 0;
}

size_t metric_code_place(unsigned http_status) {
    return http_status < CODES ? code_places[http_status] : 0;
}

/* ---- cells ---- */

/* Of a histogram: as many counts as bounds, that of what is above, and the sum in µs. */
static struct family {
    _Atomic uint64_t *cells;
    size_t second, width; /* values of the second label; numbers in a cell */
} families[METRICS];

static size_t bounds_count(const struct metric_row *row) {
    size_t n = 0;

    while (row->bounds_us && row->bounds_us[n])
        n++;
    return n;
}

static size_t family_size(Metric m) {
    return label_size(metric_rows[m].labels[0]) * families[m].second;
}

/* `first` and then the list, each once. */
static const char *const *list_of(const char *first, const char *const *list) {
    const char **all = xcalloc(list_length(list) + 2, sizeof *all);
    size_t n = 0;

    all[n++] = first;
    for (; list && *list; list++) {
        size_t i = 0;

        while (i < n && strcmp(all[i], *list) != 0)
            i++;
        if (i == n)
            all[n++] = *list;
    }
    return all;
}

void metrics_begin(const char *const *operations, const char *const *steps) {
    metrics_end();
    labels[LABEL_OPERATION].values = list_of("none", operations);
    labels[LABEL_STEP].values = list_of("other", steps);
    for (size_t i = 1; codes[i]; i++)
        code_places[strtoul(codes[i], NULL, 10)] = (uint8_t)i;
    for (Metric m = 0; m < METRICS; m++) {
        struct family *f = &families[m];

        if (!metric_rows[m].kept)
            continue;
        f->second = label_size(metric_rows[m].labels[1]);
        f->width = metric_rows[m].bounds_us ? bounds_count(&metric_rows[m]) + 2 : 1;
        f->cells = xcalloc(family_size(m) * f->width, sizeof *f->cells);
    }
}

void metrics_end(void) {
    for (Metric m = 0; m < METRICS; m++) {
        free((void *)(uintptr_t)families[m].cells);
        families[m] = (struct family){0};
    }
    free((void *)(uintptr_t)labels[LABEL_OPERATION].values);
    free((void *)(uintptr_t)labels[LABEL_STEP].values);
    labels[LABEL_OPERATION].values = labels[LABEL_STEP].values = NULL;
}

static void cell_add(_Atomic uint64_t *cell, uint64_t n) {
    atomic_fetch_add_explicit(cell, n, memory_order_relaxed);
}

void metric_add(Metric m, size_t first, size_t second, uint64_t n) {
    struct family *f = &families[m];

    if (f->cells)
        cell_add(&f->cells[first * f->second + second], n);
}

void metric_observe(Metric m, size_t first, int64_t took_us) {
    struct family *f = &families[m];
    _Atomic uint64_t *cell;
    size_t i = 0;

    if (!f->cells)
        return;
    cell = &f->cells[first * f->width];
    while (metric_rows[m].bounds_us[i] && took_us > metric_rows[m].bounds_us[i])
        i++;
    cell_add(&cell[i], 1);
    cell_add(&cell[f->width - 1], took_us > 0 ? (uint64_t)took_us : 0);
}

/* ---- showing ---- */

static const char *const types[] = {"counter", "gauge", "histogram"};

static void put_head(struct metric_text *t, Metric m) {
    const struct metric_row *row = &metric_rows[m];

    if (t->last != m)
        strbuf_addf(&t->out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                    types[row->type]);
    t->last = m;
}

static void put_value(struct strbuf *out, const char *value) {
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            strbuf_adds(out, "\\");
        strbuf_add(out, *value == '\n' ? " " : value, 1);
    }
}

/* {a="…",b="…",le="…"}, of those that there are. */
static void put_labels(struct strbuf *out, const struct metric_row *row, const char *first,
                       const char *second, const char *le) {
    const char *const name[] = {first ? labels[row->labels[0]].name : NULL,
                                second ? labels[row->labels[1]].name : NULL, le ? "le" : NULL};
    const char *const value[] = {first, second, le};
    bool any = false;

    for (size_t i = 0; i < 3; i++) {
        if (!name[i])
            continue;
        strbuf_addf(out, "%s%s=\"", any ? "," : "{", name[i]);
        put_value(out, value[i]);
        strbuf_adds(out, "\"");
        any = true;
    }
    if (any)
        strbuf_adds(out, "}");
}

void metric_put(struct metric_text *t, Metric m, const char *first, const char *second,
                double value) {
    put_head(t, m);
    strbuf_adds(&t->out, metric_rows[m].name);
    put_labels(&t->out, &metric_rows[m], first, second, NULL);
    strbuf_addf(&t->out, " %.15g\n", value);
}

static void put_histogram(struct metric_text *t, Metric m, const char *first,
                          const uint64_t *numbers) {
    const struct metric_row *row = &metric_rows[m];
    size_t n = bounds_count(row);
    uint64_t count = 0;

    put_head(t, m);
    for (size_t i = 0; i <= n; i++) {
        char le[32] = "+Inf";

        if (i < n)
            snprintf(le, sizeof le, "%g", (double)row->bounds_us[i] / (double)S);
        count += numbers[i];
        strbuf_addf(&t->out, "%s_bucket", row->name);
        put_labels(&t->out, row, first, NULL, le);
        strbuf_addf(&t->out, " %llu\n", (unsigned long long)count);
    }
    strbuf_addf(&t->out, "%s_sum", row->name);
    put_labels(&t->out, row, first, NULL, NULL);
    strbuf_addf(&t->out, " %.15g\n%s_count", (double)numbers[n + 1] / (double)S, row->name);
    put_labels(&t->out, row, first, NULL, NULL);
    strbuf_addf(&t->out, " %llu\n", (unsigned long long)count);
}

/* The numbers of one cell; false: they are all 0. */
static bool read_cell(const struct family *f, size_t i, uint64_t *ret) {
    bool any = false;

    for (size_t k = 0; k < f->width; k++) {
        ret[k] = atomic_load_explicit(&f->cells[i * f->width + k], memory_order_relaxed);
        any = any || ret[k];
    }
    return any;
}

static void put_family(struct metric_text *t, Metric m) {
    enum { SHORT = 8, WIDEST = 32 };
    const struct family *f = &families[m];
    const MetricLabel *l = metric_rows[m].labels;
    size_t n = family_size(m);
    uint64_t numbers[WIDEST];

    for (size_t i = 0; i < n; i++) {
        const char *first = l[0] ? labels[l[0]].values[i / f->second] : NULL;
        const char *second = l[1] ? labels[l[1]].values[i % f->second] : NULL;
        bool any = read_cell(f, i, numbers);

        /* of a short list also what never happened, so that its first time is an increase */
        if (!any && n > SHORT)
            continue;
        if (metric_rows[m].bounds_us)
            put_histogram(t, m, first, numbers);
        else
            metric_put(t, m, first, second, (double)numbers[0]);
    }
}

void metric_put_kept(struct metric_text *t) {
    for (Metric m = 0; m < METRICS; m++)
        if (families[m].cells)
            put_family(t, m);
}

/* ---- the document ---- */

char *metrics_reference(void) {
    enum { REFERENCE_BYTES = 64 * 1024 };
    struct strbuf out = STRBUF(REFERENCE_BYTES);

    strbuf_adds(&out, "# Metrics\n\nWhat `GET /metrics` shows, made by `sluiced dump-metrics` from "
                      "the table in `server/base/metric.c`. What it is good for: "
                      "[README.md](README.md).\n\n"
                      "| metric | type | labels | what it says |\n|---|---|---|---|\n");
    for (Metric m = 0; m < METRICS; m++) {
        const struct metric_row *row = &metric_rows[m];
        const char *a = labels[row->labels[0]].name, *b = labels[row->labels[1]].name;

        strbuf_addf(&out, "| `%s` | %s | %s%s%s | %s |\n", row->name, types[row->type], a ? a : "",
                    b ? ", " : "", b ? b : "", row->help);
    }
    return strbuf_take(&out);
}
