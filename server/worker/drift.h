/* worker/drift.h: how an environment's objects differ from what the last write of Sluice left: what
 * somebody else changed outside of deployments. */
#pragma once
#include "base/json.h"
#include "db/db.h"
#include "kube/kube.h"

/* From the watch cache and the rows of environment/left_behind: an array, new, of {object, kind,
 * name, field, expected, actual, by, since, message}.  field "" when the object itself is gone or
 * another.  Objects that the environment's spec does not name (any more) are left out, replicas
 * under an autoscaler are no drift. */
json_t *drift_find(struct kube_cluster *c, const json_t *spec, const struct db_rows *left);
