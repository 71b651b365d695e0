/* handlers/environment_recent.h: what an environment is like, as it was answered a moment ago
 * (live/recent.h). */
#pragma once
#include "db/environment.h"
#include "handlers/context.h"

/* Renders r->json, for this caller and for those of the next moment.  began_us: from before the
 * first look at anything that it shows. */
void environment_remember(const struct request *q, const struct environment_row *row,
                          int64_t began_us, struct reply *r);
/* What it shows of its deployments may be from before what somebody was just told.  NULL: it is no
 * more. */
void environment_forget(struct server_context *context, const char *environment_id);
/* The same of all environments of a cluster, when its settings changed: tells other servers too. */
void environments_of_cluster_changed(struct server_context *context, const char *cluster);
/* An object in a namespace that is watched changed. */
void environments_saw_change(struct server_context *context, const char *cluster,
                             const char *namespace_);
