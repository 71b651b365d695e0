/* handlers/flag.c: definitions of flags, and segments: both belong to an app, are the same in all
 * of its environments, and are written, read and deleted alike. */
#include "handlers/flag.h"
#include "base/cleanup.h"
#include "base/field_errors.h"
#include "flags/model.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include <string.h>

enum { REASON_MAX = 1024 };

/* ---- what both share with the other handlers of flags ---- */

const char *kind_word(FlagKind kind) {
    return kind == FLAG_SEGMENT ? "segment" : "flag";
}

Status path_flag(const struct request *q, const char *name, const char **ret, struct reply *r) {
    const char *value = request_param(q, name);

    if (!flag_name_valid(value))
        return invalid_path(r, name,
                            "is no name of one: letters, digits and . _ ~ -, beginning with a "
                            "letter or a digit, at most 100");
    *ret = value;
    return STATUS_OK;
}

Status flag_missing(struct reply *r, FlagKind kind, const char *app, const char *name) {
    return reply_refuse(r, E_NOT_FOUND, "App %s has no %s %s.", app, kind_word(kind), name);
}

struct flag_change caller_change(const struct request *q, const char *app, const char *environment,
                                 const char *reason) {
    return (struct flag_change){.app = app,
                                .environment = environment,
                                .by = {q->principal->actor_json, q->remote},
                                .source = "api",
                                .reason = reason};
}

Status begin_change(struct db_tx *tx, struct flag_change *c, struct reply *r) {
    Status s = flag_change_begin(tx, c);

    return s == E_NOT_FOUND ? reply_refuse(r, s, "There is no app %s.", c->app) : s;
}

Status explain_approval(struct db_tx *tx, const struct flag_change *c, Status s, struct reply *r) {
    const char *where = db_tx_constraint(tx);

    if (s != E_APPROVAL_REQUIRED)
        return s;
    reply_extra(r, "environment", json_string(where));
    return c->environment
               ? reply_refuse(r, s,
                              "%s of %s asks for approvals of changes of flags: ask for this one "
                              "with POST /api/v1/apps/%s/environments/%s/flag-requests.",
                              where, c->app, c->app, where)
               : reply_refuse(r, s,
                              "%s of %s serves by it, and asks for approvals of changes of flags: "
                              "make another one, and ask for the change to that (docs/flags.md, "
                              "Approvals).",
                              where, c->app);
}

void announce_flags(const struct request *q, const char *app, const char *environment) {
    char topic[FLAG_TOPIC];

    announce(q, flag_topic(app, environment, topic));
    if (!environment)
        announce(q, app); /* its record went on */
}

/* ---- answers ---- */

static json_t *thing_json(const char *app, const struct flag_row *row, FlagKind kind) {
    json_auto_t *stored = json_parse(row->spec);
    json_t *out = json_pack("{s:s, s:s}", "app", app, "name", row->name);

    json_object_update_new(out, kind == FLAG_SEGMENT ? segment_spec(stored) : flag_spec(stored));
    if (kind == FLAG_DEFINITION)
        json_object_set_new(out, "stale", json_boolean(row->stale));
    json_object_set_new(out, "revision", json_integer(row->revision));
    json_set_time(out, "created_at", row->created_us);
    json_set_time(out, "updated_at", row->updated_us);
    return out;
}

const char *flag_etag(const struct request *q, const struct db_rows *rows, FlagKind kind) {
    struct flag_row row;

    if (db_rows_count(rows) == 0)
        return NULL;
    row = flag_row(rows, 0, kind);
    return etag_of(q->arena, row.revision, row.created_us);
}

static Status thing_answer(const struct flag_put *w, unsigned status, const struct db_rows *rows) {
    const struct flag_row row = flag_row(rows, 0, w->kind);

    w->r->etag = flag_etag(w->q, rows, w->kind);
    return answer(w->r, status, thing_json(w->change.app, &row, w->kind));
}

