/* auth/keyring.c: readers hold a lock for one lookup and one MAC; a reload makes a new snapshot
 * aside and only swaps it under that lock. */
#include "auth/keyring.h"
#include "auth/keyring_snapshot.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "db/bus.h"
#include "db/key.h"
#include "db/nonce.h"
#include <pthread.h>
#include <string.h>

enum { POLL_MS = 5000, FIRST_MS = 250, PARTITIONS_S = 600, USES_S = 180 };

struct keyring {
    struct keyring_settings in;
    char *builtin_secret;                /* owned */
    struct principal *builtin_principal; /* owned */
    pthread_rwlock_t lock;
    struct keyring_snapshot *snapshot; /* under lock; NULL until it was read once */
    pthread_mutex_t loading; /* one reload at a time: an older one never replaces a newer one */
    size_t unopened;         /* under loading: secrets of the last snapshot that did not open */
    pthread_t thread;
    pthread_mutex_t tell;
    pthread_cond_t told;
    bool stop, stale; /* under tell */
};

/* ---- snapshots ---- */

static void say_unopened(struct keyring *k, size_t unopened) {
    if (unopened && unopened != k->unopened)
        log_event(LOG_ERROR, "keys-refused", "secrets", log_int((int64_t)unopened, (char[24]){0}),
                  "detail",
                  "no key of SLUICE_KEY_ENCRYPTION_KEY opens them: what they sign is refused",
                  NULL);
    k->unopened = unopened;
}

static Status reload(struct keyring *k) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct keyring_snapshot *fresh, *old;
    size_t unopened;
    Status s;

    pthread_mutex_lock(&k->loading);
    s = db_key_snapshot(k->in.pool, &rows);
    if (s == STATUS_OK) {
        fresh = keyring_snapshot_read(k->in.vault, rows, &unopened);
        say_unopened(k, unopened);
        pthread_rwlock_wrlock(&k->lock);
        old = k->snapshot;
        keyring_snapshot_inherit(fresh, old);
        k->snapshot = fresh;
        pthread_rwlock_unlock(&k->lock);
        keyring_snapshot_free(old);
    }
    pthread_mutex_unlock(&k->loading);
    return s;
}

void keyring_reload(struct keyring *k) {
    if (k->in.pool)
        (void)reload(k); /* else the thread tries again */
}

Status keyring_note_uses(struct keyring *k) {
    _cleanup_(arena_done) struct arena arena = {0};
    char *ids = NULL, *times = NULL;
    bool any;

    pthread_rwlock_rdlock(&k->lock);
    any = k->snapshot && keyring_snapshot_used(k->snapshot, &arena, &ids, &times);
    pthread_rwlock_unlock(&k->lock);
    return any ? db_key_used(k->in.pool, ids, times) : STATUS_OK;
}

/* ---- the thread ---- */

static void on_publication(void *ctx, const char *topic) {
    struct keyring *k = ctx;

    if (topic && strcmp(topic, KEY_TOPIC) != 0)
        return;
    pthread_mutex_lock(&k->tell);
    k->stale = true;
    pthread_cond_signal(&k->told);
    pthread_mutex_unlock(&k->tell);
}

/* false: the thread is to end. */
static bool await_news(struct keyring *k, int64_t ms) {
    int64_t until = clock_monotonic_us() + ms * US_PER_MS;
    bool go_on;

    pthread_mutex_lock(&k->tell);
    while (!k->stop && !k->stale && clock_cond_wait(&k->told, &k->tell, until))
        ;
    k->stale = false;
    go_on = !k->stop;
    pthread_mutex_unlock(&k->tell);
    return go_on;
}

static void *keys_thread(void *arg) {
    struct keyring *k = arg;
    int64_t partitions_us = 0, uses_us = clock_monotonic_us() + USES_S * US_PER_S;
    bool read = false, there;

    do {
        int64_t now_us = clock_monotonic_us();

        there = reload(k) == STATUS_OK;
        read = read || there;
        if (read && now_us >= partitions_us && db_nonce_partitions(k->in.pool) == STATUS_OK)
            partitions_us = now_us + PARTITIONS_S * US_PER_S;
        if (now_us >= uses_us && keyring_note_uses(k) == STATUS_OK)
            uses_us = now_us + USES_S * US_PER_S;
    } while (await_news(k, read ? POLL_MS : FIRST_MS));
    if (there) /* else a stop would wait for a database that is away */
        (void)keyring_note_uses(k);
    return NULL;
}

