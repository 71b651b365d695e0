/* kubesim/patch.h: the three ways to patch that need no field owners. */
#pragma once
#include <jansson.h>

/* Changes `target` in place.  JSON Merge Patch (RFC 7386). */
void patch_merge(json_t *target, const json_t *patch);
/* Strategic merge: lists with a merge key are merged by it; $patch: delete and replace. */
void patch_strategic(json_t *target, const json_t *patch);
/* JSON Patch (RFC 6902): test, add, remove, replace, move, copy.  A Status when an operation is
 * refused; then `target` may be half-changed. */
json_t *patch_json(json_t *target, const json_t *operations);
