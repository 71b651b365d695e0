#include "auth/apisig_body.h"
#include "base/digest.h"
#include "base/status.h"
#include <openssl/crypto.h>
#include <stdlib.h>

struct apisig_body {
    EVP_MD_CTX *context; /* owned */
};

struct apisig_body *apisig_body_new(void) {
    struct apisig_body *b = xcalloc(1, sizeof *b);

    b->context = EVP_MD_CTX_new();
    if (!b->context || EVP_DigestInit_ex2(b->context, digest_sha256(), NULL) != 1)
        die("OpenSSL has no SHA-256");
    return b;
}

void apisig_body_add(struct apisig_body *b, const void *bytes, size_t n) {
    if (EVP_DigestUpdate(b->context, bytes, n) != 1)
        die("OpenSSL could not digest");
}

bool apisig_body_is(struct apisig_body *b, const unsigned char digest[APISIG_BYTES]) {
    unsigned char got[EVP_MAX_MD_SIZE];

    if (EVP_DigestFinal_ex(b->context, got, NULL) != 1)
        die("OpenSSL could not digest");
    return CRYPTO_memcmp(got, digest, APISIG_BYTES) == 0;
}

void apisig_body_free(struct apisig_body *b) {
    if (b)
        EVP_MD_CTX_free(b->context);
    free(b);
}
