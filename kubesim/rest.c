#include "kubesim/rest.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "kube/yaml.h"
#include "kubesim/discovery.h"
#include "kubesim/faults.h"
#include "kubesim/front.h"
#include "kubesim/kstatus.h"
#include "kubesim/podlog.h"
#include "kubesim/proxy.h"
#include "kubesim/requests.h"
#include "kubesim/selector.h"
#include "kubesim/watcher.h"
#include "kubesim/write.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What goes with a call until it is answered or becomes a watch. */
struct rest_request {
    struct sim *sim;
    struct call *call;
    uint64_t n; /* of the request log */
    bool cut;   /* the answer is dropped */
    struct simloop_timer timer;
};

static void request_end(void *note, struct call *call) {
    struct rest_request *r = note;

    (void)call;
    simloop_disarm(r->sim->loop, &r->timer);
    free(r);
}

static void answer_text(struct call *call, unsigned code, const char *text, size_t n) {
    struct rest_request *r = call->note;

    requests_code(r->sim->requests, r->n, code);
    if (r->cut)
        call_drop(call);
    else
        call_answer(call, code, "application/json", text, n);
}

void rest_answer(struct call *call, unsigned code, const json_t *body) {
    _cleanup_free_ char *text = json_text(body);

    answer_text(call, code, text, strlen(text));
}

void rest_refuse(struct call *call, json_t *status) {
    rest_answer(call, kstatus_code(status), status);
    json_decref(status);
}

void rest_plain(struct call *call, unsigned code, const char *content_type, const char *bytes,
                size_t n) {
    struct rest_request *r = call->note;

    requests_code(r->sim->requests, r->n, code);
    if (r->cut)
        call_drop(call);
    else
        call_answer(call, code, content_type, bytes, n);
}

static void answer_object(struct call *call, unsigned code, struct object *o) {
    size_t n;
    const char *text = object_text(o, &n);

    answer_text(call, code, text, n);
    object_unref(o);
}

static bool flag(const struct call *call, const char *name) {
    const char *v = call_arg(call, name);

    return v && strcmp(v, "false") && strcmp(v, "0");
}

/* The selectors of a list or watch; false when it has been refused. */
static bool selection_parse(struct call *call, json_t **ret_selector, json_t **ret_fields) {
    const char *labels = call_arg(call, "labelSelector"), *fields = call_arg(call, "fieldSelector");

    *ret_selector = labels && *labels ? selector_parse(labels) : NULL;
    *ret_fields = fields && *fields ? fields_parse(fields) : NULL;
    if ((labels && *labels && !*ret_selector) || (fields && *fields && !*ret_fields)) {
        json_decref(*ret_selector);
        json_decref(*ret_fields);
        rest_refuse(call, kstatus(400, "BadRequest", "unable to parse the selector"));
        return false;
    }
    return true;
}

static void watch_start(struct sim *sim, struct call *call, const struct target *t) {
    struct rest_request *r = call->note;
    struct watch_options options = {.kind = t->kind,
                                    .ns = t->ns,
                                    .version = call_arg(call, "resourceVersion"),
                                    .bookmarks = flag(call, "allowWatchBookmarks"),
                                    .initial_events = flag(call, "sendInitialEvents")};
    const char *timeout = call_arg(call, "timeoutSeconds");

    if (!selection_parse(call, &options.selector, &options.fields))
        return;
    if (*t->name)
        options.fields =
            json_pack("[{s:s, s:s, s:b}]", "path", "metadata.name", "value", t->name, "negate", 0);
    options.timeout_s = timeout ? (int)strtol(timeout, NULL, 10) : 0;
    requests_code(sim->requests, r->n, 200);
    if (r->cut) {
        json_decref(options.selector);
        json_decref(options.fields);
        call_drop(call);
        return;
    }
    request_end(r, call);
    watch_begin(sim->watchers, call, &options);
}

/* Items of a list carry neither kind nor apiVersion: skips them at the front of the stored text. */
static void add_item(struct strbuf *b, const struct kind *k, struct object *o) {
    char prefix[192], version[64];
    size_t n, skip;
    const char *text = object_text(o, &n);

    skip = (size_t)snprintf(prefix, sizeof prefix, "{\"apiVersion\":\"%s\",\"kind\":\"%s\",",
                            kind_api_version(k, version), k->kind);
    if (n > skip && !strncmp(text, prefix, skip)) {
        strbuf_adds(b, "{");
        strbuf_add(b, text + skip, n - skip);
    } else {
        strbuf_add(b, text, n);
    }
}

static void list(struct sim *sim, struct call *call, const struct target *t) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(1024 * 1024 * 1024);
    json_auto_t *selector = NULL, *fields = NULL;
    const char *separator = "";
    char version[64];

    if (!selection_parse(call, &selector, &fields)) {
        selector = fields = NULL;
        return;
    }
    strbuf_addf(
        &b,
        "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%" PRId64
        "\"},\"items\":[",
        t->kind->kind, kind_api_version(t->kind, version), store_version(sim->store));
    for (struct bucket *bucket = store_buckets(sim->store, t->kind->id); bucket;
         bucket = bucket->next) {
        if (*t->ns && strcmp(t->ns, bucket->ns))
            continue;
        for (size_t i = 0; i < bucket->n; i++) {
            struct object *o = bucket->slots[i]->now;

            if ((selector && !selector_matches(selector, object_labels(o->body))) ||
                (fields && !fields_match(fields, o->body)))
                continue;
            strbuf_adds(&b, separator);
            add_item(&b, t->kind, o);
            separator = ",";
        }
    }
    strbuf_adds(&b, "]}");
    answer_text(call, 200, b.data, b.len);
}

