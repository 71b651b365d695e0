#include "worker/cutover.h"
#include "base/strbuf.h"
#include "worker/gates.h"
#include <string.h>

struct cutover {
    const struct job *j;
    const char *changes;
    struct db_rows **rows;
    struct seen_gate *gate;
};

bool cutover_is_gated(const struct job *j) {
    return json_object_get(j->changes, "cutover") && strcmp(j->kind, "rollback") != 0;
}

static struct gate_ask ask_of(const struct job *j) {
    return (struct gate_ask){.environment_id = j->environment_id,
                             .version_key = j->version + (*j->version == 'v'),
                             .deployment_id = j->deployment_id};
}

static struct seen_gate seen_of(const struct gate_verdict *v) {
    _cleanup_free_ char *why = gate_verdict_text(v);
    struct seen_gate seen = {.known = true, .open = v->open, .frozen_only = v->frozen_only};

    text_cut(seen.why, sizeof seen.why, why);
    return seen;
}

static Status cutover_fn(struct db_tx *tx, void *ctx) {
    struct cutover *c = ctx;
    _cleanup_(db_rows_free) struct db_rows *locked = NULL;
    _cleanup_(gate_verdict_done) struct gate_verdict v = {0};
    const struct job *j = c->j;
    const struct gate_ask ask = ask_of(j);
    Status s = db_gate_lock(tx, j->environment_id, NULL, NULL, &locked);

    if (!s)
        s = db_gate_hold_flags(tx, j->environment_id);
    if (!s)
        s = gates_look_in(tx, &ask, GATE_CUTOVER, &v);
    if (s)
        return s;
    *c->gate = seen_of(&v);
    return v.open ? job_commit_in(tx, j, c->changes, c->rows) : STATUS_OK;
}

Status cutover_commit(struct db_pool *p, const struct job *j, const char *changes,
                      struct db_rows **ret_rows, struct seen_gate *ret_gate) {
    struct cutover c = {j, changes, ret_rows, ret_gate};

    return db_tx_run(p, "cutover", DB_READ_COMMITTED, cutover_fn, &c);
}

void cutover_gates(struct db_pool *p, const struct job *j, struct seen_gate *ret) {
    _cleanup_(gate_verdict_done) struct gate_verdict v = {0};
    const struct gate_ask ask = ask_of(j);

    if (gates_look(p, &ask, GATE_CUTOVER, &v) == STATUS_OK)
        *ret = seen_of(&v);
}
