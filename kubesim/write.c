#include "kubesim/write.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/json.h"
#include "kubesim/controllers.h"
#include "kubesim/defaults.h"
#include "kubesim/kstatus.h"
#include "kubesim/managed.h"
#include "kubesim/patch.h"
#include <stdio.h>
#include <string.h>

static const char modified[] =
    "the object has been modified; please apply your changes to the latest "
    "version and try again";

/* A null in an object means that the field is absent. */
static void drop_nulls(json_t *v) {
    const char *key;
    json_t *value;
    void *next;
    size_t i;

    json_object_foreach_safe(v, next, key, value) {
        if (json_is_null(value))
            json_object_del(v, key);
        else
            drop_nulls(value);
    }
    json_array_foreach(v, i, value) {
        drop_nulls(value);
    }
}

/* apiVersion and kind first, then the rest, deep-copied: every stored text begins the same way. */
static json_t *normal_copy(const struct kind *kind, const json_t *body) {
    char version[64];
    json_t *copy = json_pack("{s:s, s:s, s:{}}", "apiVersion", kind_api_version(kind, version),
                             "kind", kind->kind, "metadata");
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)body, key, value) {
        if (strcmp(key, "apiVersion") && strcmp(key, "kind"))
            json_object_set_new(copy, key, json_deep_copy(value));
    }
    drop_nulls(copy);
    return copy;
}

/* Copies or removes a key, so that `to` agrees with `from`. */
static void carry(json_t *to, const json_t *from, const char *key) {
    json_t *value = json_object_get(from, key);

    if (value)
        json_object_set(to, key, value);
    else
        json_object_del(to, key);
}

static json_t *name_check(const struct write *w, const json_t *metadata) {
    const char *name = json_str(metadata, "name", "");

    if (!*name || !*w->name || !strcmp(name, w->name))
        return NULL;
    return kstatus(400, "BadRequest",
                   "the name of the object (%s) does not match the name on the URL (%s)", name,
                   w->name);
}

static json_t *precondition_check(const struct kind *k, const struct slot *slot,
                                  const json_t *metadata) {
    const json_t *now = json_object_get(slot->now->body, "metadata");
    const char *rv = json_str(metadata, "resourceVersion", "");
    const char *uid = json_str(metadata, "uid", "");
    char why[256];

    if (*uid && strcmp(uid, slot->uid)) {
        snprintf(why, sizeof why,
                 "Precondition failed: UID in precondition: %.40s, UID in object meta: %s", uid,
                 slot->uid);
        return kstatus_conflict(k, slot->name, why);
    }
    if (*rv && strcmp(rv, json_str(now, "resourceVersion", "")))
        return kstatus_conflict(k, slot->name, modified);
    return NULL;
}

/* Whether anything but metadata and status differs; of a Deployment its annotations count too. */
static bool content_differs(const struct kind *k, const json_t *before, const json_t *after) {
    json_auto_t *a = json_copy((json_t *)(uintptr_t)before);
    json_auto_t *b = json_copy((json_t *)(uintptr_t)after);
    const json_t *was = json_at(before, "metadata", "annotations", NULL);
    const json_t *now = json_at(after, "metadata", "annotations", NULL);

    if (k->id == KIND_DEPLOYMENT && (json_object_size(was) || json_object_size(now)) &&
        !json_equal(was, now))
        return true;
    json_object_del(a, "metadata");
    json_object_del(b, "metadata");
    json_object_del(a, "status");
    json_object_del(b, "status");
    return !json_equal(a, b);
}

/* The server's own metadata wins over what the client sent. */
static void metadata_carry(const struct kind *k, const json_t *before, json_t *body) {
    static const char *const ours[] = {"name",
                                       "namespace",
                                       "uid",
                                       "generation",
                                       "creationTimestamp",
                                       "deletionTimestamp",
                                       "deletionGracePeriodSeconds",
                                       "resourceVersion",
                                       "managedFields"};
    const json_t *was = json_object_get(before, "metadata");
    json_t *metadata = object_metadata(body);

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        carry(metadata, was, ours[i]);
    if (k->has_generation && content_differs(k, before, body))
        json_object_set_new(metadata, "generation",
                            json_integer(json_int(was, "generation", 1) + 1));
}

