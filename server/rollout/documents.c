#include "rollout/documents.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include <stdio.h>
#include <string.h>

enum { RENDERED_STRING_MAX = 256 * 1024 };

static const struct {
    const char *api_version, *kind;
} allowed[] = {
    {"apps/v1", "Deployment"},
    {"v1", "Service"},
    {"v1", "ConfigMap"},
    {"v1", "ServiceAccount"},
    {"autoscaling/v2", "HorizontalPodAutoscaler"},
    {"policy/v1", "PodDisruptionBudget"},
    {"networking.k8s.io/v1", "NetworkPolicy"},
    {"networking.k8s.io/v1", "Ingress"},
};

struct placeholder {
    const char *name, *value;
};

static json_t *render_string(const char *text, const struct placeholder *known) {
    _cleanup_(strbuf_done) struct strbuf out = STRBUF(RENDERED_STRING_MAX);

    while (*text) {
        const struct placeholder *p = known;

        while (p->name && strncmp(text, p->name, strlen(p->name)) != 0)
            p++;
        if (p->name) {
            strbuf_adds(&out, p->value);
            text += strlen(p->name);
        } else {
            strbuf_add(&out, text++, 1);
        }
    }
    return out.overflowed ? NULL : json_string(out.data ? out.data : "");
}

static json_t *render(const json_t *v, const struct placeholder *known) {
    json_t *copy, *item;
    const char *key;
    size_t i;

    if (json_is_string(v))
        return render_string(json_string_value(v), known);
    if (json_is_object(v)) {
        copy = json_object();
        json_object_foreach((json_t *)(uintptr_t)v, key, item)
            json_object_set_new(copy, key, render(item, known));
        return copy;
    }
    if (json_is_array(v)) {
        copy = json_array();
        json_array_foreach(v, i, item) json_array_append_new(copy, render(item, known));
        return copy;
    }
    return json_deep_copy(v);
}

json_t *documents_find(const json_t *documents, const char *kind, const char *name) {
    json_t *d;
    size_t i;

    json_array_foreach(documents, i,
                       d) if (strcmp(json_str(d, "kind", ""), kind) == 0 &&
                              strcmp(json_str(json_object_get(d, "metadata"), "name", ""), name) ==
                                  0) return d;
    return NULL;
}

static json_t *render_for(const json_t *v, const struct document_limits *l) {
    const struct placeholder known[] = {
        {"${IMAGE}", l->image},
        {"${VERSION}", l->version},
        {"${COLOR}", color_names[l->color]},
        {"${NAMESPACE}", json_str(l->spec, "namespace", "")},
        {NULL, NULL},
    };

    return render(v, known);
}

static const char *color_object(const json_t *spec, Color c, const char *key) {
    return json_str(json_at(spec, "blue_green", "colors", color_names[c], NULL), key, "");
}

static bool is_workload(const json_t *spec, Color c, const char *kind, const char *name) {
    return strcmp(kind, "Deployment") == 0 &&
           strcmp(name, color_object(spec, c, "deployment")) == 0;
}

static bool kind_allowed(const json_t *d) {
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (strcmp(json_str(d, "apiVersion", ""), allowed[i].api_version) == 0 &&
            strcmp(json_str(d, "kind", ""), allowed[i].kind) == 0)
            return true;
    return false;
}

/* Why this document may not be there, or NULL. */
static const char *refuse_document(json_t *d, const struct document_limits *l,
                                   struct arena *arena) {
    const char *kind = json_str(d, "kind", NULL), *name, *ns, *namespace_;
    json_t *metadata = json_object_get(d, "metadata");

    namespace_ = json_str(l->spec, "namespace", "");
    if (!kind || !json_str(d, "apiVersion", NULL))
        return "apiVersion and kind are required";
    if (strcmp(kind, "Secret") == 0)
        return "kind: Secrets are never stored by Sluice; create it in the cluster and refer to it";
    if (!kind_allowed(d))
        return arena_printf(arena, "kind: %s %s is not one of the kinds that manifests may hold",
                            json_str(d, "apiVersion", ""), kind);
    name = json_str(metadata, "name", NULL);
    if (!name || !*name)
        return "metadata.name: is required";
    ns = json_str(metadata, "namespace", namespace_);
    if (strcmp(ns, namespace_) != 0)
        return arena_printf(arena, "metadata.namespace: %s is not the environment's namespace %s",
                            ns, namespace_);
    if (json_object_get(metadata, "resourceVersion") || json_object_get(metadata, "uid"))
        return "metadata: resourceVersion and uid belong to the cluster; leave them out";
    if (strcmp(kind, "Service") == 0 &&
        strcmp(name, json_str(json_at(l->spec, "blue_green", NULL), "service", "")) == 0)
        return "metadata.name: this is the production Service, which only Sluice's switch may "
               "change";
    if (is_workload(l->spec, color_other(l->color), kind, name) ||
        (strcmp(kind, "Service") == 0 &&
         strcmp(name, color_object(l->spec, color_other(l->color), "service")) == 0))
        return arena_printf(arena, "metadata.name: %s belongs to the other color; use ${COLOR}",
                            name);
    return NULL;
}

