#include "kube/cache.h"
#include "kube/kube.h"
#include <string.h>

/* The uid of the controller, or NULL. */
static const char *owner_of(const json_t *object) {
    const json_t *owners = json_at(object, "metadata", "ownerReferences", NULL), *owner;
    size_t i;

    json_array_foreach(owners, i, owner) {
        if (json_bool(owner, "controller", false))
            return json_str(owner, "uid", NULL);
    }
    return NULL;
}

static void owner_remove(struct kube_cache *c, const json_t *object) {
    const char *owner = owner_of(object);
    json_t *owned = owner ? json_object_get(c->by_owner, owner) : NULL;

    if (!owned)
        return;
    json_object_del(owned, kube_name(object));
    if (json_object_size(owned) == 0)
        json_object_del(c->by_owner, owner);
}

static void owner_add(struct kube_cache *c, json_t *object) {
    const char *owner = owner_of(object);
    json_t *owned;

    if (!owner)
        return;
    owned = json_object_get(c->by_owner, owner);
    if (!owned) {
        owned = json_object();
        json_object_set_new(c->by_owner, owner, owned);
    }
    json_object_set(owned, kube_name(object), object);
}

void kube_cache_put(struct kube_cache *c, json_t *object) {
    const char *name = kube_name(object);
    json_t *old;

    if (!c->by_name) {
        c->by_name = json_object();
        c->by_owner = json_object();
    }
    old = json_object_get(c->by_name, name);
    if (old)
        owner_remove(c, old);
    owner_add(c, object);
    json_object_set_new(c->by_name, name, object);
}

void kube_cache_remove(struct kube_cache *c, const char *name) {
    json_t *old = json_object_get(c->by_name, name);

    if (!old)
        return;
    owner_remove(c, old);
    json_object_del(c->by_name, name);
}

json_t *kube_cache_get(const struct kube_cache *c, const char *name) {
    return json_incref(json_object_get(c->by_name, name));
}

json_t *kube_cache_list(const struct kube_cache *c, const char *owner_uid) {
    json_t *from = owner_uid ? json_object_get(c->by_owner, owner_uid) : c->by_name, *object;
    json_t *list = json_array();
    const char *name;

    json_object_foreach(from, name, object) json_array_append(list, object);
    return list;
}

void kube_cache_done(struct kube_cache *c) {
    json_decref(c->by_name);
    json_decref(c->by_owner);
    *c = (struct kube_cache){0};
}
