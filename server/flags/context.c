#include "flags/context.h"
#include "base/clock.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct context_field context_known[FIELD_ID_OTHER] = {
    {"userId", FIELD_ID_USER, FIELD_ID_USER},
    {"sessionId", FIELD_ID_SESSION, FIELD_ID_SESSION},
    {"remoteAddress", FIELD_ID_ADDRESS, FIELD_ID_ADDRESS},
    {"environment", FIELD_ID_ENVIRONMENT, FIELD_ID_ENVIRONMENT},
    {"appName", FIELD_ID_APP, FIELD_ID_APP},
    {"currentTime", FIELD_ID_TIME, FIELD_ID_TIME},
    {"hostname", FIELD_ID_HOST, FIELD_ID_HOST},
};

void context_fields_init(struct context_fields *f, struct arena *arena) {
    *f = (struct context_fields){.arena = arena, .others = json_object(), .n = FIELD_ID_OTHER};
}

void context_fields_done(struct context_fields *f) {
    json_decref(f->others);
    f->others = NULL;
}

struct context_field context_field(struct context_fields *f, const char *name) {
    unsigned index;

    for (size_t i = 0; i < FIELD_ID_OTHER; i++)
        if (strcmp(context_known[i].name, name) == 0)
            return context_known[i];
    index = (unsigned)json_int(f->others, name, 0);
    if (index == 0) {
        index = f->n++;
        json_object_set_new(f->others, name, json_integer(index));
    }
    return (struct context_field){arena_strdup(f->arena, name), FIELD_ID_OTHER, index};
}

/* As JavaScript writes numbers, so that "12" is equal to 12.0. */
static void number_text(double v, char *text, size_t n) {
    if (v > -1e18 && v < 1e18 && v == (double)(int64_t)v) {
        snprintf(text, n, "%" PRId64, (int64_t)v);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, n, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            return;
    }
}

static bool json_value(const json_t *v, struct context_value *ret) {
    if (json_is_string(v)) {
        ret->text = json_string_value(v);
        ret->n = json_string_length(v);
        return ret->n <= FLAG_VALUE_MAX;
    }
    if (json_is_integer(v))
        snprintf(ret->made, sizeof ret->made, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_real(v))
        number_text(json_real_value(v), ret->made, sizeof ret->made);
    else if (json_is_boolean(v))
        snprintf(ret->made, sizeof ret->made, "%s", json_is_true(v) ? "true" : "false");
    else
        return false;
    ret->text = ret->made;
    ret->n = strlen(ret->made);
    return true;
}

static bool in_objects(const struct flag_context *c, const char *name, struct context_value *ret) {
    for (size_t i = 0; i < FLAG_CONTEXT_OBJECTS; i++)
        if (json_value(json_object_get(c->objects[i], name), ret))
            return true;
    return false;
}

static bool look(const struct flag_context *c, const struct context_field *field,
                 struct context_value *ret) {
    if (field->id == FIELD_ID_ENVIRONMENT && c->environment) {
        ret->text = c->environment;
        ret->n = strlen(c->environment);
        return true;
    }
    return in_objects(c, field->name, ret) ||
           (field->id == FIELD_ID_USER && in_objects(c, "targetingKey", ret));
}

const struct context_value *context_get(const struct flag_context *c,
                                        const struct context_field *field,
                                        struct context_value *room) {
    struct context_found *found;

    if (!c->memo)
        return look(c, field, room) ? room : NULL;
    found = (struct context_found *)c->memo + field->index;
    if (!found->looked) {
        found->looked = true;
        found->there = look(c, field, &found->value);
    }
    return found->there ? &found->value : NULL;
}

bool context_time(const struct flag_context *c, int64_t *ret_us) {
    struct context_value room;
    const struct context_value *v = context_get(c, &context_known[FIELD_ID_TIME], &room);

    *ret_us = c->now_us;
    return !v || clock_parse(v->text, ret_us);
}
