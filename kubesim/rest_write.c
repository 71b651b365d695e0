#include "base/cleanup.h"
#include "base/json.h"
#include "kube/yaml.h"
#include "kubesim/front.h"
#include "kubesim/kstatus.h"
#include "kubesim/rest_parts.h"
#include "kubesim/selector.h"
#include "kubesim/write.h"
#include <stdlib.h>
#include <string.h>

/* The request's body as JSON; NULL when it has been refused. */
static json_t *body_parse(struct call *call) {
    const char *type = call_header(call, "Content-Type");
    char error[200] = "";
    json_t *body, *documents;

    if (type && (strstr(type, "protobuf") || strstr(type, "cbor"))) {
        rest_refuse(call, kstatus(415, "UnsupportedMediaType",
                                  "the body of the request was in an unknown format - accepted "
                                  "media types include: application/json, application/yaml"));
        return NULL;
    }

    if (call->too_large) {
        rest_refuse(call, kstatus(413, "RequestEntityTooLarge", "limit is 3145728"));
        return NULL;
    }
    body = json_loadb(call->body, call->body_len, 0, NULL);
    if (!body) {
        documents = kube_yaml_documents(call->body, call->body_len, error, sizeof error);
        body = json_array_size(documents) == 1 ? json_incref(json_array_get(documents, 0)) : NULL;
        json_decref(documents);
    }
    if (!body)
        rest_refuse(call, kstatus(400, "BadRequest", "the body cannot be read: %s", error));
    return body;
}

void rest_review(struct call *call) {
    json_auto_t *body = body_parse(call);

    if (!body)
        return;
    if (!json_is_object(json_at(body, "spec", "resourceAttributes", NULL)) &&
        !json_is_object(json_at(body, "spec", "nonResourceAttributes", NULL))) {
        rest_refuse(call, kstatus(422, "Invalid", "spec.resourceAttributes: Required value"));
        return;
    }
    json_object_set_new(body, "status",
                        json_pack("{s:b, s:s}", "allowed", 1, "reason", "the one user may all"));
    rest_answer(call, 201, body);
}

static bool patch_type(const char *content_type, PatchType *ret) {
    static const struct {
        const char *name;
        PatchType type;
    } types[] = {{"application/merge-patch+json", PATCH_MERGE},
                 {"application/strategic-merge-patch+json", PATCH_STRATEGIC},
                 {"application/json-patch+json", PATCH_JSON},
                 {"application/apply-patch+yaml", PATCH_APPLY},
                 {"application/apply-patch+json", PATCH_APPLY},
                 {"application/apply-patch", PATCH_APPLY}};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t n = strlen(types[i].name);

        if (content_type && !strncmp(content_type, types[i].name, n) &&
            (!content_type[n] || content_type[n] == ';' || content_type[n] == ' ')) {
            *ret = types[i].type;
            return true;
        }
    }
    return false;
}

static void patch(struct sim *sim, struct call *call, const struct write *w) {
    json_auto_t *body = NULL;
    struct object *o = NULL;
    PatchType type;
    bool created;
    json_t *refused, *scale;

    if (!patch_type(call_header(call, "Content-Type"), &type)) {
        rest_refuse(call, kstatus(415, "UnsupportedMediaType",
                                  "the body of the request was in an unknown format - accepted "
                                  "media types include: application/json-patch+json, "
                                  "application/merge-patch+json, application/apply-patch+yaml, "
                                  "application/strategic-merge-patch+json"));
        return;
    }
    body = body_parse(call);
    if (!body)
        return;
    refused = write_patch(sim, w, type, body, &o, &created);
    if (refused) {
        rest_refuse(call, refused);
    } else if (!strcmp(w->sub, "scale")) {
        scale = scale_of(o);
        rest_answer(call, 200, scale);
        json_decref(scale);
        object_unref(o);
    } else {
        rest_object(call, created ? 201 : 200, o);
    }
}

static void put_or_post(struct sim *sim, struct call *call, const struct write *w, bool post) {
    json_auto_t *body = body_parse(call);
    struct object *o = NULL;
    json_t *refused, *scale;

    if (!body)
        return;
    refused = post ? write_create(sim, w, body, &o) : write_replace(sim, w, body, &o);
    if (refused) {
        rest_refuse(call, refused);
    } else if (!strcmp(w->sub, "scale")) {
        scale = scale_of(o);
        rest_answer(call, 200, scale);
        json_decref(scale);
        object_unref(o);
    } else {
        rest_object(call, post ? 201 : 200, o);
    }
}

