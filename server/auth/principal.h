/* auth/principal.h: who calls, and what they may do.  api.md, "Principals, scopes, roles". */
#pragma once
#include "base/json.h"
#include "base/status.h"
#include <stdbool.h>

enum { PRINCIPAL_NAME_MAX = 255 };

struct principal {
    const char *kind; /* user, ci, bot, service */
    const char *subject, *issuer, *display_name;
    const char *const *roles;  /* ended by NULL */
    const char *const *scopes; /* ended by NULL; what the roles stand for, and the token's own */
    const char *const *apps;   /* ended by NULL; {"*"} = all */
    const char *actor_json;    /* {"kind","subject","issuer"}: for records and requested_by */
};

bool principal_may(const struct principal *p, const char *scope);
bool principal_may_app(const struct principal *p, const char *app);
/* The scopes of a role, ended by NULL; NULL for an unknown role. */
const char *const *role_scopes(const char *role);
/* Whether some role carries this scope: route tables are checked with it. */
bool scope_known(const char *scope);
