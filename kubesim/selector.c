#include "kubesim/selector.h"
#include "base/cleanup.h"
#include "base/json.h"
#include <ctype.h>
#include <string.h>

static char *trimmed(const char *from, size_t n) {
    while (n && isspace((unsigned char)*from)) {
        from++;
        n--;
    }
    while (n && isspace((unsigned char)from[n - 1]))
        n--;
    return xstrndup(from, n);
}

static json_t *requirement(const char *key, size_t key_len, const char *op, json_t *values) {
    _cleanup_free_ char *k = trimmed(key, key_len);

    if (!*k || strpbrk(k, " ()=!,")) {
        json_decref(values);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:o}", "key", k, "operator", op, "values", values);
}

/* "(a, b)" after in or notin. */
static json_t *value_list(const char *text) {
    const char *open = strchr(text, '('), *close = strrchr(text, ')');
    json_t *values;

    if (!open || !close || close < open)
        return NULL;
    values = json_array();
    for (const char *at = open + 1; at <= close;) {
        const char *end = at + strcspn(at, ",)");
        _cleanup_free_ char *value = trimmed(at, (size_t)(end - at));

        json_array_append_new(values, json_string(value));
        at = end + 1;
    }
    return values;
}

static json_t *one_value(const char *text) {
    _cleanup_free_ char *value = trimmed(text, strlen(text));

    return json_pack("[s]", value);
}

static json_t *term_parse(const char *term) {
    const char *at;
    json_t *values;

    if (*term == '!' && term[1] != '=')
        return requirement(term + 1, strlen(term + 1), "DoesNotExist", json_array());
    if ((at = strstr(term, " notin "))) {
        values = value_list(at);
        return values ? requirement(term, (size_t)(at - term), "NotIn", values) : NULL;
    }
    if ((at = strstr(term, " in "))) {
        values = value_list(at);
        return values ? requirement(term, (size_t)(at - term), "In", values) : NULL;
    }
    if ((at = strstr(term, "!=")))
        return requirement(term, (size_t)(at - term), "NotIn", one_value(at + 2));
    if ((at = strchr(term, '=')))
        return requirement(term, (size_t)(at - term), "In", one_value(at + (at[1] == '=' ? 2 : 1)));
    return requirement(term, strlen(term), "Exists", json_array());
}

/* The end of a term: a comma outside parentheses. */
static const char *term_end(const char *at) {
    int depth = 0;

    for (; *at && (*at != ',' || depth); at++)
        depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
    return at;
}

json_t *selector_parse(const char *text) {
    json_auto_t *terms = json_array();

    for (const char *at = text; *at;) {
        const char *end = term_end(at);
        _cleanup_free_ char *term = trimmed(at, (size_t)(end - at));
        json_t *parsed = term_parse(term);

        if (!parsed)
            return NULL;
        json_array_append_new(terms, parsed);
        at = *end ? end + 1 : end;
    }
    return json_pack("{s:O}", "matchExpressions", terms);
}

static bool among(const json_t *values, const char *value) {
    json_t *v;
    size_t i;

    json_array_foreach(values, i, v) {
        if (value && !strcmp(json_string_value(v) ? json_string_value(v) : "", value))
            return true;
    }
    return false;
}

static bool expression_matches(const json_t *expression, const json_t *labels) {
    const char *op = json_str(expression, "operator", "");
    const char *value = json_str(labels, json_str(expression, "key", ""), NULL);
    const json_t *values = json_object_get(expression, "values");

    if (!strcmp(op, "In"))
        return among(values, value);
    if (!strcmp(op, "NotIn"))
        return !among(values, value);
    if (!strcmp(op, "Exists"))
        return value != NULL;
    return value == NULL;
}

static bool pairs_match(const json_t *map, const json_t *labels) {
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)map, key, value) {
        if (!json_equal(value, json_object_get(labels, key)))
            return false;
    }
    return true;
}

bool selector_matches(const json_t *selector, const json_t *labels) {
    json_t *expression;
    size_t i;

    if (!selector || !pairs_match(json_object_get(selector, "matchLabels"), labels))
        return false;
    json_array_foreach(json_object_get(selector, "matchExpressions"), i, expression) {
        if (!expression_matches(expression, labels))
            return false;
    }
    return true;
}

bool selector_map_matches(const json_t *map, const json_t *labels) {
    return json_object_size(map) && pairs_match(map, labels);
}

json_t *fields_parse(const char *text) {
    json_auto_t *fields = json_array();

    for (const char *at = text; *at;) {
        const char *end = at + strcspn(at, ","), *equals = at + strcspn(at, "=");
        bool negate = equals > at && equals[-1] == '!';
        const char *value = equals + (equals < end && equals[1] == '=' ? 2 : 1);

        if (equals >= end)
            return NULL;
        json_array_append_new(fields, json_pack("{s:s%, s:s%, s:b}", "path", at,
                                                (size_t)(equals - at) - (negate ? 1 : 0), "value",
                                                value, (size_t)(end - value), "negate", negate));
        at = *end ? end + 1 : end;
    }
    return json_incref(fields);
}

static const char *field_value(const json_t *body, const char *path) {
    const json_t *at = body;

    while (at && *path) {
        size_t n = strcspn(path, ".");
        _cleanup_free_ char *key = xstrndup(path, n);

        at = json_object_get(at, key);
        path += n + (path[n] == '.');
    }
    return json_string_value(at) ? json_string_value(at) : "";
}

bool fields_match(const json_t *fields, const json_t *body) {
    json_t *field;
    size_t i;

    json_array_foreach(fields, i, field) {
        bool equal =
            !strcmp(field_value(body, json_str(field, "path", "")), json_str(field, "value", ""));

        if (equal == json_bool(field, "negate", false))
            return false;
    }
    return true;
}
