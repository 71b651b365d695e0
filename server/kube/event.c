/* kube/event.c: what the lines of a watch do to the cache. */
#include "base/clock.h"
#include "kube/watch.h"
#include <string.h>

static bool broken(struct kube_watching *w, const char *why) {
    w->verdict = WATCH_BROKEN;
    w->fault = (struct kube_result){.outcome = KUBE_UNKNOWN, .retry_after_s = -1};
    if (!strcspn(why, "\r\n")) /* an error without a text would pass for none */
        why = "the watch ended with an error";
    kube_text_copy(w->fault.message, sizeof(w->fault.message), why);
    return false;
}

/* An error comes inside a 200 once the watch has begun. */
static bool error_event(struct kube_watching *w, const json_t *status) {
    if (json_int(status, "code", 0) == 410) {
        w->verdict = WATCH_GONE;
        return false;
    }
    broken(w, json_str(status, "message", ""));
    w->fault.code = (unsigned)json_int(status, "code", 0);
    w->fault.retry_after_s =
        (int)json_int(json_object_get(status, "details"), "retryAfterSeconds", -1);
    return false;
}

void kube_watching_changed(const struct kube_watching *w, const char *name) {
    const struct kube_clusters *set = w->cluster->set;

    if (set->on_change)
        set->on_change(set->ctx, w->cluster->name, w->kind, w->namespace_, name);
}

static void apply(struct kube_watching *w, json_t *object, bool deleted) {
    struct kube_cluster *c = w->cluster;

    if (!deleted)
        kube_object_trim(object, w->kind);
    pthread_mutex_lock(&c->lock);
    if (deleted)
        kube_cache_remove(&w->cache, kube_name(object));
    else
        kube_cache_put(&w->cache, object);
    w->live_us = w->heard_us;
    w->error[0] = '\0';
    pthread_mutex_unlock(&c->lock);
    kube_watching_changed(w, kube_name(object));
}

static void live(struct kube_watching *w) {
    pthread_mutex_lock(&w->cluster->lock);
    w->live_us = w->heard_us;
    w->error[0] = '\0';
    pthread_mutex_unlock(&w->cluster->lock);
}

bool kube_watching_event(struct kube_watching *w, const char *line, size_t n) {
    json_auto_t *event = json_loadb(line, n, JSON_ALLOW_NUL, NULL);
    json_t *object = json_object_get(event, "object");
    const char *type = json_str(event, "type", "");
    bool deleted = strcmp(type, "DELETED") == 0, bookmark = strcmp(type, "BOOKMARK") == 0;

    if (!json_is_object(object))
        return broken(w, "a line of the watch is no event");
    if (strcmp(type, "ERROR") == 0)
        return error_event(w, object);
    if (!*kube_resource_version(object) || (!bookmark && !*kube_name(object)))
        return broken(w, "an event of the watch has no name or resourceVersion");
    if (!deleted && !bookmark && strcmp(type, "ADDED") != 0 && strcmp(type, "MODIFIED") != 0)
        return broken(w, "an event of the watch is of an unknown type");
    free(w->version);
    w->version = xstrdup(kube_resource_version(object));
    kube_watching_healthy(w);
    if (bookmark)
        live(w);
    else
        apply(w, object, deleted);
    return true;
}
