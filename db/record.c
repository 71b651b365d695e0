/* db/record.c: appending to the audit chain and reading it in pages.
 *
 * A chain is read by seq: appenders of one chain take turns on its head row, so that seq is commit
 * order.  Several chains have no common counter: they are read by the transactions' ids, and only
 * below the oldest open one, so that a reader who goes on from a position never misses what was
 * committed late. */
#include "db/record.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/trace.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CHAIN_TEXT = 160, RECORD_SPEC_MAX = 32 * 1024 };

static const char *chain_name(const char *app, const char *environment, char text[CHAIN_TEXT]) {
    if (!app)
        return "system";
    if (!environment)
        return app;
    snprintf(text, CHAIN_TEXT, "%s/%s", app, environment);
    return text;
}

Status record_append(struct db_tx *tx, const struct record_entry *e) {
    char chain[CHAIN_TEXT];

    return db_query(tx, SQL_RECORD_APPEND, NULL,
                    DB_PARAMS(chain_name(e->app, e->environment, chain), e->actor, e->from,
                              e->action, e->subject, e->message, e->data ? e->data : "{}",
                              e->deployment_id, trace_current_id()));
}

json_t *record_of_spec(json_t *spec) {
    _cleanup_free_ char *text = json_text(spec);
    char digest[SHA256_HEX];
    size_t n = strlen(text);

    if (n <= RECORD_SPEC_MAX)
        return json_pack("{s:O}", "spec", spec);
    return json_pack("{s:s}", "spec_sha256", sha256_hex(text, n, digest));
}

/* Digits only, so that PostgreSQL cannot refuse them. */
static bool take_number(const char **at, char end, char text[DB_NUMBER]) {
    size_t n = strspn(*at, "0123456789");

    if (n == 0 || n > 18 || (*at)[n] != end)
        return false;
    snprintf(text, DB_NUMBER, "%.*s", (int)n, *at);
    *at += n + (end != '\0');
    return true;
}

static bool one_chain(const struct record_query *q) {
    return q->chain || q->deployment_id;
}

struct position {
    char xid[DB_NUMBER], seq[DB_NUMBER];
    const char *chain;
};

static bool position_read(const struct record_query *q, const char *text, struct position *ret) {
    *ret = (struct position){.xid = "0", .seq = "0", .chain = ""};
    if (!text)
        return true;
    if (one_chain(q))
        return take_number(&text, '\0', ret->seq);
    if (!take_number(&text, '/', ret->xid) || !take_number(&text, '/', ret->seq))
        return false;
    ret->chain = text;
    return strlen(text) < CHAIN_TEXT &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-/") == strlen(text);
}

char *record_position(const struct record_query *q, const struct record_page *page, size_t i,
                      char text[RECORD_POSITION]) {
    if (one_chain(q))
        snprintf(text, RECORD_POSITION, "%" PRId64, db_int(page->rows, i, "seq"));
    else
        snprintf(text, RECORD_POSITION, "%s/%" PRId64 "/%s", db_text(page->rows, i, "xid"),
                 db_int(page->rows, i, "seq"), db_text(page->rows, i, "chain"));
    return text;
}

/* NULL, which narrows nothing, when the list says all. */
static const char *apps_array(struct arena *a, const char *const *apps) {
    for (const char *const *app = apps; app && *app; app++)
        if (strcmp(*app, "*") == 0)
            return NULL;
    return db_text_array(a, apps);
}

static Status read_rows(struct db_pool *p, const struct record_query *q,
                        const struct position *after, const char *limit, struct db_rows **ret) {
    _cleanup_(arena_done) struct arena arena = {0};
    char seq[DB_NUMBER], to[DB_NUMBER];
    const char *from = after->seq;

    if (q->deployment_id)
        return db_once(p, SQL_RECORD_BY_DEPLOYMENT, ret,
                       DB_PARAMS(q->deployment_id, from, q->action, limit));
    if (!q->chain)
        return db_once(p, SQL_RECORD_BY_ORDER, ret,
                       DB_PARAMS(after->xid, after->chain, after->seq, q->app, q->environment,
                                 apps_array(&arena, q->apps), q->action, limit));
    if (q->from_seq > 0 && q->from_seq - 1 > strtoll(from, NULL, 10))
        from = db_number(q->from_seq - 1, seq);
    return db_once(p, SQL_RECORD_BY_CHAIN, ret,
                   DB_PARAMS(q->chain, from, db_number(q->to_seq, to), q->action, limit));
}

/* Before every record of a transaction and of later ones: no chain has an empty name. */
static void before_all_of(const char *xid, char text[RECORD_POSITION]) {
    snprintf(text, RECORD_POSITION, "%s/0/", xid);
}

uint64_t record_xid(const char *position) {
    return strtoull(position, NULL, 10);
}

bool record_before(const char *position) {
    size_t n = strlen(position);

    return n > 0 && position[n - 1] == '/';
}

Status record_page(struct db_pool *p, const struct record_query *q, const char *after,
                   int64_t limit, struct record_page *ret) {
    struct position position;
    char one_more[DB_NUMBER];
    Status s;

    *ret = (struct record_page){0};
    if (!position_read(q, after, &position))
        return E_INVALID_QUERY;
    s = read_rows(p, q, &position, db_number(limit + 1, one_more), &ret->rows);
    if (s != STATUS_OK)
        return s;
    ret->count = db_rows_count(ret->rows);
    if (!one_chain(q))
        ret->count--; /* the horizon */
    ret->more = ret->count > (size_t)limit;
    if (ret->more)
        ret->count = (size_t)limit;
    if (one_chain(q) || ret->more)
        return STATUS_OK;
    before_all_of(db_text(ret->rows, ret->count, "xid"), ret->looked);
    ret->held = !db_null(ret->rows, ret->count, "seq");
    return STATUS_OK;
}

Status record_latest(struct db_pool *p, const struct record_query *q, char ret[RECORD_POSITION]) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_once(p, SQL_RECORD_LATEST, &rows, DB_PARAMS(q->chain, q->deployment_id));

    if (s != STATUS_OK)
        return s;
    if (one_chain(q))
        snprintf(ret, RECORD_POSITION, "%" PRId64, db_int(rows, 0, "seq"));
    else
        before_all_of(db_text(rows, 0, "xid"), ret);
    return STATUS_OK;
}

Status record_head(struct db_pool *p, struct db_rows **ret) {
    return db_once(p, SQL_RECORD_HEAD, ret, DB_NO_PARAMS);
}

void record_page_done(struct record_page *page) {
    if (!page)
        return;
    db_rows_free(page->rows);
    *page = (struct record_page){0};
}

void record_page_lines(const struct record_page *page, struct strbuf *out) {
    for (size_t i = 0; i < page->count; i++) {
        strbuf_adds(out, db_text(page->rows, i, "line"));
        strbuf_adds(out, "\n");
    }
}

Status record_chains(struct db_pool *p, const char *const *apps, const char *after, int64_t limit,
                     struct db_rows **ret) {
    _cleanup_(arena_done) struct arena arena = {0};
    char one_more[DB_NUMBER];

    return db_once(
        p, SQL_RECORD_CHAINS, ret,
        DB_PARAMS(after ? after : "", apps_array(&arena, apps), db_number(limit + 1, one_more)));
}
