/* db/gate.h: what gates are decided on, and what they said last.  Rows are the caller's to free. */
#pragma once
#include "db/db.h"

/* Law 4: the first statement of every transaction that changes a gate fact; takes the environments'
 * rows.  Each NULL: any.  Rows: id, app, name, in the order of their names. */
MUSTCHECK Status db_gate_lock(struct db_tx *tx, const char *environment_id, const char *app,
                              const char *environment, struct db_rows **ret);
/* After it, of who commits a cut-over: nobody changes flags that these gates look at before this
 * transaction ends.  Refuses E_OVERLOADED, which ends it: somebody is just changing them. */
MUSTCHECK Status db_gate_hold_flags(struct db_tx *tx, const char *environment_id);
/* What a gate is asked about. */
struct gate_ask {
    const char *environment_id, *version_key;
    const char *deployment_id; /* on whose behalf; NULL: nobody's yet */
    const char *requested_by; /* who asks for a deployment that is not stored yet (JSON), or NULL */
    const char *asked_by; /* who asks what would be (JSON, {}: nobody who could): whoever waits for
                             these gates comes before; NULL: only the two above count */
    const char *version;  /* as the caller spells it; NULL: version_key */
};
/* Columns: facts (server/domain/gate.h), release_id, app, environment, version (the release's, else
 * version_key); no row: no such environment. */
MUSTCHECK Status db_gate_facts(struct db_tx *tx, const struct gate_ask *ask, struct db_rows **ret);
MUSTCHECK Status db_gate_facts_once(struct db_pool *p, const struct gate_ask *ask,
                                    struct db_rows **ret);
/* Everybody's gates of an environment may say something else now: they are looked at again, by
 * the worker, which records what opens and closes. */
MUSTCHECK Status db_gate_touch(struct db_tx *tx, const char *environment_id);
/* The same for all environments that db_gate_lock(tx, NULL, app, environment) takes. */
MUSTCHECK Status db_gate_touch_all(struct db_tx *tx, const char *app, const char *environment);
/* Whose gates were not looked at since flags of their app were changed: environment_id, revision.
 */
MUSTCHECK Status db_gate_flags_due(struct db_pool *p, int64_t limit, struct db_rows **ret);
/* db_gate_touch, because of the flags as they are since that revision. */
MUSTCHECK Status db_gate_flags_seen(struct db_tx *tx, const char *environment_id, int64_t revision);
/* The deployment that a change comes too late for: id; no row: none. */
MUSTCHECK Status db_gate_committed(struct db_tx *tx, const char *environment_id,
                                   const char *release_id, struct db_rows **ret);
/* Where nothing was noted of a release in an app's environments (one, or all): environment_id. */
MUSTCHECK Status db_gate_unknown(struct db_tx *tx, const char *release_id, const char *app,
                                 const char *environment, struct db_rows **ret);
/* look_at_us 0: never.  *ret_changed: it said something else before. */
MUSTCHECK Status db_gate_state_set(struct db_tx *tx, const char *environment_id,
                                   const char *release_id, bool open, int64_t look_at_us,
                                   bool *ret_changed);
