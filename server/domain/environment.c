#include "domain/environment.h"
#include "base/cleanup.h"
#include "base/field_errors.h"
#include "base/ids.h"
#include "domain/check.h"
#include <string.h>

static const char *const colors[] = {"blue", "green"};
static const char *const check_lists[] = {"health", "smoke", "production"};

static bool alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool object_name_valid(const char *name) {
    size_t n = strlen(name), part;

    if (n < 1 || n > 253)
        return false;
    for (const char *at = name;; at += part + 1) {
        _cleanup_free_ char *label = NULL;

        part = strcspn(at, ".");
        label = xstrndup(at, part);
        if (!name_valid(label))
            return false;
        if (!at[part])
            return true;
    }
}

bool label_key_valid(const char *key) {
    const char *slash = strchr(key, '/'), *name = slash ? slash + 1 : key;
    size_t n = strlen(name);

    if (slash) {
        _cleanup_free_ char *prefix = xstrndup(key, (size_t)(slash - key));

        if (!object_name_valid(prefix))
            return false;
    }
    if (n < 1 || n > 63 || !alphanumeric(name[0]) || !alphanumeric(name[n - 1]))
        return false;
    for (; *name; name++)
        if (!alphanumeric(*name) && !strchr("-_.", *name))
            return false;
    return true;
}

bool pointer_valid(const char *pointer) {
    if (*pointer && *pointer != '/')
        return false;
    for (; *pointer; pointer++)
        if (*pointer == '~' && pointer[1] != '0' && pointer[1] != '1')
            return false;
    return true;
}

static const char *color_member(const json_t *body, int color, const char *member) {
    return json_str(json_at(body, "blue_green", "colors", colors[color], NULL), member, "");
}

static void check_colors(const json_t *body, json_t *errors) {
    const char *service = json_str(json_object_get(body, "blue_green"), "service", "");

    if (!object_name_valid(color_member(body, 0, "deployment")))
        field_error(errors, "/blue_green/colors/blue/deployment", "invalid",
                    "The name of a Kubernetes Deployment.");
    if (!object_name_valid(color_member(body, 1, "deployment")))
        field_error(errors, "/blue_green/colors/green/deployment", "invalid",
                    "The name of a Kubernetes Deployment.");
    if (!strcmp(color_member(body, 0, "deployment"), color_member(body, 1, "deployment")))
        field_error(errors, "/blue_green/colors/green/deployment", "duplicate",
                    "Blue and green need workloads of their own.");
    if (!strcmp(color_member(body, 0, "service"), color_member(body, 1, "service")))
        field_error(errors, "/blue_green/colors/green/service", "duplicate",
                    "Blue and green need Services of their own.");
    if (!strcmp(color_member(body, 0, "service"), service))
        field_error(errors, "/blue_green/colors/blue/service", "duplicate",
                    "The production Service is no color's own.");
    if (!strcmp(color_member(body, 1, "service"), service))
        field_error(errors, "/blue_green/colors/green/service", "duplicate",
                    "The production Service is no color's own.");
}

void environment_check(const json_t *body, json_t *errors) {
    if (!label_key_valid(json_str(json_object_get(body, "blue_green"), "selector_key", "")))
        field_error(errors, "/blue_green/selector_key", "invalid", "A Kubernetes label key.");
    check_colors(body, errors);
    for (size_t i = 0; i < sizeof check_lists / sizeof *check_lists; i++)
        checks_check(json_at(body, "checks", check_lists[i], NULL), check_lists[i], errors);
}

const char *environment_unsupported(const json_t *body, const char **ret_sentence) {
    if (strcmp(json_str(body, "strategy", "blue-green"), "blue-green") != 0) {
        *ret_sentence = "Only the strategy blue-green is supported yet.";
        return "/strategy";
    }
    return NULL;
}

static json_t *blue_green_spec(const json_t *bg) {
    json_t *out = json_object(), *pair = json_object();

    json_set_str(out, "service", json_str(bg, "service", ""));
    json_set_str(out, "selector_key", json_str(bg, "selector_key", ""));
    for (size_t i = 0; i < sizeof colors / sizeof *colors; i++) {
        const json_t *color = json_at(bg, "colors", colors[i], NULL);

        json_object_set_new(pair, colors[i],
                            json_pack("{s:s, s:s}", "deployment", json_str(color, "deployment", ""),
                                      "service", json_str(color, "service", "")));
    }
    json_object_set_new(out, "colors", pair);
    json_set_str(out, "promote", json_str(bg, "promote", "auto"));
    json_set_str(out, "idle_rollout", json_str(bg, "idle_rollout", "at-once"));
    json_object_set_new(out, "keep_previous_s",
                        json_integer(json_int(bg, "keep_previous_s", 86400)));
    return out;
}

static json_t *checks_spec(const json_t *checks) {
    json_t *out = json_object();

    json_set_str(out, "reach", json_str(checks, "reach", "auto"));
    for (size_t i = 0; i < sizeof check_lists / sizeof *check_lists; i++) {
        json_t *list = json_array(), *check;
        size_t n;

        json_array_foreach(json_object_get(checks, check_lists[i]), n, check)
            json_array_append_new(list, check_spec(check));
        json_object_set_new(out, check_lists[i], list);
    }
    return out;
}

json_t *environment_spec(const json_t *body) {
    const json_t *deadlines = json_object_get(body, "deadlines");
    json_t *out = json_object();

    json_set_str(out, "cluster", json_str(body, "cluster", ""));
    json_set_str(out, "namespace", json_str(body, "namespace", ""));
    json_set_str(out, "container", json_str(body, "container", ""));
    json_object_set_new(out, "port", json_integer(json_int(body, "port", 0)));
    json_set_str(out, "strategy", json_str(body, "strategy", "blue-green"));
    json_object_set_new(out, "blue_green", blue_green_spec(json_object_get(body, "blue_green")));
    json_object_set_new(out, "checks", checks_spec(json_object_get(body, "checks")));
    json_object_set_new(out, "deadlines",
                        json_pack("{s:I, s:I, s:I}", "available_s",
                                  (json_int_t)json_int(deadlines, "available_s", 600), "checks_s",
                                  (json_int_t)json_int(deadlines, "checks_s", 120), "validate_s",
                                  (json_int_t)json_int(deadlines, "validate_s", 30)));
    return out;
}

json_t *environment_objects(const json_t *spec) {
    json_t *out = json_array();

    json_array_append_new(out,
                          json_pack("{s:s, s:s}", "kind", "Service", "name",
                                    json_str(json_object_get(spec, "blue_green"), "service", "")));
    for (int i = 0; i < 2; i++) {
        json_array_append_new(out, json_pack("{s:s, s:s}", "kind", "Deployment", "name",
                                             color_member(spec, i, "deployment")));
        json_array_append_new(out, json_pack("{s:s, s:s}", "kind", "Service", "name",
                                             color_member(spec, i, "service")));
    }
    return out;
}

bool environment_moved(const json_t *before, const json_t *after) {
    static const char *const places[] = {"/cluster", "/namespace", "/blue_green/service",
                                         "/blue_green/selector_key", "/blue_green/colors"};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (!json_equal(json_pointer(before, places[i]), json_pointer(after, places[i])))
            return true;
    return false;
}
