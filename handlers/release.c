/* handlers/release.c: releases: made once, never changed, taken out of use by a yank. */
#include "db/release.h"
#include "base/cleanup.h"
#include "base/field_errors.h"
#include "db/app.h"
#include "domain/release.h"
#include "flags/model.h"
#include "handlers/answer.h"
#include "handlers/flag.h"
#include "handlers/gate_fact.h"
#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include "kube/yaml.h"
#include <string.h>

struct release_in {
    const char *version, *image, *digest, *commit, *notes, *manifests;
    json_t *migrations, *flags, *source;
};

static Status check_image(const char *image, const char *digest, struct reply *r) {
    const char *own = NULL;

    if (!image_reference_valid(image, &own))
        return reply_field_error(r, "/image", "invalid",
                                 "An image reference, like ghcr.io/your-org/inopnc-wm:v1.2.3.");
    if (own && digest && strcmp(own, digest))
        return reply_field_error(r, "/digest", "mismatch", "The image names another digest.");
    return STATUS_OK;
}

static Status check_source(const json_t *source, struct reply *r) {
    const char *key;
    json_t *value;

    if (!source || json_is_null(source) ||
        (json_is_string(source) && json_string_length(source) <= 1024))
        return STATUS_OK;
    if (!json_is_object(source) || json_object_size(source) > 32)
        return reply_field_error(r, "/source", "type",
                                 "A text, or an object of at most 32 texts, numbers or booleans.");
    json_object_foreach((json_t *)(uintptr_t)source, key, value) {
        if (json_is_object(value) || json_is_array(value) || json_string_length(value) > 1024)
            return reply_field_error(r, "/source", "type",
                                     "A text, or an object of at most 32 texts, numbers or "
                                     "booleans.");
    }
    return STATUS_OK;
}

static Status check_migrations(const json_t *migrations, struct reply *r) {
    _cleanup_(arena_done) struct arena arena = {0};
    json_auto_t *seen = json_object();
    json_t *row;
    size_t i;

    json_array_foreach(migrations, i, row) {
        const char *version = json_str(row, "version", "");

        if (json_object_get(seen, version))
            return reply_field_error(r, arena_printf(&arena, "/migrations/%zu/version", i),
                                     "duplicate", "Another migration has this version.");
        json_object_set_new(seen, version, json_true());
    }
    return STATUS_OK;
}

static void check_flag(const json_t *change, size_t i, json_t *seen, json_t *errors) {
    json_auto_t *set = flag_form(&flag_change_schema, json_object_get(change, "set"));
    _cleanup_free_ char *at = xasprintf("/flags/%zu", i), *set_at = xasprintf("%s/set", at),
                        *strategies_at = xasprintf("%s/strategies", set_at),
                        *key = xasprintf("%s %s", json_str(change, "flag", ""),
                                         json_str(change, "at", ""));

    if (json_object_get(seen, key))
        field_error(errors, at, "duplicate", "Another change of this flag comes at the same time.");
    json_object_set_new(seen, key, json_true());
    if (json_object_size(set) == 0)
        field_error(errors, set_at, "empty",
                    "One of enabled, strategies, default_variant, requires_release.");
    flag_strategies_check(json_object_get(set, "strategies"), NULL, strategies_at, errors);
}

/* Whether the flags are there, and what else they may be, the step that changes them sees. */
static Status check_flags(const json_t *flags, struct reply *r) {
    json_auto_t *seen = json_object(), *errors = json_array();
    json_t *change;
    size_t i;

    json_array_foreach(flags, i, change) check_flag(change, i, seen, errors);
    return refuse_errors(r, errors);
}

static Status check_manifests(const char *manifests, struct reply *r) {
    char line[256];
    json_auto_t *documents = NULL;

    if (!manifests)
        return STATUS_OK;
    documents = kube_yaml_documents(manifests, strlen(manifests), line, sizeof line);
    if (!documents)
        return reply_field_error(r, "/manifests", "yaml", "%s", line);
    if (json_array_size(documents) == 0)
        return reply_field_error(r, "/manifests", "empty", "There is no document in it.");
    return STATUS_OK;
}

