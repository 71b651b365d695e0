/* auth/rules.h: from the claims of an issuer's token to rights, by exact matches only.
 *
 * First every rule that denies, wherever it stands; then the first rule that allows decides alone:
 * rights of several rules never add up.  A token that no rule matches is refused. */
#pragma once
#include "auth/issuer.h"
#include "auth/principal.h"

enum { RULES_MAX = 64, RECORDED_MAX = 12, RECORDED_TEXT_MAX = 256 };

/* A claim by its name, or by a JSON pointer ("/app_metadata/role"); borrowed; NULL when absent. */
json_t *claim_at(const json_t *claims, const char *name);
/* Kind, roles, scopes and apps of *ret (borrowed from the rules), and the claims to be recorded
 * (yours; left NULL when there are none).  NULL, or why the token is refused: static text. */
const char *rules_apply(const struct issuer *by, const json_t *claims, struct principal *ret,
                        json_t **ret_recorded);
