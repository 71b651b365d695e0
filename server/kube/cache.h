/* kube/cache.h: the objects of one kind in one namespace, by name and by what they belong to.
 * Private to kube/ and its tests.  Not locked: its owner does that.
 *
 * They are kept as text: as jansson holds it an object takes eight times that, and of the thousands
 * that may be watched those that a deployment asks for are parsed in microseconds. */
#pragma once
#include "base/json.h"

/* Group: what an object belongs to, if anything: an EndpointSlice to the Service of that name, an
 * autoscaler to the workload of that name, everything else to its controller (the uid). */
struct kube_cache {
    json_t *by_name;  /* name → text */
    json_t *group_of; /* name → group, of those that have one */
    json_t *by_group; /* group → {name: text} */
};

void kube_cache_put(struct kube_cache *c, const json_t *object); /* which must have a name */
void kube_cache_remove(struct kube_cache *c, const char *name);
/* A new reference to a text that nobody changes: for kube_cache_parsed(), under no lock; or NULL.
 */
json_t *kube_cache_get(const struct kube_cache *c, const char *name);
/* A new array of such texts: all, or those of a group. */
json_t *kube_cache_list(const struct kube_cache *c, const char *group);
json_t *kube_cache_parsed(json_t *text);       /* takes the text; the object; NULL for NULL */
json_t *kube_cache_parsed_list(json_t *texts); /* takes the array; the array of the objects */
void kube_cache_done(struct kube_cache *c);    /* idempotent */