/* Stores a changed object, or keeps what there is when nothing differs. */
static void store_changed(struct sim *sim, const struct write *w, struct slot *slot, json_t *body,
                          struct object **ret) {
    struct object *kept;

    if (json_equal(body, slot->now->body)) {
        json_decref(body);
        *ret = object_ref(slot->now);
    } else if (w->dry_run) {
        kept = xcalloc(1, sizeof *kept);
        *kept = (struct object){.refs = 1, .kind = w->kind, .body = body, .rv = slot->now->rv};
        *ret = kept;
    } else {
        store_replace(sim->store, slot, body);
        *ret = object_ref(slot->now);
        controllers_finalized(sim, slot);
    }
}

/* `body` (taken) is what the client wants; `apply` that managedFields in it are right already. */
static json_t *update(struct sim *sim, const struct write *w, struct slot *slot, json_t *body,
                      bool applied, struct object **ret) {
    const json_t *before = slot->now->body;
    json_t *fields = json_incref(json_at(body, "metadata", "managedFields", NULL));
    json_t *refused = name_check(w, json_object_get(body, "metadata"));

    if (!refused)
        refused = precondition_check(w->kind, slot, json_object_get(body, "metadata"));
    if (!strcmp(w->sub, "status") && !refused) {
        json_t *status = json_incref(json_object_get(body, "status"));

        json_decref(body);
        body = json_copy((json_t *)(uintptr_t)before);
        json_object_set_new(body, "metadata", json_copy(json_object_get(body, "metadata")));
        if (status)
            json_object_set_new(body, "status", status);
    } else if (!refused) {
        if (w->kind->has_status)
            carry(body, before, "status");
        defaults_set(w->kind, body);
        metadata_carry(w->kind, before, body);
        if (applied)
            json_object_set(object_metadata(body), "managedFields", fields);
        else
            managed_update(w->kind, before, body, w->field_manager, w->sub);
        controllers_admit_update(w->kind, before, body);
        refused = validate(w->kind, before, body);
    }
    json_decref(fields);
    if (refused) {
        json_decref(body);
        return refused;
    }
    store_changed(sim, w, slot, body, ret);
    return NULL;
}

static void name_generate(json_t *metadata) {
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    const char *prefix = json_str(metadata, "generateName", "");
    unsigned char random[5];
    char suffix[6] = "";

    if (*json_str(metadata, "name", "") || !*prefix)
        return;
    random_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        suffix[i] = alphabet[random[i] % (sizeof alphabet - 1)];
    json_object_set_new(metadata, "name", json_sprintf("%s%s", prefix, suffix));
}

/* Kind, version and namespace of a body must be those of the URL. */
static json_t *body_check(const struct write *w, const json_t *body) {
    bool scale = !strcmp(w->sub, "scale");
    const char *wanted = scale ? "Scale" : w->kind->kind, *kind = json_str(body, "kind", wanted);
    const char *ns = object_ns(body), *given;
    char version[64];

    kind_api_version(w->kind, version);
    if (scale)
        snprintf(version, sizeof version, "autoscaling/v1");
    given = json_str(body, "apiVersion", version);
    if (!json_is_object(body))
        return kstatus(400, "BadRequest", "the body is not an object");
    if (strcmp(kind, wanted) || strcmp(given, version))
        return kstatus(400, "BadRequest",
                       "the API version in the data (%s, %s) does not match the expected one (%s, "
                       "%s)",
                       given, kind, version, wanted);
    if (*ns && strcmp(ns, w->ns))
        return kstatus(400, "BadRequest",
                       "the namespace of the provided object does not match the namespace sent on "
                       "the request");
    return name_check(w, json_object_get(body, "metadata"));
}

