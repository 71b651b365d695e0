/* db/bus.c: two threads around PostgreSQL's LISTEN and NOTIFY.
 *
 * Publishing calls the subscribers at once and leaves the topic in a set; the notifier sends the
 * whole set in one statement, so that what gathers while one NOTIFY commits goes out with the next.
 * A payload is this process's mark and topics, each on a line; no topics: anything may have
 * changed. */
#include "db/bus.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "db/conn.h"
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    SUBSCRIBERS = 16,
    TOPIC_MAX = 200,
    PENDING_MAX = 512, /* more: one "anything" instead */
    PAYLOAD_MAX = 7900,
    CALL_MS = 2000,
    KEEP_MS = 5000,
    PAUSE_LEAST_MS = 50,
    PAUSE_MOST_MS = 2000,
    LAST_MS = 1000,
};

struct subscriber {
    bus_fn *fn;
    void *ctx;
};

struct bus {
    struct conn_target target;
    bool threads;
    struct subscriber subscribers[SUBSCRIBERS];
    atomic_uint subscribers_n;
    _Atomic uint64_t published;
    char mark[UUID_TEXT];
    pthread_t listener, notifier;
    int wake; /* eventfd: tells the listener to end */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *pending[PENDING_MAX];
    size_t pending_n;
    bool anything; /* the set overflowed */
    atomic_bool ending, hears;
    int64_t end_us; /* the notifier's last moment once it is ending */
};

static void deliver(struct bus *b, const char *topic) {
    unsigned n = atomic_load(&b->subscribers_n);

    atomic_fetch_add(&b->published, 1);
    for (unsigned i = 0; i < n; i++)
        b->subscribers[i].fn(b->subscribers[i].ctx, topic);
}

void bus_subscribe(struct bus *b, bus_fn *fn, void *ctx) {
    unsigned n = atomic_load(&b->subscribers_n);

    if (n == SUBSCRIBERS)
        die("bus: more than %d subscribers", SUBSCRIBERS);
    b->subscribers[n] = (struct subscriber){.fn = fn, .ctx = ctx};
    atomic_store(&b->subscribers_n, n + 1);
}

uint64_t bus_published(const struct bus *b) {
    return atomic_load(&b->published);
}

static void forget_pending(struct bus *b) {
    while (b->pending_n)
        free(b->pending[--b->pending_n]);
}

static void remember(struct bus *b, const char *topic) {
    if (b->anything)
        return;
    for (size_t i = 0; i < b->pending_n; i++)
        if (strcmp(b->pending[i], topic) == 0)
            return;
    if (b->pending_n == PENDING_MAX) {
        forget_pending(b);
        b->anything = true;
        return;
    }
    b->pending[b->pending_n++] = xstrdup(topic);
}

void bus_publish_here(struct bus *b, const char *topic) {
    deliver(b, topic);
}

