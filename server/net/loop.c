/* net/loop.c: many calls at once on one thread.  Everything that touches curl happens on that
 * thread; the others only queue calls and mark them as canceled, under the lock. */
#include "base/arena.h"
#include "base/clock.h"
#include "net/easy.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_MS = 1000, IDLE_CONNECTIONS = 32, DEFAULT_TIMEOUT_MS = 30000 };

struct loop_call {
    struct loop_call *next;
    uint64_t id;
    struct arena arena; /* the copy of the request */
    struct net_request in;
    struct net_data_sink sink;
    net_done_fn *on_done;
    net_timer_fn *on_time; /* not NULL: no call but a timer */
    int64_t due_us;        /* of a timer */
    CURL *easy;            /* NULL before it is started */
    struct easy_call call;
    bool canceled; /* under the lock */
};

struct net_loop {
    pthread_t thread;
    pthread_mutex_t lock;
    CURLM *multi;
    char *user_agent;
    /* under the lock: */
    struct loop_call *queued, **queued_end; /* oldest first */
    struct loop_call *running;              /* changed only by the thread */
    uint64_t last_id;
    bool ending, canceling;
};

static void copy_request(struct loop_call *c, const struct net_request *in) {
    size_t n = 0;
    const char **headers;

    c->in = *in;
    c->in.method = arena_strdup(&c->arena, in->method);
    c->in.url = arena_strdup(&c->arena, in->url);
    if (in->body) {
        char *body = arena_alloc(&c->arena, in->body_len + 1);

        memcpy(body, in->body, in->body_len);
        c->in.body = body;
    }
    if (in->headers) {
        while (in->headers[n])
            n++;
        headers = arena_alloc(&c->arena, (n + 1) * sizeof(*headers));
        for (size_t i = 0; i < n; i++)
            headers[i] = arena_strdup(&c->arena, in->headers[i]);
        c->in.headers = headers;
    }
}

static uint64_t loop_queue(struct net_loop *l, struct loop_call *c) {
    uint64_t id;

    pthread_mutex_lock(&l->lock);
    id = c->id = ++l->last_id;
    *l->queued_end = c;
    l->queued_end = &c->next;
    pthread_mutex_unlock(&l->lock);
    curl_multi_wakeup(l->multi);
    return id;
}

uint64_t net_loop_start(struct net_loop *l, const struct net_request *in, net_data_fn *on_data,
                        net_done_fn *on_done, void *ctx) {
    struct loop_call *c = xcalloc(1, sizeof(*c));

    copy_request(c, in);
    c->sink = (struct net_data_sink){on_data, ctx};
    c->on_done = on_done;
    if (!on_data && c->in.timeout_ms <= 0)
        c->in.timeout_ms = DEFAULT_TIMEOUT_MS;
    return loop_queue(l, c);
}

uint64_t net_loop_after(struct net_loop *l, int delay_ms, net_timer_fn *fn, void *ctx) {
    struct loop_call *c = xcalloc(1, sizeof(*c));

    c->sink.ctx = ctx;
    c->on_time = fn;
    c->due_us = clock_monotonic_us() + delay_ms * US_PER_MS;
    return loop_queue(l, c);
}

static bool mark_canceled(struct loop_call *c, uint64_t id) {
    for (; c; c = c->next) {
        if (c->id == id) {
            c->canceled = true;
            return true;
        }
    }
    return false;
}

void net_loop_cancel(struct net_loop *l, uint64_t id) {
    bool found;

    pthread_mutex_lock(&l->lock);
    found = mark_canceled(l->running, id) || mark_canceled(l->queued, id);
    l->canceling = l->canceling || found;
    pthread_mutex_unlock(&l->lock);
    if (found)
        curl_multi_wakeup(l->multi);
}

static void loop_unlink(struct net_loop *l, struct loop_call *c) {
    struct loop_call **at;

    pthread_mutex_lock(&l->lock);
    for (at = &l->running; *at != c; at = &(*at)->next)
        ;
    *at = c->next;
    pthread_mutex_unlock(&l->lock);
}

/* Ends a running call: the caller may not touch it afterwards. */
static void loop_finish(struct net_loop *l, struct loop_call *c, CURLcode code, bool canceled) {
    struct net_response response;

    loop_unlink(l, c);
    if (c->on_time) {
        c->on_time(c->sink.ctx, canceled);
        free(c);
        return;
    }
    if (c->easy)
        curl_multi_remove_handle(l->multi, c->easy);
    easy_end(&c->call, code, &response);
    if (canceled && response.outcome != NET_ANSWERED) {
        response.outcome = NET_UNKNOWN;
        strncpy(response.error, "canceled", sizeof(response.error) - 1);
    }
    c->on_done(c->sink.ctx, &response);
    net_response_done(&response);
    curl_easy_cleanup(c->easy);
    arena_done(&c->arena);
    free(c);
}

