/* handlers/signoff.c: what people decide: before, about a release in an environment; after, about a
 * deployment (its acceptance).  One person counts once: a new decision withdraws the one before, in
 * whatever role. */
#include "domain/signoff.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "db/checklist.h"
#include "db/gate.h"
#include "db/signoff.h"
#include "domain/gate_spec.h"
#include "handlers/answer.h"
#include "handlers/deployment.h"
#include "handlers/gate_fact.h"
#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include <string.h>

struct signoff_in {
    const char *environment, *role, *decision, *note;
};
#define AT(member) .offset = offsetof(struct signoff_in, member)
static const struct field signoff_fields[] = {
    {.name = "environment", .type = FIELD_NAME, AT(environment), .required = true},
    {.name = "role", .type = FIELD_ENUM, AT(role), .required = true, .words = SIGNOFF_ROLE_WORDS},
    {.name = "decision",
     .type = FIELD_ENUM,
     AT(decision),
     .required = true,
     .words = "approve|reject"},
    {.name = "note", .type = FIELD_STRING, AT(note), .min = 1, .max = 1000},
};
#undef AT
const struct body_schema signoff_schema = {
    .name = "SignoffInput",
    .fields = signoff_fields,
    .count = sizeof signoff_fields / sizeof *signoff_fields,
    .size = sizeof(struct signoff_in),
};

const struct body_schema acceptance_schema = {
    .name = "AcceptanceInput",
    .fields = signoff_fields + 1, /* a deployment has its environment */
    .count = sizeof signoff_fields / sizeof *signoff_fields - 1,
    .size = sizeof(struct signoff_in),
};

static const char *scope_of(const struct request *q, const char *role) {
    return arena_printf(q->arena, "signoff:%s", role);
}

/* ---- as it is answered ---- */

static const char *void_reason(const struct signoff_row *row) {
    json_auto_t *bound = json_parse(row->bound), *by = json_parse(row->by);
    json_auto_t *signoff =
        json_pack("{s:s, s:s?, s:s?, s:s, s:s}", "decision", row->decision, "subject",
                  json_str(by, "subject", NULL), "issuer", json_str(by, "issuer", NULL),
                  "content_digest", row->content_digest, "checklist", row->checklist);
    const struct signoff_about about = {.content_digest = json_str(bound, "content_digest", NULL),
                                        .checklist = json_str(bound, "checklist", NULL),
                                        .authors = json_object_get(bound, "authors")};

    return row->withdrawn_us ? "withdrawn" : signoff_void(signoff, &about);
}

static json_t *signoff_json(const struct signoff_row *row) {
    const char *why = void_reason(row);
    json_t *out = json_object();

    json_set_str(out, "id", row->id);
    json_set_str(out, "environment", row->environment);
    json_set_str(out, "role", row->role);
    json_set_str(out, "decision", row->decision);
    json_set_str(out, "note", row->note);
    json_object_set_new(out, "by", actor_value(row->by));
    json_set_str(out, "content_digest", row->content_digest);
    json_set_str(out, "checklist", row->checklist);
    json_set_time(out, "created_at", row->created_us);
    json_object_set_new(out, "valid", json_boolean(!why));
    if (why)
        json_set_str(out, "void_reason", why);
    if (row->withdrawn_us) {
        json_set_time(out, "withdrawn_at", row->withdrawn_us);
        json_object_set_new(out, "withdrawn_by", actor_value(row->withdrawn_by));
    }
    return out;
}

/* ---- the transaction ---- */

struct signing {
    struct gate_fact fact; /* after: only q, r, app and environment */
    const struct signoff_in *in;
    const char *id;            /* of the one to withdraw */
    const char *deployment_id; /* NULL: before */
    /* set by begin() */
    struct signoff_of of;
    const char *version;
    struct db_rows *deployment; /* owned */
};

