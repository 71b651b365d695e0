#include "base/cleanup.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "kubesim/front.h"
#include "kubesim/kstatus.h"
#include "kubesim/podlog.h"
#include "kubesim/rest_parts.h"
#include "kubesim/selector.h"
#include "kubesim/watcher.h"
#include "kubesim/write.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool rest_selection(struct call *call, json_t **ret_selector, json_t **ret_fields) {
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

void rest_watch(struct sim *sim, struct call *call, const struct target *t) {
    struct watch_options options = {.kind = t->kind,
                                    .ns = t->ns,
                                    .version = call_arg(call, "resourceVersion"),
                                    .bookmarks = rest_flag(call, "allowWatchBookmarks"),
                                    .initial_events = rest_flag(call, "sendInitialEvents")};
    const char *timeout = call_arg(call, "timeoutSeconds");

    if (!rest_selection(call, &options.selector, &options.fields))
        return;
    if (*t->name)
        options.fields =
            json_pack("[{s:s, s:s, s:b}]", "path", "metadata.name", "value", t->name, "negate", 0);
    options.timeout_s = timeout ? (int)strtol(timeout, NULL, 10) : 0;
    if (rest_release(call)) {
        watch_begin(sim->watchers, call, &options);
    } else {
        json_decref(options.selector);
        json_decref(options.fields);
    }
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

void rest_list(struct sim *sim, struct call *call, const struct target *t) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(1024 * 1024 * 1024);
    json_auto_t *selector = NULL, *fields = NULL;
    const char *separator = "";
    char version[64];

    if (!rest_selection(call, &selector, &fields)) {
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
    rest_text(call, 200, b.data, b.len);
}

void rest_get(struct sim *sim, struct call *call, const struct target *t) {
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
        rest_object(call, 200, object_ref(slot->now));
    } else {
        rest_refuse(call,
                    kstatus(404, "NotFound", "the server could not find the requested resource"));
    }
}
