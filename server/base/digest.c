#include "base/digest.h"
#include "base/status.h"
#include <pthread.h>

static EVP_MD *sha256;

static void fetch(void) {
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!sha256)
        die("OpenSSL has no SHA-256");
}

const EVP_MD *digest_sha256(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fetch);
    return sha256;
}

void digest_of(const void *bytes, size_t n, unsigned char ret[SHA256_BYTES]) {
    if (EVP_Digest(bytes, n, ret, NULL, digest_sha256(), NULL) != 1)
        die("OpenSSL could not digest");
}
