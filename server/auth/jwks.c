/* auth/jwks.c: see jwks.h.  A source is due when its keys should be read again; the thread takes
 * the one that has been due for longest. */
#include "auth/jwks.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    REFRESH_MS = 600 * 1000,
    AGAIN_MS = 60 * 1000,
    RETRY_MS = 5000,
    STALE_MS = 24 * 3600 * 1000,
    LINE = 256
};

struct key_source {
    struct key_source *next;
    struct jwks *all;
    struct key_origin from;
    /* under the lock: */
    struct key_set *keys;             /* NULL: none yet */
    int64_t got_us, asked_us, due_us; /* monotonic; asked: for an unknown key; 0: never */
};

struct jwks {
    struct auth_settings in;
    struct key_source *sources;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ending; /* under the lock */
    atomic_uint_fast64_t generation;
};

static int or_else(int ms, int otherwise) {
    return ms > 0 ? ms : otherwise;
}

struct jwks *jwks_new(const struct auth_settings *in) {
    struct jwks *j = xcalloc(1, sizeof *j);

    j->in = *in;
    j->in.refresh_ms = or_else(in->refresh_ms, REFRESH_MS);
    j->in.again_ms = or_else(in->again_ms, AGAIN_MS);
    j->in.retry_ms = or_else(in->retry_ms, RETRY_MS);
    j->in.stale_ms = or_else(in->stale_ms, STALE_MS);
    pthread_mutex_init(&j->lock, NULL);
    clock_cond_init(&j->changed);
    return j;
}

struct key_source *jwks_add(struct jwks *j, const struct key_origin *from) {
    struct key_source *s = xcalloc(1, sizeof *s);

    *s = (struct key_source){.next = j->sources, .all = j, .from = *from};
    j->sources = s;
    return s;
}

static struct key_set *set_of(const struct key_source *s, const char *text, size_t text_n,
                              const char *place, char *reterr, size_t n) {
    const char *why;
    struct key_set *keys = s->from.pem_file ? key_set_pem(text, s->from.alg, &why)
                                            : key_set_jwks(text, text_n, s->from.alg, &why);

    if (!keys)
        snprintf(reterr, n, "%s: %s", place, why);
    return keys;
}

/* Reads or fetches, without the lock; NULL with a line. */
static struct key_set *keys_get(const struct key_source *s, char *reterr, size_t n) {
    const struct auth_settings *in = &s->all->in;
    const char *path = s->from.pem_file ? s->from.pem_file : s->from.jwks_file;
    _cleanup_free_ char *text = NULL;
    size_t text_n = 0;

    if (path) {
        text = file_text(path, AUTH_KEYS_BYTES, reterr, n);
        return text ? set_of(s, text, strlen(text), path, reterr, n) : NULL;
    }
    text = in->fetch(in->fetch_ctx, s->from.jwks_url, s->from.ca_pem, &text_n, reterr, n);
    return text ? set_of(s, text, text_n, s->from.jwks_url, reterr, n) : NULL;
}

/* Under the lock. */
static void keys_put(struct key_source *s, struct key_set *keys) {
    if (s->keys && !key_set_covers(keys, s->keys))
        atomic_fetch_add(&s->all->generation, 1);
    key_set_unref(s->keys);
    s->keys = keys;
    s->got_us = clock_monotonic_us();
}

static int64_t in_ms(int ms) {
    return clock_monotonic_us() + ms * US_PER_MS;
}

bool jwks_load(struct key_source *s, char *reterr, size_t n) {
    struct key_set *keys = keys_get(s, reterr, n);

    if (!keys)
        return false;
    keys_put(s, keys);
    s->due_us = in_ms(s->all->in.refresh_ms);
    return true;
}

size_t jwks_count(struct key_source *s) {
    return s->keys ? s->keys->n : 0;
}