static void signing_done_cleanup(struct signing *w) {
    gate_fact_done(&w->fact);
    db_rows_free(TAKE_PTR(w->deployment));
}

static Status check_deployment(const struct signing *w, const struct deployment_row *row) {
    if (strcmp(row->kind, "deploy") == 0 && strcmp(row->state, "succeeded") == 0)
        return STATUS_OK;
    reply_extra(w->fact.r, "state", json_string(row->state));
    reply_extra(w->fact.r, "allowed", json_pack("[s]", "succeeded"));
    return reply_refuse(w->fact.r, E_WRONG_STATE,
                        "Only a deployment of a release that succeeded is accepted or rejected.");
}

static Status begin_after(struct db_tx *tx, struct signing *w) {
    _cleanup_(db_rows_free) struct db_rows *locked = NULL;
    struct deployment_row row;
    Status s = db_gate_lock(tx, w->of.environment_id, NULL, NULL, &locked);

    db_rows_free(TAKE_PTR(w->deployment));
    if (s == STATUS_OK)
        s = db_deployment_get_in(tx, w->deployment_id, &w->deployment);
    if (s != STATUS_OK)
        return s;
    row = deployment_row(w->deployment, 0);
    w->version = row.version;
    return check_deployment(w, &row);
}

static Status begin(struct db_tx *tx, struct signing *w) {
    Status s;

    if (w->deployment_id)
        return begin_after(tx, w);
    s = gate_fact_begin(tx, &w->fact);
    if (s != STATUS_OK)
        return s;
    w->version = w->fact.release.version;
    w->of = (struct signoff_of){.release_id = w->fact.release.id,
                                .environment_id = gate_fact_environment(&w->fact, 0)};
    return STATUS_OK;
}

static Status record(struct db_tx *tx, const struct signing *w, const char *action,
                     const struct signoff_row *row, const char *replaced_by) {
    const struct record_about about = {.app = w->fact.app,
                                       .environment = w->fact.environment,
                                       .action =
                                           arena_printf(w->fact.q->arena, "signoff.%s", action),
                                       .subject = w->deployment_id ? w->deployment_id : w->version,
                                       .deployment_id = w->deployment_id};
    json_t *data =
        json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?}", "id", row->id, "role", row->role,
                  "decision", row->decision, "note", row->note, "content_digest",
                  row->content_digest, "checklist", row->checklist, "replaced_by", replaced_by);

    return record_by_caller(w->fact.q, tx, &about, data, "%s of %s in %s: %s.", row->role,
                            w->version, w->fact.environment, action);
}

/* What a deployment's sign-offs come to now, on the record where that is another outcome. */
static Status settle(struct db_tx *tx, const struct signing *w, bool *ret_awaits_final) {
    const char *now;
    struct record_about about = {.app = w->fact.app,
                                 .environment = w->fact.environment,
                                 .subject = w->deployment_id,
                                 .deployment_id = w->deployment_id};
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_signoff_settle(tx, w->deployment_id, NULL, &rows);

    if (s == STATUS_OK)
        s = db_gate_touch(tx, w->of.environment_id); /* it may free the next deployment */
    if (s != STATUS_OK)
        return s;
    now = db_text(rows, 0, "acceptance");
    *ret_awaits_final = db_bool(rows, 0, "awaits_final");
    json_set_str(w->fact.r->json, "acceptance", now);
    if (strcmp(now, db_text(rows, 0, "was")) == 0 ||
        (strcmp(now, "accepted") != 0 && strcmp(now, "rejected") != 0))
        return STATUS_OK;
    about.action = arena_printf(w->fact.q->arena, "deployment.%s", now);
    return record_by_caller(w->fact.q, tx, &about, NULL, "%s in %s is %s.", w->version,
                            w->fact.environment, now);
}

