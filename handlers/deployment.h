/* handlers/deployment.h: a deployment as api.md shows it; shared by create, get, list and the
 * verbs. */
#pragma once
#include "db/deployment.h"
#include "domain/gate.h"
#include "handlers/context.h"

/* Yours.  Who was told of it is not given an environment from before. */
json_t *deployment_json(const struct request *q, const struct deployment_row *row);
const char *deployment_link(struct arena *a, const char *id); /* "/api/v1/deployments/ID" */
/* {id} of the path: a deployment that the principal may see; *ret is yours.  Refuses
 * E_INVALID_PATH, E_NOT_FOUND, E_FORBIDDEN. */
MUSTCHECK Status path_deployment(const struct request *q, struct db_rows **ret, struct reply *r);
/* 409 blocked, with blockers and opens_at: app's version may not go to environment. */
MUSTCHECK Status refuse_blocked(struct reply *r, const struct gate_verdict *v, const char *app,
                                const char *version, const char *environment);
bool deployment_final(const char *state); /* never left */