static Status release_check(const json_t *body, struct reply *r) {
    const char *version = json_str(body, "version", ""), *digest = json_str(body, "digest", NULL),
               *commit = json_str(body, "commit", NULL);
    struct semver semver;
    Status s = STATUS_OK, one;

    if (!semver_parse(version, &semver))
        s = reply_field_error(r, "/version", "invalid",
                              "A semantic version, like v1.2.3 or 1.2.3-rc.1.");
    if (digest && !image_digest_valid(digest))
        s = reply_field_error(r, "/digest", "invalid", "sha256: and 64 lower-case hex digits.");
    if (commit && !commit_valid(commit))
        s = reply_field_error(r, "/commit", "invalid", "7 to 64 lower-case hex digits.");
    if ((one = check_image(json_str(body, "image", ""), digest, r)) != STATUS_OK)
        s = one;
    if ((one = check_source(json_object_get(body, "source"), r)) != STATUS_OK)
        s = one;
    if ((one = check_migrations(json_object_get(body, "migrations"), r)) != STATUS_OK)
        s = one;
    if ((one = check_flags(json_object_get(body, "flags"), r)) != STATUS_OK)
        s = one;
    if ((one = check_manifests(json_str(body, "manifests", NULL), r)) != STATUS_OK)
        s = one;
    return s;
}

static const struct field migration_fields[] = {
    {.name = "version",
     .type = FIELD_STRING,
     .offset = FIELD_NOWHERE,
     .required = true,
     .min = 1,
     .max = 128},
    {.name = "class",
     .type = FIELD_ENUM,
     .offset = FIELD_NOWHERE,
     .required = true,
     .words = "additive|reversible|destructive"},
};
static const struct body_schema migration_schema = {
    .name = "Migration",
    .fields = migration_fields,
    .count = sizeof migration_fields / sizeof *migration_fields,
};

static const struct field release_flag_fields[] = {
    {.name = "flag",
     .type = FIELD_STRING,
     .offset = FIELD_NOWHERE,
     .required = true,
     .min = 1,
     .max = FLAG_NAME_MAX},
    {.name = "at",
     .type = FIELD_ENUM,
     .offset = FIELD_NOWHERE,
     .required = true,
     .words = "before|after-switch|after-validate"},
    {.name = "set",
     .type = FIELD_OBJECT,
     .offset = FIELD_NOWHERE,
     .required = true,
     .schema = &flag_change_schema},
};
static const struct body_schema release_flag_schema = {
    .name = "ReleaseFlag",
    .fields = release_flag_fields,
    .count = sizeof release_flag_fields / sizeof *release_flag_fields,
};

#define AT(member) .offset = offsetof(struct release_in, member)
static const struct field release_fields[] = {
    {.name = "version", .type = FIELD_STRING, AT(version), .required = true, .min = 1, .max = 129},
    {.name = "image",
     .type = FIELD_STRING,
     AT(image),
     .required = true,
     .min = 1,
     .max = IMAGE_MAX},
    {.name = "digest", .type = FIELD_STRING, AT(digest), .min = 71, .max = 71},
    {.name = "commit", .type = FIELD_STRING, AT(commit), .min = 7, .max = 64},
    {.name = "notes", .type = FIELD_STRING, AT(notes), .max = 65536},
    {.name = "manifests", .type = FIELD_STRING, AT(manifests), .min = 1, .max = 262144},
    {.name = "migrations",
     .type = FIELD_OBJECTS,
     AT(migrations),
     .max = RELEASE_MIGRATIONS,
     .schema = &migration_schema},
    {.name = "flags",
     .type = FIELD_OBJECTS,
     AT(flags),
     .max = RELEASE_FLAGS,
     .schema = &release_flag_schema},
    {.name = "source", .type = FIELD_ANY, AT(source)},
};
#undef AT
const struct body_schema release_schema = {
    .name = "ReleaseInput",
    .fields = release_fields,
    .count = sizeof release_fields / sizeof *release_fields,
    .size = sizeof(struct release_in),
    .check = release_check,
};

struct yank_in {
    const char *reason;
};
static const struct field yank_fields[] = {
    {.name = "reason",
     .type = FIELD_STRING,
     .offset = offsetof(struct yank_in, reason),
     .required = true,
     .min = 1,
     .max = 1024},
};
const struct body_schema yank_schema = {
    .name = "Yank",
    .fields = yank_fields,
    .count = sizeof yank_fields / sizeof *yank_fields,
    .size = sizeof(struct yank_in),
};

