/* handlers/flag_import.c: flags of an environment from a document of Unleash's, all of it or
 * nothing; and the document that says what there is (flags/unleash.h). */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/field_errors.h"
#include "base/ids.h"
#include "flags/model.h"
#include "flags/unleash.h"
#include "handlers/answer.h"
#include "handlers/flag.h"
#include "handlers/handlers.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TRIES = 5 };

/* ---- export ---- */

Status flag_export(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_auto_t *document = NULL;
    const char *app = NULL, *environment = NULL;
    Status s = path_place(q, &app, &environment, r);

    (void)in;
    if (s == STATUS_OK)
        s = db_flag_everything(context_of(q)->pool, app, environment, &rows);
    if (s == STATUS_OK && db_rows_count(rows) == 0)
        s = environment_missing(r, app, environment);
    if (s != STATUS_OK)
        return s;
    document = db_json(rows, 0, "document");
    r->live = true; /* time makes flags stale */
    r->etag = arena_printf(q->arena, "%s-%" PRId64, db_text(rows, 0, "environment_id"),
                           db_int(rows, 0, "revision"));
    return answer(r, 200, unleash_export_file(document, environment));
}

/* ---- import: what it would change ---- */

struct plan;
struct import {
    struct request *q;
    struct reply *r;
    const json_t *from; /* the document */
    const char *existing;
    bool dry_run;
    bool tried; /* a dry run came to its end */
    bool late;  /* somebody changed something since it was planned */
    struct flag_change change;
    const struct plan *plan;
};

/* What would be changed of what there was. */
struct plan {
    const struct import *w;
    char environment_id[UUID_TEXT];
    int64_t head;             /* the app's last change by then */
    json_t *flags, *segments; /* what there was, by name */
    json_t *changes;          /* [{kind, name, after}] */
    json_t *said;             /* {flags, segments: {made, changed, unchanged, kept: [name]}} */
    json_t *errors;
};

static void add_change(const struct plan *p, const char *kind, const char *name, json_t *after) {
    json_array_append_new(p->changes,
                          json_pack("{s:s, s:s, s:O}", "kind", kind, "name", name, "after", after));
}

/* What becomes of the i-th of a list, and whether it is written.  fresh: there is none yet, or
 * nobody spoke of it here; differs: there is another one. */
static bool planned(const struct plan *p, const char *list, size_t i, const char *name, bool fresh,
                    bool differs) {
    const char *existing = p->w->existing, *word = fresh ? "made" : "unchanged";

    if (differs)
        word = strcmp(existing, "keep") == 0 ? "kept" : "changed";
    if (differs && strcmp(existing, "refuse") == 0 &&
        json_array_size(p->errors) < FLAG_ERRORS_MAX) {
        _cleanup_free_ char *field =
            xasprintf("/document/%s/%zu", strcmp(list, "flags") ? "segments" : "features", i);

        field_error(p->errors, field, "exists",
                    "%s is there already, and is another one: existing says what becomes of it.",
                    name);
    }
    json_array_append_new(json_at(p->said, list, word, NULL), json_string(name));
    return strcmp(word, "made") == 0 || strcmp(word, "changed") == 0;
}

static void plan_segment(const struct plan *p, size_t i, const json_t *segment) {
    const char *name = json_str(segment, "name", "");
    json_t *there = json_object_get(p->segments, name);
    json_auto_t *spec = segment_spec(segment), *before = there ? segment_spec(there) : NULL;

    if (planned(p, "segments", i, name, !there, there && !unleash_same(before, spec)))
        add_change(p, "segment", name, spec);
}

/* The definition that a flag of the document stands for. */
static json_t *definition_of(const json_t *flag) {
    json_t *spec = flag_spec(flag);

    if (json_bool(flag, "stale", false) && !json_is_string(json_object_get(spec, "stale_after")))
        json_set_time(spec, "stale_after", clock_now_us()); /* nothing says since when */
    return spec;
}

static void plan_flag(const struct plan *p, size_t i, const json_t *flag) {
    const char *name = json_str(flag, "name", "");
    json_t *there = json_object_get(p->flags, name);
    bool spoken = there && json_object_get(there, "enabled");
    json_auto_t *spec = definition_of(flag), *before = there ? flag_spec(there) : NULL;
    json_auto_t *state = flag_state_spec(flag, json_bool(there, "killed", false));
    json_auto_t *was = spoken ? flag_state_spec(there, json_bool(there, "killed", false)) : NULL;
    bool other = there && !unleash_same(before, spec);
    bool acts = spoken && !unleash_same(was, state);

    if (!planned(p, "flags", i, name, !there || !spoken, other || acts))
        return;
    if (!there || other)
        add_change(p, "flag", name, spec);
    if (!spoken || acts)
        add_change(p, "environment", name, state);
}

