/* auth/issuer.h: who may issue tokens, as configuration says it; never what a token says about
 * itself. */
#pragma once
#include <stddef.h>

struct issuer {
    const char *name;     /* `iss`, exactly */
    const char *audience; /* what `aud` must be or contain */
    const char *alg;      /* the one algorithm of its tokens: "HS256" */
    const unsigned char *key;
    size_t key_len;
};
