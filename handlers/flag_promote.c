/* handlers/flag_promote.c: flags of one environment become what they are in another: the
 * difference, and all of it at once. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "handlers/answer.h"
#include "handlers/flag.h"
#include "handlers/handlers.h"
#include <inttypes.h>
#include <string.h>

/* Of a difference: it is the same as long as nobody changes either side. */
static const char *places_etag(const struct request *q, const struct flag_places *places) {
    return arena_printf(q->arena, "%" PRId64 "-%" PRId64, places->from_revision,
                        places->to_revision);
}

/* ---- the difference ---- */

static Status query_from(const struct request *q, const char *environment, const char **ret,
                         struct reply *r) {
    *ret = request_query(q, "from");
    if (!*ret)
        return reply_query_error(r, "from", "missing", "Which environment is to be compared with.");
    if (!name_valid(*ret))
        return reply_query_error(r, "from", "format", "Not a name.");
    return strcmp(*ret, environment) ? STATUS_OK
                                     : reply_query_error(r, "from", "conflict", "It is this one.");
}

static json_t *difference(const struct db_rows *rows, size_t i) {
    json_auto_t *before = db_json(rows, i, "before"), *after = db_json(rows, i, "after");
    bool killed = json_bool(before, "killed", false);

    return json_pack("{s:s, s:o, s:o}", "flag", db_text(rows, i, "flag"), "before",
                     flag_state_spec(before, killed), "after", flag_state_spec(after, killed));
}

Status flag_diff(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const char *app = NULL, *environment = NULL, *from = NULL;
    struct db_pool *pool = context_of(q)->pool;
    struct flag_places places = {0};
    struct page page;
    json_t *items;
    Status s = path_place(q, &app, &environment, r);

    (void)in;
    if (s == STATUS_OK)
        s = request_page(q, &page, r);
    if (s == STATUS_OK)
        s = query_from(q, environment, &from, r);
    if (s == STATUS_OK)
        s = db_flag_places(pool, app, from, environment, &places);
    if (s == STATUS_OK && !*places.to_id)
        s = environment_missing(r, app, environment);
    if (s == STATUS_OK && !*places.from_id)
        s = reply_query_error(r, "from", "unknown", "There is no such environment.");
    if (s == STATUS_OK)
        s = db_flag_diff(pool, app, &places, page.after, page.limit + 1, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++)
        json_array_append_new(items, difference(rows, i));
    reply_list(r, items, page_next(&page, rows, "flag"));
    r->etag = places_etag(q, &places);
    r->live = true; /* pages have one tag */
    return STATUS_OK;
}

/* ---- promote ---- */

struct promote {
    struct request *q;
    struct reply *r;
    const char *from, *flags; /* flags: text[], NULL: all */
    bool dry_run;
    struct flag_change change;
    struct flag_places places;
};

static Status check_places(struct db_tx *tx, struct promote *w) {
    const struct flag_change *c = &w->change;
    Status s = db_flag_places_in(tx, c->app, w->from, c->environment, &w->places);

    if (s == STATUS_OK && !*w->places.to_id)
        return environment_missing(w->r, c->app, c->environment);
    if (s == STATUS_OK && !*w->places.from_id)
        return reply_field_error(w->r, "/from", "unknown", "App %s has no environment %s.", c->app,
                                 w->from);
    return s == STATUS_OK ? delete_rule(w->q, places_etag(w->q, &w->places), w->r) : s;
}

static Status check_names(struct db_tx *tx, const struct promote *w) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = w->flags ? db_flag_unknown(tx, w->change.app, w->flags, &rows) : STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < db_rows_count(rows); i++)
        reply_field_error(w->r, db_text(rows, i, "field"), "unknown", "App %s has no flag %s.",
                          w->change.app, db_text(rows, i, "name"));
    return s == STATUS_OK && db_rows_count(rows) ? E_INVALID_BODY : s;
}

