/* tests/db/apikey.c: API keys from their row to a request: what counts, what does not, when a key
 * was last used, and the headers that carry it. */
#include "auth/apikey.h"
#include "auth/auth.h"
#include "auth/keyring.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "db/db.h"
#include "http/http.h"
#include "tests/support/pg.h"
#include "tests/support/raw.h"
#include "tests/support/suite.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ID     "01990000-0000-7000-8000-000000000001"
#define OTHER  "01990000-0000-7000-8000-000000000002"
#define SECRET "0123456789abcdef0123456789abcdef"

static char *url;
static struct db_pool *pool;
static struct vault *vault;

static void setup(void) {
    url = pg_database();
    pool = db_pool_new(&(struct db_settings){.url = url, .size = 4, .wait_ms = 10000});
    vault = vault_new(NULL); /* API keys need none */
}

static void teardown(void) {
    vault_free(vault);
    db_pool_free(pool);
    free(url);
}

static void make_key(const char *id, const char *kind) {
    free(pg_sql(url,
                "INSERT INTO key (id, name, kind, principal_kind, roles, apps, created_by) "
                "VALUES ('%s', 'a key', '%s', 'bot', '{viewer}', '{a,b}', '{}')",
                id, kind));
}

/* Stores the digest of a key's text as a secret of that id. */
static void store(const char *id, int slot, const char *text) {
    unsigned char digest[APIKEY_DIGEST];
    char hex[2 * APIKEY_DIGEST + 1];

    apikey_digest(text, digest);
    free(pg_sql(url, "INSERT INTO key_secret (key_id, slot, digest) VALUES ('%s', %d, '\\x%s')", id,
                slot, hex_encode(digest, sizeof digest, hex)));
}

static struct keyring *ring(void) {
    struct keyring *k = keyring_new(
        &(struct keyring_settings){.vault = vault, .pool = pool, .reserved_pool = pool});

    keyring_reload(k);
    return k;
}

static Status find_at(struct keyring *k, const char *text, int64_t now_us) {
    _cleanup_(arena_done) struct arena arena = {0};
    const struct principal *p = NULL;
    Status s = keyring_find(k, text, now_us, &arena, &p);

    ck_assert((s == STATUS_OK) == (p != NULL));
    if (p)
        ck_assert(!memcmp(p->subject, text + 4, strlen(p->subject)) &&
                  !strcmp(p->issuer, KEY_ISSUER) && !strcmp(p->kind, "bot") && !p->environment &&
                  principal_may(p, "app:read") && principal_may_app(p, "b"));
    return s;
}

static Status find(struct keyring *k, const char *text) {
    return find_at(k, text, clock_now_us());
}

START_TEST(apikey__counts_after_a_reload_until_it_is_deleted) {
    char first[APIKEY_TEXT], second[APIKEY_TEXT];
    struct keyring *k = ring();

    ck_assert_int_eq(find(k, apikey_make(ID, first)), E_UNAUTHENTICATED);
    make_key(ID, "api");
    store(ID, 1, first);
    store(ID, 2, apikey_make(ID, second));
    keyring_reload(k);
    ck_assert_int_eq(find(k, first), STATUS_OK);
    ck_assert_int_eq(find(k, second), STATUS_OK);
    free(pg_sql(url, "DELETE FROM key_secret WHERE slot = 1"));
    keyring_reload(k);
    ck_assert_int_eq(find(k, first), E_UNAUTHENTICATED);
    ck_assert_int_eq(find(k, second), STATUS_OK);
    free(pg_sql(url, "DELETE FROM key"));
    keyring_reload(k);
    ck_assert_int_eq(find(k, second), E_UNAUTHENTICATED);
    keyring_free(k);
}
END_TEST

START_TEST(apikey__that_expires_is_refused_without_a_reload) {
    char text[APIKEY_TEXT];
    struct keyring *k;

    make_key(ID, "api");
    store(ID, 1, apikey_make(ID, text));
    free(pg_sql(url, "UPDATE key SET expires_at = now() + interval '1 hour'"));
    k = ring();
    ck_assert_int_eq(find(k, text), STATUS_OK);
    ck_assert_int_eq(find_at(k, text, clock_now_us() + 3601 * US_PER_S), E_UNAUTHENTICATED);
    keyring_free(k);
}
END_TEST

START_TEST(apikey__every_digit_counts) {
    char text[APIKEY_TEXT];
    struct keyring *k;

    make_key(ID, "api");
    store(ID, 1, apikey_make(ID, text));
    k = ring();
    for (size_t i = 0; i < APIKEY_TEXT - 1; i++) {
        char was = text[i];

        text[i] = was == '7' ? '8' : '7';
        ck_assert_msg(find(k, text) == E_UNAUTHENTICATED, "%zu", i);
        text[i] = was;
    }
    ck_assert_int_eq(find(k, text), STATUS_OK);
    keyring_free(k);
}
END_TEST

