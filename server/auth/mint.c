/* auth/mint.c: tokens of the built-in issuer, for `sluiced token`, stacks and tests. */
#include "auth/auth.h"
#include "auth/gate.h"
#include "auth/signature.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include <string.h>

static bool names_valid(const char *const *list, bool (*valid)(const char *)) {
    for (; list && *list; list++)
        if (!valid(*list))
            return false;
    return true;
}

static bool role_known(const char *role) {
    return role_text(role) != NULL;
}

static const char *request_check(const char *jwt_secret, const struct token_request *in) {
    if (!jwt_secret || strlen(jwt_secret) < AUTH_SECRET_MIN)
        return "JWT_SECRET has fewer than 32 bytes.";
    if (!in->subject || !principal_subject_valid(in->subject))
        return "A subject of 1 to 255 bytes without control characters is required.";
    if (!in->roles || !in->roles[0])
        return "At least one role is required.";
    if (!names_valid(in->roles, role_known))
        return "A role is unknown.";
    if (in->kind && !kind_text(in->kind))
        return "The kind is none of user, ci, bot, service.";
    if (!names_valid(in->apps, principal_app_valid))
        return "An app is neither a name nor \"*\".";
    if (in->ttl_s < 1 || in->ttl_s > TOKEN_TTL_MAX_S)
        return "The time to live is not between one second and 366 days.";
    return NULL;
}

static json_t *strings(const char *const *list) {
    json_t *array = json_array();

    for (; *list; list++)
        json_array_append_new(array, json_string(*list));
    return array;
}

static json_t *claims_of(const struct token_request *in) {
    static const char *const all[] = {"*", NULL};
    int64_t now_s = clock_now_us() / US_PER_S;
    char jti[UUID_TEXT];
    json_t *claims = json_pack("{ss ss ss sI sI ss so so}", "iss", AUTH_ISSUER, "sub", in->subject,
                               "aud", AUTH_ISSUER, "iat", (json_int_t)now_s, "exp",
                               (json_int_t)(now_s + in->ttl_s), "jti", uuid_v7(jti), "roles",
                               strings(in->roles), "apps", strings(in->apps ? in->apps : all));

    if (in->kind)
        json_set_str(claims, "kind", in->kind);
    return claims;
}

char *auth_mint(const char *jwt_secret, const struct token_request *in, const char **reterr) {
    struct issuer builtin = {
        .name = AUTH_ISSUER, .alg = "HS256", .secret = (const unsigned char *)jwt_secret};
    json_auto_t *claims = NULL;
    char *token;

    *reterr = request_check(jwt_secret, in);
    if (*reterr)
        return NULL;
    builtin.secret_len = strlen(jwt_secret);
    claims = claims_of(in);
    token = claims ? signature_make(&builtin, claims) : NULL;
    if (!token)
        *reterr = "The subject is not UTF-8.";
    else if (strlen(token) > TOKEN_MAX)
        *reterr = "The token would be longer than 8 KiB.";
    if (!*reterr)
        return token;
    free(token);
    return NULL;
}
