/* handlers/cluster.c: clusters: where their kubeconfig is, and whether they answer. */
#include "db/cluster.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "handlers/answer.h"
#include "handlers/cluster_status.h"
#include "handlers/environment_recent.h"
#include "handlers/handlers.h"
#include <string.h>

struct cluster_in {
    const char *name, *kubeconfig_file, *context;
    bool in_cluster;
};

static Status cluster_check(const json_t *body, struct reply *r) {
    const char *file = json_str(body, "kubeconfig_file", NULL);
    bool in_cluster = json_bool(body, "in_cluster", false);

    if (!file && !in_cluster)
        return reply_field_error(r, "/kubeconfig_file", "required",
                                 "Either kubeconfig_file, or in_cluster: true.");
    if (file && in_cluster)
        return reply_field_error(r, "/in_cluster", "conflict",
                                 "Either kubeconfig_file, or in_cluster: true.");
    if (in_cluster && json_str(body, "context", NULL))
        return reply_field_error(r, "/context", "conflict", "Only with kubeconfig_file.");
    if (file && (*file == '.' || strchr(file, '/')))
        return reply_field_error(r, "/kubeconfig_file", "invalid",
                                 "A plain file name in SLUICE_KUBECONFIG_DIR.");
    return STATUS_OK;
}

#define AT(member) .offset = offsetof(struct cluster_in, member)
static const struct field cluster_fields[] = {
    {.name = "name", .type = FIELD_NAME, AT(name)},
    {.name = "kubeconfig_file", .type = FIELD_STRING, AT(kubeconfig_file), .min = 1, .max = 255},
    {.name = "context", .type = FIELD_STRING, AT(context), .min = 1, .max = 255},
    {.name = "in_cluster", .type = FIELD_BOOL, AT(in_cluster)},
};
#undef AT
const struct body_schema cluster_schema = {
    .name = "ClusterInput",
    .fields = cluster_fields,
    .count = sizeof cluster_fields / sizeof *cluster_fields,
    .size = sizeof(struct cluster_in),
    .check = cluster_check,
};

static json_t *cluster_spec(const struct cluster_in *in) {
    if (in->in_cluster)
        return json_pack("{s:b}", "in_cluster", 1);
    return json_pack("{s:s, s:s?}", "kubeconfig_file", in->kubeconfig_file, "context", in->context);
}

static json_t *cluster_json(const struct cluster_row *row, json_t *status) {
    static const char *const keys[] = {"kubeconfig_file", "context", "in_cluster"};
    json_auto_t *spec = json_parse(row->spec);
    json_t *out = json_object();

    json_set_str(out, "name", row->name);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(spec, keys[i]))
            json_object_set(out, keys[i], json_object_get(spec, keys[i]));
    json_set_time(out, "created_at", row->created_us);
    json_set_time(out, "updated_at", row->updated_us);
    json_object_set_new(out, "status", status ? status : json_null());
    return out;
}

static const char *cluster_etag(const struct request *q, const struct db_rows *rows) {
    struct cluster_row row;

    if (db_rows_count(rows) == 0)
        return NULL;
    row = cluster_row(rows, 0);
    return etag_of(q->arena, row.revision, row.created_us);
}

struct cluster_write {
    struct request *q;
    struct reply *r;
    const char *name,
        *uid;             /* uid: of the cluster that the spec leads to; NULL: it did not answer */
    json_t *spec;         /* NULL: delete */
    struct db_rows *rows; /* what is there afterwards; owned */
};

static Status cluster_record(const struct cluster_write *w, struct db_tx *tx, const char *action,
                             const char *done) {
    const struct record_about about = {.action = action, .subject = w->name};

    return record_by_caller(w->q, tx, &about, w->spec ? record_of_spec(w->spec) : NULL,
                            "Cluster %s was %s.", w->name, done);
}

/* Environments hold claims on objects of the cluster that they know: its name may not lead to
 * another one. */
static Status same_cluster(struct db_tx *tx, const struct cluster_write *w,
                           const struct db_rows *there) {
    struct cluster_row row = cluster_row(there, 0);
    bool used = true;
    Status s = db_cluster_used(tx, w->name, &used);

    if (s != STATUS_OK || !used)
        return s;
    if (!w->uid) {
        w->r->retry_after_s = 10;
        return reply_refuse(
            w->r, E_CLUSTER_UNAVAILABLE,
            "Environments live in cluster %s, and the new settings lead to one that "
            "does not answer: it cannot be told whether it is the same.",
            w->name);
    }
    if (row.uid && strcmp(row.uid, w->uid) != 0)
        return reply_refuse(w->r, E_IN_USE,
                            "Environments live in cluster %s, and the new settings lead to another "
                            "cluster.",
                            w->name);
    return STATUS_OK;
}

static Status cluster_put_once(struct db_tx *tx, struct cluster_write *w, bool *ret_again) {
    _cleanup_(db_rows_free) struct db_rows *there = NULL;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_free_ char *spec = json_text(w->spec);
    json_auto_t *before = NULL;
    enum put_what what = PUT_KEEP;
    Status s;

    *ret_again = false;
    s = db_cluster_lock(tx, w->name, &there);
    if (s != STATUS_OK)
        return s;
    before = db_rows_count(there) ? json_parse(cluster_row(there, 0).spec) : NULL;
    s = put_rule(w->q, cluster_etag(w->q, there), before && json_equal(before, w->spec), &what,
                 w->r);
    if (s == STATUS_OK && what == PUT_REPLACE)
        s = same_cluster(tx, w, there);
    if (s != STATUS_OK)
        return s;
    if (what != PUT_KEEP) {
        s = what == PUT_MAKE ? db_cluster_insert(tx, w->name, spec, w->uid, &rows)
                             : db_cluster_update(tx, w->name, spec, w->uid, &rows);
        *ret_again = s == STATUS_OK && db_rows_count(rows) == 0;
        if (s != STATUS_OK || *ret_again)
            return s;
    }
    db_rows_free(w->rows);
    w->rows = what == PUT_KEEP ? TAKE_PTR(there) : TAKE_PTR(rows);
    w->r->status = what == PUT_MAKE ? 201 : 200;
    return what == PUT_KEEP
               ? STATUS_OK
               : cluster_record(w, tx, "cluster.put", what == PUT_MAKE ? "registered" : "changed");
}

