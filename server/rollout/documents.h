/* rollout/documents.h: manifests: what they may hold, and their placeholders. */
#pragma once
#include "base/arena.h"
#include "base/json.h"
#include "base/status.h"
#include "rollout/seen.h"

struct document_limits {
    const json_t *spec; /* the environment's */
    Color color;        /* the one they are rendered for */
    const char *version, *image;
};
/* A new array with ${IMAGE} ${VERSION} ${COLOR} ${NAMESPACE} replaced in every string and
 * namespaces filled in; checked. NULL with a sentence in *reterr naming document and field. */
json_t *documents_render(const json_t *documents, const struct document_limits *limits,
                         struct arena *arena, const char **reterr);
/* What documents that were rendered before name, for both colors and without their workloads:
 * [{apiVersion, kind, metadata {name}}], new. */
json_t *documents_objects(const json_t *documents, const struct document_limits *limits);
/* The workload's own document among rendered ones; borrowed; NULL when absent. */
json_t *documents_find(const json_t *documents, const char *kind, const char *name);
