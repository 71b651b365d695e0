/* handlers/checklist_template.c: templates of checklists, which all apps share.  A PUT adds a
 * version; a checklist in use keeps its own. */
#include "db/checklist_template.h"
#include "base/cleanup.h"
#include "db/gate.h"
#include "domain/checklist_template.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// clang-format off
#define FIELD(n, t, ...) {.name = n, .type = t, .offset = FIELD_NOWHERE, __VA_ARGS__}
#define SCHEMA(identifier, component, table)                                                       \
    static const struct body_schema identifier = {                                                 \
        .name = component, .fields = table, .count = sizeof table / sizeof *table}

static const struct field params_fields[] = {
    FIELD("note",                  FIELD_BOOL, .required = false),
    FIELD("person",                FIELD_BOOL, .required = false),
    FIELD("max_level",             FIELD_ENUM, .words = "none|note|warning|error"),
    FIELD("max_security_severity", FIELD_ANY,  .required = false),
    FIELD("max_total_bytes",       FIELD_INT,  .min = 1, .max = (int64_t)1 << 40),
    FIELD("max_file_bytes",        FIELD_INT,  .min = 1, .max = (int64_t)1 << 40),
};
SCHEMA(params_schema, "TemplateParams", params_fields);

static const struct field item_fields[] = {
    FIELD("key",       FIELD_NAME,   .required = true),
    FIELD("title",     FIELD_STRING, .required = true, .min = 1, .max = 200),
    FIELD("kind",      FIELD_ENUM,   .required = true, .words = "manual|evidence|probe"),
    FIELD("required",  FIELD_BOOL,   .required = false),
    FIELD("probe",     FIELD_NAME,   .required = false),
    FIELD("params",    FIELD_OBJECT, .schema = &params_schema),
    FIELD("expires_s", FIELD_INT,    .min = 1, .max = 365 * 86400),
};
SCHEMA(item_fields_schema, "TemplateItem", item_fields);

static const struct field group_fields[] = {
    FIELD("name",  FIELD_NAME,    .required = true),
    FIELD("title", FIELD_STRING,  .required = true, .min = 1, .max = 200),
    FIELD("items", FIELD_OBJECTS, .required = true, .min = 1, .max = TEMPLATE_GROUP_ITEMS_MAX,
          .schema = &item_fields_schema),
};
SCHEMA(group_schema, "TemplateGroup", group_fields);

static const struct field template_fields[] = {
    FIELD("groups", FIELD_OBJECTS, .required = true, .min = 1, .max = TEMPLATE_GROUPS_MAX,
          .schema = &group_schema),
};
// clang-format on

static Status template_rules(const json_t *body, struct reply *r) {
    json_auto_t *errors = json_array();

    checklist_template_check(json_object_get(body, "groups"), errors);
    return refuse_errors(r, errors);
}

const struct body_schema template_schema = {
    .name = "TemplateInput",
    .fields = template_fields,
    .count = sizeof template_fields / sizeof *template_fields,
    .size = 1,
    .check = template_rules,
};

static json_t *template_json(const struct checklist_template_row *row) {
    json_t *out = json_pack("{s:s, s:I, s:b}", "name", row->name, "version",
                            (json_int_t)row->version, "built_in", row->built_in);
    json_auto_t *groups = row->groups ? json_parse(row->groups) : NULL;

    json_object_set_new(out, "created_by",
                        row->created_by ? actor_value(row->created_by) : json_null());
    json_set_time(out, "created_at", row->created_us);
    if (groups)
        json_object_set_new(out, "groups", checklist_template_groups(groups));
    return out;
}

static const char *template_etag(const struct request *q, const struct db_rows *rows) {
    return db_rows_count(rows)
               ? arena_printf(q->arena, "%" PRId64, checklist_template_row(rows, 0, true).version)
               : NULL;
}

static Status template_answer(const struct request *q, struct reply *r, unsigned status,
                              const struct db_rows *rows) {
    const struct checklist_template_row row = checklist_template_row(rows, 0, false);

    r->etag = template_etag(q, rows);
    return answer(r, status, template_json(&row));
}

struct template_write {
    struct request *q;
    struct reply *r;
    const char *name;
    json_t *groups;
    struct db_rows *environments; /* whose gates name it; owned */
};

static bool template_equal(const struct db_rows *there, const json_t *groups) {
    json_auto_t *stored =
        db_rows_count(there) ? json_parse(checklist_template_row(there, 0, false).groups) : NULL;

    return stored && json_equal(stored, groups);
}

/* What it asks for now counts in every environment that names it. */
static Status touch_environments(struct db_tx *tx, const struct template_write *w) {
    Status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < db_rows_count(w->environments); i++)
        s = db_gate_touch(tx, db_text(w->environments, i, "id"));
    return s;
}

