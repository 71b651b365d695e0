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
recall_fn environment_recall;
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
/* evidence.c */
extern const struct body_schema evidence_schema;
handler_fn evidence_create, evidence_list, report_get;
/* checklist.c, checklist_item.c */
extern const struct body_schema item_schema;
handler_fn checklist_get, checklist_item_put;
handler_fn deployment_checklist_get, deployment_checklist_item_put;
/* gate_spec.c */
extern const struct body_schema gates_schema;
handler_fn gates_put, gates_get;
/* checklist_template.c */
extern const struct body_schema template_schema;
handler_fn template_put, template_get, template_list;
/* signoff.c */
extern const struct body_schema signoff_schema;
handler_fn signoff_create, signoff_list, signoff_delete;
extern const struct body_schema acceptance_schema;
handler_fn acceptance_create, acceptance_list, acceptance_delete;
/* freeze.c */
extern const struct body_schema freeze_schema;
handler_fn freeze_create, freeze_get, freeze_end, freeze_list;
/* break_glass.c */
extern const struct body_schema break_glass_schema;
handler_fn break_glass_request, break_glass_confirm, break_glass_list;
/* gate.c */
handler_fn blockers_get;
/* flag_schema.c, flag.c, flag_state.c, flag_history.c */
extern const struct body_schema flag_schema, segment_schema, flag_state_schema, flag_restore_schema;
handler_fn flag_put, flag_get, flag_delete, flag_list;
handler_fn segment_put, segment_get, segment_delete, segment_list;
handler_fn flag_state_put, flag_state_get, flag_state_list;
handler_fn flag_enable, flag_disable, flag_kill, flag_unkill;
handler_fn flag_history, segment_history, flag_state_history;
handler_fn flag_restore, segment_restore, flag_state_restore;
/* flag_schedule.c */
extern const struct body_schema flag_schedule_schema;
handler_fn flag_schedule_create, flag_schedule_list, flag_schedule_get, flag_schedule_cancel;
/* flag_request.c, flag_request_verb.c */
extern const struct body_schema flag_request_schema, flag_request_note_schema,
    flag_request_reject_schema;
handler_fn flag_request_create, flag_request_list, flag_request_get;
handler_fn flag_request_approve, flag_request_reject, flag_request_apply, flag_request_cancel;
/* flag_promote.c */
extern const struct body_schema flag_promote_schema;
handler_fn flag_promote, flag_diff;
/* flag_import.c */
extern const struct body_schema flag_import_schema;
handler_fn flag_import, flag_export;
/* ofrep.c, ofrep_stream.c */
extern const struct protocol ofrep_protocol;
extern const struct body_schema ofrep_schema;
handler_fn ofrep_evaluate, ofrep_evaluate_all, ofrep_events;
/* unleash.c, unleash_frontend.c, unleash_metrics.c */
extern const struct protocol unleash_protocol;
extern const struct body_schema unleash_frontend_schema, unleash_register_schema,
    unleash_metrics_schema, unleash_bulk_schema;
handler_fn unleash_features, unleash_register, unleash_metrics, unleash_metrics_bulk;
handler_fn unleash_frontend_get, unleash_frontend_post, unleash_frontend_register,
    unleash_frontend_metrics;
/* flag_exposure.c */
handler_fn flag_exposure_get;
/* records.c, audit.c */
handler_fn records_of_deployment, records_of_environment, records_of_all;
handler_fn audit_read, audit_chains, audit_checkpoints;
/* me.c, health.c, metrics.c, documents.c */
handler_fn me_get;
handler_fn health_live, health_ready, health_detailed;
handler_fn metrics_get, metrics_get_apart;
handler_fn openapi_get, docs_get, docs_error_get, docs_style_get, docs_script_get;
