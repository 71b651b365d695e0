#include "worker/write.h"
#include "base/clock.h"
#include "base/crash.h"
#include "worker/hands.h"
#include "worker/objects.h"
#include "worker/observe.h"
#include "worker/owner.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 10, AT_ONCE = 3 };

static void later(struct job *j, const struct kube_result *r, struct write_outcome *ret) {
    /* backward verbs do not back off for long: law 2 promises a second under a fifth of calls
     * failing */
    int most = job_backward(j) ? 1 : 5;
    int64_t wait_us = 50 * US_PER_MS << (j->failures < most ? j->failures : most);

    j->failures++;
    if (r->retry_after_s >= 0)
        wait_us = (r->retry_after_s < 60 ? r->retry_after_s : 60) * US_PER_S;
    ret->end = WRITE_LATER;
    ret->until_us = clock_monotonic_us() + wait_us;
    snprintf(ret->detail, sizeof ret->detail, "The cluster did not confirm it: %.400s", r->message);
}

static void no(struct write_outcome *ret, const char *code, const char *hint,
               const struct intent *intent, const char *what, const char *message) {
    ret->end = WRITE_NO;
    ret->code = code;
    ret->hint = hint;
    snprintf(ret->detail, sizeof ret->detail, "%s %s %s%.350s", intent->kind, intent->name, what,
             message);
}

KubeKind write_kind(const struct intent *intent) {
    const char *api_version = strcmp(intent->kind, "Deployment") == 0 ? "apps/v1" : "v1";
    KubeKind kind = KUBE_SERVICE;

    api_version = json_str(json_object_get(intent->write, "body"), "apiVersion", api_version);
    if (!kube_kind_find(api_version, intent->kind, &kind))
        die("an intent names the kind %s, which was checked before", intent->kind);
    return kind;
}

static json_t *object_in(json_t *parent, const char *key) {
    json_t *child = json_object_get(parent, key);

    if (!child) {
        child = json_object();
        json_object_set_new(parent, key, child);
    }
    return child;
}

/* A merge patch keeps what it does not name: what the selector has beyond the wanted one goes. */
static void select_whole(json_t *body, const json_t *object) {
    json_t *wanted = json_at(body, "spec", "selector", NULL), *value;
    const char *key;

    json_object_foreach(json_at(object, "spec", "selector", NULL), key,
                        value) if (!json_object_get(wanted, key))
        json_object_set_new(wanted, key, json_null());
}

/* An applied document without replicas gives up a count that we applied before, and the API server
 * puts 1 in its place: what an autoscaler made of it stays in the document while it is ours. */
static void keep_count(json_t *body, const json_t *object) {
    json_t *spec = json_object_get(body, "spec");
    json_t *now = json_at(object, "spec", "replicas", NULL);

    if (now && !json_object_get(spec, "replicas") &&
        owner_is(object, "spec.replicas", "sluice", "Apply"))
        json_object_set(spec, "replicas", now);
}

/* The body with what fences it.  object: what GET found, NULL to create. */
static json_t *fenced_body(const struct job *j, const struct intent *intent, const json_t *object) {
    json_t *body = json_deep_copy(json_object_get(intent->write, "body"));
    json_t *metadata = object_in(body, "metadata"),
           *annotations = object_in(metadata, "annotations");
    const char *verb = json_str(intent->write, "verb", "");
    int64_t epoch = j->epoch, theirs = object ? object_epoch(object) : 0;

    /* backward verbs go on after lost history: the admission policy refuses a lower epoch */
    if (job_backward(j) && theirs >= epoch)
        epoch = theirs + 1;
    json_object_set_new(annotations, "sluice.dev/epoch", json_sprintf("%lld", (long long)epoch));
    json_object_set_new(annotations, "sluice.dev/op", json_string(intent->op));
    json_object_set_new(annotations, "sluice.dev/environment",
                        json_sprintf("%s/%s", j->app, j->environment));
    json_object_set_new(object_in(metadata, "labels"), "sluice.dev/managed", json_string("true"));
    if (strcmp(verb, WRITE_SELECT) == 0)
        select_whole(body, object);
    if (strcmp(verb, WRITE_APPLY) == 0 && strcmp(intent->kind, "Deployment") == 0)
        keep_count(body, object);
    if (object)
        json_object_set_new(metadata, "resourceVersion",
                            json_string(kube_resource_version(object)));
    return body;
}

