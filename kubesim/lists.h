/* kubesim/lists.h: which lists are maps by a key, and which maps are atomic: what Kubernetes writes
 * as patchMergeKey, x-kubernetes-list-map-keys and x-kubernetes-map-type, for the kinds served
 * here. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

struct list_keys {
    const char *field;
    const char *keys[3];   /* ended by NULL; the first alone is the strategic merge key */
    const char *otherwise; /* the value of the second key where it is missing */
};

/* NULL when the list `field` inside `parent` is atomic. */
const struct list_keys *list_keys_of(const char *parent, const char *field, const json_t *list);
/* Whether a map is replaced whole by server-side apply. */
bool map_is_atomic(const char *field);
/* The element of `list` with the same key as `like` (all keys, or the first only); its index or -1.
 */
long list_find(const struct list_keys *keys, const json_t *list, const json_t *like,
               bool first_only);
