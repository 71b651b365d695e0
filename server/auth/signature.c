/* auth/signature.c: libjwt, for what it is good at. */
#include "auth/signature.h"
#include "base/cleanup.h"
#include <jwt.h>
#include <limits.h>

DEFINE_CLEANUP(jwt_free, jwt_t *);

/* libjwt accepts everything when it gets no key. */
static bool key_usable(const struct issuer *by) {
    return by->secret && by->secret_len > 0 && by->secret_len <= INT_MAX;
}

bool signature_verify(const struct issuer *by, const char *token) {
    _cleanup_(jwt_free) jwt_t *jwt = NULL;

    if (!key_usable(by) || jwt_decode(&jwt, token, by->secret, (int)by->secret_len) != 0)
        return false;
    return jwt_get_alg(jwt) != JWT_ALG_NONE && jwt_get_alg(jwt) == jwt_str_alg(by->alg);
}

char *signature_make(const struct issuer *by, const json_t *claims) {
    _cleanup_(jwt_free) jwt_t *jwt = NULL;
    _cleanup_free_ char *text = json_text(claims);
    char *theirs, *token;

    if (!key_usable(by) || jwt_new(&jwt) != 0 ||
        jwt_set_alg(jwt, jwt_str_alg(by->alg), by->secret, (int)by->secret_len) != 0 ||
        jwt_add_grants_json(jwt, text) != 0)
        die("auth: libjwt refused a token of our own");
    theirs = jwt_encode_str(jwt);
    if (!theirs)
        die("auth: libjwt could not sign");
    token = xstrdup(theirs);
    free(theirs);
    return token;
}
