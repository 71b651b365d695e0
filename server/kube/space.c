/* kube/space.c: which namespaces are watched, and what readers get from it. */
#include "base/clock.h"
#include "kube/watch.h"
#include <stdio.h>
#include <string.h>

void kube_spaces_free(struct kube_space *first) {
    struct kube_space *next;

    for (struct kube_space *s = first; s; s = next) {
        next = s->next;
        for (size_t k = 0; k < KUBE_WATCHED; k++)
            kube_watching_done(&s->kinds[k]);
        free(s->namespace_);
        free(s);
    }
}

/* Under the lock. */
static struct kube_space *find(struct kube_cluster *c, const char *namespace_) {
    struct kube_space *s = c->spaces;

    while (s && strcmp(s->namespace_, namespace_) != 0)
        s = s->next;
    return s;
}

/* Under the lock: NULL when that is not watched. */
static struct kube_watching *find_kind(struct kube_cluster *c, KubeKind kind,
                                       const char *namespace_) {
    struct kube_space *s = (unsigned)kind < KUBE_WATCHED ? find(c, namespace_) : NULL;

    return s ? &s->kinds[kind] : NULL;
}

static struct kube_space *space_new(struct kube_cluster *c, const char *namespace_) {
    struct kube_space *s = xcalloc(1, sizeof(*s));

    s->namespace_ = xstrdup(namespace_);
    for (size_t k = 0; k < KUBE_WATCHED; k++) {
        s->kinds[k].cluster = c;
        s->kinds[k].kind = (KubeKind)k;
        s->kinds[k].namespace_ = s->namespace_;
    }
    return s;
}

void kube_watch(struct kube_cluster *c, const char *namespace_) {
    struct kube_space *s;
    bool begin;

    pthread_mutex_lock(&c->lock);
    s = find(c, namespace_);
    begin = !s && !c->ended;
    if (begin) {
        s = space_new(c, namespace_);
        s->next = c->spaces;
        c->spaces = s;
    }
    pthread_mutex_unlock(&c->lock);
    for (size_t k = 0; begin && k < KUBE_WATCHED; k++)
        kube_watching_begin(&s->kinds[k]);
}

void kube_watch_end(struct kube_cluster *c) {
    pthread_mutex_lock(&c->lock);
    c->ended = true;
    for (struct kube_space *s = c->spaces; s; s = s->next)
        for (size_t k = 0; k < KUBE_WATCHED; k++)
            net_loop_cancel(c->set->loop, s->kinds[k].call);
    pthread_mutex_unlock(&c->lock);
}

void kube_watch_move(struct kube_cluster *from, struct kube_cluster *to) {
    struct kube_space *first;

    kube_watch_end(from);
    pthread_mutex_lock(&from->lock);
    first = from->spaces; /* nothing is added to an ended one */
    pthread_mutex_unlock(&from->lock);
    for (struct kube_space *s = first; s; s = s->next)
        kube_watch(to, s->namespace_);
}

json_t *kube_cached(struct kube_cluster *c, KubeKind kind, const char *namespace_,
                    const char *name) {
    struct kube_watching *w;
    json_t *text;

    pthread_mutex_lock(&c->lock);
    w = find_kind(c, kind, namespace_);
    text = w ? kube_cache_get(&w->cache, name) : NULL;
    pthread_mutex_unlock(&c->lock);
    return kube_cache_parsed(text);
}

json_t *kube_cached_list(struct kube_cluster *c, KubeKind kind, const char *namespace_,
                         const char *group) {
    struct kube_watching *w;
    json_t *texts;

    pthread_mutex_lock(&c->lock);
    w = find_kind(c, kind, namespace_);
    texts = w ? kube_cache_list(&w->cache, group) : json_array();
    pthread_mutex_unlock(&c->lock);
    return kube_cache_parsed_list(texts);
}

int64_t kube_cached_at(struct kube_cluster *c, KubeKind kind, const char *namespace_) {
    struct kube_watching *w;
    int64_t at;

    pthread_mutex_lock(&c->lock);
    w = find_kind(c, kind, namespace_);
    at = w ? w->live_us : 0;
    pthread_mutex_unlock(&c->lock);
    return at;
}

void kube_cached_error(struct kube_cluster *c, KubeKind kind, const char *namespace_, char *ret,
                       size_t n) {
    const char *text = "not watched";
    struct kube_watching *w;

    pthread_mutex_lock(&c->lock);
    w = find_kind(c, kind, namespace_);
    if (w)
        text = !*w->error && w->live_us == 0 ? KUBE_NOT_LISTED : w->error;
    snprintf(ret, n, "%s", text);
    pthread_mutex_unlock(&c->lock);
}

struct kube_watch_counts kube_watches(struct kube_clusters *set) {
    struct kube_watch_counts counts = {0};

    pthread_mutex_lock(&set->lock);
    for (struct kube_cluster *c = set->first; c; c = c->next) {
        pthread_mutex_lock(&c->lock);
        for (struct kube_space *s = c->spaces; s; s = s->next)
            for (size_t k = 0; k < KUBE_WATCHED; k++)
                *(*s->kinds[k].error ? &counts.failing : &counts.live) += 1;
        pthread_mutex_unlock(&c->lock);
    }
    pthread_mutex_unlock(&set->lock);
    return counts;
}
