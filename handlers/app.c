/* handlers/app.c: apps. */
#include "db/app.h"
#include "base/cleanup.h"
#include "domain/release.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include <string.h>

struct app_in {
    const char *name, *description, *repository, *image;
    const char *const *owners;
};

static Status app_check(const json_t *body, struct reply *r) {
    const char *image = json_str(body, "image", NULL), *digest = NULL;

    if (image && (!image_reference_valid(image, &digest) || digest))
        return reply_field_error(r, "/image", "invalid",
                                 "An image repository, like ghcr.io/your-org/inopnc-wm.");
    return STATUS_OK;
}

static const struct field app_fields[] = {
    {.name = "name", .type = FIELD_NAME, .offset = offsetof(struct app_in, name)},
    {.name = "description",
     .type = FIELD_STRING,
     .offset = offsetof(struct app_in, description),
     .max = 1024},
    {.name = "repository",
     .type = FIELD_STRING,
     .offset = offsetof(struct app_in, repository),
     .max = 1024},
    {.name = "image",
     .type = FIELD_STRING,
     .offset = offsetof(struct app_in, image),
     .min = 1,
     .max = IMAGE_MAX},
    {.name = "owners", .type = FIELD_STRINGS, .offset = offsetof(struct app_in, owners), .max = 64},
};
const struct body_schema app_schema = {
    .name = "AppInput",
    .fields = app_fields,
    .count = sizeof app_fields / sizeof *app_fields,
    .size = sizeof(struct app_in),
    .check = app_check,
};

static json_t *app_spec(const struct app_in *in) {
    json_t *spec = json_object(), *owners = json_array();

    json_set_str(spec, "description", in->description);
    json_set_str(spec, "repository", in->repository);
    json_set_str(spec, "image", in->image);
    for (const char *const *owner = in->owners; owner && *owner; owner++)
        json_array_append_new(owners, json_string(*owner));
    json_object_set_new(spec, "owners", owners);
    return spec;
}

static json_t *app_json(const struct app_row *row) {
    static const char *const keys[] = {"description", "repository", "image", "owners"};
    json_auto_t *spec = json_parse(row->spec);
    json_t *out = json_object();

    json_set_str(out, "name", row->name);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        json_object_set(out, keys[i], json_object_get(spec, keys[i]));
    json_set_time(out, "created_at", row->created_us);
    json_set_time(out, "updated_at", row->updated_us);
    return out;
}

static Status app_missing(struct reply *r, const char *name) {
    return reply_refuse(r, E_NOT_FOUND, "There is no app %s.", name);
}

static const char *app_etag(const struct request *q, const struct db_rows *rows) {
    struct app_row row;

    if (db_rows_count(rows) == 0)
        return NULL;
    row = app_row(rows, 0);
    return etag_of(q->arena, row.revision, row.created_us);
}

static Status app_answer(const struct request *q, struct reply *r, unsigned status,
                         const struct db_rows *rows) {
    struct app_row row = app_row(rows, 0);

    r->etag = app_etag(q, rows);
    return answer(r, status, app_json(&row));
}

struct app_write {
    struct request *q;
    struct reply *r;
    const char *name;
    json_t *spec; /* NULL: delete */
};

static Status app_record(const struct app_write *w, struct db_tx *tx, const char *action,
                         const char *done) {
    const struct record_about about = {.app = w->name, .action = action, .subject = w->name};

    return record_by_caller(w->q, tx, &about, w->spec ? record_of_spec(w->spec) : NULL,
                            "App %s was %s.", w->name, done);
}

/* Whether the row says what is wanted already. */
static bool app_equal(const struct db_rows *rows, const json_t *spec) {
    json_auto_t *there = db_rows_count(rows) ? json_parse(app_row(rows, 0).spec) : NULL;

    return there && json_equal(there, spec);
}

