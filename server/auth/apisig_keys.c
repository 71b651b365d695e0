/* auth/apisig_keys.c: readers hold a lock for one lookup and one MAC; a reload makes a new snapshot
 * aside and only swaps it under that lock. */
#include "auth/apisig_keys.h"
#include "auth/rights.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/bus.h"
#include "db/key.h"
#include "db/nonce.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { POLL_MS = 5000, FIRST_MS = 250, PARTITIONS_S = 600 };

struct entry { /* one secret; those of a key stand together */
    char keyid[APISIG_KEYID_MAX + 1];
    int64_t expires_us; /* 0: never */
    unsigned char secret[VAULT_SECRET_MAX];
    size_t secret_n;
    void *principal; /* owned; as principal_place made it */
};

struct snapshot {
    size_t n;
    struct entry entries[]; /* by keyid */
};

struct apisig_keys {
    struct apisig_settings in;
    char *builtin_secret;    /* owned */
    void *builtin_principal; /* owned */
    pthread_rwlock_t lock;
    struct snapshot *snapshot; /* under lock; NULL until it was read once */
    pthread_mutex_t loading;   /* one reload at a time: an older one never replaces a newer one */
    size_t unopened;           /* under loading: secrets of the last snapshot that did not open */
    pthread_t thread;
    pthread_mutex_t tell;
    pthread_cond_t told;
    bool stop, stale; /* under tell */
};

/* ---- principals ---- */

/* With the rights that a token with these claims would have; takes both lists; malloc'd.  NULL: a
 * role that this version does not know. */
static void *principal_of(const char *keyid, const char *name, const char *kind, json_t *roles,
                          json_t *apps) {
    _cleanup_(arena_done) struct arena arena = {0};
    json_auto_t *claims = json_pack("{ss so so}", "kind", kind, "roles", roles, "apps", apps);
    json_auto_t *actor =
        json_pack("{ssssss}", "kind", kind, "subject", keyid, "issuer", APISIG_ISSUER);
    struct principal p = {.subject = keyid, .issuer = APISIG_ISSUER, .display_name = name};
    _cleanup_free_ char *actor_text = NULL;
    void *memory;

    if (!claims || !actor || rights_of_claims(claims, &arena, &p))
        return NULL;
    p.actor_json = actor_text = json_text(actor);
    memory = xmalloc(principal_size(&p));
    principal_place(memory, &p);
    return memory;
}

/* ---- snapshots ---- */

static void snapshot_free(struct snapshot *s) {
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        free(s->entries[i].principal);
    explicit_bzero(s->entries, s->n * sizeof *s->entries);
    free(s);
}

static bool entry_read(const struct vault *vault, const struct key_snapshot_row *row,
                       struct entry *ret) {
    char name[KEY_SECRET_NAME];

    snprintf(ret->keyid, sizeof ret->keyid, "%s", row->secret.key_id);
    ret->expires_us = row->expires_us;
    ret->secret_n = vault_open(vault, row->secret.kek, key_secret_name(&row->secret, name),
                               row->secret.sealed, row->secret.sealed_n, ret->secret);
    if (!ret->secret_n)
        return false;
    ret->principal = principal_of(ret->keyid, row->name, row->principal_kind,
                                  json_parse(row->roles), json_parse(row->apps));
    return ret->principal != NULL;
}

static struct snapshot *snapshot_read(const struct vault *vault, const struct db_rows *rows,
                                      size_t *ret_unopened) {
    size_t n = db_rows_count(rows);
    struct snapshot *s = xcalloc(1, sizeof *s + n * sizeof *s->entries);

    *ret_unopened = 0;
    for (size_t i = 0; i < n; i++) {
        struct key_snapshot_row row = key_snapshot_row(rows, i);

        if (entry_read(vault, &row, &s->entries[s->n]))
            s->n++;
        else
            *ret_unopened += 1;
    }
    return s;
}

static void say_unopened(struct apisig_keys *k, size_t unopened) {
    if (unopened && unopened != k->unopened)
        log_event(LOG_ERROR, "keys-refused", "secrets", log_int((int64_t)unopened, (char[24]){0}),
                  "detail",
                  "no key of SLUICE_KEY_ENCRYPTION_KEY opens them: what they sign is refused",
                  NULL);
    k->unopened = unopened;
}

