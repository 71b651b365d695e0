/* auth/signature.h: the signatures of HS256 tokens, through libjwt, which only signature.c
 * includes.  Those of public keys: keys.h. */
#pragma once
#include "auth/issuer.h"
#include "base/json.h"
#include <stdbool.h>

/* Whether the issuer, one of HS256, signed this token.  Only for tokens that gate_open let through
 * (short, strict, of the issuer's algorithm).  Any thread. */
bool signature_verify(const struct issuer *by, const char *token);
/* A token with these claims; yours. */
char *signature_make(const struct issuer *by, const json_t *claims);
