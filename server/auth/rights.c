/* auth/rights.c: what the built-in issuer's tokens say about their own rights. */
#include "auth/rights.h"
#include <string.h>

static void add_once(const char **list, size_t *n, size_t max, const char *text) {
    for (size_t i = 0; i < *n; i++)
        if (list[i] == text)
            return;
    if (*n == max)
        die("auth: more distinct scopes or roles than there are");
    list[(*n)++] = text;
}

bool rights_add(struct rights *r, const char *role) {
    role = role_text(role);
    if (!role)
        return false;
    add_once(r->roles, &r->n_roles, ROLES_MAX, role);
    for (const char *const *scope = role_scopes(role); *scope; scope++)
        add_once(r->scopes, &r->n_scopes, SCOPES_MAX, *scope);
    return true;
}

const char *rights_kind(const struct rights *r) {
    for (size_t i = 0; i < r->n_roles; i++)
        if (!strcmp(r->roles[i], "ci"))
            return "ci";
    return "user";
}

static const char *roles_read(const json_t *in, struct rights *r) {
    const json_t *one;
    size_t i;

    if (in && !json_is_array(in))
        return "The token's roles are not an array.";
    json_array_foreach(in, i, one) {
        if (!json_is_string(one) || !rights_add(r, json_string_value(one)))
            return "The token names an unknown role.";
    }
    return NULL;
}

/* Unknown scopes are left out: tokens may carry others' ("openid") beside ours. */
static const char *scope_read(const json_t *in, struct arena *arena, struct rights *r) {
    char *left, *one;

    if (!in)
        return NULL;
    if (!json_is_string(in))
        return "The token's scope is not a string.";
    left = arena_strdup(arena, json_string_value(in));
    while ((one = strsep(&left, " ")))
        if (scope_known(one))
            add_once(r->scopes, &r->n_scopes, SCOPES_MAX, scope_text(one));
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

const char *rights_of_claims(const json_t *claims, struct arena *arena, struct principal *ret) {
    struct rights *r = arena_alloc(arena, sizeof *r);
    const json_t *kind = json_object_get(claims, "kind");
    const char *why = roles_read(json_object_get(claims, "roles"), r);

    ret->roles = r->roles;
    ret->scopes = r->scopes;
    if (!why)
        why = scope_read(json_object_get(claims, "scope"), arena, r);
    if (!why)
        why = apps_read(json_object_get(claims, "apps"), arena, ret);
    if (why)
        return why;
    ret->kind = rights_kind(r);
    if (kind)
        ret->kind = json_is_string(kind) ? kind_text(json_string_value(kind)) : NULL;
    return ret->kind ? NULL : "The token's kind is unknown.";
}
