/* handlers/records.c: the record as clients read it: JSON pages, oldest first, or the same as an
 * event stream, which begins where a page would and then goes on with what happens. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "db/environment.h"
#include "handlers/answer.h"
#include "handlers/deployment.h"
#include "handlers/feed.h"
#include "handlers/handlers.h"
#include "http/page.h"
#include <string.h>

enum { LAST_RECORDS = 200 };

static const char *feed_topic(void *ctx) {
    const struct feed *feed = ctx;

    return feed->topic;
}

static const struct stream_source feed_source = {.fill = feed_fill, .topic = feed_topic};
/* Over several chains a record is delivered when no older transaction is open, which nobody
 * announces.  With FEED_KEEP_MS a second at most. */
static const struct stream_source feed_of_all_source = {.fill = feed_fill, .poll_ms = 900};

/* Last-Event-ID, which is a cursor, else ?cursor=. */
static Status position_of(struct request *q, struct feed *feed, int64_t *ret_limit,
                          struct reply *r) {
    const char *last = request_header(q, "Last-Event-ID");
    struct page page;
    Status s = request_page(q, &page, r);

    if (s != STATUS_OK)
        return s;
    if (last && *last) {
        page.after = cursor_decode(q->arena, last);
        if (!page.after)
            return reply_query_error(r, "Last-Event-ID", "format", "Not the id of an event.");
    }
    if (page.after && strlen(page.after) >= sizeof feed->after)
        return reply_query_error(r, "cursor", "format", "Not a next_cursor of this list.");
    if (page.after)
        memcpy(feed->after, page.after, strlen(page.after) + 1);
    *ret_limit = page.limit;
    return STATUS_OK;
}

static Status page_answer(const struct feed *feed, const struct record_page *page,
                          struct reply *r) {
    json_t *items = json_array();
    char next[RECORD_POSITION];

    for (size_t i = 0; i < page->count; i++)
        json_array_append_new(items, json_parse(db_text(page->rows, i, "line")));
    if (page->more && page->count)
        record_position(&feed->query, page, page->count - 1, next);
    reply_list(r, items, page->more && page->count ? next : NULL);
    return STATUS_OK;
}

/* Whether a deployment that is final has nothing left to tell after the feed's position. */
static Status feed_over(struct db_pool *pool, const struct feed *feed, bool *ret) {
    _cleanup_(record_page_done) struct record_page page = {0};
    Status s = record_page(pool, &feed->query, feed->after, LAST_RECORDS, &page);

    *ret = s == STATUS_OK && !page.more;
    for (size_t i = 0; s == STATUS_OK && i < page.count; i++)
        if (feed_final(db_text(page.rows, i, "action")))
            *ret = false;
    return s;
}

static Status feed_answer(struct request *q, struct feed *feed, bool final, struct reply *r) {
    _cleanup_(record_page_done) struct record_page page = {0};
    struct db_pool *pool = context_of(q)->pool;
    int64_t limit = 0;
    bool over = false;
    Status s;

    s = position_of(q, feed, &limit, r);
    if (s != STATUS_OK)
        return s;
    if (!request_accepts(q, "text/event-stream")) {
        s = record_page(pool, &feed->query, feed->after[0] ? feed->after : NULL, limit, &page);
        return s == STATUS_OK ? page_answer(feed, &page, r)
               : s == E_INVALID_QUERY
                   ? reply_query_error(r, "cursor", "format", "Not a next_cursor of this list.")
                   : s;
    }
    if (feed->after[0]) { /* a bad position shows before the stream is open */
        s = record_page(pool, &feed->query, feed->after, 1, &page);
        if (s == E_INVALID_QUERY)
            return reply_query_error(r, "Last-Event-ID", "format", "Not an event of this stream.");
        if (s == STATUS_OK && final)
            s = feed_over(pool, feed, &over);
    }
    if (s != STATUS_OK)
        return s;
    if (over) {
        r->status = 204;
        return STATUS_OK;
    }
    feed->all = context_of(q)->feeds;
    feed->question = feed_question(q->arena, &feed->query);
    return reply_stream(
        r, feed->query.chain || feed->query.deployment_id ? &feed_source : &feed_of_all_source,
        feed);
}

Status records_of_deployment(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct feed *feed = arena_alloc(q->arena, sizeof *feed);
    struct deployment_row row;
    Status s = path_deployment(q, &rows, r);

    (void)in;
    if (s != STATUS_OK)
        return s;
    row = deployment_row(rows, 0);
    feed->query.deployment_id = arena_strdup(q->arena, row.id);
    feed->topic = arena_strdup(q->arena, row.environment_id);
    feed->ends = true;
    return feed_answer(q, feed, deployment_final(row.state), r);
}

/* Records outlive the environment: its chain is read whether it is there or not, unless there never
 * was one. */
Status records_of_environment(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct feed *feed = arena_alloc(q->arena, sizeof *feed);
    const char *app = NULL, *name = NULL;
    char latest[RECORD_POSITION];
    Status s = path_place(q, &app, &name, r);

    (void)in;
    if (s == STATUS_OK)
        s = db_environment_get(context_of(q)->pool, app, name, &rows);
    if (s != STATUS_OK)
        return s;
    feed->query.chain = arena_printf(q->arena, "%s/%s", app, name);
    if (db_rows_count(rows)) {
        feed->topic = arena_strdup(q->arena, environment_row(rows, 0).id);
        return feed_answer(q, feed, false, r);
    }
    s = record_latest(context_of(q)->pool, &feed->query, latest);
    if (s == STATUS_OK && !strcmp(latest, "0"))
        return environment_missing(r, app, name);
    return s == STATUS_OK ? feed_answer(q, feed, false, r) : s;
}

Status records_of_all(struct request *q, const void *in, struct reply *r) {
    struct feed *feed = arena_alloc(q->arena, sizeof *feed);
    const char *app = request_query(q, "app"), *environment = request_query(q, "environment"),
               *action = request_query(q, "action");
    Status s = STATUS_OK;

    (void)in;
    if (app && !name_valid(app))
        s = reply_query_error(r, "app", "format", "Not a name.");
    if (environment && !name_valid(environment))
        s = reply_query_error(r, "environment", "format", "Not a name.");
    if (action && (!*action || strlen(action) > 64 ||
                   action[strspn(action, "abcdefghijklmnopqrstuvwxyz_-.")]))
        s = reply_query_error(r, "action", "format", "Not an action, like deployment.created.");
    if (s != STATUS_OK)
        return s;
    feed->query.app = app;
    feed->query.environment = environment;
    feed->query.action = action;
    feed->query.apps = caller_sees_all(q) ? NULL : q->principal->apps;
    if (!caller_sees_all(q) && !q->principal->apps)
        feed->query.apps = (const char *const *)arena_alloc(q->arena, sizeof(char *));
    return feed_answer(q, feed, false, r);
}
