/* base/digest.h: SHA-256 by way of EVP, whose algorithm is fetched once: a fetch for each digest
 * costs more than a short digest. */
#pragma once
#include <openssl/evp.h>

enum { SHA256_BYTES = 32 };

/* Any thread; lives as long as the process. */
const EVP_MD *digest_sha256(void);
void digest_of(const void *bytes, size_t n, unsigned char ret[SHA256_BYTES]);
