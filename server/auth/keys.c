/* auth/keys.c: key sets, over OpenSSL 3.  docs/adr/0009 says why not over libjwt. */
#include "auth/keys.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/ids.h"
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

enum { JWKS_LOOKED_AT = 64, P256_BYTES = 32, P256_POINT = 1 + 2 * P256_BYTES };

DEFINE_CLEANUP(EVP_PKEY_CTX_free, EVP_PKEY_CTX *);
DEFINE_CLEANUP(EVP_MD_CTX_free, EVP_MD_CTX *);
DEFINE_CLEANUP(OSSL_PARAM_BLD_free, OSSL_PARAM_BLD *);
DEFINE_CLEANUP(OSSL_PARAM_free, OSSL_PARAM *);
DEFINE_CLEANUP(ECDSA_SIG_free, ECDSA_SIG *);
DEFINE_CLEANUP(BN_free, BIGNUM *);
DEFINE_CLEANUP(BIO_free, BIO *);

/* NULL when it may verify signatures of `alg`. */
static const char *key_bad(EVP_PKEY *key, const char *alg) {
    _cleanup_(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    char group[32] = "";

    if (!strcmp(alg, "RS256")) {
        if (!EVP_PKEY_is_a(key, "RSA"))
            return "it is no RSA key, which RS256 needs";
        if (EVP_PKEY_get_bits(key) < RSA_BITS_MIN || EVP_PKEY_get_bits(key) > RSA_BITS_MAX)
            return "its RSA key has fewer than 2048 or more than 8192 bits";
    } else {
        if (!EVP_PKEY_is_a(key, "EC") ||
            EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1 ||
            strcmp(group, SN_X9_62_prime256v1) != 0)
            return "it is no key on the curve P-256, which ES256 needs";
    }
    return ctx && EVP_PKEY_public_check(ctx) == 1 ? NULL : "its key is not sound";
}

static EVP_PKEY *key_made(const char *type, OSSL_PARAM_BLD *build) {
    _cleanup_(OSSL_PARAM_free) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    _cleanup_(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        return NULL;
    return key;
}

/* The bytes of a base64url member; their number, or -1. */
static long member(const json_t *jwk, const char *name, unsigned char *bytes, size_t max) {
    const char *text = json_str(jwk, name, "");
    size_t n = strlen(text);

    return n > 0 && n <= (max * 4 + 2) / 3 ? base64url_decode(text, n, bytes) : -1;
}

static EVP_PKEY *rsa_of(const json_t *jwk) {
    unsigned char n[SIGNATURE_MAX + 2], e[8 + 2];
    long n_len = member(jwk, "n", n, SIGNATURE_MAX), e_len = member(jwk, "e", e, 8);
    _cleanup_(OSSL_PARAM_BLD_free) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    _cleanup_(BN_free) BIGNUM *bn_n = NULL;
    _cleanup_(BN_free) BIGNUM *bn_e = NULL;

    if (n_len < 1 || e_len < 1)
        return NULL;
    bn_n = BN_bin2bn(n, (int)n_len, NULL);
    bn_e = BN_bin2bn(e, (int)e_len, NULL);
    if (!OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn_n) ||
        !OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, bn_e))
        return NULL;
    return key_made("RSA", build);
}

static EVP_PKEY *ec_of(const json_t *jwk) {
    unsigned char point[P256_POINT + 2] = {POINT_CONVERSION_UNCOMPRESSED};
    _cleanup_(OSSL_PARAM_BLD_free) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();

    if (strcmp(json_str(jwk, "crv", ""), "P-256") != 0 ||
        member(jwk, "x", point + 1, P256_BYTES) != P256_BYTES ||
        member(jwk, "y", point + 1 + P256_BYTES, P256_BYTES) != P256_BYTES)
        return NULL;
    if (!OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1,
                                         0) ||
        !OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, P256_POINT))
        return NULL;
    return key_made("EC", build);
}

/* Absent, or that string. */
static bool says(const json_t *jwk, const char *name, const char *text) {
    const json_t *v = json_object_get(jwk, name);

    return !v || !strcmp(json_str(jwk, name, ""), text);
}

static bool verifies(const json_t *jwk) {
    const json_t *ops = json_object_get(jwk, "key_ops"), *one;
    size_t i;

    if (!ops)
        return true;
    json_array_foreach(ops, i, one) {
        if (json_is_string(one) && !strcmp(json_string_value(one), "verify"))
            return true;
    }
    return false;
}

