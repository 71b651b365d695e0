/* db/gate_spec.h: what environments ask for.  Rows are the caller's to free; the texts of a struct
 * are borrowed from them. */
#pragma once
#include "db/db.h"

struct gate_spec_row {
    const char *spec; /* JSON text */
    int64_t revision, created_us, updated_us;
};
struct gate_spec_row gate_spec_row(const struct db_rows *rows, size_t i);

/* No row: the environment has no gates, or there is no such environment. */
MUSTCHECK Status db_gate_spec_get(struct db_pool *p, const char *environment_id,
                                  struct db_rows **ret);
MUSTCHECK Status db_gate_spec_get_in(struct db_tx *tx, const char *environment_id,
                                     struct db_rows **ret);
/* Of an environment that db_gate_lock() locked.  *ret: the row. */
MUSTCHECK Status db_gate_spec_put(struct db_tx *tx, const char *environment_id, const char *spec,
                                  struct db_rows **ret);
/* What a spec names, each missing row's field, code and name: templates and an environment of the
 * app that are not there, an environment that leads back to the one whose gates they are. */
MUSTCHECK Status db_gate_spec_missing(struct db_tx *tx, const char *environment_id,
                                      const char *spec, struct db_rows **ret);
