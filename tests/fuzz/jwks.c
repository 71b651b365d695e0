/* A key set as an issuer serves it; the first byte says for which algorithm. */
#include "auth/keys.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    const char *why;
    struct key_set *s;

    if (n == 0)
        return 0;
    s = key_set_jwks((const char *)bytes + 1, n - 1, *bytes & 1 ? "ES256" : "RS256", &why);
    FUZZ_HOLDS((s == NULL) == (why != NULL));
    if (s) {
        FUZZ_HOLDS(s->n >= 1 && s->n <= KEYS_MAX && key_set_covers(s, s));
        for (size_t i = 0; i < s->n; i++)
            FUZZ_HOLDS(EVP_PKEY_get_bits(s->keys[i].key) >= (*bytes & 1 ? 256 : RSA_BITS_MIN));
    }
    key_set_unref(s);
    return 0;
}
