/* handlers/handlers.h: every handler and body schema, for the table in routes.c; one block per
 * file. */
#pragma once
#include "http/http.h"

/* app.c */
extern const struct body_schema app_schema;
handler_fn app_put, app_get, app_delete, app_list;
/* cluster.c */
extern const struct body_schema cluster_schema;
handler_fn cluster_put, cluster_get, cluster_delete, cluster_list;
/* environment.c, manifests.c */
extern const struct body_schema environment_schema;
handler_fn environment_put, environment_get, environment_delete, environment_list;
handler_fn manifests_put, manifests_get;
/* release.c */
extern const struct body_schema release_schema, yank_schema;
handler_fn release_create, release_get, release_list, release_yank;
/* deployment.c, deployment_create.c */
extern const struct body_schema deployment_schema;
handler_fn deployment_create, deployment_get, deployment_list;
/* verbs.c */
extern const struct body_schema verb_schema, resolve_schema, rollback_schema, traffic_schema;
handler_fn deployment_abort_verb, deployment_promote_verb, deployment_pause_verb,
    deployment_resume_verb;
handler_fn deployment_cancel_verb, deployment_retry_verb, deployment_resolve_verb,
    deployment_rollback_verb;
handler_fn environment_rollback, environment_traffic;
/* key.c */
extern const struct body_schema key_schema, key_rotate_schema;
handler_fn key_create, key_list, key_get, key_rotate, key_delete, key_secret_delete;
/* records.c, audit.c */
handler_fn records_of_deployment, records_of_environment, records_of_all;
handler_fn audit_read, audit_chains, audit_checkpoints;
/* me.c, health.c, metrics.c, documents.c */
handler_fn me_get;
handler_fn health_live, health_ready, health_detailed;
handler_fn metrics_get;
handler_fn openapi_get, docs_get, docs_error_get;
