/* auth/auth.h: from a credential to a principal.  HS256 tokens of the built-in issuer; further issuers, signatures and
 * keys join the same door (identities issue). */
#pragma once
#include "auth/principal.h"
#include "base/arena.h"
#include <stddef.h>

struct auth;
/* Secret of the built-in issuer (JWT_SECRET, at least 32 bytes; config refuses shorter).  Copied. */
struct auth *auth_new(const char *jwt_secret);
void auth_free(struct auth *a);

/* From the value of an Authorization header ("Bearer …").  The principal lives in the arena.  Any thread, never blocks.
 * E_UNAUTHENTICATED with one sentence in *reterr (static text: it never quotes the token). */
MUSTCHECK Status auth_bearer(struct auth *a, const char *header, struct arena *arena,
                             const struct principal **ret, const char **reterr);

/* Mints a token of the built-in issuer. */
struct token_request {
    const char *subject, *kind; /* kind NULL: ci for role ci, else user */
    const char *const *roles;   /* ended by NULL */
    const char *const *apps;    /* ended by NULL; NULL: {"*"} */
    int64_t ttl_s;
};
/* Yours.  NULL with a sentence in *reterr: no subject, unknown role or kind, bad ttl. */
char *auth_mint(const char *jwt_secret, const struct token_request *in, const char **reterr);
