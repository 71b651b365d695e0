#include "rollout/change.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include <stdio.h>
#include <string.h>

/* ---- comparables ---- */

/* A variable's value becomes its digest: told apart, not told. */
static void mask_variables(json_t *containers) {
    json_t *container, *variable;
    size_t i, k;

    json_array_foreach(containers, i, container) {
        json_array_foreach(json_object_get(container, "env"), k, variable) {
            const char *value = json_str(variable, "value", NULL);
            char digest[SHA256_HEX];

            if (value)
                json_object_set_new(
                    variable, "value",
                    json_sprintf("sha256:%.16s", sha256_hex(value, strlen(value), digest)));
        }
    }
}

char *change_comparable(const json_t *object) {
    json_auto_t *kept = NULL;
    json_t *spec, *pod;

    if (!object)
        return NULL;
    spec = json_deep_copy(json_object_get(object, "spec"));
    pod = json_at(spec, "template", "spec", NULL);
    mask_variables(json_object_get(pod, "containers"));
    mask_variables(json_object_get(pod, "initContainers"));
    kept = json_pack("{s:o, s:s}", "spec", spec ? spec : json_object(), "uid",
                     json_str(json_object_get(object, "metadata"), "uid", ""));
    return json_dumps(kept, JSON_COMPACT | JSON_SORT_KEYS);
}

/* ---- differences ---- */

enum { FIELD_TEXT = 512 };

struct walk {
    bool autoscaled;
    change_fn *fn;
    void *ctx;
    char field[FIELD_TEXT];
};

static void differ(struct walk *w, const json_t *was, const json_t *is);

/* Goes on with a member: .name, or [name] where a name would not read as one. */
static void member(struct walk *w, const char *name, bool element, const json_t *was,
                   const json_t *is) {
    size_t at = strlen(w->field);
    bool plain = !element && !strpbrk(name, "./[]");

    snprintf(w->field + at, sizeof w->field - at, plain ? "%s%s" : "%s%s]",
             plain ? (at ? "." : "") : "[", name);
    differ(w, was, is);
    w->field[at] = '\0';
}

static void differ_members(struct walk *w, const json_t *was, const json_t *is) {
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)was, key, value)
        member(w, key, false, value, json_object_get(is, key));
    json_object_foreach((json_t *)(uintptr_t)is, key, value) if (!json_object_get(was, key))
        member(w, key, false, NULL, value);
}

static json_t *named(const json_t *list, const char *name) {
    json_t *element;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i,
                       element) if (strcmp(json_str(element, "name", ""), name) ==
                                    0) return element;
    return NULL;
}

static bool all_named(const json_t *list) {
    json_t *element;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)list, i, element) {
        const char *name = json_str(element, "name", NULL);

        if (!name || named(list, name) != element)
            return false;
    }
    return json_array_size(list) > 0;
}

static void differ_named(struct walk *w, const json_t *was, const json_t *is) {
    json_t *element;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)was, i, element) {
        const char *name = json_str(element, "name", "");

        member(w, name, true, element, named(is, name));
    }
    json_array_foreach((json_t *)(uintptr_t)is, i, element) {
        const char *name = json_str(element, "name", "");

        if (!named(was, name))
            member(w, name, true, NULL, element);
    }
}

static void differ_elements(struct walk *w, const json_t *was, const json_t *is) {
    for (size_t i = 0; i < json_array_size(was); i++) {
        char index[24];

        snprintf(index, sizeof index, "%zu", i);
        member(w, index, true, json_array_get(was, i), json_array_get(is, i));
    }
}

static void differ(struct walk *w, const json_t *was, const json_t *is) {
    if (json_equal(was, is) || (w->autoscaled && strcmp(w->field, "spec.replicas") == 0))
        return;
    if (json_is_object(was) && json_is_object(is))
        differ_members(w, was, is);
    else if (all_named(was) && all_named(is))
        differ_named(w, was, is);
    else if (json_is_array(was) && json_is_array(is) && json_array_size(was) == json_array_size(is))
        differ_elements(w, was, is);
    else
        w->fn(w->ctx, w->field, was, is);
}

