/* tests/unit/auth_jwks.c: issuers' key sets: what of them is used, how they come and go. */
#include "auth/auth.h"
#include "auth/keys.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/support/folder.h"
#include "tests/support/suite.h"
#include "tests/support/tokens.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECRET "0123456789abcdef0123456789abcdef"

/* Made once, before the tests fork. */
static EVP_PKEY *rsa, *rsa_512, *rsa_1024, *ec, *ec_2, *p384;
static char *jwk_rsa, *jwk_ec, *jwk_ec_2;

/* ---- what of a key set is used ---- */

static size_t usable(const char *alg, const char *keys) {
    _cleanup_free_ char *text = xasprintf("{\"keys\":[%s]}", keys);
    const char *why;
    struct key_set *s = key_set_jwks(text, strlen(text), alg, &why);
    size_t n = s ? s->n : 0;

    ck_assert((s == NULL) == (why != NULL));
    if (!s)
        ck_assert_str_eq(why, "it holds no usable key for the issuer's algorithm");
    key_set_unref(s);
    return n;
}

static char *replaced(const char *text, const char *from, const char *to) {
    const char *at = strstr(text, from);

    ck_assert_ptr_nonnull(at);
    return xasprintf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

START_TEST(key_set__only_sound_keys_of_the_algorithm_are_used) {
    _cleanup_free_ char *weak = token_jwk(rsa_1024, "a", ""), *tiny = token_jwk(rsa_512, "a", ""),
                        *wide = token_jwk(p384, "a", "");
    _cleanup_free_ char *on_wide = replaced(wide, "P-384", "P-256");
    _cleanup_free_ char *named_wide = replaced(jwk_ec, "P-256", "P-384");
    _cleanup_free_ char *e_1 = replaced(jwk_rsa, "AQAB", "AQ"),
                        *e_even = replaced(jwk_rsa, "AQAB", "AQAA"),
                        *e_long = replaced(jwk_rsa, "AQAB", "AQAAAAAAAAAAAAAB"),
                        *padded = replaced(jwk_rsa, "AQAB", "AQAB=="),
                        *no_e = replaced(jwk_rsa, "\"e\"", "\"f\"");
    _cleanup_free_ char *off = replaced(jwk_ec, "\"x\":\"", "\"x\":\"AAAA");
    _cleanup_free_ char *swapped = replaced(jwk_ec, "\"y\"", "\"z\"");
    _cleanup_free_ char *wrong_kty = replaced(jwk_rsa, "\"RSA\"", "\"EC\"");
    _cleanup_free_ char *curve = NULL;
    const char *x = strstr(jwk_ec, "\"x\":\""), *y = strstr(jwk_ec, "\"y\":\"");

    curve = xasprintf("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%.43s\",\"y\":\"%.43s\",\"kid\":"
                      "\"a\"}",
                      x + 5, x + 5); /* y = x: off the curve */
    ck_assert(y != NULL);
    {
        const struct {
            const char *alg, *key;
            size_t n;
        } cases[] = {
            {"RS256", jwk_rsa, 1},
            {"ES256", jwk_ec, 1},
            {"RS256", jwk_ec, 0},
            {"ES256", jwk_rsa, 0},
            {"RS256", weak, 0},
            {"RS256", tiny, 0},
            {"ES256", wide, 0},
            {"ES256", on_wide, 0},
            {"ES256", named_wide, 0},
            {"RS256", e_1, 0},
            {"RS256", e_even, 0},
            {"RS256", e_long, 0},
            {"RS256", padded, 0},
            {"RS256", no_e, 0},
            {"ES256", off, 0},
            {"ES256", swapped, 0},
            {"ES256", curve, 0},
            {"RS256", wrong_kty, 0},
            {"RS256",
             "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"kid\":"
             "\"a\"}",
             0},
            {"HS256",
             "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"kid\":"
             "\"a\"}",
             0},
            {"RS256", "7,null,\"x\",[],{}", 0},
        };

        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            ck_assert_msg(usable(cases[i].alg, cases[i].key) == cases[i].n, "%zu: %s", i,
                          cases[i].key);
    }
}
END_TEST

START_TEST(key_set__members_that_forbid_are_obeyed) {
    static const struct {
        const char *kid, *more;
        size_t n;
    } cases[] = {
        {"a", ",\"use\":\"sig\",\"alg\":\"ES256\",\"key_ops\":[\"verify\"]", 1},
        {NULL, "", 1},
        {"a", ",\"use\":\"enc\"", 0},
        {"a", ",\"use\":1", 0},
        {"a", ",\"alg\":\"ES384\"", 0},
        {"a", ",\"alg\":\"HS256\"", 0},
        {"a", ",\"key_ops\":[\"sign\"]", 0},
        {"a", ",\"key_ops\":\"verify\"", 0},
        {"", "", 0},
        {NULL, ",\"kid\":7", 0},
        {"0123456789012345678901234567890123456789012345678901234567890123", "", 1},
        {"0123456789012345678901234567890123456789012345678901234567890123x", "", 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *jwk = token_jwk(ec, cases[i].kid, cases[i].more);

        ck_assert_msg(usable("ES256", jwk) == cases[i].n, "%s", jwk);
    }
}
END_TEST

START_TEST(key_set__is_bounded_and_a_kid_means_one_key) {
    _cleanup_free_ char *many = xstrdup(jwk_ec), *again = token_jwk(ec_2, "e1", "");
    _cleanup_free_ char *two = xasprintf("%s,%s", jwk_ec, again),
                        *text = xasprintf("{\"keys\":[%s]}", two);
    const char *why;
    struct key_set *s;

    for (int i = 0; i < 20; i++) {
        char kid[16], *longer;
        _cleanup_free_ char *one = NULL;

        snprintf(kid, sizeof kid, "n%d", i);
        one = token_jwk(ec_2, kid, "");
        longer = xasprintf("%s,%s", many, one);
        free(many);
        many = longer;
    }
    ck_assert_uint_eq(usable("ES256", many), KEYS_MAX);
    for (int before = 63; before <= 64; before++) { /* the 64th is the last that is looked at */
        _cleanup_free_ char *late = xstrdup(jwk_ec);

        for (int i = 0; i < before; i++) {
            char *longer = xasprintf("{},%s", late);

            free(late);
            late = longer;
        }
        ck_assert_uint_eq(usable("ES256", late), before == 63);
    }
    s = key_set_jwks(text, strlen(text), "ES256", &why);
    ck_assert_uint_eq(s->n, 1);
    ck_assert_int_eq(EVP_PKEY_eq(key_set_find(s, "e1"), ec), 1);
    ck_assert_ptr_eq(key_set_find(s, NULL), key_set_find(s, "e1"));
    ck_assert_ptr_null(key_set_find(s, "E1"));
    ck_assert_ptr_null(key_set_find(s, ""));
    key_set_unref(s);
}
END_TEST

START_TEST(key_set__other_documents_are_none) {
    static const char *const texts[] = {"",
                                        "null",
                                        "[]",
                                        "{}",
                                        "{\"keys\":{}}",
                                        "{\"keys\":[]} x",
                                        "<html>",
                                        "{\"keys\":[],\"keys\":[]}"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *why;

        ck_assert_ptr_null(key_set_jwks(texts[i], strlen(texts[i]), "ES256", &why));
        ck_assert_str_eq(why, "it is no JSON Web Key Set");
    }
}
END_TEST

/* ---- an issuer that serves its keys ---- */

static struct served {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *body; /* NULL: it is down */
    bool held;  /* a fetch waits */
    int calls, now, most;
    int64_t good_us; /* when it last answered */
} served = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void serve_anew(void) {
    served.held = false;
    served.calls = served.now = served.most = 0;
}

static void serve(const char *keys) {
    pthread_mutex_lock(&served.lock);
    free(served.body);
    served.body = keys ? xasprintf("{\"keys\":[%s]}", keys) : NULL;
    pthread_mutex_unlock(&served.lock);
}

static void hold(bool held) {
    pthread_mutex_lock(&served.lock);
    served.held = held;
    pthread_cond_broadcast(&served.changed);
    pthread_mutex_unlock(&served.lock);
}

static int calls(void) {
    int n;

    pthread_mutex_lock(&served.lock);
    n = served.calls;
    pthread_mutex_unlock(&served.lock);
    return n;
}

static char *fetch(void *ctx, const char *url, const char *ca_pem, size_t *ret_n, char *reterr,
                   size_t n) {
    char *body;

    ck_assert(ctx == &served && !ca_pem && !strcmp(url, "https://issuer.example/keys"));
    pthread_mutex_lock(&served.lock);
    served.calls++;
    served.now++;
    if (served.now > served.most)
        served.most = served.now;
    while (served.held)
        pthread_cond_wait(&served.changed, &served.lock);
    served.now--;
    body = xstrdup(served.body);
    if (body)
        served.good_us = clock_monotonic_us();
    pthread_mutex_unlock(&served.lock);
    *ret_n = body ? strlen(body) : 0;
    if (!body)
        snprintf(reterr, n, "down");
    return body;
}

/* `key`: where the keys are; files lie in the folder. */
static struct auth *auth_in(const struct folder *f, const char *key, struct auth_settings in) {
    _cleanup_free_ char *path = folder_file(f, "issuers.json"), *file = NULL;
    char line[512] = "";
    struct auth *a;

    file = xasprintf("{\"issuers\":[{\"issuer\":\"I\",\"audience\":\"us\",\"algorithm\":\"ES256\","
                     "\"key\":{%s},\"rules\":[{\"match\":{\"a\":1},\"roles\":[\"viewer\"],"
                     "\"kind\":\"user\",\"apps\":[\"*\"]}]}]}",
                     key);
    folder_put(f, "issuers.json", file);
    in.jwt_secret = SECRET;
    in.issuers_file = path;
    in.fetch = fetch;
    in.fetch_ctx = &served;
    a = auth_new(&in, line, sizeof line);
    ck_assert_msg(a != NULL, "%s", line);
    return a;
}

static struct auth *auth_made(struct auth_settings in) {
    struct folder f = folder_make();
    struct auth *a = auth_in(&f, "\"jwks_url\":\"https://issuer.example/keys\"", in);

    folder_remove(&f);
    return a;
}

static char *token_of(EVP_PKEY *key, const char *kid) {
    _cleanup_free_ char *header =
        kid ? xasprintf("{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid) : xstrdup("{\"alg\":\"ES256\"}");

    return token_sign(key, EVP_sha256(), header,
                      "{\"iss\":\"I\",\"aud\":\"us\",\"sub\":\"s\",\"exp\":NOW+600,\"a\":1}");
}

static Status present(struct auth *a, const char *token, const char **why) {
    _cleanup_free_ char *header = xasprintf("Bearer %s", token);
    _cleanup_(arena_done) struct arena arena = {0};
    const struct principal *p;

    return auth_bearer(a, header, &arena, &p, why);
}

/* Polls for that answer to a token. */
static void becomes(struct auth *a, const char *token, Status wanted) {
    int64_t deadline = clock_monotonic_us() + 20 * US_PER_S;
    const char *why;

    while (present(a, token, &why) != wanted) {
        ck_assert_msg(clock_monotonic_us() < deadline, "still: %s", why);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

START_TEST(jwks__keys_come_in_the_background) {
    _cleanup_free_ char *t = token_of(ec, "e1");
    const char *why;
    struct auth *a;

    serve(NULL);
    a = auth_made((struct auth_settings){.retry_ms = 10});
    ck_assert_int_eq(present(a, t, &why), E_ISSUER_UNAVAILABLE);
    ck_assert_str_eq(
        why, "The keys of the token's issuer are not there, or too old; they are being fetched.");
    serve(jwk_ec);
    becomes(a, t, STATUS_OK);
    auth_free(a);
}
END_TEST

START_TEST(jwks__an_unknown_key_is_asked_for_and_a_withdrawn_one_is_out) {
    _cleanup_free_ char *old = token_of(ec, "e1"), *new = token_of(ec_2, "e2"),
                        *none = token_of(ec, NULL), *lied = token_of(ec_2, "e1"),
                        *both = xasprintf("%s,%s", jwk_ec, jwk_ec_2);
    const char *why;
    struct auth *a;

    serve(jwk_ec);
    a = auth_made((struct auth_settings){.again_ms = 1});
    becomes(a, old, STATUS_OK);
    becomes(a, none, STATUS_OK); /* there is only one */
    ck_assert_int_eq(present(a, lied, &why), E_UNAUTHENTICATED);
    ck_assert_str_eq(why, "The token's signature is not valid.");
    ck_assert_int_eq(present(a, new, &why), E_UNAUTHENTICATED);
    ck_assert_str_eq(why, "The token's key is not one of its issuer's, which are asked for again, "
                          "at most once a minute.");
    serve(both);
    becomes(a, new, STATUS_OK);
    ck_assert_int_eq(present(a, old, &why), STATUS_OK);
    _cleanup_free_ char *nameless = token_of(ec_2, NULL);
    ck_assert_int_eq(present(a, nameless, &why), E_UNAUTHENTICATED);
    ck_assert_str_eq(why, "The token names no key, and its issuer has several.");
    /* the old key is taken back: what was verified with it, and is cached, counts no more */
    serve(jwk_ec_2);
    for (int i = 0; i < 2; i++) {
        _cleanup_free_ char *third = token_of(ec, "e3");

        becomes(a, third, E_UNAUTHENTICATED); /* somebody asks */
        becomes(a, old, E_UNAUTHENTICATED);
    }
    ck_assert_int_eq(present(a, new, &why), STATUS_OK);
    auth_free(a);
}
END_TEST

START_TEST(jwks__unknown_keys_are_asked_for_once_a_while) {
    _cleanup_free_ char *good = token_of(ec, "e1");
    const char *why;
    struct auth *a;

    serve(jwk_ec);
    a = auth_made((struct auth_settings){0}); /* once in 60 s */
    becomes(a, good, STATUS_OK);
    ck_assert_int_eq(calls(), 1);
    for (int i = 0; i < 300; i++) {
        _cleanup_free_ char *kid = xasprintf("k%d", i), *t = token_of(ec, kid);

        ck_assert_int_eq(present(a, t, &why), E_UNAUTHENTICATED);
    }
    while (calls() < 2)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    for (int i = 0; i < 300; i++) {
        _cleanup_free_ char *kid = xasprintf("k%d", i), *t = token_of(ec, kid);

        ck_assert_int_eq(present(a, t, &why), E_UNAUTHENTICATED);
    }
    auth_free(a); /* waits for the thread */
    ck_assert_int_eq(calls(), 2);
}
END_TEST

START_TEST(jwks__stale_keys_serve_until_they_are_too_old) {
    _cleanup_free_ char *t = token_of(ec, "e1");
    const char *why;
    enum { STALE_MS = 1500 };
    Status served_s;
    int before;
    struct auth *a;

    serve(jwk_ec);
    a = auth_made((struct auth_settings){.refresh_ms = 5, .again_ms = 5, .stale_ms = STALE_MS});
    becomes(a, t, STATUS_OK);
    serve(NULL);
    before = calls();
    while (calls() < before + 3) /* it was down when they were asked for */
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    _cleanup_free_ char *fresh = token_of(ec, "e1");
    served_s = present(a, fresh, &why);
    ck_assert(served_s == STATUS_OK ||
              clock_monotonic_us() > served.good_us + STALE_MS * US_PER_MS);
    becomes(a, t, E_ISSUER_UNAVAILABLE); /* the cached one too */
    ck_assert_int_eq(present(a, fresh, &why), E_ISSUER_UNAVAILABLE);
    serve(jwk_ec);
    becomes(a, t, STATUS_OK);
    auth_free(a);
}
END_TEST

START_TEST(jwks__a_file_is_read_again_too) {
    _cleanup_free_ char *old = token_of(ec, "e1"), *new = token_of(ec_2, "e2");
    _cleanup_free_ char *first = xasprintf("{\"keys\":[%s]}", jwk_ec),
                        *second = xasprintf("{\"keys\":[%s]}", jwk_ec_2);
    struct folder f = folder_make();
    const char *why;
    struct auth *a;

    folder_put(&f, "keys.jwks", first);
    a = auth_in(&f, "\"jwks_file\":\"keys.jwks\"",
                (struct auth_settings){.refresh_ms = 5, .again_ms = 5});
    ck_assert_int_eq(present(a, old, &why), STATUS_OK); /* at once: it was read at the start */
    folder_put(&f, "keys.jwks", "cut o");
    ck_assert_int_eq(present(a, old, &why), STATUS_OK);
    folder_put(&f, "keys.jwks", second);
    becomes(a, new, STATUS_OK);
    ck_assert_int_eq(present(a, old, &why), E_UNAUTHENTICATED);
    auth_free(a);
    folder_remove(&f);
    ck_assert_int_eq(calls(), 0);
}
END_TEST

enum { THREADS = 4 };
struct crowd {
    struct auth *auth;
    char *good, *unknown;
};

static void *present_both(void *ctx) {
    struct crowd *c = ctx;
    const char *why;

    for (int i = 0; i < 200; i++) {
        if (present(c->auth, c->good, &why) != STATUS_OK ||
            present(c->auth, c->unknown, &why) != E_UNAUTHENTICATED)
            return c;
    }
    return NULL;
}

/* A fetch that hangs keeps nobody waiting, and there is never a second one. */
START_TEST(jwks__nobody_waits_for_a_fetch) {
    struct crowd c = {.good = token_of(ec, "e1"), .unknown = token_of(ec_2, "e9")};
    pthread_t threads[THREADS];
    int before;

    serve(jwk_ec);
    c.auth = auth_made((struct auth_settings){.again_ms = 1});
    becomes(c.auth, c.good, STATUS_OK);
    before = calls();
    hold(true);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, present_both, &c), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    ck_assert_int_le(calls(), before + 1);
    hold(false);
    auth_free(c.auth);
    ck_assert_int_eq(served.most, 1);
    free(c.good);
    free(c.unknown);
}
END_TEST

struct rotation {
    struct auth *auth;
    atomic_bool end;
    char *tokens[2];
};

static void *verify_always(void *ctx) {
    struct rotation *r = ctx;
    const char *why;

    while (!r->end)
        for (int i = 0; i < 2; i++) {
            Status s = present(r->auth, r->tokens[i], &why);

            if (s != STATUS_OK && s != E_UNAUTHENTICATED)
                return r;
        }
    return NULL;
}

START_TEST(jwks__sets_are_swapped_while_others_verify) {
    struct rotation r = {.tokens = {token_of(ec, "e1"), token_of(ec_2, "e2")}};
    pthread_t threads[THREADS];

    serve(jwk_ec);
    r.auth = auth_made((struct auth_settings){.refresh_ms = 1, .again_ms = 1});
    becomes(r.auth, r.tokens[0], STATUS_OK);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, verify_always, &r), 0);
    for (int i = 1; i <= 20; i++) {
        serve(i % 2 ? jwk_ec_2 : jwk_ec);
        becomes(r.auth, r.tokens[i % 2], STATUS_OK);
        becomes(r.auth, r.tokens[(i + 1) % 2], E_UNAUTHENTICATED);
    }
    r.end = true;
    for (int i = 0; i < THREADS; i++) {
        void *failed;

        pthread_join(threads[i], &failed);
        ck_assert_ptr_null(failed);
    }
    auth_free(r.auth);
    free(r.tokens[0]);
    free(r.tokens[1]);
}
END_TEST

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    rsa = token_rsa(2048);
    rsa_512 = token_rsa(512);
    rsa_1024 = token_rsa(1024);
    ec = token_ec("P-256");
    ec_2 = token_ec("P-256");
    p384 = token_ec("P-384");
    jwk_rsa = token_jwk(rsa, "r1", "");
    jwk_ec = token_jwk(ec, "e1", "");
    jwk_ec_2 = token_jwk(ec_2, "e2", "");
    return RUN_SUITE_WITH(
        "auth_jwks", 60, serve_anew, NULL, key_set__only_sound_keys_of_the_algorithm_are_used,
        key_set__members_that_forbid_are_obeyed, key_set__is_bounded_and_a_kid_means_one_key,
        key_set__other_documents_are_none, jwks__keys_come_in_the_background,
        jwks__an_unknown_key_is_asked_for_and_a_withdrawn_one_is_out,
        jwks__unknown_keys_are_asked_for_once_a_while,
        jwks__stale_keys_serve_until_they_are_too_old, jwks__nobody_waits_for_a_fetch,
        jwks__a_file_is_read_again_too, jwks__sets_are_swapped_while_others_verify);
}
