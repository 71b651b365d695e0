/* tests/db/key.c: keys as a snapshot that others swap while it is read, and the nonces of signed
 * writes; also as a role that owns nothing. */
#include "db/key.h"
#include "auth/keyring.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "db/nonce.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define KEK    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER  "/////////////////////////////////////////w8="
#define ID     "01990000-0000-7000-8000-000000000001"
#define SECRET "sls_0123456789abcdef0123456789abcdef0123456789a"
#define NONCE  "0123456789abcdef"

static char *url;
static struct db_pool *pool;
static struct vault *vault;

static void setup(void) {
    url = pg_database();
    pool = db_pool_new(&(struct db_settings){.url = url, .size = 8, .wait_ms = 10000});
    vault = vault_new(KEK);
}

static void teardown(void) {
    vault_free(vault);
    db_pool_free(pool);
    free(url);
}

/* Stores the secret as `about` says. */
static void store(const char *about, int slot) {
    unsigned char sealed[VAULT_NONCE + VAULT_SECRET_MAX + VAULT_TAG];
    char hex[2 * sizeof sealed + 1];
    size_t n = vault_seal(vault, about, SECRET, strlen(SECRET), sealed);

    free(pg_sql(url,
                "INSERT INTO key_secret (key_id, slot, kek, sealed) "
                "VALUES ('" ID "', %d, '%s', '\\x%s')",
                slot, vault_key_id(vault), hex_encode(sealed, n, hex)));
}

static void make_key(void) {
    free(pg_sql(url, "INSERT INTO key (id, name, kind, principal_kind, roles, apps, created_by) "
                     "VALUES ('" ID "', 'a key', 'signature', 'bot', '{viewer}', '{a,b}', '{}')"));
    store(ID "/1", 1);
}

static const struct apisig_message message = {
    .method = "GET", .authority = "h", .path = "/", .query = NULL};

static struct apisig signature(const char *keyid) {
    struct apisig a = {.params = "()", .created_s = 1, .nonce = NONCE};
    const struct apisig_component c[] = {
        {"@method", "GET"}, {"@authority", "h"}, {"@path", "/"}, {"@query", "?"}};
    char base[256];
    size_t n = apisig_base(c, 4, a.params, base, sizeof base);

    snprintf(a.keyid, sizeof a.keyid, "%s", keyid);
    ck_assert(apisig_mac(SECRET, strlen(SECRET), base, n, a.mac));
    return a;
}

static Status verify_at(struct keyring *k, const char *keyid, int64_t now_us) {
    _cleanup_(arena_done) struct arena arena = {0};
    const struct apisig a = signature(keyid);
    const struct principal *p = NULL;
    Status s = keyring_verify(k, &a, &message, now_us, &arena, &p);

    ck_assert((s == STATUS_OK) == (p != NULL));
    if (p)
        ck_assert(!strcmp(p->subject, keyid) && !strcmp(p->issuer, KEY_ISSUER) &&
                  principal_may(p, "app:read") && p->actor_json[0] == '{');
    return s;
}

static Status verify(struct keyring *k, const char *keyid) {
    return verify_at(k, keyid, clock_now_us());
}

static struct keyring *keys_with(const struct vault *v) {
    struct keyring *k = keyring_new(&(struct keyring_settings){
        .builtin_secret = SECRET, .vault = v, .pool = pool, .reserved_pool = pool});

    keyring_reload(k);
    return k;
}

START_TEST(key__is_known_after_a_reload_and_unknown_after_the_next) {
    struct keyring *k = keys_with(vault);

    ck_assert_int_eq(verify(k, KEY_BUILTIN), STATUS_OK);
    ck_assert_int_eq(verify(k, ID), E_UNAUTHENTICATED);
    make_key();
    keyring_reload(k);
    ck_assert_int_eq(verify(k, ID), STATUS_OK);
    free(pg_sql(url, "UPDATE key SET expires_at = now() - interval '1 s'"));
    keyring_reload(k);
    ck_assert_int_eq(verify(k, ID), E_UNAUTHENTICATED);
    keyring_free(k);
}
END_TEST

