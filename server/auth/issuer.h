/* auth/issuer.h: who may issue tokens, as configuration says it; never what a token says about
 * itself. */
#pragma once
#include "base/json.h"
#include <stddef.h>

/* From claims to rights.  All members are borrowed from the configuration. */
struct rule {
    const json_t *match; /* claim → the values of which it must be one; never empty */
    bool deny;           /* refuses; nothing below counts then */
    const char *kind;
    const char *const *roles, *const *scopes, *const *apps; /* ended by NULL */
    const char *const *record; /* claims that a record's actor carries; ended by NULL */
};

struct issuer {
    const char *name;             /* `iss`, exactly */
    const char *const *audiences; /* `aud` must be or contain one; ended by NULL */
    const char *alg;              /* the one algorithm of its tokens: HS256, RS256, ES256 */
    bool access_tokens;           /* `typ` must be at+jwt (RFC 9068) instead of JWT or none */
    const unsigned char *secret;  /* HS256 */
    size_t secret_len;
    struct key_source *keys;            /* RS256, ES256 */
    const char *subject, *display_name; /* claims; NULL: sub, and the subject */
    const struct rule *rules;           /* NULL: the token itself says roles, apps and kind */
    size_t n_rules;
};