void change_each(const char *was, const char *is, bool autoscaled, change_fn *fn, void *ctx) {
    json_auto_t *before = NULL, *after = NULL;
    struct walk w = {.autoscaled = autoscaled, .fn = fn, .ctx = ctx};

    if (!was || !is || strcmp(was, is) == 0)
        return;
    before = json_parse(was);
    after = json_parse(is);
    differ(&w, before, after);
}

/* ---- the one that is named ---- */

/* What people look for first: the field that decides where traffic goes or what runs. */
static int weight(const char *field) {
    const char *dot = strrchr(field, '.');

    if (strcmp(field, "uid") == 0)
        return 3;
    if (strncmp(field, "spec.selector", 13) == 0 || (dot && strcmp(dot, ".image") == 0))
        return 2;
    return strcmp(field, "spec.replicas") == 0 ? 1 : 0;
}

static void take(void *ctx, const char *field, const json_t *was, const json_t *is) {
    struct seen_change *ret = ctx;

    ret->fields++;
    if (ret->kind != CHANGE_NONE && weight(field) <= weight(ret->field))
        return;
    ret->kind = strcmp(field, "uid") == 0 ? CHANGE_REPLACED : CHANGE_FIELD;
    snprintf(ret->field, sizeof ret->field, "%.250s", field);
    change_value(field, was, ret->was, sizeof ret->was);
    change_value(field, is, ret->is, sizeof ret->is);
}

bool change_find(const char *was, const char *is, bool autoscaled, struct seen_change *ret) {
    *ret = (struct seen_change){0};
    if (was && is)
        change_each(was, is, autoscaled, take, ret);
    else if (was || is)
        ret->kind = is ? CHANGE_CREATED : CHANGE_GONE;
    return ret->kind != CHANGE_NONE;
}

/* ---- for people ---- */

/* Variables, arguments, and a container as a whole: there people put what is secret. */
static bool may_be_secret(const char *field, const json_t *value) {
    const char *dot = strrchr(field, '.');

    if (strstr(field, ".env[") || strstr(field, ".args[") || strstr(field, ".command["))
        return true;
    return (dot && (strcmp(dot, ".env") == 0 || strcmp(dot, ".args") == 0 ||
                    strcmp(dot, ".command") == 0)) ||
           (json_is_object(value) && strstr(field, "ontainers["));
}

void change_value(const char *field, const json_t *value, char *ret, size_t n) {
    _cleanup_free_ char *text = NULL;

    if (!value) {
        snprintf(ret, n, "absent");
        return;
    }
    if (may_be_secret(field, value)) {
        snprintf(ret, n, "(not shown)");
        return;
    }
    text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    snprintf(ret, n, "%s", text);
    if (strlen(text) >= n)
        snprintf(ret + n - 4, 4, "…");
}

void change_sentence(const char *kind, const char *name, const struct seen_change *c, char *ret,
                     size_t n) {
    char by[SEEN_WHO + 64] = "", more[64] = "", at[TIME_TEXT] = "";

    if (c->at_us)
        clock_format(c->at_us, at);
    if (*c->by)
        snprintf(by, sizeof by, " (by %s%s%s)", c->by, *at ? ", " : "", at);
    if (c->fields > 1)
        snprintf(more, sizeof more, ", and %d more", c->fields - 1);
    switch (c->kind) {
    case CHANGE_GONE:
        snprintf(ret, n, "%s %s is gone", kind, name);
        break;
    case CHANGE_CREATED:
        snprintf(ret, n, "%s %s was created by somebody else", kind, name);
        break;
    case CHANGE_REPLACED:
        snprintf(ret, n, "%s %s was deleted and created again%s", kind, name, by);
        break;
    case CHANGE_FIELD:
        snprintf(ret, n, "%s %s: %s is %s, was %s%s%s", kind, name, c->field, c->is, c->was, by,
                 more);
        break;
    case CHANGE_NONE:
        snprintf(ret, n, "%s %s is as we left it", kind, name);
        break;
    }
}
