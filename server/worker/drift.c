#include "worker/drift.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "rollout/change.h"
#include "worker/objects.h"
#include "worker/observe.h"
#include "worker/owner.h"
#include <stdio.h>
#include <string.h>

enum {
    DRIFT_MAX = 32,
    LAG_S = 10, /* a watch that lags that long says so itself */
};

struct drifting {
    const char *kind, *name;
    const json_t *object; /* NULL: gone */
    json_t *found;
};

static void add(struct drifting *w, const struct seen_change *c) {
    char sentence[SEEN_TEXT * 2];
    bool field = c->kind == CHANGE_FIELD;
    json_t *one;

    if (json_array_size(w->found) >= DRIFT_MAX)
        return;
    change_sentence(w->kind, w->name, c, sentence, sizeof sentence);
    one = json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:s?}", "object",
                    json_sprintf("%s %s", w->kind, w->name), "kind", w->kind, "name", w->name,
                    "field", field ? c->field : "", "expected", field ? c->was : "as it was left",
                    "actual",
                    field                    ? c->is
                    : c->kind == CHANGE_GONE ? "absent"
                                             : "created anew",
                    "by", *c->by ? c->by : NULL);
    json_set_time(one, "since", c->at_us);
    json_set_str(one, "message", sentence);
    json_array_append_new(w->found, one);
}

static void add_field(void *ctx, const char *field, const json_t *was, const json_t *is) {
    struct drifting *w = ctx;
    struct seen_change c = {.kind = strcmp(field, "uid") == 0 ? CHANGE_REPLACED : CHANGE_FIELD,
                            .fields = 1};

    snprintf(c.field, sizeof c.field, "%.250s", field);
    change_value(field, was, c.was, sizeof c.was);
    change_value(field, is, c.is, sizeof c.is);
    owner_find(w->object, c.kind == CHANGE_FIELD ? field : "spec", c.by, &c.at_us);
    add(w, &c);
}

static bool named_by(const json_t *spec, const char *kind, const char *name) {
    const json_t *bg = json_object_get(spec, "blue_green");

    if (strcmp(kind, "Service") == 0)
        return strcmp(name, json_str(bg, "service", "")) == 0;
    for (Color c = COLOR_BLUE; c < COLORS; c++)
        if (strcmp(name, json_str(json_at(bg, "colors", color_names[c], NULL), "deployment", "")) ==
            0)
            return true;
    return false;
}

static void compare(struct kube_cluster *c, const char *namespace_, const struct db_rows *left,
                    size_t i, json_t *found) {
    const char *kind = db_text(left, i, "kind"), *name = db_text(left, i, "name");
    const char *was = db_text(left, i, "comparable");
    bool workload = strcmp(kind, "Deployment") == 0;
    json_auto_t *object =
        kube_cached(c, workload ? KUBE_DEPLOYMENT : KUBE_SERVICE, namespace_, name);
    _cleanup_free_ char *is = change_comparable(object);
    struct drifting w = {kind, name, object, found};

    if (!object) {
        if (db_int(left, i, "age_us") > LAG_S * US_PER_S)
            add(&w, &(struct seen_change){.kind = CHANGE_GONE});
        return;
    }
    if (strcmp(was, is) == 0 ||
        kube_version_newer(db_text(left, i, "resource_version"), kube_resource_version(object)))
        return; /* as it was left, or seen before that write */
    change_each(was, is, workload && observe_autoscaler(c, namespace_, name), add_field, &w);
}

json_t *drift_find(struct kube_cluster *c, const json_t *spec, const struct db_rows *left) {
    json_t *found = json_array();

    for (size_t i = 0; i < db_rows_count(left); i++) {
        const char *kind = db_text(left, i, "kind");

        if (kind && named_by(spec, kind, db_text(left, i, "name")))
            compare(c, json_str(spec, "namespace", ""), left, i, found);
    }
    return found;
}
