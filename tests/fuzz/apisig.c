/* A signed request, a line each: method, Signature-Input, Signature, Content-Digest,
 * Idempotency-Key.  What is taken is the one text that there is for what was read. */
#include "auth/apisig.h"
#include "auth/vault.h"
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"
#include <openssl/evp.h>

static bool is_bytes(const char *text, const char *before,
                     const unsigned char bytes[APISIG_BYTES]) {
    unsigned char base64[2 * APISIG_BYTES];
    _cleanup_free_ char *canonical = NULL;

    EVP_EncodeBlock(base64, bytes, APISIG_BYTES);
    canonical = xasprintf("%s:%s:", before, (const char *)base64);
    return !strcmp(text, canonical);
}

static void one_text(const struct apisig *a, const struct apisig_message *m, const char *input) {
    _cleanup_free_ char *text =
        xasprintf("sig1=(\"@method\" \"@authority\" \"@path\" \"@query\"%s%s)"
                  ";created=%lld;nonce=\"%s\";keyid=\"%s\";alg=\"hmac-sha256\"",
                  a->digested ? " \"content-digest\"" : "",
                  a->digested && m->idempotency_key ? " \"idempotency-key\"" : "",
                  (long long)a->created_s, a->nonce, a->keyid);

    FUZZ_HOLDS(!strcmp(text, input));
    FUZZ_HOLDS(strlen(a->nonce) >= APISIG_NONCE_MIN && strlen(a->nonce) <= APISIG_NONCE_MAX);
    FUZZ_HOLDS(a->created_s > 0 && strlen(a->keyid) >= 1);
    FUZZ_HOLDS(a->digested != apisig_reads(m->method));
}

static void vault_text(const char *text) {
    struct vault *v = text ? vault_new(text) : NULL;

    FUZZ_HOLDS(!v || strlen(vault_key_id(v)) == VAULT_KEY_ID);
    vault_free(v);
}

static void authority_text(const char *text) {
    char authority[64];

    if (text && apisig_authority(text, authority, sizeof authority))
        for (const char *c = authority; *c; c++)
            FUZZ_HOLDS(!strchr("/?#@", *c) && !(*c >= 'A' && *c <= 'Z'));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    _cleanup_free_ char *method = fuzz_line(&bytes, &n), *input = fuzz_line(&bytes, &n),
                        *signature = fuzz_line(&bytes, &n), *digest = fuzz_line(&bytes, &n),
                        *key = fuzz_line(&bytes, &n);
    const struct apisig_message m = {.method = method,
                                     .authority = "sluice.example",
                                     .path = "/",
                                     .query = key,
                                     .content_digest = digest,
                                     .idempotency_key = key};
    struct apisig a;

    vault_text(method);
    authority_text(method);
    if (!method || apisig_parse(input, signature, &m, &a))
        return 0;
    one_text(&a, &m, input);
    FUZZ_HOLDS(is_bytes(signature, "sig1=", a.mac));
    FUZZ_HOLDS(!a.digested || is_bytes(digest, "sha-256=", a.digest));
    FUZZ_HOLDS(!apisig_verify(&a, &m, "0123456789abcdef0123456789abcdef", 32));
    return 0;
}