bool write_history_known(struct db_pool *pool, const struct job *j, const char *op, int64_t epoch,
                         Status *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;

    *ret = STATUS_OK;
    if (epoch > j->epoch)
        return false;
    if (!op || !*op)
        return true;
    for (size_t i = 0; i < j->journal.count; i++)
        if (strcmp(j->journal.intents[i].op, op) == 0)
            return true;
    *ret = db_once(pool, SQL_TICK_OP_KNOWN, &rows, DB_PARAMS(op));
    return *ret || db_bool(rows, 0, "known");
}

static Status lease_held(struct db_pool *pool, const struct job *j, bool *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_once(pool, SQL_LEASE_CHECK, &rows,
                       DB_PARAMS(j->environment_id, DB_INT(j->epoch), DB_INT(j->holder)));

    *ret = !s && db_bool(rows, 0, "held");
    return s;
}

/* The step's own last word, on a fresh look beside the object that is about to be written: a look
 * at a later one might show this very write, sent by the holder before. */
static bool vetoed(struct job *j, const struct intent *intent, json_t *object,
                   struct write_outcome *ret) {
    const struct step_row *row = job_row(j);
    _cleanup_(seen_done) struct seen seen = {0};
    const struct step_ask ask = {&j->plan, &j->journal, &seen, job_progress(j)->started_us};

    if (!row->may_send || strcmp(intent->purpose, row->cutover) != 0)
        return false;
    observe_cutover(j->cluster, &j->plan, &j->journal, object, &seen);
    if (row->may_send(&ask, &ret->decision))
        return false;
    ret->end = WRITE_VETO;
    return true;
}

/* The object as it is, with some members of its spec whole as wanted, and what fences it. */
static void replace(struct job *j, KubeKind kind, const char *name, const json_t *object,
                    const json_t *fenced, struct kube_result *r) {
    json_auto_t *whole = json_deep_copy(object);
    json_t *metadata = json_object_get(whole, "metadata"),
           *wanted = json_object_get(fenced, "metadata");

    json_object_update(json_object_get(whole, "spec"), json_object_get(fenced, "spec"));
    json_object_update(object_in(metadata, "annotations"), json_object_get(wanted, "annotations"));
    json_object_update(object_in(metadata, "labels"), json_object_get(wanted, "labels"));
    kube_replace(j->cluster, kind, j->plan.namespace_, name, whole, r);
}

void write_send(struct job *j, const struct intent *intent, const json_t *object, bool dry_run,
                struct kube_result *r) {
    KubeKind kind = write_kind(intent);
    const char *verb = json_str(intent->write, "verb", "");
    json_auto_t *body = fenced_body(j, intent, object);

    crash_place(intent->step, intent->purpose);
    crash_point(CRASH_BEFORE_SEND);
    if (!object)
        kube_create(j->cluster, kind, j->plan.namespace_, body, dry_run, r);
    else if (strcmp(verb, WRITE_REPLACE) == 0)
        replace(j, kind, intent->name, object, body, r);
    else if (strcmp(verb, WRITE_APPLY) == 0)
        kube_patch(j->cluster, kind, j->plan.namespace_, intent->name, KUBE_APPLY, body, dry_run,
                   r);
    else
        kube_patch(j->cluster, kind, j->plan.namespace_, intent->name,
                   strcmp(verb, WRITE_STRATEGIC) == 0 ? KUBE_STRATEGIC_PATCH : KUBE_MERGE_PATCH,
                   body, dry_run, r);
    crash_point(CRASH_AFTER_REPLY);
    crash_place(NULL, NULL);
}

