/* kube/watch.c: one list and watch as a chain of calls on the loop: list → watch → watch …, with a
 * list again after every gap, and a pause before it after a failure.
 *
 *   the watch ended in good order      → watch from where it was
 *   it was cut                         → the same, once; then pause and list
 *   410, as status or as event         → list
 *   no byte for a while                → list: the connection may be dead without our knowing
 *   anything else                      → pause and list
 *
 * So whenever `error` is empty the cache was confirmed after the last failure. */
#include "kube/watch.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/metric.h"
#include "kube/kind.h"
#include <stdio.h>
#include <string.h>

enum {
    LOGIN_MS = 100,
    PAGE_BYTES = 64 << 20,
    REFUSAL_BYTES = 64 << 10,
    RETRY_AFTER_MOST_MS = 60000
};

static void list_begin(struct kube_watching *w);
static void watch_begin(struct kube_watching *w);

void kube_watching_done(struct kube_watching *w) {
    kube_cache_done(&w->cache);
    kube_cache_done(&w->listing);
    kube_lines_done(&w->lines);
    strbuf_done(&w->refusal);
    free(w->next_page);
    free(w->version);
    kube_headers_done(&w->with);
}
static void failed(struct kube_watching *w, const struct kube_result *r);
static void on_time(void *ctx, bool canceled);

/* There is no credential to begin with.  While a plugin is at work that is no failure. */
static void wait_for_login(struct kube_watching *w, KubeLogin found, const char *why) {
    struct kube_cluster *c = w->cluster;
    struct kube_result r = {.retry_after_s = -1};
    bool over;

    snprintf(r.message, sizeof(r.message), "%s", why);
    if (found == LOGIN_FAILED) {
        failed(w, &r);
        return;
    }
    pthread_mutex_lock(&c->lock);
    over = c->ended;
    if (!over) {
        kube_text_copy(w->error, sizeof(w->error), why);
        w->call = net_loop_after(c->set->loop, LOGIN_MS, on_time, w);
    }
    pthread_mutex_unlock(&c->lock);
    if (over)
        kube_cluster_unref(c);
}

/* Starts what comes next, unless the cluster's watches have ended: then it is over, and `w` may be
 * gone when this returns. */
static void call_begin(struct kube_watching *w, const char *query, bool stream,
                       net_data_fn *on_data, net_done_fn *on_done) {
    struct kube_cluster *c = w->cluster;
    const struct kube_timing *timing = &c->set->timing;
    _cleanup_free_ char *path = kube_kind_path(w->kind, w->namespace_, NULL);
    _cleanup_free_ char *url = xasprintf("%s%s?%s", c->config.server, path, query);
    char why[KUBE_EXEC_TEXT];
    KubeLogin found;
    bool over;

    kube_headers_done(&w->with); /* the call before is over */
    found = kube_headers_set(&w->with, c, NULL, 0, why, sizeof(why));
    if (found != LOGIN_READY) {
        wait_for_login(w, found, why);
        return;
    }
    w->began_us = w->heard_us = clock_monotonic_us();
    pthread_mutex_lock(&c->lock);
    over = c->ended;
    if (!over)
        w->call = net_loop_start(c->set->loop,
                                 &(struct net_request){
                                     .method = "GET",
                                     .url = url,
                                     .headers = w->with.lines,
                                     .timeout_ms = stream ? 0 : timing->list_ms,
                                     .idle_ms = stream ? timing->idle_ms : 0,
                                     .max_bytes = PAGE_BYTES,
                                     .tls = w->with.tls,
                                 },
                                 on_data, on_done, w);
    pthread_mutex_unlock(&c->lock);
    if (over)
        kube_cluster_unref(c);
}

/* ---- pauses ---- */

static void on_time(void *ctx, bool canceled) {
    (void)canceled; /* then the cluster's watches have ended, as list_begin will see */
    list_begin(ctx);
}

