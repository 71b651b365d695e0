/* auth/caller.h: which credential a request presents in its headers, and whose it is: a token, or
 * an API key.  (A signature covers the whole request: http/signed.c.) */
#pragma once
#include "auth/auth.h"

struct keyring;

/* Header values as they came, NULL when absent. */
struct presented {
    const char *authorization; /* "Bearer TOKEN" or "Bearer slk_…" */
    const char *api_key;       /* X-API-Key: "slk_…" */
    bool bare_key;             /* Authorization may also be "slk_…" */
};

/* The principal lives in the arena.  keys NULL: API keys are refused.  Any thread, never blocks.
 * Refuses as auth_bearer and keyring_find, E_UNAUTHENTICATED also two different credentials; with
 * one sentence in *reterr (static text: it never quotes a credential). */
MUSTCHECK Status caller_find(struct auth *a, struct keyring *keys, const struct presented *in,
                             struct arena *arena, const struct principal **ret,
                             const char **reterr);
