#include "handlers/answer.h"
#include "auth/keyring.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/semver.h"
#include "db/app.h"
#include "db/release.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

Status invalid_path(struct reply *r, const char *name, const char *why) {
    reply_extra(r, "parameter", json_string(name));
    return reply_refuse(r, E_INVALID_PATH, "{%s} in the path %s.", name, why);
}

Status path_name(const struct request *q, const char *name, const char **ret, struct reply *r) {
    const char *value = request_param(q, name);

    if (!name_valid(value))
        return invalid_path(r, name,
                            "is no name: lower-case letters, digits and inner dashes, at most 63");
    *ret = value;
    return STATUS_OK;
}

Status app_allowed(const struct request *q, const char *app, struct reply *r) {
    if (principal_may_app(q->principal, app))
        return STATUS_OK;
    return reply_refuse(r, E_FORBIDDEN, "Your credential does not reach the app %s.", app);
}

Status path_app(const struct request *q, const char **ret, struct reply *r) {
    const char *app = NULL;
    Status s = path_name(q, "app", &app, r);

    if (s == STATUS_OK)
        s = app_allowed(q, app, r);
    if (s == STATUS_OK)
        *ret = app;
    return s;
}

Status path_place(const struct request *q, const char **ret_app, const char **ret_env,
                  struct reply *r) {
    Status s = path_app(q, ret_app, r);

    return s == STATUS_OK ? path_name(q, "env", ret_env, r) : s;
}

Status environment_missing(struct reply *r, const char *app, const char *name) {
    return reply_refuse(r, E_NOT_FOUND, "App %s has no environment %s.", app, name);
}

Status path_environment(const struct request *q, struct db_rows **ret, struct reply *r) {
    const char *app = NULL, *name = NULL;
    Status s = path_place(q, &app, &name, r);

    if (s == STATUS_OK)
        s = db_environment_get(request_pool(q), app, name, ret);
    return s == STATUS_OK && db_rows_count(*ret) == 0 ? environment_missing(r, app, name) : s;
}

Status path_release(const struct request *q, const char **ret_app, const char **ret_key,
                    struct reply *r) {
    struct semver semver;
    Status s = path_app(q, ret_app, r);

    if (s != STATUS_OK)
        return s;
    if (!semver_parse(request_param(q, "version"), &semver))
        return invalid_path(r, "version", "is no semantic version");
    *ret_key = arena_strdup(q->arena, semver.key);
    return STATUS_OK;
}

Status release_missing(struct reply *r, const char *app, const char *version) {
    return reply_refuse(r, E_NOT_FOUND, "App %s has no release %s.", app, version);
}

Status path_release_row(const struct request *q, struct db_rows **ret, struct reply *r) {
    const char *app = NULL, *key = NULL;
    Status s = path_release(q, &app, &key, r);

    if (s == STATUS_OK)
        s = db_release_get(request_pool(q), app, key, ret);
    return s == STATUS_OK && db_rows_count(*ret) == 0
               ? release_missing(r, app, request_param(q, "version"))
               : s;
}

Status only_people(const struct request *q, const char *what, struct reply *r) {
    const struct principal *p = q->principal;

    if (strcmp(p->kind, "user") != 0)
        return reply_refuse(r, E_FORBIDDEN, "Only people %s, never a caller of kind %s.", what,
                            p->kind);
    if (!strcmp(p->issuer, KEY_ISSUER))
        return reply_refuse(r, E_FORBIDDEN, "Only people %s, never a key.", what);
    return STATUS_OK;
}

bool is_caller(const struct request *q, const char *actor) {
    json_auto_t *who = json_parse(actor);

    return !strcmp(json_str(who, "subject", ""), q->principal->subject) &&
           !strcmp(json_str(who, "issuer", ""), q->principal->issuer);
}

bool caller_sees_all(const struct request *q) {
    for (const char *const *app = q->principal->apps; app && *app; app++)
        if (!strcmp(*app, "*"))
            return true;
    return false;
}

const char *caller_apps(const struct request *q) {
    static const char *const none[] = {NULL};

    if (caller_sees_all(q))
        return NULL;
    return db_text_array(q->arena, q->principal->apps ? q->principal->apps : none);
}

json_t *actor_value(const char *text) {
    json_auto_t *actor = json_parse(text);

    return json_pack("{s:s?, s:s?, s:s?}", "kind", json_str(actor, "kind", NULL), "subject",
                     json_str(actor, "subject", NULL), "issuer", json_str(actor, "issuer", NULL));
}

Status answer(struct reply *r, unsigned status, json_t *body) {
    json_decref(r->json);
    r->json = body;
    r->status = status;
    return STATUS_OK;
}

