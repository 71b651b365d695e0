/* kube/cache.h: the objects of one kind in one namespace, by name and by owner.  Private to kube/
 * and its tests.  Not locked: its owner does that. */
#pragma once
#include "base/json.h"

/* Objects in it are never changed again: readers keep references to them without a lock. */
struct kube_cache {
    json_t *by_name;  /* name → object */
    json_t *by_owner; /* uid of the controller → {name: object} */
};

/* Takes the reference to `object`, which must have a name. */
void kube_cache_put(struct kube_cache *c, json_t *object);
void kube_cache_remove(struct kube_cache *c, const char *name);
json_t *kube_cache_get(const struct kube_cache *c, const char *name); /* a new reference or NULL */
/* A new array: all, or those that the object of that uid controls. */
json_t *kube_cache_list(const struct kube_cache *c, const char *owner_uid);
void kube_cache_done(struct kube_cache *c); /* idempotent */