/* withdrawn: NULL, or what was taken back. */
static Status finish(struct db_tx *tx, const struct signing *w,
                     const struct signoff_row *withdrawn) {
    bool awaits_final = false, released;
    Status s;

    if (!w->deployment_id)
        return gate_fact_end(tx, &w->fact, w->fact.r->json);
    s = settle(tx, w, &awaits_final);
    /* what the final approval released for clean-up stays released */
    released = withdrawn && strcmp(withdrawn->role, "final") == 0 &&
               strcmp(withdrawn->decision, "approve") == 0 && !awaits_final;
    json_object_set_new(w->fact.r->json, "effective", json_boolean(!released));
    return s;
}

/* Nobody approves what they made or asked for. */
static Status refuse_author(struct db_tx *tx, const struct signing *w) {
    const struct principal *p = w->fact.q->principal;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_auto_t *bound = NULL;
    const char *did;
    Status s = db_signoff_bound(tx, &w->of, &rows);

    if (s != STATUS_OK)
        return s;
    bound = db_json(rows, 0, "bound");
    did = signoff_author(json_object_get(bound, "authors"), p->subject, p->issuer);
    if (!did || strcmp(w->in->decision, "approve") != 0)
        return STATUS_OK;
    return reply_refuse(w->fact.r, E_FORBIDDEN,
                        "You %s: somebody else approves it (the gates say self_approval: false).",
                        did);
}

static Status store(struct db_tx *tx, const struct signing *w, const char *id) {
    const struct request *q = w->fact.q;
    const struct checklist_of checklist = {.kind = w->deployment_id ? "after" : "before",
                                           .environment_id = w->of.environment_id,
                                           .release_id = w->of.release_id,
                                           .deployment_id = w->deployment_id};
    const struct signoff_row in = {.id = id,
                                   .role = w->in->role,
                                   .decision = w->in->decision,
                                   .note = w->in->note,
                                   .by = q->principal->actor_json};
    _cleanup_(db_rows_free) struct db_rows *used = NULL, *before = NULL, *rows = NULL;
    struct signoff_row row;
    Status s = db_checklist_use(tx, &checklist, &used);

    if (s == STATUS_OK)
        s = refuse_author(tx, w);
    if (s == STATUS_OK)
        s = db_signoff_replace(tx, &w->of, in.by, &before);
    if (s == STATUS_OK)
        s = db_signoff_insert(tx, &w->of, &in);
    if (s == STATUS_OK)
        s = db_signoff_get_in(tx, id, &rows);
    if (s != STATUS_OK)
        return s;
    row = signoff_row(rows, 0);
    answer(w->fact.r, 201, signoff_json(&row));
    for (size_t i = 0; s == STATUS_OK && i < db_rows_count(before); i++) {
        const struct signoff_row old = {.id = db_text(before, i, "id"),
                                        .role = db_text(before, i, "role"),
                                        .decision = db_text(before, i, "decision")};

        json_set_str(w->fact.r->json, "replaces", old.id);
        json_set_str(w->fact.r->json, "replaces_role", old.role);
        s = record(tx, w, "withdrawn", &old, id);
    }
    return s ? s
             : record(tx, w, strcmp(row.decision, "approve") == 0 ? "approved" : "rejected", &row,
                      NULL);
}

static Status signoff_create_tx(struct db_tx *tx, void *ctx) {
    struct signing *w = ctx;
    char id[UUID_TEXT];
    Status s = begin(tx, w);

    if (s == STATUS_OK)
        s = store(tx, w, uuid_v7(id));
    return s == STATUS_OK ? finish(tx, w, NULL) : s;
}

static Status signoff_make(struct request *q, struct reply *r, void *ctx) {
    return idempotent_tx(q, r, "signoff_create", signoff_create_tx, ctx);
}

