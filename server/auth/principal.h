/* auth/principal.h: who calls, and what they may do.  api.md, "Principals, scopes, roles". */
#pragma once
#include "base/json.h"
#include "base/status.h"
#include <stdbool.h>

enum { PRINCIPAL_NAME_MAX = 255, SCOPES_MAX = 64, ROLES_MAX = 32 };

struct principal {
    const char *kind; /* user, ci, bot, service */
    const char *subject, *issuer, *display_name;
    const char *const *roles;  /* ended by NULL */
    const char *const *scopes; /* ended by NULL; what the roles stand for, and the token's own: what
                                  of it is effective, principal_may says */
    const char *const *apps;   /* ended by NULL; {"*"} = all */
    const char *environment;   /* the only one, of its one app; NULL: all of its apps */
    int64_t expires_us;        /* when the credential stops counting; 0: never */
    const char *actor_json;    /* {"kind","subject","issuer"}: for records and requested_by */
};

/* The one place where it is decided: among its scopes, and nothing that its kind never does. */
bool principal_may(const struct principal *p, const char *scope);
/* Separation of duties: whether this kind never has that scope, whatever its roles; an unknown kind
 * has none. */
bool kind_never(const char *kind, const char *scope);
bool principal_may_app(const struct principal *p, const char *app);
bool principal_may_environment(const struct principal *p, const char *app, const char *environment);
/* The scopes of a role, ended by NULL; NULL for an unknown role. */
const char *const *role_scopes(const char *role);
/* Whether some role carries this scope: route tables are checked with it. */
bool scope_known(const char *scope);

/* The static text of a role, a scope or a kind; NULL when there is none: such texts need no owner.
 */
const char *role_text(const char *role);
const char *scope_text(const char *scope);
const char *kind_text(const char *kind);
/* Whether this may stand in a principal's `apps`: an app's name, or "*". */
bool principal_app_valid(const char *app);
/* Whether this may be a subject: 1 to PRINCIPAL_NAME_MAX bytes of UTF-8 without control characters.
 */
bool principal_subject_valid(const char *subject);

/* A principal as one block of memory: principal_place copies `p` with all it refers to into
 * `memory` (principal_size(p) bytes, aligned for any type) and returns it there.  Roles, scopes and
 * kind must be static texts. */
size_t principal_size(const struct principal *p);
const struct principal *principal_place(void *memory, const struct principal *p);
