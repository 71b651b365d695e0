/* tests/worker/flag_loader.c: what is served follows the database, outlives it, and begins without
 * it.  On PostgreSQL; asan and tsan run it too. */
#include "live/flag_loader.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "live/flag_files.h"
#include "tests/support/folder.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { SOON_MS = 10000, NEVER_MS = 600000, STALE_MS = 300 };

static char *url;
static struct db_pool *pool;
static struct bus *bus;

static void setup(void) {
    url = pg_database();
    pool = db_pool_new(&(struct db_settings){
        .url = url, .size = 1, .wait_ms = 500, .statement_ms = 2000, .app_name = "flags"});
    bus = bus_new(NULL);
    free(pg_sql(url, "INSERT INTO app (name, spec) VALUES ('shop', '{}');"
                     "INSERT INTO cluster (name, spec) VALUES ('local', '{}');"
                     "INSERT INTO flag_head (app) VALUES ('shop')"));
}

static void teardown(void) {
    bus_free(bus);
    db_pool_free(pool);
    free(url);
}

/* ---- facts ---- */

static void add_environment(const char *name) {
    char id[UUID_TEXT];

    free(pg_sql(url,
                "INSERT INTO environment (id, app, name, cluster, namespace, spec)"
                " VALUES ('%s', 'shop', '%s', 'local', '%s', '{}')",
                uuid_v7(id), name, name));
}

static void add_flag(const char *name) {
    free(pg_sql(url,
                "INSERT INTO flag (app, name, spec, revision) VALUES ('shop', '%s',"
                " '{\"type\": \"release\", \"value_type\": \"boolean\", \"variants\": [],"
                " \"dependencies\": []}', 1)",
                name));
}

/* One more change of an environment's flags: its revision goes up. */
static void turn(const char *environment, const char *flag, bool on) {
    free(pg_sql(url,
                "UPDATE flag_head SET revision = revision + 1 WHERE app = 'shop';"
                "INSERT INTO flag_environment (environment_id, app, flag, enabled, revision)"
                " SELECT e.id, 'shop', '%s', %s, h.revision FROM environment e, flag_head h"
                " WHERE e.name = '%s' ON CONFLICT (environment_id, flag) DO UPDATE"
                " SET enabled = excluded.enabled, revision = excluded.revision;"
                "INSERT INTO flag_change (app, revision, kind, name, environment, action, source,"
                " by) SELECT 'shop', revision, 'environment', '%s', '%s', 'x', 'api', '{}'"
                " FROM flag_head",
                flag, on ? "true" : "false", environment, flag, environment));
}

/* ---- what is served ---- */

static struct flag_loader *loader(struct bus *told_by, struct flag_files *files, int64_t poll_ms) {
    return flag_loader_new(&(struct flag_loader_settings){
        .pool = pool, .bus = told_by, .files = files, .poll_ms = poll_ms, .stale_ms = STALE_MS});
}

/* '1': on, '0': off, '?': no such flag, '-': nothing of that environment is served. */
static char served(struct flag_loader *l, const char *environment, const char *flag) {
    const struct snapshot *s = snapshot_take(flag_loader_set(l), "shop", environment);
    const struct flag *f = s ? flags_find(s->flags, flag) : NULL;
    char ret = !s ? '-' : !f ? '?' : f->enabled ? '1' : '0';

    snapshot_release(s);
    return ret;
}

static void await(struct flag_loader *l, const char *environment, const char *flag, char what) {
    int64_t until = clock_monotonic_us() + SOON_MS * US_PER_MS;
    char last = 0;

    while (clock_monotonic_us() < until && (last = served(l, environment, flag)) != what)
        poll(NULL, 0, 1);
    ck_assert_msg(last == what, "%s in %s: %c, not %c", flag, environment, last, what);
}

static bool stale(struct flag_loader *l) {
    return flag_loader_age(l).stale;
}

