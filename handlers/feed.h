/* handlers/feed.h: event streams of the record.  Those that ask the same from the same position
 * share one look at PostgreSQL: ten thousand dashboards cost it what one costs. */
#pragma once
#include "db/record.h"
#include "http/http.h"

struct bus;
struct feeds;

/* A look is used for at most keep_ms (a server's: FEED_KEEP_MS), and never for a stream that was
 * told to look after it began. */
enum { FEED_KEEP_MS = 40 };
struct feeds *feeds_new(struct db_pool *pool, struct bus *bus, int keep_ms);
void feeds_free(struct feeds *f);            /* NULL-safe; after the streams */
uint64_t feeds_reads(const struct feeds *f); /* how often PostgreSQL was asked */

/* One stream.  Everything is borrowed and stays as long as it does. */
struct feed {
    struct feeds *all;
    struct record_query query;
    const char *question; /* feed_question() */
    const char *topic;    /* NULL: any */
    char after[RECORD_POSITION];
    bool begun;    /* what it begins with it reads itself: its caller may know more than the bus */
    unsigned held; /* how often in a row nothing but an open transaction was in its way */
    bool ends;     /* with the final record of a deployment */
};
/* Which records, as a text: equal for streams that ask the same.  In the arena. */
const char *feed_question(struct arena *a, const struct record_query *q);
/* Whether this is the last that is recorded of a deployment. */
bool feed_final(const char *action);
/* stream_source.fill of a struct feed. */
Status feed_fill(void *ctx, struct strbuf *out, StreamState *ret);
