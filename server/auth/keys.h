/* auth/keys.h: an issuer's public keys, parsed once and judged then: a key set never changes, so
 * that any thread may verify with it. */
#pragma once
#include "auth/gate.h"
#include <openssl/evp.h>
#include <stdatomic.h>

enum { KEYS_MAX = 10, RSA_BITS_MIN = 2048, RSA_BITS_MAX = SIGNATURE_MAX * 8 };

struct key {
    char kid[KID_MAX + 1]; /* "": it has none */
    EVP_PKEY *key;         /* owned */
};
struct key_set {
    atomic_uint refs;
    size_t n;
    struct key keys[KEYS_MAX];
};

/* Reads a JSON Web Key Set.  Keys that are not for verifying signatures of `alg` (RS256, ES256),
 * are too weak, lie off their curve, or follow the tenth, are left out, as is the second of a kid;
 * after the 64th nothing is looked at.
 * NULL with a sentence in *reterr (static) when none is left. */
struct key_set *key_set_jwks(const char *text, size_t n, const char *alg, const char **reterr);
/* Reads a public key in PEM, of the strength and kind that `alg` asks for. */
struct key_set *key_set_pem(const char *pem, const char *alg, const char **reterr);
struct key_set *key_set_ref(struct key_set *s);
void key_set_unref(struct key_set *s); /* NULL-safe */
/* The key of that kid; without one, the set's only key; NULL otherwise.  Borrowed. */
EVP_PKEY *key_set_find(const struct key_set *s, const char *kid);
/* Whether every key of `old` is in `now` under its kid. */
bool key_set_covers(const struct key_set *now, const struct key_set *old);

/* Whether that key signed the token.  The algorithm is the key's: RSA means RS256, EC ES256. */
bool key_verify(EVP_PKEY *key, const struct token *t);
