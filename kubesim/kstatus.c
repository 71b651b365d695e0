#include "kubesim/kstatus.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/strbuf.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

json_t *kstatus(unsigned code, const char *reason, const char *format, ...) {
    char message[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return json_pack("{s:s, s:s, s:{}, s:s, s:s, s:s, s:i}", "kind", "Status", "apiVersion", "v1",
                     "metadata", "status", "Failure", "message", message, "reason", reason, "code",
                     (int)code);
}

const char *kstatus_reason(unsigned code) {
    static const struct {
        unsigned code;
        const char *reason;
    } reasons[] = {{400, "BadRequest"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "NotFound"},
                   {405, "MethodNotAllowed"},
                   {409, "Conflict"},
                   {410, "Expired"},
                   {413, "RequestEntityTooLarge"},
                   {415, "UnsupportedMediaType"},
                   {422, "Invalid"},
                   {429, "TooManyRequests"},
                   {500, "InternalError"},
                   {503, "ServiceUnavailable"},
                   {504, "Timeout"}};

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].code == code)
            return reasons[i].reason;
    }
    return "Unknown";
}

unsigned kstatus_code(const json_t *status) {
    return (unsigned)json_int(status, "code", 500);
}

/* "deployments.apps", "services" */
static const char *resource_of(const struct kind *k, const char *noun, char text[128]) {
    snprintf(text, 128, "%s%s%s", noun, *k->group ? "." : "", k->group);
    return text;
}

static json_t *with_details(json_t *status, const struct kind *k, const char *noun,
                            const char *name) {
    json_t *details = json_pack("{s:s, s:s}", "name", name, "kind", noun);

    if (*k->group)
        json_object_set_new(details, "group", json_string(k->group));
    json_object_set_new(status, "details", details);
    return status;
}

json_t *kstatus_not_found(const struct kind *k, const char *name) {
    char resource[128];

    return with_details(
        kstatus(404, "NotFound", "%s \"%s\" not found", resource_of(k, k->plural, resource), name),
        k, k->plural, name);
}

json_t *kstatus_already_exists(const struct kind *k, const char *name) {
    char resource[128];

    return with_details(kstatus(409, "AlreadyExists", "%s \"%s\" already exists",
                                resource_of(k, k->plural, resource), name),
                        k, k->plural, name);
}

json_t *kstatus_conflict(const struct kind *k, const char *name, const char *why) {
    char resource[128];

    return with_details(kstatus(409, "Conflict", "Operation cannot be fulfilled on %s \"%s\": %s",
                                resource_of(k, k->plural, resource), name, why),
                        k, k->plural, name);
}

json_t *kstatus_deleted(const struct kind *k, const char *name, const char *uid) {
    json_t *status = json_pack("{s:s, s:s, s:{}, s:s}", "kind", "Status", "apiVersion", "v1",
                               "metadata", "status", "Success");

    with_details(status, k, k->plural, name);
    json_object_set_new(json_object_get(status, "details"), "uid", json_string(uid));
    return status;
}

void cause_add(json_t *causes, const char *reason, const char *field, const char *format, ...) {
    char message[512];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    json_array_append_new(
        causes, json_pack("{s:s, s:s, s:s}", "reason", reason, "message", message, "field", field));
}

json_t *kstatus_invalid(const struct kind *k, const char *name, const json_t *causes) {
    _cleanup_(strbuf_done) struct strbuf text = STRBUF(2000);
    char resource[128];
    json_t *cause, *status;
    size_t i;

    if (!json_array_size(causes))
        return NULL;
    json_array_foreach(causes, i, cause) {
        strbuf_addf(&text, "%s%s: %s", i ? ", " : "", json_str(cause, "field", ""),
                    json_str(cause, "message", ""));
    }
    status = kstatus(422, "Invalid",
                     json_array_size(causes) > 1 ? "%s \"%s\" is invalid: [%s]"
                                                 : "%s \"%s\" is invalid: %s",
                     resource_of(k, k->kind, resource), name, text.data ? text.data : "");
    with_details(status, k, k->kind, name);
    json_object_set(json_object_get(status, "details"), "causes", (json_t *)(uintptr_t)causes);
    return status;
}
