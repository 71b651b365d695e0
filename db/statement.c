/* db/statement.c: what cmake/embed-sql made of db/sql, and PostgreSQL's numbers of the types that
 * headers name. */
#include "db/statement.h"
#include "base/status.h"
#include <string.h>

const struct statement statements[SQL_STATEMENTS] = {
#include "sql/statements.inc"
};

/* Built-in types never change their numbers (src/include/catalog/pg_type.dat). */
static const struct {
    const char *name;
    Oid oid;
} types_by_name[] = {
    {"bool", 16},       {"bytea", 17},         {"bigint", 20},          {"smallint", 21},
    {"int", 23},        {"text", 25},          {"json", 114},           {"float8", 701},
    {"text[]", 1009},   {"int[]", 1007},       {"bigint[]", 1016},      {"date", 1082},
    {"interval", 1186}, {"timestamptz", 1184}, {"numeric", 1700},       {"void", 2278},
    {"uuid", 2950},     {"uuid[]", 2951},      {"jsonb", 3802},         {"jsonb[]", 3807},
    {"xid8", 5069},     {"pg_snapshot", 5038}, {"timestamptz[]", 1185},
};

Oid statement_type(const char *name) {
    for (size_t i = 0; i < sizeof types_by_name / sizeof *types_by_name; i++)
        if (strcmp(types_by_name[i].name, name) == 0)
            return types_by_name[i].oid;
    return 0;
}

static void word(const char **at, const char *end, char ret[STATEMENT_WORD]) {
    size_t n = strcspn(*at, end);

    if (n >= STATEMENT_WORD)
        die("db/sql: a typed header holds a word of %zu bytes", n);
    memcpy(ret, *at, n);
    ret[n] = '\0';
    *at += n;
}

_Bool statement_next(const char **at, char name[STATEMENT_WORD], char type[STATEMENT_WORD]) {
    if (!**at)
        return 0;
    word(at, " ", name);
    *at += **at == ' ';
    word(at, ",", type);
    *at += **at == ',';
    return 1;
}

size_t statement_types(enum db_statement s, Oid types[STATEMENT_PARAMS]) {
    const char *at = statements[s].params;
    char name[STATEMENT_WORD], type[STATEMENT_WORD];
    size_t n = 0;

    while (statement_next(&at, name, type)) {
        if (n == STATEMENT_PARAMS)
            die("db/sql/%s.sql: more than %d parameters", statements[s].name, STATEMENT_PARAMS);
        types[n] = statement_type(type);
        if (!types[n++])
            die("db/sql/%s.sql: parameter %s has the unknown type \"%s\"", statements[s].name, name,
                type);
    }
    return n;
}
