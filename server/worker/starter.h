/* worker/starter.h: what time and other people's facts bring about: records what opens and closes
 * by itself, begins blocked deployments when their gates open, makes flags' scheduled changes,
 * takes back or turns off flags that are due.  A thread of its own, so that none of it holds up
 * claims. */
#pragma once
#include "db/db.h"
#include "kube/kube.h"

struct starter;
struct starter_settings {
    struct db_pool *pool;
    struct kube_clusters *clusters;
    int64_t scan_ms;
    void (*changed)(void *ctx, const char *topic); /* an environment's id, or its flags' topic */
    void (*began)(void *ctx, const char *environment_id); /* a deployment is active there */
    void *ctx;
};
struct starter *starter_new(const struct starter_settings *in); /* begins at once */
void starter_free(struct starter *s); /* after what is under way; NULL-safe */