/* As an answer has them, with pointers into the body. */
static void add_below_document(const json_t *found, json_t *errors) {
    json_t *one;
    size_t i;

    json_array_foreach(found, i, one) {
        json_object_set_new(one, "field", json_sprintf("/document%s", json_str(one, "field", "")));
        json_array_append(errors, one);
    }
}

/* Refuses E_INVALID_BODY. */
static Status make_plan(struct plan *p, const json_t *there) {
    json_auto_t *found = json_array(), *flags = json_by(json_object_get(there, "flags"), "name");
    json_auto_t *segments = json_by(json_object_get(there, "segments"), "name");
    json_auto_t *document = unleash_import(p->w->from, there, found);
    json_t *one;
    size_t i;

    add_below_document(found, p->errors);
    if (json_array_size(p->errors))
        return refuse_errors(p->w->r, p->errors);
    p->flags = flags;
    p->segments = segments;
    json_array_foreach(json_object_get(document, "segments"), i, one) plan_segment(p, i, one);
    json_array_foreach(json_object_get(document, "flags"), i, one) plan_flag(p, i, one);
    p->flags = p->segments = NULL;
    return refuse_errors(p->w->r, p->errors);
}

/* ---- import: the change ---- */

/* The pointer to a flag of the document; yours. */
static char *feature_pointer(const struct import *w, const char *name) {
    const json_t *features = json_object_get(w->from, "features"), *feature;
    size_t i;

    json_array_foreach(features, i, feature) {
        if (strcmp(json_str(feature, "name", ""), name) == 0)
            break;
    }
    return xasprintf("/document/features/%zu", i);
}

/* Between what was imported and what else there is. */
static Status check_others(struct db_tx *tx, const struct plan *p) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const struct import *w = p->w;
    size_t n = json_array_size(p->changes);
    const char **names = arena_alloc(w->q->arena, (n + 1) * sizeof *names);
    Status s;

    for (size_t i = 0; i < n; i++)
        names[i] = json_str(json_array_get(p->changes, i), "name", "");
    s = db_flag_import_conflicts(tx, w->change.app, db_text_array(w->q->arena, names), &rows);
    for (size_t i = 0; s == STATUS_OK && i < db_rows_count(rows); i++) {
        _cleanup_free_ char *field = feature_pointer(w, db_text(rows, i, "flag"));
        const char *code = db_text(rows, i, "code"), *one = db_text(rows, i, "one"),
                   *other = db_text(rows, i, "other");

        if (strcmp(code, "conflict") == 0)
            field_error(p->errors, field, code,
                        "Flag %s depends on flag %s, which depends on others itself.", one, other);
        else
            field_error(p->errors, field, code, "%s falls back on the variant %s, which is gone.",
                        one, other);
    }
    return s;
}

static Status check_room(struct db_tx *tx, const struct plan *p, FlagKind kind, const char *group,
                         const char *field) {
    int64_t n = 0;
    Status s = db_flag_count(tx, kind, p->w->change.app, &n);

    n += (int64_t)json_array_size(json_at(p->said, group, "made", NULL));
    if (s == STATUS_OK && n > FLAGS_MAX)
        field_error(p->errors, field, "range", "App %s would have %" PRId64 ", of %d at most.",
                    p->w->change.app, n, FLAGS_MAX);
    return s;
}

/* Before anything is written.  Refuses E_INVALID_BODY. */
static Status check_rooms(struct db_tx *tx, const struct plan *p) {
    Status s = check_room(tx, p, FLAG_DEFINITION, "flags", "/document/features");

    if (s == STATUS_OK)
        s = check_room(tx, p, FLAG_SEGMENT, "segments", "/document/segments");
    return s == STATUS_OK ? refuse_errors(p->w->r, p->errors) : s;
}

/* Refuses E_INVALID_BODY. */
static Status check_written(struct db_tx *tx, const struct plan *p) {
    Status s = check_others(tx, p);

    if (s == STATUS_OK)
        s = flag_guarded_check(tx, p->environment_id, "/document/features", p->errors);
    return s == STATUS_OK ? refuse_errors(p->w->r, p->errors) : s;
}

static Status import_record(struct db_tx *tx, const struct plan *p) {
    const struct import *w = p->w;
    const struct flag_change *c = &w->change;
    const struct record_about about = {.app = c->app,
                                       .environment = c->environment,
                                       .action = "flag.imported",
                                       .subject = c->environment};
    json_t *data = record_of_spec(p->said);

    json_object_set_new(data, "revision", json_integer(c->revision));
    json_set_str(data, "existing", w->existing);
    json_set_str(data, "reason", c->reason);
    return record_by_caller(
        w->q, tx, &about, data, "Flags of %s were imported into %s: %zu made, %zu changed%s%s",
        c->app, c->environment, json_array_size(json_at(p->said, "flags", "made", NULL)),
        json_array_size(json_at(p->said, "flags", "changed", NULL)), c->reason ? ": " : ".",
        c->reason ? c->reason : "");
}