static Status cluster_put_tx(struct db_tx *tx, void *ctx) {
    bool again = false;
    Status s;

    do
        s = cluster_put_once(tx, ctx, &again);
    while (s == STATUS_OK && again);
    return s;
}

static Status cluster_answer(const struct request *q, struct reply *r, unsigned status,
                             const struct db_rows *rows) {
    struct cluster_row row = cluster_row(rows, 0);

    r->etag = cluster_etag(q, rows);
    r->live = true;
    return answer(r, status, cluster_json(&row, cluster_status(context_of(q), &row, true)));
}

/* Whether the spec can be used at all, and who answers there.  Under a name that no cluster can
 * have: what is in use stays as it is until the transaction is through. */
static Status cluster_try(const struct request *q, struct cluster_write *w, struct reply *r) {
    _cleanup_(kube_cluster_unref) struct kube_cluster *c = NULL;
    _cleanup_(kube_result_done) struct kube_result result = {0};
    char line[256] = "";
    const char *field;
    Status s = kube_clusters_get(context_of(q)->clusters, "~new", w->spec, clock_monotonic_us(), &c,
                                 line, sizeof line); /* a new revision: the file is read again */

    if (s > STATUS_OK) {
        field = json_object_get(w->spec, "in_cluster") ? "/in_cluster"
                : json_str(w->spec, "context", NULL) && strstr(line, "context")
                    ? "/context"
                    : "/kubeconfig_file";
        return reply_field_error(r, field, s == E_NOT_SUPPORTED ? "not-supported" : "invalid", "%s",
                                 line);
    }
    if (s != STATUS_OK)
        return s;
    kube_probe(c, &result);
    w->uid = arena_strdup(q->arena, json_str(result.object, "uid", NULL));
    return STATUS_OK;
}

Status cluster_put(struct request *q, const void *body, struct reply *r) {
    const struct cluster_in *in = body;
    struct cluster_write w = {.q = q, .r = r};
    json_auto_t *spec = cluster_spec(in);
    Status s = path_name(q, "cluster", &w.name, r);

    if (s == STATUS_OK)
        s = all_apps_allowed(q, r);
    if (s == STATUS_OK)
        s = body_name(in->name, w.name, r);
    w.spec = spec;
    if (s == STATUS_OK)
        s = cluster_try(q, &w, r);
    if (s == STATUS_OK)
        s = db_tx_run(context_of(q)->pool, "cluster_put", DB_READ_COMMITTED, cluster_put_tx, &w);
    if (s == STATUS_OK)
        environments_of_cluster_changed(context_of(q), w.name);
    if (s == STATUS_OK)
        s = cluster_answer(q, r, r->status, w.rows);
    db_rows_free(w.rows);
    return s;
}

static Status cluster_missing(struct reply *r, const char *name) {
    return reply_refuse(r, E_NOT_FOUND, "There is no cluster %s.", name);
}

Status cluster_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    const char *name = NULL;
    Status s = path_name(q, "cluster", &name, r);

    (void)in;
    if (s == STATUS_OK)
        s = db_cluster_get(context_of(q)->pool, name, &rows);
    if (s != STATUS_OK)
        return s;
    return db_rows_count(rows) ? cluster_answer(q, r, 200, rows) : cluster_missing(r, name);
}

static Status cluster_delete_tx(struct db_tx *tx, void *ctx) {
    const struct cluster_write *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *there = NULL;
    Status s = db_cluster_lock(tx, w->name, &there);

    if (s != STATUS_OK)
        return s;
    if (db_rows_count(there) == 0)
        return cluster_missing(w->r, w->name);
    s = delete_rule(w->q, cluster_etag(w->q, there), w->r);
    if (s == STATUS_OK)
        s = db_cluster_delete(tx, w->name);
    if (s == E_IN_USE)
        return reply_refuse(w->r, s, "Environments still live in cluster %s.", w->name);
    if (s != STATUS_OK)
        return s;
    w->r->status = 204;
    return cluster_record(w, tx, "cluster.deleted", "deleted");
}

Status cluster_delete(struct request *q, const void *in, struct reply *r) {
    struct cluster_write w = {.q = q, .r = r};
    Status s = path_name(q, "cluster", &w.name, r);

    (void)in;
    if (s == STATUS_OK)
        s = all_apps_allowed(q, r);
    if (s != STATUS_OK)
        return s;
    return db_tx_run(context_of(q)->pool, "cluster_delete", DB_READ_COMMITTED, cluster_delete_tx,
                     &w);
}

Status cluster_list(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_t *items;
    struct page page;
    Status s = request_page(q, &page, r);

    (void)in;
    if (s == STATUS_OK)
        s = db_cluster_list(context_of(q)->pool, page.after, page.limit + 1, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        struct cluster_row row = cluster_row(rows, i);

        json_array_append_new(items,
                              cluster_json(&row, cluster_status(context_of(q), &row, false)));
    }
    reply_list(r, items, page_next(&page, rows, "name"));
    return STATUS_OK;
}