START_TEST(apikey__digest_in_another_row_opens_nothing) {
    char text[APIKEY_TEXT], moved[APIKEY_TEXT];
    struct keyring *k;

    make_key(ID, "api");
    make_key(OTHER, "api");
    store(OTHER, 1, apikey_make(ID, text)); /* copied by whoever may write rows */
    snprintf(moved, sizeof moved, "slk_%s%s", OTHER, text + 4 + strlen(ID));
    k = ring();
    ck_assert_int_eq(find(k, text), E_UNAUTHENTICATED);
    ck_assert_int_eq(find(k, moved), E_UNAUTHENTICATED);
    keyring_free(k);
}
END_TEST

/* Whoever has read the database knows the digest: it signs nothing. */
START_TEST(apikey__digest_is_no_secret_to_sign_with) {
    _cleanup_(arena_done) struct arena arena = {0};
    const struct apisig_message message = {.method = "GET", .authority = "h", .path = "/"};
    const struct apisig_component c[] = {
        {"@method", "GET"}, {"@authority", "h"}, {"@path", "/"}, {"@query", "?"}};
    struct apisig a = {.params = "()", .created_s = 1, .keyid = ID};
    unsigned char digest[APIKEY_DIGEST];
    char text[APIKEY_TEXT], base[256];
    size_t n = apisig_base(c, 4, a.params, base, sizeof base);
    const struct principal *p;
    struct keyring *k;

    make_key(ID, "api");
    store(ID, 1, apikey_make(ID, text));
    apikey_digest(text, digest);
    ck_assert(apisig_mac(digest, sizeof digest, base, n, a.mac));
    ck_assert(apisig_verify(&a, &message, digest, sizeof digest));
    k = ring();
    ck_assert_int_eq(keyring_verify(k, &a, &message, clock_now_us(), &arena, &p),
                     E_UNAUTHENTICATED);
    ck_assert_int_eq(find(k, text), STATUS_OK);
    keyring_free(k);
}
END_TEST

/* ---- when it was last used ---- */

/* 0: never, as far as is written. */
static long noted(const char *id) {
    return pg_number(url,
                     "SELECT coalesce(extract(epoch FROM last_used_at), 0)::bigint FROM key "
                     "WHERE id = '%s'",
                     id);
}

START_TEST(last_use__is_written_afterwards_and_never_moved_back) {
    const int64_t at_us = INT64_C(1790000000) * US_PER_S;
    char text[APIKEY_TEXT], unused[APIKEY_TEXT];
    struct keyring *k, *behind;

    make_key(ID, "api");
    make_key(OTHER, "api");
    store(ID, 1, apikey_make(ID, text));
    store(OTHER, 1, apikey_make(OTHER, unused));
    k = ring();
    behind = ring();
    ck_assert_int_eq(keyring_note_uses(k), STATUS_OK); /* nothing to write */
    ck_assert_int_eq(find_at(behind, text, at_us - 100 * US_PER_S), STATUS_OK);
    ck_assert_int_eq(find_at(k, text, at_us), STATUS_OK);
    ck_assert_int_eq(find_at(k, unused + 1, at_us), E_UNAUTHENTICATED);
    ck_assert_int_eq(noted(ID), 0);
    keyring_reload(k); /* another snapshot knows it too */
    ck_assert_int_eq(keyring_note_uses(k), STATUS_OK);
    ck_assert_int_eq(noted(ID), 1790000000);
    ck_assert_int_eq(keyring_note_uses(behind), STATUS_OK);
    ck_assert_int_eq(noted(ID), 1790000000);
    ck_assert_int_eq(noted(OTHER), 0);
    ck_assert_int_eq(find_at(k, text, at_us + 60 * US_PER_S), STATUS_OK);
    keyring_free(k); /* a server that ends writes once more */
    ck_assert_int_eq(noted(ID), 1790000060);
    keyring_free(behind);
}
END_TEST

START_TEST(last_use__waits_for_nobody) {
    char text[APIKEY_TEXT];
    struct pg_session *other;
    struct keyring *k;

    make_key(ID, "api");
    store(ID, 1, apikey_make(ID, text));
    k = ring();
    ck_assert_int_eq(find_at(k, text, US_PER_S), STATUS_OK);
    other = pg_hold(url, "SELECT id FROM key FOR UPDATE");
    ck_assert_int_eq(keyring_note_uses(k), STATUS_OK);
    pg_let_go(other, NULL);
    ck_assert_int_eq(noted(ID), 0);
    ck_assert_int_eq(keyring_note_uses(k), STATUS_OK);
    ck_assert_int_eq(noted(ID), 1);
    keyring_free(k);
}
END_TEST

/* ---- many at once ---- */

