/* worker/objects.h: the Kubernetes objects of one environment, as read at one time. */
#pragma once
#include "base/json.h"
#include "kube/kube.h"
#include "rollout/seen.h"
#include <stdlib.h>

struct objects {
    json_t *service, *workload[COLORS];   /* owned or NULL */
    json_t *replica_sets, *pods, *slices; /* arrays, owned */
    json_t *autoscalers;                  /* array, owned; NULL: not known */
};
void objects_done(struct objects *o);
/* Of annotation sluice.dev/epoch; 0: none. */
static inline int64_t object_epoch(const json_t *object) {
    const char *text = kube_annotation(object, "sluice.dev/epoch");

    return text ? strtoll(text, NULL, 10) : 0;
}
/* The autoscaler of a Deployment among them. */
void objects_autoscaler(const json_t *autoscalers, const char *workload,
                        struct seen_autoscaler *ret);
/* Who made the changes that were found, and when. */
void objects_blame(const struct objects *o, struct seen *ret);
/* Fills seen->service, seen->workload and seen->template_ from them: seen_done() releases the last.
 */
void objects_read(const struct objects *o, const json_t *spec, struct seen *ret);
