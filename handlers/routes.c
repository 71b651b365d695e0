/* handlers/routes.c: the one table of routes: what can be called, with which scope and body, and
 * who answers. */
#include "handlers/routes.h"
#include "handlers/handlers.h"

// clang-format off
#define NO_BODY         .body = BODY_NONE
#define JSON(schema_)   .body = BODY_JSON, .schema = &(schema_)
#define YAML_1MIB       .body = BODY_RAW, .media_type = "application/yaml", .max_body = 1 << 20
#define ROUTE(op, verb, template, scope_, body_, query_, handler_)                                 \
    {.operation = op, .method = HTTP_##verb, .path = template, .scope = scope_, body_,             \
     .query = query_, .handler = handler_}
#define QUICK(op, verb, template, scope_, body_, query_, handler_)                                 \
    {.operation = op, .method = HTTP_##verb, .path = template, .scope = scope_, body_,             \
     .query = query_, .handler = handler_, .io_thread = true}
#define URGENT(op, verb, template, scope_, body_, query_, handler_)                                \
    {.operation = op, .method = HTTP_##verb, .path = template, .scope = scope_, body_,             \
     .query = query_, .handler = handler_, .urgent = true}

#define HEALTH(op, verb, template, scope_, body_, query_, handler_, io_thread_)                    \
    {.operation = op, .method = HTTP_##verb, .path = template, .scope = scope_, body_,             \
     .query = query_, .handler = handler_, .unmetered = true, .io_thread = io_thread_}

#define APP  "/api/v1/apps/{app}"
#define ENV  APP "/environments/{env}"
#define PAGE "limit|cursor"

const struct route routes[] = {
    //    operationId                  method  path template                        scope                  body                      query                                      handler
    ROUTE("getMe",                     GET,    "/api/v1/me",                        SCOPE_ANY,             NO_BODY,                  NULL,                                      me_get),

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
    ROUTE("getEnvironment",            GET,    ENV,                                 "environment:read",    NO_BODY,                  NULL,                                      environment_get),
    ROUTE("deleteEnvironment",         DELETE, ENV,                                 "app:write",           NO_BODY,                  NULL,                                      environment_delete),
    ROUTE("putManifests",              PUT,    ENV "/manifests",                    "app:write",           YAML_1MIB,                NULL,                                      manifests_put),
    ROUTE("getManifests",              GET,    ENV "/manifests",                    "environment:read",    NO_BODY,                  NULL,                                      manifests_get),

    ROUTE("createRelease",             POST,   APP "/releases",                     "release:write",       JSON(release_schema),     NULL,                                      release_create),
    ROUTE("listReleases",              GET,    APP "/releases",                     "release:read",        NO_BODY,                  PAGE,                                      release_list),
    ROUTE("getRelease",                GET,    APP "/releases/{version}",           "release:read",        NO_BODY,                  NULL,                                      release_get),
    ROUTE("yankRelease",               POST,   APP "/releases/{version}/yank",      "release:write",       JSON(yank_schema),        NULL,                                      release_yank),

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

    HEALTH("getHealth",                GET,    "/api/health",                       SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      health_live, true),
    HEALTH("getReadiness",             GET,    "/api/health/ready",                 SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      health_ready, false),
    HEALTH("getHealthDetailed",        GET,    "/api/health/detailed",              SCOPE_ANY,             NO_BODY,                  NULL,                                      health_detailed, false),
    HEALTH("getMetrics",               GET,    "/metrics",                          SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      metrics_get, false),
    QUICK("getOpenapi",                GET,    "/api/openapi.json",                 SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      openapi_get),
    QUICK("getDocs",                   GET,    "/api/docs",                         SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      docs_get),
    QUICK("getDocsError",              GET,    "/api/docs/errors/{code}",           SCOPE_PUBLIC,          NO_BODY,                  NULL,                                      docs_error_get),
    {.operation = NULL},
};
// clang-format on
