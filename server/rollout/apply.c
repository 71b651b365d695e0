#include "rollout/apply.h"
#include "rollout/blue_green.h"
#include "rollout/documents.h"
#include <stdio.h>
#include <string.h>

static json_t *at_once(void) {
    return json_pack("{s:s, s:{s:s, s:s}}", "type", "RollingUpdate", "rollingUpdate", "maxSurge",
                     "100%", "maxUnavailable", "100%");
}

json_t *apply_own_strategy(const struct plan *p) {
    json_t *document = documents_find(p->documents, "Deployment", p->colors[p->target].workload);
    json_t *own = json_at(document, "spec", "strategy", NULL);

    if (own)
        return json_deep_copy(own);
    own = document ? NULL
                   : json_parse(json_str(json_object_get(p->resolved, "target"), "strategy", NULL));
    if (json_is_object(own))
        return own;
    json_decref(own); /* Kubernetes' own default */
    return json_pack("{s:s, s:{s:s, s:s}}", "type", "RollingUpdate", "rollingUpdate", "maxSurge",
                     "25%", "maxUnavailable", "25%");
}

bool apply_seize(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;
    Color active = color_other(p->target);
    const struct {
        const char *purpose, *kind, *name;
        bool there;
    } seizures[] = {
        {"seize-service", "Service", p->service, true},
        {"seize-target", "Deployment", p->colors[p->target].workload,
         a->seen->workload[p->target].exists},
        {"seize-from", "Deployment", p->colors[active].workload, a->seen->workload[active].exists},
    };

    for (size_t i = 0; i < sizeof seizures / sizeof *seizures; i++) {
        if (!seizures[i].there || journal_done(a->journal, "deploy", seizures[i].purpose))
            continue;
        /* a target that apply has just created is ours already */
        if (i == 1 && journal_touched(a->journal, "deploy", "Deployment", seizures[i].name))
            continue;
        decide_write(d, seizures[i].purpose, seizures[i].kind, seizures[i].name, WRITE_MERGE,
                     json_object());
        return true;
    }
    return false;
}

bool apply_count_is_theirs(const struct step_ask *a) {
    const struct seen_workload *w = &a->seen->workload[a->plan->target];

    return w->autoscaler.exists && w->exists && w->replicas > 0;
}

/* What the target is scaled to: at least the floor, so that it can take over all that is served
 * now. */
static int target_replicas(const struct step_ask *a, const json_t *document) {
    int floor = blue_green_floor(a->plan, a->seen);
    int least = a->seen->workload[a->plan->target].autoscaler.least;
    int64_t asked = json_int(
        json_object_get(document, "spec"), "replicas",
        document ? 1 : json_int(json_object_get(a->plan->resolved, "target"), "replicas", 1));

    if (asked < least)
        asked = least;
    return asked > floor ? (int)asked : floor;
}

static json_t *workload_document(const struct step_ask *a, const json_t *document) {
    json_t *body = json_deep_copy(document), *metadata = json_object_get(body, "metadata");
    json_t *spec = json_object_get(body, "spec"),
           *annotations = json_object_get(metadata, "annotations");

    if (!annotations) {
        annotations = json_object();
        json_object_set_new(metadata, "annotations", annotations);
    }
    json_object_set_new(annotations, "sluice.dev/version", json_string(a->plan->version));
    if (apply_count_is_theirs(a))
        json_object_del(spec, "replicas");
    else
        json_object_set_new(spec, "replicas", json_integer(target_replicas(a, document)));
    if (a->plan->idle_at_once)
        json_object_set_new(spec, "strategy", at_once());
    return body;
}

/* Without manifests: only image, replicas, version. */
static json_t *image_patch(const struct step_ask *a) {
    const struct plan *p = a->plan;
    json_t *body = json_pack("{s:{s:{s:s}}, s:{s:{s:{s:[{s:s, s:s}]}}}}", "metadata", "annotations",
                             "sluice.dev/version", p->version, "spec", "template", "spec",
                             "containers", "name", p->container, "image", p->image);

    if (!apply_count_is_theirs(a))
        json_object_set_new(json_object_get(body, "spec"), "replicas",
                            json_integer(target_replicas(a, NULL)));
    if (p->idle_at_once)
        json_object_set_new(json_object_get(body, "spec"), "strategy", at_once());
    return body;
}

/* Names an intent after its document.  Longer names than fit would collide: the index keeps them
 * apart. */
static void name_document(struct decision *d, size_t index, const char *kind, const char *name) {
    snprintf(d->named, sizeof d->named, "apply-%zu-%s-%.150s", index, kind, name);
}

bool apply_documents(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;
    const char *workload = p->colors[p->target].workload;
    json_t *document, *own = documents_find(p->documents, "Deployment", workload);
    size_t i;

    json_array_foreach(p->documents, i, document) {
        const char *kind = json_str(document, "kind", "");
        const char *name = json_str(json_object_get(document, "metadata"), "name", "");

        name_document(d, i, kind, name);
        if (document == own || journal_done(a->journal, "deploy", d->named))
            continue;
        decide_write(d, d->named, kind, name, WRITE_APPLY, json_deep_copy(document));
        return true;
    }
    if (journal_done(a->journal, "deploy", "apply-workload"))
        return false;
    if (own)
        decide_write(d, "apply-workload", "Deployment", workload, WRITE_APPLY,
                     workload_document(a, own));
    else
        decide_write(d, "apply-workload", "Deployment", workload, WRITE_STRATEGIC, image_patch(a));
    return true;
}

bool apply_restore_strategy(const struct step_ask *a, struct decision *d) {
    const struct seen_workload *w = &a->seen->workload[a->plan->target];
    json_t *own, *rolling;

    if (!a->plan->idle_at_once || journal_done(a->journal, "deploy", "restore-strategy") ||
        w->pods < w->replicas || w->updated < w->replicas)
        return false;
    own = apply_own_strategy(a->plan);
    rolling = json_object_get(own, "rollingUpdate");
    if (!rolling) /* Recreate may not carry it, and a merge patch has to say so */
        json_object_set_new(own, "rollingUpdate", json_null());
    decide_write(d, "restore-strategy", "Deployment", a->plan->colors[a->plan->target].workload,
                 WRITE_MERGE, json_pack("{s:{s:o}}", "spec", "strategy", own));
    return true;
}
