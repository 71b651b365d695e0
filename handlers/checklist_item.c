/* handlers/checklist_item.c: what people say about items: ticked, unticked, failed, waived. Nothing
 * is replaced: each saying is a fact of its own, and the last one counts. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "db/gate.h"
#include "domain/checklist.h"
#include "handlers/checklist.h"
#include "handlers/deployment.h"
#include "handlers/gate_fact.h"
#include "handlers/handlers.h"
#include <string.h>

// clang-format off
#define FIELD(n, t, ...) {.name = n, .type = t, .offset = FIELD_NOWHERE, __VA_ARGS__}
#define SAID(n, t, member, ...)                                                                    \
    {.name = n, .type = t, .offset = offsetof(struct item_said, member), __VA_ARGS__}

static const struct field item_evidence_fields[] = {
    FIELD("url",     FIELD_STRING, .required = true, .min = 1, .max = 2048),
    FIELD("summary", FIELD_STRING, .min = 1, .max = 1000),
};
static const struct body_schema item_evidence_schema = {
    .name = "ItemEvidence",
    .fields = item_evidence_fields,
    .count = sizeof item_evidence_fields / sizeof *item_evidence_fields,
};
static const struct field item_fields[] = {
    SAID("state",      FIELD_ENUM,   state,      .required = true, .words = "passed|failed|open|waived"),
    SAID("note",       FIELD_STRING, note,       .min = 1, .max = 1000),
    SAID("person",     FIELD_STRING, person,     .min = 1, .max = 255),
    SAID("evidence",   FIELD_OBJECT, evidence,   .schema = &item_evidence_schema),
    SAID("reason",     FIELD_STRING, reason,     .min = 10, .max = 1000),
    SAID("role",       FIELD_STRING, role,       .min = 1, .max = 64),
    SAID("expires_s",  FIELD_INT,    expires_s,  .min = 1, .max = WAIVER_DAYS_MAX * 86400),
    SAID("expires_at", FIELD_TIME,   expires_us, .required = false),
};
// clang-format on
const struct body_schema item_schema = {
    .name = "ChecklistItemInput",
    .fields = item_fields,
    .count = sizeof item_fields / sizeof *item_fields,
    .size = sizeof(struct item_said),
};

/* ---- who may say it ---- */

static bool carries(const char *role, const char *scope) {
    for (const char *const *one = role_scopes(role); one && *one; one++)
        if (strcmp(*one, scope) == 0)
            return true;
    return false;
}

/* The role that a waiver is given in: one of the caller's; where none is named, the one that lets
 * it waive.  The scope itself where that was granted alone. */
static Status waiver_role(const struct request *q, const char *named, const char **ret,
                          struct reply *r) {
    static const char scope[] = "checklist:waive";
    Status s = request_may(q, scope, r);

    if (s != STATUS_OK)
        return s;
    for (const char *const *role = q->principal->roles; role && *role; role++)
        if (named ? strcmp(*role, named) == 0 : carries(*role, scope)) {
            *ret = *role;
            return STATUS_OK;
        }
    if (named)
        return reply_refuse(r, E_FORBIDDEN, "You do not have the role %s.", named);
    *ret = scope;
    return STATUS_OK;
}

/* ---- saying it ---- */

struct saying {
    struct gate_fact fact; /* of an item of a deployment only q and r */
    const struct item_said *said;
    const char *key, *role;
    struct checklist checklist;
};

static void saying_done_cleanup(struct saying *w) {
    gate_fact_done(&w->fact);
    checklist_done(&w->checklist);
}

/* Everything that can be refused without the item. */
static Status saying_begin(struct saying *w, const struct item_said *said) {
    json_auto_t *errors = json_array();
    Status s;

    w->said = said;
    checklist_said_check(said, clock_now_us(), errors);
    s = refuse_errors(w->fact.r, errors);
    if (s == STATUS_OK)
        s = path_name(w->fact.q, "key", &w->key, w->fact.r);
    if (s == STATUS_OK && strcmp(said->state, "waived") == 0)
        s = waiver_role(w->fact.q, said->role, &w->role, w->fact.r);
    return s;
}

static Status read_again(struct db_tx *tx, struct saying *w) {
    Status s;

    checklist_done(&w->checklist);
    s = db_checklist_get_in(tx, &w->checklist.of, &w->checklist.rows);
    return s == STATUS_OK ? checklist_read(&w->checklist, w->fact.r) : s;
}

static Status check_item(const struct saying *w, const json_t *item) {
    json_auto_t *errors = json_array();

    if (!item)
        return reply_refuse(w->fact.r, E_NOT_FOUND, "The checklist %s has no item %s.",
                            db_text(w->checklist.rows, 0, "template"), w->key);
    checklist_item_check(w->said, item, !w->checklist.of.deployment_id, errors);
    return refuse_errors(w->fact.r, errors);
}

static Status store(struct db_tx *tx, const struct saying *w, int64_t expires_us) {
    const struct item_said *said = w->said;
    const struct item_fact fact = {
        .item = w->key,
        .state = said->state,
        .url = json_str(said->evidence, "url", NULL),
        .summary = json_str(said->evidence, "summary", NULL),
        .note = said->note,
        .person = said->person,
        .reason = said->reason,
        .role = w->role,
        .expires_us = expires_us,
        .by = w->fact.q->principal->actor_json,
    };
    _cleanup_(db_rows_free) struct db_rows *used = NULL;
    Status s = db_checklist_use(tx, &w->checklist.of, &used);

    return s == STATUS_OK ? db_checklist_say(tx, &w->checklist.of, &fact) : s;
}

