/* tests/worker/flag_snapshot.c: snapshots are swapped under their readers: nobody sees half of one,
 * nothing that is read is freed, and everything is freed in the end (asan and tsan judge that). */
#include "base/cleanup.h"
#include "base/clock.h"
#include "flags/snapshot.h"
#include "tests/support/suite.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { READERS = 4, PLACES = 3, SWAPS = 2000, FLAGS = 12 };

static const char *const places[PLACES] = {"production", "staging", "test"};

/* FLAGS flags whose names all carry the revision: a reader can tell whether they belong together.
 */
static struct snapshot *made(const char *environment, int64_t revision) {
    json_auto_t *document = json_object(), *list = json_array();
    _cleanup_free_ char *text = NULL;

    for (int i = 0; i < FLAGS; i++)
        json_array_append_new(list, json_pack("{s:o, s:b}", "name",
                                              json_sprintf("%lld-%d", (long long)revision, i),
                                              "enabled", 1));
    json_object_set(document, "flags", list);
    text = json_text(document);
    return snapshot_new(&(struct snapshot){.app = "inopnc",
                                           .environment = environment,
                                           .environment_id = "id",
                                           .document = text,
                                           .revision = revision,
                                           .flags = flags_compile(document)});
}

static bool whole(const struct snapshot *s) {
    char name[40];

    for (int i = 0; i < FLAGS; i++) {
        snprintf(name, sizeof name, "%lld-%d", (long long)s->revision, i);
        if (!flags_find(s->flags, name))
            return false;
    }
    return flags_count(s->flags) == FLAGS;
}

static char *text_of(const struct snapshot *s, SnapshotText which) {
    return xasprintf("%lld %d", (long long)s->revision, (int)which);
}

static bool text_right(const struct snapshot *s, SnapshotText which) {
    _cleanup_free_ char *expected = text_of(s, which);

    return !strcmp(snapshot_text(s, which, text_of), expected);
}

static _Atomic bool done;

struct reader {
    pthread_t thread;
    struct snapshots *set;
    uint64_t reads, swaps; /* swaps: how often what it read was another than before */
    bool bad;
};

static void *read_on(void *ctx) {
    struct reader *r = ctx;
    int64_t last[PLACES] = {0};

    while (!atomic_load(&done) && !r->bad) {
        size_t i = r->reads++ % PLACES;
        const struct snapshot *s = snapshot_take(r->set, "inopnc", places[i]);

        if (!s)
            continue; /* dropped for the moment */
        r->bad = !whole(s) || s->revision < last[i] || strcmp(s->environment, places[i]) != 0 ||
                 !text_right(s, SNAPSHOT_FEATURES) || !text_right(s, SNAPSHOT_FEATURES_APART);
        r->swaps += s->revision != last[i];
        last[i] = s->revision;
        snapshot_release(s);
    }
    return NULL;
}

START_TEST(snapshots__readers_never_see_half_of_one) {
    struct snapshots *set = snapshots_new();
    struct reader readers[READERS] = {0};

    atomic_store(&done, false);
    for (int i = 0; i < READERS; i++) {
        readers[i].set = set;
        ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
    }
    for (int64_t revision = 1; revision <= SWAPS; revision++) {
        const char *place = places[revision % PLACES];

        if (revision % 50 == 0)
            snapshots_drop(set, "inopnc", place);
        snapshots_put(set, made(place, revision));
    }
    atomic_store(&done, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        ck_assert(!readers[i].bad);
        ck_assert_uint_gt(readers[i].swaps, 0);
    }
    ck_assert_uint_eq(snapshots_alive(set), PLACES); /* every other one is gone */
    snapshots_free(set);
}
END_TEST

START_TEST(snapshots__the_last_reader_frees) {
    struct snapshots *set = snapshots_new();
    const struct snapshot *first, *second;

    snapshots_put(set, made("production", 1));
    first = snapshot_take(set, "inopnc", "production");
    snapshots_put(set, made("production", 2));
    second = snapshot_take(set, "inopnc", "production");
    ck_assert_int_eq(first->revision, 1);
    ck_assert_int_eq(second->revision, 2);
    ck_assert(whole(first));
    ck_assert_uint_eq(snapshots_alive(set), 2);
    snapshot_release(first);
    ck_assert_uint_eq(snapshots_alive(set), 1);
    snapshots_drop(set, "inopnc", "production");
    ck_assert_ptr_null(snapshot_take(set, "inopnc", "production"));
    ck_assert_uint_eq(snapshots_alive(set), 1); /* we still hold it */
    snapshots_free(set);
    ck_assert(whole(second));
    snapshot_release(second);
}
END_TEST

START_TEST(snapshots__are_found_by_app_and_environment) {
    static const char *const apps[] = {"b", "a", "c-1", "c"};
    struct snapshots *set = snapshots_new();
    const struct snapshot **all;
    size_t n;

    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < PLACES; k++) {
            struct snapshot *s = made(places[k], (int64_t)(10 * i + k));
            struct snapshot named = *s;

            named.app = apps[i];
            named.flags = flags_compile(NULL);
            snapshots_put(set, snapshot_new(&named));
            snapshot_release(s);
        }
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < PLACES; k++) {
            const struct snapshot *s = snapshot_take(set, apps[i], places[k]);

            ck_assert_int_eq(s->revision, (int64_t)(10 * i + k));
            snapshot_release(s);
        }
    ck_assert_ptr_null(snapshot_take(set, "c", "nowhere"));
    ck_assert_ptr_null(snapshot_take(set, "", "production"));
    all = snapshots_take_all(set, &n);
    ck_assert_uint_eq(n, 12);
    for (size_t i = 0; i < n; i++) {
        ck_assert(i == 0 || strcmp(all[i - 1]->app, all[i]->app) <= 0);
        snapshot_release(all[i]);
    }
    free(all);
    snapshots_free(set);
}
END_TEST

int main(void) {
    return RUN_SUITE("flag_snapshot", 60, snapshots__readers_never_see_half_of_one,
                     snapshots__the_last_reader_frees, snapshots__are_found_by_app_and_environment);
}
