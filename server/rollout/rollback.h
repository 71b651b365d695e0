/* rollout/rollback.h: going back to what served before (law 2).  It depends on nothing of the
 * version being left but how many of its pods are ready, and it has no undo: it keeps trying. */
#pragma once
#include "base/arena.h"
#include "base/status.h"
#include "rollout/seen.h"
#include "rollout/step.h"

struct rollback_request {
    const json_t *basis; /* plan of the deployment whose `from` is returned to */
    const json_t *last;  /* plan of the deployment that was active last */
    Color leaves;        /* the color that traffic leaves */
    bool pre_empts;      /* `last` is being pre-empted */
    bool wrote;          /* and has written to the cluster */
    bool history_lost;   /* `last` is being pre-empted, and is where that was found */
};
/* The plan: the color to return to as `target`, with what `resolved.from` of the basis recorded
 * {color, version, image, replicas, template_hash, template}; `took_over`: what `resolved.target`
 * of the pre-empted one recorded, or null.  New; NULL with a sentence in *reterr (in the arena)
 * when there is nothing to return to. */
json_t *rollback_plan(const struct rollback_request *in, struct arena *arena, const char **reterr);

/* The plan of kind traffic: the Service, and nothing else.  New. */
json_t *traffic_plan(const json_t *spec, const struct seen *seen, Color color);
/* Whether a color has as many ready pods as what serves has replicas. */
bool traffic_has_capacity(const struct seen *seen, Color color);

/* Law 2: whether traffic may return now. */
bool rollback_may_switch(int old_ready, int new_ready, int floor);
