/* live/flag_loader.c: see flag_loader.h.
 *
 * What is served of an environment is named by its id and revision: the same pair is the same
 * content, so that a look at all pairs says what to read. */
#include "live/flag_loader.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/flag.h"
#include "live/flag_files.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { AGAIN_MS = 250, TOLD_MAX = 64, PLACE = 128 };

#define TOPIC_PREFIX "flags:"

struct flag_loader {
    struct flag_loader_settings in;
    struct snapshots *set;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop, all;             /* under lock; all: look at every environment */
    char told[TOLD_MAX][PLACE]; /* under lock: "APP/ENV" that changed */
    size_t told_n;
    bool swept; /* the thread's own: files of what is gone were removed */
    _Atomic bool read;
    _Atomic int64_t as_of_us, stale_ms;
    _Atomic uint64_t reads, failures;
};

char *flag_served_topic(const char *app, const char *environment, char text[FLAG_SERVED_TOPIC]) {
    snprintf(text, FLAG_SERVED_TOPIC, "flags-served:%s/%s", app, environment);
    return text;
}

/* ---- being told ---- */

/* Under lock. */
static void remember(struct flag_loader *l, const char *place) {
    if (!strchr(place, '/') || strlen(place) >= PLACE || l->told_n == TOLD_MAX) {
        l->all = true;
        return;
    }
    for (size_t i = 0; i < l->told_n; i++)
        if (!strcmp(l->told[i], place))
            return;
    snprintf(l->told[l->told_n++], PLACE, "%s", place);
}

static void on_publication(void *ctx, const char *topic) {
    struct flag_loader *l = ctx;

    if (topic && strncmp(topic, TOPIC_PREFIX, sizeof TOPIC_PREFIX - 1) != 0)
        return;
    pthread_mutex_lock(&l->lock);
    if (topic)
        remember(l, topic + sizeof TOPIC_PREFIX - 1);
    else
        l->all = true;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

void flag_loader_nudge(struct flag_loader *l) {
    on_publication(l, NULL);
}

/* ---- reading ---- */

static void served(struct flag_loader *l, const char *app, const char *environment) {
    char topic[FLAG_SERVED_TOPIC];

    if (l->in.bus)
        bus_publish_here(l->in.bus, flag_served_topic(app, environment, topic));
}

static void drop(struct flag_loader *l, const char *app, const char *environment) {
    snapshots_drop(l->set, app, environment);
    served(l, app, environment);
    flag_files_remove(l->in.files, app, environment);
}

/* Visible first, then told, then kept: a file must not hold up a flip. */
static void swap(struct flag_loader *l, const char *app, const char *environment,
                 const struct db_rows *rows) {
    const char *text = db_text(rows, 0, "document");
    json_auto_t *document = json_parse(text);
    struct snapshot *s =
        snapshot_new(&(struct snapshot){.app = app,
                                        .environment = environment,
                                        .environment_id = db_text(rows, 0, "environment_id"),
                                        .document = text,
                                        .revision = db_int(rows, 0, "revision"),
                                        .read_us = clock_now_us(),
                                        .flags = flags_compile(document)});
    const struct snapshot *kept;

    snapshots_put(l->set, s);
    served(l, app, environment);
    kept = snapshot_take(l->set, app, environment); /* only this thread replaces: it is s */
    if (!flag_files_write(l->in.files, kept))
        log_event(LOG_WARNING, "flags-file-not-written", "app", app, "environment", environment,
                  NULL);
    snapshot_release(kept);
}

static Status read_place(struct flag_loader *l, const char *app, const char *environment) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_flag_document(l->in.pool, app, environment, &rows);

    if (s != STATUS_OK)
        return s;
    atomic_fetch_add(&l->reads, 1); /* before it shows */
    if (db_rows_count(rows))
        swap(l, app, environment, rows);
    else
        drop(l, app, environment);
    return STATUS_OK;
}

static bool is_served(struct flag_loader *l, const struct db_rows *rows, size_t i) {
    const struct snapshot *s =
        snapshot_take(l->set, db_text(rows, i, "app"), db_text(rows, i, "environment"));
    bool same = s && !s->from_file && s->revision == db_int(rows, i, "revision") &&
                !strcmp(s->environment_id, db_text(rows, i, "environment_id"));

    snapshot_release(s);
    return same;
}

static bool listed(const struct db_rows *rows, const struct snapshot *s) {
    for (size_t i = 0; i < db_rows_count(rows); i++)
        if (!strcmp(db_text(rows, i, "environment_id"), s->environment_id))
            return true;
    return false;
}

/* Environments that the database no longer has.  There are as many as rows but when one is gone. */
static void drop_others(struct flag_loader *l, const struct db_rows *rows) {
    size_t n;
    const struct snapshot **all = snapshots_take_all(l->set, &n);

    for (size_t i = 0; i < n; i++) {
        if (n != db_rows_count(rows) && !listed(rows, all[i]))
            drop(l, all[i]->app, all[i]->environment);
        snapshot_release(all[i]);
    }
    free(all);
}

static bool stopping(struct flag_loader *l) {
    bool stop;

    pthread_mutex_lock(&l->lock);
    stop = l->stop;
    pthread_mutex_unlock(&l->lock);
    return stop;
}

