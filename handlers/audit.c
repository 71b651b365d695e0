/* handlers/audit.c: the chains as auditors read them: the stored lines, byte for byte, page by page
 * out of the database and without holding them all in memory. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "db/checkpoint.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include <errno.h>
#include <string.h>

enum { FILL_LINES = 200, FILL_NOTES = 20, FILL_BYTES = 60 * 1024 };

/* In the request's arena. */
struct reading {
    struct db_pool *pool;
    struct record_query query;
    char after[RECORD_POSITION];
};

static Status reading_fill(void *ctx, struct strbuf *out, StreamState *ret) {
    struct reading *reading = ctx;
    _cleanup_(record_page_done) struct record_page page = {0};
    Status s = record_page(reading->pool, &reading->query,
                           reading->after[0] ? reading->after : NULL, FILL_LINES, &page);

    if (s != STATUS_OK)
        return s;
    *ret = page.more ? STREAM_MORE : STREAM_END;
    for (size_t i = 0; i < page.count; i++) {
        const char *line = db_text(page.rows, i, "line");

        if (out->len && out->len + strlen(line) > FILL_BYTES) {
            *ret = STREAM_MORE;
            break;
        }
        strbuf_adds(out, line);
        strbuf_adds(out, "\n");
        record_position(&reading->query, &page, i, reading->after);
    }
    return STATUS_OK;
}

static const struct stream_source reading_source = {.fill = reading_fill,
                                                    .content_type = "application/x-ndjson"};

/* system, APP or APP/ENV. */
static Status chain_allowed(struct request *q, const char *chain, struct reply *r) {
    const char *slash = strchr(chain, '/');
    const char *app = slash ? arena_strndup(q->arena, chain, (size_t)(slash - chain)) : chain;

    if (!name_valid(app) || (slash && !name_valid(slash + 1)))
        return reply_query_error(r, "chain", "format", "system, APP or APP/ENVIRONMENT.");
    if (caller_sees_all(q))
        return STATUS_OK;
    if (!strcmp(chain, "system"))
        return reply_refuse(r, E_FORBIDDEN,
                            "The chain system is for credentials that reach every app.");
    return app_allowed(q, app, r);
}

static Status number_query(const struct request *q, const char *name, int64_t *ret,
                           struct reply *r) {
    const char *text = request_query(q, name);
    size_t n = text ? strlen(text) : 0;

    *ret = 0;
    if (!text)
        return STATUS_OK;
    for (const char *at = text; *at >= '0' && *at <= '9' && n <= 15; at++, n--)
        *ret = *ret * 10 + (*at - '0');
    if (n || *ret < 1)
        return reply_query_error(r, name, "range", "A number from 1.");
    return STATUS_OK;
}

Status audit_read(struct request *q, const void *in, struct reply *r) {
    struct reading *reading = arena_alloc(q->arena, sizeof *reading);
    struct record_query *query = &reading->query;
    char latest[RECORD_POSITION];
    int64_t length;
    Status s;

    (void)in;
    query->chain = request_query(q, "chain");
    if (!query->chain)
        return reply_query_error(r, "chain", "required", "Which chain: see /api/v1/audit/chains.");
    s = chain_allowed(q, query->chain, r);
    if (s == STATUS_OK)
        s = number_query(q, "from_seq", &query->from_seq, r);
    if (s == STATUS_OK)
        s = number_query(q, "to_seq", &query->to_seq, r);
    if (s == STATUS_OK)
        s = record_latest(context_of(q)->pool, query, latest);
    if (s != STATUS_OK)
        return s;
    length = strtoll(latest, NULL, 10);
    if (length == 0)
        return reply_refuse(r, E_NOT_FOUND, "There is no chain %s.", query->chain);
    if (query->to_seq == 0 || query->to_seq > length)
        query->to_seq = length; /* what is there now: the answer has an end */
    reading->pool = context_of(q)->pool;
    return reply_stream(r, &reading_source, reading);
}

Status audit_chains(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    static const char *const none[] = {NULL};
    const char *const *apps = caller_sees_all(q)   ? NULL
                              : q->principal->apps ? q->principal->apps
                                                   : none;
    json_t *items;
    struct page page;
    Status s = request_page(q, &page, r);

    (void)in;
    if (s == STATUS_OK)
        s = record_chains(context_of(q)->pool, apps, page.after, page.limit, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++)
        json_array_append_new(items, json_pack("{s:s, s:I, s:s}", "name", db_text(rows, i, "name"),
                                               "length", (json_int_t)db_int(rows, i, "length"),
                                               "head", db_text(rows, i, "head")));
    reply_list(r, items, page_next(&page, rows, "name"));
    return STATUS_OK;
}

/* Checkpoints as one text.  In the request's arena. */
struct notes {
    struct db_pool *pool;
    int64_t after;
    size_t begun; /* bytes of the next one that were said: it may be longer than a piece */
};

static Status notes_fill(void *ctx, struct strbuf *out, StreamState *ret) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct notes *notes = ctx;
    Status s = db_checkpoint_after(notes->pool, notes->after, FILL_NOTES, &rows);

    if (s != STATUS_OK)
        return s;
    *ret = db_rows_count(rows) == FILL_NOTES ? STREAM_MORE : STREAM_END;
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        struct checkpoint_row row = checkpoint_row(rows, i);
        size_t left = strlen(row.note) - notes->begun, room = FILL_BYTES - out->len;
        size_t n = left < room ? left : room;

        strbuf_add(out, row.note + notes->begun, n);
        if (n < left) {
            notes->begun += n;
            *ret = STREAM_MORE;
            break;
        }
        notes->begun = 0;
        notes->after = row.number;
    }
    return STATUS_OK;
}

static const struct stream_source notes_source = {.fill = notes_fill,
                                                  .content_type = "text/plain; charset=utf-8"};

static json_t *checkpoint_json(const struct checkpoint_row *row) {
    json_t *v = json_object();

    json_object_set_new(v, "number", json_integer(row->number));
    json_set_time(v, "at", row->made_us);
    json_object_set_new(v, "records", json_integer(row->records));
    json_object_set_new(v, "chains", json_integer(row->chains));
    json_set_str(v, "hash", row->hash);
    json_set_str(v, "note", row->note);
    return v;
}

static Status checkpoints_page(struct request *q, int64_t from, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    int64_t after = from ? from - 1 : 0;
    struct page page;
    json_t *items;
    Status s = request_page(q, &page, r);

    if (s == STATUS_OK && page.after)
        after = strtoll(page.after, NULL, 10);
    if (s == STATUS_OK)
        s = db_checkpoint_after(context_of(q)->pool, after, page.limit + 1, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        struct checkpoint_row row = checkpoint_row(rows, i);

        json_array_append_new(items, checkpoint_json(&row));
    }
    reply_list(r, items, page_next(&page, rows, "number"));
    return STATUS_OK;
}

/* They name every app's chains. */
Status audit_checkpoints(struct request *q, const void *in, struct reply *r) {
    struct notes *notes;
    int64_t from = 0;
    Status s = STATUS_OK;

    (void)in;
    if (!caller_sees_all(q))
        return reply_refuse(r, E_FORBIDDEN,
                            "Checkpoints are for credentials that reach every app.");
    s = number_query(q, "from", &from, r);
    if (s != STATUS_OK)
        return s;
    if (!request_accepts(q, "text/plain"))
        return checkpoints_page(q, from, r);
    notes = arena_alloc(q->arena, sizeof *notes);
    notes->pool = context_of(q)->pool;
    notes->after = from ? from - 1 : 0;
    return reply_stream(r, &notes_source, notes);
}