START_TEST(key__that_expires_is_refused_without_a_reload) {
    struct keyring *k;

    make_key();
    free(pg_sql(url, "UPDATE key SET expires_at = now() + interval '1 hour'"));
    k = keys_with(vault);
    ck_assert_int_eq(verify(k, ID), STATUS_OK);
    ck_assert_int_eq(verify_at(k, ID, clock_now_us() + 3601 * US_PER_S), E_UNAUTHENTICATED);
    keyring_free(k);
}
END_TEST

START_TEST(key__sealed_otherwise_or_for_another_row_is_refused_alone) {
    struct vault *wrong = vault_new(OTHER);
    struct keyring *k, *blind;

    make_key();
    store(ID "/9", 2); /* of another slot */
    k = keys_with(vault);
    ck_assert_int_eq(verify(k, ID), STATUS_OK);
    free(pg_sql(url, "DELETE FROM key_secret WHERE slot = 1"));
    keyring_reload(k);
    ck_assert_int_eq(verify(k, ID), E_UNAUTHENTICATED);
    blind = keys_with(wrong);
    ck_assert_int_eq(verify(blind, ID), E_UNAUTHENTICATED);
    ck_assert_int_eq(verify(blind, KEY_BUILTIN), STATUS_OK);
    keyring_free(k);
    keyring_free(blind);
    vault_free(wrong);
}
END_TEST

struct reading {
    struct keyring *keys;
    atomic_bool stop;
    atomic_int good, refused;
};

static void *read_on(void *arg) {
    struct reading *r = arg;

    while (!atomic_load(&r->stop))
        atomic_fetch_add(verify(r->keys, ID) == STATUS_OK ? &r->good : &r->refused, 1);
    return NULL;
}

/* For ThreadSanitizer: readers, a reload of two threads, and the key comes and goes. */
START_TEST(key__snapshot_is_swapped_under_readers) {
    struct reading r = {.keys = keys_with(vault)};
    pthread_t threads[3];

    make_key();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_on, &r), 0);
    for (int i = 0; i < 40; i++) {
        free(pg_sql(url, "UPDATE key SET expires_at = %s",
                    i % 2 ? "now() - interval '1 s'" : "NULL"));
        keyring_reload(r.keys);
        ck_assert_int_eq(verify(r.keys, ID), i % 2 ? E_UNAUTHENTICATED : STATUS_OK);
    }
    atomic_store(&r.stop, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    ck_assert(r.good > 0 && r.refused > 0);
    keyring_free(r.keys);
}
END_TEST

/* ---- nonces ---- */

static int64_t now_s(void) {
    return clock_now_us() / US_PER_S;
}

START_TEST(nonce__is_taken_once) {
    ck_assert_int_eq(db_nonce_take(pool, "k", NONCE, now_s()), STATUS_OK);
    ck_assert_int_eq(db_nonce_take(pool, "k", NONCE "x", now_s()), STATUS_OK);
    ck_assert_int_eq(db_nonce_take(pool, "other", NONCE, now_s()), STATUS_OK);
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM nonce"), 3);
}
END_TEST

struct taking {
    pthread_barrier_t gate;
    int64_t created;
    atomic_int taken, refused;
};

static void *take_one(void *arg) {
    struct taking *t = arg;
    Status s;

    pthread_barrier_wait(&t->gate);
    s = db_nonce_take(pool, "k", NONCE, t->created);
    atomic_fetch_add(s == STATUS_OK ? &t->taken : &t->refused, 1);
    ck_assert(s == STATUS_OK || s == E_UNAUTHENTICATED);
    return NULL;
}

START_TEST(nonce__of_many_at_once_is_taken_by_one) {
    enum { MANY = 8 };
    struct taking t = {.created = now_s()};
    pthread_t threads[MANY];

    pthread_barrier_init(&t.gate, NULL, MANY);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_one, &t), 0);
    for (int i = 0; i < MANY; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(t.taken, 1);
    ck_assert_int_eq(t.refused, MANY - 1);
    pthread_barrier_destroy(&t.gate);
}
END_TEST