static Status read_changed(struct flag_loader *l) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    int64_t asked_us = clock_now_us();
    Status s = db_flag_revisions(l->in.pool, &rows);

    for (size_t i = 0; s == STATUS_OK && i < db_rows_count(rows) && !stopping(l); i++)
        if (!is_served(l, rows, i))
            s = read_place(l, db_text(rows, i, "app"), db_text(rows, i, "environment"));
    if (s != STATUS_OK || stopping(l))
        return s;
    drop_others(l, rows);
    if (!l->swept)
        flag_files_sweep(l->in.files, l->set);
    l->swept = true;
    atomic_store(&l->as_of_us, asked_us);
    atomic_store(&l->read, true);
    return STATUS_OK;
}

/* ---- the thread ---- */

struct news {
    bool all;
    char told[TOLD_MAX][PLACE];
    size_t told_n;
};

/* false: the thread is to end. */
static bool await_news(struct flag_loader *l, int64_t ms, struct news *ret) {
    int64_t until = clock_monotonic_us() + ms * US_PER_MS;
    bool in_time = true;

    pthread_mutex_lock(&l->lock);
    while (!l->stop && !l->all && !l->told_n && in_time)
        in_time = clock_cond_wait(&l->changed, &l->lock, until);
    ret->all = l->all || !in_time;
    ret->told_n = l->told_n;
    memcpy(ret->told, l->told, l->told_n * sizeof *l->told);
    l->all = false;
    l->told_n = 0;
    in_time = !l->stop;
    pthread_mutex_unlock(&l->lock);
    return in_time;
}

static Status take_news(struct flag_loader *l, struct news *n) {
    for (size_t i = 0; i < n->told_n; i++) {
        char *slash = strchr(n->told[i], '/');
        Status s;

        *slash = '\0';
        s = read_place(l, n->told[i], slash + 1);
        if (s != STATUS_OK)
            return s;
    }
    return n->all ? read_changed(l) : STATUS_OK;
}

static void begin_with_files(struct flag_loader *l) {
    int64_t as_of_us = flag_files_read(l->in.files, l->set);

    if (as_of_us)
        atomic_store(&l->as_of_us, as_of_us);
}

static void *loader_main(void *ctx) {
    struct flag_loader *l = ctx;
    struct news news = {.all = true};
    bool failing = false;
    int64_t next_us = 0; /* monotonic: of the poll */

    begin_with_files(l);
    do {
        Status s;
        int64_t now_us = clock_monotonic_us();

        news.all = news.all || now_us >= next_us;
        s = take_news(l, &news);
        if (s != STATUS_OK) {
            atomic_fetch_add(&l->failures, 1);
            if (!failing)
                log_event(LOG_WARNING, "flags-not-read", "detail", db_fault_text(), NULL);
            next_us = 0; /* what was told is found by looking at all */
        } else if (news.all) {
            next_us = now_us + l->in.poll_ms * US_PER_MS;
        }
        failing = s != STATUS_OK;
    } while (await_news(l, failing ? AGAIN_MS : l->in.poll_ms, &news));
    return NULL;
}

struct flag_loader *flag_loader_new(const struct flag_loader_settings *in) {
    struct flag_loader *l = xcalloc(1, sizeof *l);

    l->in = *in;
    l->stale_ms = in->stale_ms;
    l->set = snapshots_new();
    pthread_mutex_init(&l->lock, NULL);
    clock_cond_init(&l->changed);
    if (in->bus)
        bus_subscribe(in->bus, on_publication, l);
    if (pthread_create(&l->thread, NULL, loader_main, l) != 0)
        die("cannot start the flags' thread");
    return l;
}

void flag_loader_stop(struct flag_loader *l) {
    bool stopped;

    pthread_mutex_lock(&l->lock);
    stopped = l->stop;
    l->stop = true;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
    if (!stopped)
        pthread_join(l->thread, NULL);
}

void flag_loader_free(struct flag_loader *l) {
    if (!l)
        return;
    flag_loader_stop(l);
    snapshots_free(l->set);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* ---- what others ask ---- */

void flag_loader_stale(struct flag_loader *l, int64_t stale_ms) {
    atomic_store(&l->stale_ms, stale_ms);
}

struct snapshots *flag_loader_set(struct flag_loader *l) {
    return l->set;
}

struct flag_age flag_loader_age(struct flag_loader *l) {
    struct flag_age age = {.read = atomic_load(&l->read), .as_of_us = atomic_load(&l->as_of_us)};

    if (age.as_of_us)
        age.age_ms = (clock_now_us() - age.as_of_us) / US_PER_MS;
    age.stale = !age.as_of_us || age.age_ms > atomic_load(&l->stale_ms);
    return age;
}

json_t *flag_loader_stats(struct flag_loader *l) {
    struct flag_age age = flag_loader_age(l);
    json_t *out = json_object();
    size_t n, flags = 0, from_file = 0;
    const struct snapshot **all = snapshots_take_all(l->set, &n);

    for (size_t i = 0; i < n; i++) {
        flags += flags_count(all[i]->flags);
        from_file += all[i]->from_file;
        snapshot_release(all[i]);
    }
    free(all);
    json_set_str(out, "source", age.read ? "database" : from_file ? "file" : "none");
    json_set_time(out, "as_of", age.as_of_us);
    json_object_set_new(out, "age_ms", age.as_of_us ? json_integer(age.age_ms) : json_null());
    json_object_set_new(out, "stale", json_boolean(age.stale));
    json_object_set_new(out, "environments", json_integer((json_int_t)n));
    json_object_set_new(out, "flags", json_integer((json_int_t)flags));
    json_object_set_new(out, "reads", json_integer((json_int_t)atomic_load(&l->reads)));
    json_object_set_new(out, "failures", json_integer((json_int_t)atomic_load(&l->failures)));
    return out;
}
