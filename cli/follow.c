#include "cli/follow.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "cli/sse.h"
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    EVENT_MOST = 1 << 20,
    REFUSAL_MOST = 1 << 16,
    SILENCE_MS = 45000, /* three heartbeats of the server */
    BACK_OFF_LEAST_MS = 200,
    BACK_OFF_MOST_MS = 5000,
    POLL_EVERY_MS = 1000,
};

struct queued {
    struct queued *next;
    struct follow_record record;
};

struct follow {
    struct session *session;
    char *url, *last_id;
    struct net_loop *loop;
    int event; /* eventfd: something was queued */
    /* the program's thread only: */
    int64_t reconnect_us, away_since_us, poll_us;
    int back_off_ms;
    bool ended, polling;
    char why[160];
    /* under the lock: */
    pthread_mutex_t lock;
    struct queued *first, **end;
    bool connected, finished;
    struct net_response response; /* when finished: without its body */
    struct strbuf refusal;        /* the body of an answer that is no stream */
    struct sse sse;
};

void follow_record_done(struct follow_record *r) {
    free(r->id);
    json_decref(r->json);
    *r = (struct follow_record){0};
}

static void wake(struct follow *f) {
    uint64_t one = 1;

    while (write(f->event, &one, sizeof(one)) < 0)
        ;
}

static void on_event(void *ctx, const struct sse_event *event) {
    json_t *json = json_parse(event->text);
    struct follow *f = ctx;
    struct queued *q;

    if (!json)
        return;
    q = xcalloc(1, sizeof(*q));
    q->record = (struct follow_record){.id = xstrdup(event->id), .json = json};
    *f->end = q;
    f->end = &q->next;
}

static bool on_bytes(void *ctx, unsigned status, const char *bytes, size_t n) {
    struct follow *f = ctx;

    pthread_mutex_lock(&f->lock);
    f->connected = status == 200;
    if (f->connected)
        sse_feed(&f->sse, bytes, n);
    else
        strbuf_add(&f->refusal, bytes, n);
    pthread_mutex_unlock(&f->lock);
    wake(f);
    return true;
}

static void on_done(void *ctx, struct net_response *r) {
    struct follow *f = ctx;

    pthread_mutex_lock(&f->lock);
    f->response = *r;
    *r = (struct net_response){0};
    f->connected = false;
    f->finished = true;
    pthread_mutex_unlock(&f->lock);
    wake(f);
}

static void follow_connect(struct follow *f) {
    _cleanup_free_ char *last = f->last_id ? xasprintf("Last-Event-ID: %s", f->last_id) : NULL;
    const char *headers[8] = {"Accept: text/event-stream", last};
    struct net_request in = {
        .url = f->url,
        .method = "GET",
        .headers = headers,
        .idle_ms = SILENCE_MS,
        .tls = &f->session->tls,
    };

    api_headers(f->session, headers);
    f->finished = false;
    sse_restart(&f->sse);
    strbuf_clear(&f->refusal);
    net_loop_start(f->loop, &in, on_bytes, on_done, f);
}

struct follow *follow_new(struct session *s, const char *path, const char *last_id) {
    struct follow *f = xcalloc(1, sizeof(*f));

    f->session = s;
    f->url = xasprintf("%s%s", s->url, path);
    f->last_id = xstrdup(last_id);
    f->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (f->event < 0)
        die("no event descriptor");
    pthread_mutex_init(&f->lock, NULL);
    f->end = &f->first;
    f->refusal = STRBUF(REFUSAL_MOST);
    f->sse = sse_new(EVENT_MOST, on_event, f);
    f->back_off_ms = BACK_OFF_LEAST_MS;
    f->loop = net_loop_new("sluice/" SLUICE_VERSION);
    follow_connect(f);
    return f;
}

void follow_free(struct follow *f) {
    struct queued *next;

    if (!f)
        return;
    net_loop_free(f->loop);
    for (struct queued *q = f->first; q; q = next) {
        next = q->next;
        follow_record_done(&q->record);
        free(q);
    }
    net_response_done(&f->response);
    strbuf_done(&f->refusal);
    sse_done(&f->sse);
    pthread_mutex_destroy(&f->lock);
    close(f->event);
    free(f->url);
    free(f->last_id);
    free(f);
}

/* Takes the oldest record; false when none is queued. */
static bool take_record(struct follow *f, struct follow_record *ret) {
    struct queued *q;

    pthread_mutex_lock(&f->lock);
    q = f->first;
    if (q) {
        f->first = q->next;
        if (!f->first)
            f->end = &f->first;
    }
    pthread_mutex_unlock(&f->lock);
    if (!q)
        return false;
    *ret = q->record;
    free(q);
    if (ret->id && *ret->id) {
        free(f->last_id);
        f->last_id = xstrdup(ret->id);
    }
    f->away_since_us = 0;
    f->back_off_ms = BACK_OFF_LEAST_MS;
    return true;
}