Status signoff_create(struct request *q, const void *body, struct reply *r) {
    _cleanup_(signing_done) struct signing w = {
        .fact = {.q = q, .r = r, .version = request_param(q, "version")}, .in = body};
    Status s = path_release(q, &w.fact.app, &w.fact.version_key, r);

    if (s == STATUS_OK)
        s = request_may(q, scope_of(q, w.in->role), r);
    if (s != STATUS_OK)
        return s;
    w.fact.environment = w.in->environment;
    s = idempotent_run(q, r, signoff_make, &w);
    if (s == STATUS_OK && !r->replayed)
        gate_fact_announce(&w.fact);
    return s;
}

/* ---- DELETE ---- */

/* Who gave it takes it back, or whoever rules the gates; people only. */
static Status may_withdraw(const struct request *q, const struct signoff_row *row,
                           struct reply *r) {
    const struct principal *p = q->principal;
    const char *scope = scope_of(q, row->role);
    json_auto_t *by = json_parse(row->by), *authors = json_pack("[O]", by);

    if (kind_never(p->kind, scope))
        return request_may(q, scope, r);
    if (signoff_author(authors, p->subject, p->issuer))
        return STATUS_OK;
    return request_may(q, "gate:write", r);
}

static Status signoff_delete_tx(struct db_tx *tx, void *ctx) {
    struct signing *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL, *withdrawn = NULL;
    struct signoff_row row;
    Status s = begin(tx, w);

    if (s == STATUS_OK)
        s = db_signoff_get_in(tx, w->id, &rows);
    if (s == STATUS_OK)
        s = db_signoff_withdraw(tx, w->id, w->fact.q->principal->actor_json, &withdrawn);
    if (s != STATUS_OK)
        return s;
    row = signoff_row(rows, 0);
    if (db_rows_count(withdrawn) == 0) {
        reply_extra(w->fact.r, "state", json_string("withdrawn"));
        return reply_refuse(w->fact.r, E_WRONG_STATE, "It was withdrawn before.");
    }
    answer(w->fact.r, 200, json_object());
    s = record(tx, w, "withdrawn", &row, NULL);
    return s == STATUS_OK ? finish(tx, w, &row) : s;
}

/* The sign-off of the path, of this release; *ret is yours. */
static Status find(struct request *q, struct db_rows **ret, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *releases = NULL, *rows = NULL;
    const char *id = request_param(q, "id");
    Status s;

    if (!uuid_valid(id))
        return invalid_path(r, "id", "is no sign-off's id: a UUID in lower case");
    s = path_release_row(q, &releases, r);
    if (s == STATUS_OK)
        s = db_signoff_get(context_of(q)->pool, id, &rows);
    if (s != STATUS_OK)
        return s;
    if (db_rows_count(rows) == 0 ||
        strcmp(signoff_row(rows, 0).release_id, db_text(releases, 0, "id")) != 0 ||
        signoff_row(rows, 0).deployment_id)
        return reply_refuse(r, E_NOT_FOUND, "This release has no sign-off %s.", id);
    *ret = TAKE_PTR(rows);
    return STATUS_OK;
}

Status signoff_delete(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_(signing_done) struct signing w = {
        .fact = {.q = q, .r = r, .version = request_param(q, "version")},
        .id = request_param(q, "id")};
    struct signoff_row row;
    Status s = path_release(q, &w.fact.app, &w.fact.version_key, r);

    (void)in;
    if (s == STATUS_OK)
        s = find(q, &rows, r);
    if (s != STATUS_OK)
        return s;
    row = signoff_row(rows, 0);
    s = may_withdraw(q, &row, r);
    if (s != STATUS_OK)
        return s;
    w.fact.environment = row.environment;
    s = db_tx_run(context_of(q)->pool, "signoff_delete", DB_READ_COMMITTED, signoff_delete_tx, &w);
    if (s == STATUS_OK)
        gate_fact_announce(&w.fact);
    return s;
}

/* ---- GET ---- */