static Status template_record(struct db_tx *tx, const struct template_write *w, int64_t version) {
    const struct record_about about = {.action = "template.put", .subject = w->name};
    json_auto_t *spec = json_pack("{s:O}", "groups", w->groups);
    json_t *data = record_of_spec(spec);

    json_object_set_new(data, "version", json_integer(version));
    return record_by_caller(w->q, tx, &about, data, "Version %" PRId64 " of the template %s.",
                            version, w->name);
}

/* *ret_again: somebody else added this version between our look and our insert. */
static Status template_add(struct db_tx *tx, const struct template_write *w,
                           const struct db_rows *there, bool *ret_again) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_free_ char *groups = json_text(w->groups);
    bool made = db_rows_count(there) == 0;
    int64_t version = made ? 1 : checklist_template_row(there, 0, true).version + 1;
    Status s =
        db_checklist_template_add(tx, w->name, version, groups, w->q->principal->actor_json, &rows);

    *ret_again = s == STATUS_OK && db_rows_count(rows) == 0;
    if (s != STATUS_OK || *ret_again)
        return s;
    s = touch_environments(tx, w);
    if (s == STATUS_OK)
        s = template_answer(w->q, w->r, made ? 201 : 200, rows);
    return s == STATUS_OK ? template_record(tx, w, version) : s;
}

static Status template_put_once(struct db_tx *tx, const struct template_write *w, bool *ret_again) {
    _cleanup_(db_rows_free) struct db_rows *there = NULL;
    enum put_what what = PUT_KEEP;
    Status s = db_checklist_template_get_in(tx, w->name, &there);

    *ret_again = false;
    if (s == STATUS_OK && db_rows_count(there) && checklist_template_row(there, 0, true).built_in)
        return reply_refuse(w->r, E_IN_USE,
                            "The template %s is built in and stays as it is: put a copy under "
                            "another name, and name that in the gates.",
                            w->name);
    if (s == STATUS_OK)
        s = put_rule(w->q, template_etag(w->q, there), template_equal(there, w->groups), &what,
                     w->r);
    if (s != STATUS_OK)
        return s;
    return what == PUT_KEEP ? template_answer(w->q, w->r, 200, there)
                            : template_add(tx, w, there, ret_again);
}

static Status template_put_tx(struct db_tx *tx, void *ctx) {
    struct template_write *w = ctx;
    bool again = true;
    Status s;

    db_rows_free(TAKE_PTR(w->environments));
    s = db_checklist_template_lock(tx, w->name, &w->environments);
    while (s == STATUS_OK && again)
        s = template_put_once(tx, w, &again);
    return s;
}

Status template_put(struct request *q, const void *in, struct reply *r) {
    struct template_write w = {.q = q, .r = r};
    json_auto_t *groups = checklist_template_groups(json_object_get(q->json, "groups"));
    Status s = path_name(q, "template", &w.name, r);

    (void)in;
    w.groups = groups;
    if (s == STATUS_OK)
        s = all_apps_allowed(q, r);
    if (s == STATUS_OK)
        s = db_tx_run(context_of(q)->pool, "template_put", DB_READ_COMMITTED, template_put_tx, &w);
    for (size_t i = 0; s == STATUS_OK && i < db_rows_count(w.environments); i++)
        announce(q, db_text(w.environments, i, "id"));
    db_rows_free(w.environments);
    return s;
}

static Status query_version(const struct request *q, int64_t *ret, struct reply *r) {
    const char *text = request_query(q, "version");

    *ret = text ? strtoll(text, NULL, 10) : 0;
    if (text && (strspn(text, "0123456789") != strlen(text) || *ret < 1 || *ret > INT32_MAX))
        return reply_query_error(r, "version", "format", "A number from 1.");
    return STATUS_OK;
}

Status template_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const char *name = NULL;
    int64_t version = 0;
    Status s = path_name(q, "template", &name, r);

    (void)in;
    if (s == STATUS_OK)
        s = query_version(q, &version, r);
    if (s == STATUS_OK)
        s = db_checklist_template_get(context_of(q)->pool, name, version, &rows);
    if (s != STATUS_OK)
        return s;
    if (db_rows_count(rows))
        return template_answer(q, r, 200, rows);
    return version ? reply_refuse(r, E_NOT_FOUND,
                                  "There is no version %" PRId64 " of a checklist template %s.",
                                  version, name)
                   : reply_refuse(r, E_NOT_FOUND, "There is no checklist template %s.", name);
}

Status template_list(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_t *items;
    struct page page;
    Status s = request_page(q, &page, r);

    (void)in;
    if (s == STATUS_OK)
        s = db_checklist_template_list(context_of(q)->pool, page.after, page.limit + 1, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        const struct checklist_template_row row = checklist_template_row(rows, i, true);

        json_array_append_new(items, template_json(&row));
    }
    reply_list(r, items, page_next(&page, rows, "name"));
    return STATUS_OK;
}