enum { THREADS = 4, CALLS = 20000 };
struct crowd {
    struct keyring *keys;
    const char *text, *wrong;
};

static void *find_many(void *ctx) {
    struct crowd *crowd = ctx;

    for (int i = 0; i < CALLS; i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        const struct principal *p;
        Status s = keyring_find(crowd->keys, i % 16 ? crowd->text : crowd->wrong, clock_now_us(),
                                &arena, &p);

        if (s != (i % 16 ? STATUS_OK : E_UNAUTHENTICATED))
            return crowd;
    }
    return NULL;
}

/* For ThreadSanitizer: readers who say when, a writer of that, and snapshots that come and go.
 * Prints a figure that the edge relies on (sanitizers are slower). */
START_TEST(apikey__many_threads_share_the_ring) {
    char text[APIKEY_TEXT], wrong[APIKEY_TEXT];
    struct crowd crowd = {.text = apikey_make(ID, text), .wrong = apikey_make(ID, wrong)};
    pthread_t threads[THREADS];
    int64_t began;

    make_key(ID, "api");
    store(ID, 1, text);
    crowd.keys = ring();
    began = clock_monotonic_us();
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, find_many, &crowd), 0);
    for (int i = 0; i < 20; i++) {
        keyring_reload(crowd.keys);
        ck_assert_int_eq(keyring_note_uses(crowd.keys), STATUS_OK);
    }
    for (int i = 0; i < THREADS; i++) {
        void *bad;

        pthread_join(threads[i], &bad);
        ck_assert_ptr_null(bad);
    }
    fprintf(stderr, "# %lld API keys/s\n",
            (long long)(INT64_C(1) * THREADS * CALLS * US_PER_S / (clock_monotonic_us() - began)));
    ck_assert_int_eq(keyring_note_uses(crowd.keys), STATUS_OK);
    ck_assert_int_gt(noted(ID), 0);
    keyring_free(crowd.keys);
}
END_TEST

/* ---- what rows may say ---- */

/* Ends the test when the row is taken. */
static void row_is_refused(const char *table, const char *values) {
    free(pg_sql(url,
                "DO $$ BEGIN INSERT INTO %s VALUES (%s); RAISE 'taken'; "
                "EXCEPTION WHEN check_violation THEN NULL; END $$",
                table, values));
}

START_TEST(rows__an_environment_is_for_flags_of_one_app_alone) {
    static const char table[] =
        "key (id, name, created_by, kind, principal_kind, roles, apps, environment)";
#define ROW(rest) "'" ID "', 'n', '{}', " rest
    row_is_refused(table, ROW("'api', 'service', '{flags:client}', '{a}', NULL"));
    row_is_refused(table, ROW("'api', 'service', '{viewer}', '{a}', 'prod'"));
    row_is_refused(table, ROW("'api', 'service', '{flags:client,viewer}', '{a}', 'prod'"));
    row_is_refused(table, ROW("'api', 'service', '{flags:client}', '{a,b}', 'prod'"));
    row_is_refused(table, ROW("'api', 'service', '{flags:client}', '{*}', 'prod'"));
    row_is_refused(table, ROW("'api', 'bot', '{flags:client}', '{a}', 'prod'"));
    row_is_refused(table, ROW("'signature', 'service', '{flags:client}', '{a}', 'prod'"));
    row_is_refused(table, ROW("'other', 'service', '{viewer}', '{a}', NULL"));
    free(pg_sql(url, "INSERT INTO %s VALUES (%s)", table,
                ROW("'api', 'service', '{flags:client}', '{a}', 'prod'")));
}
END_TEST

START_TEST(rows__a_secret_is_sealed_or_digested) {
    static const char table[] = "key_secret (key_id, slot, kek, sealed, digest)";

    make_key(ID, "api");
    row_is_refused(table, "'" ID "', 1, NULL, NULL, NULL");
    row_is_refused(table, "'" ID "', 1, 'k', NULL, NULL");
    row_is_refused(table, "'" ID "', 1, NULL, '\\x00', NULL");
    row_is_refused(table, "'" ID "', 1, 'k', NULL, sha256('')");
    row_is_refused(table, "'" ID "', 1, 'k', '\\x00', sha256('')");
    row_is_refused(table, "'" ID "', 1, NULL, NULL, '\\x00'");
    free(pg_sql(url, "INSERT INTO %s VALUES ('" ID "', 1, NULL, NULL, sha256(''))", table));
}
END_TEST

/* ---- requests ---- */

static Status who(struct request *q, const void *in, struct reply *r) {
    (void)in;
    r->json = json_pack("{s:s}", "subject", q->principal->subject);
    return STATUS_OK;
}

