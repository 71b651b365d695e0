/* auth/auth.c: the door: header, cache, gate, signature, rights, in this order. */
#include "auth/auth.h"
#include "auth/cache.h"
#include "auth/issuers.h"
#include "auth/signature.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* More than an issuer ever withdraws keys. */
#define GENERATIONS (UINT64_C(1) << 32)

struct auth {
    _Atomic(struct issuers *) issuers;
    struct token_cache *cache;
};

struct auth *auth_new(const struct auth_settings *in, char *reterr, size_t n) {
    struct issuers *issuers = issuers_new(in, reterr, n);
    struct auth *a;

    if (!issuers)
        return NULL;
    a = xcalloc(1, sizeof *a);
    a->issuers = issuers;
    a->cache = token_cache_new();
    jwks_start(issuers->jwks);
    return a;
}

void auth_free(struct auth *a) {
    if (!a)
        return;
    issuers_free(atomic_load(&a->issuers));
    token_cache_free(a->cache);
    free(a);
}

struct issuers *auth_read(const struct auth_settings *in, char *reterr, size_t n) {
    struct issuers *all = issuers_new(in, reterr, n);
    char line[400];

    for (size_t i = 1; all && i < all->n; i++)
        if (all->list[i].keys && !jwks_count(all->list[i].keys) &&
            !jwks_load(all->list[i].keys, line, sizeof line))
            continue; /* it is tried again in the background, which says so */
    return all;
}

bool auth_take(struct auth *a, struct issuers *issuers) {
    struct issuers *before = atomic_load(&a->issuers);
    bool same = issuers->file ? json_equal(issuers->file, before->file) : !before->file;

    issuers->older = before;
    issuers->generation = before->generation + GENERATIONS;
    jwks_start(issuers->jwks);
    atomic_store(&a->issuers, issuers);
    jwks_stop(before->jwks);
    return !same;
}

void auth_drop(struct issuers *issuers) {
    issuers_free(issuers);
}

bool auth_check(const struct auth_settings *in, auth_say_fn *say, char *reterr, size_t n) {
    struct issuers *all = issuers_new(in, reterr, n);
    bool good = all != NULL;

    for (size_t i = 1; all && i < all->n; i++) {
        const struct issuer *one = &all->list[i];
        char line[400] = "";
        bool got = !one->keys || jwks_load(one->keys, line, sizeof line);

        if (got && one->keys)
            snprintf(line, sizeof line, "%s, keys: %zu", one->alg, jwks_count(one->keys));
        else if (got)
            snprintf(line, sizeof line, "%s", one->alg);
        say(one->name, got, line);
        good = good && got;
    }
    issuers_free(all);
    return good;
}

const char *auth_token(const char *header) {
    static const char scheme[] = "Bearer ";

    if (strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return NULL;
    header += sizeof scheme - 1;
    return header + strspn(header, " ");
}

static const char *unknown_key(const struct token *t) {
    return t->kid ? "The token's key is not one of its issuer's, which are asked for again, at "
                    "most once a minute."
                  : "The token names no key, and its issuer has several.";
}

/* Of a key that a fetch brought, *until_s is moved to where it is too old. */
static Status signature_check(const struct issuer *by, const struct token *t, int64_t now_s,
                              int64_t *until_s, const char **why) {
    struct key_set *set = NULL;
    EVP_PKEY *key = NULL;
    int64_t left_s = 0;
    KeyFound found = KEY_FOUND;
    bool good;

    if (by->keys)
        found = jwks_find(by->keys, t->kid, &set, &key, &left_s);
    if (found == KEY_UNAVAILABLE) {
        *why = "The keys of the token's issuer are not there, or too old; they are being fetched.";
        return E_ISSUER_UNAVAILABLE;
    }
    if (found == KEY_UNKNOWN) {
        *why = unknown_key(t);
        return E_UNAUTHENTICATED;
    }
    good = by->keys ? key_verify(key, t) : signature_verify(by, t->text);
    key_set_unref(set);
    if (by->keys && left_s < *until_s - now_s)
        *until_s = now_s + left_s;
    *why = good ? NULL : "The token's signature is not valid.";
    return good ? STATUS_OK : E_UNAUTHENTICATED;
}

static Status verify(const struct issuers *issuers, const char *text, size_t n, int64_t now_s,
                     struct arena *arena, struct principal *ret, int64_t *ret_until_s,
                     const char **why) {
    _cleanup_(token_done) struct token t = {0};
    const struct issuer *by = NULL;
    Status s = STATUS_OK;

    *why = gate_open(text, n, &t);
    if (!*why)
        by = issuers_find(issuers, json_str(t.claims, "iss", ""), json_str(t.header, "alg", ""),
                          why);
    if (by && !(*why = gate_header(by, &t)))
        *why = gate_claims(by, t.claims, now_s, arena, ret, ret_until_s);
    if (by && !*why)
        s = signature_check(by, &t, now_s, ret_until_s, why);
    if (by && !*why)
        *why = gate_rights(by, t.claims, arena, ret);
    return *why && s == STATUS_OK ? E_UNAUTHENTICATED : s;
}

static Status token_read(struct auth *a, const char *text, struct arena *arena,
                         const struct principal **ret, const char **why) {
    const struct issuers *issuers = atomic_load(&a->issuers);
    /* before any key is looked at */
    uint64_t generation = issuers->generation + jwks_generation(issuers->jwks);
    size_t n = strnlen(text, TOKEN_MAX + 1);
    int64_t now_s = clock_now_us() / US_PER_S, until_s = 0;
    unsigned char key[SHA256_BYTES];
    struct principal *p;
    Status s;

    *why = n > TOKEN_MAX ? "The token is longer than 8 KiB." : NULL;
    if (*why)
        return E_UNAUTHENTICATED;
    digest_of(text, n, key);
    *ret = token_cache_get(a->cache, key, generation, now_s, arena);
    if (*ret)
        return STATUS_OK;
    p = arena_alloc(arena, sizeof *p);
    s = verify(issuers, text, n, now_s, arena, p, &until_s, why);
    if (s != STATUS_OK)
        return s;
    token_cache_put(a->cache, key, generation, p, now_s, until_s);
    *ret = p;
    return STATUS_OK;
}

Status auth_bearer(struct auth *a, const char *header, struct arena *arena,
                   const struct principal **ret, const char **reterr) {
    const char *token = header ? auth_token(header) : NULL;

    *ret = NULL;
    *reterr = NULL;
    if (!header)
        *reterr = "An Authorization header with a bearer token or an API key is required.";
    else if (!token)
        *reterr = "The Authorization header is not of the form Bearer TOKEN.";
    return *reterr ? E_UNAUTHENTICATED : token_read(a, token, arena, ret, reterr);
}
