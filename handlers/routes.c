/* handlers/routes.c: the one table of routes: what can be called, with which scope and body, and
 * who answers. */
#include "handlers/routes.h"
#include "handlers/handlers.h"

// clang-format off
#define NO_BODY         .body = BODY_NONE
#define JSON(schema_)   .body = BODY_JSON, .schema = &(schema_)
#define JSON_4MIB(schema_) JSON(schema_), .max_body = 4 << 20
#define YAML_1MIB       .body = BODY_RAW, .media_type = "application/yaml", .max_body = 1 << 20
/* JSON, or a report as it is (server/report/report.h) */
#define EVIDENCE        JSON(evidence_schema), .max_body = 16 << 20,                               \
    .media_type = "application/junit+xml|application/sarif+json|application/vnd.sluice.bundle+json"
#define ROUTE(op, verb, template, scope_, body_, query_, handler_)                                 \
    {.operation = op, .method = HTTP_##verb, .path = template, .scope = scope_, body_,             \
     .query = query_, .handler = handler_}
#define QUICK(op, verb, template, scope_, body_, query_, handler_)                                 \
    {.operation = op, .method = HTTP_##verb, .path = template, .scope = scope_, body_,             \
     .query = query_, .handler = handler_, .io_thread = true}
#define URGENT(op, verb, template, scope_, body_, query_, handler_)                                \
    {.operation = op, .method = HTTP_##verb, .path = template, .scope = scope_, body_,             \
     .query = query_, .handler = handler_, .urgent = true}

/* QUICK where the answer is in memory */
#define RECALLED(op, verb, template, scope_, body_, query_, handler_, recall_)                     \
    {.operation = op, .method = HTTP_##verb, .path = template, .scope = scope_, body_,             \
     .query = query_, .handler = handler_, .recall = recall_}

#define HEALTH(op, verb, template, scope_, body_, query_, handler_, io_thread_)                    \
    {.operation = op, .method = HTTP_##verb, .path = template, .scope = scope_, body_,             \
     .query = query_, .handler = handler_, .unmetered = true, .io_thread = io_thread_}

/* Flags are evaluated on I/O threads, as often as their clients like */
#define OFREP(op, verb, template, scope_, body_, query_, handler_)                                 \
    {.operation = op, .method = HTTP_##verb, .path = template, .scope = scope_, body_,             \
     .query = query_, .handler = handler_, .io_thread = true, .unmetered = true,                   \
     .protocol = &ofrep_protocol}

#define UNLEASH(op, verb, template, body_, query_, handler_)                                       \
    {.operation = op, .method = HTTP_##verb, .path = template, .scope = "flag:evaluate", body_,    \
     .query = query_, .handler = handler_, .io_thread = true, .unmetered = true,                   \
     .protocol = &unleash_protocol, .bare_key = true}

#define APP  "/api/v1/apps/{app}"
#define ENV  APP "/environments/{env}"
#define FLAG APP "/flags/{flag}"
#define ENV_FLAG ENV "/flags/{flag}"
#define FLAG_REQUEST ENV "/flag-requests/{request}"
#define PAGE "limit|cursor"
#define UNLEASH_CONTEXT "userId|sessionId|remoteAddress|environment|appName|currentTime|properties"
#define EVIDENCE_QUERY "item|environment|source|url|digest|observed_at|expires_s"

