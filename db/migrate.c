/* db/migrate.c: brings a database to this program's schema, one migration per transaction, one
 * migrator at a time. */
#include "db/migrate.h"
#include "base/clock.h"
#include "db/conn.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

const struct migration migrations[] = {
#include "sql/migrations.inc"
    {0},
};

enum {
    LOCK_KEY = 1397510482,
    CALL_MS = 10000,
    LOCK_MS = 600000,
    SCRIPT_MS = 3600000,
    AGAIN_MS = 50
};

static int64_t in_ms(int64_t ms) {
    return clock_monotonic_us() + ms * US_PER_MS;
}

static const struct migration *find(int64_t version) {
    for (const struct migration *m = migrations; m->version; m++)
        if (m->version == version)
            return m;
    return NULL;
}

static bool is_applied(const struct db_rows *applied, int version) {
    for (size_t i = 0; i < db_rows_count(applied); i++)
        if (db_int(applied, i, "version") == version)
            return true;
    return false;
}

/* Refuses what this program does not know or knows otherwise.  Missing ones are no matter here. */
static bool compare_applied(const struct db_rows *applied, bool newer_too, char *reterr, size_t n) {
    int newest = 0;

    for (const struct migration *m = migrations; m->version; m++)
        newest = m->version;
    for (size_t i = 0; i < db_rows_count(applied); i++) {
        int64_t version = db_int(applied, i, "version");
        const struct migration *m = find(version);

        if (!m && (!newer_too || version <= newest)) {
            snprintf(reterr, n,
                     "the database's schema is newer: it holds migration %s, which this program "
                     "does not know",
                     db_text(applied, i, "name"));
            return false;
        }
        if (m && strcmp(m->sha256, db_text(applied, i, "sha256")) != 0) {
            snprintf(reterr, n,
                     "migration %s was applied with another content (SHA-256 %.12s…, here %.12s…)",
                     m->name, db_text(applied, i, "sha256"), m->sha256);
            return false;
        }
    }
    return true;
}

bool migrate_compare(const struct db_rows *applied, bool newer_too, char *reterr, size_t n) {
    if (!compare_applied(applied, newer_too, reterr, n))
        return false;
    for (const struct migration *m = migrations; m->version; m++) {
        if (!is_applied(applied, m->version)) {
            snprintf(reterr, n, "migration %s is missing: run `sluiced migrate`", m->name);
            return false;
        }
    }
    return true;
}

struct session {
    struct conn_target target;
    struct db_conn *conn;
    char *reterr;
    size_t n;
};

static Status said(struct session *m, Status s) {
    if (s != STATUS_OK)
        snprintf(m->reterr, m->n, "%s", db_fault_text());
    return s;
}

static Status session_open(struct session *m, const char *url) {
    conn_target_init(&m->target, url, "sluiced-migrate", CALL_MS, 0);
    m->target.server_timeout_ms = -1;
    return said(m, conn_open(&m->target, in_ms(CALL_MS), &m->conn));
}

static void session_done_cleanup(struct session *m) {
    conn_close(m->conn);
    conn_target_done(&m->target);
}

static Status command(struct session *m, const char *text) {
    struct round r = {.commands = &text, .commands_n = 1, .statement = NO_STATEMENT};
    RoundOutcome o = conn_round(m->conn, &r, in_ms(CALL_MS));
    _cleanup_(PQclear) PGresult *result = r.result;

    if (o == ROUND_DONE)
        return STATUS_OK;
    fault_note_result(text, result);
    return said(m, o == ROUND_REFUSED ? FAULT_DATABASE : FAULT_DB_DOWN);
}

static Status script(struct session *m, const struct migration *migration) {
    _cleanup_(PQclear) PGresult *result = NULL;
    RoundOutcome o = conn_script(m->conn, migration->text, in_ms(SCRIPT_MS), &result);

    if (o == ROUND_DONE && PQtransactionStatus(m->conn->pg) != PQTRANS_INTRANS) {
        snprintf(m->reterr, m->n, "migration %s ends its transaction itself", migration->name);
        return FAULT_DATABASE;
    }
    if (o == ROUND_DONE)
        return STATUS_OK;
    fault_note_result(migration->name, result);
    return said(m, o == ROUND_REFUSED ? FAULT_DATABASE : FAULT_DB_DOWN);
}

/* A failure leaves the transaction open: closing the session rolls it back. */
static Status apply(struct session *m, const struct migration *migration) {
    char version[DB_NUMBER];
    Status s = command(m, "BEGIN");

    if (s == STATUS_OK)
        s = script(m, migration);
    if (s == STATUS_OK)
        s = said(m, conn_query(m->conn, SQL_MIGRATE_RECORD, NULL,
                               DB_PARAMS(db_number(migration->version, version), migration->name,
                                         migration->sha256),
                               in_ms(CALL_MS)));
    if (s == STATUS_OK)
        s = command(m, "COMMIT");
    return s;
}

/* Tries again and again instead of waiting inside PostgreSQL: a waiting statement holds a snapshot.
 */
