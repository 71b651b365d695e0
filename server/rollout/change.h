/* rollout/change.h: whether somebody else changed an object: its spec against what our last write
 * left of it (design.md, Other hands).
 *
 * Specs are compared and kept as comparables: text, in which what may be secret is a digest. */
#pragma once
#include "base/json.h"
#include "rollout/seen.h"

/* {"spec", "uid"} of an object with sorted keys and values of environment variables as digests;
 * yours.  NULL for NULL. */
char *change_comparable(const json_t *object);

/* Compares two comparables: `was` and `is`; NULL: there was, there is no object.  An autoscaled
 * workload's replicas do not count.  Fills *ret but for who and when; false: nothing changed. */
bool change_find(const char *was, const char *is, bool autoscaled, struct seen_change *ret);

/* Calls fn for each field that differs, named as kubectl users do:
 * spec.template.spec.containers[app].image.  Values are NULL where absent. */
typedef void change_fn(void *ctx, const char *field, const json_t *was, const json_t *is);
void change_each(const char *was, const char *is, bool autoscaled, change_fn *fn, void *ctx);

/* A value of that field for people, shortened; what may be secret is not shown. */
void change_value(const char *field, const json_t *value, char *ret, size_t n);
/* "Service inopnc-prod: spec.selector.environment is "green", was "blue" (by kubectl-edit,
 * 2026-11-24T21:53:28.000Z)" */
void change_sentence(const char *kind, const char *name, const struct seen_change *c, char *ret,
                     size_t n);