/* before: what it was sent against; NULL: that is not known any more. */
static void written(struct job *j, const struct intent *intent, const json_t *before,
                    const json_t *object, struct write_outcome *ret) {
    int64_t ahead = object_epoch(object);

    ret->end = WRITE_DONE;
    snprintf(ret->resource_version, sizeof ret->resource_version, "%s",
             kube_resource_version(object));
    if (ahead > j->epoch) /* of a lost history: the lease follows */
        change_set(j, "epoch", json_integer(ahead));
    hands_note(j, intent, before, object, ret);
}

/* What a missing object means.  true when the write may go on as a creation. */
static bool absent(struct job *j, const struct intent *intent, struct write_outcome *ret) {
    if (strcmp(json_str(intent->write, "verb", ""), WRITE_APPLY) == 0)
        return true;
    if (job_backward(j) && strcmp(intent->kind, "Service") != 0)
        ret->end = WRITE_DONE; /* a workload that is gone needs no undoing */
    else if (strcmp(intent->purpose, "seize-from") == 0)
        ret->end = WRITE_DONE; /* nobody returns to it, and the new version is the way out */
    else if (strcmp(intent->purpose, "fence-service") == 0)
        ret->end = WRITE_DONE; /* of a deployment that never touched it: nothing is left to fence */
    else
        no(ret, "third-party-change",
           job_backward(j) ? "Somebody deleted it: create it again, then retry."
                           : "Somebody deleted it: create it again, then deploy again.",
           intent, "is gone", "");
    return false;
}

/* What was never ours, or is gone, carries no mark to take over. */
static bool nothing_to_adopt(const struct intent *intent, const json_t *object) {
    return strcmp(json_str(intent->write, "verb", ""), WRITE_ADOPT) == 0 &&
           (!object || (!kube_annotation(object, "sluice.dev/op") && object_epoch(object) == 0));
}

/* Nothing is to be sent: it was before, or there is nothing to write to. */
static bool settled(struct job *j, const struct intent *intent, const json_t *object,
                    struct write_outcome *ret) {
    const char *op = object ? kube_annotation(object, "sluice.dev/op") : NULL;

    if (op && strcmp(op, intent->op) == 0) {
        written(j, intent, job_backward(j) ? ret->before : NULL, object, ret);
        return true;
    }
    if (nothing_to_adopt(intent, object)) {
        ret->end = WRITE_DONE;
        return true;
    }
    return !object && !absent(j, intent, ret);
}

/* The Service as the watch shows it, where that is not older than our own last write to it.  What
 * is sent carries its resourceVersion: of one that has changed since the API server refuses it.  Of
 * a workload that moves with every pod. */
static bool object_watched(const struct job *j, const struct intent *intent,
                           struct kube_result *got) {
    if (write_kind(intent) != KUBE_SERVICE ||
        !journal_is_ahead(&j->journal, intent->kind, intent->name, ""))
        return false;
    *got = (struct kube_result){
        .outcome = KUBE_DONE,
        .object = kube_cached(j->cluster, KUBE_SERVICE, j->plan.namespace_, intent->name)};
    return got->object && !journal_is_ahead(&j->journal, intent->kind, intent->name,
                                            kube_resource_version(got->object));
}

/* Reads the object; *watched: what the watch shows may do, and did.  false: that did not go
 * through, and ret says how. */