/* Creates what `body` (taken) says, whose managedFields are right already. */
static json_t *create(struct sim *sim, const struct write *w, json_t *body, struct object **ret) {
    json_t *metadata = object_metadata(body), *refused;
    struct object *kept;

    name_generate(metadata);
    if (w->kind->namespaced)
        json_object_set_new(metadata, "namespace", json_string(w->ns));
    object_stamp(body);
    if (w->kind->has_generation)
        json_object_set_new(metadata, "generation", json_integer(1));
    if (w->kind->has_status)
        json_object_del(body, "status");
    defaults_set(w->kind, body);
    refused = validate(w->kind, NULL, body);
    if (!refused && w->kind->namespaced && !store_find(sim->store, KIND_NAMESPACE, "", w->ns))
        refused = kstatus_not_found(kind_of(KIND_NAMESPACE), w->ns);
    if (!refused && store_find(sim->store, w->kind->id, w->ns, object_name(body)))
        refused = kstatus_already_exists(w->kind, object_name(body));
    if (!refused)
        refused = controllers_admit(sim, w->kind, body, w->dry_run);
    if (refused) {
        json_decref(body);
        return refused;
    }
    if (w->dry_run) {
        kept = xcalloc(1, sizeof *kept);
        *kept = (struct object){.refs = 1, .kind = w->kind, .body = body};
        *ret = kept;
        return NULL;
    }
    *ret = object_ref(store_create(sim->store, w->kind, body)->now);
    return NULL;
}

json_t *write_create(struct sim *sim, const struct write *w, const json_t *body,
                     struct object **ret) {
    json_t *refused = body_check(w, body), *copy, *metadata;

    if (refused)
        return refused;
    copy = normal_copy(w->kind, body);
    metadata = object_metadata(copy);
    if (*json_str(metadata, "resourceVersion", "")) {
        json_decref(copy);
        return kstatus(400, "BadRequest",
                       "resourceVersion should not be set on objects to be created");
    }
    json_object_del(metadata, "resourceVersion");
    json_object_del(metadata, "managedFields");
    json_object_del(metadata, "deletionTimestamp");
    if (w->kind->has_status)
        json_object_del(copy, "status");
    defaults_set(w->kind, copy);
    managed_update(w->kind, NULL, copy, w->field_manager, "");
    return create(sim, w, copy, ret);
}

json_t *write_replace(struct sim *sim, const struct write *w, const json_t *body,
                      struct object **ret) {
    struct slot *slot = store_find(sim->store, w->kind->id, w->ns, w->name);
    json_t *refused = body_check(w, body), *copy;

    if (refused)
        return refused;
    if (!slot)
        return kstatus_not_found(w->kind, w->name);
    if (!strcmp(w->sub, "scale")) {
        copy = json_deep_copy(slot->now->body);
        carry(json_object_get(copy, "spec"), json_object_get(body, "spec"), "replicas");
        carry(object_metadata(copy), json_object_get(body, "metadata"), "resourceVersion");
    } else {
        copy = normal_copy(w->kind, body);
    }
    return update(sim, w, slot, copy, false, ret);
}

static json_t *patched(struct slot *slot, const struct write *w, PatchType type,
                       const json_t *patch, json_t **ret) {
    json_t *body = !strcmp(w->sub, "scale") ? scale_of(slot->now) : json_deep_copy(slot->now->body);
    json_t *refused = NULL;

    if (type == PATCH_JSON)
        refused = patch_json(body, patch);
    else if (!json_is_object(patch))
        refused = kstatus(400, "BadRequest", "the patch is not an object");
    else if (type == PATCH_MERGE)
        patch_merge(body, patch);
    else
        patch_strategic(body, patch);
    if (refused) {
        json_decref(body);
        return refused;
    }
    *ret = body;
    return NULL;
}

