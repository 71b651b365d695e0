/* auth/cache.c: a set-associative table behind sharded locks.  A lookup touches one shard and eight
 * entries; memory is claimed only as sets are used. */
#include "auth/cache.h"
#include <pthread.h>
#include <string.h>

enum { SHARDS = 16, WAYS = 8, SETS = TOKEN_CACHE_ENTRIES / SHARDS / WAYS };

struct entry {
    unsigned char key[TOKEN_KEY];
    int64_t until_s;
    uint64_t generation;
    uint64_t used;   /* the shard's tick when last asked for */
    void *principal; /* owned; as principal_place made it; NULL: free */
};

struct shard {
    pthread_mutex_t lock;
    uint64_t tick;
    struct entry sets[SETS][WAYS];
};

struct token_cache {
    struct shard shards[SHARDS];
};

struct token_cache *token_cache_new(void) {
    struct token_cache *c = xcalloc(1, sizeof *c);

    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_init(&c->shards[i].lock, NULL);
    return c;
}

void token_cache_free(struct token_cache *c) {
    if (!c)
        return;
    for (int i = 0; i < SHARDS; i++) {
        for (int set = 0; set < SETS; set++)
            for (int way = 0; way < WAYS; way++)
                free(c->shards[i].sets[set][way].principal);
        pthread_mutex_destroy(&c->shards[i].lock);
    }
    free(c);
}

static struct shard *shard_of(struct token_cache *c, const unsigned char *key) {
    return &c->shards[key[0] % SHARDS];
}

static struct entry *set_of(struct shard *s, const unsigned char *key) {
    return s->sets[(key[1] | (unsigned)key[2] << 8) % SETS];
}

static struct entry *find(struct entry *set, const unsigned char *key) {
    for (int way = 0; way < WAYS; way++)
        if (set[way].principal && !memcmp(set[way].key, key, TOKEN_KEY))
            return &set[way];
    return NULL;
}

const struct principal *token_cache_get(struct token_cache *c, const unsigned char key[TOKEN_KEY],
                                        uint64_t generation, int64_t now_s, struct arena *arena) {
    struct shard *s = shard_of(c, key);
    const struct principal *out = NULL;
    struct entry *e;

    pthread_mutex_lock(&s->lock);
    e = find(set_of(s, key), key);
    if (e && e->until_s > now_s && e->generation == generation) {
        e->used = ++s->tick;
        out = principal_place(arena_alloc(arena, principal_size(e->principal)), e->principal);
    }
    pthread_mutex_unlock(&s->lock);
    return out;
}

/* The entry to overwrite: the key's own, else a free or expired one, else the least recently used.
 */
static struct entry *victim(struct entry *set, const unsigned char *key, int64_t now_s) {
    struct entry *v = find(set, key);

    if (v)
        return v;
    v = set;
    for (int way = 0; way < WAYS; way++) {
        if (!set[way].principal || set[way].until_s <= now_s)
            return &set[way];
        if (set[way].used < v->used)
            v = &set[way];
    }
    return v;
}

void token_cache_put(struct token_cache *c, const unsigned char key[TOKEN_KEY], uint64_t generation,
                     const struct principal *p, int64_t now_s, int64_t until_s) {
    void *copy = xmalloc(principal_size(p)), *old;
    struct shard *s = shard_of(c, key);
    struct entry *e;

    principal_place(copy, p);
    pthread_mutex_lock(&s->lock);
    e = victim(set_of(s, key), key, now_s);
    old = e->principal;
    memcpy(e->key, key, TOKEN_KEY);
    e->until_s = until_s;
    e->generation = generation;
    e->used = ++s->tick;
    e->principal = copy;
    pthread_mutex_unlock(&s->lock);
    free(old);
}
