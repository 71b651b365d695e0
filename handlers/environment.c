/* handlers/environment.c: environments: where an app lives, and how it is deployed there. */
#include "db/environment.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "db/app.h"
#include "db/cluster.h"
#include "domain/environment.h"
#include "handlers/answer.h"
#include "handlers/cluster_status.h"
#include "handlers/environment_recent.h"
#include "handlers/environment_status.h"
#include "handlers/flag.h"
#include "handlers/handlers.h"
#include <stdio.h>
#include <string.h>

/* takes status; NULL leaves it out */
static json_t *environment_json(const struct environment_row *row, json_t *status) {
    json_auto_t *stored = json_parse(row->spec);
    json_auto_t *spec = environment_spec(stored); /* jsonb has an order of its own */
    json_t *out = json_object();

    json_set_str(out, "app", row->app);
    json_set_str(out, "name", row->name);
    json_object_update(out, spec);
    json_set_time(out, "created_at", row->created_us);
    json_set_time(out, "updated_at", row->updated_us);
    if (status)
        json_object_set_new(out, "status", status);
    return out;
}

static const char *environment_etag(const struct request *q, const struct db_rows *rows) {
    struct environment_row row;

    if (db_rows_count(rows) == 0)
        return NULL;
    row = environment_row(rows, 0);
    /* manifests have a tag of their own, but count in the revision */
    return etag_of(q->arena, row.revision - row.manifests_revision, row.created_us);
}

struct environment_write {
    struct request *q;
    struct reply *r;
    const char *app, *name;
    json_t *spec; /* NULL: delete */
    const char *spec_text, *cluster, *cluster_uid;
    int64_t cluster_revision;
    char id[UUID_TEXT];   /* deleted: which it was */
    struct db_rows *rows; /* what is there afterwards; owned */
};

static Status environment_record(const struct environment_write *w, struct db_tx *tx,
                                 const char *action, const char *done) {
    const struct record_about about = {
        .app = w->app, .environment = w->name, .action = action, .subject = w->name};

    return record_by_caller(w->q, tx, &about, w->spec ? record_of_spec(w->spec) : NULL,
                            "Environment %s of %s was %s.", w->name, w->app, done);
}

static Status refuse_busy(struct reply *r, const char *active_id, const char *what) {
    reply_extra(r, "deployment", json_string(active_id));
    r->location = arena_printf(r->arena, "/api/v1/deployments/%s", active_id);
    return reply_refuse(r, E_ENVIRONMENT_BUSY, "%s while deployment %s is active.", what,
                        active_id);
}

/* Law 1: two environments never name the same object of one cluster. */
static Status claim(struct db_tx *tx, const struct environment_write *w, const char *id) {
    _cleanup_(db_rows_free) struct db_rows *taken = NULL;
    json_auto_t *objects = environment_objects(w->spec);
    _cleanup_free_ char *text = json_text(objects);
    const char *kind, *name, *app;
    Status s = db_environment_claim(tx, id, w->cluster_uid, json_str(w->spec, "namespace", ""),
                                    text, &taken);

    if (s != STATUS_OK || db_rows_count(taken) == 0)
        return s;
    kind = db_text(taken, 0, "kind");
    name = db_text(taken, 0, "name");
    app = db_text(taken, 0, "app");
    reply_extra(w->r, "object", json_pack("{s:s, s:s}", "kind", kind, "name", name));
    if (!app || !principal_may_app(w->q->principal, app))
        return reply_refuse(w->r, E_IN_USE, "%s %s belongs to another environment.", kind, name);
    reply_extra(w->r, "environment", json_sprintf("%s/%s", app, db_text(taken, 0, "environment")));
    return reply_refuse(w->r, E_IN_USE, "%s %s belongs to environment %s/%s.", kind, name, app,
                        db_text(taken, 0, "environment"));
}