static Status reload(struct apisig_keys *k) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct snapshot *fresh, *old;
    size_t unopened;
    Status s;

    pthread_mutex_lock(&k->loading);
    s = db_key_snapshot(k->in.pool, &rows);
    if (s == STATUS_OK) {
        fresh = snapshot_read(k->in.vault, rows, &unopened);
        say_unopened(k, unopened);
        pthread_rwlock_wrlock(&k->lock);
        old = k->snapshot;
        k->snapshot = fresh;
        pthread_rwlock_unlock(&k->lock);
        snapshot_free(old);
    }
    pthread_mutex_unlock(&k->loading);
    return s;
}

void apisig_keys_reload(struct apisig_keys *k) {
    if (k->in.pool)
        (void)reload(k); /* else the thread tries again */
}

/* ---- the thread ---- */

static void on_publication(void *ctx, const char *topic) {
    struct apisig_keys *k = ctx;

    if (topic && strcmp(topic, APISIG_TOPIC) != 0)
        return;
    pthread_mutex_lock(&k->tell);
    k->stale = true;
    pthread_cond_signal(&k->told);
    pthread_mutex_unlock(&k->tell);
}

/* false: the thread is to end. */
static bool await_news(struct apisig_keys *k, int64_t ms) {
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
    struct apisig_keys *k = arg;
    int64_t partitions_us = 0;
    bool read = false;

    do {
        int64_t now_us = clock_monotonic_us();

        read = reload(k) == STATUS_OK || read;
        if (read && now_us >= partitions_us && db_nonce_partitions(k->in.pool) == STATUS_OK)
            partitions_us = now_us + PARTITIONS_S * US_PER_S;
    } while (await_news(k, read ? POLL_MS : FIRST_MS));
    return NULL;
}

struct apisig_keys *apisig_keys_new(const struct apisig_settings *in) {
    struct apisig_keys *k = xcalloc(1, sizeof *k);
    pthread_rwlockattr_t writers;

    k->in = *in;
    k->builtin_secret = xstrdup(in->builtin_secret);
    k->builtin_principal = principal_of(APISIG_BUILTIN, APISIG_BUILTIN, "ci",
                                        json_pack("[s]", "ci"), json_pack("[s]", "*"));
    pthread_rwlockattr_init(&writers);
    pthread_rwlockattr_setkind_np(&writers, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&k->lock, &writers);
    pthread_rwlockattr_destroy(&writers);
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

void apisig_keys_free(struct apisig_keys *k) {
    if (!k)
        return;
    if (k->in.pool) {
        pthread_mutex_lock(&k->tell);
        k->stop = true;
        pthread_cond_signal(&k->told);
        pthread_mutex_unlock(&k->tell);
        pthread_join(k->thread, NULL);
    }
    snapshot_free(k->snapshot);
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

/* The first entry of a key, or where it would be. */
static size_t find(const struct snapshot *s, const char *keyid) {
    size_t low = 0, high = s->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(s->entries[middle].keyid, keyid) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct principal *signer(const struct snapshot *s, const struct apisig *a,
                                      const struct apisig_message *m, int64_t now_us) {
    for (size_t i = find(s, a->keyid); i < s->n && !strcmp(s->entries[i].keyid, a->keyid); i++) {
        const struct entry *e = &s->entries[i];

        if ((!e->expires_us || e->expires_us > now_us) &&
            apisig_verify(a, m, e->secret, e->secret_n))
            return e->principal;
    }
    return NULL;
}

Status apisig_keys_verify(struct apisig_keys *k, const struct apisig *a,
                          const struct apisig_message *m, int64_t now_us, struct arena *arena,
                          const struct principal **ret) {
    bool unread;

    *ret = NULL;
    if (!strcmp(a->keyid, APISIG_BUILTIN)) {
        if (k->builtin_secret && apisig_verify(a, m, k->builtin_secret, strlen(k->builtin_secret)))
            *ret = copy_of(k->builtin_principal, arena);
        return *ret ? STATUS_OK : E_UNAUTHENTICATED;
    }
    pthread_rwlock_rdlock(&k->lock);
    unread = k->in.pool && !k->snapshot;
    if (k->snapshot) {
        const struct principal *p = signer(k->snapshot, a, m, now_us);

        *ret = p ? copy_of(p, arena) : NULL;
    }
    pthread_rwlock_unlock(&k->lock);
    return *ret ? STATUS_OK : unread ? E_DATABASE_UNAVAILABLE : E_UNAUTHENTICATED;
}

Status apisig_keys_take_nonce(struct apisig_keys *k, const struct apisig *a, bool urgent) {
    struct db_pool *pool = urgent ? k->in.reserved_pool : k->in.pool;

    return pool ? db_nonce_take(pool, a->keyid, a->nonce, a->created_s) : FAULT_BUG;
}
