#include "auth/caller.h"
#include "auth/apikey.h"
#include "auth/keyring.h"
#include "base/clock.h"
#include <string.h>

/* NULL: nothing, or nothing that could be a credential. */
static const char *in_authorization(const struct presented *in) {
    if (!in->authorization)
        return NULL;
    if (in->bare_key && apikey_claimed(in->authorization))
        return in->authorization;
    return auth_token(in->authorization);
}

static Status key_find(struct keyring *keys, const char *text, struct arena *arena,
                       const struct principal **ret, const char **reterr) {
    Status s = keys ? keyring_find(keys, text, clock_now_us(), arena, ret) : E_UNAUTHENTICATED;

    if (s == E_DATABASE_UNAVAILABLE)
        *reterr = "The keys were not read from the database yet.";
    else if (s != STATUS_OK)
        *reterr = "The API key is not one that is valid here.";
    return s;
}

Status caller_find(struct auth *a, struct keyring *keys, const struct presented *in,
                   struct arena *arena, const struct principal **ret, const char **reterr) {
    const char *text = in_authorization(in);

    *ret = NULL;
    *reterr = NULL;
    if (in->authorization && in->api_key && (!text || strcmp(text, in->api_key) != 0)) {
        *reterr = "Authorization and X-API-Key carry different credentials.";
        return E_UNAUTHENTICATED;
    }
    if (!text)
        text = in->api_key;
    if (text && apikey_claimed(text))
        return key_find(keys, text, arena, ret, reterr);
    if (in->api_key) {
        *reterr = "X-API-Key is not of the form slk_ID_SECRET.";
        return E_UNAUTHENTICATED;
    }
    return auth_bearer(a, in->authorization, arena, ret, reterr);
}