static Status signoff_page(struct request *q, const struct signoff_of *of, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct page page;
    json_t *items;
    Status s = page_of_ids(q, &page, r);

    if (s == STATUS_OK)
        s = db_signoff_list(context_of(q)->pool, of, page.after, page.limit + 1, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        const struct signoff_row row = signoff_row(rows, i);

        json_array_append_new(items, signoff_json(&row));
    }
    reply_list(r, items, page_next(&page, rows, "id"));
    return STATUS_OK;
}

Status signoff_list(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *releases = NULL, *environments = NULL;
    const char *app = request_param(q, "app"), *name = request_query(q, "environment");
    struct signoff_of of = {0};
    Status s = path_release_row(q, &releases, r);

    (void)in;
    if (s == STATUS_OK && name && !name_valid(name))
        s = reply_query_error(r, "environment", "format", "Not a name.");
    if (s == STATUS_OK && name)
        s = db_environment_get(context_of(q)->pool, app, name, &environments);
    if (s == STATUS_OK && name && db_rows_count(environments) == 0)
        return environment_missing(r, app, name);
    if (s != STATUS_OK)
        return s;
    of.release_id = db_text(releases, 0, "id");
    of.environment_id = name ? environment_row(environments, 0).id : NULL;
    return signoff_page(q, &of, r);
}

/* ---- acceptance: the same of a deployment ---- */

/* The deployment of the path; *ret is yours. */
static Status path_accepted(struct request *q, struct signing *w, struct db_rows **ret,
                            struct reply *r) {
    struct deployment_row row;
    Status s = path_deployment(q, ret, r);

    if (s != STATUS_OK)
        return s;
    row = deployment_row(*ret, 0);
    w->fact.app = row.app;
    w->fact.environment = row.environment;
    w->deployment_id = row.id;
    w->of = (struct signoff_of){.release_id = db_text(*ret, 0, "release_id"),
                                .environment_id = row.environment_id,
                                .deployment_id = row.id};
    return STATUS_OK;
}

Status acceptance_create(struct request *q, const void *body, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_(signing_done) struct signing w = {.fact = {.q = q, .r = r}, .in = body};
    Status s = path_accepted(q, &w, &rows, r);

    if (s == STATUS_OK)
        s = request_may(q, scope_of(q, w.in->role), r);
    if (s == STATUS_OK)
        s = idempotent_run(q, r, signoff_make, &w);
    if (s == STATUS_OK && !r->replayed)
        announce(q, w.of.environment_id);
    return s;
}

Status acceptance_delete(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL, *signoffs = NULL;
    _cleanup_(signing_done) struct signing w = {.fact = {.q = q, .r = r},
                                                .id = request_param(q, "signoff")};
    struct signoff_row row;
    Status s = path_accepted(q, &w, &rows, r);

    (void)in;
    if (s == STATUS_OK && !uuid_valid(w.id))
        s = invalid_path(r, "signoff", "is no sign-off's id: a UUID in lower case");
    if (s == STATUS_OK)
        s = db_signoff_get(context_of(q)->pool, w.id, &signoffs);
    if (s != STATUS_OK)
        return s;
    row = db_rows_count(signoffs) ? signoff_row(signoffs, 0) : (struct signoff_row){0};
    if (!row.deployment_id || strcmp(row.deployment_id, w.deployment_id) != 0)
        return reply_refuse(r, E_NOT_FOUND, "This deployment has no sign-off %s.", w.id);
    s = may_withdraw(q, &row, r);
    if (s == STATUS_OK)
        s = db_tx_run(context_of(q)->pool, "signoff_delete", DB_READ_COMMITTED, signoff_delete_tx,
                      &w);
    if (s == STATUS_OK)
        announce(q, w.of.environment_id);
    return s;
}

Status acceptance_list(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct signing w = {.fact = {.q = q, .r = r}};
    Status s = path_accepted(q, &w, &rows, r);

    (void)in;
    return s == STATUS_OK ? signoff_page(q, &w.of, r) : s;
}
