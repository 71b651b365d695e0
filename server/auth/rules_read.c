/* auth/rules_read.c: the rules of an issuer, from its configuration. */
#include "auth/issuers.h"
#include "auth/rights.h"
#include <stdio.h>
#include <string.h>

enum { CLAIMS_MAX = 16, VALUES_MAX = 64, APPS_MAX = 64, FIELD = 96 };

/* The name of a field of a rule. */
struct field {
    char text[FIELD];
};
static struct field field_of(size_t rule, const char *name) {
    struct field f;

    snprintf(f.text, sizeof f.text, "rules/%zu/%s", rule, name);
    return f;
}

static bool scalar(const json_t *v) {
    return json_is_string(v) || json_is_integer(v) || json_is_boolean(v);
}

static bool values_valid(const json_t *values) {
    const json_t *one;
    size_t i;

    if (json_array_size(values) < 1 || json_array_size(values) > VALUES_MAX)
        return false;
    json_array_foreach(values, i, one) {
        if (!scalar(one))
            return false;
    }
    return true;
}

/* Single values become lists of one, so that matching knows one form only. */
static bool match_read(const struct issuer_reader *r, json_t *in, size_t number, struct rule *ret) {
    struct field f = field_of(number, "match");
    json_t *match = json_object_get(in, "match"), *value;
    const char *claim;
    void *next;

    if (!json_is_object(match) || json_object_size(match) < 1 ||
        json_object_size(match) > CLAIMS_MAX)
        return issuer_bad(r, f.text, "an object with 1 to %d claims is needed", CLAIMS_MAX);
    json_object_foreach_safe(match, next, claim, value) {
        json_auto_t *name = json_string(claim);

        snprintf(f.text, sizeof f.text, "rules/%zu/match/%.40s", number, claim);
        if (!claim_name_valid(name))
            return issuer_bad(r, f.text, "this is no name of a claim");
        if (scalar(value)) {
            json_object_set_new(match, claim, json_pack("[O]", value));
            value = json_object_get(match, claim);
        }
        if (!values_valid(value))
            return issuer_bad(
                r, f.text, "a string, integer or boolean, or a list of 1 to %d of them, is needed",
                VALUES_MAX);
    }
    ret->match = match;
    return true;
}

static const char *role_bad(const char *text) {
    return role_text(text) ? NULL : "one of them is no role (docs/identity.md lists them)";
}

static const char *app_bad(const char *text) {
    return principal_app_valid(text) ? NULL : "one of them is neither an app's name nor \"*\"";
}

static const char *claim_bad(const char *text) {
    json_auto_t *name = json_string(text);

    return claim_name_valid(name) ? NULL : "one of them is no name of a claim";
}

static bool roles_read(const struct issuer_reader *r, const json_t *in, size_t number,
                       struct rule *ret) {
    struct rights *rights = arena_alloc(&r->all->arena, sizeof *rights);
    struct field f = field_of(number, "roles");
    const char *const *names =
        issuer_strings(r, json_object_get(in, "roles"), f.text, false, ROLES_MAX, role_bad);

    if (!names)
        return false;
    for (; *names; names++)
        if (!rights_add(rights, *names))
            return issuer_bad(r, f.text, "%s", role_bad(*names));
    ret->roles = rights->roles;
    ret->scopes = rights->scopes;
    return true;
}

static bool rights_read(const struct issuer_reader *r, const json_t *in, size_t number,
                        struct rule *ret) {
    static const char *const none[] = {NULL};
    struct field kind = field_of(number, "kind"), apps = field_of(number, "apps"),
                 record = field_of(number, "record");

    ret->kind = kind_text(json_str(in, "kind", ""));
    if (!ret->kind)
        return issuer_bad(r, kind.text, "user, ci, bot or service is needed");
    if (!roles_read(r, in, number, ret))
        return false;
    ret->apps = issuer_strings(r, json_object_get(in, "apps"), apps.text, false, APPS_MAX, app_bad);
    ret->record = none;
    if (ret->apps && json_object_get(in, "record"))
        ret->record = issuer_strings(r, json_object_get(in, "record"), record.text, false,
                                     RECORDED_MAX, claim_bad);
    return ret->apps && ret->record;
}

static bool rule_read(const struct issuer_reader *r, json_t *in, size_t number, struct rule *ret) {
    static const char *const denying[] = {"match", "deny", NULL};
    static const char *const allowing[] = {"match", "roles", "kind", "apps", "record", NULL};
    const json_t *deny = json_object_get(in, "deny");
    struct field f = field_of(number, "");

    if (!json_is_object(in)) {
        f.text[strlen(f.text) - 1] = '\0';
        return issuer_bad(r, f.text, "an object is needed");
    }
    if (deny && !json_is_true(deny))
        return issuer_bad(r, field_of(number, "deny").text, "true is needed, or no such field");
    ret->deny = deny != NULL;
    return issuer_fields(r, in, f.text, deny ? denying : allowing) &&
           match_read(r, in, number, ret) && (deny || rights_read(r, in, number, ret));
}

bool rules_read(const struct issuer_reader *r, const json_t *in, struct issuer *ret) {
    size_t n = json_array_size(in);
    struct rule *rules;

    if (n < 1 || n > RULES_MAX)
        return issuer_bad(r, "rules", "a list of 1 to %d rules is needed", RULES_MAX);
    rules = arena_alloc(&r->all->arena, n * sizeof *rules);
    for (size_t i = 0; i < n; i++)
        if (!rule_read(r, json_array_get(in, i), i, &rules[i]))
            return false;
    ret->rules = rules;
    ret->n_rules = n;
    return true;
}
