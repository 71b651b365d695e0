#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/json.h"
#include "kubesim/store.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

struct object *object_ref(struct object *o) {
    if (o)
        o->refs++;
    return o;
}

void object_unref(struct object *o) {
    if (!o || --o->refs)
        return;
    json_decref(o->body);
    free(o->text);
    free(o);
}

const char *object_text(struct object *o, size_t *ret_len) {
    if (!o->text) {
        o->text = json_text(o->body);
        o->text_len = strlen(o->text);
    }
    *ret_len = o->text_len;
    return o->text;
}

const char *object_name(const json_t *body) {
    return json_str(json_object_get(body, "metadata"), "name", "");
}

const char *object_ns(const json_t *body) {
    return json_str(json_object_get(body, "metadata"), "namespace", "");
}

json_t *object_labels(const json_t *body) {
    return json_at(body, "metadata", "labels", NULL);
}

json_t *object_metadata(json_t *body) {
    json_t *metadata = json_object_get(body, "metadata");

    if (!json_is_object(metadata)) {
        metadata = json_object();
        json_object_set_new(body, "metadata", metadata);
    }
    return metadata;
}

json_t *object_controller(const json_t *body) {
    json_t *owner;
    size_t i;

    json_array_foreach(json_at(body, "metadata", "ownerReferences", NULL), i, owner) {
        if (json_is_true(json_object_get(owner, "controller")))
            return owner;
    }
    return NULL;
}

/* A random UUID (version 4), as Kubernetes gives them. */
static void random_uid(char text[UUID_TEXT]) {
    unsigned char b[16];
    char hex[33];

    random_bytes(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    hex_encode(b, sizeof b, hex);
    snprintf(text, UUID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
}

void object_stamp(json_t *body) {
    json_t *metadata = object_metadata(body);
    char uid[UUID_TEXT], now[32];

    random_uid(uid);
    json_object_set_new(metadata, "uid", json_string(uid));
    json_object_set_new(metadata, "creationTimestamp", json_string(kube_time(now)));
}

json_t *object_new(const struct kind *kind, const char *ns, const char *name) {
    char version[64];
    json_t *body = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", kind_api_version(kind, version),
                             "kind", kind->kind, "metadata", "name", name);

    if (kind->namespaced)
        json_object_set_new(object_metadata(body), "namespace", json_string(ns));
    object_stamp(body);
    return body;
}

char *kube_time(char text[32]) {
    time_t now = (time_t)(clock_now_us() / US_PER_S);
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return text;
}

char *kube_micro_time(int64_t us, char text[40]) {
    time_t s = (time_t)(us / US_PER_S);
    struct tm tm;
    size_t n;

    gmtime_r(&s, &tm);
    n = strftime(text, 40, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, 40 - n, ".%06dZ", (int)(us % US_PER_S));
    return text;
}