static void make_partition(int64_t hour) {
    free(pg_sql(url, "CREATE TABLE nonce_%lld PARTITION OF nonce FOR VALUES FROM (%lld) TO (%lld)",
                (long long)hour, (long long)hour * 3600, (long long)(hour + 1) * 3600));
}

static bool partition_there(int64_t hour) {
    return pg_number(url,
                     "SELECT count(*) FROM pg_inherits WHERE inhparent = 'nonce'::regclass "
                     "AND inhrelid = to_regclass('nonce_%lld')",
                     (long long)hour) == 1;
}

/* A role with rights on rows alone makes and drops partitions, and owns none. */
START_TEST(nonce__partitions_are_turned_by_a_role_that_owns_nothing) {
    _cleanup_free_ char *as_app = NULL;
    int64_t hour = now_s() / 3600;
    struct db_pool *app;

    free(pg_sql(url, "DO $$ BEGIN CREATE ROLE nonce_app LOGIN; EXCEPTION WHEN duplicate_object "
                     "THEN NULL; END $$"));
    free(pg_sql(url, "GRANT SELECT, INSERT ON nonce TO nonce_app;"
                     "GRANT EXECUTE ON FUNCTION nonce_partitions TO nonce_app"));
    ck_assert_ptr_nonnull(strstr(url, "user=postgres"));
    as_app = xasprintf("%.*suser=nonce_app", (int)(strstr(url, "user=postgres") - url), url);
    app = db_pool_new(&(struct db_settings){.url = as_app, .size = 2, .wait_ms = 10000});
    make_partition(hour - 5);
    free(pg_sql(url, "DROP TABLE nonce_%lld", (long long)hour));
    ck_assert_int_eq(db_nonce_take(app, "k", NONCE, hour * 3600), STATUS_OK); /* makes it */
    ck_assert_int_eq(db_nonce_take(app, "k", NONCE, hour * 3600), E_UNAUTHENTICATED);
    ck_assert(partition_there(hour) && partition_there(hour + 6) && !partition_there(hour - 5));
    ck_assert_int_eq(pg_number(url, "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = "
                                    "c.relowner WHERE rolname = 'nonce_app'"),
                     0);
    db_pool_free(app);
}
END_TEST

/* Somebody reads nonces for long (pg_dump): partitions are made, none is dropped, nobody waits. */
START_TEST(nonce__a_long_reader_holds_up_no_write) {
    int64_t hour = now_s() / 3600, began;
    struct pg_session *reader;

    make_partition(hour - 5);
    free(pg_sql(url, "DROP TABLE nonce_%lld", (long long)hour + 6));
    reader = pg_hold(url, "SELECT count(*) FROM nonce");
    began = clock_monotonic_us();
    ck_assert_int_eq(db_nonce_partitions(pool), STATUS_OK);
    ck_assert(clock_monotonic_us() < began + 3 * US_PER_S);
    ck_assert_int_eq(db_nonce_take(pool, "k", NONCE, hour * 3600), STATUS_OK);
    ck_assert(partition_there(hour + 6) && partition_there(hour - 5));
    pg_let_go(reader, NULL);
    ck_assert_int_eq(db_nonce_partitions(pool), STATUS_OK);
    ck_assert(!partition_there(hour - 5));
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE_WITH("key", 20, setup, teardown,
                          key__is_known_after_a_reload_and_unknown_after_the_next,
                          key__that_expires_is_refused_without_a_reload,
                          key__sealed_otherwise_or_for_another_row_is_refused_alone,
                          key__snapshot_is_swapped_under_readers, nonce__is_taken_once,
                          nonce__of_many_at_once_is_taken_by_one,
                          nonce__partitions_are_turned_by_a_role_that_owns_nothing,
                          nonce__a_long_reader_holds_up_no_write);
}