const struct route routes[] = {
    //    operationId                  method  path template                        scope                  body                      query                                      handler
    QUICK("getMe",                     GET,    "/api/v1/me",                        SCOPE_ANY,             NO_BODY,                  NULL,                                      me_get),

    ROUTE("listApps",                  GET,    "/api/v1/apps",                      "app:read",            NO_BODY,                  PAGE,                                      app_list),
    ROUTE("putApp",                    PUT,    APP,                                 "app:write",           JSON(app_schema),         NULL,                                      app_put),
    ROUTE("getApp",                    GET,    APP,                                 "app:read",            NO_BODY,                  NULL,                                      app_get),
    ROUTE("deleteApp",                 DELETE, APP,                                 "app:write",           NO_BODY,                  NULL,                                      app_delete),

    ROUTE("listClusters",              GET,    "/api/v1/clusters",                  "cluster:read",        NO_BODY,                  PAGE,                                      cluster_list),
    ROUTE("putCluster",                PUT,    "/api/v1/clusters/{cluster}",        "cluster:write",       JSON(cluster_schema),     NULL,                                      cluster_put),
    ROUTE("getCluster",                GET,    "/api/v1/clusters/{cluster}",        "cluster:read",        NO_BODY,                  NULL,                                      cluster_get),
    ROUTE("deleteCluster",             DELETE, "/api/v1/clusters/{cluster}",        "cluster:write",       NO_BODY,                  NULL,                                      cluster_delete),

    ROUTE("listEnvironments",          GET,    APP "/environments",                 "environment:read",    NO_BODY,                  PAGE,                                      environment_list),
    ROUTE("putEnvironment",            PUT,    ENV,                                 "app:write",           JSON(environment_schema), NULL,                                      environment_put),
    RECALLED("getEnvironment",         GET,    ENV,                                 "environment:read",    NO_BODY,                  NULL,                                      environment_get, environment_recall),
    ROUTE("deleteEnvironment",         DELETE, ENV,                                 "app:write",           NO_BODY,                  NULL,                                      environment_delete),
    ROUTE("putManifests",              PUT,    ENV "/manifests",                    "app:write",           YAML_1MIB,                NULL,                                      manifests_put),
    ROUTE("getManifests",              GET,    ENV "/manifests",                    "environment:read",    NO_BODY,                  NULL,                                      manifests_get),
    ROUTE("putGates",                  PUT,    ENV "/gates",                        "gate:write",          JSON(gates_schema),       NULL,                                      gates_put),
    ROUTE("getGates",                  GET,    ENV "/gates",                        "gate:read",           NO_BODY,                  NULL,                                      gates_get),
    ROUTE("getBlockers",               GET,    ENV "/blockers",                     "gate:read",           NO_BODY,                  "version",                                 blockers_get),
    ROUTE("listBreakGlass",            GET,    ENV "/break-glass",                  "freeze:read",         NO_BODY,                  PAGE,                                      break_glass_list),
    ROUTE("requestBreakGlass",         POST,   ENV "/break-glass",                  "freeze:write",        JSON(break_glass_schema), NULL,                                      break_glass_request),
    ROUTE("confirmBreakGlass",         POST,   ENV "/break-glass/{id}/confirm",     "freeze:write",        NO_BODY,                  NULL,                                      break_glass_confirm),

    ROUTE("listFreezes",               GET,    "/api/v1/freezes",                   "freeze:read",         NO_BODY,                  PAGE "|app|environment|active",            freeze_list),
    ROUTE("createFreeze",              POST,   "/api/v1/freezes",                   "freeze:write",        JSON(freeze_schema),      NULL,                                      freeze_create),
    ROUTE("getFreeze",                 GET,    "/api/v1/freezes/{freeze}",          "freeze:read",         NO_BODY,                  NULL,                                      freeze_get),
    ROUTE("endFreeze",                 DELETE, "/api/v1/freezes/{freeze}",          "freeze:write",        NO_BODY,                  NULL,                                      freeze_end),

    ROUTE("createRelease",             POST,   APP "/releases",                     "release:write",       JSON(release_schema),     NULL,                                      release_create),
    ROUTE("listReleases",              GET,    APP "/releases",                     "release:read",        NO_BODY,                  PAGE,                                      release_list),
    ROUTE("getRelease",                GET,    APP "/releases/{version}",           "release:read",        NO_BODY,                  NULL,                                      release_get),
    ROUTE("yankRelease",               POST,   APP "/releases/{version}/yank",      "release:write",       JSON(yank_schema),        NULL,                                      release_yank),
    ROUTE("createEvidence",            POST,   APP "/releases/{version}/evidence",  "evidence:write",      EVIDENCE,                 EVIDENCE_QUERY,                            evidence_create),
    ROUTE("listEvidence",              GET,    APP "/releases/{version}/evidence",  "checklist:read",      NO_BODY,                  PAGE "|item|environment",                  evidence_list),
    ROUTE("getReport",                 GET,    APP "/releases/{version}/reports/{report}","checklist:read",      NO_BODY,                  NULL,                                      report_get),

    ROUTE("createSignoff",             POST,   APP "/releases/{version}/signoffs",  SCOPE_ANY,             JSON(signoff_schema),     NULL,                                      signoff_create),
    ROUTE("listSignoffs",              GET,    APP "/releases/{version}/signoffs",  "signoff:read",        NO_BODY,                  PAGE "|environment",                       signoff_list),
    ROUTE("deleteSignoff",             DELETE, APP "/releases/{version}/signoffs/{id}", SCOPE_ANY,         NO_BODY,                  NULL,                                      signoff_delete),

    ROUTE("getChecklist",              GET,    APP "/releases/{version}/checklists/{env}", "checklist:read",  NO_BODY,                  NULL,                                      checklist_get),
    ROUTE("putChecklistItem",          PUT,    APP "/releases/{version}/checklists/{env}/items/{key}", "checklist:write", JSON(item_schema), NULL,                                 checklist_item_put),
    ROUTE("getDeploymentChecklist",    GET,    "/api/v1/deployments/{id}/checklists/{checklist}", "checklist:read", NO_BODY,        NULL,                                      deployment_checklist_get),
    ROUTE("putDeploymentChecklistItem", PUT,   "/api/v1/deployments/{id}/checklists/{checklist}/items/{key}", "checklist:write", JSON(item_schema), NULL,                       deployment_checklist_item_put),

    ROUTE("listChecklistTemplates",    GET,    "/api/v1/checklist-templates",       "gate:read",           NO_BODY,                  PAGE,                                      template_list),
    ROUTE("putChecklistTemplate",      PUT,    "/api/v1/checklist-templates/{template}","gate:write",          JSON(template_schema),    NULL,                                      template_put),
    ROUTE("getChecklistTemplate",      GET,    "/api/v1/checklist-templates/{template}","gate:read",           NO_BODY,                  "version",                                 template_get),

    ROUTE("createAcceptance",          POST,   "/api/v1/deployments/{id}/signoffs", SCOPE_ANY,             JSON(acceptance_schema),  NULL,                                      acceptance_create),
    ROUTE("listAcceptance",            GET,    "/api/v1/deployments/{id}/signoffs", "signoff:read",        NO_BODY,                  PAGE,                                      acceptance_list),
    ROUTE("deleteAcceptance",          DELETE, "/api/v1/deployments/{id}/signoffs/{signoff}", SCOPE_ANY,   NO_BODY,                  NULL,                                      acceptance_delete),
    ROUTE("createDeployment",          POST,   "/api/v1/deployments",               "deployment:create",   JSON(deployment_schema),  NULL,                                      deployment_create),
    ROUTE("listDeployments",           GET,    "/api/v1/deployments",               "deployment:read",     NO_BODY,                  PAGE "|app|environment|state|version",     deployment_list),
    ROUTE("getDeployment",             GET,    "/api/v1/deployments/{id}",          "deployment:read",     NO_BODY,                  NULL,                                      deployment_get),
    URGENT("abortDeployment",          POST,   "/api/v1/deployments/{id}/abort",    "deployment:rollback", JSON(verb_schema),        NULL,                                      deployment_abort_verb),
    URGENT("rollbackDeployment",        POST,   "/api/v1/deployments/{id}/rollback", "deployment:rollback", JSON(verb_schema),        NULL,                                      deployment_rollback_verb),
    ROUTE("promoteDeployment",         POST,   "/api/v1/deployments/{id}/promote", "deployment:promote",  JSON(verb_schema),        NULL,                                      deployment_promote_verb),
    ROUTE("pauseDeployment",           POST,   "/api/v1/deployments/{id}/pause",   "deployment:promote",  JSON(verb_schema),        NULL,                                      deployment_pause_verb),
    ROUTE("resumeDeployment",          POST,   "/api/v1/deployments/{id}/resume",  "deployment:promote",  JSON(verb_schema),        NULL,                                      deployment_resume_verb),
    ROUTE("cancelDeployment",          POST,   "/api/v1/deployments/{id}/cancel",  "deployment:create",   JSON(verb_schema),        NULL,                                      deployment_cancel_verb),
    ROUTE("retryDeployment",           POST,   "/api/v1/deployments/{id}/retry",   "deployment:promote",  JSON(verb_schema),        NULL,                                      deployment_retry_verb),
    ROUTE("resolveDeployment",         POST,   "/api/v1/deployments/{id}/resolve", "deployment:resolve",  JSON(resolve_schema),     NULL,                                      deployment_resolve_verb),
    URGENT("rollbackEnvironment",       POST,   ENV "/rollback",                    "deployment:rollback", JSON(rollback_schema),    NULL,                                      environment_rollback),
    ROUTE("moveTraffic",               POST,   ENV "/traffic",                     "traffic:write",       JSON(traffic_schema),     NULL,                                      environment_traffic),

    ROUTE("listFlags",               GET,    APP "/flags",                        "flag:read",           NO_BODY,                  PAGE "|stale",                             flag_list),
    ROUTE("putFlag",                 PUT,    FLAG,                                "flag:write",          JSON(flag_schema),        NULL,                                      flag_put),
    ROUTE("getFlag",                 GET,    FLAG,                                "flag:read",           NO_BODY,                  NULL,                                      flag_get),
    ROUTE("deleteFlag",              DELETE, FLAG,                                "flag:admin",          NO_BODY,                  "reason",                                  flag_delete),
    ROUTE("getFlagHistory",          GET,    FLAG "/history",                     "flag:read",           NO_BODY,                  PAGE,                                      flag_history),
    ROUTE("restoreFlag",             POST,   FLAG "/restore",                     "flag:write",          JSON(flag_restore_schema),NULL,                                      flag_restore),
    ROUTE("listSegments",            GET,    APP "/segments",                     "flag:read",           NO_BODY,                  PAGE,                                      segment_list),
    ROUTE("putSegment",              PUT,    APP "/segments/{segment}",           "flag:write",          JSON_4MIB(segment_schema),NULL,                                      segment_put),
    ROUTE("getSegment",              GET,    APP "/segments/{segment}",           "flag:read",           NO_BODY,                  NULL,                                      segment_get),
    ROUTE("deleteSegment",           DELETE, APP "/segments/{segment}",           "flag:admin",          NO_BODY,                  "reason",                                  segment_delete),
    ROUTE("getSegmentHistory",       GET,    APP "/segments/{segment}/history",   "flag:read",           NO_BODY,                  PAGE,                                      segment_history),
    ROUTE("restoreSegment",          POST,   APP "/segments/{segment}/restore",   "flag:write",          JSON(flag_restore_schema),NULL,                                      segment_restore),
    ROUTE("listFlagStates",          GET,    ENV "/flags",                        "flag:read",           NO_BODY,                  PAGE,                                      flag_state_list),
    ROUTE("putFlagState",            PUT,    ENV_FLAG,                            "flag:write",          JSON(flag_state_schema),  NULL,                                      flag_state_put),
    ROUTE("getFlagState",            GET,    ENV_FLAG,                            "flag:read",           NO_BODY,                  NULL,                                      flag_state_get),
    ROUTE("enableFlag",              POST,   ENV_FLAG "/enable",                  "flag:write",          JSON(verb_schema),        NULL,                                      flag_enable),
    ROUTE("disableFlag",             POST,   ENV_FLAG "/disable",                 "flag:write",          JSON(verb_schema),        NULL,                                      flag_disable),
    URGENT("killFlag",                POST,   ENV_FLAG "/kill",                    "flag:write",          JSON(verb_schema),        NULL,                                      flag_kill),
    ROUTE("unkillFlag",              POST,   ENV_FLAG "/unkill",                  "flag:write",          JSON(verb_schema),        NULL,                                      flag_unkill),
    ROUTE("getFlagStateHistory",     GET,    ENV_FLAG "/history",                 "flag:read",           NO_BODY,                  PAGE,                                      flag_state_history),
    ROUTE("restoreFlagState",        POST,   ENV_FLAG "/restore",                 "flag:write",          JSON(flag_restore_schema),NULL,                                      flag_state_restore),
    ROUTE("listFlagSchedules",       GET,    ENV_FLAG "/schedule",                "flag:read",           NO_BODY,                  PAGE "|state",                             flag_schedule_list),
    ROUTE("scheduleFlag",            POST,   ENV_FLAG "/schedule",                "flag:write",          JSON(flag_schedule_schema),NULL,                                      flag_schedule_create),
    ROUTE("getFlagSchedule",         GET,    ENV_FLAG "/schedule/{schedule}",     "flag:read",           NO_BODY,                  NULL,                                      flag_schedule_get),
    ROUTE("cancelFlagSchedule",      DELETE, ENV_FLAG "/schedule/{schedule}",     "flag:write",          NO_BODY,                  NULL,                                      flag_schedule_cancel),
    ROUTE("listFlagRequests",        GET,    ENV "/flag-requests",                "flag:read",           NO_BODY,                  PAGE "|state",                             flag_request_list),
    ROUTE("requestFlags",            POST,   ENV "/flag-requests",                "flag:write",          JSON(flag_request_schema),NULL,                                      flag_request_create),
    ROUTE("getFlagRequest",          GET,    FLAG_REQUEST,                        "flag:read",           NO_BODY,                  NULL,                                      flag_request_get),
    ROUTE("approveFlagRequest",      POST,   FLAG_REQUEST "/approve",             "flag:write",          JSON(flag_request_note_schema),NULL,                                 flag_request_approve),
    ROUTE("rejectFlagRequest",       POST,   FLAG_REQUEST "/reject",              "flag:write",          JSON(flag_request_reject_schema),NULL,                               flag_request_reject),
    ROUTE("applyFlagRequest",        POST,   FLAG_REQUEST "/apply",               "flag:write",          JSON(flag_request_note_schema),NULL,                                 flag_request_apply),
    ROUTE("cancelFlagRequest",       POST,   FLAG_REQUEST "/cancel",              "flag:write",          JSON(flag_request_note_schema),NULL,                                 flag_request_cancel),
    ROUTE("diffFlags",               GET,    ENV "/flags:diff",                   "flag:read",           NO_BODY,                  PAGE "|from",                              flag_diff),
    ROUTE("promoteFlags",            POST,   ENV "/flags:promote",                "flag:write",          JSON(flag_promote_schema),NULL,                                      flag_promote),
    ROUTE("importFlags",             POST,   ENV "/flags:import",                 "flag:write",          JSON_4MIB(flag_import_schema),NULL,                                  flag_import),
    ROUTE("exportFlags",             GET,    ENV "/flags:export",                 "flag:read",           NO_BODY,                  NULL,                                      flag_export),

    ROUTE("listKeys",                  GET,    "/api/v1/keys",                      "key:read",            NO_BODY,                  PAGE,                                      key_list),
    ROUTE("createKey",                 POST,   "/api/v1/keys",                      "key:write",           JSON(key_schema),         NULL,                                      key_create),
    ROUTE("getKey",                    GET,    "/api/v1/keys/{key}",                "key:read",            NO_BODY,                  NULL,                                      key_get),
    ROUTE("deleteKey",                 DELETE, "/api/v1/keys/{key}",                "key:write",           NO_BODY,                  NULL,                                      key_delete),
    ROUTE("rotateKey",                 POST,   "/api/v1/keys/{key}/rotate",         "key:write",           JSON(key_rotate_schema),  NULL,                                      key_rotate),
    ROUTE("deleteKeySecret",           DELETE, "/api/v1/keys/{key}/secrets/{slot}", "key:write",           NO_BODY,                  NULL,                                      key_secret_delete),

    ROUTE("listDeploymentRecords",     GET,    "/api/v1/deployments/{id}/records",  "deployment:read",     NO_BODY,                  PAGE,                                      records_of_deployment),
    ROUTE("listDeploymentEvents",      GET,    "/api/v1/deployments/{id}/events",   "deployment:read",     NO_BODY,                  PAGE,                                      records_of_deployment),
    ROUTE("listEnvironmentRecords",    GET,    ENV "/records",                      "record:read",         NO_BODY,                  PAGE,                                      records_of_environment),
    ROUTE("listEnvironmentEvents",     GET,    ENV "/events",                       "record:read",         NO_BODY,                  PAGE,                                      records_of_environment),
    ROUTE("listRecords",               GET,    "/api/v1/records",                   "record:read",         NO_BODY,                  PAGE "|app|environment|action",            records_of_all),
    ROUTE("listEvents",                GET,    "/api/v1/events",                    "record:read",         NO_BODY,                  PAGE "|app|environment|action",            records_of_all),

    ROUTE("readAudit",                 GET,    "/api/v1/audit",                     "audit:read",          NO_BODY,                  "chain|from_seq|to_seq",                   audit_read),
    ROUTE("listAuditChains",           GET,    "/api/v1/audit/chains",              "audit:read",          NO_BODY,                  PAGE,                                      audit_chains),
    ROUTE("listCheckpoints",           GET,    "/api/v1/audit/checkpoints",         "audit:read",          NO_BODY,                  PAGE "|from",                              audit_checkpoints),

    ROUTE("getFlagExposure",           GET,    ENV "/flags/{flag}/exposure",        "flag:read",           NO_BODY,                  "hours",                                   flag_exposure_get),

    OFREP("evaluateFlag",              POST,   "/ofrep/v1/evaluate/flags/{key}",    "flag:evaluate",       JSON(ofrep_schema),       NULL,                                      ofrep_evaluate),
    OFREP("evaluateFlags",             POST,   "/ofrep/v1/evaluate/flags",          "flag:evaluate",       JSON(ofrep_schema),       "flagConfigEtag|flagConfigLastModified",   ofrep_evaluate_all),
    OFREP("watchFlags",                GET,    "/ofrep/v1/events",                  SCOPE_PUBLIC,          NO_BODY,                  "ticket",                                  ofrep_events),

    UNLEASH("getUnleashFeatures",      GET,    "/api/client/features",              NO_BODY,                        "project|namePrefix|tag",            unleash_features),
    UNLEASH("registerUnleashClient",   POST,   "/api/client/register",              JSON(unleash_register_schema),  NULL,                                unleash_register),
    UNLEASH("addUnleashMetrics",       POST,   "/api/client/metrics",               JSON(unleash_metrics_schema),   NULL,                                unleash_metrics),
    UNLEASH("addUnleashBulkMetrics",   POST,   "/api/client/metrics/bulk",          JSON(unleash_bulk_schema),      NULL,                                unleash_metrics_bulk),
    UNLEASH("getUnleashFrontend",      GET,    "/api/frontend",                     NO_BODY,                        UNLEASH_CONTEXT,                     unleash_frontend_get),
    UNLEASH("postUnleashFrontend",     POST,   "/api/frontend",                     JSON(unleash_frontend_schema),  NULL,                                unleash_frontend_post),
    UNLEASH("registerUnleashFrontend", POST,   "/api/frontend/client/register",     JSON(unleash_register_schema),  NULL,                                unleash_frontend_register),
    UNLEASH("addUnleashFrontendMetrics", POST, "/api/frontend/client/metrics",      JSON(unleash_metrics_schema),   NULL,                                unleash_frontend_metrics),

    HEALTH("getHealth",                GET,    "/api/health",                       SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      health_live, true),
    HEALTH("getReadiness",             GET,    "/api/health/ready",                 SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      health_ready, false),
    HEALTH("getHealthDetailed",        GET,    "/api/health/detailed",              SCOPE_ANY,             NO_BODY,                  NULL,                                      health_detailed, false),
    HEALTH("getMetrics",               GET,    "/metrics",                          SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      metrics_get, true),
    QUICK("getOpenapi",                GET,    "/api/openapi.json",                 SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      openapi_get),
    QUICK("getDocs",                   GET,    "/api/docs",                         SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      docs_get),
    QUICK("getDocsError",              GET,    "/api/docs/errors/{code}",           SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      docs_error_get),
    QUICK("getDocsStyle",              GET,    "/api/docs/page.css",                SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      docs_style_get),
    QUICK("getDocsScript",             GET,    "/api/docs/page.js",                 SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      docs_script_get),
    {.operation = NULL},
};

const struct route metrics_routes[] = {
    HEALTH("getMetrics",               GET,    "/metrics",                          SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      metrics_get_apart, true),
    {.operation = NULL},
};
// clang-format on