static json_t *apply(struct sim *sim, const struct write *w, struct slot *slot,
                     const json_t *config, struct object **ret, bool *ret_created) {
    json_t *body = NULL, *refused = body_check(w, config);

    if (refused)
        return refused;
    if (!*w->field_manager)
        return kstatus(422, "Invalid",
                       "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is "
                       "required for apply patch");
    if (slot)
        refused = precondition_check(w->kind, slot, json_object_get(config, "metadata"));
    else if (*json_str(json_object_get(config, "metadata"), "resourceVersion", ""))
        refused = kstatus_conflict(w->kind, w->name, modified);
    if (!refused)
        refused = managed_apply(w->kind, slot ? slot->now->body : NULL, config, w->field_manager,
                                w->force, &body);
    if (refused)
        return refused;
    if (slot)
        return update(sim, w, slot, body, true, ret);
    *ret_created = true;
    json_object_set_new(object_metadata(body), "name", json_string(w->name));
    return create(sim, w, body, ret);
}

json_t *write_patch(struct sim *sim, const struct write *w, PatchType type, const json_t *patch,
                    struct object **ret, bool *ret_created) {
    struct slot *slot = store_find(sim->store, w->kind->id, w->ns, w->name);
    json_t *body = NULL, *refused;

    *ret_created = false;
    if (type == PATCH_APPLY && !*w->sub)
        return apply(sim, w, slot, patch, ret, ret_created);
    if (type == PATCH_APPLY)
        return kstatus(415, "UnsupportedMediaType", "apply is not served for subresources here");
    if (!slot)
        return kstatus_not_found(w->kind, w->name);
    refused = patched(slot, w, type, patch, &body);
    if (!refused && !strcmp(w->sub, "scale")) {
        refused = write_replace(sim, w, body, ret);
        json_decref(body);
        return refused;
    }
    return refused ? refused : update(sim, w, slot, body, false, ret);
}

json_t *write_delete(struct sim *sim, const struct write *w, const json_t *options, int grace_s,
                     struct object **ret, bool *ret_gone) {
    struct slot *slot = store_find(sim->store, w->kind->id, w->ns, w->name);
    json_t *refused;

    if (!slot)
        return kstatus_not_found(w->kind, w->name);
    refused = precondition_check(w->kind, slot, json_object_get(options, "preconditions"));
    if (refused)
        return refused;
    *ret = object_ref(slot->now);
    *ret_gone = false;
    if (w->dry_run)
        return NULL;
    grace_s = (int)json_int(options, "gracePeriodSeconds", grace_s);
    *ret_gone = controllers_delete(sim, slot, grace_s);
    if (!*ret_gone) {
        object_unref(*ret);
        *ret = object_ref(slot->now);
    }
    return NULL;
}

json_t *scale_of(const struct object *o) {
    const json_t *metadata = json_object_get(o->body, "metadata");
    const json_t *spec = json_object_get(o->body, "spec");
    json_t *scale =
        json_pack("{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s}, s:{s:I}, s:{s:I}}", "apiVersion",
                  "autoscaling/v1", "kind", "Scale", "metadata", "name", object_name(o->body),
                  "namespace", object_ns(o->body), "uid", json_str(metadata, "uid", ""),
                  "resourceVersion", json_str(metadata, "resourceVersion", ""), "creationTimestamp",
                  json_str(metadata, "creationTimestamp", ""), "spec", "replicas",
                  (json_int_t)json_int(spec, "replicas", 0), "status", "replicas",
                  (json_int_t)json_int(json_object_get(o->body, "status"), "replicas", 0));
    json_t *label;
    const char *key;
    char *text = NULL;

    json_object_foreach(json_at(spec, "selector", "matchLabels", NULL), key, label) {
        char *longer = xasprintf("%s%s%s=%s", text ? text : "", text ? "," : "", key,
                                 json_string_value(label) ? json_string_value(label) : "");

        free(text);
        text = longer;
    }
    json_object_set_new(json_object_get(scale, "status"), "selector",
                        json_string(text ? text : ""));
    free(text);
    return scale;
}
