/* db/statement.h: the statements of db/sql as data, and their typed headers.  Private to db/ and
 * its tests. */
#pragma once
#include "sql/statements.h"
#include <libpq-fe.h>
#include <stddef.h>

struct statement {
    const char *name;    /* "app/get": also its name on the server */
    const char *text;    /* the file */
    const char *params;  /* "release_id uuid,signer text" */
    const char *columns; /* "id uuid,note " */
};
extern const struct statement statements[SQL_STATEMENTS];

enum { STATEMENT_PARAMS = 40, STATEMENT_WORD = 64 };

/* Reads the next "name type" of a typed header, moving *at.  False at the end. */
_Bool statement_next(const char **at, char name[STATEMENT_WORD], char type[STATEMENT_WORD]);
/* The parameters' types; returns how many.  An unknown type name ends the process: a bug that the
 * first test shows. */
size_t statement_types(enum db_statement s, Oid types[STATEMENT_PARAMS]);
Oid statement_type(const char *name); /* 0 for an unknown one */