static void get(struct sim *sim, struct call *call, const struct target *t) {
    struct slot *slot = store_find(sim->store, t->kind->id, t->ns, t->name);
    json_auto_t *scale = NULL;

    if (!slot) {
        rest_refuse(call, kstatus_not_found(t->kind, t->name));
    } else if (t->kind->id == KIND_POD && !strcmp(t->sub, "log")) {
        podlog_answer(sim, call, slot);
    } else if (t->kind->has_scale && !strcmp(t->sub, "scale")) {
        scale = scale_of(slot->now);
        rest_answer(call, 200, scale);
    } else if (!*t->sub || (t->kind->has_status && !strcmp(t->sub, "status"))) {
        answer_object(call, 200, object_ref(slot->now));
    } else {
        rest_refuse(call,
                    kstatus(404, "NotFound", "the server could not find the requested resource"));
    }
}

/* The request's body as JSON; NULL when it has been refused. */
static json_t *body_parse(struct call *call) {
    char error[200] = "";
    json_t *body, *documents;

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
        answer_object(call, created ? 201 : 200, o);
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
        answer_object(call, post ? 201 : 200, o);
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
        answer_object(call, 200, o);
    }
}

static void delete_collection(struct sim *sim, struct call *call, const struct write *w) {
    struct bucket *b = store_bucket(sim->store, w->kind->id, w->ns);
    json_auto_t *selector = NULL, *fields = NULL, *names = json_array(), *status = NULL;
    json_t *name;
    size_t i;

    if (!selection_parse(call, &selector, &fields)) {
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

static void write_call(struct sim *sim, struct call *call, const struct target *t) {
    const char *type = call_header(call, "Content-Type");
    bool is_apply = type && !strncmp(type, "application/apply-patch", 23);
    _cleanup_free_ char *manager =
        is_apply ? xstrdup(call_arg(call, "fieldManager")) : manager_of(call);
    struct write w = {.kind = t->kind,
                      .ns = t->ns,
                      .name = t->name,
                      .sub = t->sub,
                      .field_manager = manager ? manager : "",
                      .force = flag(call, "force"),
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

static bool authorized(const struct sim *sim, const struct call *call) {
    const char *header = call_header(call, "Authorization");

    return header && !strncmp(header, "Bearer ", 7) && !strcmp(header + 7, sim->token);
}

static void handle(struct sim *sim, struct call *call) {
    struct target t;

    if (!authorized(sim, call)) {
        rest_refuse(call, kstatus(401, "Unauthorized", "Unauthorized"));
        return;
    }
    if (discovery_answer(call))
        return;
    if (!target_parse(call->path, &t)) {
        rest_refuse(call,
                    kstatus(404, "NotFound", "the server could not find the requested resource"));
        return;
    }
    if (!strcmp(t.sub, "proxy") && (t.kind->id == KIND_SERVICE || t.kind->id == KIND_POD))
        proxy_call(sim, call, &t);
    else if (strcmp(call->method, "GET"))
        write_call(sim, call, &t);
    else if (flag(call, "watch") && !*t.sub)
        watch_start(sim, call, &t);
    else if (!*t.name)
        list(sim, call, &t);
    else
        get(sim, call, &t);
}

static void on_delay(void *ctx) {
    struct rest_request *r = ctx;

    handle(r->sim, r->call);
}

/* The verb as Kubernetes names it. */
static const char *kube_verb(const struct call *call) {
    struct target t;
    bool named = target_parse(call->path, &t) && *t.name;

    if (!strcmp(call->method, "GET"))
        return flag(call, "watch") ? "watch" : named ? "get" : "list";
    if (!strcmp(call->method, "POST"))
        return "create";
    return !strcmp(call->method, "PUT") ? "update" : call->method;
}

static void refuse_injected(struct call *call, const struct fault_effect *effect) {
    char seconds[16];

    if (effect->retry_after_s >= 0) {
        snprintf(seconds, sizeof seconds, "%d", effect->retry_after_s);
        call_set_header(call, "Retry-After", seconds);
    }
    rest_refuse(call, kstatus(effect->code, kstatus_reason(effect->code), "injected by kubesim"));
}

void rest_call(void *ctx, struct call *call) {
    struct sim *sim = ctx;
    struct rest_request *r = xcalloc(1, sizeof *r);
    const char *agent = call_header(call, "User-Agent");
    struct fault_effect effect;

    *r = (struct rest_request){.sim = sim, .call = call};
    r->n = requests_add(sim->requests, call->method, call->path, call->query, agent, call->body);
    call->note = r;
    call->on_end = request_end;
    effect = faults_meet(sim->faults, call->method, kube_verb(call), call->path, call->query,
                         agent ? agent : "");
    switch (effect.action) {
    case FAULT_NONE:
        handle(sim, call);
        break;
    case FAULT_STATUS:
        refuse_injected(call, &effect);
        break;
    case FAULT_DELAY:
        call_park(call);
        simloop_arm(sim->loop, &r->timer, effect.delay_ms * US_PER_MS, on_delay, r);
        break;
    case FAULT_HANG:
        call_park(call);
        break;
    case FAULT_CUT_BEFORE:
        call_drop(call);
        break;
    case FAULT_CUT_AFTER:
        r->cut = true;
        handle(sim, call);
        break;
    }
}
