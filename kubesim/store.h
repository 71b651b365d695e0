/* kubesim/store.h: every object of the cluster, its versions, and what happened lately.
 *
 * One resourceVersion counts for all.  A version of an object never changes once stored: a write
 * stores a new one.  The last `history` events of each kind are kept for watches; who asks for an
 * older point is told 410.  Only the loop's thread touches a store. */
#pragma once
#include "kubesim/kinds.h"
#include <jansson.h>

/* One version of an object; shared by reference. */
struct object {
    unsigned refs;
    const struct kind *kind;
    json_t *body; /* owned; never changed */
    char *text;   /* owned; the body's JSON, made when first asked for */
    size_t text_len;
    int64_t rv;
};

/* An object's identity: the same from its creation to its end. */
struct slot {
    const struct kind *kind;
    char *ns, *name, *uid; /* owned; ns is "" where there is none */
    struct object *now;    /* owned */
    void *attached;        /* the kind's controller's */
    bool queued;           /* waits for its controller */
};

struct bucket { /* the objects of one kind in one namespace, by name */
    const struct kind *kind;
    char *ns;
    struct slot **slots;
    size_t n, cap;
    struct bucket *next; /* the same kind's next namespace, by name */
};

struct event {
    struct object *before, *after; /* owned; before is NULL for ADDED */
    bool deleted;                  /* then `after` is the last state under the deletion's version */
};

struct store;
/* Called after each stored write; `slot` is still valid, also when it is being deleted. */
typedef void store_hook_fn(void *ctx, struct slot *slot, const struct event *event);

struct store *store_new(size_t history, store_hook_fn *hook, void *ctx);
void store_free(struct store *s);
int64_t store_version(const struct store *s); /* the newest resourceVersion */

struct bucket *store_buckets(struct store *s, KindId kind);                /* first, or NULL */
struct bucket *store_bucket(struct store *s, KindId kind, const char *ns); /* NULL: none */
/* The objects of a bucket (NULL: none) named "OWNER-…", [*first, *end): a workload's sets, a set's
 * pods are among them, without a look at all others. */
void bucket_named_after(const struct bucket *b, const char *owner, size_t *ret_first,
                        size_t *ret_end);
struct slot *store_find(struct store *s, KindId kind, const char *ns, const char *name);

/* Stores `body` (taken) under metadata.namespace and .name with a new resourceVersion; uid and
 * creationTimestamp must be in it. */
struct slot *store_create(struct store *s, const struct kind *kind, json_t *body);
/* Stores the next version (taken). */
void store_replace(struct store *s, struct slot *slot, json_t *body);
void store_delete(struct store *s, struct slot *slot); /* frees the slot */

/* Events of a kind by position.  Positions before store_first_event() are forgotten. */
uint64_t store_first_event(const struct store *s, KindId kind);
uint64_t store_end_event(const struct store *s, KindId kind); /* one past the newest */
const struct event *store_event(const struct store *s, KindId kind, uint64_t at);
/* The first event newer than `rv`; false when some such event is forgotten already. */
bool store_events_after(const struct store *s, KindId kind, int64_t rv, uint64_t *ret_at);

struct object *object_ref(struct object *o);
void object_unref(struct object *o); /* NULL-safe */
const char *object_text(struct object *o, size_t *ret_len);

/* Parts of any object; borrowed, NULL or "" when missing. */
const char *object_name(const json_t *body);
const char *object_ns(const json_t *body);
json_t *object_labels(const json_t *body);
/* metadata, made when missing. */
json_t *object_metadata(json_t *body);
/* The ownerReference with controller: true, or NULL. */
json_t *object_controller(const json_t *body);
/* A fresh body with apiVersion, kind, metadata{name, namespace, uid, creationTimestamp}. */
json_t *object_new(const struct kind *kind, const char *ns, const char *name);
/* Fills uid and creationTimestamp. */
void object_stamp(json_t *body);
/* Now as Kubernetes writes times: whole seconds. */
char *kube_time(char text[32]);
/* Now as a MicroTime, or any wall-clock time as one. */
char *kube_micro_time(int64_t us, char text[40]);