static const struct route routes[] = {
    {.operation = "who", .path = "/who", .scope = SCOPE_ANY, .io_thread = true, .handler = who},
    {.operation = "bare",
     .path = "/bare",
     .scope = SCOPE_ANY,
     .bare_key = true,
     .io_thread = true,
     .handler = who},
    {.operation = "env",
     .path = "/apps/{app}/environments/{env}",
     .scope = SCOPE_ANY,
     .io_thread = true,
     .handler = who},
    {0},
};

/* $ stands for the key. */
static int ask(struct http_server *s, const char *path, const char *headers, const char *key) {
    struct strbuf request = STRBUF(4096);
    struct raw_answer a;
    int status;

    strbuf_addf(&request, "GET %s HTTP/1.1\r\nHost: h\r\n", path);
    for (; *headers; headers++)
        strbuf_add(&request, *headers == '$' ? key : headers, *headers == '$' ? strlen(key) : 1);
    strbuf_adds(&request, "\r\n");
    status = raw_exchange(http_port(s), request.data, request.len, &a, NULL);
    ck_assert_ptr_null(strstr(a.body, key + 4 + strlen(ID))); /* nothing repeats the secret */
    strbuf_done(&request);
    return status;
}

START_TEST(edge__takes_a_key_in_each_header_that_may_carry_it) {
    static const struct {
        const char *path, *headers;
        int status;
    } cases[] = {
        {"/who", "Authorization: Bearer $\r\n", 200},
        {"/who", "Authorization: bearer $\r\n", 200},
        {"/who", "X-API-Key: $\r\n", 200},
        {"/who", "x-api-key: $\r\n", 200},
        {"/who", "Authorization: Bearer $\r\nX-API-Key: $\r\n", 200},
        {"/who", "Authorization: $\r\n", 401},
        {"/who", "Authorization: Basic $\r\n", 401},
        {"/who", "Authorization: Bearer $\r\nX-API-Key: $0\r\n", 401},
        {"/who", "Authorization: Bearer x.y.z\r\nX-API-Key: $\r\n", 401},
        {"/who", "Authorization: $\r\nX-API-Key: $\r\n", 401},
        {"/who", "X-API-Key: Bearer $\r\n", 401},
        {"/who", "X-API-Key: $0\r\n", 401},
        {"/who", "X-API-Key: $\r\nX-API-Key: $\r\n", 400},
        {"/who", "X-API-Key: $\r\nSignature: x\r\nSignature-Input: x\r\n", 401},
        {"/bare", "Authorization: $\r\n", 200},
        {"/bare", "Authorization: Bearer $\r\n", 200},
        {"/bare", "Authorization: $\r\nX-API-Key: $\r\n", 200},
        {"/bare", "Authorization: $0\r\n", 401},
        {"/bare", "Authorization: $\r\nX-API-Key: $0\r\n", 401},
        {"/bare", "", 401},
        {"/apps/a/environments/prod", "X-API-Key: $\r\n", 200},
        {"/apps/a/environments/production", "X-API-Key: $\r\n", 403},
        {"/apps/b/environments/prod", "X-API-Key: $\r\n", 403},
    };
    struct auth *auth = auth_new(&(struct auth_settings){.jwt_secret = SECRET}, NULL, 0);
    char text[APIKEY_TEXT], why[256] = "";
    struct http_server *s;
    struct keyring *k;

    free(pg_sql(url, "INSERT INTO key (id, name, kind, principal_kind, roles, apps, environment, "
                     "created_by) VALUES ('" ID "', 'web', 'api', 'service', '{flags:client}', "
                     "'{a}', 'prod', '{}')"));
    store(ID, 1, apikey_make(ID, text));
    k = ring();
    s = http_start(&(struct http_settings){.address = "127.0.0.1",
                                           .io_threads = 1,
                                           .handler_threads = 1,
                                           .max_connections = 10,
                                           .queue_max = 10,
                                           .header_timeout_ms = 5000,
                                           .idle_timeout_s = 10,
                                           .routes = routes,
                                           .auth = auth,
                                           .keys = k},
                   why, sizeof why);
    ck_assert_msg(s != NULL, "%s", why);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(ask(s, cases[i].path, cases[i].headers, text) == cases[i].status,
                      "%s %s: not %d", cases[i].path, cases[i].headers, cases[i].status);
    http_stop(s, 3000);
    keyring_free(k);
    auth_free(auth);
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE_WITH(
        "apikey", 20, setup, teardown, apikey__counts_after_a_reload_until_it_is_deleted,
        apikey__that_expires_is_refused_without_a_reload, apikey__every_digit_counts,
        apikey__digest_in_another_row_opens_nothing, apikey__digest_is_no_secret_to_sign_with,
        last_use__is_written_afterwards_and_never_moved_back, last_use__waits_for_nobody,
        apikey__many_threads_share_the_ring, rows__an_environment_is_for_flags_of_one_app_alone,
        rows__a_secret_is_sealed_or_digested, edge__takes_a_key_in_each_header_that_may_carry_it);
}