static void delete_one(struct sim *sim, struct call *call, const struct write *w) {
    json_auto_t *options = call->body_len ? body_parse(call) : json_object();
    const char *grace = call_arg(call, "gracePeriodSeconds");
    struct object *o = NULL;
    json_t *refused;
    bool gone;

    if (!options)
        return;
    refused = write_delete(sim, w, options, grace ? (int)strtol(grace, NULL, 10) : -1, &o, &gone);
    if (refused) {
        rest_refuse(call, refused);
    } else if (gone && w->kind->id != KIND_POD) {
        json_t *status = kstatus_deleted(w->kind, w->name,
                                         json_str(json_object_get(o->body, "metadata"), "uid", ""));

        rest_answer(call, 200, status);
        json_decref(status);
        object_unref(o);
    } else {
        rest_object(call, 200, o);
    }
}

static void delete_collection(struct sim *sim, struct call *call, const struct write *w) {
    struct bucket *b = store_bucket(sim->store, w->kind->id, w->ns);
    json_auto_t *selector = NULL, *fields = NULL, *names = json_array(), *status = NULL;
    json_t *name;
    size_t i;

    if (!rest_selection(call, &selector, &fields)) {
        selector = fields = NULL;
        return;
    }
    for (i = 0; b && i < b->n; i++) {
        const json_t *body = b->slots[i]->now->body;

        if ((!selector || selector_matches(selector, object_labels(body))) &&
            (!fields || fields_match(fields, body)))
            json_array_append_new(names, json_string(b->slots[i]->name));
    }
    json_array_foreach(names, i, name) {
        struct write one = *w;
        struct object *o = NULL;
        bool gone;

        one.name = json_string_value(name);
        json_decref(write_delete(sim, &one, NULL, -1, &o, &gone));
        object_unref(o);
    }
    status = kstatus_deleted(w->kind, "", "");
    rest_answer(call, 200, status);
}

/* The manager of a write without ?fieldManager: the program's name. */
static char *manager_of(const struct call *call) {
    const char *manager = call_arg(call, "fieldManager"), *agent;

    if (manager && *manager)
        return xstrdup(manager);
    agent = call_header(call, "User-Agent");
    return agent ? xstrndup(agent, strcspn(agent, "/ ")) : xstrdup("unknown");
}

void rest_write(struct sim *sim, struct call *call, const struct target *t) {
    const char *type = call_header(call, "Content-Type");
    bool is_apply = type && !strncmp(type, "application/apply-patch", 23);
    _cleanup_free_ char *manager =
        is_apply ? xstrdup(call_arg(call, "fieldManager")) : manager_of(call);
    struct write w = {.kind = t->kind,
                      .ns = t->ns,
                      .name = t->name,
                      .sub = t->sub,
                      .field_manager = manager ? manager : "",
                      .force = rest_flag(call, "force"),
                      .dry_run = call_arg(call, "dryRun") != NULL};
    bool known_sub = !*t->sub || (!strcmp(t->sub, "status") && t->kind->has_status) ||
                     (!strcmp(t->sub, "scale") && t->kind->has_scale);

    if (!known_sub)
        rest_refuse(call,
                    kstatus(404, "NotFound", "the server could not find the requested resource"));
    else if (!strcmp(call->method, "POST") && !*t->name)
        put_or_post(sim, call, &w, true);
    else if (!strcmp(call->method, "PUT") && *t->name)
        put_or_post(sim, call, &w, false);
    else if (!strcmp(call->method, "PATCH") && *t->name)
        patch(sim, call, &w);
    else if (!strcmp(call->method, "DELETE") && *t->name && !*t->sub)
        delete_one(sim, call, &w);
    else if (!strcmp(call->method, "DELETE") && !*t->name)
        delete_collection(sim, call, &w);
    else
        rest_refuse(call,
                    kstatus(405, "MethodNotAllowed",
                            "the server does not allow this method on the requested resource"));
}
