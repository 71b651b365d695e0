#include "db/gate.h"
#include "base/cleanup.h"

enum { FLAGS_WAIT_MS = 250 };

Status db_gate_lock(struct db_tx *tx, const char *environment_id, const char *app,
                    const char *environment, struct db_rows **ret) {
    return db_query(tx, SQL_GATE_LOCK, ret, DB_PARAMS(environment_id, app, environment));
}

Status db_gate_hold_flags(struct db_tx *tx, const char *environment_id) {
    return db_query_waiting(tx, FLAGS_WAIT_MS, SQL_GATE_HOLD_FLAGS, NULL,
                            DB_PARAMS(environment_id));
}

#define ASK(a)                                                                                     \
    DB_PARAMS((a)->environment_id, (a)->version_key, (a)->deployment_id, (a)->requested_by,        \
              (a)->asked_by)

Status db_gate_facts(struct db_tx *tx, const struct gate_ask *ask, struct db_rows **ret) {
    return db_query(tx, SQL_GATE_FACTS, ret, ASK(ask));
}

Status db_gate_facts_once(struct db_pool *p, const struct gate_ask *ask, struct db_rows **ret) {
    return db_once(p, SQL_GATE_FACTS, ret, ASK(ask));
}

Status db_gate_committed(struct db_tx *tx, const char *environment_id, const char *release_id,
                         struct db_rows **ret) {
    return db_query(tx, SQL_GATE_COMMITTED, ret, DB_PARAMS(environment_id, release_id));
}

Status db_gate_touch(struct db_tx *tx, const char *environment_id) {
    return db_query(tx, SQL_GATE_TOUCH, NULL, DB_PARAMS(environment_id, NULL, NULL));
}

Status db_gate_flags_due(struct db_pool *p, int64_t limit, struct db_rows **ret) {
    return db_once(p, SQL_GATE_FLAGS_DUE, ret, DB_PARAMS(DB_INT(limit)));
}

Status db_gate_flags_seen(struct db_tx *tx, const char *environment_id, int64_t revision) {
    Status s = db_query(tx, SQL_GATE_FLAGS_SEEN, NULL, DB_PARAMS(environment_id, DB_INT(revision)));

    return s == STATUS_OK ? db_gate_touch(tx, environment_id) : s;
}

Status db_gate_touch_all(struct db_tx *tx, const char *app, const char *environment) {
    return db_query(tx, SQL_GATE_TOUCH, NULL, DB_PARAMS(NULL, app, environment));
}

Status db_gate_unknown(struct db_tx *tx, const char *release_id, const char *app,
                       const char *environment, struct db_rows **ret) {
    return db_query(tx, SQL_GATE_UNKNOWN, ret, DB_PARAMS(release_id, app, environment));
}

Status db_gate_state_set(struct db_tx *tx, const char *environment_id, const char *release_id,
                         bool open, int64_t look_at_us, bool *ret_changed) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_GATE_STATE_SET, &rows,
                        DB_PARAMS(environment_id, release_id, DB_BOOL(open),
                                  look_at_us ? DB_TIMESTAMP(look_at_us) : NULL));

    *ret_changed = s == STATUS_OK && db_rows_count(rows) > 0;
    return s;
}
