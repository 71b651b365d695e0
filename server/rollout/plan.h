/* rollout/plan.h: what a deployment is going to do, fixed in the transaction that makes it active
 * (design.md law 5): a color, a version, an image, documents.  Absolute, never "the other one".
 * Kept as JSON in deployment.plan. */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"
#include "rollout/seen.h"

struct plan_request {
    const json_t *spec;                   /* the environment's */
    const char *version, *image, *digest; /* the release's; digest may be NULL */
    const json_t
        *documents; /* manifests as parsed YAML documents with their placeholders; NULL: none */
    const json_t *params; /* the deployment's own {promote}; NULL: none */
    const json_t *flags;  /* the release's changes of flags; NULL: none */
    const struct seen *seen;
};
/* The plan: {spec, target {color, version, image}, from {color, version, image} | null, documents
 * [rendered], objects (documents_objects()), flags}. E_INVALID_BODY with a sentence in *reterr (in
 * the arena) naming document and field that may not be there: the production Service, the other
 * color's objects, another namespace, a kind that is not allowed, Secret, a missing workload. */
MUSTCHECK Status plan_make(const struct plan_request *in, struct arena *arena, json_t **ret,
                           const char **reterr);
/* The same checks for PUT …/manifests, for both colors. */
MUSTCHECK Status plan_check_documents(const json_t *spec, const json_t *documents,
                                      struct arena *arena, const char **reterr);
