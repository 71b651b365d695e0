#include "kubesim/watcher.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "kubesim/front.h"
#include "kubesim/kstatus.h"
#include "kubesim/selector.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PENDING = 64 * 1024 * 1024, BOOKMARK_MS = 10000 };

struct watch {
    struct watchers *owner;
    struct call *call;
    const struct kind *kind;
    char *ns;
    json_t *selector, *fields;
    bool bookmarks;
    uint64_t at;           /* the next event of the kind */
    struct strbuf pending; /* lines not yet handed to the stream */
    size_t sent;           /* of pending */
    bool ending;           /* the stream ends when pending is sent */
    struct simloop_timer timeout, bookmark;
    struct watch *next, **link; /* of the kind's list */
};

struct watchers {
    struct sim *sim;
    struct watch *first[KIND_END];
};

struct watchers *watchers_new(struct sim *sim) {
    struct watchers *w = xcalloc(1, sizeof *w);

    w->sim = sim;
    return w;
}

void watchers_free(struct watchers *w) {
    free(w);
}

static void add_line(struct watch *w, const char *type, const char *object, size_t n) {
    strbuf_addf(&w->pending, "{\"type\":\"%s\",\"object\":", type);
    strbuf_add(&w->pending, object, n);
    strbuf_adds(&w->pending, "}\n");
}

static void add_object(struct watch *w, const char *type, struct object *o) {
    size_t n;
    const char *text = object_text(o, &n);

    add_line(w, type, text, n);
}

static void add_bookmark(struct watch *w, bool initial_end) {
    char version[64];
    json_auto_t *o =
        json_pack("{s:s, s:s, s:{s:o}}", "apiVersion", kind_api_version(w->kind, version), "kind",
                  w->kind->kind, "metadata", "resourceVersion",
                  json_sprintf("%" PRId64, store_version(w->owner->sim->store)));
    _cleanup_free_ char *text = NULL;

    if (initial_end)
        json_object_set_new(object_metadata(o), "annotations",
                            json_pack("{s:s}", "k8s.io/initial-events-end", "true"));
    text = json_text(o);
    add_line(w, "BOOKMARK", text, strlen(text));
}

static void add_expired(struct watch *w, const char *version) {
    json_auto_t *status = kstatus(410, "Expired", "too old resource version: %s (%" PRId64 ")",
                                  version, store_version(w->owner->sim->store));
    _cleanup_free_ char *text = json_text(status);

    add_line(w, "ERROR", text, strlen(text));
    w->ending = true;
}

static bool concerns(const struct watch *w, const json_t *body) {
    if (*w->ns && strcmp(w->ns, object_ns(body)))
        return false;
    if (w->selector && !selector_matches(w->selector, object_labels(body)))
        return false;
    return !w->fields || fields_match(w->fields, body);
}

/* What an event is to this watch: an object may come into its selection or leave it. */
static const char *event_type(const struct watch *w, const struct event *e) {
    bool before = e->before && concerns(w, e->before->body);
    bool after = !e->deleted && concerns(w, e->after->body);

    if (before)
        return after ? "MODIFIED" : "DELETED";
    return after ? "ADDED" : NULL;
}

static void take_events(struct watch *w) {
    const struct store *store = w->owner->sim->store;

    if (w->at < store_first_event(store, w->kind->id)) {
        add_expired(w, "of this watch");
        return;
    }
    while (w->at < store_end_event(store, w->kind->id) && w->pending.len < 256 * 1024) {
        const struct event *e = store_event(store, w->kind->id, w->at++);
        const char *type = event_type(w, e);

        if (type)
            add_object(w, type, e->after);
    }
}

static ssize_t watch_read(void *ctx, char *buffer, size_t max) {
    struct watch *w = ctx;
    size_t n;

    if (w->sent == w->pending.len) {
        strbuf_clear(&w->pending);
        w->sent = 0;
        if (!w->ending)
            take_events(w);
    }
    n = w->pending.len - w->sent;
    if (!n)
        return w->ending ? STREAM_END : 0;
    n = n < max ? n : max;
    memcpy(buffer, w->pending.data + w->sent, n);
    w->sent += n;
    return (ssize_t)n;
}

static void on_timeout(void *ctx) {
    struct watch *w = ctx;

    w->ending = true;
    call_wake(w->call);
}

static void on_bookmark(void *ctx) {
    struct watch *w = ctx;

    if (w->sent == w->pending.len && w->at == store_end_event(w->owner->sim->store, w->kind->id)) {
        strbuf_clear(&w->pending);
        w->sent = 0;
        add_bookmark(w, false);
        call_wake(w->call);
    }
    simloop_arm(w->owner->sim->loop, &w->bookmark, BOOKMARK_MS * 1000, on_bookmark, w);
}

static void watch_end(void *note, struct call *call) {
    struct watch *w = note;

    (void)call;
    simloop_disarm(w->owner->sim->loop, &w->timeout);
    simloop_disarm(w->owner->sim->loop, &w->bookmark);
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    json_decref(w->selector);
    json_decref(w->fields);
    strbuf_done(&w->pending);
    free(w->ns);
    free(w);
}

static void add_present(struct watch *w) {
    struct store *store = w->owner->sim->store;

    w->at = store_end_event(store, w->kind->id);
    for (struct bucket *b = store_buckets(store, w->kind->id); b; b = b->next) {
        for (size_t i = 0; i < b->n; i++) {
            if (concerns(w, b->slots[i]->now->body))
                add_object(w, "ADDED", b->slots[i]->now);
        }
    }
}

static void position(struct watch *w, const struct watch_options *options) {
    const char *version = options->version ? options->version : "";

    if (!*version || !strcmp(version, "0") || options->initial_events) {
        add_present(w);
        if (options->initial_events && options->bookmarks)
            add_bookmark(w, true);
    } else if (!store_events_after(w->owner->sim->store, w->kind->id, strtoll(version, NULL, 10),
                                   &w->at)) {
        add_expired(w, version);
    }
}

void watch_begin(struct watchers *owner, struct call *call, const struct watch_options *options) {
    struct watch *w = xcalloc(1, sizeof *w);
    struct simloop *l = owner->sim->loop;

    *w = (struct watch){.owner = owner,
                        .call = call,
                        .kind = options->kind,
                        .ns = xstrdup(options->ns),
                        .selector = options->selector,
                        .fields = options->fields,
                        .bookmarks = options->bookmarks,
                        .pending = STRBUF(MAX_PENDING)};
    w->link = &owner->first[w->kind->id];
    w->next = *w->link;
    if (w->next)
        w->next->link = &w->next;
    *w->link = w;
    position(w, options);
    simloop_arm(l, &w->timeout, (options->timeout_s > 0 ? options->timeout_s : 1800) * US_PER_S,
                on_timeout, w);
    if (w->bookmarks)
        simloop_arm(l, &w->bookmark, BOOKMARK_MS * US_PER_MS, on_bookmark, w);
    call->note = w;
    call->on_end = watch_end;
    call_stream(call, "application/json", watch_read, w);
}

void watchers_wake(struct watchers *owner, const struct slot *slot, const struct event *event) {
    for (struct watch *w = owner->first[slot->kind->id]; w; w = w->next) {
        if (event_type(w, event))
            call_wake(w->call);
    }
}
