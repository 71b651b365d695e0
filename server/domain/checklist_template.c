#include "domain/checklist_template.h"
#include "base/cleanup.h"
#include "base/field_errors.h"
#include <string.h>

/* What an item may be told, and of which kind it has to be. */
static const struct param {
    const char *name, *kind;
} params[] = {
    {"note", "manual"},
    {"person", "manual"},
    {"max_level", "evidence"},
    {"max_security_severity", "evidence"},
    {"max_total_bytes", "evidence"},
    {"max_file_bytes", "evidence"},
};
enum { PARAMS = sizeof params / sizeof *params };

static bool given(const json_t *v, const char *key) {
    const json_t *value = json_object_get(v, key);

    return value && !json_is_null(value);
}

static void check_severity(const json_t *item, const char *at, json_t *errors) {
    const json_t *severity = json_at(item, "params", "max_security_severity", NULL);
    _cleanup_free_ char *field = xasprintf("%s/params/max_security_severity", at);

    if (!severity || json_is_null(severity))
        return;
    if (!json_is_number(severity))
        field_error(errors, field, "type", "Must be a number.");
    else if (json_number_value(severity) < 0 || json_number_value(severity) > 10)
        field_error(errors, field, "range", "Must be from 0 to 10.");
}

static void check_item(const json_t *item, const char *at, json_t *errors) {
    const char *kind = json_str(item, "kind", "");

    for (size_t p = 0; p < PARAMS; p++) {
        _cleanup_free_ char *field = xasprintf("%s/params/%s", at, params[p].name);

        if (given(json_object_get(item, "params"), params[p].name) &&
            strcmp(kind, params[p].kind) != 0)
            field_error(errors, field, "conflict", "Only of items of kind %s.", params[p].kind);
    }
    check_severity(item, at, errors);
    if (given(item, "probe") && strcmp(kind, "probe") != 0) {
        _cleanup_free_ char *field = xasprintf("%s/probe", at);

        field_error(errors, field, "conflict", "Only of items of kind probe.");
    }
}

/* Notes the name; wrong where it was there before. */
static void check_once(json_t *seen, const char *name, char *field, const char *whose,
                       json_t *errors) {
    if (json_object_get(seen, name))
        field_error(errors, field, "duplicate", "Each %s once in a template.", whose);
    json_object_set_new(seen, name, json_true());
    free(field);
}

void checklist_template_check(const json_t *groups, json_t *errors) {
    json_auto_t *names = json_object(), *keys = json_object();
    const json_t *group, *item;
    size_t g, i, count = 0;

    json_array_foreach(groups, g, group) {
        const json_t *items = json_object_get(group, "items");

        check_once(names, json_str(group, "name", ""), xasprintf("/groups/%zu/name", g),
                   "group's name", errors);
        json_array_foreach(items, i, item) {
            _cleanup_free_ char *at = xasprintf("/groups/%zu/items/%zu", g, i);

            check_once(keys, json_str(item, "key", ""), xasprintf("%s/key", at), "item's key",
                       errors);
            check_item(item, at, errors);
        }
        count += json_array_size(items);
    }
    if (count > TEMPLATE_ITEMS_MAX)
        field_error(errors, "/groups", "too-long", "At most %d items in all.", TEMPLATE_ITEMS_MAX);
}

static json_t *template_params(const json_t *given_params) {
    json_t *out = json_object();

    for (size_t p = 0; p < PARAMS; p++) {
        json_t *value = json_object_get(given_params, params[p].name);

        if (json_is_real(value) && json_real_value(value) == (double)(int)json_real_value(value))
            json_object_set_new(out, params[p].name, json_integer((int)json_real_value(value)));
        else if (given(given_params, params[p].name))
            json_object_set(out, params[p].name, value);
    }
    return out;
}

static json_t *template_item(const json_t *item) {
    json_t *out = json_pack("{s:s, s:s, s:s, s:b}", "key", json_str(item, "key", ""), "title",
                            json_str(item, "title", ""), "kind", json_str(item, "kind", ""),
                            "required", json_bool(item, "required", true));
    json_auto_t *told = template_params(json_object_get(item, "params"));

    if (given(item, "probe"))
        json_object_set(out, "probe", json_object_get(item, "probe"));
    if (json_object_size(told))
        json_object_set(out, "params", told);
    if (given(item, "expires_s"))
        json_object_set(out, "expires_s", json_object_get(item, "expires_s"));
    return out;
}

json_t *checklist_template_groups(const json_t *groups) {
    json_t *out = json_array();
    const json_t *group, *item;
    size_t g, i;

    json_array_foreach(groups, g, group) {
        json_t *items = json_array();

        json_array_foreach(json_object_get(group, "items"), i, item)
            json_array_append_new(items, template_item(item));
        json_array_append_new(out,
                              json_pack("{s:s, s:s, s:o}", "name", json_str(group, "name", ""),
                                        "title", json_str(group, "title", ""), "items", items));
    }
    return out;
}
