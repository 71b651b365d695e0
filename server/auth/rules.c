/* auth/rules.c: rules at work; rules_read.c reads them. */
#include "auth/rules.h"
#include <string.h>

json_t *claim_at(const json_t *claims, const char *name) {
    return *name == '/' ? json_pointer(claims, name) : json_object_get(claims, name);
}

/* jansson tells 1 from 1.0, "1" and true. */
static bool one_of(const json_t *value, const json_t *values) {
    const json_t *one;
    size_t i;

    json_array_foreach(values, i, one) {
        if (json_equal(value, one))
            return true;
    }
    return false;
}

static bool matches(const struct rule *rule, const json_t *claims) {
    /* the iterator only reads */
    json_t *match = (json_t *)(uintptr_t)rule->match;
    const char *claim;
    json_t *values;

    json_object_foreach(match, claim, values) {
        if (!one_of(claim_at(claims, claim), values))
            return false;
    }
    return true;
}

static const struct rule *first(const struct issuer *by, const json_t *claims, bool deny) {
    for (size_t i = 0; i < by->n_rules; i++)
        if (by->rules[i].deny == deny && matches(&by->rules[i], claims))
            return &by->rules[i];
    return NULL;
}

/* Bounded, because every record that this principal makes carries it. */
static bool recordable(const json_t *value) {
    return json_is_integer(value) || json_is_boolean(value) ||
           (json_is_string(value) && json_string_length(value) <= RECORDED_TEXT_MAX);
}

static json_t *recorded(const struct rule *rule, const json_t *claims) {
    json_t *out = NULL;

    for (const char *const *name = rule->record; *name; name++) {
        json_t *value = claim_at(claims, *name);

        if (!recordable(value))
            continue;
        if (!out)
            out = json_object();
        json_object_set(out, *name, value);
    }
    return out;
}

const char *rules_apply(const struct issuer *by, const json_t *claims, struct principal *ret,
                        json_t **ret_recorded) {
    const struct rule *rule;

    if (first(by, claims, true))
        return "A rule for this issuer's tokens refuses this one.";
    rule = first(by, claims, false);
    if (!rule)
        return "No rule for this issuer's tokens allows this one.";
    ret->kind = rule->kind;
    ret->roles = rule->roles;
    ret->scopes = rule->scopes;
    ret->apps = rule->apps;
    *ret_recorded = recorded(rule, claims);
    return NULL;
}