/* Doubled with each failure and spread over its upper half; never sooner than the server asks. */
static int pause_ms(const struct kube_watching *w, int retry_after_s) {
    const struct kube_timing *timing = &w->cluster->set->timing;
    unsigned doublings = w->failures > 16 ? 16 : w->failures - 1;
    double ms = (double)timing->retry_ms * (double)(1u << doublings), asked;

    if (ms > timing->retry_most_ms)
        ms = timing->retry_most_ms;
    ms *= 0.5 + random_unit() / 2;
    asked = retry_after_s > 0 ? retry_after_s * 1e3 : 0;
    if (asked > RETRY_AFTER_MOST_MS)
        asked = RETRY_AFTER_MOST_MS;
    return (int)(ms > asked ? ms : asked + ms);
}

void kube_watching_healthy(struct kube_watching *w) {
    if (w->failures)
        log_event(LOG_INFO, "kube.watch.live", "cluster", w->cluster->name, "namespace",
                  w->namespace_, "kind", kube_kind_name(w->kind), NULL);
    w->failures = 0;
    w->resumed = false;
}

static void count_restart(const char *why) {
    metric_add(METRIC_KUBE_RESTARTS, metric_place(LABEL_RESTART, why), 0, 1);
}

static void complain(const struct kube_watching *w, const char *why) {
    log_event(LOG_WARNING, "kube.watch", "cluster", w->cluster->name, "namespace", w->namespace_,
              "kind", kube_kind_name(w->kind), "error", why, NULL);
}

static void failed(struct kube_watching *w, const struct kube_result *r) {
    struct kube_cluster *c = w->cluster;
    char why[200] = "";
    size_t n = 0;
    bool over;

    if (r->code)
        n = (size_t)snprintf(why, sizeof(why), "HTTP %u: ", r->code);
    kube_text_copy(why + n, sizeof(why) - n, r->message);
    if (r->code == 401)
        kube_token_renewed(c, &w->with, 0);
    pthread_mutex_lock(&c->lock);
    over = c->ended;
    if (!over) {
        count_restart("failed");
        if (w->failures++ == 0)
            complain(w, why);
        memcpy(w->error, why, sizeof(why));
        w->call = net_loop_after(c->set->loop, pause_ms(w, r->retry_after_s), on_time, w);
    }
    pthread_mutex_unlock(&c->lock);
    if (over)
        kube_cluster_unref(c);
}

/* ---- list ---- */

/* Takes the page's objects.  False: it is no list. */
static bool page_read(struct kube_watching *w, const json_t *page) {
    const json_t *items = json_object_get(page, "items"), *metadata;
    json_t *object;
    size_t i;

    metadata = json_object_get(page, "metadata");
    if (!*kube_resource_version(page) || !(json_is_array(items) || json_is_null(items)))
        return false;
    json_array_foreach(items, i, object) {
        if (!*kube_name(object))
            return false;
        kube_object_trim(object, w->kind);
        kube_cache_put(&w->listing, object);
    }
    free(w->version);
    w->version = xstrdup(kube_resource_version(page));
    free(w->next_page);
    w->next_page = NULL;
    if (*json_str(metadata, "continue", ""))
        w->next_page = kube_escape(json_str(metadata, "continue", ""));
    return true;
}

static void list_commit(struct kube_watching *w) {
    struct kube_cluster *c = w->cluster;
    struct kube_cache old;

    w->listed_us = w->heard_us = clock_monotonic_us();
    pthread_mutex_lock(&c->lock);
    old = w->cache;
    w->cache = w->listing;
    w->live_us = w->heard_us;
    w->error[0] = '\0';
    pthread_mutex_unlock(&c->lock);
    w->listing = (struct kube_cache){0};
    kube_cache_done(&old);
    kube_watching_changed(w, NULL);
}

static void page_begin(struct kube_watching *w);

static void page_done(void *ctx, struct net_response *response) {
    _cleanup_(kube_result_done) struct kube_result r = {0};
    struct kube_watching *w = ctx;

    kube_call_count("GET", response, true);
    kube_result_read(response, &r);
    if (r.outcome == KUBE_DONE && !page_read(w, r.object)) {
        r.outcome = KUBE_UNKNOWN;
        snprintf(r.message, sizeof(r.message), "the answer is no list");
    }
    if (r.outcome != KUBE_DONE) {
        failed(w, &r);
    } else if (w->next_page) {
        page_begin(w);
    } else {
        list_commit(w);
        watch_begin(w);
    }
}

