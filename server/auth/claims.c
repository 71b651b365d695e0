/* auth/claims.c: what a token says, as a principal; the second half of the gate.  libjwt checks no
 * claim: it has no notion of time, and answers 0 for an `exp` that is a string. */
#include "auth/gate.h"
#include "auth/rights.h"
#include "auth/rules.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include <string.h>

static bool ours(const struct issuer *by, const json_t *aud) {
    for (const char *const *us = by->audiences; *us; us++)
        if (!strcmp(json_string_value(aud), *us))
            return true;
    return false;
}

static bool audience_holds(const struct issuer *by, const json_t *aud) {
    const json_t *one;
    bool found = false;
    size_t i;

    if (json_is_string(aud))
        return ours(by, aud);
    if (!json_is_array(aud))
        return false;
    json_array_foreach(aud, i, one) {
        if (!json_is_string(one))
            return false;
        found = found || ours(by, one);
    }
    return found;
}

static const char *times_check(const json_t *claims, int64_t now_s, int64_t *ret_exp_s) {
    const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf"),
                 *iat = json_object_get(claims, "iat");

    if (!exp)
        return "The token does not say when it expires.";
    if (!json_is_integer(exp) || (nbf && !json_is_integer(nbf)) || (iat && !json_is_integer(iat)))
        return "The token's exp, nbf or iat is not an integer.";
    *ret_exp_s = json_integer_value(exp);
    if (*ret_exp_s <= now_s - TOKEN_LEEWAY_S)
        return "The token has expired.";
    if (nbf && json_integer_value(nbf) > now_s + TOKEN_LEEWAY_S)
        return "The token is not valid yet.";
    if (iat && json_integer_value(iat) > now_s + TOKEN_LEEWAY_S)
        return "The token was issued in the future.";
    return NULL;
}

static const char *actor_text(const struct principal *p, json_t *recorded, struct arena *arena) {
    json_auto_t *actor =
        json_pack("{ssssss}", "kind", p->kind, "subject", p->subject, "issuer", p->issuer);
    _cleanup_free_ char *text = NULL;

    if (recorded)
        json_object_set(actor, "claims", recorded);
    text = json_text(actor);
    return arena_strdup(arena, text);
}

/* Display names are for people only: one that is missing or odd is no reason to refuse. */
static const char *display_name(const struct issuer *by, const json_t *claims,
                                const char *subject) {
    const char *name =
        by->display_name ? json_string_value(claim_at(claims, by->display_name)) : NULL;

    return name && principal_subject_valid(name) ? name : subject;
}

const char *gate_claims(const struct issuer *by, const json_t *claims, int64_t now_s,
                        struct arena *arena, struct principal *ret, int64_t *ret_exp_s) {
    const char *subject = json_string_value(claim_at(claims, by->subject ? by->subject : "sub"));
    const json_t *jti = json_object_get(claims, "jti");
    const char *why;

    *ret = (struct principal){0};
    if (strcmp(json_str(claims, "iss", ""), by->name) != 0)
        return "The token's issuer is not accepted.";
    if (!audience_holds(by, json_object_get(claims, "aud")))
        return "The token is not meant for this server.";
    why = times_check(claims, now_s, ret_exp_s);
    if (why)
        return why;
    if (!subject || !principal_subject_valid(subject))
        return "The token's subject is not valid.";
    if (jti && !json_is_string(jti))
        return "The token's jti is not a string.";
    ret->subject = arena_strdup(arena, subject);
    ret->display_name = arena_strdup(arena, display_name(by, claims, subject));
    ret->issuer = by->name;
    /* further than clock_format() goes is its last second */
    ret->expires_us = (*ret_exp_s < TIME_LAST_S ? *ret_exp_s : TIME_LAST_S) * US_PER_S;
    return NULL;
}

const char *gate_rights(const struct issuer *by, const json_t *claims, struct arena *arena,
                        struct principal *ret) {
    json_auto_t *recorded = NULL;
    const char *why =
        by->rules ? rules_apply(by, claims, ret, &recorded) : rights_of_claims(claims, arena, ret);

    if (!why)
        ret->actor_json = actor_text(ret, recorded, arena);
    return why;
}