static Status lock(struct session *m) {
    int64_t deadline = in_ms(LOCK_MS);
    char key[DB_NUMBER];

    for (;;) {
        _cleanup_(db_rows_free) struct db_rows *rows = NULL;
        Status s = conn_query(m->conn, SQL_MIGRATE_LOCK, &rows, DB_PARAMS(db_number(LOCK_KEY, key)),
                              in_ms(CALL_MS));

        if (s != STATUS_OK)
            return said(m, s);
        if (db_bool(rows, 0, "locked"))
            return STATUS_OK;
        if (clock_monotonic_us() > deadline) {
            snprintf(m->reterr, m->n, "another migration holds the lock");
            return FAULT_DATABASE;
        }
        nanosleep(&(struct timespec){.tv_nsec = AGAIN_MS * 1000000}, NULL);
    }
}

static Status read_applied(struct session *m, struct db_rows **ret) {
    return said(m, conn_query(m->conn, SQL_MIGRATE_APPLIED, ret, DB_NO_PARAMS, in_ms(CALL_MS)));
}

/* The role that migrations run as is the schema's owner.  *ret: the role that may not be it. */
static Status become_owner(struct session *m, struct db_rows **ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s =
        said(m, conn_query(m->conn, SQL_MIGRATE_BECOME, &rows, DB_NO_PARAMS, in_ms(CALL_MS)));

    if (s == STATUS_OK && db_rows_count(rows) == 0)
        s = said(m, conn_query(m->conn, SQL_MIGRATE_TABLE, NULL, DB_NO_PARAMS, in_ms(CALL_MS)));
    else if (s == STATUS_OK && !db_bool(rows, 0, "may"))
        *ret = TAKE_PTR(rows);
    return s;
}

static Status apply_missing(struct session *m, const struct db_rows *applied,
                            const struct db_rows *stranger, int *ret_applied) {
    Status s = STATUS_OK;

    for (const struct migration *each = migrations; each->version && s == STATUS_OK; each++) {
        if (is_applied(applied, each->version))
            continue;
        if (stranger) {
            snprintf(m->reterr, m->n,
                     "migration %s is missing, and role %s may not apply it: the schema belongs to "
                     "%s.  Run `sluiced migrate` as a member of that role",
                     each->name, db_text(stranger, 0, "role"), db_text(stranger, 0, "owner"));
            return FAULT_DATABASE;
        }
        s = apply(m, each);
        *ret_applied += s == STATUS_OK;
    }
    return s;
}

static Status migrate(struct session *m, int *ret_applied) {
    _cleanup_(db_rows_free) struct db_rows *applied = NULL, *stranger = NULL;
    Status s = lock(m);

    if (s == STATUS_OK)
        s = become_owner(m, &stranger);
    if (s == STATUS_OK)
        s = read_applied(m, &applied);
    if (s != STATUS_OK)
        return s;
    if (!compare_applied(applied, false, m->reterr, m->n))
        return FAULT_DATABASE;
    s = apply_missing(m, applied, stranger, ret_applied);
    if (s == STATUS_OK && !stranger)
        s = said(m, conn_query(m->conn, SQL_MIGRATE_GRANT, NULL, DB_NO_PARAMS, in_ms(CALL_MS)));
    return s;
}

Status db_migrate(const char *url, int *ret_applied, char *reterr, size_t n) {
    _cleanup_(session_done) struct session m = {.reterr = reterr, .n = n};
    int applied = 0;
    Status s = session_open(&m, url);

    if (s == STATUS_OK)
        s = migrate(&m, &applied);
    if (ret_applied)
        *ret_applied = applied;
    return s;
}

Status db_roles_setup(const char *url, char *reterr, size_t n) {
    _cleanup_(session_done) struct session m = {.reterr = reterr, .n = n};
    Status s = session_open(&m, url);

    if (s == STATUS_OK)
        s = lock(&m);
    if (s == STATUS_OK)
        s = said(&m, conn_query(m.conn, SQL_MIGRATE_ROLES, NULL, DB_NO_PARAMS, in_ms(CALL_MS)));
    return s;
}

Status db_schema_check(const char *url, char *reterr, size_t n) {
    _cleanup_(session_done) struct session m = {.reterr = reterr, .n = n};
    _cleanup_(db_rows_free) struct db_rows *found = NULL, *applied = NULL;
    Status s = session_open(&m, url);

    if (s == STATUS_OK)
        s = said(&m, conn_query(m.conn, SQL_MIGRATE_EXISTS, &found, DB_NO_PARAMS, in_ms(CALL_MS)));
    if (s == STATUS_OK && !db_bool(found, 0, "found")) {
        snprintf(reterr, n, "the database is empty: run `sluiced migrate`");
        return FAULT_DATABASE;
    }
    if (s == STATUS_OK)
        s = read_applied(&m, &applied);
    if (s == STATUS_OK && !migrate_compare(applied, false, reterr, n))
        s = FAULT_DATABASE;
    return s;
}

Status db_owner_line(const char *url, char *ret, size_t n) {
    _cleanup_(session_done) struct session m = {.reterr = ret, .n = n};
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = session_open(&m, url);

    if (s == STATUS_OK)
        s = said(&m, conn_query(m.conn, SQL_MIGRATE_OWNER, &rows, DB_NO_PARAMS, in_ms(CALL_MS)));
    if (s != STATUS_OK || db_rows_count(rows) == 0)
        return s;
    if (db_bool(rows, 0, "may"))
        snprintf(ret, n,
                 "role %s is %s or may become it, so that it could change the record: let servers "
                 "log in as sluice_app",
                 db_text(rows, 0, "role"), db_text(rows, 0, "owner"));
    else
        snprintf(ret, n, "role %s cannot become %s", db_text(rows, 0, "role"),
                 db_text(rows, 0, "owner"));
    return s;
}