/* What the environment relies on stays as it was read until the transaction ends. */
static Status lock_surroundings(struct db_tx *tx, const struct environment_write *w) {
    _cleanup_(db_rows_free) struct db_rows *cluster = NULL;
    Status s = db_app_share(tx, w->app);

    if (s == E_NOT_FOUND)
        return reply_refuse(w->r, s, "There is no app %s.", w->app);
    if (s == STATUS_OK)
        s = db_cluster_lock(tx, w->cluster, &cluster);
    if (s == STATUS_OK &&
        (db_rows_count(cluster) == 0 || cluster_row(cluster, 0).revision != w->cluster_revision))
        return reply_refuse(w->r, E_IN_USE, "Cluster %s was changed just now: try again.",
                            w->cluster);
    return s;
}

static Status environment_make(struct db_tx *tx, const struct environment_write *w,
                               bool *ret_again) {
    char id[UUID_TEXT];
    const struct environment_new new = {.id = uuid_v7(id),
                                        .app = w->app,
                                        .name = w->name,
                                        .cluster = w->cluster,
                                        .namespace_ = json_str(w->spec, "namespace", ""),
                                        .spec = w->spec_text};
    bool made = false;
    Status s = db_environment_insert(tx, &new, &made);

    *ret_again = s == STATUS_OK && !made;
    return s == STATUS_OK && made ? claim(tx, w, id) : s;
}

static Status environment_replace(struct db_tx *tx, const struct environment_write *w,
                                  const struct environment_row *there, const json_t *before) {
    const struct environment_new new = {.id = there->id,
                                        .cluster = w->cluster,
                                        .namespace_ = json_str(w->spec, "namespace", ""),
                                        .spec = w->spec_text};
    bool moved = environment_moved(before, w->spec);
    Status s;

    if (moved && there->active_id)
        return refuse_busy(
            w->r, there->active_id,
            "Cluster, namespace, Services, workloads and selector key cannot change");
    s = db_environment_update(tx, &new);
    return s == STATUS_OK && moved ? claim(tx, w, there->id) : s;
}

static Status environment_put_once(struct db_tx *tx, struct environment_write *w, bool *ret_again) {
    _cleanup_(db_rows_free) struct db_rows *there = NULL;
    json_auto_t *before = NULL;
    enum put_what what = PUT_KEEP;
    struct environment_row row = {0};
    Status s = lock_surroundings(tx, w);

    if (s == STATUS_OK)
        s = db_environment_lock(tx, w->app, w->name, &there);
    if (s != STATUS_OK)
        return s;
    if (db_rows_count(there)) {
        row = environment_row(there, 0);
        before = json_parse(row.spec);
    }
    s = put_rule(w->q, environment_etag(w->q, there), before && json_equal(before, w->spec), &what,
                 w->r);
    *ret_again = false;
    if (s == STATUS_OK && what == PUT_MAKE)
        s = environment_make(tx, w, ret_again);
    if (s == STATUS_OK && what == PUT_REPLACE)
        s = environment_replace(tx, w, &row, before);
    db_rows_free(TAKE_PTR(w->rows));
    if (s == STATUS_OK && !*ret_again)
        s = db_environment_get_in(tx, w->app, w->name, &w->rows);
    if (s != STATUS_OK || *ret_again || what == PUT_KEEP)
        return s;
    w->r->status = what == PUT_MAKE ? 201 : 200;
    return environment_record(w, tx, "environment.put", what == PUT_MAKE ? "made" : "changed");
}

static Status environment_put_tx(struct db_tx *tx, void *ctx) {
    bool again = false;
    Status s;

    do
        s = environment_put_once(tx, ctx, &again);
    while (s == STATUS_OK && again);
    return s;
}

/* The environment's cluster, and who it is. */
static Status find_cluster(struct environment_write *w) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct cluster_row row;
    Status s;

    w->cluster = json_str(w->spec, "cluster", "");
    s = db_cluster_get(context_of(w->q)->pool, w->cluster, &rows);
    if (s != STATUS_OK)
        return s;
    if (db_rows_count(rows) == 0)
        return reply_field_error(w->r, "/cluster", "unknown", "There is no cluster %s.",
                                 w->cluster);
    row = cluster_row(rows, 0);
    w->cluster_revision = row.revision;
    return cluster_uid(w->q, &row, &w->cluster_uid, w->r);
}

