#include "auth/keyring_snapshot.h"
#include "auth/keyring.h"
#include "auth/rights.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "db/key.h"
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct entry { /* one secret; those of a key stand together */
    char keyid[UUID_TEXT];
    bool sent;          /* an API key: `secret` is its digest */
    int64_t expires_us; /* 0: never */
    unsigned char secret[VAULT_SECRET_MAX];
    size_t secret_n;
    struct principal *principal; /* owned */
    _Atomic int64_t used_us;     /* 0: not by this server, as far as it knows */
};
_Static_assert((int)UUID_TEXT == (int)APISIG_KEYID_MAX + 1, "a keyid is a key's id");
_Static_assert((int)APIKEY_DIGEST == (int)KEY_DIGEST, "what is stored is what is compared");
_Static_assert((int)APIKEY_DIGEST <= (int)VAULT_SECRET_MAX, "an entry holds either");

struct keyring_snapshot {
    size_t n;
    struct entry entries[]; /* by keyid */
};

struct principal *keyring_principal(const struct key_snapshot_row *row) {
    _cleanup_(arena_done) struct arena arena = {0};
    const char *id = row->secret.key_id;
    json_auto_t *claims = json_pack("{ss so so}", "kind", row->principal_kind, "roles",
                                    json_parse(row->roles), "apps", json_parse(row->apps));
    json_auto_t *actor =
        json_pack("{ssssss}", "kind", row->principal_kind, "subject", id, "issuer", KEY_ISSUER);
    struct principal p = {.subject = id,
                          .issuer = KEY_ISSUER,
                          .display_name = row->name,
                          .environment = row->environment,
                          .expires_us = row->expires_us};
    _cleanup_free_ char *actor_text = NULL;
    void *memory;

    if (!claims || !actor || rights_of_claims(claims, &arena, &p))
        return NULL;
    p.actor_json = actor_text = json_text(actor);
    memory = xmalloc(principal_size(&p));
    principal_place(memory, &p);
    return memory;
}

void keyring_snapshot_free(struct keyring_snapshot *s) {
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        free(s->entries[i].principal);
    explicit_bzero(s->entries, s->n * sizeof *s->entries);
    free(s);
}

static bool entry_read(const struct vault *vault, const struct key_snapshot_row *row,
                       struct entry *ret) {
    const struct key_secret_row *secret = &row->secret;
    char name[KEY_SECRET_NAME];

    snprintf(ret->keyid, sizeof ret->keyid, "%s", secret->key_id);
    ret->expires_us = row->expires_us;
    ret->sent = !secret->kek;
    if (ret->sent) {
        memcpy(ret->secret, secret->digest, KEY_DIGEST);
        ret->secret_n = KEY_DIGEST;
    } else {
        ret->secret_n = vault_open(vault, secret->kek, key_secret_name(secret, name),
                                   secret->sealed, secret->sealed_n, ret->secret);
    }
    ret->principal = ret->secret_n ? keyring_principal(row) : NULL;
    return ret->principal != NULL;
}

struct keyring_snapshot *keyring_snapshot_read(const struct vault *vault,
                                               const struct db_rows *rows, size_t *ret_unopened) {
    size_t n = db_rows_count(rows);
    struct keyring_snapshot *s = xcalloc(1, sizeof *s + n * sizeof *s->entries);

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

/* ---- looking up ---- */

/* The first entry of a key, or where it would be. */
static size_t find(const struct keyring_snapshot *s, const char *keyid) {
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

static bool is_of(const struct keyring_snapshot *s, size_t i, const char *keyid) {
    return i < s->n && !strcmp(s->entries[i].keyid, keyid);
}

static bool counts(const struct entry *e, bool sent, int64_t now_us) {
    return e->sent == sent && (!e->expires_us || e->expires_us > now_us);
}

/* To the second: so that threads which use one key do not write the same line of memory each time.
 */
static const struct principal *use(struct entry *e, int64_t now_us) {
    if (now_us - atomic_load_explicit(&e->used_us, memory_order_relaxed) >= US_PER_S)
        atomic_store_explicit(&e->used_us, now_us, memory_order_relaxed);
    return e->principal;
}

const struct principal *keyring_signer(struct keyring_snapshot *s, const struct apisig *a,
                                       const struct apisig_message *m, int64_t now_us) {
    for (size_t i = find(s, a->keyid); is_of(s, i, a->keyid); i++) {
        struct entry *e = &s->entries[i];

        if (counts(e, false, now_us) && apisig_verify(a, m, e->secret, e->secret_n))
            return use(e, now_us);
    }
    return NULL;
}

const struct principal *keyring_sender(struct keyring_snapshot *s, const char *id,
                                       const unsigned char digest[APIKEY_DIGEST], int64_t now_us) {
    for (size_t i = find(s, id); is_of(s, i, id); i++) {
        struct entry *e = &s->entries[i];

        if (counts(e, true, now_us) && CRYPTO_memcmp(e->secret, digest, APIKEY_DIGEST) == 0)
            return use(e, now_us);
    }
    return NULL;
}

/* ---- last uses ---- */

void keyring_snapshot_inherit(struct keyring_snapshot *to, struct keyring_snapshot *from) {
    for (size_t i = 0; from && i < from->n; i++) {
        struct entry *e = &from->entries[i];
        size_t at = find(to, e->keyid);

        if (is_of(to, at, e->keyid) && to->entries[at].used_us < e->used_us)
            to->entries[at].used_us = e->used_us;
    }
}

/* Of the key whose entries begin at *i, which is moved behind them. */
static int64_t last_use(struct keyring_snapshot *s, size_t *i) {
    const char *keyid = s->entries[*i].keyid;
    int64_t used_us = 0;

    for (; is_of(s, *i, keyid); ++*i)
        if (s->entries[*i].used_us > used_us)
            used_us = s->entries[*i].used_us;
    return used_us;
}

bool keyring_snapshot_used(struct keyring_snapshot *s, struct arena *arena, char **ret_ids,
                           char **ret_times) {
    const char **ids = arena_alloc(arena, (s->n + 1) * sizeof *ids);
    const char **times = arena_alloc(arena, (s->n + 1) * sizeof *times);
    size_t n = 0;

    for (size_t i = 0; i < s->n;) {
        const char *keyid = s->entries[i].keyid;
        int64_t used_us = last_use(s, &i);

        if (!used_us)
            continue;
        ids[n] = keyid;
        times[n++] = db_time_text(used_us, arena_alloc(arena, DB_TIME));
    }
    *ret_ids = db_text_array(arena, ids);
    *ret_times = db_text_array(arena, times);
    return n > 0;
}
