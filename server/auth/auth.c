/* auth/auth.c: the door: header, cache, gate, signature, in this order. */
#include "auth/auth.h"
#include "auth/cache.h"
#include "auth/gate.h"
#include "auth/signature.h"
#include "base/clock.h"
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

struct auth {
    char *secret; /* owned */
    struct issuer builtin;
    struct token_cache *cache;
    EVP_MD *sha256; /* fetched once: a fetch per call costs more than the digest */
};

struct auth *auth_new(const char *jwt_secret) {
    struct auth *a;

    if (!jwt_secret || strlen(jwt_secret) < AUTH_SECRET_MIN)
        return NULL;
    a = xcalloc(1, sizeof *a);
    a->secret = xstrdup(jwt_secret);
    a->builtin = (struct issuer){AUTH_ISSUER, AUTH_ISSUER, "HS256",
                                 (const unsigned char *)a->secret, strlen(a->secret)};
    a->cache = token_cache_new();
    a->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!a->sha256)
        die("OpenSSL has no SHA-256");
    return a;
}

void auth_free(struct auth *a) {
    if (!a)
        return;
    token_cache_free(a->cache);
    EVP_MD_free(a->sha256);
    explicit_bzero(a->secret, strlen(a->secret));
    free(a->secret);
    free(a);
}

/* The token of "Bearer TOKEN", or NULL. */
static const char *token_of(const char *header) {
    static const char scheme[] = "Bearer ";

    if (strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return NULL;
    header += sizeof scheme - 1;
    return header + strspn(header, " ");
}

static const char *verify(struct auth *a, const char *token, size_t n, int64_t now_s,
                          struct arena *arena, struct principal *ret, int64_t *ret_exp_s) {
    json_auto_t *claims = NULL;
    const char *why = gate_open(&a->builtin, token, n, &claims);

    if (!why)
        why = gate_claims(&a->builtin, claims, now_s, arena, ret, ret_exp_s);
    if (!why && !signature_verify(&a->builtin, token))
        why = "The token's signature is not valid.";
    return why;
}

static const char *token_read(struct auth *a, const char *token, struct arena *arena,
                              const struct principal **ret) {
    size_t n = strnlen(token, TOKEN_MAX + 1);
    int64_t now_s = clock_now_us() / US_PER_S, exp_s = 0;
    unsigned char key[EVP_MAX_MD_SIZE];
    struct principal *p;
    const char *why;

    if (n > TOKEN_MAX)
        return "The token is longer than 8 KiB.";
    if (EVP_Digest(token, n, key, NULL, a->sha256, NULL) != 1)
        die("OpenSSL could not digest");
    *ret = token_cache_get(a->cache, key, now_s, arena);
    if (*ret)
        return NULL;
    p = arena_alloc(arena, sizeof *p);
    why = verify(a, token, n, now_s, arena, p, &exp_s);
    if (why)
        return why;
    token_cache_put(a->cache, key, p, now_s, exp_s);
    *ret = p;
    return NULL;
}

Status auth_bearer(struct auth *a, const char *header, struct arena *arena,
                   const struct principal **ret, const char **reterr) {
    const char *token = header ? token_of(header) : NULL, *why;

    *ret = NULL;
    if (!header)
        why = "An Authorization header with a bearer token is required.";
    else if (!token)
        why = "The Authorization header is not of the form Bearer TOKEN.";
    else if (!strncmp(token, "slk_", 4))
        why = "API keys are not accepted by this version of Sluice.";
    else
        why = token_read(a, token, arena, ret);
    *reterr = why;
    return why ? E_UNAUTHENTICATED : STATUS_OK;
}
