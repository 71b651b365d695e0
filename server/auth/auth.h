/* auth/auth.h: from a credential to a principal: tokens of the built-in issuer and of those that
 * SLUICE_ISSUERS_FILE names (docs/identity.md). */
#pragma once
#include "auth/principal.h"
#include "base/arena.h"
#include <stddef.h>

struct auth;
#define AUTH_ISSUER "sluice" /* `iss` and `aud` of the built-in issuer */
enum { AUTH_SECRET_MIN = 32, AUTH_KEYS_BYTES = 256 << 10 };

/* Gets the key set at an https URL that configuration names, and waits; of at most AUTH_KEYS_BYTES;
 * ca_pem NULL: the system's authorities.  The body (yours), or NULL with a line in reterr.  Called
 * by one thread of auth's own. */
typedef char *auth_fetch_fn(void *ctx, const char *url, const char *ca_pem, size_t *ret_n,
                            char *reterr, size_t n);

/* Times in milliseconds; 0 stands for the default. */
struct auth_settings {
    const char *jwt_secret;   /* JWT_SECRET: copied */
    const char *issuers_file; /* SLUICE_ISSUERS_FILE; NULL: none */
    auth_fetch_fn *fetch;     /* NULL only where no issuer has a URL */
    void *fetch_ctx;
    int refresh_ms; /* between fetches of an issuer's keys: 10 minutes */
    int again_ms; /* between those for the sake of an unknown key, or after one that failed: 60 s */
    int retry_ms; /* the same as long as there are no keys at all: 5 s */
    int stale_ms; /* keys older than this are used no more: 24 hours */
};

/* Reads the issuers and their files; keys that have a URL are fetched in the background.  NULL with
 * one line in reterr: a secret with fewer than AUTH_SECRET_MIN bytes (libjwt verifies nothing with
 * an empty one), or what is wrong with the file, the issuer and the field. */
struct auth *auth_new(const struct auth_settings *in, char *reterr, size_t n);
/* NULL-safe.  Waits for a fetch under way. */
void auth_free(struct auth *a);

/* The issuers read again, with those of their keys that can be had now: it waits for them.  NULL
 * with one line in reterr.  They are to be taken or dropped.  auth_take: whether the file says
 * something else than before; what it replaces stays in memory.  One thread at a time. */
struct issuers;
struct issuers *auth_read(const struct auth_settings *in, char *reterr, size_t n);
bool auth_take(struct auth *a, struct issuers *issuers);
void auth_drop(struct issuers *issuers); /* NULL-safe */

/* Reads the same, fetches each issuer's keys and waits; `say` gets a line about each.  false when
 * something is wrong; with a line in reterr when that is not about one issuer. */
typedef void auth_say_fn(const char *issuer, bool good, const char *line);
bool auth_check(const struct auth_settings *in, auth_say_fn *say, char *reterr, size_t n);

/* The token of an Authorization header's value, "Bearer TOKEN"; NULL: it is not of that form. */
const char *auth_token(const char *header);

/* From the value of an Authorization header ("Bearer …"; NULL: there was none).  The principal
 * lives in the arena.  Any thread, never blocks. E_UNAUTHENTICATED, or E_ISSUER_UNAVAILABLE while
 * an issuer's keys are missing or too old, with one sentence in *reterr (static text: it never
 * quotes the token). */
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
