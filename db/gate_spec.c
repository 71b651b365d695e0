#include "db/gate_spec.h"

struct gate_spec_row gate_spec_row(const struct db_rows *rows, size_t i) {
    return (struct gate_spec_row){
        .spec = db_text(rows, i, "spec"),
        .revision = db_int(rows, i, "revision"),
        .created_us = db_time(rows, i, "created_at"),
        .updated_us = db_time(rows, i, "updated_at"),
    };
}

Status db_gate_spec_get(struct db_pool *p, const char *environment_id, struct db_rows **ret) {
    return db_once(p, SQL_GATE_SPEC_GET, ret, DB_PARAMS(environment_id));
}

Status db_gate_spec_get_in(struct db_tx *tx, const char *environment_id, struct db_rows **ret) {
    return db_query(tx, SQL_GATE_SPEC_GET, ret, DB_PARAMS(environment_id));
}

Status db_gate_spec_put(struct db_tx *tx, const char *environment_id, const char *spec,
                        struct db_rows **ret) {
    return db_query(tx, SQL_GATE_SPEC_PUT, ret, DB_PARAMS(environment_id, spec));
}

Status db_gate_spec_missing(struct db_tx *tx, const char *environment_id, const char *spec,
                            struct db_rows **ret) {
    return db_query(tx, SQL_GATE_SPEC_MISSING, ret, DB_PARAMS(environment_id, spec));
}