static void page_begin(struct kube_watching *w) {
    _cleanup_free_ char *query =
        xasprintf("limit=%d%s%s", w->cluster->set->timing.page, w->next_page ? "&continue=" : "",
                  w->next_page ? w->next_page : "");

    call_begin(w, query, false, NULL, page_done);
}

static void list_begin(struct kube_watching *w) {
    kube_cache_done(&w->listing);
    free(w->next_page);
    w->next_page = NULL;
    w->resumed = false;
    page_begin(w);
}

/* ---- watch ---- */

static bool on_line(void *ctx, const char *line, size_t n) {
    return kube_watching_event(ctx, line, n);
}

static bool on_data(void *ctx, unsigned status, const char *bytes, size_t n) {
    struct kube_watching *w = ctx;

    w->heard_us = clock_monotonic_us();
    if (status != 200) {
        strbuf_add(&w->refusal, bytes, n);
        return true;
    }
    if (kube_lines_feed(&w->lines, bytes, n, on_line, w))
        return true;
    if (w->verdict == WATCH_GOES_ON) {
        w->verdict = WATCH_BROKEN;
        w->fault = (struct kube_result){.outcome = KUBE_UNKNOWN, .retry_after_s = -1};
        snprintf(w->fault.message, sizeof(w->fault.message), "a line of the watch is too long");
    }
    return false;
}

/* What was kept behind is too old.  Twice within a second there is something else wrong. */
static void gone(struct kube_watching *w) {
    struct kube_result r = {.code = 410, .message = "the watch is gone again", .retry_after_s = -1};

    count_restart("gone");
    if (clock_monotonic_us() - w->listed_us < US_PER_S)
        failed(w, &r);
    else
        list_begin(w);
}

static void refused(struct kube_watching *w, struct net_response *response) {
    _cleanup_(kube_result_done) struct kube_result r = {0};

    response->body_len = w->refusal.len;
    response->body = strbuf_take(&w->refusal); /* released with the response */
    kube_result_read(response, &r);
    if (r.code == 410)
        gone(w);
    else
        failed(w, &r);
}

/* Not answered whole: cut, or silent for too long, or never begun. */
static void cut(struct kube_watching *w, const struct net_response *response) {
    const struct kube_timing *timing = &w->cluster->set->timing;
    struct kube_result r;

    kube_result_read(response, &r);
    if (clock_monotonic_us() - w->heard_us >= timing->idle_ms * US_PER_MS) {
        count_restart("silent");
        kube_watching_healthy(w);
        list_begin(w);
    } else if (w->resumed) {
        failed(w, &r);
    } else {
        count_restart("cut");
        w->resumed = true;
        watch_begin(w);
    }
}

static void watch_done(void *ctx, struct net_response *response) {
    struct kube_watching *w = ctx;
    bool lasted = clock_monotonic_us() - w->began_us >= US_PER_S;

    kube_call_count("watch", response, false);
    if (w->verdict == WATCH_GONE)
        gone(w);
    else if (w->verdict == WATCH_BROKEN)
        failed(w, &w->fault);
    else if (response->outcome != NET_ANSWERED)
        cut(w, response);
    else if (response->status != 200)
        refused(w, response);
    else if (lasted || w->heard_us > w->began_us) {
        kube_watching_healthy(w);
        watch_begin(w);
    } else
        failed(w, &(struct kube_result){.message = "the watch ends at once", .retry_after_s = -1});
}

static void watch_begin(struct kube_watching *w) {
    int most_s = w->cluster->set->timing.watch_s;
    int timeout_s = most_s - (int)(random_unit() * most_s / 5);
    _cleanup_free_ char *version = kube_escape(w->version), *query = NULL;

    query = xasprintf("watch=1&allowWatchBookmarks=true&timeoutSeconds=%d&resourceVersion=%s",
                      timeout_s, version);
    kube_lines_done(&w->lines);
    strbuf_done(&w->refusal);
    w->refusal = STRBUF(REFUSAL_BYTES);
    w->verdict = WATCH_GOES_ON;
    call_begin(w, query, true, on_data, watch_done);
}

void kube_watching_begin(struct kube_watching *w) {
    kube_cluster_ref(w->cluster);
    list_begin(w);
}