static bool object_read(struct job *j, const struct intent *intent, bool *watched,
                        struct kube_result *got, struct write_outcome *ret) {
    for (int i = 0; i < AT_ONCE && (i == 0 || (got->outcome == KUBE_UNKNOWN && got->code >= 500));
         i++) {
        kube_result_done(got);
        crash_place(intent->step, intent->purpose);
        crash_point(CRASH_BEFORE_READ);
        *watched = *watched && object_watched(j, intent, got);
        if (!*watched) {
            kube_result_done(got);
            kube_get(j->cluster, write_kind(intent), j->plan.namespace_, intent->name, got);
        }
        crash_point(CRASH_AFTER_READ);
        crash_place(NULL, NULL);
    }
    if (got->outcome == KUBE_DONE || got->outcome == KUBE_NOT_FOUND)
        return true;
    if (got->outcome == KUBE_REFUSED && !job_backward(j))
        no(ret, "cluster-unavailable", "Check the permissions of Sluice's account.", intent,
           "may not be read: ", got->message);
    else
        later(j, got, ret);
    return false;
}

/* Takes up what the API server said to a write.  true: look again. */
static bool answered(struct job *j, const struct intent *intent, json_t *before,
                     const struct kube_result *put, struct write_outcome *ret) {
    if (put->outcome == KUBE_DONE)
        written(j, intent, before ? before : put->object, put->object, ret);
    else if (put->outcome == KUBE_CONFLICT || put->outcome == KUBE_NOT_FOUND ||
             (put->outcome == KUBE_UNKNOWN && put->retry_after_s < 0 && j->failures++ < AT_ONCE))
        return true; /* was it ours? */
    else if (put->outcome == KUBE_REFUSED)
        no(ret, strstr(put->message, "quota") ? "quota" : "invalid-target",
           "Correct what the API server names, then deploy again.", intent,
           "was refused: ", put->message);
    else
        later(j, put, ret);
    return false;
}

/* One round; watched: it may go by what the watch shows.  true: the object changed under us, or
 * what the watch shows speaks against it: look again. */
static bool attempt(struct db_pool *pool, struct job *j, const struct intent *intent, bool watched,
                    struct write_outcome *ret) {
    _cleanup_(kube_result_done) struct kube_result got = {0}, put = {0};
    const char *op;
    bool held, known;
    Status s = STATUS_OK;

    if (!object_read(j, intent, &watched, &got, ret) || settled(j, intent, got.object, ret))
        return false;
    op = got.object ? kube_annotation(got.object, "sluice.dev/op") : NULL;
    known = !got.object || job_backward(j) ||
            write_history_known(pool, j, op, object_epoch(got.object), &s);
    if (!s && !known) { /* to a holder that was taken over the next one's writes look like that */
        if (watched)
            return true;
        s = lease_held(pool, j, &held);
        ret->end = s || !held ? WRITE_DROPPED : WRITE_HISTORY;
        snprintf(ret->detail, sizeof ret->detail,
                 "%s %s carries a write (op %s) that this database does not know", intent->kind,
                 intent->name, op ? op : "none");
        return false;
    }
    if ((!s && hands_stop(j, intent, got.object, ret)) || vetoed(j, intent, got.object, ret))
        return watched;
    if (!s)
        s = lease_held(pool, j, &held);
    if (s || !held) {
        ret->end = WRITE_DROPPED;
        return false;
    }
    json_decref(ret->before);
    ret->before = json_incref(got.object);
    write_send(j, intent, got.object, false, &put);
    return answered(j, intent, got.object, &put, ret);
}

void write_outcome_done(struct write_outcome *w) {
    free(w->left);
    json_decref(w->changes);
    json_decref(w->before);
    w->left = NULL;
    w->changes = w->before = NULL;
}

void write_intent(struct db_pool *pool, struct job *j, const struct intent *intent,
                  struct write_outcome *ret) {
    int tries = 0;

    *ret = (struct write_outcome){0};
    while (tries++ < TRIES && attempt(pool, j, intent, tries == 1, ret))
        ;
    if (tries > TRIES) {
        ret->end = WRITE_LATER;
        ret->until_us = clock_monotonic_us() + 100 * US_PER_MS;
        snprintf(ret->detail, sizeof ret->detail, "%s %s keeps changing", intent->kind,
                 intent->name);
    }
    if (ret->end == WRITE_DONE)
        j->failures = 0;
}
