/* handlers/feed.c: one look at PostgreSQL for all streams that ask the same.
 *
 * Streams that ask the same question are not all at the same position: each opened at its own time.
 * So a look answers whoever stands anywhere between where it began and where it ended, and all go
 * on from its end: from then on they stand together.
 *
 * A stream that is woken must see what woke it.  So a look counts only for streams that had heard
 * of no more publications when they asked than the look had when it began (bus_published): what was
 * committed before is in it.  What nobody announces, the end of an older transaction above all,
 * is found by polls, which a look may answer for keep_ms.
 *
 * Threads: fills run on handler threads.  One looks, those who ask the same meanwhile wait for it,
 * as they would for an answer of their own.  The lock is never held while PostgreSQL is asked. */
#include "handlers/feed.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "db/bus.h"
#include "handlers/deployment.h"
#include "http/page.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FILL_RECORDS = 100,
    FILL_BYTES = 60 * 1024,
    TEXT_MAX = 256 * 1024,
    LOOKS_MAX = 64,
    SOON_MOST = 8
};

struct told {
    const char *position; /* in the look's arena */
    uint64_t xid;
    size_t end; /* of its event in the text */
    bool final;
};

struct look {
    struct look *next;
    unsigned refs;    /* of the list, and of who reads it; feeds->lock */
    int64_t ended_us; /* feeds->lock; 0: it is under way */
    char *question;
    uint64_t published;
    char from[RECORD_POSITION];
    /* what it found: written while it is under way, then only read */
    char upto[RECORD_POSITION]; /* everything before it was looked at; "": the last record */
    bool more, held;
    struct arena arena;
    struct strbuf text;
    struct told told[FILL_RECORDS];
    size_t n;
};

struct feeds {
    struct db_pool *pool;
    struct bus *bus;
    int64_t keep_us;
    _Atomic uint64_t reads;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    struct look *looks; /* the newest first, at most LOOKS_MAX beside those under way */
};

struct feeds *feeds_new(struct db_pool *pool, struct bus *bus, int keep_ms) {
    struct feeds *f = xcalloc(1, sizeof *f);

    f->pool = pool;
    f->bus = bus;
    f->keep_us = keep_ms * US_PER_MS;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->ended, NULL);
    return f;
}

uint64_t feeds_reads(const struct feeds *f) {
    return atomic_load(&f->reads);
}

/* Under the lock. */
static void look_release(struct look *l) {
    if (--l->refs)
        return;
    free(l->question);
    strbuf_done(&l->text);
    arena_done(&l->arena);
    free(l);
}

/* Takes one out of the list. */
static void unlist(struct look **at) {
    struct look *l = *at;

    *at = l->next;
    look_release(l);
}

