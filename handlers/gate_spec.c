/* handlers/gate_spec.c: what an environment asks for before and after a deployment. */
#include "db/gate_spec.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "db/gate.h"
#include "db/signoff.h"
#include "domain/gate_spec.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include <stdio.h>
#include <string.h>

// clang-format off
#define FIELD(n, t, ...) {.name = n, .type = t, .offset = FIELD_NOWHERE, __VA_ARGS__}

static const struct field names_fields[] = {
    FIELD("before", FIELD_NAME, .required = false),
    FIELD("after",  FIELD_NAME, .required = false),
};
static const struct body_schema names_schema = {
    .name = "GateChecklists", .fields = names_fields, .count = sizeof names_fields / sizeof *names_fields};

static const struct field quorum_fields[] = {
    FIELD("role",  FIELD_ENUM, .required = true,
          .words = SIGNOFF_ROLE_WORDS),
    FIELD("count", FIELD_INT,  .min = 1, .max = 10),
};
static const struct body_schema quorum_schema = {
    .name = "GateQuorum", .fields = quorum_fields, .count = sizeof quorum_fields / sizeof *quorum_fields};

static const struct field flag_approvals_fields[] = {
    FIELD("count", FIELD_INT,  .min = 1, .max = 5),
};
static const struct body_schema flag_approvals_schema = {
    .name = "FlagApprovals", .fields = flag_approvals_fields, .count = sizeof flag_approvals_fields / sizeof *flag_approvals_fields};

static const struct field gates_fields[] = {
    FIELD("checklist",              FIELD_OBJECT,  .schema = &names_schema),
    FIELD("approvals",              FIELD_OBJECTS, .max = SIGNOFF_ROLES, .schema = &quorum_schema),
    FIELD("acceptance",             FIELD_OBJECTS, .max = SIGNOFF_ROLES, .schema = &quorum_schema),
    FIELD("acceptance_blocks_next", FIELD_BOOL,    .required = false),
    FIELD("self_approval",          FIELD_BOOL,    .required = false),
    FIELD("freeze",                 FIELD_BOOL,    .required = false),
    FIELD("previous_environment",   FIELD_NAME,    .required = false),
    FIELD("evidence_max_age_s",     FIELD_INT,     .min = 0, .max = 365 * 86400),
    FIELD("flag_approvals",         FIELD_OBJECT,  .schema = &flag_approvals_schema),
};
// clang-format on

static Status gates_rules(const json_t *body, struct reply *r) {
    json_auto_t *errors = json_array();

    gate_spec_check(body, errors);
    return refuse_errors(r, errors);
}

const struct body_schema gates_schema = {
    .name = "GatesInput",
    .fields = gates_fields,
    .count = sizeof gates_fields / sizeof *gates_fields,
    .size = 1,
    .check = gates_rules,
};

struct gates_write {
    struct request *q;
    struct reply *r;
    const char *app, *name;
    json_t *spec;
    char id[UUID_TEXT]; /* of the environment */
};

static const char *gates_etag(const struct request *q, const struct db_rows *rows) {
    struct gate_spec_row row;

    if (db_rows_count(rows) == 0)
        return NULL;
    row = gate_spec_row(rows, 0);
    return etag_of(q->arena, row.revision, row.created_us);
}

static Status gates_answer(const struct request *q, struct reply *r, unsigned status,
                           const char *app, const char *name, const struct db_rows *rows) {
    const struct gate_spec_row row = gate_spec_row(rows, 0);
    json_auto_t *stored = json_parse(row.spec);
    json_auto_t *spec = gate_spec(stored); /* jsonb has an order of its own */
    json_t *body = json_pack("{s:s, s:s}", "app", app, "environment", name);

    json_object_update(body, spec);
    json_set_time(body, "created_at", row.created_us);
    json_set_time(body, "updated_at", row.updated_us);
    r->etag = gates_etag(q, rows);
    return answer(r, status, body);
}

static bool gates_equal(const struct db_rows *there, const json_t *spec) {
    json_auto_t *stored = db_rows_count(there) ? json_parse(gate_spec_row(there, 0).spec) : NULL;

    return stored && json_equal(stored, spec);
}

