/* db/record.h: the audit chain, which is also the event stream. */
#pragma once
#include "base/strbuf.h"
#include "db/db.h"

struct record_entry {
    const char *app, *environment; /* chain: "system" without an app, APP, or APP/ENV */
    const char *actor;             /* JSON object text: {"kind","subject","issuer"} */
    const char *from;              /* where from: a remote address, or "worker" */
    const char *action;            /* "deployment.created" */
    const char *subject; /* what it is about: "inopnc/production", a version, a deployment's id … */
    const char *message;       /* one sentence for people */
    const char *data;          /* JSON object text or NULL for {} */
    const char *deployment_id; /* NULL when it is about none */
};
/* Appends.  The last statement of its transaction; entries of several chains in the chains' name
 * order. */
MUSTCHECK Status record_append(struct db_tx *tx, const struct record_entry *e);
/* For a record's data: {spec}, or its SHA-256 where it would make a line too long for a stream;
 * yours. */
json_t *record_of_spec(json_t *spec);

/* Which records to read, oldest first.  Set `chain` (GET /audit, …/environments/{env}/records), or
 * `deployment_id` (its records are all of one chain), or neither: then several chains, where app,
 * environment, action and apps narrow, each NULL for any.  action narrows in every case. */
struct record_query {
    const char *chain;
    int64_t from_seq, to_seq; /* with chain: inclusive; 0: from the first, to the last */
    const char *deployment_id;
    const char *app, *environment;
    const char *const
        *apps; /* principal->apps: ended by NULL; a "*" in it, or NULL here, stands for all */
    const char *action;
};

/* Positions are texts of at most RECORD_POSITION bytes: `seq` within one chain, `xid/seq/chain`
 * over several.  They serve as ?cursor= (struct page.after, reply_list) and as the id of a stream's
 * event (Last-Event-ID). */
enum { RECORD_POSITION = 192 };

struct record_page {
    struct db_rows
        *rows;    /* columns: chain, seq, xid, action, line (the stored JSON, exact bytes) */
    size_t count; /* rows of this page: 0 … limit */
    bool more;    /* others follow at once */
    /* Over several chains, unless more: the position up to which everything was looked at, also
     * what the query leaves out.  "" otherwise. */
    char looked[RECORD_POSITION];
    bool held; /* likewise: there are records that an older transaction, still open, may precede */
};
/* One page after position `after` (NULL: from the beginning).  Refuses E_INVALID_QUERY when `after`
 * is no position. Over several chains only what no open transaction can still precede: a page may
 * be short, a later call goes on. */
MUSTCHECK Status record_page(struct db_pool *p, const struct record_query *q, const char *after,
                             int64_t limit, struct record_page *ret);
/* The position of row i.  Returns `text`. */
char *record_position(const struct record_query *q, const struct record_page *page, size_t i,
                      char text[RECORD_POSITION]);
/* Over several chains: the transaction of a position, and whether that is before all its records,
 * as page.looked is. */
uint64_t record_xid(const char *position);
bool record_before(const char *position);
/* The position after everything that there is now: where a stream that wants only news begins. */
MUSTCHECK Status record_latest(struct db_pool *p, const struct record_query *q,
                               char ret[RECORD_POSITION]);
/* One row: chains, records, age_s of the last record (null: there is none). */
MUSTCHECK Status record_head(struct db_pool *p, struct db_rows **ret);
void record_page_done(struct record_page *page); /* NULL-safe, idempotent */
static inline void record_page_done_cleanup(struct record_page *page) {
    record_page_done(page);
}

/* Appends a page's lines to `out`, each with its newline: application/x-ndjson, as `sluice audit
 * verify` reads it. */
void record_page_lines(const struct record_page *page, struct strbuf *out);
/* The chains by name after `after` (NULL: from the first).  Columns: name, length, head.  limit + 1
 * rows when there are more than limit. */
MUSTCHECK Status record_chains(struct db_pool *p, const char *const *apps, const char *after,
                               int64_t limit, struct db_rows **ret);
