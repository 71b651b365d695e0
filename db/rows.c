/* db/rows.c: what a statement answered, and the text forms of values in both directions. */
#include "base/clock.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "db/conn.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct db_rows {
    PGresult *result;
    enum db_statement statement;
};

struct db_rows *rows_wrap(PGresult *r, enum db_statement s) {
    struct db_rows *rows = xmalloc(sizeof *rows);

    *rows = (struct db_rows){.result = r, .statement = s};
    return rows;
}

void db_rows_free(struct db_rows *r) {
    if (!r)
        return;
    PQclear(r->result);
    free(r);
}

size_t db_rows_count(const struct db_rows *r) {
    return r ? (size_t)PQntuples(r->result) : 0;
}

static int64_t number(const char *text) {
    return text && *text ? strtoll(text, NULL, 10) : 0;
}

int64_t db_rows_affected(const struct db_rows *r) {
    return r ? number(PQcmdTuples(r->result)) : 0;
}

static int column_number(const struct db_rows *r, size_t i, const char *column) {
    if (i >= db_rows_count(r))
        die("db/sql/%s.sql: row %zu of %zu was asked for", statements[r->statement].name, i,
            db_rows_count(r));
    for (int n = 0; n < PQnfields(r->result); n++)
        if (strcmp(PQfname(r->result, n), column) == 0)
            return n;
    die("db/sql/%s.sql has no column %s", statements[r->statement].name, column);
}

const char *db_text(const struct db_rows *r, size_t i, const char *column) {
    int n = column_number(r, i, column);

    return PQgetisnull(r->result, (int)i, n) ? NULL : PQgetvalue(r->result, (int)i, n);
}

bool db_null(const struct db_rows *r, size_t i, const char *column) {
    return !db_text(r, i, column);
}

int64_t db_int(const struct db_rows *r, size_t i, const char *column) {
    return number(db_text(r, i, column));
}

bool db_bool(const struct db_rows *r, size_t i, const char *column) {
    const char *text = db_text(r, i, column);

    return text && text[0] == 't';
}

/* "2026-11-24 21:53:28.123456+00": sessions run with timezone UTC and datestyle ISO. */
int64_t db_time(const struct db_rows *r, size_t i, const char *column) {
    const char *text = db_text(r, i, column);
    size_t n = text ? strlen(text) : 0;
    char iso[48];
    int64_t us;

    if (n < 13 || n > 40)
        return 0;
    snprintf(iso, sizeof iso, "%.10sT%.*sZ", text, (int)(n - 14), text + 11);
    return clock_parse(iso, &us) ? us : 0;
}

json_t *db_json(const struct db_rows *r, size_t i, const char *column) {
    return json_parse(db_text(r, i, column));
}

unsigned char *db_bytea(const struct db_rows *r, size_t i, const char *column, size_t *ret_n) {
    const char *text = db_text(r, i, column);
    unsigned char *bytes = text ? PQunescapeBytea((const unsigned char *)text, ret_n) : NULL, *out;

    if (!bytes)
        return NULL;
    out = xmalloc(*ret_n + 1);
    memcpy(out, bytes, *ret_n);
    PQfreemem(bytes);
    return out;
}

char *db_bytea_text(const void *bytes, size_t n) {
    char *text = xmalloc(2 * n + 3);

    memcpy(text, "\\x", 2);
    hex_encode(bytes, n, text + 2);
    return text;
}

char *db_number(int64_t n, char text[DB_NUMBER]) {
    snprintf(text, DB_NUMBER, "%" PRId64, n);
    return text;
}

char *db_time_text(int64_t us, char text[DB_TIME]) {
    char millis[TIME_TEXT];
    int64_t rest = us % US_PER_MS;

    if (rest < 0)
        rest += US_PER_MS;
    clock_format(us - rest, millis);
    snprintf(text, DB_TIME, "%.*s%03" PRId64 "Z", (int)strlen(millis) - 1, millis, rest);
    return text;
}

char *db_text_array(struct arena *a, const char *const *items) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(1024 * 1024);

    if (!items)
        return NULL;
    strbuf_adds(&b, "{");
    for (; *items; items++) {
        strbuf_adds(&b, b.len > 1 ? ",\"" : "\"");
        for (const char *c = *items; *c; c++) {
            if (*c == '"' || *c == '\\')
                strbuf_adds(&b, "\\");
            strbuf_add(&b, c, 1);
        }
        strbuf_adds(&b, "\"");
    }
    strbuf_adds(&b, "}");
    return b.overflowed ? NULL : arena_strdup(a, b.data);
}