static json_t *release_json(const struct release_row *row, bool whole) {
    json_t *out = json_object(), *source = json_parse(row->source);

    json_set_str(out, "app", row->app);
    json_set_str(out, "version", row->version);
    json_set_str(out, "image", row->image);
    json_set_str(out, "digest", row->digest);
    json_set_str(out, "commit", row->commit);
    json_set_str(out, "notes", row->notes);
    if (whole)
        json_set_str(out, "manifests", row->manifests);
    json_object_set_new(out, "migrations", json_parse(row->migrations));
    json_object_set_new(out, "flags", json_parse(row->flags));
    json_object_set_new(out, "source", source ? source : json_null());
    json_set_str(out, "content_digest", row->content_digest);
    json_object_set_new(out, "created_by", actor_value(row->created_by));
    json_set_time(out, "created_at", row->created_us);
    json_set_time(out, "yanked_at", row->yanked_us);
    json_set_str(out, "yank_reason", row->yank_reason);
    return out;
}

/* Changes when it is yanked, and never else. */
static const char *release_etag(const struct release_row *row) {
    static const char *const states[] = {"1", "2"};

    return states[row->yanked_us != 0];
}

static Status release_answer(struct reply *r, unsigned status, const struct db_rows *rows) {
    struct release_row row = release_row(rows, 0, true);

    r->etag = arena_printf(r->arena, "%s-%.16s", release_etag(&row), row.content_digest);
    return answer(r, status, release_json(&row, true));
}

struct release_write {
    struct request *q;
    struct reply *r;
    const char *app, *key, *reason;
    const struct release_in *in;
    const struct release_new *new;
    struct gate_fact fact; /* of a yank */
};

/* Of a create, as the body spells the version. */
static Status release_made(const struct release_write *w, unsigned status,
                           const struct db_rows *rows) {
    w->r->location =
        arena_printf(w->q->arena, "/api/v1/apps/%s/releases/%s", w->app, w->new->version);
    return release_answer(w->r, status, rows);
}

static Status release_there(struct db_tx *tx, const struct release_write *w) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct release_row row;
    Status s = db_release_get_in(tx, w->app, w->new->version_key, &rows);

    if (s != STATUS_OK)
        return s;
    if (db_rows_count(rows) == 0)
        return FAULT_BUG; /* releases are never deleted */
    row = release_row(rows, 0, true);
    if (!strcmp(row.content_digest, w->new->content_digest))
        return release_made(w, 200, rows);
    reply_extra(w->r, "content_digest", json_string(row.content_digest));
    return reply_refuse(w->r, E_RELEASE_EXISTS,
                        "Release %s exists with other content: a release never changes.",
                        row.version);
}

static Status release_create_tx(struct db_tx *tx, void *ctx) {
    const struct release_write *w = ctx;
    const struct release_new *new = w->new;
    const struct record_about about = {
        .app = w->app, .action = "release.created", .subject = new->version};
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    bool made = false;
    Status s = db_app_share(tx, w->app);

    if (s == E_NOT_FOUND)
        return reply_refuse(w->r, s, "There is no app %s.", w->app);
    if (s == STATUS_OK)
        s = db_release_insert(tx, new, &made);
    if (s != STATUS_OK)
        return s;
    if (!made)
        return release_there(tx, w);
    s = db_release_get_in(tx, w->app, new->version_key, &rows);
    if (s == STATUS_OK)
        s = release_made(w, 201, rows);
    if (s != STATUS_OK)
        return s;
    return record_by_caller(w->q, tx, &about,
                            json_pack("{s:s, s:s, s:s?, s:s?, s:s}", "version", new->version,
                                      "image", new->image, "digest", new->digest, "commit",
                                      new->commit, "content_digest", new->content_digest),
                            "Release %s of %s was created.", new->version, w->app);
}

/* In the arena: the image without the digest that it may carry, and that digest. */
static void split_image(struct arena *arena, const struct release_in *in, const char **ret_image,
                        const char **ret_digest) {
    const char *at = strchr(in->image, '@');

    *ret_image = at ? arena_strndup(arena, in->image, (size_t)(at - in->image)) : in->image;
    *ret_digest = at ? at + 1 : in->digest;
}

/* As they are kept; yours. */
static json_t *flags_form(const json_t *flags) {
    json_t *all = json_array(), *change;
    size_t i;

    json_array_foreach(flags, i, change) json_array_append_new(
        all, json_pack("{s:O, s:O, s:o}", "flag", json_object_get(change, "flag"), "at",
                       json_object_get(change, "at"), "set",
                       flag_form(&flag_change_schema, json_object_get(change, "set"))));
    return all;
}

