/* kube/watch.h: LIST and WATCH of one kind in one namespace, and what they saw.  Private to kube/.
 *
 * Everything but the fields under the cluster's lock belongs to the loop's thread. */
#pragma once
#include "kube/cache.h"
#include "kube/cluster.h"
#include "kube/lines.h"

enum { KUBE_WATCHED = KUBE_HORIZONTAL_POD_AUTOSCALER + 1 };

struct kube_watching {
    struct kube_cluster *cluster; /* holds a reference while it is not over */
    KubeKind kind;
    const char *namespace_; /* borrowed from the space */

    /* under cluster->lock */
    struct kube_cache cache;
    int64_t live_us; /* 0: not listed yet */
    char error[200]; /* "" while it is live */
    uint64_t call;   /* what to cancel: a list, a watch or a pause */

    /* the loop's thread */
    struct kube_cache listing; /* the pages of a list so far */
    char *next_page;           /* owned or NULL */
    char *version;             /* owned: where the watch goes on */
    struct kube_lines lines;
    struct strbuf refusal;    /* the body of an answer that is no watch */
    struct kube_headers with; /* what the call under way, or the last one, was made with */
    int64_t began_us, heard_us, listed_us;
    unsigned failures; /* without a sign of life between them */
    bool resumed;      /* goes on after a cut and has heard nothing yet */
    enum { WATCH_GOES_ON, WATCH_GONE, WATCH_BROKEN } verdict;
    struct kube_result fault; /* why it is broken */
};

struct kube_space {
    struct kube_space *next;
    char *namespace_;
    struct kube_watching kinds[KUBE_WATCHED];
};

/* Begins to list, then to watch.  Takes a reference to the cluster until it is over. */
void kube_watching_begin(struct kube_watching *w);
void kube_watching_done(struct kube_watching *w);
/* kube/event.c: applies one line of a watch.  False: the watch must end; w->verdict says why. */
bool kube_watching_event(struct kube_watching *w, const char *line, size_t n);
/* A sign of life: failures before it count no more. */
void kube_watching_healthy(struct kube_watching *w);
/* Tells who asked for changes; name NULL: anything. */
void kube_watching_changed(const struct kube_watching *w, const char *name);
/* kube/trim.c: makes an object that was read fit for the cache. */
void kube_object_trim(json_t *object, KubeKind kind);