static void import_answer(const struct plan *p) {
    const struct import *w = p->w;
    bool changed = !w->dry_run && json_array_size(p->changes);
    json_t *body = json_pack("{s:s, s:s, s:b}", "app", w->change.app, "environment",
                             w->change.environment, "dry_run", w->dry_run);

    json_object_update(body, p->said);
    json_object_set_new(body, "revision", changed ? json_integer(w->change.revision) : json_null());
    answer(w->r, 200, body);
}

/* Writes it, looks whether it fits, and puts it on record.  A dry run ends as a refusal, which
 * takes everything back. */
static Status carry_out(struct db_tx *tx, struct import *w, const struct plan *p) {
    _cleanup_free_ char *changes = json_text(p->changes);
    const struct flag_import now = {.app = w->change.app,
                                    .environment = w->change.environment,
                                    .environment_id = p->environment_id,
                                    .changes = changes,
                                    .by = w->change.by.json,
                                    .reason = w->change.reason,
                                    .revision = w->change.revision};
    bool any = json_array_size(p->changes) > 0;
    Status s = check_rooms(tx, p);

    if (s == STATUS_OK && any)
        s = explain_approval(tx, &w->change, db_flag_import(tx, &now), w->r);
    if (s == STATUS_OK && any)
        s = check_written(tx, p);
    if (s != STATUS_OK)
        return s;
    import_answer(p);
    w->tried = w->dry_run;
    if (w->dry_run)
        return E_WRONG_STATE;
    return any ? import_record(tx, p) : STATUS_OK;
}

static Status import_tx(struct db_tx *tx, void *ctx) {
    struct import *w = ctx;
    Status s = begin_change(tx, &w->change, w->r);

    w->late = s == STATUS_OK && w->change.revision != w->plan->head + 1;
    if (w->late)
        return E_OVERLOADED;
    return s == STATUS_OK ? carry_out(tx, w, w->plan) : s;
}

/* It is planned before the transaction: that may take a second, and whoever changes flags of the
 * app (a kill, too) waits for this one. */
static Status try_import(struct import *w) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_auto_t *there = NULL, *changes = json_array(), *errors = json_array();
    json_auto_t *said = json_pack("{s:{s:[], s:[], s:[], s:[]}, s:{s:[], s:[], s:[], s:[]}}",
                                  "flags", "made", "changed", "unchanged", "kept", "segments",
                                  "made", "changed", "unchanged", "kept");
    struct plan plan = {.w = w, .changes = changes, .errors = errors, .said = said};
    struct db_pool *pool = context_of(w->q)->pool;
    Status s;

    w->late = false;
    s = db_flag_everything(pool, w->change.app, w->change.environment, &rows);

    if (s == STATUS_OK && db_rows_count(rows) == 0)
        s = environment_missing(w->r, w->change.app, w->change.environment);
    if (s != STATUS_OK)
        return s;
    snprintf(plan.environment_id, UUID_TEXT, "%s", db_text(rows, 0, "environment_id"));
    plan.head = db_int(rows, 0, "head");
    there = db_json(rows, 0, "document");
    s = make_plan(&plan, there);
    if (s != STATUS_OK)
        return s;
    w->plan = &plan;
    s = db_tx_run(pool, "flag_import", DB_READ_COMMITTED, import_tx, w);
    w->plan = NULL;
    if (s == STATUS_OK) {
        announce_flags(w->q, w->change.app, NULL);
        announce(w->q, plan.environment_id);
    }
    return w->tried ? STATUS_OK : s;
}

Status flag_import(struct request *q, const void *in, struct reply *r) {
    struct import w = {.q = q,
                       .r = r,
                       .from = json_object_get(q->json, "document"),
                       .existing = json_str(q->json, "existing", "refuse"),
                       .dry_run = json_bool(q->json, "dry_run", false)};
    const char *app = NULL, *environment = NULL;
    Status s = path_place(q, &app, &environment, r);

    (void)in;
    if (s != STATUS_OK)
        return s;
    w.change = caller_change(q, app, environment, json_str(q->json, "reason", NULL));
    w.change.source = "import";
    for (int i = 0; i < TRIES; i++) {
        s = try_import(&w);
        if (!w.late)
            return s;
    }
    return reply_refuse(r, E_OVERLOADED, "Others keep changing flags of %s; nothing was done.",
                        app);
}
