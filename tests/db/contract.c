/* tests/db/contract.c: every statement of db/sql, prepared on the migrated schema, is what its
 * typed header says. */
#include "base/cleanup.h"
#include "db/statement.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char mismatches[16384];

static void __attribute__((format(printf, 2, 3)))
mismatch(const struct statement *s, const char *format, ...) {
    size_t n = strlen(mismatches);
    va_list args;

    n += (size_t)snprintf(mismatches + n, sizeof mismatches - n, "\n    db/sql/%s.sql: ", s->name);
    if (n >= sizeof mismatches)
        return;
    va_start(args, format);
    vsnprintf(mismatches + n, sizeof mismatches - n, format, args);
    va_end(args);
}

/* "text" and "24": enough to find the word that the header should have. */
static const char *type_name(PGconn *c, Oid oid, char text[64]) {
    char sql[64];
    PGresult *r;

    snprintf(sql, sizeof sql, "SELECT %u::regtype", oid);
    r = PQexec(c, sql);
    snprintf(text, 64, "%s", PQgetvalue(r, 0, 0));
    PQclear(r);
    return text;
}

static void compare_params(PGconn *c, const struct statement *s, const PGresult *described) {
    char name[STATEMENT_WORD], type[STATEMENT_WORD], real[64];
    const char *at = s->params;
    int n = 0;

    for (; statement_next(&at, name, type); n++) {
        if (n >= PQnparams(described))
            mismatch(s, "parameter %d (%s) is not used", n + 1, name);
        else if (PQparamtype(described, n) != statement_type(type))
            mismatch(s, "parameter %d (%s) is %s, not %s", n + 1, name,
                     type_name(c, PQparamtype(described, n), real), type);
    }
    if (n < PQnparams(described))
        mismatch(s, "takes %d parameters, its header names %d", PQnparams(described), n);
}

static void compare_columns(PGconn *c, const struct statement *s, const PGresult *described) {
    char name[STATEMENT_WORD], type[STATEMENT_WORD], real[64];
    const char *at = s->columns;
    int n = 0;

    for (; statement_next(&at, name, type); n++) {
        if (n >= PQnfields(described))
            mismatch(s, "has no column %d (%s)", n + 1, name);
        else if (strcmp(PQfname(described, n), name) != 0)
            mismatch(s, "column %d is called %s, not %s", n + 1, PQfname(described, n), name);
        else if (*type && PQftype(described, n) != statement_type(type))
            mismatch(s, "column %s is %s, not %s", name, type_name(c, PQftype(described, n), real),
                     type);
    }
    if (n < PQnfields(described))
        mismatch(s, "answers %d columns, its header names %d: %s is missing", PQnfields(described),
                 n, PQfname(described, n));
}

static void compare(PGconn *c, enum db_statement number) {
    const struct statement *s = &statements[number];
    Oid types[STATEMENT_PARAMS];
    size_t n = statement_types(number, types);
    PGresult *prepared = PQprepare(c, s->name, s->text, (int)n, types);
    PGresult *described = PQdescribePrepared(c, s->name);

    if (PQresultStatus(prepared) != PGRES_COMMAND_OK) {
        mismatch(s, "%s", PQresultErrorMessage(prepared));
    } else {
        compare_params(c, s, described);
        compare_columns(c, s, described);
    }
    PQclear(described);
    PQclear(prepared);
}

START_TEST(contract__every_statement_is_what_its_header_says) {
    _cleanup_free_ char *url = pg_database();
    PGconn *c = PQconnectdb(url);

    ck_assert_int_eq(PQstatus(c), CONNECTION_OK);
    for (int s = 0; s < SQL_STATEMENTS; s++)
        compare(c, (enum db_statement)s);
    PQfinish(c);
    ck_assert_msg(!*mismatches, "%s", mismatches);
}
END_TEST

START_TEST(contract__type_names_are_postgresqls) {
    static const char *const names[] = {
        "bool",     "bytea",       "bigint",  "smallint",    "int",          "text",
        "json",     "float8",      "text[]",  "int[]",       "bigint[]",     "date",
        "interval", "timestamptz", "numeric", "void",        "uuid",         "uuid[]",
        "jsonb",    "jsonb[]",     "xid8",    "pg_snapshot", "timestamptz[]"};
    _cleanup_free_ char *url = pg_empty_database();

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_assert_msg(pg_number(url, "SELECT '%s'::regtype::oid", names[i]) ==
                          (long)statement_type(names[i]),
                      "%s", names[i]);
}
END_TEST

int main(void) {
    pg_start();
    return RUN_SUITE("contract", 30, contract__every_statement_is_what_its_header_says,
                     contract__type_names_are_postgresqls);
}
