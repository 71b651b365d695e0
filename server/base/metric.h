/* base/metric.h: what GET /metrics shows, as one table (metric.c), and the cells of what is counted
 * where it happens.
 *
 * To count is a relaxed atomic addition to a cell that exists since the start: no lock, no
 * allocation, and no more series than the table has room for.  What is a state (connections, pools)
 * has no cells: handlers/metrics.c asks for it when somebody looks. */
#pragma once
#include "base/strbuf.h"
#include <stdint.h>

typedef enum Metric {
    METRIC_HTTP_REQUESTS,
    METRIC_HTTP_REQUEST_TIME,
    METRIC_HTTP_OVERLOADED,
    METRIC_HTTP_LIMITED,
    METRIC_HTTP_REAPED,
    METRIC_HTTP_CONNECTIONS,
    METRIC_HTTP_CONNECTIONS_MAX,
    METRIC_HTTP_QUEUED,
    METRIC_HTTP_QUEUE_TIME,
    METRIC_HTTP_QUEUE_MAX,
    METRIC_HTTP_PARKED,
    METRIC_HTTP_STREAMS,
    METRIC_HTTP_STREAM_READS,
    METRIC_HTTP_LARGE_BODIES,
    METRIC_TLS_EXPIRY,
    METRIC_DB_READY,
    METRIC_DB_CONNECTIONS,
    METRIC_DB_CONNECTIONS_MAX,
    METRIC_DB_WAITING,
    METRIC_WORKER_JOBS,
    METRIC_WORKER_THREADS,
    METRIC_STEP_TIME,
    METRIC_CONFIRM_TIME,
    METRIC_UNCONFIRMED,
    METRIC_LEASE_LOST,
    METRIC_COMMIT_FAULTS,
    METRIC_RENEW_FAULTS,
    METRIC_KUBE_REQUESTS,
    METRIC_KUBE_REQUEST_TIME,
    METRIC_KUBE_WATCHES,
    METRIC_KUBE_RESTARTS,
    METRIC_FLAG_EVALUATIONS,
    METRIC_FLAG_SNAPSHOT_AGE,
    METRIC_FLAG_SNAPSHOT_STALE,
    METRIC_FLAG_ENVIRONMENTS,
    METRIC_FLAGS,
    METRIC_FLAG_READS,
    METRIC_FLAG_READ_FAULTS,
    METRIC_EXPOSURE_WAITING,
    METRIC_EXPOSURE_WRITTEN,
    METRIC_EXPOSURE_DROPPED,
    METRIC_CENSUS_AGE,
    METRIC_DEPLOYMENTS,
    METRIC_RECORD_CHAINS,
    METRIC_RECORDS,
    METRIC_RECORD_AGE,
    METRIC_CHECKPOINT_NUMBER,
    METRIC_CHECKPOINT_AGE,
    METRIC_CHECKPOINT_RECORDS,
    METRIC_CHECKPOINT_FAILING,
    METRIC_BUILD,
    METRIC_PROCESS_START,
    METRIC_PROCESS_CPU,
    METRIC_PROCESS_RESIDENT,
    METRIC_PROCESS_VIRTUAL,
    METRIC_PROCESS_FDS,
    METRIC_PROCESS_FDS_MAX,
    METRIC_PROCESS_THREADS,
    METRICS
} Metric;

/* Whose values are a list.  Each list begins with what stands for all that is not in it. */
typedef enum MetricLabel {
    LABEL_NONE,
    LABEL_OPERATION, /* metrics_begin() */
    LABEL_CODE,      /* of HTTP */
    LABEL_STEP,      /* metrics_begin() */
    LABEL_ASKED,     /* the operations that are answered when the cluster shows what they did */
    LABEL_KUBE_VERB,
    LABEL_RESTART,
    LABEL_OPEN, /* the others: any values, given where they are shown */
    LABEL_POOL = LABEL_OPEN,
    LABEL_STATE,
    LABEL_TASK,
    LABEL_VERSION,
    LABELS
} MetricLabel;

typedef enum MetricType { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM } MetricType;

struct metric_row {
    const char *name, *help; /* help: one sentence */
    MetricType type;
    MetricLabel labels[2];
    const int64_t *bounds_us; /* of a histogram: upper bounds, ended by 0 */
    bool kept;                /* it has cells */
};
extern const struct metric_row metric_rows[METRICS];
const char *metric_label_name(MetricLabel l);

/* Makes the cells, once, before there are threads; until then nothing is counted.  Both lists end
 * with NULL; their texts are borrowed for good, and one that comes again is left out. */
void metrics_begin(const char *const *operations, const char *const *steps);
/* For tests: as if it had never begun. */
void metrics_end(void);

/* ---- counting: any thread.  first, second: places in the lists of the row's labels, else 0 ----
 */
size_t metric_place(MetricLabel l, const char *value); /* 0: not in the list */
size_t metric_code_place(unsigned http_status);
void metric_add(Metric m, size_t first, size_t second, uint64_t n);
void metric_observe(Metric m, size_t first, int64_t took_us);

/* ---- showing: Prometheus' text format 0.0.4.  A metric's samples must come one after the other
 * ---- */
struct metric_text {
    struct strbuf out;
    Metric last; /* whose samples are being written; METRICS: none's */
};
#define METRIC_TEXT(maximum) ((struct metric_text){STRBUF(maximum), METRICS})
/* One sample; first, second: values of the row's labels, NULL where it has none. */
void metric_put(struct metric_text *t, Metric m, const char *first, const char *second,
                double value);
/* All that was counted.  Of long lists only what happened. */
void metric_put_kept(struct metric_text *t);
/* The table as docs/observability/metrics.md; yours. */
char *metrics_reference(void);
