/* auth/auth.h: from a credential to a principal.  HS256 tokens of the built-in issuer; further
 * issuers, signatures and keys join the same door (identities issue). */
#pragma once
#include "auth/principal.h"
#include "base/arena.h"
#include <stddef.h>

struct auth;
#define AUTH_ISSUER "sluice" /* `iss` and `aud` of the built-in issuer */
enum { AUTH_SECRET_MIN = 32 };

/* Secret of the built-in issuer (JWT_SECRET; config refuses it first when it is short).  Copied.
 * NULL when it has fewer than AUTH_SECRET_MIN bytes: libjwt verifies nothing with an empty one. */
struct auth *auth_new(const char *jwt_secret);
void auth_free(struct auth *a); /* NULL-safe */

/* From the value of an Authorization header ("Bearer …"; NULL: there was none).  The principal
 * lives in the arena.  Any thread, never blocks. E_UNAUTHENTICATED with one sentence in *reterr
 * (static text: it never quotes the token). */
MUSTCHECK Status auth_bearer(struct auth *a, const char *header, struct arena *arena,
                             const struct principal **ret, const char **reterr);

/* Mints a token of the built-in issuer. */
struct token_request {
    const char *subject, *kind; /* kind NULL: ci for role ci, else user */
    const char *const *roles;   /* ended by NULL */
    const char *const *apps;    /* ended by NULL; NULL: {"*"} */
    int64_t ttl_s;
};
enum { TOKEN_TTL_MAX_S = 366 * 24 * 3600 };
/* Yours.  NULL with a sentence in *reterr: no subject or role, unknown role or kind, bad app, ttl
 * or secret. */
char *auth_mint(const char *jwt_secret, const struct token_request *in, const char **reterr);
