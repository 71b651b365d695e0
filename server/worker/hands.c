#include "worker/hands.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "rollout/change.h"
#include "rollout/left.h"
#include "worker/observe.h"
#include "worker/owner.h"
#include <stdio.h>
#include <string.h>

enum { CHANGES_MAX = 16 }; /* on record for one write */

/* The three objects that deployments share with others; what else a release brings is its own. */
static bool is_shared(const struct job *j, const struct intent *intent) {
    const struct plan *p = &j->plan;

    if (strcmp(intent->kind, "Service") == 0)
        return strcmp(intent->name, p->service) == 0;
    return strcmp(intent->kind, "Deployment") == 0 &&
           (strcmp(intent->name, p->colors[COLOR_BLUE].workload) == 0 ||
            strcmp(intent->name, p->colors[COLOR_GREEN].workload) == 0);
}

static bool autoscaled(struct job *j, const struct intent *intent) {
    return strcmp(intent->kind, "Deployment") == 0 &&
           observe_autoscaler(j->cluster, j->plan.namespace_, intent->name);
}

static const char *op_of(const json_t *object) {
    return object ? kube_annotation(object, "sluice.dev/op") : NULL;
}

/* What a forward write relies on; false: nothing is known. */
static bool relied_on(const struct job *j, const struct intent *intent, const char *op,
                      const char **ret) {
    if (job_is_cleanup(j))
        return left_latest(&j->journal, intent->kind, intent->name, op, ret);
    return left_find(&j->plan, &j->journal, intent->kind, intent->name, op, ret);
}

bool hands_stop(struct job *j, const struct intent *intent, const json_t *object,
                struct write_outcome *ret) {
    _cleanup_free_ char *is = NULL;
    struct seen_change c;
    const char *was;

    if (job_backward(j) || !is_shared(j, intent) || !relied_on(j, intent, op_of(object), &was))
        return false;
    is = change_comparable(object);
    if ((was && is && strcmp(was, is) == 0) || !change_find(was, is, autoscaled(j, intent), &c))
        return false;
    if (object)
        owner_find(object, c.kind == CHANGE_FIELD ? c.field : "spec", c.by, &c.at_us);
    ret->end = WRITE_NO;
    ret->code = "third-party-change";
    ret->hint = "Somebody else changes it: agree with them, then deploy again.";
    change_sentence(intent->kind, intent->name, &c, ret->detail, sizeof ret->detail);
    return true;
}

/* ---- after a write ---- */

/* The fields that our own write changed. */
static void note_field(void *ctx, const char *field, const json_t *was, const json_t *is) {
    (void)was;
    (void)is;
    json_object_set_new(ctx, field, json_true());
}

static bool covers(const json_t *fields, const char *field) {
    const char *one;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)fields, one, value) {
        size_t a = strlen(one), b = strlen(field);

        if (strncmp(one, field, a < b ? a : b) == 0)
            return true;
    }
    return false;
}

struct overwriting {
    const struct intent *intent;
    const json_t *object; /* theirs: as it was before our write */
    json_t *ours;         /* the fields that our write changed */
    json_t *changes;
};

static void note_change(void *ctx, const char *field, const json_t *was, const json_t *is) {
    struct overwriting *o = ctx;
    char before[SEEN_VALUE], after[SEEN_VALUE], by[SEEN_WHO], at[TIME_TEXT];
    int64_t at_us = 0;
    json_t *change;

    if (json_array_size(o->changes) >= CHANGES_MAX)
        return;
    change_value(field, was, before, sizeof before);
    change_value(field, is, after, sizeof after);
    owner_find(o->object, field, by, &at_us);
    change =
        json_pack("{s:o, s:s, s:s, s:s, s:s?, s:s?, s:b}", "object",
                  json_sprintf("%s %s", o->intent->kind, o->intent->name), "field", field, "before",
                  before, "after", after, "by", *by ? by : NULL, "at",
                  at_us ? clock_format(at_us, at) : NULL, "overwritten", covers(o->ours, field));
    json_array_append_new(o->changes, change);
}

/* What a forward write of ours whose answer was lost left.  Of a Service it is computed: somebody
 * may have been there meanwhile. */
static char *left_by_lost(const struct job *j, const struct intent *intent, const json_t *found) {
    char *expected = NULL;

    if (strcmp(intent->kind, "Service") == 0 && !job_backward(j))
        expected = left_expected(&j->plan, &j->journal, intent->kind, intent->name, intent->op);
    return expected ? expected : change_comparable(found);
}

void hands_note(struct job *j, const struct intent *intent, const json_t *before,
                const json_t *after, struct write_outcome *ret) {
    _cleanup_free_ char *theirs = NULL, *was = NULL;
    json_auto_t *ours = NULL;
    struct overwriting o;

    if (!is_shared(j, intent))
        return;
    ret->left = before ? change_comparable(after) : left_by_lost(j, intent, after);
    if (!before || !job_backward(j))
        return;
    was = left_expected(&j->plan, &j->journal, intent->kind, intent->name, op_of(before));
    theirs = change_comparable(before);
    ours = json_object();
    change_each(theirs, ret->left, false, note_field, ours);
    ret->changes = json_array();
    o = (struct overwriting){intent, before, ours, ret->changes};
    if (was && strcmp(was, theirs) != 0)
        change_each(was, theirs, autoscaled(j, intent), note_change, &o);
}

void hands_keep(struct job *j, const struct intent *intent, const struct write_outcome *w) {
    json_t *change;
    size_t i;

    if (w->left)
        change_left(j, intent->kind, intent->name, w->left, w->resource_version);
    json_array_foreach(w->changes, i, change) {
        bool overwritten = json_bool(change, "overwritten", false);

        change_record(j, "third_party.change", json_incref(change),
                      "%s: %s had become %s (it was %s): %s", json_str(change, "object", ""),
                      json_str(change, "field", ""), json_str(change, "after", ""),
                      json_str(change, "before", ""),
                      overwritten ? "overwritten" : "left as it is");
    }
}
