#include "handlers/idempotency.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "db/idempotency.h"
#include "handlers/answer.h"
#include <string.h>

enum { KEY_MAX = 255, AROUND_BODY = 8192 };

/* ---- the key ---- */

/* A bare key, or a string of RFC 8941 (`"` and `\` escaped).  NULL: neither. */
static const char *key_text(struct arena *arena, const char *given) {
    char text[KEY_MAX + 1];
    size_t n = strlen(given), len = 0;
    bool quoted = n > 1 && given[0] == '"' && given[n - 1] == '"';

    for (size_t i = quoted; i < n - quoted; i++) {
        if (quoted && given[i] == '"')
            return NULL;
        if (quoted && given[i] == '\\' && (++i == n - 1 || !strchr("\"\\", given[i])))
            return NULL;
        if (given[i] < 0x20 || given[i] > 0x7e || len == KEY_MAX)
            return NULL;
        text[len++] = given[i];
    }
    return len && (quoted || given[0] != '"') ? arena_strndup(arena, text, len) : NULL;
}

static const char *fingerprint(const struct request *q) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(q->body_len + AROUND_BODY * 2);
    char hex[SHA256_HEX];

    strbuf_addf(&b, "POST\n%s%s%s\n", q->path, q->query ? "?" : "", q->query ? q->query : "");
    strbuf_add(&b, q->body, q->body_len);
    return b.overflowed ? NULL : arena_strdup(q->arena, sha256_hex(b.data, b.len, hex));
}

/* ret->key NULL: the request has none. */
static Status key_of(const struct request *q, struct idempotency_key *ret, struct reply *r) {
    const char *given = request_header(q, "Idempotency-Key");

    *ret = (struct idempotency_key){0};
    if (!given)
        return STATUS_OK;
    ret->key = key_text(q->arena, given);
    if (!ret->key) {
        reply_field_error(r, "Idempotency-Key", "format",
                          "1 to %d printable ASCII characters, bare or quoted.", KEY_MAX);
        return E_INVALID_REQUEST;
    }
    ret->issuer = q->principal->issuer ? q->principal->issuer : "";
    ret->subject = q->principal->subject;
    ret->fingerprint = fingerprint(q);
    return ret->fingerprint ? STATUS_OK : FAULT_BUG;
}

/* ---- the answer ---- */

static Status replay(const struct idempotency_key *k, const struct db_rows *rows, struct reply *r) {
    struct idempotency_answer kept = idempotency_answer(rows);

    if (strcmp(kept.fingerprint, k->fingerprint) != 0)
        return reply_refuse(r, E_IDEMPOTENCY_MISMATCH,
                            "The key was used for a request with another path or body.");
    r->location = arena_strdup(r->arena, kept.location);
    r->begun = !kept.body;
    if (r->begun)
        return STATUS_OK;
    answer(r, (unsigned)kept.status, NULL);
    free(r->raw);
    r->raw = xstrdup(kept.body);
    r->raw_len = strlen(kept.body);
    r->content_type = "application/json";
    r->etag = arena_strdup(r->arena, kept.etag);
    r->retry_after_s = 0;
    r->replayed = true;
    return STATUS_OK;
}

/* What is kept of a key, if anything is: r->replayed and r->begun tell. */
static Status look(struct request *q, const struct idempotency_key *k, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_idempotency_find(request_pool(q), k, &rows);

    return s == STATUS_OK && db_rows_count(rows) ? replay(k, rows, r) : s;
}

Status idempotent_run(struct request *q, struct reply *r, create_fn *create, void *ctx) {
    struct idempotency_key k;
    Status s = key_of(q, &k, r), again;

    if (s != STATUS_OK)
        return s;
    if (!k.key)
        return create(q, r, ctx);
    s = look(q, &k, r);
    if (s != STATUS_OK || r->replayed || r->begun)
        return s;
    s = create(q, r, ctx);
    if (s <= STATUS_OK || s == E_IDEMPOTENCY_MISMATCH)
        return s;
    again = look(q, &k, r); /* "environment-busy": with what the same request made meanwhile? */
    return again != STATUS_OK || r->replayed || r->begun ? again : s;
}

/* ---- the transaction ---- */

struct keyed {
    struct reply *r;
    const struct idempotency_key *key;
    db_tx_fn *fn;
    void *ctx;
};

/* The body as the edge sends it; NULL when there is none yet.  Yours. */
static char *body_text(const struct reply *r) {
    _cleanup_free_ char *text = r->json ? json_text(r->json) : NULL;

    return text ? xasprintf("%s\n", text) : NULL;
}

static struct idempotency_answer answer_of(const struct reply *r, const char *body) {
    return (struct idempotency_answer){.status = body ? (r->status ? r->status : 200) : 0,
                                       .body = body,
                                       .location = r->location,
                                       .etag = r->etag};
}

static Status keep(struct db_tx *tx, const struct keyed *k) {
    _cleanup_free_ char *body = body_text(k->r);
    const struct idempotency_answer answer = answer_of(k->r, body);

    return db_idempotency_keep(tx, k->key, &answer);
}

Status idempotent_settle(struct request *q, struct reply *r) {
    _cleanup_free_ char *body = body_text(r);
    const struct idempotency_answer answer = answer_of(r, body);
    struct idempotency_key key;
    bool kept = false;
    Status s = key_of(q, &key, r);

    if (s != STATUS_OK || !key.key)
        return s;
    s = db_idempotency_settle(request_pool(q), &key, &answer, &kept);
    return s == STATUS_OK && !kept ? look(q, &key, r) : s;
}

static Status keyed_tx(struct db_tx *tx, void *ctx) {
    const struct keyed *k = ctx;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    bool taken = false;
    Status s = db_idempotency_take(tx, k->key, &taken);

    k->r->replayed = k->r->begun = false;
    if (s == STATUS_OK && taken) {
        s = k->fn(tx, k->ctx);
        return s == STATUS_OK ? keep(tx, k) : s;
    }
    if (s == STATUS_OK)
        s = db_idempotency_find_in(tx, k->key, &rows);
    if (s == STATUS_OK && db_rows_count(rows) == 0) /* its transaction has not ended for us yet */
        s = E_IDEMPOTENCY_IN_FLIGHT;
    return s == STATUS_OK ? replay(k->key, rows, k->r) : s;
}

Status idempotent_tx(struct request *q, struct reply *r, const char *name, db_tx_fn *fn,
                     void *ctx) {
    struct db_pool *pool = request_pool(q);
    struct idempotency_key key;
    struct keyed k = {.r = r, .key = &key, .fn = fn, .ctx = ctx};
    Status s = key_of(q, &key, r);

    if (s != STATUS_OK)
        return s;
    if (!key.key)
        return db_tx_run(pool, name, DB_READ_COMMITTED, fn, ctx);
    s = db_tx_run(pool, name, DB_READ_COMMITTED, keyed_tx, &k);
    if (s == E_IDEMPOTENCY_IN_FLIGHT) {
        r->retry_after_s = 1;
        return reply_refuse(r, s, "Another request with this key is still under way.");
    }
    return s;
}
