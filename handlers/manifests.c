/* handlers/manifests.c: the manifests of an environment, applied when a release brings none. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "db/environment.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "kube/yaml.h"
#include "rollout/plan.h"
#include <stdio.h>
#include <string.h>

struct manifests_write {
    struct request *q;
    struct reply *r;
    const char *app, *name;
    char id[UUID_TEXT]; /* the environment's */
};

static const char *manifests_etag(const struct request *q, const struct manifests_row *row) {
    return row->manifests ? etag_of(q->arena, row->revision, row->created_us) : NULL;
}

/* Both colors, as the environment is now. */
static Status check(const struct manifests_write *w, const char *spec_text) {
    const struct request *q = w->q;
    char line[256] = "";
    json_auto_t *documents = kube_yaml_documents(q->body, q->body_len, line, sizeof line);
    json_auto_t *spec = json_parse(spec_text);
    const char *why = line;
    Status s;

    if (!documents)
        return reply_field_error(w->r, "", "yaml", "%s", line);
    if (json_array_size(documents) == 0)
        return reply_field_error(w->r, "", "empty", "There is no document in it.");
    s = plan_check_documents(spec, documents, q->arena, &why);
    return s == E_INVALID_BODY ? reply_field_error(w->r, "", "manifest", "%s", why) : s;
}

static Status manifests_record(const struct manifests_write *w, struct db_tx *tx) {
    const struct record_about about = {
        .app = w->app, .environment = w->name, .action = "manifests.put", .subject = w->name};
    char digest[SHA256_HEX];

    return record_by_caller(
        w->q, tx, &about,
        json_pack("{s:s, s:I}", "sha256", sha256_hex(w->q->body, w->q->body_len, digest), "bytes",
                  (json_int_t)w->q->body_len),
        "The manifests of environment %s of %s were replaced.", w->name, w->app);
}

static Status answer_yaml(struct reply *r, unsigned status, const char *text) {
    free(r->raw);
    r->raw = xstrdup(text);
    r->raw_len = strlen(text);
    r->content_type = "application/yaml";
    r->status = status;
    return STATUS_OK;
}

static Status manifests_put_tx(struct db_tx *tx, void *ctx) {
    struct manifests_write *w = ctx;
    struct request *q = w->q;
    _cleanup_(db_rows_free) struct db_rows *there = NULL;
    enum put_what what = PUT_KEEP;
    struct manifests_row row;
    bool equal;
    Status s = db_manifests_lock(tx, w->app, w->name, &there);

    if (s != STATUS_OK)
        return s;
    if (db_rows_count(there) == 0)
        return environment_missing(w->r, w->app, w->name);
    row = manifests_row(there, 0);
    snprintf(w->id, sizeof w->id, "%s", row.id);
    equal = row.manifests && !strcmp(row.manifests, q->body);
    s = put_rule(q, manifests_etag(q, &row), equal, &what, w->r);
    if (s == STATUS_OK && what != PUT_KEEP)
        s = check(w, row.spec);
    if (s == STATUS_OK && what != PUT_KEEP)
        s = db_manifests_put(tx, row.id, q->body, &row.revision);
    if (s != STATUS_OK)
        return s;
    w->r->etag = etag_of(q->arena, row.revision, row.created_us);
    answer_yaml(w->r, what == PUT_MAKE ? 201 : 200, q->body);
    return what == PUT_KEEP ? STATUS_OK : manifests_record(w, tx);
}

Status manifests_put(struct request *q, const void *in, struct reply *r) {
    struct manifests_write w = {.q = q, .r = r};
    Status s = path_place(q, &w.app, &w.name, r);

    (void)in;
    if (s != STATUS_OK)
        return s;
    if (memchr(q->body, '\0', q->body_len))
        return reply_field_error(r, "", "yaml", "It holds a NUL.");
    s = db_tx_run(context_of(q)->pool, "manifests_put", DB_READ_COMMITTED, manifests_put_tx, &w);
    if (s == STATUS_OK)
        announce(q, w.id);
    return s;
}

Status manifests_get(struct request *q, const void *in, struct reply *r) {
    struct manifests_write w = {.q = q, .r = r};
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct manifests_row row;
    Status s = path_place(q, &w.app, &w.name, r);

    (void)in;
    if (s == STATUS_OK)
        s = db_manifests_get(context_of(q)->pool, w.app, w.name, &rows);
    if (s != STATUS_OK)
        return s;
    if (db_rows_count(rows) == 0)
        return environment_missing(w.r, w.app, w.name);
    row = manifests_row(rows, 0);
    if (!row.manifests)
        return reply_refuse(r, E_NOT_FOUND, "Environment %s of %s has no manifests.", w.name,
                            w.app);
    r->etag = manifests_etag(q, &row);
    return answer_yaml(r, 200, row.manifests);
}
