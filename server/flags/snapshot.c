/* flags/snapshot.c: a sorted array of counted objects behind a lock that nobody holds for longer
 * than a binary search. */
#include "flags/snapshot.h"
#include "base/cleanup.h"
#include "base/lock.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct alive { /* outlives the set as long as readers hold something of it */
    _Atomic size_t n;
    _Atomic unsigned refs;
};

struct counted {
    struct snapshot view; /* first: a snapshot that was given out is one of these */
    _Atomic unsigned refs;
    struct alive *alive; /* NULL until it is put into a set */
    _Atomic(char *) texts[SNAPSHOT_TEXTS];
};

struct snapshots {
    pthread_rwlock_t lock;
    struct counted **list; /* under lock; by app, then environment */
    size_t n, cap;
    struct alive *alive;
};

static struct counted *counted_of(const struct snapshot *s) {
    return (struct counted *)(uintptr_t)s;
}

static void alive_unref(struct alive *a) {
    if (a && atomic_fetch_sub(&a->refs, 1) == 1)
        free(a);
}

struct snapshot *snapshot_new(const struct snapshot *in) {
    struct counted *c = xcalloc(1, sizeof *c);

    c->view = *in;
    c->view.app = xstrdup(in->app);
    c->view.environment = xstrdup(in->environment);
    c->view.environment_id = xstrdup(in->environment_id);
    c->view.document = xstrdup(in->document);
    c->view.by_time = strstr(in->document, "\"DATE_") || strstr(in->document, "\"currentTime\"");
    atomic_init(&c->refs, 1);
    return &c->view;
}

void snapshot_release(const struct snapshot *s) {
    struct counted *c = counted_of(s);

    if (!s || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    for (int i = 0; i < SNAPSHOT_TEXTS; i++)
        free(atomic_load(&c->texts[i]));
    flags_free((struct flags *)(uintptr_t)s->flags);
    free((char *)(uintptr_t)s->app);
    free((char *)(uintptr_t)s->environment);
    free((char *)(uintptr_t)s->environment_id);
    free((char *)(uintptr_t)s->document);
    if (c->alive)
        atomic_fetch_sub(&c->alive->n, 1);
    alive_unref(c->alive);
    free(c);
}

const char *snapshot_text(const struct snapshot *s, SnapshotText which,
                          char *(*make)(const struct snapshot *s, SnapshotText which)) {
    struct counted *c = counted_of(s);
    char *text = atomic_load(&c->texts[which]), *mine;

    if (text)
        return text;
    mine = make(s, which);
    if (atomic_compare_exchange_strong(&c->texts[which], &text, mine))
        return mine;
    free(mine); /* somebody was faster */
    return text;
}

/* ---- the set ---- */

struct snapshots *snapshots_new(void) {
    struct snapshots *set = xcalloc(1, sizeof *set);

    set->alive = xcalloc(1, sizeof *set->alive);
    atomic_init(&set->alive->refs, 1);
    lock_init_writer_first(&set->lock);
    return set;
}

void snapshots_free(struct snapshots *set) {
    if (!set)
        return;
    for (size_t i = 0; i < set->n; i++)
        snapshot_release(&set->list[i]->view);
    alive_unref(set->alive);
    pthread_rwlock_destroy(&set->lock);
    free(set->list);
    free(set);
}

/* Under the lock: where it is, or would be. */
static size_t find(const struct snapshots *set, const char *app, const char *environment,
                   bool *ret_there) {
    size_t low = 0, high = set->n;

    *ret_there = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct snapshot *s = &set->list[middle]->view;
        int order = strcmp(s->app, app);

        if (order == 0)
            order = strcmp(s->environment, environment);
        if (order == 0) {
            *ret_there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct snapshot *snapshot_take(struct snapshots *set, const char *app,
                                     const char *environment) {
    struct counted *c = NULL;
    bool there;
    size_t i;

    pthread_rwlock_rdlock(&set->lock);
    i = find(set, app, environment, &there);
    if (there) {
        c = set->list[i];
        atomic_fetch_add(&c->refs, 1);
    }
    pthread_rwlock_unlock(&set->lock);
    return c ? &c->view : NULL;
}

static void insert(struct snapshots *set, size_t i, struct counted *c) {
    if (set->n == set->cap) {
        set->cap = set->cap ? 2 * set->cap : 16;
        set->list = xrealloc(set->list, set->cap * sizeof *set->list);
    }
    memmove(set->list + i + 1, set->list + i, (set->n - i) * sizeof *set->list);
    set->list[i] = c;
    set->n++;
}

void snapshots_put(struct snapshots *set, struct snapshot *s) {
    struct counted *fresh = counted_of(s), *old = NULL;
    bool there;
    size_t i;

    fresh->alive = set->alive;
    atomic_fetch_add(&set->alive->refs, 1);
    atomic_fetch_add(&set->alive->n, 1);
    pthread_rwlock_wrlock(&set->lock);
    i = find(set, s->app, s->environment, &there);
    if (there) {
        old = set->list[i];
        set->list[i] = fresh;
    } else {
        insert(set, i, fresh);
    }
    pthread_rwlock_unlock(&set->lock);
    snapshot_release(old ? &old->view : NULL);
}

void snapshots_drop(struct snapshots *set, const char *app, const char *environment) {
    struct counted *old = NULL;
    bool there;
    size_t i;

    pthread_rwlock_wrlock(&set->lock);
    i = find(set, app, environment, &there);
    if (there) {
        old = set->list[i];
        set->n--;
        memmove(set->list + i, set->list + i + 1, (set->n - i) * sizeof *set->list);
    }
    pthread_rwlock_unlock(&set->lock);
    snapshot_release(old ? &old->view : NULL);
}

const struct snapshot **snapshots_take_all(struct snapshots *set, size_t *ret_n) {
    const struct snapshot **all;

    pthread_rwlock_rdlock(&set->lock);
    all = xcalloc(set->n + 1, sizeof *all);
    for (size_t i = 0; i < set->n; i++) {
        atomic_fetch_add(&set->list[i]->refs, 1);
        all[i] = &set->list[i]->view;
    }
    *ret_n = set->n;
    pthread_rwlock_unlock(&set->lock);
    return all;
}

size_t snapshots_alive(const struct snapshots *set) {
    return atomic_load(&set->alive->n);
}