/* ---- PUT ---- */

/* One error of what db_flag_conflicts found. */
static void conflict(const struct flag_put *w, const char *field, const char *code,
                     const char *name) {
    if (strcmp(code, "unknown") == 0)
        reply_field_error(w->r, field, code, "App %s has no flag %s.", w->change.app, name);
    else if (strcmp(code, "conflict") == 0)
        reply_field_error(w->r, field, code, "Flag %s depends on others itself.", name);
    else if (strcmp(field, "/dependencies") == 0)
        reply_field_error(w->r, field, code,
                          "Flag %s depends on this one, which then has to "
                          "depend on none.",
                          name);
    else
        reply_field_error(w->r, field, code, "%s falls back on a variant that is gone.", name);
}

/* Between what is to be and what there is. */
static Status check_others(struct db_tx *tx, const struct flag_put *w, const char *spec,
                           const struct db_rows *there) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_auto_t *before =
        db_rows_count(there) ? json_parse(flag_row(there, 0, w->kind).spec) : NULL;
    const char *type = json_str(before, "value_type", NULL);
    Status s;

    if (w->kind == FLAG_SEGMENT)
        return STATUS_OK;
    if (type && strcmp(type, json_str(w->spec, "value_type", "")) != 0)
        return reply_field_error(w->r, "/value_type", "conflict",
                                 "It is %s, and never changes: make another flag.", type);
    s = db_flag_conflicts(tx, w->change.app, w->name, spec, &rows);
    for (size_t i = 0; s == STATUS_OK && i < db_rows_count(rows); i++)
        conflict(w, db_text(rows, i, "field"), db_text(rows, i, "code"), db_text(rows, i, "name"));
    return s == STATUS_OK && db_rows_count(rows) ? E_INVALID_BODY : s;
}

/* One more is not too many. */
static Status check_room(struct db_tx *tx, const struct flag_put *w) {
    int64_t n = 0;
    Status s = db_flag_count(tx, w->kind, w->change.app, &n);

    if (s == STATUS_OK && n >= FLAGS_MAX)
        return reply_field_error(w->r, "", "range", "App %s has %d %ss, and may not have more.",
                                 w->change.app, FLAGS_MAX, kind_word(w->kind));
    return s;
}

Status flag_put_in(struct db_tx *tx, const struct flag_put *w, const struct db_rows *there) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_free_ char *spec = json_text(w->spec);
    bool made = db_rows_count(there) == 0;
    const struct flag_noted noted = {.kind = kind_word(w->kind),
                                     .name = w->name,
                                     .action = w->action,
                                     .done = made ? "made" : "changed",
                                     .before = made ? 0 : flag_row(there, 0, w->kind).revision,
                                     .after = w->spec};
    Status s = made ? check_room(tx, w) : STATUS_OK;

    if (s == STATUS_OK)
        s = check_others(tx, w, spec, there);
    if (s == STATUS_OK)
        s = db_flag_put(tx, w->kind, w->change.app, w->name, spec, w->change.revision, &rows);
    if (s == STATUS_OK)
        s = thing_answer(w, made ? 201 : 200, rows);
    if (s == STATUS_OK)
        s = flag_change_note(tx, &w->change, &noted);
    return explain_approval(tx, &w->change, s, w->r);
}

static Status thing_put_tx(struct db_tx *tx, void *ctx) {
    struct flag_put *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *there = NULL;
    json_auto_t *stored = NULL;
    enum put_what what = PUT_KEEP;
    Status s = begin_change(tx, &w->change, w->r);

    if (s == STATUS_OK)
        s = db_flag_get_in(tx, w->kind, w->change.app, w->name, &there);
    if (s != STATUS_OK)
        return s;
    stored = db_rows_count(there) ? json_parse(flag_row(there, 0, w->kind).spec) : NULL;
    s = put_rule(w->q, flag_etag(w->q, there, w->kind), stored && json_equal(stored, w->spec),
                 &what, w->r);
    if (s != STATUS_OK)
        return s;
    return what == PUT_KEEP ? thing_answer(w, 200, there) : flag_put_in(tx, w, there);
}

