/* worker/runner.h: the tick: the one place that reads, journals and sends.  design.md §3. */
#pragma once
#include "worker/job.h"

typedef enum RunEnd {
    RUN_WAIT,    /* until until_us (monotonic) or a change in the cluster; the lease is kept */
    RUN_ENDED,   /* the deployment is final; the lease is given back */
    RUN_DROPPED, /* the lease is not ours any more: forget everything */
    RUN_FAULT,   /* the database did not take the commit: forget everything, load again later */
} RunEnd;

struct run_settings {
    struct db_pool *pool;
    struct kube_clusters *clusters;
    const char *outbound_allow;
    void (*changed)(void *ctx, const char *topic); /* after each commit, the environment's id: wakes
                                                      streams and parked requests */
    void (*wake)(void *ctx, const char *environment_id); /* a check has an answer */
    void *ctx;
};
/* Runs ticks until the job waits or ends.  At most one thread per job. */
RunEnd run_job(const struct run_settings *in, struct job *j, int64_t *ret_until_us);