void feeds_free(struct feeds *f) {
    if (!f)
        return;
    while (f->looks)
        unlist(&f->looks);
    pthread_cond_destroy(&f->ended);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

/* With its length, so that no word can be taken for two. */
static void add_word(struct strbuf *text, const char *word) {
    if (word)
        strbuf_addf(text, " %zu:%s", strlen(word), word);
    else
        strbuf_adds(text, " -");
}

const char *feed_question(struct arena *a, const struct record_query *q) {
    const char *const words[] = {q->chain, q->deployment_id, q->app, q->environment, q->action};
    _cleanup_(strbuf_done) struct strbuf text = STRBUF(SIZE_MAX);

    strbuf_addf(&text, "%" PRId64 " %" PRId64, q->from_seq, q->to_seq);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        add_word(&text, words[i]);
    strbuf_adds(&text, q->apps ? " of" : " of all"); /* of no app is not of all */
    for (const char *const *app = q->apps; app && *app; app++)
        add_word(&text, *app);
    return arena_strdup(a, text.data);
}

/* ---- where a stream stands in a look ---- */

/* Whether it began before, so that what it finds may be an answer. */
static bool began_before(const struct look *l, const char *after) {
    return !strcmp(l->from, after) ||
           (record_before(after) && record_xid(l->from) < record_xid(after));
}

/* Which record comes next after that position; false: this look does not say. */
static bool next_in(const struct look *l, const char *after, size_t *ret) {
    uint64_t xid = record_xid(after);
    size_t i = 0;

    if (record_before(after) && strcmp(l->from, after) != 0) {
        while (i < l->n && l->told[i].xid < xid)
            i++;
        if (xid <= record_xid(l->from) || (i == l->n && xid > record_xid(l->upto)))
            return false;
    } else if (strcmp(l->from, after) != 0) {
        while (i < l->n && strcmp(l->told[i].position, after) != 0)
            i++;
        if (i++ == l->n)
            return false;
    }
    *ret = i;
    return i < l->n || !l->more;
}

/* Under the lock: it ended too long ago. */
static bool stale(const struct feeds *f, const struct look *l) {
    return l->ended_us && l->ended_us < clock_monotonic_us() - f->keep_us;
}

/* Under the lock: what a feed may be told from, or what is worth waiting for. */
static struct look *find(const struct feed *feed, uint64_t published) {
    struct look *l = feed->all->looks;
    size_t i;

    while (l && (l->published < published || strcmp(l->question, feed->question) != 0 ||
                 stale(feed->all, l) ||
                 !(l->ended_us ? next_in(l, feed->after, &i) : began_before(l, feed->after))))
        l = l->next;
    return l;
}

/* ---- looking ---- */

bool feed_final(const char *action) {
    static const char prefix[] = "deployment.";

    return !strncmp(action, prefix, sizeof prefix - 1) &&
           deployment_final(action + sizeof prefix - 1);
}

static void add_event(struct look *l, const struct record_query *q, const struct record_page *page,
                      size_t i) {
    struct told *told = &l->told[l->n++];
    const char *action = db_text(page->rows, i, "action");
    char position[RECORD_POSITION];

    told->position = arena_strdup(&l->arena, record_position(q, page, i, position));
    told->xid = record_xid(db_text(page->rows, i, "xid"));
    told->final = feed_final(action);
    strbuf_addf(&l->text, "id: %s\nevent: %s\ndata: ", cursor_encode(&l->arena, position), action);
    strbuf_adds(&l->text, db_text(page->rows, i, "line")); /* JSON has no bare newline */
    strbuf_adds(&l->text, "\n\n");
    told->end = l->text.len;
}

static Status look_read(struct look *l, const struct feed *feed) {
    _cleanup_(record_page_done) struct record_page page = {0};
    const char *from = *l->from ? l->from : NULL;
    Status s = record_page(feed->all->pool, &feed->query, from, FILL_RECORDS, &page);

    atomic_fetch_add(&feed->all->reads, 1);
    l->more = page.more;
    l->held = page.held;
    for (size_t i = 0; s == STATUS_OK && i < page.count; i++) {
        if (l->text.len && l->text.len + strlen(db_text(page.rows, i, "line")) > FILL_BYTES) {
            l->more = true;
            break;
        }
        add_event(l, &feed->query, &page, i);
    }
    if (!l->more)
        memcpy(l->upto, page.looked, sizeof l->upto);
    return l->text.overflowed ? FAULT_BUG : s;
}

/* Under the lock: drops what no stream may be told from any more, and more where there are many. */
static void forget_old(struct feeds *f) {
    size_t n = 0;

    for (struct look **at = &f->looks; *at;) {
        if ((*at)->ended_us && (n == LOOKS_MAX || stale(f, *at))) {
            unlist(at);
        } else {
            n += (*at)->ended_us != 0;
            at = &(*at)->next;
        }
    }
}

static struct look *look_begin(const struct feed *feed, uint64_t published) {
    struct look *l = xcalloc(1, sizeof *l);

    forget_old(feed->all);
    l->refs = 2; /* the list's, and the caller's */
    l->question = xstrdup(feed->question);
    l->published = published;
    memcpy(l->from, feed->after, sizeof l->from);
    l->text = STRBUF(TEXT_MAX);
    l->next = feed->all->looks;
    feed->all->looks = l;
    return l;
}

/* Under the lock. */
static void look_end(struct feeds *f, struct look *l, Status s) {
    struct look **at = &f->looks;

    l->ended_us = clock_monotonic_us();
    if (s != STATUS_OK) { /* who waited for it looks himself */
        while (*at != l)
            at = &(*at)->next;
        unlist(at);
    }
    pthread_cond_broadcast(&f->ended);
}

/* A look that answers this feed, with a reference. */
static Status look_for(const struct feed *feed, struct look **ret) {
    struct feeds *f = feed->all;
    uint64_t published = bus_published(f->bus);
    struct look *l = NULL;
    Status s = STATUS_OK;

    pthread_mutex_lock(&f->lock);
    while (feed->begun && (l = find(feed, published)) && !l->ended_us)
        pthread_cond_wait(&f->ended, &f->lock);
    if (l) {
        l->refs++;
    } else {
        l = look_begin(feed, published);
        pthread_mutex_unlock(&f->lock);
        s = look_read(l, feed);
        pthread_mutex_lock(&f->lock);
        look_end(f, l, s);
    }
    pthread_mutex_unlock(&f->lock);
    *ret = l;
    return s;
}

/* ---- telling ---- */

/* What the query leaves out is not read again.  Short transactions are waited for in short steps;
 * one that stays open is left to the polls. */
static StreamState looked_up_to(struct feed *feed, const struct look *l) {
    if (!*l->upto)
        return STREAM_OPEN;
    if (strcmp(feed->after, l->upto) != 0)
        feed->held = 0;
    memcpy(feed->after, l->upto, sizeof feed->after);
    return l->held && feed->held++ < SOON_MOST ? STREAM_SOON : STREAM_OPEN;
}

static StreamState tell(struct feed *feed, const struct look *l, struct strbuf *out) {
    size_t first = 0, last;
    bool ended = false;

    if (!next_in(l, feed->after, &first))
        return STREAM_MORE;
    for (last = first; last < l->n && !ended; last++)
        ended = feed->ends && l->told[last].final;
    if (last > first) {
        size_t begin = first ? l->told[first - 1].end : 0;

        strbuf_add(out, l->text.data + begin, l->told[last - 1].end - begin);
        snprintf(feed->after, sizeof feed->after, "%s", l->told[last - 1].position);
    }
    if (ended)
        return STREAM_END;
    return l->more ? STREAM_MORE : looked_up_to(feed, l);
}

Status feed_fill(void *ctx, struct strbuf *out, StreamState *ret) {
    struct feed *feed = ctx;
    struct look *l;
    Status s = look_for(feed, &l);

    if (s == STATUS_OK)
        *ret = tell(feed, l, out);
    feed->begun = true;
    pthread_mutex_lock(&feed->all->lock);
    look_release(l);
    pthread_mutex_unlock(&feed->all->lock);
    return s;
}
