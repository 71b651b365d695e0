/* db/signoff.h: what people decided, before (of a release in an environment) and after (of a
 * deployment).  Rows are the caller's to free; the texts of a struct are borrowed. */
#pragma once
#include "db/db.h"

struct signoff_of {
    const char *release_id, *environment_id, *deployment_id; /* deployment_id: NULL before */
};
struct signoff_row {
    const char *id, *release_id, *environment_id, *environment, *role, *decision, *note;
    const char *deployment_id;             /* NULL before */
    const char *by, *withdrawn_by, *bound; /* JSON texts; withdrawn_by may be NULL */
    const char *content_digest, *checklist;
    int64_t created_us, withdrawn_us; /* withdrawn_us 0: it stands */
};
struct signoff_row signoff_row(const struct db_rows *rows, size_t i);

/* Column bound: {content_digest, checklist, authors [{subject, issuer, did}]}. */
MUSTCHECK Status db_signoff_bound(struct db_tx *tx, const struct signoff_of *of,
                                  struct db_rows **ret);
/* Withdraws what this person (JSON) decided before: columns id, role, decision; no row: nothing. */
MUSTCHECK Status db_signoff_replace(struct db_tx *tx, const struct signoff_of *of, const char *by,
                                    struct db_rows **ret);
/* Refuses E_FORBIDDEN: no person, or an approval of one's own work. */
MUSTCHECK Status db_signoff_insert(struct db_tx *tx, const struct signoff_of *of,
                                   const struct signoff_row *in);
/* No row: it was withdrawn before. */
MUSTCHECK Status db_signoff_withdraw(struct db_tx *tx, const char *id, const char *by,
                                     struct db_rows **ret);
/* What those of a deployment come to, or (deployment_id NULL) those of each that is pending in an
 * environment, stored: columns id, version, was, acceptance (of the deployment), awaits_final (the
 * previous version is still kept for the final approval). */
MUSTCHECK Status db_signoff_settle(struct db_tx *tx, const char *deployment_id,
                                   const char *environment_id, struct db_rows **ret);
/* One row, column roles: those whose approvals a deployment still waits for. */
MUSTCHECK Status db_signoff_awaited(struct db_pool *p, const char *deployment_id,
                                    struct db_rows **ret);
MUSTCHECK Status db_signoff_get(struct db_pool *p, const char *id, struct db_rows **ret);
MUSTCHECK Status db_signoff_get_in(struct db_tx *tx, const char *id, struct db_rows **ret);
/* of->environment_id NULL: every one.  Newest first, older than the id `after` (NULL: all). */
MUSTCHECK Status db_signoff_list(struct db_pool *p, const struct signoff_of *of, const char *after,
                                 int64_t limit, struct db_rows **ret);