static void await_stale(struct flag_loader *l, bool wanted) {
    int64_t until = clock_monotonic_us() + SOON_MS * US_PER_MS;

    while (clock_monotonic_us() < until && stale(l) != wanted)
        poll(NULL, 0, 1);
    ck_assert(stale(l) == wanted);
}

static int64_t counted(struct flag_loader *l, const char *what) {
    json_auto_t *stats = flag_loader_stats(l);

    return json_int(stats, what, -1);
}

static int64_t reads(struct flag_loader *l) {
    return counted(l, "reads");
}

static void await_failure(struct flag_loader *l) {
    int64_t until = clock_monotonic_us() + SOON_MS * US_PER_MS;

    while (clock_monotonic_us() < until && counted(l, "failures") == 0)
        poll(NULL, 0, 1);
    ck_assert_int_gt(counted(l, "failures"), 0);
}

/* ---- tests ---- */

START_TEST(loader__reads_what_it_is_told_and_no_more) {
    struct flag_loader *l;
    int64_t before;

    add_flag("a");
    add_environment("production");
    add_environment("staging");
    turn("production", "a", true);
    l = loader(bus, NULL, NEVER_MS);
    await(l, "production", "a", '1');
    await(l, "staging", "a", '0');
    before = reads(l);
    turn("staging", "a", true);
    bus_publish(bus, "flags:shop/staging");
    await(l, "staging", "a", '1');
    ck_assert_int_eq(reads(l), before + 1);
    ck_assert(served(l, "production", "a") == '1');
    turn("production", "a", false); /* of the whole app: what changed is found */
    bus_publish(bus, "flags:shop");
    await(l, "production", "a", '0');
    ck_assert_int_eq(reads(l), before + 2);
    flag_loader_free(l);
}
END_TEST

START_TEST(loader__finds_by_itself_what_nobody_told) {
    struct flag_loader *l;

    add_flag("a");
    add_environment("production");
    l = loader(NULL, NULL, 20);
    await(l, "production", "a", '0');
    turn("production", "a", true);
    await(l, "production", "a", '1');
    ck_assert_int_eq(reads(l), 2); /* polls read nothing that did not change */
    flag_loader_free(l);
}
END_TEST

START_TEST(loader__forgets_environments_and_knows_them_apart) {
    struct flag_loader *l;

    add_flag("a");
    add_environment("production");
    turn("production", "a", true);
    l = loader(NULL, NULL, 20);
    await(l, "production", "a", '1');
    free(pg_sql(url, "DELETE FROM environment"));
    await(l, "production", "a", '-');
    add_environment("production"); /* of the same revision, and yet another */
    await(l, "production", "a", '0');
    flag_loader_free(l);
}
END_TEST

struct ear {
    struct flag_loader *l;
    _Atomic int heard, early;
};

static void hear(void *ctx, const char *topic) {
    struct ear *e = ctx;

    if (!topic || strcmp(topic, "flags-served:shop/production") != 0 || !e->l)
        return;
    e->early += served(e->l, "production", "a") != '1';
    e->heard++;
}

START_TEST(loader__tells_when_the_new_is_being_served) {
    struct ear ear = {0};
    struct flag_loader *l;

    add_flag("a");
    add_environment("production");
    bus_subscribe(bus, hear, &ear);
    l = loader(bus, NULL, NEVER_MS);
    await(l, "production", "a", '0');
    turn("production", "a", true);
    ear.l = l;
    bus_publish(bus, "flags:shop/production");
    await(l, "production", "a", '1');
    flag_loader_free(l); /* its thread has told what it had to tell */
    ck_assert_int_eq(ear.heard, 1);
    ck_assert_int_eq(ear.early, 0);
}
END_TEST