/* What was, or would be, promoted. */
static void promote_answer(const struct promote *w, const struct db_rows *rows) {
    json_t *body = json_pack("{s:s, s:s, s:s, s:b}", "app", w->change.app, "environment",
                             w->change.environment, "from", w->from, "dry_run", w->dry_run);
    json_t *flags = json_array();
    bool changed = !w->dry_run && db_rows_count(rows);

    for (size_t i = 0; i < db_rows_count(rows); i++)
        json_array_append_new(flags, json_string(db_text(rows, i, "flag")));
    json_object_set_new(body, "flags", flags);
    json_object_set_new(body, "revision", changed ? json_integer(w->change.revision) : json_null());
    w->r->etag = changed ? NULL : places_etag(w->q, &w->places);
    answer(w->r, 200, body);
}

static Status promote_record(struct db_tx *tx, const struct promote *w, size_t n) {
    const struct flag_change *c = &w->change;
    const struct record_about about = {.app = c->app,
                                       .environment = c->environment,
                                       .action = "flag.promoted",
                                       .subject = c->environment};
    json_auto_t *spec = json_pack("{s:O}", "flags", json_object_get(w->r->json, "flags"));
    json_t *data = record_of_spec(spec);

    json_set_str(data, "from", w->from);
    json_object_set_new(data, "revision", json_integer(c->revision));
    json_set_str(data, "reason", c->reason);
    return record_by_caller(w->q, tx, &about, data,
                            "%zu flag%s of %s %s promoted from %s to %s%s%s", n, n == 1 ? "" : "s",
                            c->app, n == 1 ? "was" : "were", w->from, c->environment,
                            c->reason ? ": " : ".", c->reason ? c->reason : "");
}

/* What was promoted and cannot be on here. */
static Status check_releases(struct db_tx *tx, const struct promote *w) {
    json_auto_t *errors = json_array();
    Status s = flag_guarded_check(tx, w->places.to_id, "/flags", errors);

    return s == STATUS_OK ? refuse_errors(w->r, errors) : s;
}

static Status promote_tx(struct db_tx *tx, void *ctx) {
    struct promote *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct flag_promotion now = {.app = w->change.app,
                                 .environment = w->change.environment,
                                 .places = &w->places,
                                 .flags = w->flags,
                                 .by = w->change.by.json,
                                 .reason = w->change.reason};
    Status s = begin_change(tx, &w->change, w->r);

    if (s == STATUS_OK)
        s = check_places(tx, w);
    if (s == STATUS_OK)
        s = check_names(tx, w);
    if (s != STATUS_OK)
        return s;
    now.revision = w->change.revision;
    s = w->dry_run ? db_flag_diff_in(tx, now.app, now.places, now.flags, &rows)
                   : db_flag_promote(tx, &now, &rows);
    if (s == STATUS_OK && !w->dry_run)
        s = check_releases(tx, w);
    if (s != STATUS_OK)
        return explain_approval(tx, &w->change, s, w->r);
    promote_answer(w, rows);
    return w->dry_run || db_rows_count(rows) == 0 ? STATUS_OK
                                                  : promote_record(tx, w, db_rows_count(rows));
}

/* flags of the body as text[]; NULL: all. */
static const char *named_flags(const struct request *q) {
    const json_t *flags = json_object_get(q->json, "flags");
    size_t n = json_array_size(flags);
    const char **names = arena_alloc(q->arena, (n + 1) * sizeof *names);

    for (size_t i = 0; i < n; i++)
        names[i] = json_string_value(json_array_get(flags, i));
    return n ? db_text_array(q->arena, names) : NULL;
}

Status flag_promote(struct request *q, const void *in, struct reply *r) {
    struct promote w = {.q = q,
                        .r = r,
                        .from = json_str(q->json, "from", ""),
                        .flags = named_flags(q),
                        .dry_run = json_bool(q->json, "dry_run", false)};
    const char *app = NULL, *environment = NULL;
    Status s = path_place(q, &app, &environment, r);

    (void)in;
    if (s == STATUS_OK && strcmp(w.from, environment) == 0)
        s = reply_field_error(r, "/from", "conflict", "It is this one.");
    if (s != STATUS_OK)
        return s;
    w.change = caller_change(q, app, environment, json_str(q->json, "reason", NULL));
    s = db_tx_run(context_of(q)->pool, "flag_promote", DB_READ_COMMITTED, promote_tx, &w);
    if (s == STATUS_OK && !w.dry_run) {
        announce_flags(q, app, environment);
        announce(q, w.places.to_id);
    }
    return s;
}
