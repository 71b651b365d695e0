/* kubesim/fieldset.h: sets of fields in Kubernetes' FieldsV1 form: {"f:spec": {"f:replicas": {}}},
 * with "k:{…}" for an element of a keyed list and "." for the element itself.  Pure. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

typedef enum FieldDiff { FIELDS_CHANGED, FIELDS_REMOVED } FieldDiff;

/* Every function that returns a set returns a new one. */
json_t *fieldset_of(const json_t *body);
/* The fields that `after` has other than `before`, or that only `before` has. */
json_t *fieldset_diff(const json_t *before, const json_t *after, FieldDiff which);
json_t *fieldset_minus(const json_t *a, const json_t *b);
json_t *fieldset_and(const json_t *a, const json_t *b);
void fieldset_add(json_t *a, const json_t *b); /* a becomes the union */
/* Removes the fields of a set from an object. */
void fieldset_remove(json_t *body, const json_t *set);
/* Calls fn with the path of each field: .spec.containers[name="app"].image */
void fieldset_paths(const json_t *set, void (*fn)(void *ctx, const char *path), void *ctx);
/* Lays `config` over `live`, keyed lists by key, atomic values whole. */
void fields_merge(json_t *live, const json_t *config);