static Status record(struct db_tx *tx, const struct saying *w, int64_t expires_us) {
    const struct checklist *c = &w->checklist;
    const struct item_said *said = w->said;
    const struct record_about about = {
        .app = c->app,
        .environment = c->environment,
        .action = arena_printf(w->fact.q->arena, "checklist.%s", said->state),
        .subject = c->of.deployment_id ? c->of.deployment_id : c->version,
        .deployment_id = c->of.deployment_id,
    };
    json_t *data =
        json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?, s:s?, s:O?}", "checklist", c->of.kind,
                  "template", db_text(c->rows, 0, "template"), "item", w->key, "version",
                  c->version, "note", said->note, "person", said->person, "reason", said->reason,
                  "role", w->role, "evidence", said->evidence);

    json_set_time(data, "expires_at", expires_us);
    return record_by_caller(w->fact.q, tx, &about, data, "%s of %s in %s: %s.", w->key, c->version,
                            c->environment, said->state);
}

/* The fact, its record and *ret, the item as it is now; yours. */
static Status say(struct db_tx *tx, struct saying *w, json_t **ret) {
    int64_t now_us = clock_now_us(), expires_us = 0;
    const json_t *item;
    Status s = read_again(tx, w);

    if (s != STATUS_OK)
        return s;
    item = checklist_item(w->checklist.items, w->key);
    s = check_item(w, item);
    if (s != STATUS_OK)
        return s;
    expires_us = checklist_expiry(w->said, item, now_us);
    s = store(tx, w, expires_us);
    if (s == STATUS_OK)
        s = read_again(tx, w);
    if (s == STATUS_OK)
        s = record(tx, w, expires_us);
    if (s == STATUS_OK)
        *ret = checklist_item_json(checklist_item(w->checklist.items, w->key),
                                   db_int(w->checklist.rows, 0, "max_age_s"), now_us);
    return s;
}

/* ---- before a deployment ---- */

static Status item_tx(struct db_tx *tx, void *ctx) {
    struct saying *w = ctx;
    json_auto_t *body = NULL;
    Status s = gate_fact_begin(tx, &w->fact);

    if (s != STATUS_OK)
        return s;
    w->checklist.version = w->fact.release.version;
    w->checklist.of.environment_id = gate_fact_environment(&w->fact, 0);
    w->checklist.of.release_id = w->fact.release.id;
    s = say(tx, w, &body);
    if (s == STATUS_OK)
        s = gate_fact_end(tx, &w->fact, body);
    return s == STATUS_OK ? answer(w->fact.r, 200, json_incref(body)) : s;
}

Status checklist_item_put(struct request *q, const void *in, struct reply *r) {
    _cleanup_(saying_done) struct saying w = {
        .fact = {.q = q, .r = r, .version = request_param(q, "version")},
        .checklist.of.kind = "before"};
    Status s = path_release(q, &w.fact.app, &w.fact.version_key, r);

    if (s == STATUS_OK)
        s = path_name(q, "env", &w.fact.environment, r);
    if (s == STATUS_OK)
        s = saying_begin(&w, in);
    if (s != STATUS_OK)
        return s;
    w.checklist.app = w.fact.app;
    w.checklist.environment = w.fact.environment;
    s = db_tx_run(context_of(q)->pool, "checklist_item", DB_READ_COMMITTED, item_tx, &w);
    if (s == STATUS_OK)
        gate_fact_announce(&w.fact);
    return s;
}

/* ---- of a deployment ---- */

/* The environment's lock puts what two people say into an order; no gate asks for these items. */
static Status deployment_item_tx(struct db_tx *tx, void *ctx) {
    struct saying *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *locked = NULL;
    json_auto_t *body = NULL;
    bool complete;
    Status s = db_gate_lock(tx, w->checklist.of.environment_id, NULL, NULL, &locked);

    if (s == STATUS_OK)
        s = say(tx, w, &body);
    if (s != STATUS_OK)
        return s;
    complete = checklist_complete(w->checklist.items, db_int(w->checklist.rows, 0, "max_age_s"),
                                  clock_now_us());
    json_object_set_new(body, "complete", json_boolean(complete));
    return answer(w->fact.r, 200, json_incref(body));
}

static Status check_started(const struct db_rows *deployment, struct reply *r) {
    const struct deployment_row row = deployment_row(deployment, 0);

    if (row.started_us)
        return STATUS_OK;
    reply_extra(r, "state", json_string(row.state));
    return reply_refuse(r, E_WRONG_STATE, "The deployment is %s: it has not started.", row.state);
}

Status deployment_checklist_item_put(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_(saying_done) struct saying w = {.fact = {.q = q, .r = r}};
    Status s = path_checklist(q, &w.checklist.of.kind, r);

    if (s == STATUS_OK)
        s = path_deployment(q, &rows, r);
    if (s == STATUS_OK)
        s = saying_begin(&w, in);
    if (s == STATUS_OK)
        s = checklist_of_deployment(&w.checklist, rows, r);
    if (s == STATUS_OK)
        s = check_started(rows, r);
    if (s == STATUS_OK)
        s = db_tx_run(context_of(q)->pool, "checklist_item", DB_READ_COMMITTED, deployment_item_tx,
                      &w);
    if (s == STATUS_OK)
        announce(q, w.checklist.of.environment_id);
    return s;
}