/* What the evaluator's model says about the body. */
static Status check_spec(const struct flag_put *w) {
    json_auto_t *errors = json_array();

    if (w->kind == FLAG_SEGMENT)
        flag_constraints_check(json_object_get(w->spec, "constraints"), "/constraints", errors);
    else {
        flag_variants_check(json_object_get(w->spec, "variants"),
                            json_str(w->spec, "value_type", NULL), "/variants", errors);
        flag_dependencies_check(json_object_get(w->spec, "dependencies"), w->name, "/dependencies",
                                errors);
    }
    return refuse_errors(w->r, errors);
}

static Status thing_put(struct request *q, struct reply *r, FlagKind kind) {
    json_auto_t *spec = kind == FLAG_SEGMENT ? segment_spec(q->json) : flag_spec(q->json);
    struct flag_put w = {.q = q,
                         .r = r,
                         .kind = kind,
                         .spec = spec,
                         .action = kind == FLAG_SEGMENT ? "segment.put" : "flag.put"};
    const char *app = NULL;
    Status s = path_app(q, &app, r);

    if (s == STATUS_OK)
        s = path_flag(q, kind_word(kind), &w.name, r);
    if (s == STATUS_OK)
        s = body_name(json_str(q->json, "name", NULL), w.name, r);
    if (s == STATUS_OK)
        s = check_spec(&w);
    if (s != STATUS_OK)
        return s;
    w.change = caller_change(q, app, NULL, json_str(q->json, "reason", NULL));
    s = db_tx_run(context_of(q)->pool, "flag_put", DB_READ_COMMITTED, thing_put_tx, &w);
    if (s == STATUS_OK)
        announce_flags(q, app, NULL);
    return s;
}

Status flag_put(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return thing_put(q, r, FLAG_DEFINITION);
}

Status segment_put(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return thing_put(q, r, FLAG_SEGMENT);
}

/* ---- GET ---- */

static Status thing_get(struct request *q, struct reply *r, FlagKind kind) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct flag_put w = {.q = q, .r = r, .kind = kind};
    Status s = path_app(q, &w.change.app, r);

    if (s == STATUS_OK)
        s = path_flag(q, kind_word(kind), &w.name, r);
    if (s == STATUS_OK)
        s = db_flag_get(context_of(q)->pool, kind, w.change.app, w.name, &rows);
    if (s != STATUS_OK)
        return s;
    r->live = kind == FLAG_DEFINITION; /* time makes it stale */
    return db_rows_count(rows) ? thing_answer(&w, 200, rows)
                               : flag_missing(r, kind, w.change.app, w.name);
}

Status flag_get(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return thing_get(q, r, FLAG_DEFINITION);
}

Status segment_get(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return thing_get(q, r, FLAG_SEGMENT);
}

static Status thing_list(struct request *q, struct reply *r, FlagKind kind, const char *stale) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct db_pool *pool = context_of(q)->pool;
    const char *app = NULL;
    struct page page;
    json_t *items;
    Status s = path_app(q, &app, r);

    if (s == STATUS_OK)
        s = request_page(q, &page, r);
    if (s == STATUS_OK)
        s = kind == FLAG_SEGMENT
                ? db_segment_list(pool, app, page.after, page.limit + 1, &rows)
                : db_flag_list(pool, app, stale, page.after, page.limit + 1, &rows);
    if (s == STATUS_OK && db_rows_count(rows) == 0)
        s = app_exists(q, app, r);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        const struct flag_row row = flag_row(rows, i, kind);

        json_array_append_new(items, thing_json(app, &row, kind));
    }
    reply_list(r, items, page_next(&page, rows, "name"));
    return STATUS_OK;
}