static void loop_begin(struct net_loop *l, struct loop_call *c) {
    if (c->on_time)
        return;
    c->easy = curl_easy_init();
    if (!c->easy)
        die("out of memory");
    curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
    if (!easy_begin(&c->call, c->easy, &c->in, l->user_agent,
                    (struct net_data_sink){c->sink.fn, c->sink.ctx}))
        loop_finish(l, c, CURLE_BAD_FUNCTION_ARGUMENT, false);
    else
        curl_multi_add_handle(l->multi, c->easy);
}

/* Moves one queued call to the running ones: NULL when none is queued. */
static struct loop_call *loop_next_queued(struct net_loop *l) {
    struct loop_call *c;

    pthread_mutex_lock(&l->lock);
    c = l->queued;
    if (c) {
        l->queued = c->next;
        if (!l->queued)
            l->queued_end = &l->queued;
        c->next = l->running;
        l->running = c;
    }
    pthread_mutex_unlock(&l->lock);
    return c;
}

static struct loop_call *loop_next_canceled(struct net_loop *l) {
    struct loop_call *c = NULL;

    pthread_mutex_lock(&l->lock);
    if (l->canceling || l->ending) {
        for (c = l->running; c && !c->canceled && !l->ending;)
            c = c->next;
        l->canceling = c != NULL;
    }
    pthread_mutex_unlock(&l->lock);
    return c;
}

/* When a timer is due or a stream was silent for too long; 0: never. */
static int64_t due_us(const struct loop_call *c) {
    if (c->on_time)
        return c->due_us;
    return c->call.idle_us ? c->call.last_byte_us + c->call.idle_us : 0;
}

/* Ends what is due.  Returns the milliseconds until the next could be. */
static int loop_end_due(struct net_loop *l) {
    int64_t now = clock_monotonic_us(), left, least = POLL_MS;
    struct loop_call *next;

    for (struct loop_call *c = l->running; c; c = next) {
        next = c->next;
        if (due_us(c) == 0)
            continue;
        left = (due_us(c) - now + US_PER_MS - 1) / US_PER_MS;
        if (left <= 0) {
            c->call.idled = true;
            loop_finish(l, c, CURLE_OPERATION_TIMEDOUT, false);
        } else if (left < least) {
            least = left;
        }
    }
    return (int)least;
}

static void loop_end_done(struct net_loop *l) {
    struct loop_call *c;
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(l->multi, &left))) {
        CURLcode code = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        loop_finish(l, c, code, false);
    }
}

static bool loop_ending(struct net_loop *l) {
    bool ending;

    pthread_mutex_lock(&l->lock);
    ending = l->ending && !l->queued && !l->running;
    pthread_mutex_unlock(&l->lock);
    return ending;
}

static void *loop_thread(void *ctx) {
    struct net_loop *l = ctx;
    struct loop_call *c;
    int running, wait_ms;

    while (!loop_ending(l)) {
        while ((c = loop_next_queued(l)))
            loop_begin(l, c);
        while ((c = loop_next_canceled(l)))
            loop_finish(l, c, CURLE_ABORTED_BY_CALLBACK, true);
        if (curl_multi_perform(l->multi, &running) != CURLM_OK)
            die("libcurl's event loop failed");
        loop_end_done(l);
        wait_ms = loop_end_due(l);
        if (!loop_ending(l))
            curl_multi_poll(l->multi, NULL, 0, wait_ms, NULL);
    }
    return NULL;
}

struct net_loop *net_loop_new(const char *user_agent) {
    struct net_loop *l = xcalloc(1, sizeof(*l));
    sigset_t all, before;

    pthread_mutex_init(&l->lock, NULL);
    l->queued_end = &l->queued;
    l->user_agent = xstrdup(user_agent);
    l->multi = curl_multi_init();
    if (!l->multi)
        die("out of memory");
    curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the program's own threads */
    if (pthread_create(&l->thread, NULL, loop_thread, l) != 0)
        die("no thread for the event loop");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return l;
}

void net_loop_free(struct net_loop *l) {
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->ending = true;
    pthread_mutex_unlock(&l->lock);
    curl_multi_wakeup(l->multi);
    pthread_join(l->thread, NULL);
    curl_multi_cleanup(l->multi);
    pthread_mutex_destroy(&l->lock);
    free(l->user_agent);
    free(l);
}
