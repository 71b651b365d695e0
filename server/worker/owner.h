/* worker/owner.h: who wrote a field of an object, from its metadata.managedFields, or what the
 * watch cache keeps of them. */
#pragma once
#include "base/json.h"
#include "rollout/seen.h"

/* The last writer of a field ("spec.template.spec.containers[app].image") other than ourselves:
 * manager and time.  false: not known. */
bool owner_find(const json_t *object, const char *field, char by[SEEN_WHO], int64_t *ret_at_us);
/* Whether that manager wrote the field, whatever came later. */
bool owner_is(const json_t *object, const char *field, const char *manager, const char *operation);
/* The GitOps controller that owns the field: "Argo CD" or "Flux", with its object's name where a
 * label tells it; NULL: none does. */
const char *owner_gitops(const json_t *object, const char *field, char detail[SEEN_TEXT]);
