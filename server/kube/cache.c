#include "kube/cache.h"
#include "base/cleanup.h"
#include "kube/kube.h"
#include <string.h>

static const char *group_in(const json_t *object) {
    const char *kind = json_str(object, "kind", "");

    if (strcmp(kind, "EndpointSlice") == 0)
        return kube_label(object, "kubernetes.io/service-name");
    if (strcmp(kind, "HorizontalPodAutoscaler") == 0)
        return json_str(json_at(object, "spec", "scaleTargetRef", NULL), "name", NULL);
    return *kube_controller(object) ? kube_controller(object) : NULL;
}

static void group_add(struct kube_cache *c, const char *group, const char *name, json_t *text) {
    json_t *members = json_object_get(c->by_group, group);

    if (!members) {
        members = json_object();
        json_object_set_new(c->by_group, group, members);
    }
    json_object_set(members, name, text);
    json_object_set_new(c->group_of, name, json_string(group));
}

static void group_leave(struct kube_cache *c, const char *name) {
    const char *group = json_str(c->group_of, name, NULL);
    json_t *members = group ? json_object_get(c->by_group, group) : NULL;

    json_object_del(members, name);
    if (members && json_object_size(members) == 0)
        json_object_del(c->by_group, group);
    json_object_del(c->group_of, name);
}

void kube_cache_put(struct kube_cache *c, const json_t *object) {
    const char *name = kube_name(object), *group = group_in(object);
    _cleanup_free_ char *text = json_text(object);
    json_t *kept = json_string(text);

    if (!c->by_name)
        *c = (struct kube_cache){json_object(), json_object(), json_object()};
    group_leave(c, name);
    json_object_set_new(c->by_name, name, kept);
    if (group)
        group_add(c, group, name, kept);
}

void kube_cache_remove(struct kube_cache *c, const char *name) {
    group_leave(c, name);
    json_object_del(c->by_name, name);
}

json_t *kube_cache_get(const struct kube_cache *c, const char *name) {
    return json_incref(json_object_get(c->by_name, name));
}

json_t *kube_cache_list(const struct kube_cache *c, const char *group) {
    json_t *from = group ? json_object_get(c->by_group, group) : c->by_name, *text;
    json_t *list = json_array();
    const char *name;

    json_object_foreach(from, name, text) json_array_append(list, text);
    return list;
}

json_t *kube_cache_parsed(json_t *text) {
    json_t *object =
        json_loadb(json_string_value(text), json_string_length(text), JSON_ALLOW_NUL, NULL);

    json_decref(text);
    return object;
}

json_t *kube_cache_parsed_list(json_t *texts) {
    json_t *list = json_array(), *text;
    size_t i;

    json_array_foreach(texts, i, text)
        json_array_append_new(list, kube_cache_parsed(json_incref(text)));
    json_decref(texts);
    return list;
}

void kube_cache_done(struct kube_cache *c) {
    json_decref(c->by_name);
    json_decref(c->group_of);
    json_decref(c->by_group);
    *c = (struct kube_cache){0};
}
