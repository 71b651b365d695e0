/* handlers/environment_status.h: what an environment looks like in its cluster right now. */
#pragma once
#include "db/environment.h"
#include "handlers/context.h"
#include "rollout/seen.h"

/* The `status` of api.md, from the watchers' cache; where nobody watched yet the cluster is asked
 * (`ask`), which takes at most a few seconds.  Yours. */
json_t *environment_status(const struct request *q, const struct environment_row *row, bool ask);
/* Reads everything from the API server now; ret->reachable says whether it worked.  seen_done() it.
 */
void environment_observe(struct server_context *context, const struct environment_row *row,
                         struct seen *ret);
/* Begins to watch, so that the next status is in the cache. */
void environment_watch(struct server_context *context, const struct environment_row *row);
