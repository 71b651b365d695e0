#include "worker/gates.h"
#include "base/cleanup.h"
#include "db/record.h"

static Status evaluate(const struct db_rows *rows, const char *version, GateWhen when,
                       struct gate_verdict *ret) {
    json_auto_t *facts = NULL;

    if (db_rows_count(rows) == 0)
        return E_NOT_FOUND;
    facts = db_json(rows, 0, "facts");
    if (version)
        json_set_str(facts, "version", version);
    gate_evaluate(facts, db_time(rows, 0, "now"), when, ret);
    return STATUS_OK;
}

Status gates_look(struct db_pool *p, const struct gate_ask *in, GateWhen when,
                  struct gate_verdict *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_gate_facts_once(p, in, &rows);

    return s ? s : evaluate(rows, in->version, when, ret);
}

Status gates_look_in(struct db_tx *tx, const struct gate_ask *in, GateWhen when,
                     struct gate_verdict *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_gate_facts(tx, in, &rows);

    return s ? s : evaluate(rows, in->version, when, ret);
}

static Status note_first(struct db_tx *tx, const char *environment_id, const char *release_id,
                         const char *version_key) {
    _cleanup_(gate_verdict_done) struct gate_verdict v = {0};
    const struct gate_ask ask = {.environment_id = environment_id, .version_key = version_key};
    bool changed;
    Status s = gates_look_in(tx, &ask, GATE_START, &v);

    return s ? s : db_gate_state_set(tx, environment_id, release_id, v.open, v.next_us, &changed);
}

Status gates_first(struct db_tx *tx, const char *app, const char *environment,
                   const char *release_id, const char *version_key) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_gate_unknown(tx, release_id, app, environment, &rows);

    for (size_t i = 0; !s && i < db_rows_count(rows); i++)
        s = note_first(tx, db_text(rows, i, "environment_id"), release_id, version_key);
    return s;
}

static Status record(struct db_tx *tx, const struct gate_change *in, const struct db_rows *facts,
                     const struct gate_verdict *v) {
    const char *app = db_text(facts, 0, "app"), *environment = db_text(facts, 0, "environment");
    const char *version = db_text(facts, 0, "version");
    json_auto_t *data = gate_verdict_json(v);
    _cleanup_free_ char *text = NULL, *why = gate_verdict_text(v);

    json_set_str(data, "version", version);
    text = json_text(data);
    return record_append(
        tx, &(struct record_entry){.app = app,
                                   .environment = environment,
                                   .actor = in->by.json,
                                   .from = in->by.from,
                                   .action = v->open ? "gate.opened" : "gate.closed",
                                   .subject = version,
                                   .message = arena_printf(in->arena, "%s may %sgo to %s%s%s",
                                                           version, v->open ? "" : "not ",
                                                           environment, v->open ? "." : ": ", why),
                                   .data = text});
}

static Status note_effect(struct db_tx *tx, const struct gate_change *in, struct gate_effect *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_gate_committed(tx, in->environment_id, in->release_id, &rows);

    if (s)
        return s;
    ret->effective = db_rows_count(rows) == 0;
    ret->deployment_id = ret->effective ? NULL : arena_strdup(in->arena, db_text(rows, 0, "id"));
    return STATUS_OK;
}

Status gates_changed(struct db_tx *tx, const struct gate_change *in, struct gate_effect *ret) {
    _cleanup_(db_rows_free) struct db_rows *facts = NULL;
    _cleanup_(gate_verdict_done) struct gate_verdict v = {0};
    bool changed = false;
    const struct gate_ask ask = {.environment_id = in->environment_id,
                                 .version_key = in->version_key};
    Status s = note_effect(tx, in, ret);

    if (!s)
        s = db_gate_facts(tx, &ask, &facts);
    if (!s)
        s = evaluate(facts, NULL, GATE_START, &v);
    if (!s)
        s = db_gate_state_set(tx, in->environment_id, in->release_id, v.open, v.next_us, &changed);
    ret->open = v.open;
    return !s && changed ? record(tx, in, facts, &v) : s;
}
