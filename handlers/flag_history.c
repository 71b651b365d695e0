/* handlers/flag_history.c: who changed a flag or a segment, when and why; and back to a revision.
 */
#include "base/cleanup.h"
#include "handlers/answer.h"
#include "handlers/flag.h"
#include "handlers/handlers.h"
#include <inttypes.h>
#include <string.h>

/* ---- history ---- */

/* What was stored, in the order of answers; yours. */
static json_t *stored_form(const char *text, const char *kind) {
    json_auto_t *stored = text ? json_parse(text) : NULL;

    if (!stored)
        return json_null();
    if (strcmp(kind, "segment") == 0)
        return segment_spec(stored);
    return strcmp(kind, "flag") == 0 ? flag_spec(stored)
                                     : flag_state_spec(stored, json_bool(stored, "killed", false));
}

static json_t *change_json(const struct db_rows *rows, size_t i) {
    const char *kind = db_text(rows, i, "kind");
    json_t *out = json_object();

    json_object_set_new(out, "revision", json_integer(db_int(rows, i, "revision")));
    json_set_time(out, "at", db_time(rows, i, "at"));
    json_object_set_new(out, "by", actor_value(db_text(rows, i, "by")));
    json_set_str(out, "action", db_text(rows, i, "action"));
    json_set_str(out, "source", db_text(rows, i, "source"));
    json_set_str(out, "reason", db_text(rows, i, "reason"));
    json_set_str(out, "environment", db_text(rows, i, "environment"));
    json_object_set_new(out, "before", stored_form(db_text(rows, i, "before"), kind));
    json_object_set_new(out, "after", stored_form(db_text(rows, i, "after"), kind));
    return out;
}

static Status history_of(struct request *q, struct reply *r, const struct flag_history *of) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct page page;
    json_t *items;
    Status s = request_page(q, &page, r);

    if (s == STATUS_OK)
        s = db_flag_history(context_of(q)->pool, of, page.after, page.limit + 1, &rows);
    if (s == E_INVALID_QUERY && page.after)
        return reply_query_error(r, "cursor", "format", "Not a next_cursor of this list.");
    if (s != STATUS_OK)
        return s;
    if (db_rows_count(rows) == 0 && !page.after) /* also what was deleted has one */
        return flag_missing(r, strcmp(of->kind, "segment") ? FLAG_DEFINITION : FLAG_SEGMENT,
                            of->app, of->name);
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++)
        json_array_append_new(items, change_json(rows, i));
    reply_list(r, items, page_next(&page, rows, "position"));
    return STATUS_OK;
}

static Status named_history(struct request *q, struct reply *r, const char *kind) {
    struct flag_history of = {.kind = kind};
    Status s = path_app(q, &of.app, r);

    if (s == STATUS_OK)
        s = path_flag(q, kind, &of.name, r);
    return s == STATUS_OK ? history_of(q, r, &of) : s;
}

Status flag_history(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return named_history(q, r, "flag");
}

Status segment_history(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return named_history(q, r, "segment");
}

Status flag_state_history(struct request *q, const void *in, struct reply *r) {
    struct flag_history of = {.kind = "flag"};
    Status s = path_place(q, &of.app, &of.environment, r);

    (void)in;
    if (s == STATUS_OK)
        s = path_flag(q, "flag", &of.name, r);
    return s == STATUS_OK ? history_of(q, r, &of) : s;
}

/* ---- restore ---- */

/* What it was then; *ret is yours.  Refuses E_INVALID_BODY. */
static Status as_of(struct db_tx *tx, const struct flag_history *of, struct request *q,
                    struct reply *r, json_t **ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    int64_t revision = json_int(q->json, "revision", 0);
    Status s = db_flag_as_of(tx, of, revision, &rows);

    if (s != STATUS_OK)
        return s;
    *ret = db_rows_count(rows) ? db_json(rows, 0, "after") : NULL;
    return *ret ? STATUS_OK
                : reply_field_error(r, "/revision", "unknown",
                                    "There is nothing of %s as of revision %" PRId64 ".", of->name,
                                    revision);
}

static Status restore_tx(struct db_tx *tx, void *ctx) {
    struct flag_put *w = ctx;
    const struct flag_history of = {
        .app = w->change.app, .kind = kind_word(w->kind), .name = w->name};
    _cleanup_(db_rows_free) struct db_rows *there = NULL;
    json_auto_t *then = NULL;
    Status s = begin_change(tx, &w->change, w->r);

    if (s == STATUS_OK)
        s = db_flag_get_in(tx, w->kind, of.app, of.name, &there);
    if (s == STATUS_OK && db_rows_count(there))
        s = delete_rule(w->q, flag_etag(w->q, there, w->kind), w->r);
    if (s == STATUS_OK)
        s = as_of(tx, &of, w->q, w->r, &then);
    if (s != STATUS_OK)
        return s;
    json_decref(w->spec);
    w->spec = w->kind == FLAG_SEGMENT ? segment_spec(then) : flag_spec(then);
    return flag_put_in(tx, w, there);
}

static Status thing_restore(struct request *q, struct reply *r, FlagKind kind) {
    struct flag_put w = {.q = q,
                         .r = r,
                         .kind = kind,
                         .action = kind == FLAG_SEGMENT ? "segment.restored" : "flag.restored"};
    const char *app = NULL;
    Status s = path_app(q, &app, r);

    if (s == STATUS_OK)
        s = path_flag(q, kind_word(kind), &w.name, r);
    if (s != STATUS_OK)
        return s;
    w.change = caller_change(q, app, NULL, json_str(q->json, "reason", NULL));
    w.change.source = "restore";
    s = db_tx_run(context_of(q)->pool, "flag_restore", DB_READ_COMMITTED, restore_tx, &w);
    if (s == STATUS_OK)
        announce_flags(q, app, NULL);
    json_decref(w.spec);
    return s;
}

Status flag_restore(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return thing_restore(q, r, FLAG_DEFINITION);
}

Status segment_restore(struct request *q, const void *in, struct reply *r) {
    (void)in;
    return thing_restore(q, r, FLAG_SEGMENT);
}

static Status state_restore_tx(struct db_tx *tx, void *ctx) {
    struct flag_state_change *w = ctx;
    const struct flag_history of = {.app = w->change.app,
                                    .kind = "environment",
                                    .name = w->flag,
                                    .environment = w->change.environment};
    json_auto_t *then = NULL, *state = NULL;
    Status s = flag_state_begin(tx, w);

    if (s == STATUS_OK)
        s = delete_rule(w->q, flag_state_etag(w->q, &w->there), w->r);
    if (s == STATUS_OK)
        s = as_of(tx, &of, w->q, w->r, &then);
    if (s != STATUS_OK)
        return s;
    state = flag_state_spec(then, w->there.killed); /* only unkill ends a kill */
    return flag_state_end(tx, w, state, "flag.restored", "restored");
}

Status flag_state_restore(struct request *q, const void *in, struct reply *r) {
    struct flag_state_change w = {.q = q, .r = r};
    Status s = flag_state_path(&w, json_str(q->json, "reason", NULL));

    (void)in;
    w.change.source = "restore";
    return s == STATUS_OK ? flag_state_run(&w, state_restore_tx) : s;
}