/* *ret_again: somebody else made it between our look and our insert. */
static Status app_put_once(struct db_tx *tx, const struct app_write *w, bool *ret_again) {
    _cleanup_(db_rows_free) struct db_rows *there = NULL;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_free_ char *spec = json_text(w->spec);
    enum put_what what = PUT_KEEP;
    Status s;

    *ret_again = false;
    s = db_app_lock(tx, w->name, &there);
    if (s == STATUS_OK)
        s = put_rule(w->q, app_etag(w->q, there), app_equal(there, w->spec), &what, w->r);
    if (s != STATUS_OK)
        return s;
    if (what == PUT_KEEP)
        return app_answer(w->q, w->r, 200, there);
    s = what == PUT_MAKE ? db_app_insert(tx, w->name, spec, &rows)
                         : db_app_update(tx, w->name, spec, &rows);
    *ret_again = s == STATUS_OK && db_rows_count(rows) == 0;
    if (s != STATUS_OK || *ret_again)
        return s;
    s = app_answer(w->q, w->r, what == PUT_MAKE ? 201 : 200, rows);
    return s != STATUS_OK ? s : app_record(w, tx, "app.put", what == PUT_MAKE ? "made" : "changed");
}

static Status app_put_tx(struct db_tx *tx, void *ctx) {
    bool again = false;
    Status s;

    do
        s = app_put_once(tx, ctx, &again);
    while (s == STATUS_OK && again);
    return s;
}

Status app_put(struct request *q, const void *body, struct reply *r) {
    const struct app_in *in = body;
    struct app_write w = {.q = q, .r = r};
    json_auto_t *spec = app_spec(in);
    Status s = path_app(q, &w.name, r);

    if (s == STATUS_OK && !strcmp(w.name, "system"))
        s = invalid_path(r, "app", "is reserved: the chain of that name is the server's own");
    if (s == STATUS_OK)
        s = body_name(in->name, w.name, r);
    if (s != STATUS_OK)
        return s;
    w.spec = spec;
    s = db_tx_run(context_of(q)->pool, "app_put", DB_READ_COMMITTED, app_put_tx, &w);
    if (s == STATUS_OK)
        announce(q, w.name);
    return s;
}

Status app_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const char *name = NULL;
    Status s = path_app(q, &name, r);

    (void)in;
    if (s == STATUS_OK)
        s = db_app_get(context_of(q)->pool, name, &rows);
    if (s != STATUS_OK)
        return s;
    return db_rows_count(rows) ? app_answer(q, r, 200, rows) : app_missing(r, name);
}

static Status app_delete_tx(struct db_tx *tx, void *ctx) {
    const struct app_write *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *there = NULL;
    Status s = db_app_lock(tx, w->name, &there);

    if (s != STATUS_OK)
        return s;
    if (db_rows_count(there) == 0)
        return app_missing(w->r, w->name);
    s = delete_rule(w->q, app_etag(w->q, there), w->r);
    if (s == STATUS_OK)
        s = db_app_delete(tx, w->name);
    if (s == E_IN_USE)
        return reply_refuse(w->r, s, "App %s still has environments.", w->name);
    if (s != STATUS_OK)
        return s;
    w->r->status = 204;
    return app_record(w, tx, "app.deleted", "deleted");
}

Status app_delete(struct request *q, const void *in, struct reply *r) {
    struct app_write w = {.q = q, .r = r};
    Status s = path_app(q, &w.name, r);

    (void)in;
    if (s != STATUS_OK)
        return s;
    s = db_tx_run(context_of(q)->pool, "app_delete", DB_READ_COMMITTED, app_delete_tx, &w);
    if (s == STATUS_OK)
        announce(q, w.name);
    return s;
}

Status app_list(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_t *items;
    struct page page;
    Status s = request_page(q, &page, r);

    (void)in;
    if (s == STATUS_OK)
        s = db_app_list(context_of(q)->pool, page.after, caller_apps(q), page.limit + 1, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        struct app_row row = app_row(rows, i);

        json_array_append_new(items, app_json(&row));
    }
    reply_list(r, items, page_next(&page, rows, "name"));
    return STATUS_OK;
}