static struct principal *builtin_principal(void) {
    return keyring_principal(&(struct key_snapshot_row){.name = KEY_BUILTIN,
                                                        .principal_kind = "ci",
                                                        .roles = "[\"ci\"]",
                                                        .apps = "[\"*\"]",
                                                        .secret = {.key_id = KEY_BUILTIN}});
}

struct keyring *keyring_new(const struct keyring_settings *in) {
    struct keyring *k = xcalloc(1, sizeof *k);

    k->in = *in;
    k->builtin_secret = xstrdup(in->builtin_secret);
    k->builtin_principal = builtin_principal();
    lock_init_writer_first(&k->lock);
    pthread_mutex_init(&k->loading, NULL);
    pthread_mutex_init(&k->tell, NULL);
    clock_cond_init(&k->told);
    if (!in->pool)
        return k;
    if (in->bus)
        bus_subscribe(in->bus, on_publication, k);
    if (pthread_create(&k->thread, NULL, keys_thread, k) != 0)
        die("cannot start the keys' thread");
    return k;
}

void keyring_free(struct keyring *k) {
    if (!k)
        return;
    if (k->in.pool) {
        pthread_mutex_lock(&k->tell);
        k->stop = true;
        pthread_cond_signal(&k->told);
        pthread_mutex_unlock(&k->tell);
        pthread_join(k->thread, NULL);
    }
    keyring_snapshot_free(k->snapshot);
    if (k->builtin_secret)
        explicit_bzero(k->builtin_secret, strlen(k->builtin_secret));
    free(k->builtin_secret);
    free(k->builtin_principal);
    pthread_rwlock_destroy(&k->lock);
    pthread_mutex_destroy(&k->loading);
    pthread_mutex_destroy(&k->tell);
    pthread_cond_destroy(&k->told);
    free(k);
}

/* ---- requests ---- */

static const struct principal *copy_of(const struct principal *p, struct arena *arena) {
    return principal_place(arena_alloc(arena, principal_size(p)), p);
}

/* Ends a lookup under the lock. */
static Status found(const struct keyring *k, const struct principal *p, struct arena *arena,
                    const struct principal **ret) {
    *ret = p ? copy_of(p, arena) : NULL;
    return p ? STATUS_OK : k->in.pool && !k->snapshot ? E_DATABASE_UNAVAILABLE : E_UNAUTHENTICATED;
}

Status keyring_verify(struct keyring *k, const struct apisig *a, const struct apisig_message *m,
                      int64_t now_us, struct arena *arena, const struct principal **ret) {
    const struct principal *p = NULL;
    Status s;

    *ret = NULL;
    if (!strcmp(a->keyid, KEY_BUILTIN)) {
        if (k->builtin_secret && apisig_verify(a, m, k->builtin_secret, strlen(k->builtin_secret)))
            *ret = copy_of(k->builtin_principal, arena);
        return *ret ? STATUS_OK : E_UNAUTHENTICATED;
    }
    pthread_rwlock_rdlock(&k->lock);
    if (k->snapshot)
        p = keyring_signer(k->snapshot, a, m, now_us);
    s = found(k, p, arena, ret);
    pthread_rwlock_unlock(&k->lock);
    return s;
}

Status keyring_find(struct keyring *k, const char *text, int64_t now_us, struct arena *arena,
                    const struct principal **ret) {
    unsigned char digest[APIKEY_DIGEST];
    const struct principal *p = NULL;
    char id[UUID_TEXT];
    Status s;

    *ret = NULL;
    if (!apikey_parse(text, id))
        return E_UNAUTHENTICATED;
    apikey_digest(text, digest);
    pthread_rwlock_rdlock(&k->lock);
    if (k->snapshot)
        p = keyring_sender(k->snapshot, id, digest, now_us);
    s = found(k, p, arena, ret);
    pthread_rwlock_unlock(&k->lock);
    return s;
}

Status keyring_take_nonce(struct keyring *k, const struct apisig *a, bool urgent) {
    struct db_pool *pool = urgent ? k->in.reserved_pool : k->in.pool;

    return pool ? db_nonce_take(pool, a->keyid, a->nonce, a->created_s) : FAULT_BUG;
}
