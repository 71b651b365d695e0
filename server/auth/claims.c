/* auth/claims.c: what a token says, as a principal; the second half of the gate.  libjwt checks no
 * claim: it has no notion of time, and answers 0 for an `exp` that is a string. */
#include "auth/gate.h"
#include "base/cleanup.h"
#include <string.h>

static bool audience_holds(const json_t *aud, const char *us) {
    const json_t *one;
    bool found = false;
    size_t i;

    if (json_is_string(aud))
        return !strcmp(json_string_value(aud), us);
    if (!json_is_array(aud))
        return false;
    json_array_foreach(aud, i, one) {
        if (!json_is_string(one))
            return false;
        found = found || !strcmp(json_string_value(one), us);
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

/* A list of static texts, each at most once. */
struct set {
    const char **list;
    size_t n, max;
};

static void set_add(struct set *s, const char *text) {
    for (size_t i = 0; i < s->n; i++)
        if (s->list[i] == text)
            return;
    if (s->n == s->max - 1)
        die("auth: more distinct scopes or roles than there are");
    s->list[s->n++] = text;
}

static const char *roles_read(const json_t *in, struct set *roles, struct set *scopes) {
    const json_t *one;
    size_t i;

    if (in && !json_is_array(in))
        return "The token's roles are not an array.";
    json_array_foreach(in, i, one) {
        const char *role = json_is_string(one) ? role_text(json_string_value(one)) : NULL;

        if (!role)
            return "The token names an unknown role.";
        set_add(roles, role);
        for (const char *const *scope = role_scopes(role); *scope; scope++)
            set_add(scopes, *scope);
    }
    return NULL;
}

/* Unknown scopes are left out: tokens of other issuers carry theirs ("openid") beside ours. */
static const char *scope_read(const json_t *in, struct arena *arena, struct set *scopes) {
    char *left, *one;

    if (!in)
        return NULL;
    if (!json_is_string(in))
        return "The token's scope is not a string.";
    left = arena_strdup(arena, json_string_value(in));
    while ((one = strsep(&left, " ")))
        if (scope_known(one))
            set_add(scopes, scope_text(one));
    return NULL;
}

static const char *apps_read(const json_t *in, struct arena *arena, struct principal *ret) {
    const char **apps = arena_alloc(arena, (json_array_size(in) + 1) * sizeof *apps);
    const json_t *one;
    size_t i;

    if (in && !json_is_array(in))
        return "The token's apps are not an array.";
    json_array_foreach(in, i, one) {
        if (!json_is_string(one) || !principal_app_valid(json_string_value(one)))
            return "The token's apps are not names.";
        apps[i] = arena_strdup(arena, json_string_value(one));
    }
    ret->apps = apps;
    return NULL;
}

static const char *kind_read(const json_t *in, struct principal *ret) {
    ret->kind = "user";
    for (const char *const *role = ret->roles; *role; role++)
        if (!strcmp(*role, "ci"))
            ret->kind = "ci";
    if (in)
        ret->kind = json_is_string(in) ? kind_text(json_string_value(in)) : NULL;
    return ret->kind ? NULL : "The token's kind is unknown.";
}

static const char *rights_read(const json_t *claims, struct arena *arena, struct principal *ret) {
    struct set roles = {arena_alloc(arena, (ROLES_MAX + 1) * sizeof(char *)), 0, ROLES_MAX + 1};
    struct set scopes = {arena_alloc(arena, (SCOPES_MAX + 1) * sizeof(char *)), 0, SCOPES_MAX + 1};
    const char *why = roles_read(json_object_get(claims, "roles"), &roles, &scopes);

    ret->roles = roles.list;
    ret->scopes = scopes.list;
    if (!why)
        why = scope_read(json_object_get(claims, "scope"), arena, &scopes);
    if (!why)
        why = apps_read(json_object_get(claims, "apps"), arena, ret);
    if (!why)
        why = kind_read(json_object_get(claims, "kind"), ret);
    return why;
}

static const char *actor_text(const struct principal *p, struct arena *arena) {
    json_auto_t *actor =
        json_pack("{ssssss}", "kind", p->kind, "subject", p->subject, "issuer", p->issuer);
    _cleanup_free_ char *text = json_text(actor);

    return arena_strdup(arena, text);
}

const char *gate_claims(const struct issuer *by, const json_t *claims, int64_t now_s,
                        struct arena *arena, struct principal *ret, int64_t *ret_exp_s) {
    const char *subject = json_str(claims, "sub", ""), *why;
    const json_t *jti = json_object_get(claims, "jti");

    *ret = (struct principal){0};
    if (strcmp(json_str(claims, "iss", ""), by->name) != 0)
        return "The token's issuer is not accepted.";
    if (!audience_holds(json_object_get(claims, "aud"), by->audience))
        return "The token is not meant for this server.";
    why = times_check(claims, now_s, ret_exp_s);
    if (why)
        return why;
    if (!principal_subject_valid(subject))
        return "The token's subject is not valid.";
    if (jti && !json_is_string(jti))
        return "The token's jti is not a string.";
    ret->subject = ret->display_name = arena_strdup(arena, subject);
    ret->issuer = arena_strdup(arena, by->name);
    why = rights_read(claims, arena, ret);
    if (why)
        return why;
    ret->actor_json = actor_text(ret, arena);
    return NULL;
}