static json_t *find_container(const json_t *workload, const char *name) {
    json_t *c;
    size_t i;

    json_array_foreach(json_at(workload, "spec", "template", "spec", "containers", NULL), i,
                       c) if (strcmp(json_str(c, "name", ""), name) == 0) return c;
    return NULL;
}

/* The workload of the color: its container gets the release's image.  Why it is not usable, or
 * NULL. */
static const char *refuse_workload(const json_t *documents, const struct document_limits *l,
                                   struct arena *arena) {
    const char *name = color_object(l->spec, l->color, "deployment");
    const char *key = json_str(json_at(l->spec, "blue_green", NULL), "selector_key", "");
    const char *container_name = json_str(l->spec, "container", "");
    json_t *workload = documents_find(documents, "Deployment", name), *container;
    const char *label;

    if (!workload)
        return arena_printf(arena, "no document is the Deployment %s", name);
    container = find_container(workload, container_name);
    if (!container)
        return arena_printf(arena,
                            "Deployment %s: spec.template.spec.containers: no container is "
                            "called %s",
                            name, container_name);
    json_object_set_new(container, "image", json_string(l->image));
    label = json_str(json_at(workload, "spec", "template", "metadata", "labels", NULL), key, "");
    if (strcmp(label, color_names[l->color]) != 0)
        return arena_printf(arena,
                            "Deployment %s: spec.template.metadata.labels.%s: must be %s, or "
                            "the Service would never select its pods",
                            name, key, color_names[l->color]);
    return NULL;
}

json_t *documents_render(const json_t *documents, const struct document_limits *limits,
                         struct arena *arena, const char **reterr) {
    json_auto_t *rendered = render_for(documents, limits);
    const char *why;
    json_t *d;
    size_t i;

    json_array_foreach(rendered, i, d) {
        why = json_is_object(d) ? refuse_document(d, limits, arena) : "is not a mapping";
        if (why) {
            *reterr =
                arena_printf(arena, "Document %zu (%s %s): %s.", i + 1, json_str(d, "kind", "?"),
                             json_str(json_object_get(d, "metadata"), "name", "?"), why);
            return NULL;
        }
        json_object_set_new(json_object_get(d, "metadata"), "namespace",
                            json_string(json_str(limits->spec, "namespace", "")));
    }
    why = refuse_workload(rendered, limits, arena);
    if (why) {
        *reterr = arena_printf(arena, "Manifests: %s.", why);
        return NULL;
    }
    return TAKE_PTR(rendered);
}

json_t *documents_objects(const json_t *documents, const struct document_limits *limits) {
    struct document_limits of = *limits;
    json_t *all = json_array(), *d;
    size_t i;

    for (of.color = COLOR_BLUE; of.color < COLORS; of.color++)
        json_array_foreach(documents, i, d) {
            json_auto_t *named =
                json_pack("{s:O, s:O, s:{s:O}}", "apiVersion", json_object_get(d, "apiVersion"),
                          "kind", json_object_get(d, "kind"), "metadata", "name",
                          json_at(d, "metadata", "name", NULL));
            json_auto_t *object = render_for(named, &of);
            const char *kind = json_str(object, "kind", "");
            const char *name = json_str(json_object_get(object, "metadata"), "name", "");

            if (!is_workload(limits->spec, COLOR_BLUE, kind, name) &&
                !is_workload(limits->spec, COLOR_GREEN, kind, name) &&
                !documents_find(all, kind, name))
                json_array_append(all, object);
        }
    return all;
}