START_TEST(loader__serves_on_without_the_database) {
    struct flag_loader *l;
    json_auto_t *stats = NULL;

    add_flag("a");
    add_environment("production");
    turn("production", "a", true);
    l = loader(NULL, NULL, 20);
    await(l, "production", "a", '1');
    ck_assert(!stale(l));
    pg_crash();
    await_stale(l, true);
    await_failure(l);
    ck_assert(served(l, "production", "a") == '1');
    stats = flag_loader_stats(l);
    ck_assert_str_eq(json_str(stats, "source", ""), "database");
    ck_assert_int_gt(json_int(stats, "age_ms", 0), STALE_MS);
    pg_start_again();
    turn("production", "a", false);
    await(l, "production", "a", '0');
    await_stale(l, false);
    flag_loader_free(l);
}
END_TEST

START_TEST(loader__begins_with_the_files) {
    struct folder folder = folder_make();
    char why[200];
    struct flag_files *files = flag_files_open(folder.path, why, sizeof why);
    json_auto_t *stats = NULL;
    struct flag_loader *l;

    ck_assert_msg(files != NULL, "%s", why);
    add_flag("a");
    add_environment("production");
    add_environment("staging");
    turn("production", "a", true);
    l = loader(NULL, files, 20);
    await(l, "production", "a", '1');
    await(l, "staging", "a", '0');
    flag_loader_free(l);

    pg_crash();
    l = loader(NULL, files, 20);
    await(l, "production", "a", '1');
    stats = flag_loader_stats(l);
    ck_assert_str_eq(json_str(stats, "source", ""), "file");
    ck_assert_int_eq(json_int(stats, "environments", 0), 2);
    pg_start_again();
    turn("production", "a", false);
    free(pg_sql(url, "DELETE FROM environment WHERE name = 'staging'"));
    await(l, "production", "a", '0');
    await(l, "staging", "a", '-');
    await_stale(l, false);
    flag_loader_free(l);

    pg_crash(); /* the files followed, and what is gone is gone there too */
    l = loader(NULL, files, 20);
    await(l, "production", "a", '0');
    ck_assert(served(l, "staging", "a") == '-');
    flag_loader_free(l);
    pg_start_again();
    flag_files_close(files);
    folder_remove(&folder);
}
END_TEST

START_TEST(files__that_are_none_are_left_out) {
    static const struct {
        const char *name, *text;
    } bad[] = {
        {"shop.empty.flags.json", ""},
        {"shop.torn.flags.json", "{\"app\":\"shop\",\"environment\":\"torn\",\"docu"},
        {"shop.other.flags.json",
         "{\"app\":\"shop\",\"environment\":\"production\",\"environment_id\":"
         "\"01990000-0000-7000-8000-000000000000\",\"revision\":1,\"saved_at\":"
         "\"2026-11-29T12:00:00Z\",\"document\":{\"flags\":[]}}"},
        {"shop.array.flags.json", "[]"},
        {"..flags.json", "{}"},
        {"x", "{}"},
        {"SHOP.production.flags.json", "{}"},
    };
    struct folder folder = folder_make();
    char why[200];
    struct flag_files *files = flag_files_open(folder.path, why, sizeof why);
    struct snapshots *set = snapshots_new();
    const struct snapshot *s;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        folder_put(&folder, bad[i].name, bad[i].text);
    folder_put(&folder, "shop.production.flags.json", bad[2].text);
    ck_assert_int_gt(flag_files_read(files, set), 0);
    ck_assert_uint_eq(snapshots_alive(set), 1);
    s = snapshot_take(set, "shop", "production");
    ck_assert(s->from_file);
    snapshot_release(s);
    snapshots_free(set);
    flag_files_close(files);
    folder_remove(&folder);
    ck_assert_ptr_null(flag_files_open("/nonexistent", why, sizeof why));
    ck_assert(strstr(why, "/nonexistent: ") != NULL);
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE_WITH(
        "flag_loader", 60, setup, teardown, loader__reads_what_it_is_told_and_no_more,
        loader__finds_by_itself_what_nobody_told, loader__forgets_environments_and_knows_them_apart,
        loader__tells_when_the_new_is_being_served, loader__serves_on_without_the_database,
        loader__begins_with_the_files, files__that_are_none_are_left_out);
}
