#include "kubesim/discovery.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "kubesim/front.h"
#include "kubesim/kinds.h"
#include "kubesim/rest.h"
#include <stdio.h>
#include <string.h>

static json_t *version(void) {
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "major", "1", "minor", "36", "gitVersion",
                     "v1.36.3-kubesim", "platform", "linux/amd64", "buildDate",
                     "2026-01-01T00:00:00Z");
}

static json_t *resource(const struct kind *k, const char *sub, const char *kind) {
    json_t *verbs = *sub ? json_pack("[s, s, s]", "get", "patch", "update")
                         : json_pack("[s, s, s, s, s, s, s, s]", "create", "delete",
                                     "deletecollection", "get", "list", "patch", "update", "watch");
    json_t *r = json_pack("{s:o, s:s, s:b, s:s, s:o}", "name",
                          json_sprintf("%s%s%s", k->plural, *sub ? "/" : "", sub), "singularName",
                          *sub ? "" : k->singular, "namespaced", k->namespaced, "kind", kind,
                          "verbs", verbs);

    if (!*sub && (k->has_scale || k->id == KIND_POD || k->id == KIND_SERVICE || k->id == KIND_HPA))
        json_object_set_new(r, "categories", json_pack("[s]", "all"));
    if (!*sub && k->short_name)
        json_object_set_new(r, "shortNames", json_pack("[s]", k->short_name));
    return r;
}

static json_t *resources(const char *group, const char *version_name) {
    json_t *list = json_array();

    for (int i = 0; i < KIND_END; i++) {
        const struct kind *k = kind_of((KindId)i);

        if (strcmp(k->group, group) || strcmp(k->version, version_name))
            continue;
        json_array_append_new(list, resource(k, "", k->kind));
        if (k->has_status)
            json_array_append_new(list, resource(k, "status", k->kind));
        if (k->has_scale)
            json_array_append_new(list, resource(k, "scale", "Scale"));
        if (k->id == KIND_POD)
            json_array_append_new(list, resource(k, "log", k->kind));
    }
    return json_pack("{s:s, s:s, s:o, s:o}", "kind", "APIResourceList", "apiVersion", "v1",
                     "groupVersion", json_sprintf("%s%s%s", group, *group ? "/" : "", version_name),
                     "resources", list);
}

static json_t *groups(void) {
    json_t *list = json_array();
    const char *last = "";

    for (int i = 0; i < KIND_END; i++) {
        const struct kind *k = kind_of((KindId)i);
        char text[64];
        json_t *one;

        if (!strcmp(k->group, last))
            continue;
        last = k->group;
        kind_api_version(k, text);
        one = json_pack("{s:s, s:s}", "groupVersion", text, "version", k->version);
        json_array_append_new(list, json_pack("{s:s, s:[O], s:o}", "name", k->group, "versions",
                                              one, "preferredVersion", one));
    }
    return json_pack("{s:s, s:s, s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups", list);
}

/* "apis/apps/v1" */
static char *relative(const struct kind *k) {
    char text[64];

    return xasprintf("api%s/%s", *k->group ? "s" : "", kind_api_version(k, text));
}

/* Where the document of each group's version is. */
static json_t *openapi_index(void) {
    json_t *paths = json_object();

    for (int i = 0; i < KIND_END; i++) {
        _cleanup_free_ char *path = relative(kind_of((KindId)i));

        json_object_set_new(
            paths, path,
            json_pack("{s:o}", "serverRelativeURL", json_sprintf("/openapi/v3/%s", path)));
    }
    return json_pack("{s:o}", "paths", paths);
}

/* Just enough OpenAPI for kubectl: that each kind's PATCH takes fieldValidation and dryRun, so that
 * it leaves validation to the server. */
static json_t *openapi(const char *group_version) {
    json_t *paths = json_object();

    for (int i = 0; i < KIND_END; i++) {
        const struct kind *k = kind_of((KindId)i);
        _cleanup_free_ char *path = relative(k), *whole = NULL;

        if (strcmp(path, group_version))
            continue;
        whole = xasprintf("/%s%s/%s/{name}", path, k->namespaced ? "/namespaces/{namespace}" : "",
                          k->plural);
        json_object_set_new(paths, whole,
                            json_pack("{s:{s:[{s:s, s:s}, {s:s, s:s}], s:{}, s:{s:s, s:s, s:s}}}",
                                      "patch", "parameters", "name", "fieldValidation", "in",
                                      "query", "name", "dryRun", "in", "query", "responses",
                                      "x-kubernetes-group-version-kind", "group", k->group,
                                      "version", k->version, "kind", k->kind));
    }
    return json_pack("{s:s, s:{s:s, s:s}, s:o}", "openapi", "3.0.0", "info", "title", "kubesim",
                     "version", "1", "paths", paths);
}

static json_t *document(const char *path) {
    char group[64], version_name[32];
    json_t *list;
    int end = 0;

    if (!strcmp(path, "/version"))
        return version();
    if (!strcmp(path, "/openapi/v3"))
        return openapi_index();
    if (!strncmp(path, "/openapi/v3/", 12))
        return openapi(path + 12);
    if (!strcmp(path, "/api"))
        return json_pack("{s:s, s:[s]}", "kind", "APIVersions", "versions", "v1");
    if (!strcmp(path, "/apis"))
        return groups();
    if (!strcmp(path, "/api/v1"))
        return resources("", "v1");
    if (sscanf(path, "/apis/%63[^/]/%31[^/]%n", group, version_name, &end) != 2 || path[end])
        return NULL;
    list = resources(group, version_name);
    if (json_array_size(json_object_get(list, "resources")))
        return list;
    json_decref(list);
    return NULL;
}

bool discovery_answer(struct call *call) {
    json_auto_t *body = NULL;

    if (!strcmp(call->path, "/readyz") || !strcmp(call->path, "/healthz") ||
        !strcmp(call->path, "/livez")) {
        rest_plain(call, 200, "text/plain", "ok", 2);
        return true;
    }
    if (strcmp(call->method, "GET"))
        return false;
    body = document(call->path);
    if (body)
        rest_answer(call, 200, body);
    return body != NULL;
}