Status environment_put(struct request *q, const void *in, struct reply *r) {
    struct environment_write w = {.q = q, .r = r};
    json_auto_t *spec = environment_spec(q->json);
    _cleanup_free_ char *text = json_text(spec);
    struct environment_row row;
    Status s = path_place(q, &w.app, &w.name, r);

    (void)in;
    w.spec = spec;
    w.spec_text = text;
    if (s == STATUS_OK)
        s = find_cluster(&w);
    if (s == STATUS_OK)
        s = db_tx_run(context_of(q)->pool, "environment_put", DB_READ_COMMITTED, environment_put_tx,
                      &w);
    if (s == STATUS_OK && db_rows_count(w.rows)) {
        row = environment_row(w.rows, 0);
        r->etag = environment_etag(q, w.rows);
        environment_watch(context_of(q), &row);
        announce(q, row.id);
        announce_flags(q, w.app, w.name);
        s = answer(r, r->status, environment_json(&row, NULL));
    }
    db_rows_free(w.rows);
    return s;
}

Status environment_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct environment_row row;
    int64_t began_us = clock_monotonic_us();
    Status s = path_environment(q, &rows, r);

    (void)in;
    if (s != STATUS_OK)
        return s;
    row = environment_row(rows, 0);
    r->etag = environment_etag(q, rows);
    r->live = true;
    answer(r, 200, environment_json(&row, environment_status(q, &row, true)));
    environment_remember(q, &row, began_us, r);
    return STATUS_OK;
}

static Status environment_delete_tx(struct db_tx *tx, void *ctx) {
    struct environment_write *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *there = NULL;
    struct environment_row row;
    Status s = db_environment_lock(tx, w->app, w->name, &there);

    if (s != STATUS_OK)
        return s;
    if (db_rows_count(there) == 0)
        return environment_missing(w->r, w->app, w->name);
    row = environment_row(there, 0);
    s = delete_rule(w->q, environment_etag(w->q, there), w->r);
    if (s != STATUS_OK)
        return s;
    if (row.active_id) {
        reply_extra(w->r, "deployment", json_string(row.active_id));
        return reply_refuse(w->r, E_IN_USE, "Deployment %s is active in it.", row.active_id);
    }
    s = db_environment_delete(tx, row.id);
    if (s != STATUS_OK)
        return s;
    snprintf(w->id, sizeof w->id, "%s", row.id);
    w->r->status = 204;
    return environment_record(w, tx, "environment.deleted", "deleted");
}

Status environment_delete(struct request *q, const void *in, struct reply *r) {
    struct environment_write w = {.q = q, .r = r};
    Status s = path_place(q, &w.app, &w.name, r);

    (void)in;
    if (s != STATUS_OK)
        return s;
    s = db_tx_run(context_of(q)->pool, "environment_delete", DB_READ_COMMITTED,
                  environment_delete_tx, &w);
    if (s == STATUS_OK) {
        announce(q, w.id);
        announce_flags(q, w.app, w.name);
    }
    return s;
}

Status environment_list(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const char *app = NULL;
    json_t *items;
    struct page page;
    Status s = path_app(q, &app, r);

    (void)in;
    if (s == STATUS_OK)
        s = request_page(q, &page, r);
    if (s == STATUS_OK)
        s = db_environment_list(context_of(q)->pool, app, page.after, page.limit + 1, &rows);
    if (s == STATUS_OK && db_rows_count(rows) == 0)
        s = app_exists(q, app, r);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        struct environment_row row = environment_row(rows, i);

        json_array_append_new(items, environment_json(&row, environment_status(q, &row, false)));
    }
    reply_list(r, items, page_next(&page, rows, "name"));
    return STATUS_OK;
}
