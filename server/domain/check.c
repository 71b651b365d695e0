#include "domain/check.h"
#include "base/cleanup.h"
#include "base/field_errors.h"
#include "domain/environment.h"
#include <string.h>
#include <strings.h>

static bool visible_ascii(const char *s) {
    for (; *s; s++)
        if (*s <= ' ' || *s >= 0x7f)
            return false;
    return true;
}

/* What a request line can carry as it is. */
static bool request_text(const char *s) {
    return visible_ascii(s) && !strchr(s, '#');
}

bool link_valid(const char *url) {
    const char *host = !strncmp(url, "https://", 8)  ? url + 8
                       : !strncmp(url, "http://", 7) ? url + 7
                                                     : NULL;
    size_t n;

    if (!host || !visible_ascii(url) || strpbrk(url, "\"<>\\"))
        return false;
    n = strcspn(host, "/?#");
    return n > 0 && host[0] != ':' && !memchr(host, '@', n);
}

static bool url_valid(const char *url) {
    return link_valid(url) && request_text(url);
}

static bool token_valid(const char *s) {
    static const char tchar[] = "!#$%&'*+-.^_`|~0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    return *s && strlen(s) <= 128 && s[strspn(s, tchar)] == '\0';
}

static bool header_value_valid(const char *s) {
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return false;
    return true;
}

static bool in_list(const char *name, const char *const *list) {
    for (; *list; list++)
        if (!strcasecmp(name, *list))
            return true;
    return false;
}

/* {"value_from": {"secret": …, "key": …}} */
static bool value_from_valid(const json_t *value) {
    const json_t *from = json_object_get(value, "value_from");
    const char *secret = json_str(from, "secret", ""), *key = json_str(from, "key", "");

    return json_object_size(value) == 1 && json_object_size(from) == 2 &&
           object_name_valid(secret) && *key && strlen(key) <= 253 && token_valid(key);
}

static void check_header(const char *field, const char *name, const json_t *value, json_t *errors) {
    static const char *const secret[] = {"Authorization", "Cookie", NULL};
    static const char *const ours[] = {
        "Connection", "Content-Length", "Transfer-Encoding", "Upgrade", "TE", NULL};
    _cleanup_free_ char *at = field_below(field, name);

    if (!token_valid(name))
        field_error(errors, at, "invalid", "A header's name.");
    else if (in_list(name, ours))
        field_error(errors, at, "invalid", "This header belongs to the connection.");
    else if (json_is_object(value) && !value_from_valid(value))
        field_error(errors, at, "invalid",
                    "A text, or {\"value_from\": {\"secret\": name, \"key\": key}}.");
    else if (!json_is_object(value) && in_list(name, secret))
        field_error(
            errors, at, "secret",
            "Only as {\"value_from\": {\"secret\": name, \"key\": key}}: no secret is kept here.");
    else if (!json_is_object(value) &&
             (!json_is_string(value) || json_string_length(value) > 1024 ||
              !header_value_valid(json_string_value(value))))
        field_error(errors, at, "invalid",
                    "A text of at most 1024 bytes without control characters.");
}

static void check_target(const json_t *check, const char *field, json_t *errors) {
    const char *path = json_str(check, "path", NULL), *url = json_str(check, "url", NULL);

    if (!path == !url) {
        _cleanup_free_ char *at = field_below(field, "path");

        field_error(errors, at, "required", "Exactly one of path and url.");
    } else if (path && (*path != '/' || !request_text(path))) {
        _cleanup_free_ char *at = field_below(field, "path");

        field_error(errors, at, "invalid", "A path that begins with /, without spaces or #.");
    } else if (url && !url_valid(url)) {
        _cleanup_free_ char *at = field_below(field, "url");

        field_error(errors, at, "invalid", "An http or https URL without user, spaces or #.");
    }
}

static void check_maps(json_t *check, const char *field, json_t *errors) {
    _cleanup_free_ char *headers = field_below(field, "headers");
    _cleanup_free_ char *json = field_below(field, "json");
    const char *key;
    json_t *value;

    json_object_foreach(json_object_get(check, "headers"), key, value)
        check_header(headers, key, value, errors);
    json_object_foreach(json_object_get(check, "json"), key, value) {
        _cleanup_free_ char *at = field_below(json, key);

        if (!pointer_valid(key))
            field_error(errors, at, "invalid", "The key is no JSON pointer, like /status.");
    }
}

void checks_check(const json_t *checks, const char *list, json_t *errors) {
    json_auto_t *names = json_object();
    json_t *check;
    size_t i;

    json_array_foreach(checks, i, check) {
        _cleanup_free_ char *field = xasprintf("/checks/%s/%zu", list, i);
        const char *name = json_str(check, "name", "");

        if (json_object_get(names, name)) {
            _cleanup_free_ char *at = field_below(field, "name");

            field_error(errors, at, "duplicate", "Another check of this list has this name.");
        }
        json_object_set_new(names, name, json_true());
        check_target(check, field, errors);
        check_maps(check, field, errors);
    }
}

static void copy_if_any(json_t *out, const json_t *check, const char *key) {
    json_t *value = json_object_get(check, key);

    if (value && !json_is_null(value) && !(json_is_object(value) && json_object_size(value) == 0))
        json_object_set(out, key, value);
}

json_t *check_spec(const json_t *check) {
    static const struct {
        const char *key;
        json_int_t otherwise;
    } numbers[] = {{"timeout_s", 5}, {"interval_s", 1}, {"consecutive", 1}, {"failures", 3}};
    json_t *out = json_object();

    copy_if_any(out, check, "name");
    copy_if_any(out, check, "path");
    copy_if_any(out, check, "url");
    json_set_str(out, "method", json_str(check, "method", "GET"));
    json_object_set_new(out, "status", json_integer(json_int(check, "status", 200)));
    copy_if_any(out, check, "headers");
    copy_if_any(out, check, "json");
    copy_if_any(out, check, "body_contains");
    copy_if_any(out, check, "max_ms");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_object_set_new(out, numbers[i].key,
                            json_integer(json_int(check, numbers[i].key, numbers[i].otherwise)));
    return out;
}
