/* db/migrate.h: brings a database to this program's schema.
 *
 * Migrations are migrations/NNNN_verb_noun.sql, embedded; each runs once, in a transaction of its
 * own, under one advisory lock, and its SHA-256 is kept: a changed file or an unknown newer schema
 * is refused.  They run as the role that owns the schema, where the connecting role may be it.
 *
 * What a migration owes the database's roles (0007_separate_duties.sql; tests/db/roles.c looks):
 * - a table that it makes needs its row in `table_grant`: what sluice_app and what sluice_auditor
 *   may do with it (NULL: nothing).  Columns that the application updates of a table with a list of
 *   columns are added to that list.  Grants themselves are given at the end of `sluiced migrate`;
 * - a function that must do what the application may not is SECURITY DEFINER with a pinned
 *   search_path that ends in pg_temp, and REVOKE ALL … FROM PUBLIC;
 * - an action that a kind of caller never does needs its row in `duty`. */
#pragma once
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

struct migration {
    int version;
    const char *name, *sha256, *text;
};
extern const struct migration migrations[]; /* ends with version 0 */

/* Applies what is missing.  reterr: one line naming what is wrong.  FAULT_DB_DOWN when the database
 * is away, FAULT_DATABASE for anything else. */
MUSTCHECK Status db_migrate(const char *url, int *ret_applied, char *reterr, size_t n);
/* Makes the roles sluice_owner, sluice_app and sluice_auditor where they are missing, gives the
 * first what the schema's owner had, and the others their rights; changes nothing the second time.
 * On a migrated database.  Faults as db_migrate. */
MUSTCHECK Status db_roles_setup(const char *url, char *reterr, size_t n);
/* 0 when the schema is exactly this program's; else a line in reterr saying which is newer or
 * changed. */
MUSTCHECK Status db_schema_check(const char *url, char *reterr, size_t n);
/* A line that says whether the role of this URL could do what only the schema's owner may, such as
 * changing the record.  Empty without a schema.  Faults as db_migrate. */
MUSTCHECK Status db_owner_line(const char *url, char *ret, size_t n);

/* Whether a database with these applied migrations (db/sql/migrate/applied.sql) serves this
 * program; else why not. newer_too: migrations that this program does not know are fine, as they
 * are for a running replica. */
struct db_rows;
bool migrate_compare(const struct db_rows *applied, bool newer_too, char *reterr, size_t n);
