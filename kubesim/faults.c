#include "kubesim/faults.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "kubesim/behavior.h"
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct fault {
    char *verb; /* owned; NULL: any */
    bool has_path, has_user_agent;
    regex_t path, user_agent;
    double rate; /* 1 when not given */
    uint64_t seed;
    long nth, count; /* count -1: as often as it matches */
    long matched, acted;
    struct fault_effect effect;
};

struct faults {
    struct fault *faults;
    size_t n;
};

struct faults *faults_new(void) {
    return xcalloc(1, sizeof(struct faults));
}

static void fault_done(struct fault *f) {
    free(f->verb);
    if (f->has_path)
        regfree(&f->path);
    if (f->has_user_agent)
        regfree(&f->user_agent);
    *f = (struct fault){0};
}

static void faults_clear(struct faults *f) {
    for (size_t i = 0; i < f->n; i++)
        fault_done(&f->faults[i]);
    free(f->faults);
    *f = (struct faults){0};
}

void faults_free(struct faults *f) {
    if (!f)
        return;
    faults_clear(f);
    free(f);
}

static bool pattern_parse(const json_t *body, const char *key, bool *ret_has, regex_t *ret,
                          char error[256]) {
    const json_t *v = json_object_get(body, key);

    *ret_has = false;
    if (!v)
        return true;
    if (!json_is_string(v) || regcomp(ret, json_string_value(v), REG_EXTENDED | REG_NOSUB)) {
        snprintf(error, 256, "\"%s\" is not a regular expression", key);
        return false;
    }
    return *ret_has = true;
}

static bool whole_number(const json_t *body, const char *key, long least, long most, long *ret,
                         char error[256]) {
    const json_t *v = json_object_get(body, key);

    if (!v)
        return true;
    if (!json_is_integer(v) || json_integer_value(v) < least || json_integer_value(v) > most) {
        snprintf(error, 256, "\"%s\" must be a whole number from %ld to %ld", key, least, most);
        return false;
    }
    *ret = (long)json_integer_value(v);
    return true;
}

static bool cut_parse(const json_t *action, struct fault_effect *ret, char error[256]) {
    const char *cut = json_str(action, "cut", "");

    if (strcmp(cut, "before") && strcmp(cut, "after")) {
        snprintf(error, 256, "\"cut\" must be \"before\" or \"after\"");
        return false;
    }
    ret->action = !strcmp(cut, "before") ? FAULT_CUT_BEFORE : FAULT_CUT_AFTER;
    return true;
}

static bool action_parse(const json_t *action, struct fault_effect *ret, char error[256]) {
    static const char *const keys[] = {"status", "retry_after_s", "delay_ms", "hang", "cut", NULL};
    long status = 0, retry = -1, delay = -1;
    size_t kinds = json_object_size(action) - (json_object_get(action, "retry_after_s") ? 1 : 0);

    if (!json_is_object(action) || kinds != 1) {
        snprintf(error, 256,
                 "\"action\" must be an object with one of status, delay_ms, hang, cut");
        return false;
    }
    if (!keys_known(action, keys, error) ||
        !whole_number(action, "status", 200, 599, &status, error) ||
        !whole_number(action, "retry_after_s", 0, 86400, &retry, error) ||
        !whole_number(action, "delay_ms", 0, 3600000, &delay, error))
        return false;
    *ret = (struct fault_effect){
        .code = (unsigned)status, .retry_after_s = (int)retry, .delay_ms = (int)delay};
    if (json_object_get(action, "cut"))
        return cut_parse(action, ret, error);
    if (json_object_get(action, "hang") && !json_is_true(json_object_get(action, "hang"))) {
        snprintf(error, 256, "\"hang\" must be true");
        return false;
    }
    ret->action = status ? FAULT_STATUS : delay >= 0 ? FAULT_DELAY : FAULT_HANG;
    return true;
}

static bool fault_parse(const json_t *body, struct fault *ret, char error[256]) {
    static const char *const keys[] = {"verb",  "path",   "user_agent", "rate", "nth",
                                       "count", "action", "seed",       NULL};
    const json_t *rate = json_object_get(body, "rate"), *verb = json_object_get(body, "verb");
    long seed = 1;

    *ret = (struct fault){.rate = 1, .count = -1};
    if (!keys_known(body, keys, error))
        return false;
    if (verb && !json_is_string(verb)) {
        snprintf(error, 256, "\"verb\" must be a string");
        return false;
    }
    if (rate &&
        (!json_is_number(rate) || json_number_value(rate) < 0 || json_number_value(rate) > 1)) {
        snprintf(error, 256, "\"rate\" must be a probability from 0 to 1");
        return false;
    }
    if (!whole_number(body, "nth", 1, 1000000000, &ret->nth, error) ||
        !whole_number(body, "count", 0, 1000000000, &ret->count, error) ||
        !whole_number(body, "seed", 0, 1000000000, &seed, error) ||
        !action_parse(json_object_get(body, "action"), &ret->effect, error) ||
        !pattern_parse(body, "path", &ret->has_path, &ret->path, error) ||
        !pattern_parse(body, "user_agent", &ret->has_user_agent, &ret->user_agent, error))
        return false;
    ret->verb = xstrdup(json_string_value(verb));
    ret->rate = rate ? json_number_value(rate) : 1;
    ret->seed = (uint64_t)seed;
    if (ret->nth && ret->count < 0)
        ret->count = 1;
    return true;
}

bool faults_set(struct faults *f, const json_t *list, char error[256]) {
    struct faults next = {0};
    json_t *body;
    size_t i;

    if (!json_is_array(list)) {
        snprintf(error, 256, "the body is not a JSON array of faults");
        return false;
    }
    next.faults = xcalloc(json_array_size(list) + 1, sizeof(struct fault));
    json_array_foreach((json_t *)(uintptr_t)list, i, body) {
        char why[256] = "";

        next.n++;
        if (!fault_parse(body, &next.faults[i], why)) {
            snprintf(error, 256, "fault %zu: %.200s", i, why);
            faults_clear(&next);
            return false;
        }
    }
    faults_clear(f);
    *f = next;
    return true;
}

/* The next number in [0, 1) of this fault: the same sequence in every run (splitmix64). */
static double draw(struct fault *f) {
    uint64_t z = f->seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static bool matches(const struct fault *f, const char *verb, const char *kube_verb,
                    const char *path, const char *query, const char *user_agent) {
    _cleanup_free_ char *whole = NULL;

    if (f->verb && strcasecmp(f->verb, verb) && strcasecmp(f->verb, kube_verb))
        return false;
    if (f->has_user_agent && regexec(&f->user_agent, user_agent, 0, NULL, 0))
        return false;
    if (!f->has_path || !regexec(&f->path, path, 0, NULL, 0))
        return true;
    whole = xasprintf("%s?%s", path, query);
    return !regexec(&f->path, whole, 0, NULL, 0);
}

struct fault_effect faults_meet(struct faults *f, const char *verb, const char *kube_verb,
                                const char *path, const char *query, const char *user_agent) {
    for (size_t i = 0; i < f->n; i++) {
        struct fault *fault = &f->faults[i];

        if (!matches(fault, verb, kube_verb, path, query, user_agent))
            continue;
        fault->matched++;
        if (fault->matched < fault->nth || (fault->count >= 0 && fault->acted >= fault->count))
            continue;
        if (fault->rate < 1 && draw(fault) >= fault->rate)
            continue;
        fault->acted++;
        return fault->effect;
    }
    return (struct fault_effect){.action = FAULT_NONE};
}