Status flag_list(struct request *q, const void *in, struct reply *r) {
    const char *stale = request_query(q, "stale");

    (void)in;
    if (stale && strcmp(stale, "true") != 0 && strcmp(stale, "false") != 0)
        return reply_query_error(r, "stale", "enum", "true or false.");
    return thing_list(q, r, FLAG_DEFINITION, stale);
}

Status segment_list(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return thing_list(q, r, FLAG_SEGMENT, NULL);
}

/* ---- DELETE ---- */

/* Refuses while others name it, naming them. */
static Status check_unused(struct db_tx *tx, const struct flag_put *w) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_t *flags;
    Status s = db_flag_users(tx, w->kind, w->change.app, w->name, &rows);

    if (s != STATUS_OK || db_rows_count(rows) == 0)
        return s;
    flags = json_array();
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        json_t *user = json_pack("{s:s}", "flag", db_text(rows, i, "flag"));

        if (w->kind == FLAG_SEGMENT)
            json_set_str(user, "environment", db_text(rows, i, "environment"));
        json_array_append_new(flags, user);
    }
    reply_extra(w->r, "flags", flags);
    return w->kind == FLAG_SEGMENT
               ? reply_refuse(w->r, E_IN_USE, "Strategies of flag %s name segment %s.",
                              db_text(rows, 0, "flag"), w->name)
               : reply_refuse(w->r, E_IN_USE, "Flag %s depends on flag %s.",
                              db_text(rows, 0, "flag"), w->name);
}

static Status thing_delete_tx(struct db_tx *tx, void *ctx) {
    struct flag_put *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *there = NULL;
    struct flag_noted noted = {
        .kind = kind_word(w->kind), .name = w->name, .action = w->action, .done = "deleted"};
    Status s = begin_change(tx, &w->change, w->r);

    if (s == STATUS_OK)
        s = db_flag_get_in(tx, w->kind, w->change.app, w->name, &there);
    if (s == STATUS_OK && db_rows_count(there) == 0)
        return flag_missing(w->r, w->kind, w->change.app, w->name);
    if (s == STATUS_OK)
        s = delete_rule(w->q, flag_etag(w->q, there, w->kind), w->r);
    if (s == STATUS_OK)
        s = check_unused(tx, w);
    if (s != STATUS_OK)
        return s;
    noted.before = flag_row(there, 0, w->kind).revision;
    w->r->status = 204;
    s = flag_change_note(tx, &w->change, &noted); /* while the database sees where it is in use */
    if (s == STATUS_OK)
        s = db_flag_delete(tx, w->kind, w->change.app, w->name);
    return explain_approval(tx, &w->change, s, w->r);
}

static Status thing_delete(struct request *q, struct reply *r, FlagKind kind) {
    struct flag_put w = {.q = q,
                         .r = r,
                         .kind = kind,
                         .action = kind == FLAG_SEGMENT ? "segment.deleted" : "flag.deleted"};
    const char *app = NULL, *reason = request_query(q, "reason");
    Status s = path_app(q, &app, r);

    if (s == STATUS_OK)
        s = path_flag(q, kind_word(kind), &w.name, r);
    if (s == STATUS_OK && reason && strlen(reason) > REASON_MAX)
        s = reply_query_error(r, "reason", "too-long", "At most %d bytes.", REASON_MAX);
    if (s != STATUS_OK)
        return s;
    w.change = caller_change(q, app, NULL, reason);
    s = db_tx_run(context_of(q)->pool, "flag_delete", DB_READ_COMMITTED, thing_delete_tx, &w);
    if (s == STATUS_OK)
        announce_flags(q, app, NULL);
    return s;
}

Status flag_delete(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return thing_delete(q, r, FLAG_DEFINITION);
}

Status segment_delete(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return thing_delete(q, r, FLAG_SEGMENT);
}