void bus_publish(struct bus *b, const char *topic) {
    if (strlen(topic) > TOPIC_MAX || strchr(topic, '\n'))
        die("bus: the topic \"%.40s…\" is longer than %d bytes or holds a newline", topic,
            TOPIC_MAX);
    deliver(b, topic);
    if (!b->threads)
        return;
    pthread_mutex_lock(&b->lock);
    remember(b, topic);
    pthread_cond_signal(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

bool bus_hears(const struct bus *b) {
    return !b->threads || atomic_load(&b->hears);
}

uint64_t topic_hash(const char *topic) {
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a: a collision costs one needless word */

    if (!topic)
        return 0;
    for (; *topic; topic++)
        h = (h ^ (unsigned char)*topic) * UINT64_C(1099511628211);
    return h ? h : 1;
}

static int64_t in_ms(int64_t ms) {
    return clock_monotonic_us() + ms * US_PER_MS;
}

static double next_pause(double pause_ms) {
    double next = PAUSE_LEAST_MS + random_unit() * (pause_ms * 3 - PAUSE_LEAST_MS);

    return next > PAUSE_MOST_MS ? PAUSE_MOST_MS : next;
}

/* ---- the notifier ---- */

static bool work_waits(const struct bus *b) {
    return b->pending_n || b->anything;
}

/* Waits for topics.  False when it is time to end. */
static bool await_work(struct bus *b) {
    while (!work_waits(b) && !b->ending)
        pthread_cond_wait(&b->changed, &b->lock);
    return work_waits(b) && (!b->ending || clock_monotonic_us() < b->end_us);
}

/* Takes topics into one payload.  With the lock held. */
static void take_payload(struct bus *b, struct strbuf *payload) {
    size_t taken = 0;

    strbuf_adds(payload, b->mark);
    for (; taken < b->pending_n && payload->len + TOPIC_MAX + 1 < PAYLOAD_MAX; taken++) {
        strbuf_addf(payload, "\n%s", b->pending[taken]);
        free(b->pending[taken]);
    }
    memmove(b->pending, b->pending + taken, (b->pending_n - taken) * sizeof *b->pending);
    b->pending_n -= taken;
    b->anything = false;
}

/* A payload that could not be sent may be forgotten: what it told is told by "anything" afterwards.
 */
static bool send_payload(struct bus *b, struct db_conn **c, const char *payload) {
    if (*c && !conn_alive(*c)) {
        conn_close(*c);
        *c = NULL;
    }
    if (!*c && conn_open(&b->target, in_ms(CALL_MS), c) != STATUS_OK)
        return false;
    if (conn_query(*c, SQL_DB_NOTIFY, NULL, DB_PARAMS(payload), in_ms(CALL_MS)) == STATUS_OK)
        return true;
    conn_close(*c);
    *c = NULL;
    return false;
}

static void pause_notifier(struct bus *b, double ms) {
    int64_t until = in_ms((int64_t)ms);

    if (b->ending && until > b->end_us)
        until = b->end_us;
    while (clock_monotonic_us() < until && !b->ending)
        clock_cond_wait(&b->changed, &b->lock, until);
}

static void *notifier_main(void *arg) {
    struct bus *b = arg;
    struct db_conn *c = NULL;
    double pause_ms = PAUSE_LEAST_MS;

    pthread_mutex_lock(&b->lock);
    while (await_work(b)) {
        _cleanup_(strbuf_done) struct strbuf payload = STRBUF(PAYLOAD_MAX + TOPIC_MAX);
        bool sent;

        take_payload(b, &payload);
        pthread_mutex_unlock(&b->lock);
        sent = send_payload(b, &c, payload.data);
        pthread_mutex_lock(&b->lock);
        if (sent) {
            pause_ms = PAUSE_LEAST_MS;
            continue;
        }
        forget_pending(b);
        b->anything = true;
        if (b->ending)
            break;
        pause_ms = next_pause(pause_ms);
        pause_notifier(b, pause_ms);
    }
    pthread_mutex_unlock(&b->lock);
    conn_close(c);
    return NULL;
}

/* ---- the listener ---- */

static void receive(struct bus *b, const char *payload) {
    _cleanup_free_ char *copy = NULL;
    size_t mark = strlen(b->mark);
    char *rest, *topic;

    if (strncmp(payload, b->mark, mark) == 0)
        return; /* ours: delivered when it was published */
    copy = xstrdup(payload);
    rest = strchr(copy, '\n');
    if (!rest) {
        deliver(b, NULL);
        return;
    }
    rest++;
    while ((topic = strsep(&rest, "\n")))
        deliver(b, topic);
}

static void receive_all(struct bus *b, struct db_conn *c) {
    PGnotify *n;

    while ((n = PQnotifies(c->pg))) {
        receive(b, n->extra);
        PQfreemem(n);
    }
}

/* Sleeps until the socket has something, the bus ends, or KEEP_MS passed. */
static void await_notice(struct bus *b, struct db_conn *c, int64_t ms) {
    struct pollfd fds[2] = {{.fd = b->wake, .events = POLLIN},
                            {.fd = c ? PQsocket(c->pg) : -1, .events = POLLIN}};

    (void)poll(fds, 2, (int)ms);
}

static struct db_conn *listen_open(struct bus *b) {
    static const char *const listen = "LISTEN sluice";
    struct round r = {.commands = &listen, .commands_n = 1, .statement = NO_STATEMENT};
    struct db_conn *c = NULL;
    RoundOutcome o;

    if (conn_open(&b->target, in_ms(CALL_MS), &c) != STATUS_OK)
        return NULL;
    o = conn_round(c, &r, in_ms(CALL_MS));
    PQclear(r.result);
    if (o == ROUND_DONE)
        return c;
    conn_close(c);
    return NULL;
}

/* Delivers until the connection breaks or the bus ends. */
static void listen_on(struct bus *b, struct db_conn *c) {
    int64_t asked_us = clock_monotonic_us();

    while (!atomic_load(&b->ending)) {
        receive_all(b, c);
        await_notice(b, c, KEEP_MS);
        if (atomic_load(&b->ending) || !conn_alive(c))
            break;
        if (clock_monotonic_us() >=
            asked_us + KEEP_MS * US_PER_MS) { /* a stopped server says nothing */
            if (conn_query(c, SQL_DB_PING, NULL, DB_NO_PARAMS, in_ms(CALL_MS)) != STATUS_OK)
                break;
            asked_us = clock_monotonic_us();
        }
    }
}

static void *listener_main(void *arg) {
    struct bus *b = arg;
    double pause_ms = PAUSE_LEAST_MS;

    while (!atomic_load(&b->ending)) {
        struct db_conn *c = listen_open(b);

        if (!c) {
            pause_ms = next_pause(pause_ms);
            await_notice(b, NULL, (int64_t)pause_ms);
            continue;
        }
        pause_ms = PAUSE_LEAST_MS;
        deliver(b, NULL); /* what was told before LISTEN was not heard */
        atomic_store(&b->hears, true);
        listen_on(b, c);
        atomic_store(&b->hears, false);
        conn_close(c);
    }
    return NULL;
}

struct bus *bus_new(const char *database_url) {
    struct bus *b = xcalloc(1, sizeof *b);

    uuid_v7(b->mark);
    pthread_mutex_init(&b->lock, NULL);
    clock_cond_init(&b->changed);
    b->wake = -1;
    if (!database_url)
        return b;
    conn_target_init(&b->target, database_url, "sluiced-bus", CALL_MS, 0);
    b->wake = eventfd(0, EFD_CLOEXEC);
    b->threads = b->wake >= 0 && pthread_create(&b->listener, NULL, listener_main, b) == 0 &&
                 pthread_create(&b->notifier, NULL, notifier_main, b) == 0;
    if (!b->threads)
        die("cannot start the bus's threads");
    return b;
}

void bus_free(struct bus *b) {
    if (!b)
        return;
    if (b->threads) {
        pthread_mutex_lock(&b->lock);
        b->end_us = in_ms(LAST_MS);
        atomic_store(&b->ending, true);
        pthread_cond_broadcast(&b->changed);
        pthread_mutex_unlock(&b->lock);
        (void)eventfd_write(b->wake, 1);
        pthread_join(b->notifier, NULL);
        pthread_join(b->listener, NULL);
        close(b->wake);
        conn_target_done(&b->target);
    }
    forget_pending(b);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}
