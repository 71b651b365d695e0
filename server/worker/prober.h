/* worker/prober.h: machine checks: HTTP calls to the target's own Service (or the production one),
 * counted in a row.
 *
 * Steps only see the counts; the calls are made on the network loop and hold no worker. */
#pragma once
#include "kube/kube.h"
#include "rollout/step.h"

struct prober;
struct prober_settings {
    struct kube_clusters *clusters;
    struct kube_cluster *cluster;
    bool direct;                /* to the cluster IP instead of through the API server */
    const char *outbound_allow; /* for checks that name a url; borrowed for the process's life */
    void (*wake)(void *ctx, const char *environment_id); /* a result came; must not block */
    void *wake_ctx;
    const char *environment_id; /* copied */
};
/* Begins the checks of a set; counts start at zero.  Reads the Service once (waits at most 3 s). */
struct prober *prober_new(const struct prober_settings *in, const struct plan *plan, CheckSet set);
/* Starts what is due and fills seen->checks; returns when it wants to be run again (wall clock), 0:
 * at a result. */
int64_t prober_run(struct prober *p, struct seen *seen);
CheckSet prober_set(const struct prober *p);
void prober_free(struct prober *p); /* NULL-safe; cancels what is under way */

/* Judges one answer: pure.  true when it passes; else `why` says what is wrong. */
bool check_judge(const json_t *check, const struct net_response *r, char *why, size_t n);
