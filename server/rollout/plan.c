#include "rollout/plan.h"
#include "rollout/documents.h"
#include "rollout/step.h"
#include <string.h>

/* The color to prepare: one that the Service does not select.  Where the selector names none of
 * ours, resolve will say so; green is as good as any. */
static Color choose_target(const struct seen *seen) {
    return seen->service.color_known ? color_other(seen->service.color) : COLOR_GREEN;
}

/* What serves: the color that the Service selects, if any of its pods is ready (api.md: else this
 * is the first). */
static json_t *serving(const struct seen *seen) {
    const struct seen_workload *w = &seen->workload[seen->service.color];

    if (!seen->service.color_known || !w->exists || w->pods_ready == 0)
        return json_null();
    return json_pack("{s:s, s:s, s:s}", "color", color_names[seen->service.color], "version",
                     w->version, "image", w->image);
}

Status plan_make(const struct plan_request *in, struct arena *arena, json_t **ret,
                 const char **reterr) {
    Color target = choose_target(in->seen);
    const char *image =
        in->digest ? arena_printf(arena, "%s@%s", in->image, in->digest) : in->image;
    const struct document_limits limits = {in->spec, target, in->version, image};
    json_t *documents = json_null();

    if (in->documents) {
        documents = documents_render(in->documents, &limits, arena, reterr);
        if (!documents)
            return E_INVALID_BODY;
    }
    *ret = json_pack("{s:O, s:{s:s, s:s, s:s}, s:o, s:o}", "spec", in->spec, "target", "color",
                     color_names[target], "version", in->version, "image", image, "from",
                     serving(in->seen), "documents", documents);
    if (*ret && in->documents)
        json_object_set_new(*ret, "objects", documents_objects(in->documents, &limits));
    if (*ret && json_array_size(in->flags))
        json_object_set(*ret, "flags", (json_t *)(uintptr_t)in->flags);
    if (*ret && in->params)
        json_object_set(*ret, "params", (json_t *)(uintptr_t)in->params);
    return *ret ? STATUS_OK : FAULT_BUG;
}

Status plan_check_documents(const json_t *spec, const json_t *documents, struct arena *arena,
                            const char **reterr) {
    for (Color c = COLOR_BLUE; c < COLORS; c++) {
        const struct document_limits limits = {spec, c, "v0.0.0", "example.invalid/image:v0.0.0"};
        json_auto_t *rendered = documents_render(documents, &limits, arena, reterr);

        if (!rendered)
            return E_INVALID_BODY;
    }
    return STATUS_OK;
}

bool plan_read(const json_t *json, struct plan *ret) {
    const json_t *spec = json_object_get(json, "spec"), *bg = json_object_get(spec, "blue_green");
    const json_t *target = json_object_get(json, "target");
    const json_t *deadlines = json_object_get(spec, "deadlines");

    *ret = (struct plan){
        .json = json,
        .spec = spec,
        .namespace_ = json_str(spec, "namespace", NULL),
        .service = json_str(bg, "service", NULL),
        .selector_key = json_str(bg, "selector_key", NULL),
        .container = json_str(spec, "container", NULL),
        .version = json_str(target, "version", NULL),
        .image = json_str(target, "image", NULL),
        .has_from = json_is_object(json_object_get(json, "from")),
        .idle_at_once = strcmp(json_str(bg, "idle_rollout", "at-once"), "at-once") == 0,
        .promote_auto = strcmp(json_str(json_object_get(json, "params"), "promote",
                                        json_str(bg, "promote", "auto")),
                               "auto") == 0,
        .documents = json_is_array(json_object_get(json, "documents"))
                         ? json_object_get(json, "documents")
                         : NULL,
        .resolved = json_object_get(json, "resolved"),
        .available_s = json_int(deadlines, "available_s", 600),
        .checks_s = json_int(deadlines, "checks_s", 120),
        .validate_s = json_int(deadlines, "validate_s", 30),
        .keep_previous_s = json_int(bg, "keep_previous_s", 86400),
    };
    for (Color c = COLOR_BLUE; c < COLORS; c++) {
        const json_t *color = json_at(bg, "colors", color_names[c], NULL);

        ret->colors[c] = (struct plan_color){json_str(color, "deployment", NULL),
                                             json_str(color, "service", NULL)};
        if (!ret->colors[c].workload || !ret->colors[c].service)
            return false;
    }
    return ret->namespace_ && ret->service && ret->selector_key && ret->container && ret->version &&
           ret->image && color_find(json_str(target, "color", NULL), &ret->target);
}

const json_t *plan_checks(const struct plan *p, CheckSet set) {
    static const char *const keys[] = {"", "health", "smoke", "production", "health"};

    return json_at(p->spec, "checks", keys[set], NULL);
}

bool plan_checks_direct(const struct plan *p, bool in_cluster) {
    const char *reach = json_str(json_object_get(p->spec, "checks"), "reach", "auto");

    return strcmp(reach, "direct") == 0 || (strcmp(reach, "auto") == 0 && in_cluster);
}