static EVP_PKEY *key_of(const json_t *jwk, const char *alg) {
    const char *kty = json_str(jwk, "kty", "");
    EVP_PKEY *key = NULL;

    if (!says(jwk, "use", "sig") || !says(jwk, "alg", alg) || !verifies(jwk))
        return NULL;
    if (!strcmp(kty, "RSA") && !strcmp(alg, "RS256"))
        key = rsa_of(jwk);
    else if (!strcmp(kty, "EC") && !strcmp(alg, "ES256"))
        key = ec_of(jwk);
    if (!key || !key_bad(key, alg))
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static struct key_set *set_new(void) {
    struct key_set *s = xcalloc(1, sizeof *s);

    atomic_init(&s->refs, 1);
    return s;
}

static const struct key *by_kid(const struct key_set *s, const char *kid) {
    for (size_t i = 0; i < s->n; i++)
        if (!strcmp(s->keys[i].kid, kid))
            return &s->keys[i];
    return NULL;
}

static void add_jwk(struct key_set *s, const json_t *jwk, const char *alg) {
    const json_t *named = json_object_get(jwk, "kid");
    const char *kid = json_str(jwk, "kid", "");
    struct key *at = &s->keys[s->n];

    if (s->n == KEYS_MAX || (named && (!*kid || strlen(kid) > KID_MAX)) || by_kid(s, kid))
        return;
    at->key = key_of(jwk, alg);
    if (!at->key)
        return;
    memcpy(at->kid, kid, strlen(kid) + 1);
    s->n++;
}

struct key_set *key_set_jwks(const char *text, size_t n, const char *alg, const char **reterr) {
    json_auto_t *document = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    const json_t *keys = json_object_get(document, "keys"), *jwk;
    struct key_set *s;
    size_t i;

    *reterr = json_is_array(keys) ? NULL : "it is no JSON Web Key Set";
    if (*reterr)
        return NULL;
    s = set_new();
    json_array_foreach(keys, i, jwk) {
        if (i < JWKS_LOOKED_AT)
            add_jwk(s, jwk, alg);
    }
    if (s->n > 0)
        return s;
    *reterr = "it holds no usable key for the issuer's algorithm";
    key_set_unref(s);
    return NULL;
}

struct key_set *key_set_pem(const char *pem, const char *alg, const char **reterr) {
    _cleanup_(BIO_free) BIO *bio = BIO_new_mem_buf(pem, -1);
    struct key_set *s = NULL;
    EVP_PKEY *key = NULL;

    *reterr = strstr(pem, "PRIVATE KEY")
                  ? "it holds a private key; only the public one belongs here"
                  : NULL;
    if (!*reterr && !(key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL)))
        *reterr = "it holds no public key in PEM (BEGIN PUBLIC KEY)";
    if (!*reterr)
        *reterr = key_bad(key, alg);
    if (*reterr) {
        EVP_PKEY_free(key);
        return NULL;
    }
    s = set_new();
    s->keys[s->n++].key = key;
    return s;
}

struct key_set *key_set_ref(struct key_set *s) {
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void key_set_unref(struct key_set *s) {
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    for (size_t i = 0; i < s->n; i++)
        EVP_PKEY_free(s->keys[i].key);
    free(s);
}

EVP_PKEY *key_set_find(const struct key_set *s, const char *kid) {
    const struct key *found = kid ? by_kid(s, kid) : s->n == 1 ? s->keys : NULL;

    return found ? found->key : NULL;
}

bool key_set_covers(const struct key_set *now, const struct key_set *old) {
    for (size_t i = 0; i < old->n; i++) {
        const struct key *same = by_kid(now, old->keys[i].kid);

        if (!same || EVP_PKEY_eq(same->key, old->keys[i].key) != 1)
            return false;
    }
    return true;
}

/* JWS has r and s side by side (RFC 7518 §3.4), OpenSSL wants DER.  Yours; NULL if bad. */
static unsigned char *ecdsa_der(const struct token *t, size_t *ret_n) {
    _cleanup_(ECDSA_SIG_free) ECDSA_SIG *pair = ECDSA_SIG_new();
    unsigned char *der = NULL;
    BIGNUM *r, *s;
    int n;

    if (t->signature_len != (size_t)2 * P256_BYTES)
        return NULL;
    r = BN_bin2bn(t->signature, P256_BYTES, NULL);
    s = BN_bin2bn(t->signature + P256_BYTES, P256_BYTES, NULL);
    if (!pair || !r || !s || ECDSA_SIG_set0(pair, r, s) != 1)
        die("OpenSSL is out of memory");
    n = i2d_ECDSA_SIG(pair, &der);
    *ret_n = n > 0 ? (size_t)n : 0;
    return der;
}

bool key_verify(EVP_PKEY *key, const struct token *t) {
    _cleanup_(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const unsigned char *signature = t->signature;
    size_t n = t->signature_len;
    unsigned char *der = NULL;
    bool good;

    if (EVP_PKEY_is_a(key, "EC")) {
        signature = der = ecdsa_der(t, &n);
        if (!der)
            return false;
    }
    good = EVP_DigestVerifyInit(ctx, NULL, digest_sha256(), NULL, key) == 1 &&
           EVP_DigestVerify(ctx, signature, n, (const unsigned char *)t->text, t->signed_len) == 1;
    OPENSSL_free(der);
    if (!good)
        ERR_clear_error(); /* the thread's queue is others' too */
    return good;
}