/* Without the lock on entry and at the end. */
static void refresh(struct jwks *j, struct key_source *s) {
    char line[LINE] = "";
    struct key_set *keys = keys_get(s, line, sizeof line);
    bool ending;

    pthread_mutex_lock(&j->lock);
    ending = j->ending;
    if (keys)
        keys_put(s, keys);
    if (s->due_us == INT64_MAX) /* else an unknown key has asked meanwhile */
        s->due_us = in_ms(keys ? j->in.refresh_ms : s->keys ? j->in.again_ms : j->in.retry_ms);
    pthread_mutex_unlock(&j->lock);
    if (!keys && !ending)
        log_event(LOG_WARNING, "issuer keys not read", "issuer", s->from.issuer, "detail", line,
                  NULL);
}

/* The source to be read first; a PEM file is read once, at the start. */
static struct key_source *first_due(struct jwks *j) {
    struct key_source *first = NULL;

    for (struct key_source *s = j->sources; s; s = s->next)
        if (!s->from.pem_file && (!first || s->due_us < first->due_us))
            first = s;
    return first;
}

static void *run(void *ctx) {
    struct jwks *j = ctx;

    pthread_mutex_lock(&j->lock);
    while (!j->ending) {
        struct key_source *s = first_due(j);

        if (s->due_us <= clock_monotonic_us()) {
            s->due_us = INT64_MAX;
            pthread_mutex_unlock(&j->lock);
            refresh(j, s);
            pthread_mutex_lock(&j->lock);
        } else {
            clock_cond_wait(&j->changed, &j->lock, s->due_us);
        }
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

void jwks_start(struct jwks *j) {
    if (!first_due(j))
        return;
    if (pthread_create(&j->thread, NULL, run, j) != 0)
        die("cannot start a thread");
    j->started = true;
}

void jwks_stop(struct jwks *j) {
    pthread_mutex_lock(&j->lock);
    j->ending = true;
    pthread_cond_signal(&j->changed);
    pthread_mutex_unlock(&j->lock);
    if (j->started)
        pthread_join(j->thread, NULL);
    j->started = false;
}

void jwks_free(struct jwks *j) {
    struct key_source *next;

    if (!j)
        return;
    jwks_stop(j);
    for (struct key_source *s = j->sources; s; s = next) {
        next = s->next;
        key_set_unref(s->keys);
        free(s);
    }
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->changed);
    free(j);
}

/* Under the lock: an unknown key is a reason to ask, but not often. */
static void ask(struct key_source *s) {
    int64_t now_us = clock_monotonic_us();

    if (s->asked_us && now_us < s->asked_us + s->all->in.again_ms * US_PER_MS)
        return;
    s->asked_us = s->due_us = now_us;
    pthread_cond_signal(&s->all->changed);
}

/* Under the lock: how long the keys may still be used. */
static int64_t left_us(const struct key_source *s) {
    if (s->from.pem_file)
        return INT64_MAX;
    return s->keys ? s->got_us + s->all->in.stale_ms * US_PER_MS - clock_monotonic_us() : 0;
}

KeyFound jwks_find(struct key_source *s, const char *kid, struct key_set **ret_set,
                   EVP_PKEY **ret_key, int64_t *ret_left_s) {
    KeyFound found = KEY_UNAVAILABLE;
    EVP_PKEY *key = NULL;

    if (s->from.pem_file)
        kid = NULL; /* there is one key, and nobody to name it */
    pthread_mutex_lock(&s->all->lock);
    if (left_us(s) > 0) {
        key = key_set_find(s->keys, kid);
        found = key ? KEY_FOUND : KEY_UNKNOWN;
    }
    if (found == KEY_FOUND) {
        *ret_set = key_set_ref(s->keys);
        *ret_key = key;
        *ret_left_s = left_us(s) / US_PER_S;
    } else if (found == KEY_UNKNOWN && kid) {
        ask(s);
    }
    pthread_mutex_unlock(&s->all->lock);
    return found;
}

uint64_t jwks_generation(const struct jwks *j) {
    return atomic_load(&j->generation);
}