static Status release_make(struct request *q, struct reply *r, void *ctx) {
    static const char empty[] = "[]";
    struct release_write *w = ctx;
    const struct release_in *in = w->in;
    json_auto_t *flags = flags_form(in->flags);
    struct release_content content = {.commit = in->commit,
                                      .manifests = in->manifests,
                                      .migrations = in->migrations,
                                      .flags = flags};
    _cleanup_free_ char *migrations = in->migrations ? json_text(in->migrations) : NULL;
    _cleanup_free_ char *flags_text = json_text(flags);
    _cleanup_free_ char *source = in->source ? json_text(in->source) : NULL;
    char id[UUID_TEXT], digest[SHA256_HEX];
    struct release_new new;

    if (!semver_parse(in->version, &content.semver))
        return FAULT_BUG; /* the schema's check saw to it */
    split_image(q->arena, in, &content.image, &content.digest);
    new = (struct release_new){
        .id = uuid_v7(id),
        .app = w->app,
        .version = in->version,
        .version_key = content.semver.key,
        .image = content.image,
        .digest = content.digest,
        .commit = in->commit,
        .notes = in->notes,
        .manifests = in->manifests,
        .migrations = migrations ? migrations : empty,
        .flags = flags_text,
        .source = source,
        .content_digest = release_content_digest(&content, digest),
        .created_by = q->principal->actor_json,
        .precedence = content.semver.precedence,
        .precedence_len = content.semver.precedence_len,
    };
    w->new = &new;
    return idempotent_tx(q, r, "release_create", release_create_tx, w);
}

Status release_create(struct request *q, const void *body, struct reply *r) {
    struct release_write w = {.q = q, .r = r, .in = body};
    Status s = path_app(q, &w.app, r);

    if (s == STATUS_OK)
        s = idempotent_run(q, r, release_make, &w);
    if (s == STATUS_OK && !r->replayed)
        announce(q, w.app);
    return s;
}

Status release_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = path_release_row(q, &rows, r);

    (void)in;
    return s == STATUS_OK ? release_answer(r, 200, rows) : s;
}

/* A yanked release goes nowhere any more: a fact of every environment's gate. */
static Status release_yank_tx(struct db_tx *tx, void *ctx) {
    struct release_write *w = ctx;
    struct record_about about = {.app = w->app, .action = "release.yanked"};
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    bool done = false;
    Status s = gate_fact_begin(tx, &w->fact);

    if (s == STATUS_OK)
        s = db_release_yank(tx, w->app, w->key, w->reason, &done);
    if (s == STATUS_OK)
        s = db_release_get_in(tx, w->app, w->key, &rows);
    if (s == STATUS_OK)
        s = release_answer(w->r, 200, rows);
    about.subject = w->fact.release.version;
    if (s == STATUS_OK && done)
        s = record_by_caller(w->q, tx, &about, json_pack("{s:s}", "reason", w->reason),
                             "Release %s of %s was taken out of use.", about.subject, w->app);
    return s == STATUS_OK ? gate_fact_end(tx, &w->fact, w->r->json) : s;
}

Status release_yank(struct request *q, const void *body, struct reply *r) {
    const struct yank_in *in = body;
    struct release_write w = {.q = q, .r = r, .reason = in->reason};
    Status s = path_release(q, &w.app, &w.key, r);

    if (s != STATUS_OK)
        return s;
    w.fact = (struct gate_fact){
        .q = q, .r = r, .app = w.app, .version = request_param(q, "version"), .version_key = w.key};
    s = db_tx_run(context_of(q)->pool, "release_yank", DB_READ_COMMITTED, release_yank_tx, &w);
    if (s == STATUS_OK) {
        announce(q, w.app);
        gate_fact_announce(&w.fact);
    }
    gate_fact_done(&w.fact);
    return s;
}

static Status release_page(struct request *q, const char *app, const struct page *page,
                           struct db_rows **ret, struct reply *r) {
    struct semver after;

    if (!page->after)
        return db_release_list(context_of(q)->pool, app, NULL, 0, NULL, page->limit + 1, ret);
    if (!semver_parse(page->after, &after))
        return reply_query_error(r, "cursor", "format", "Not a next_cursor of this list.");
    return db_release_list(context_of(q)->pool, app, after.precedence, after.precedence_len,
                           after.key, page->limit + 1, ret);
}

Status release_list(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const char *app = NULL;
    json_t *items;
    struct page page;
    Status s = path_app(q, &app, r);

    (void)in;
    if (s == STATUS_OK)
        s = request_page(q, &page, r);
    if (s == STATUS_OK)
        s = release_page(q, app, &page, &rows, r);
    if (s == STATUS_OK && db_rows_count(rows) == 0)
        s = app_exists(q, app, r);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        struct release_row row = release_row(rows, i, false);

        json_array_append_new(items, release_json(&row, false));
    }
    reply_list(r, items, page_next(&page, rows, "version_key"));
    return STATUS_OK;
}
