/* auth/digest.h: SHA-256 by way of EVP, whose algorithm is fetched once: a fetch for each digest
 * costs more than a short digest. */
#pragma once
#include <openssl/evp.h>

/* Any thread; lives as long as the process. */
const EVP_MD *digest_sha256(void);
