/* http/rate.c: a bucket is one number, the time at which it will be full again (the generic cell
 * rate algorithm): a bucket that is full is a bucket that need not be there.  So the table holds
 * only callers of the last seconds, and where more of them meet in one row than it has places, the
 * one whose bucket is fullest is forgotten, which costs us a few requests too many. */
#include "http/rate.h"
#include "base/clock.h"
#include "base/ids.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 4096, PLACES = 8, LOCKS = 64 };

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_US INT64_C(1000)

struct bucket {
    uint64_t who;
    int64_t full_ns; /* monotonic; in the past: full */
};

struct rates {
    _Atomic uint64_t rule[RATE_KINDS]; /* per_s << 32 | burst, so that both change at once */
    uint64_t secret[2];
    pthread_mutex_t lock[LOCKS];
    struct bucket row[ROWS][PLACES]; /* row i under lock i % LOCKS */
};

const char *const rate_names[RATE_KINDS] = {"principal", "network"};

void rates_change(struct rates *r, const struct http_rate rule[RATE_KINDS]) {
    for (RateKind kind = RATE_PRINCIPAL; kind < RATE_KINDS; kind++)
        atomic_store(&r->rule[kind], (uint64_t)rule[kind].per_s << 32 | (uint32_t)rule[kind].burst);
}

struct rates *rates_new(const struct http_rate rule[RATE_KINDS]) {
    struct rates *r = xcalloc(1, sizeof *r);

    rates_change(r, rule);
    random_bytes(r->secret, sizeof r->secret);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&r->lock[i], NULL);
    return r;
}

static struct http_rate rule_of(const struct rates *r, RateKind kind) {
    uint64_t rule = atomic_load(&r->rule[kind]);

    return (struct http_rate){.per_s = (int64_t)(rule >> 32), .burst = (int64_t)(uint32_t)rule};
}

void rates_free(struct rates *r) {
    if (!r)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&r->lock[i]);
    free(r);
}

bool rates_limit(const struct rates *r, RateKind kind) {
    return rule_of(r, kind).per_s > 0;
}

/* ---- SipHash-2-4 (Aumasson, Bernstein 2012) ---- */

struct sip {
    uint64_t v[4];
};

static uint64_t rotated(uint64_t x, unsigned n) {
    return x << n | x >> (64 - n);
}

static void sip_rounds(struct sip *s, int n) {
    uint64_t *v = s->v;

    while (n-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotated(v[1], 13) ^ v[0];
        v[3] = rotated(v[3], 16) ^ v[2];
        v[0] = rotated(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotated(v[1], 17) ^ v[2];
        v[3] = rotated(v[3], 21) ^ v[0];
        v[2] = rotated(v[2], 32);
    }
}

static void sip_word(struct sip *s, uint64_t word) {
    s->v[3] ^= word;
    sip_rounds(s, 2);
    s->v[0] ^= word;
}

static void sip_bytes(struct sip *s, const char *bytes, size_t n) {
    uint64_t word;

    for (; n >= sizeof word; bytes += sizeof word, n -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        sip_word(s, word);
    }
    word = 0;
    memcpy(&word, bytes, n);
    sip_word(s, word | (uint64_t)n << 56); /* each text ends in its own word */
}

static struct sip sip_begin(const uint64_t secret[2], RateKind kind) {
    struct sip s = {
        {secret[0] ^ UINT64_C(0x736f6d6570736575), secret[1] ^ UINT64_C(0x646f72616e646f6d),
         secret[0] ^ UINT64_C(0x6c7967656e657261), secret[1] ^ UINT64_C(0x7465646279746573)}};

    sip_word(&s, (uint64_t)kind);
    return s;
}

/* Never 0, which is nobody. */
static uint64_t sip_end(struct sip *s) {
    uint64_t hash;

    s->v[2] ^= 0xff;
    sip_rounds(s, 4);
    hash = s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
    return hash ? hash : 1;
}

uint64_t rates_of_principal(const struct rates *r, const struct principal *p) {
    struct sip s = sip_begin(r->secret, RATE_PRINCIPAL);
    const char *issuer = p->issuer ? p->issuer : "";

    sip_bytes(&s, issuer, strlen(issuer));
    sip_bytes(&s, p->subject, strlen(p->subject));
    return sip_end(&s);
}

uint64_t rates_of_network(const struct rates *r, const struct address *address) {
    struct sip s = sip_begin(r->secret, RATE_NETWORK);

    if (address->family)
        sip_bytes(&s, (const char *)address->bytes, address->family == AF_INET ? 3 : 6);
    return sip_end(&s);
}

/* ---- buckets ---- */

/* The caller's place in its row: its own, else the one that is worth least.  Under the row's lock.
 */
static struct bucket *place(struct bucket row[PLACES], uint64_t who) {
    struct bucket *best = &row[0];

    for (size_t i = 0; i < PLACES; i++) {
        if (row[i].who == who)
            return &row[i];
        if (row[i].full_ns < best->full_ns)
            best = &row[i];
    }
    *best = (struct bucket){.who = who};
    return best;
}

static int64_t up_to_seconds(int64_t ns) {
    return (ns + NS_PER_S - 1) / NS_PER_S;
}

bool rates_take(struct rates *r, RateKind kind, uint64_t who, int64_t now_us,
                struct rate_state *ret) {
    const struct http_rate rule = rule_of(r, kind);
    const int64_t each_ns = rule.per_s ? NS_PER_S / rule.per_s : 0, now_ns = now_us * NS_PER_US;
    const int64_t all_ns = each_ns * rule.burst;
    pthread_mutex_t *lock = &r->lock[who % LOCKS];
    struct bucket *b;
    int64_t full_ns;
    bool taken;

    *ret = (struct rate_state){0};
    if (!each_ns) /* no limit any more */
        return true;
    pthread_mutex_lock(lock);
    b = place(r->row[who % ROWS], who);
    full_ns = (b->full_ns > now_ns ? b->full_ns : now_ns) + each_ns;
    taken = full_ns - now_ns <= all_ns;
    if (taken)
        b->full_ns = full_ns;
    full_ns = b->full_ns;
    pthread_mutex_unlock(lock);
    *ret = (struct rate_state){
        .remaining = full_ns > now_ns ? (all_ns - (full_ns - now_ns)) / each_ns : 0,
        .full_s = up_to_seconds(full_ns - now_ns),
        .retry_after_s = taken ? 0 : up_to_seconds(full_ns + each_ns - now_ns - all_ns),
    };
    return taken;
}
