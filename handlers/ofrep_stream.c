/* handlers/ofrep_stream.c: who is told that the flags of its environment changed.
 *
 * A bulk answer carries the URL of an event stream with a ticket that is good once.  The web
 * provider keeps that URL, across 304 too, and comes back with it when its stream broke: the ticket
 * is refused, its next conditional request is answered whole, with a fresh ticket. */
#include "auth/ticket.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "handlers/flag_client.h"
#include "handlers/handlers.h"
#include "handlers/ofrep.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICKET_S = 60, INACTIVITY_S = 120, OWED = 4096, POLL_MS = 15000, ETAG_PART = 16 };

/* ---- whole answers that are owed ---- */

/* By the first 64 bits of an ETag; one that pushes another out costs it a retry. */
static _Atomic uint64_t owed[OWED];

static uint64_t etag_number(const char *etag) {
    char text[ETAG_PART + 1];

    snprintf(text, sizeof text, "%s", etag);
    return strtoull(text, NULL, 16);
}

static void owe(uint64_t etag) {
    atomic_store(&owed[etag % OWED], etag);
}

bool ofrep_stream_owed(const char *etag) {
    uint64_t number = etag_number(etag);

    return number && atomic_compare_exchange_strong(&owed[number % OWED], &number, 0);
}

/* ---- tickets: "APP ENVIRONMENT REVISION ETAG" ---- */

void ofrep_streams_json(const struct request *q, const struct snapshot *s, const char *etag,
                        struct strbuf *out) {
    const char *what = arena_printf(q->arena, "%s %s %lld %.*s", s->app, s->environment,
                                    (long long)s->revision, ETAG_PART, etag);

    strbuf_adds(out, ",\"eventStreams\":[{\"type\":\"sse\",\"endpoint\":{\"requestUri\":"
                     "\"/ofrep/v1/events?ticket=");
    strbuf_adds(out, ticket_make(context_of(q)->tickets, what, clock_now_us(), TICKET_S * US_PER_S,
                                 q->arena));
    strbuf_addf(out, "\"},\"inactivityDelaySec\":%d}]", INACTIVITY_S);
}

/* ---- the stream ---- */

/* In the request's arena, which lives as long as the stream. */
struct watch {
    struct snapshots *set;
    const char *app, *environment;
    int64_t told; /* revision */
    char topic[FLAG_SERVED_TOPIC];
};

static Status watch_fill(void *ctx, struct strbuf *out, StreamState *ret) {
    struct watch *w = ctx;
    const struct snapshot *s = snapshot_take(w->set, w->app, w->environment);

    *ret = s ? STREAM_OPEN : STREAM_END;
    if (s && s->revision != w->told) {
        strbuf_addf(out,
                    "id: %lld\nevent: message\ndata: {\"type\":\"refetchEvaluation\",\"etag\":"
                    "\"%s-%lld\",\"lastModified\":%lld}\n\n",
                    (long long)s->revision, s->environment_id, (long long)s->revision,
                    (long long)(s->read_us / US_PER_S));
        w->told = s->revision;
    }
    snapshot_release(s);
    return STATUS_OK;
}

static const char *watch_topic(void *ctx) {
    return ((const struct watch *)ctx)->topic;
}

static const struct stream_source watch_source = {
    .fill = watch_fill, .topic = watch_topic, .poll_ms = POLL_MS};

/* false: no ticket of ours says that. */
static bool watch_read(struct watch *w, const char *what, uint64_t *ret_etag, struct arena *arena) {
    char *rest = arena_strdup(arena, what), *revision, *etag;

    w->app = strsep(&rest, " ");
    w->environment = strsep(&rest, " ");
    revision = strsep(&rest, " ");
    etag = rest;
    if (!w->environment || !revision || !etag)
        return false;
    w->told = strtoll(revision, NULL, 10);
    *ret_etag = etag_number(etag);
    return true;
}

/* What the client saw last; what is no id of ours counts for nothing. */
static void resume_after(struct watch *w, const char *last_id) {
    char *end;
    long long id = last_id ? strtoll(last_id, &end, 10) : -1;

    if (id >= 0 && *last_id && !*end)
        w->told = id;
}

Status ofrep_events(struct request *q, const void *in, struct reply *r) {
    struct watch *w = arena_alloc(q->arena, sizeof *w);
    const char *ticket = request_query(q, "ticket"), *what = NULL;
    uint64_t etag = 0;
    TicketVerdict verdict =
        ticket ? ticket_take(context_of(q)->tickets, ticket, clock_now_us(), q->arena, &what)
               : TICKET_NONE;

    (void)in;
    if (verdict == TICKET_NONE || !watch_read(w, what, &etag, q->arena))
        return reply_refuse(r, E_UNAUTHENTICATED, "This is no ticket of ours.");
    if (verdict == TICKET_SPENT) {
        owe(etag);
        return reply_refuse(r, E_UNAUTHENTICATED, "The ticket is spent: evaluate again.");
    }
    w->set = flag_loader_set(context_of(q)->flags);
    flag_served_topic(w->app, w->environment, w->topic);
    resume_after(w, request_header(q, "Last-Event-ID"));
    return reply_stream(r, &watch_source, w);
}
