/* auth/gate.h: the strict gate in front of libjwt (facts/security.md §3.1 says what libjwt gets
 * wrong).
 *
 * Pure: no clock, no key.  A token passes only when its form, its header and its claims leave
 * nothing for libjwt to decide but the signature.  Every function answers NULL, or why the token is
 * refused: one static sentence. */
#pragma once
#include "auth/issuer.h"
#include "auth/principal.h"
#include "base/arena.h"

enum { TOKEN_MAX = 8192, TOKEN_LEEWAY_S = 60 };

/* Form and header.  n: the token's length.  *ret_claims (yours, set only with NULL) is a JSON
 * object. */
const char *gate_open(const struct issuer *by, const char *token, size_t n, json_t **ret_claims);

/* Claims to a principal in the arena; *ret_exp_s is the `exp` claim. */
const char *gate_claims(const struct issuer *by, const json_t *claims, int64_t now_s,
                        struct arena *arena, struct principal *ret, int64_t *ret_exp_s);
