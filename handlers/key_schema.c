/* handlers/key_schema.c: what the bodies about keys may hold. */
#include "auth/principal.h"
#include "handlers/handlers.h"
#include "handlers/key.h"
#include <stdio.h>
#include <string.h>

enum { PRINCIPAL_APPS_MAX = 100 };

static const struct field principal_fields[] = {
    {.name = "kind",
     .type = FIELD_ENUM,
     .offset = FIELD_NOWHERE,
     .required = true,
     .words = "user|ci|bot|service"},
    {.name = "roles",
     .type = FIELD_STRINGS,
     .offset = FIELD_NOWHERE,
     .required = true,
     .min = 1,
     .max = ROLES_MAX},
    {.name = "apps",
     .type = FIELD_STRINGS,
     .offset = FIELD_NOWHERE,
     .required = true,
     .min = 1,
     .max = PRINCIPAL_APPS_MAX},
    {.name = "environment", .type = FIELD_NAME, .offset = FIELD_NOWHERE},
};
static const struct body_schema principal_schema = {
    .name = "KeyPrincipal",
    .fields = principal_fields,
    .count = sizeof principal_fields / sizeof *principal_fields,
};

static const char flags_client[] = "flags:client";

/* What a kind of caller is for: evidence comes from CI alone, and a sign-off from a person, whom no
 * key can stand for. */
static Status role_check(const char *role, const char *kind, size_t i, struct reply *r) {
    char field[48];

    snprintf(field, sizeof field, "/principal/roles/%zu", i);
    if (!role_text(role))
        return reply_field_error(r, field, "unknown", "There is no such role.");
    if (!strncmp(role, "approver:", 9))
        return reply_field_error(r, field, "separation",
                                 "A sign-off is a person's own: no key gets this role.");
    if (!strcmp(role, "ci") != !strcmp(kind, "ci") && strcmp(role, "viewer") != 0)
        return reply_field_error(r, field, "separation",
                                 "Kind ci goes with the roles ci and viewer, and only it does.");
    return STATUS_OK;
}

/* Applications carry these keys, some as far as browsers: such a key reaches one environment and
 * can do nothing else. */
static Status flags_check(const json_t *body, const json_t *principal, struct reply *r) {
    const json_t *apps = json_object_get(principal, "apps");
    Status s = STATUS_OK;

    if (strcmp(json_str(body, "kind", ""), "api") != 0)
        s = reply_field_error(r, "/kind", "separation", "Only keys of kind api evaluate flags.");
    if (strcmp(json_str(principal, "kind", ""), "service") != 0)
        s = reply_field_error(r, "/principal/kind", "separation",
                              "The role flags:client goes with the kind service.");
    if (json_array_size(json_object_get(principal, "roles")) != 1)
        s = reply_field_error(r, "/principal/roles", "separation",
                              "The role flags:client goes with no other.");
    if (json_array_size(apps) != 1 || !strcmp(json_string_value(json_array_get(apps, 0)), "*"))
        s = reply_field_error(r, "/principal/apps", "separation",
                              "The role flags:client holds for exactly one app.");
    if (!json_string_value(json_object_get(principal, "environment")))
        s = reply_field_error(r, "/principal/environment", "missing",
                              "The role flags:client holds for one environment.");
    return s;
}

static Status environment_check(const json_t *body, const json_t *principal, struct reply *r) {
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(principal, "roles"), i, one) {
        if (!strcmp(json_string_value(one), flags_client))
            return flags_check(body, principal, r);
    }
    if (!json_string_value(json_object_get(principal, "environment")))
        return STATUS_OK;
    return reply_field_error(r, "/principal/environment", "separation",
                             "Only the role flags:client holds for an environment.");
}

static Status key_check(const json_t *body, struct reply *r) {
    const json_t *principal = json_object_get(body, "principal"), *one;
    const char *kind = json_str(principal, "kind", "");
    Status s = environment_check(body, principal, r);
    char field[48];
    size_t i;

    json_array_foreach(json_object_get(principal, "roles"), i, one) {
        Status role = role_check(json_string_value(one), kind, i, r);

        s = role != STATUS_OK ? role : s;
    }
    json_array_foreach(json_object_get(principal, "apps"), i, one) {
        snprintf(field, sizeof field, "/principal/apps/%zu", i);
        if (!principal_app_valid(json_string_value(one)))
            s = reply_field_error(r, field, "format", "The name of an app, or * for all.");
    }
    return s;
}

static const struct field key_fields[] = {
    {.name = "name",
     .type = FIELD_STRING,
     .offset = offsetof(struct key_in, name),
     .required = true,
     .min = 1,
     .max = 255},
    {.name = "kind",
     .type = FIELD_ENUM,
     .offset = offsetof(struct key_in, kind),
     .required = true,
     .words = "api|signature"},
    {.name = "principal",
     .type = FIELD_OBJECT,
     .offset = offsetof(struct key_in, principal),
     .required = true,
     .schema = &principal_schema},
    {.name = "expires_at", .type = FIELD_TIME, .offset = offsetof(struct key_in, expires_us)},
};
const struct body_schema key_schema = {
    .name = "KeyInput",
    .fields = key_fields,
    .count = sizeof key_fields / sizeof *key_fields,
    .size = sizeof(struct key_in),
    .check = key_check,
};

struct rotate_in {
    int64_t overlap_s; /* read from the body, because 0 is not absence */
};
static const struct field rotate_fields[] = {
    {.name = "overlap_s",
     .type = FIELD_INT,
     .offset = offsetof(struct rotate_in, overlap_s),
     .max = KEY_OVERLAP_MAX_S},
};
const struct body_schema key_rotate_schema = {
    .name = "KeyRotation",
    .fields = rotate_fields,
    .count = sizeof rotate_fields / sizeof *rotate_fields,
    .size = sizeof(struct rotate_in),
};
