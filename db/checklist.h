/* db/checklist.h: checklists in use and what was said about their items.  Rows are the caller's to
 * free. */
#pragma once
#include "db/db.h"

/* What a checklist belongs to.  kind: "before" (deployment_id NULL), "after", "success". */
struct checklist_of {
    const char *kind, *environment_id, *release_id, *deployment_id;
};
/* Makes the checklist one in use, where it is not yet: columns template, version; no row: none is
 * asked for. */
MUSTCHECK Status db_checklist_use(struct db_tx *tx, const struct checklist_of *of,
                                  struct db_rows **ret);

/* Columns template, version, items (domain/gate.h), max_age_s; no row: none is asked for. */
MUSTCHECK Status db_checklist_get(struct db_pool *p, const struct checklist_of *of,
                                  struct db_rows **ret);
MUSTCHECK Status db_checklist_get_in(struct db_tx *tx, const struct checklist_of *of,
                                     struct db_rows **ret);

/* What a person says about an item. */
struct item_fact {
    const char *item, *state, *url, *summary, *note, *person, *reason, *role, *by; /* by: JSON */
    int64_t expires_us;                                                            /* 0: never */
};
MUSTCHECK Status db_checklist_say(struct db_tx *tx, const struct checklist_of *of,
                                  const struct item_fact *in);
