/* auth/rights.h: roles, and the scopes that they stand for, each once. */
#pragma once
#include "auth/principal.h"
#include "base/arena.h"

struct rights {
    const char *roles[ROLES_MAX + 1], *scopes[SCOPES_MAX + 1]; /* static texts, ended by NULL */
    size_t n_roles, n_scopes;
};

/* Adds a role and its scopes; false when there is no such role. */
bool rights_add(struct rights *r, const char *role);
/* The kind of whoever says none: ci for the role ci, else user. */
const char *rights_kind(const struct rights *r);
/* What tokens of the built-in issuer say about their own rights: roles, scopes, apps and kind of
 * `ret`, in the arena.  NULL, or why the token is refused. */
const char *rights_of_claims(const json_t *claims, struct arena *arena, struct principal *ret);