/* Every name in it has to be there. */
static Status check_names(struct db_tx *tx, const struct gates_write *w, const char *spec) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_gate_spec_missing(tx, w->id, spec, &rows);

    for (size_t i = 0; s == STATUS_OK && i < db_rows_count(rows); i++) {
        const char *field = db_text(rows, i, "field"), *code = db_text(rows, i, "code");
        const char *name = db_text(rows, i, "name");

        if (strcmp(code, "conflict") == 0)
            (void)reply_field_error(w->r, field, code,
                                    "The gates of %s lead back to %s: neither would ever open.",
                                    name, w->name);
        else if (strcmp(field, "/previous_environment") == 0)
            (void)reply_field_error(w->r, field, code, "App %s has no environment %s.", w->app,
                                    name);
        else
            (void)reply_field_error(w->r, field, code, "There is no checklist template %s.", name);
    }
    return s == STATUS_OK && db_rows_count(rows) ? E_INVALID_BODY : s;
}

/* What waits for people who are not asked any more is settled, on the record. */
static Status settle_pending(struct db_tx *tx, const struct gates_write *w) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_signoff_settle(tx, NULL, w->id, &rows);

    for (size_t i = 0; s == STATUS_OK && i < db_rows_count(rows); i++) {
        const char *now = db_text(rows, i, "acceptance"), *id = db_text(rows, i, "id");
        const struct record_about about = {.app = w->app,
                                           .environment = w->name,
                                           .action = "deployment.settled",
                                           .subject = id,
                                           .deployment_id = id};

        if (strcmp(now, "pending") != 0)
            s = record_by_caller(w->q, tx, &about, NULL, "%s in %s is %s: its gates were changed.",
                                 db_text(rows, i, "version"), w->name, now);
    }
    return s;
}

static Status gates_store(struct db_tx *tx, const struct gates_write *w, bool made) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_free_ char *spec = json_text(w->spec);
    const struct record_about about = {
        .app = w->app, .environment = w->name, .action = "gates.put", .subject = w->name};
    Status s = check_names(tx, w, spec);

    if (s == STATUS_OK)
        s = db_gate_spec_put(tx, w->id, spec, &rows);
    if (s == STATUS_OK)
        s = settle_pending(tx, w);
    if (s == STATUS_OK)
        s = db_gate_touch(tx, w->id);
    if (s == STATUS_OK)
        s = gates_answer(w->q, w->r, made ? 201 : 200, w->app, w->name, rows);
    return s != STATUS_OK ? s
                          : record_by_caller(w->q, tx, &about, record_of_spec(w->spec),
                                             "The gates of %s of %s were %s.", w->name, w->app,
                                             made ? "made" : "changed");
}

static Status gates_put_tx(struct db_tx *tx, void *ctx) {
    struct gates_write *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *locked = NULL, *there = NULL;
    enum put_what what = PUT_KEEP;
    Status s = db_gate_lock(tx, NULL, w->app, w->name, &locked);

    if (s == STATUS_OK && db_rows_count(locked) == 0)
        return environment_missing(w->r, w->app, w->name);
    if (s != STATUS_OK)
        return s;
    snprintf(w->id, sizeof w->id, "%s", db_text(locked, 0, "id"));
    s = db_gate_spec_get_in(tx, w->id, &there);
    if (s == STATUS_OK)
        s = put_rule(w->q, gates_etag(w->q, there), gates_equal(there, w->spec), &what, w->r);
    if (s != STATUS_OK)
        return s;
    return what == PUT_KEEP ? gates_answer(w->q, w->r, 200, w->app, w->name, there)
                            : gates_store(tx, w, what == PUT_MAKE);
}

Status gates_put(struct request *q, const void *in, struct reply *r) {
    struct gates_write w = {.q = q, .r = r};
    json_auto_t *spec = gate_spec(q->json);
    Status s = path_place(q, &w.app, &w.name, r);

    (void)in;
    w.spec = spec;
    if (s == STATUS_OK)
        s = db_tx_run(context_of(q)->pool, "gates_put", DB_READ_COMMITTED, gates_put_tx, &w);
    if (s == STATUS_OK)
        announce(q, w.id);
    return s;
}

Status gates_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *environments = NULL, *rows = NULL;
    struct environment_row row;
    Status s = path_environment(q, &environments, r);

    (void)in;
    if (s != STATUS_OK)
        return s;
    row = environment_row(environments, 0);
    s = db_gate_spec_get(context_of(q)->pool, row.id, &rows);
    if (s != STATUS_OK)
        return s;
    return db_rows_count(rows)
               ? gates_answer(q, r, 200, row.app, row.name, rows)
               : reply_refuse(r, E_NOT_FOUND, "%s of %s has no gates: nothing is asked for.",
                              row.name, row.app);
}