const char *etag_of(struct arena *a, int64_t revision, int64_t created_us) {
    return arena_printf(a, "%lld-%llx", (long long)revision, (long long)created_us);
}

Status put_rule(const struct request *q, const char *etag, bool equal, enum put_what *ret,
                struct reply *r) {
    const char *given = request_header(q, "If-Match");

    *ret = !etag ? PUT_MAKE : equal ? PUT_KEEP : PUT_REPLACE;
    if (*ret == PUT_REPLACE)
        return request_if_match(q, etag, r);
    if (*ret == PUT_MAKE && given &&
        strcmp(given, "*") != 0) /* "*": whatever is there, or nothing */
        return reply_refuse(r, E_PRECONDITION_FAILED,
                            "If-Match was given, but there is nothing yet.");
    return STATUS_OK;
}

Status delete_rule(const struct request *q, const char *etag, struct reply *r) {
    return request_header(q, "If-Match") ? request_if_match(q, etag, r) : STATUS_OK;
}

Status not_supported(struct reply *r, const char *field, const char *format, ...) {
    char detail[256];
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    reply_field_error(r, field, "not-supported", "%s", detail);
    return reply_refuse(r, E_NOT_SUPPORTED, "%s", detail);
}

Status body_name(const char *in_body, const char *in_path, struct reply *r) {
    if (!in_body || !strcmp(in_body, in_path))
        return STATUS_OK;
    return reply_field_error(r, "/name", "mismatch", "The path says %s.", in_path);
}

Status refuse_errors(struct reply *r, const json_t *errors) {
    const json_t *e;
    size_t i;

    json_array_foreach(errors, i, e)
        reply_field_error(r, json_str(e, "field", ""), json_str(e, "code", "invalid"), "%s",
                          json_str(e, "detail", ""));
    return json_array_size(errors) ? E_INVALID_BODY : STATUS_OK;
}

Status record_by_caller(const struct request *q, struct db_tx *tx, const struct record_about *about,
                        json_t *data, const char *format, ...) {
    _cleanup_free_ char *data_text = data ? json_text(data) : NULL;
    json_auto_t *message = NULL; /* whole, however much people wrote */
    va_list args;

    va_start(args, format);
    message = json_vsprintf(format, args);
    va_end(args);
    json_decref(data);
    return record_append(tx, &(struct record_entry){.app = about->app,
                                                    .environment = about->environment,
                                                    .actor = q->principal->actor_json,
                                                    .from = q->remote,
                                                    .action = about->action,
                                                    .subject = about->subject,
                                                    .message = json_string_value(message),
                                                    .data = data_text,
                                                    .deployment_id = about->deployment_id});
}

void announce(const struct request *q, const char *topic) {
    bus_publish(context_of(q)->bus, topic);
}

Status all_apps_allowed(const struct request *q, struct reply *r) {
    if (caller_sees_all(q))
        return STATUS_OK;
    return reply_refuse(r, E_FORBIDDEN,
                        "It belongs to every app, and your credential does not reach all.");
}

Status app_exists(const struct request *q, const char *app, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_app_get(context_of(q)->pool, app, &rows);

    if (s == STATUS_OK && db_rows_count(rows) == 0)
        return reply_refuse(r, E_NOT_FOUND, "There is no app %s.", app);
    return s;
}

Status query_word(const struct request *q, const char *name, const char *const *words,
                  const char **ret, struct reply *r) {
    const char *all = "";

    *ret = request_query(q, name);
    for (size_t i = 0; *ret && words[i]; i++) {
        if (strcmp(*ret, words[i]) == 0)
            return STATUS_OK;
        all = arena_printf(q->arena, "%s%s%s", all, i ? ", " : "", words[i]);
    }
    return *ret ? reply_query_error(r, name, "enum", "One of %s.", all) : STATUS_OK;
}

Status page_of_ids(const struct request *q, struct page *ret, struct reply *r) {
    Status s = request_page(q, ret, r);

    if (s == STATUS_OK && ret->after && !uuid_valid(ret->after))
        s = reply_query_error(r, "cursor", "format", "Not a next_cursor of this list.");
    return s;
}

size_t page_rows(const struct page *page, const struct db_rows *rows) {
    size_t n = db_rows_count(rows);

    return n > (size_t)page->limit ? (size_t)page->limit : n;
}

const char *page_next(const struct page *page, const struct db_rows *rows, const char *position) {
    size_t n = page_rows(page, rows);

    return db_rows_count(rows) > n ? db_text(rows, n - 1, position) : NULL;
}
