/* kubesim/write.h: the one way in which clients change objects: metadata, preconditions, defaults,
 * validation, generation, field owners, and the rule that a write that changes nothing is none.
 *
 * Every function returns NULL, or the Status that refuses the write; then nothing changed. */
#pragma once
#include "kubesim/sim.h"

struct write {
    const struct kind *kind;
    const char *ns, *name; /* name is "" where the body names the object */
    const char *sub;       /* "", "status", "scale" */
    const char *field_manager;
    bool force, dry_run;
};

typedef enum PatchType { PATCH_MERGE, PATCH_STRATEGIC, PATCH_JSON, PATCH_APPLY } PatchType;

/* *ret is the object as it is afterwards (a reference, yours). */
json_t *write_create(struct sim *sim, const struct write *w, const json_t *body,
                     struct object **ret);
json_t *write_replace(struct sim *sim, const struct write *w, const json_t *body,
                      struct object **ret);
/* *ret_created: an apply made the object. */
json_t *write_patch(struct sim *sim, const struct write *w, PatchType type, const json_t *patch,
                    struct object **ret, bool *ret_created);
/* Deletes, or begins to: a pod terminates first, finalizers are waited for.  *ret is the object as
 * it was, *ret_gone whether it is gone.  `options` is the DeleteOptions body or NULL. */
json_t *write_delete(struct sim *sim, const struct write *w, const json_t *options, int grace_s,
                     struct object **ret, bool *ret_gone);

/* The Scale of a workload; yours. */
json_t *scale_of(const struct object *o);