static void follow_back_off(struct follow *f, const struct net_response *r) {
    int64_t now = clock_monotonic_us(), ms = f->back_off_ms;

    if (r->retry_after_s > 0 && r->retry_after_s * 1000 < BACK_OFF_MOST_MS)
        ms = r->retry_after_s * 1000;
    f->reconnect_us = now + (int64_t)((double)ms * US_PER_MS * (0.75 + random_unit() / 2));
    f->back_off_ms = f->back_off_ms * 2 < BACK_OFF_MOST_MS ? f->back_off_ms * 2 : BACK_OFF_MOST_MS;
    if (!f->away_since_us && r->outcome != NET_ANSWERED)
        f->away_since_us = now;
    memcpy(f->why, r->error, sizeof(f->why));
}

static FollowNews refused(struct follow *f, const struct net_response *r,
                          struct api_answer *ret_answer) {
    *ret_answer = (struct api_answer){.answered = true,
                                      .status = r->status,
                                      .text = strbuf_take(&f->refusal),
                                      .retry_after_s = r->retry_after_s};
    ret_answer->json = json_parse(ret_answer->text);
    f->ended = true;
    return FOLLOW_REFUSED;
}

/* What the end of a connection means. */
static FollowNews follow_finished(struct follow *f, struct api_answer *ret_answer) {
    struct net_response r;
    FollowNews news = FOLLOW_NOTHING;

    pthread_mutex_lock(&f->lock);
    r = f->response;
    f->response = (struct net_response){0};
    f->finished = false;
    pthread_mutex_unlock(&f->lock);
    if (r.outcome == NET_ANSWERED && r.status == 204) {
        f->ended = true;
        news = FOLLOW_ENDED;
    } else if (r.outcome == NET_ANSWERED && r.status == 200 && r.content_type &&
               strncmp(r.content_type, "text/event-stream", 17) != 0) {
        f->polling = true;
    } else if (r.outcome == NET_ANSWERED && r.status == 406) {
        f->polling = true;
    } else if (r.outcome == NET_ANSWERED && r.status >= 300 && r.status < 500 && r.status != 429) {
        news = refused(f, &r, ret_answer);
    } else {
        follow_back_off(f, &r);
    }
    net_response_done(&r);
    return news;
}

static bool stream_finished(struct follow *f) {
    bool finished;

    pthread_mutex_lock(&f->lock);
    finished = f->finished && !f->first;
    if (f->connected)
        f->away_since_us = 0;
    pthread_mutex_unlock(&f->lock);
    return finished;
}

/* From now on the event says what came after. */
static void clear_event(struct follow *f) {
    uint64_t count;

    if (read(f->event, &count, sizeof(count)) < 0)
        return; /* nothing was queued */
}

/* Waits until something is queued, `until`, or a signal. */
static void follow_wait(struct follow *f, int64_t until) {
    struct pollfd event = {.fd = f->event, .events = POLLIN};
    int64_t left_ms = (until - clock_monotonic_us() + US_PER_MS - 1) / US_PER_MS;

    if (left_ms > 0 && poll(&event, 1, (int)left_ms) > 0)
        clear_event(f);
}

static bool poll_due(struct follow *f, int64_t now) {
    if (!f->polling || now < f->poll_us)
        return false;
    f->poll_us = now + POLL_EVERY_MS * US_PER_MS;
    return true;
}

FollowNews follow_next(struct follow *f, int timeout_ms, struct follow_record *ret,
                       struct api_answer *ret_answer) {
    int64_t now = clock_monotonic_us(), until = now + timeout_ms * US_PER_MS, next;
    FollowNews news;

    clear_event(f); /* before looking, so that who waits for follow_fd() misses nothing */
    for (bool waited = false;; waited = true) {
        if (take_record(f, ret))
            return FOLLOW_RECORD;
        if (f->ended)
            return FOLLOW_ENDED;
        if (stream_finished(f)) {
            news = follow_finished(f, ret_answer);
            if (news != FOLLOW_NOTHING)
                return news;
        }
        now = clock_monotonic_us();
        if (poll_due(f, now))
            return FOLLOW_POLL;
        if (f->reconnect_us && now >= f->reconnect_us) {
            f->reconnect_us = 0;
            follow_connect(f);
        }
        if (waited)
            return FOLLOW_NOTHING;
        next = f->polling && f->poll_us < until ? f->poll_us : until;
        if (f->reconnect_us && f->reconnect_us < next)
            next = f->reconnect_us;
        follow_wait(f, next);
    }
}

int64_t follow_away_us(const struct follow *f, const char **ret_why) {
    if (ret_why)
        *ret_why = f->why;
    return f->away_since_us ? clock_monotonic_us() - f->away_since_us : 0;
}

int follow_fd(const struct follow *f) {
    return f->event;
}
