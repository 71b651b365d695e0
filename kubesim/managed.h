/* kubesim/managed.h: who owns which field (metadata.managedFields), and server-side apply.
 *
 * Field sets are kept in their FieldsV1 form.  Writes of controllers and of /status are not
 * tracked. */
#pragma once
#include "kubesim/kinds.h"
#include <jansson.h>
#include <stdbool.h>

/* What an applied configuration makes of `live` (NULL: nothing there): *ret, with managedFields.
 * Returns NULL, or the Status 409 that names the conflicts with other managers' fields. */
json_t *managed_apply(const struct kind *kind, const json_t *live, const json_t *config,
                      const char *manager, bool force, json_t **ret);
/* Gives the fields in which `body` differs from `before` (NULL: a creation) to `manager`, in
 * `body`'s managedFields; subresource: the one that was written, or "". */
void managed_update(const struct kind *kind, const json_t *before, json_t *body,
                    const char *manager, const char *subresource);
