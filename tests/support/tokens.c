#include "tests/support/tokens.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

char *token_times(const char *claims) {
    struct strbuf b = STRBUF(16 << 20);
    const char *at;

    while ((at = strstr(claims, "NOW"))) {
        char *end;
        long delta = strtol(at + 3, &end, 10);

        strbuf_add(&b, claims, (size_t)(at - claims));
        strbuf_addf(&b, "%lld", (long long)(clock_now_us() / US_PER_S + delta));
        claims = end;
    }
    strbuf_adds(&b, claims);
    return strbuf_take(&b);
}

EVP_PKEY *token_rsa(unsigned bits) {
    EVP_PKEY *key = EVP_RSA_gen(bits);

    return key ? key : (die("no RSA key"), NULL);
}

EVP_PKEY *token_ec(const char *curve) {
    EVP_PKEY *key = EVP_EC_gen(curve);

    return key ? key : (die("no EC key"), NULL);
}

char *token_mac_of(const EVP_MD *md, const char *secret, const char *text) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    HMAC(md, secret, (int)strlen(secret), (const unsigned char *)text, strlen(text), mac, &n);
    return base64url_encode(mac, n);
}

static char *signed_part(const char *header, const char *claims) {
    _cleanup_free_ char *filled = token_times(claims),
                        *h = base64url_encode(header, strlen(header)),
                        *c = base64url_encode(filled, strlen(filled));

    return xasprintf("%s.%s", h, c);
}

char *token_mac(const EVP_MD *md, const char *secret, const char *header, const char *claims) {
    _cleanup_free_ char *text = signed_part(header, claims), *mac = token_mac_of(md, secret, text);

    return xasprintf("%s.%s", text, mac);
}

/* r and s of a DER signature, each as long as the curve's order. */
static size_t side_by_side(EVP_PKEY *key, unsigned char *bytes, size_t n) {
    const unsigned char *at = bytes;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)n);
    int half = (EVP_PKEY_get_bits(key) + 7) / 8;

    if (!pair || BN_bn2binpad(ECDSA_SIG_get0_r(pair), bytes, half) != half ||
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), bytes + half, half) != half)
        die("no signature");
    ECDSA_SIG_free(pair);
    return (size_t)half * 2;
}

char *token_sign(EVP_PKEY *key, const EVP_MD *md, const char *header, const char *claims) {
    _cleanup_free_ char *text = signed_part(header, claims), *signature = NULL;
    unsigned char bytes[2048];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = sizeof bytes;

    if (EVP_DigestSignInit(ctx, NULL, md, NULL, key) != 1 ||
        EVP_DigestSign(ctx, bytes, &n, (const unsigned char *)text, strlen(text)) != 1)
        die("cannot sign");
    EVP_MD_CTX_free(ctx);
    if (EVP_PKEY_is_a(key, "EC"))
        n = side_by_side(key, bytes, n);
    signature = base64url_encode(bytes, n);
    return xasprintf("%s.%s", text, signature);
}

static char *pem(EVP_PKEY *key, bool private) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes, *text;
    long n;

    if ((private ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
                 : PEM_write_bio_PUBKEY(bio, key)) != 1)
        die("no PEM");
    n = BIO_get_mem_data(bio, &bytes);
    text = xstrndup(bytes, (size_t)n);
    BIO_free(bio);
    return text;
}

char *token_pem(EVP_PKEY *key) {
    return pem(key, false);
}

char *token_pem_private(EVP_PKEY *key) {
    return pem(key, true);
}

/* A number of the key, big-endian, in `size` bytes; 0: as few as it needs. */
static char *number(EVP_PKEY *key, const char *name, int size) {
    unsigned char bytes[2048];
    BIGNUM *n = NULL;
    char *text;

    if (EVP_PKEY_get_bn_param(key, name, &n) != 1)
        die("no %s", name);
    if (size == 0)
        size = BN_num_bytes(n);
    BN_bn2binpad(n, bytes, size);
    BN_free(n);
    text = base64url_encode(bytes, (size_t)size);
    return text;
}

char *token_jwk(EVP_PKEY *key, const char *kid, const char *more) {
    bool rsa = EVP_PKEY_is_a(key, "RSA");
    int half = (EVP_PKEY_get_bits(key) + 7) / 8;
    _cleanup_free_ char *named = kid ? xasprintf(",\"kid\":\"%s\"", kid) : xstrdup(""),
                        *a = number(key, rsa ? OSSL_PKEY_PARAM_RSA_N : OSSL_PKEY_PARAM_EC_PUB_X,
                                    rsa ? 0 : half),
                        *b = number(key, rsa ? OSSL_PKEY_PARAM_RSA_E : OSSL_PKEY_PARAM_EC_PUB_Y,
                                    rsa ? 0 : half);

    if (rsa)
        return xasprintf("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s%s}", a, b, named, more);
    return xasprintf("{\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\",\"y\":\"%s\"%s%s}",
                     EVP_PKEY_get_bits(key), a, b, named, more);
}
