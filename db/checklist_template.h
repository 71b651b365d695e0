/* db/checklist_template.h: templates of checklists; a version never changes.  Rows are the caller's
 * to free; the texts of a struct are borrowed from them. */
#pragma once
#include "db/db.h"

struct checklist_template_row {
    const char *name, *groups, *created_by; /* JSON texts; groups NULL in a list, created_by NULL of
                                               what is built in */
    int64_t version, created_us;
    bool built_in;
};
struct checklist_template_row checklist_template_row(const struct db_rows *rows, size_t i,
                                                     bool listed);

/* version 0: the newest.  No row: no such template, or version. */
MUSTCHECK Status db_checklist_template_get(struct db_pool *p, const char *name, int64_t version,
                                           struct db_rows **ret);
MUSTCHECK Status db_checklist_template_get_in(struct db_tx *tx, const char *name,
                                              struct db_rows **ret);
/* Law 4: the first statement of the transaction that adds a version.  Rows: id of the environments
 * whose gates name the template, locked. */
MUSTCHECK Status db_checklist_template_lock(struct db_tx *tx, const char *name,
                                            struct db_rows **ret);
/* The row; none: somebody else added this version meanwhile. */
MUSTCHECK Status db_checklist_template_add(struct db_tx *tx, const char *name, int64_t version,
                                           const char *groups, const char *created_by,
                                           struct db_rows **ret);
/* The newest version of each, by name, without groups. */
MUSTCHECK Status db_checklist_template_list(struct db_pool *p, const char *after, int64_t limit,
                                            struct db_rows **ret);
