#include "kubesim/behavior.h"
#include "base/cleanup.h"
#include "base/json.h"
#include <stdio.h>
#include <string.h>

static const struct behavior ordinary = {
    .ready_after_ms = 300, .crash_after_ms = -1, .health_ok = true};

struct behaviors {
    struct timing timing;
    json_t *images, *pods; /* by image, by "namespace/name": the call's body */
};

struct behaviors *behaviors_new(void) {
    struct behaviors *b = xcalloc(1, sizeof *b);

    b->timing = (struct timing){
        .endpoint_lag_ms = 10, .proxy_lag_ms = 5, .termination_grace_ms = 500, .speed = 1};
    b->images = json_object();
    b->pods = json_object();
    return b;
}

void behaviors_free(struct behaviors *b) {
    if (!b)
        return;
    json_decref(b->images);
    json_decref(b->pods);
    free(b);
}

const struct timing *behaviors_timing(const struct behaviors *b) {
    return &b->timing;
}

bool keys_known(const json_t *body, const char *const *allowed, char error[256]) {
    const char *key;
    json_t *value;

    if (!json_is_object(body)) {
        snprintf(error, 256, "the body is not a JSON object");
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)body, key, value) {
        bool known = false;

        for (size_t i = 0; allowed[i]; i++)
            known = known || !strcmp(allowed[i], key);
        if (!known) {
            snprintf(error, 256, "unknown key \"%.100s\"", key);
            return false;
        }
    }
    return true;
}

/* Numbers of at least `least`; absent is fine. */
static bool number_ok(const json_t *body, const char *key, double least, double most, char *error) {
    const json_t *v = json_object_get(body, key);

    if (!v || (json_is_number(v) && json_number_value(v) >= least && json_number_value(v) <= most))
        return true;
    snprintf(error, 256, "\"%s\" must be a number from %g to %g", key, least, most);
    return false;
}

static bool bool_ok(const json_t *body, const char *key, char *error) {
    const json_t *v = json_object_get(body, key);

    if (!v || json_is_boolean(v))
        return true;
    snprintf(error, 256, "\"%s\" must be true or false", key);
    return false;
}

static bool health_valid(const json_t *body, char *error) {
    const json_t *v = json_object_get(body, "health");
    const char *s = json_string_value(v);

    if (!v || (s && (!strcmp(s, "ok") || !strcmp(s, "fail"))))
        return true;
    snprintf(error, 256, "\"health\" must be \"ok\" or \"fail\"");
    return false;
}

static bool pull_error_valid(const json_t *body, char *error) {
    const json_t *v = json_object_get(body, "pull_error");

    if (!v || json_is_boolean(v) || json_is_string(v) || json_is_null(v))
        return true;
    snprintf(error, 256, "\"pull_error\" must be true, false or a message");
    return false;
}

static bool behavior_valid(const json_t *body, bool with_image, char *error) {
    static const char *const keys[] = {
        "ready_after_ms", "never_ready", "pull_error", "crash_after_ms", "crash_loop",
        "error_rate",     "latency_ms",  "health",     "image",          NULL};

    if (!keys_known(body, keys, error))
        return false;
    if (with_image != json_is_string(json_object_get(body, "image"))) {
        snprintf(error, 256,
                 with_image ? "\"image\" is missing" : "\"image\" does not belong here");
        return false;
    }
    return number_ok(body, "ready_after_ms", 0, 1e9, error) &&
           number_ok(body, "latency_ms", 0, 1e6, error) &&
           number_ok(body, "error_rate", 0, 1, error) && bool_ok(body, "never_ready", error) &&
           bool_ok(body, "crash_loop", error) && health_valid(body, error) &&
           pull_error_valid(body, error) &&
           (json_is_null(json_object_get(body, "crash_after_ms")) ||
            number_ok(body, "crash_after_ms", 0, 1e9, error));
}

static int int_of(const json_t *body, const char *key, int otherwise) {
    const json_t *v = json_object_get(body, key);

    return json_is_number(v) ? (int)json_number_value(v) : otherwise;
}

static struct behavior behavior_of(const json_t *body) {
    struct behavior b = ordinary;
    const json_t *pull = json_object_get(body, "pull_error");

    b.ready_after_ms = int_of(body, "ready_after_ms", b.ready_after_ms);
    b.never_ready = json_bool(body, "never_ready", false);
    b.crash_after_ms = int_of(body, "crash_after_ms", -1);
    b.crash_loop = json_bool(body, "crash_loop", false);
    b.latency_ms = int_of(body, "latency_ms", 0);
    b.error_rate = json_number_value(json_object_get(body, "error_rate"));
    b.health_ok = strcmp(json_str(body, "health", "ok"), "fail") != 0;
    if (json_is_string(pull))
        snprintf(b.pull_error, sizeof b.pull_error, "%s", json_string_value(pull));
    else if (json_is_true(pull))
        snprintf(b.pull_error, sizeof b.pull_error, "not found");
    return b;
}

struct behavior behaviors_of(const struct behaviors *b, const char *ns, const char *pod,
                             const char *image) {
    _cleanup_free_ char *key = xasprintf("%s/%s", ns, pod);
    _cleanup_free_ char *bare = xstrndup(image, strcspn(image, "@"));
    const json_t *body = json_object_get(b->pods, key);

    if (!body)
        body = json_object_get(b->images, image);
    if (!body)
        body = json_object_get(b->images, bare);
    return body ? behavior_of(body) : ordinary;
}

bool behaviors_set_image(struct behaviors *b, const json_t *body, char error[256]) {
    if (!behavior_valid(body, true, error))
        return false;
    json_object_set_new(b->images, json_str(body, "image", ""), json_deep_copy(body));
    return true;
}

bool behaviors_set_pod(struct behaviors *b, const char *ns, const char *pod, const json_t *body,
                       char error[256]) {
    _cleanup_free_ char *key = xasprintf("%s/%s", ns, pod);

    if (!behavior_valid(body, false, error))
        return false;
    json_object_set_new(b->pods, key, json_deep_copy(body));
    return true;
}

bool behaviors_set_timing(struct behaviors *b, const json_t *body, char error[256]) {
    static const char *const keys[] = {"endpoint_lag_ms", "proxy_lag_ms", "termination_grace_ms",
                                       "speed", NULL};
    const json_t *speed = json_object_get(body, "speed");

    if (!keys_known(body, keys, error) || !number_ok(body, "endpoint_lag_ms", 0, 1e7, error) ||
        !number_ok(body, "proxy_lag_ms", 0, 1e7, error) ||
        !number_ok(body, "termination_grace_ms", 0, 1e7, error) ||
        !number_ok(body, "speed", 0.001, 1000, error))
        return false;
    b->timing.endpoint_lag_ms = int_of(body, "endpoint_lag_ms", b->timing.endpoint_lag_ms);
    b->timing.proxy_lag_ms = int_of(body, "proxy_lag_ms", b->timing.proxy_lag_ms);
    b->timing.termination_grace_ms =
        int_of(body, "termination_grace_ms", b->timing.termination_grace_ms);
    b->timing.speed = speed ? json_number_value(speed) : b->timing.speed;
    return true;
}
