/* handlers/key.c: keys that sign requests, and API keys: made, listed, exchanged, deleted.
 *
 * A secret is in an answer once and nowhere else: what an Idempotency-Key keeps of that answer is
 * without it. */
#include "db/key.h"
#include "auth/apikey.h"
#include "auth/keyring.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "handlers/answer.h"
#include "handlers/handlers.h"
#include "handlers/idempotency.h"
#include "handlers/key.h"
#include <stdio.h>
#include <string.h>

enum {
    SECRET_BYTES = 32,
    SECRETS_MAX = 2,
    OVERLAP_S = 86400,
};

/* ---- what a caller may give ---- */

/* What evaluation tells is decided by whoever writes flags. */
static bool holds(const struct principal *p, const char *scope) {
    return principal_may(p, strcmp(scope, "flag:evaluate") != 0 ? scope : "flag:write");
}

static bool within(const struct principal *p, const char *role) {
    for (const char *const *own = p->roles; *own; own++)
        if (!strcmp(*own, role))
            return true;
    for (const char *const *scope = role_scopes(role); *scope; scope++)
        if (!holds(p, *scope))
            return false;
    return true;
}

static Status apps_within(const struct request *q, const json_t *apps, struct reply *r) {
    const json_t *one;
    size_t i;

    json_array_foreach(apps, i, one) if (
        !principal_may_app(
            q->principal,
            json_string_value(one))) return reply_refuse(r, E_FORBIDDEN,
                                                         "Your credential does not reach %s%s.",
                                                         strcmp(json_string_value(one), "*") != 0
                                                             ? "the app "
                                                             : "every app: ",
                                                         json_string_value(one));
    return STATUS_OK;
}

/* Nobody makes somebody who may do more: that would be one more way to be allowed something. */
static Status grant_allowed(const struct request *q, const json_t *principal, struct reply *r) {
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(principal, "roles"), i,
                       one) if (!within(q->principal, json_string_value(one))) {
        reply_extra(r, "role", json_string(json_string_value(one)));
        return reply_refuse(r, E_FORBIDDEN, "The role %s holds more than your own roles do.",
                            json_string_value(one));
    }
    if (!strcmp(json_str(principal, "kind", ""), "user") && strcmp(q->principal->kind, "user") != 0)
        return reply_refuse(r, E_FORBIDDEN, "Only a user makes a key of kind user.");
    return apps_within(q, json_object_get(principal, "apps"), r);
}

/* {key} of the path: a key whose apps the caller reaches; *ret is yours.  Refuses E_INVALID_PATH,
 * E_NOT_FOUND, E_FORBIDDEN. */
static Status path_key(const struct request *q, struct db_rows **ret, struct reply *r) {
    const char *id = request_param(q, "key");
    json_auto_t *apps = NULL;
    Status s;

    if (!uuid_valid(id))
        return invalid_path(r, "key", "is no id of a key");
    s = db_key_get(context_of(q)->pool, id, ret);
    if (s != STATUS_OK)
        return s;
    if (db_rows_count(*ret) == 0)
        return reply_refuse(r, E_NOT_FOUND, "There is no key %s.", id);
    apps = json_parse(key_row(*ret, 0).apps);
    return apps_within(q, apps, r);
}

/* ---- answers ---- */

static json_t *secrets_json(const char *text) {
    json_auto_t *stored = json_parse(text);
    json_t *all = json_array(), *one;
    size_t i;

    json_array_foreach(stored, i, one) {
        json_t *secret = json_pack("{sI}", "slot", (json_int_t)json_int(one, "slot", 0));

        json_set_time(secret, "created_at", json_int(one, "created_us", 0));
        json_set_time(secret, "expires_at", json_int(one, "expires_us", 0));
        json_array_append_new(all, secret);
    }
    return all;
}

static json_t *principal_json(const struct key_row *row) {
    json_t *out = json_pack("{ss so so}", "kind", row->principal_kind, "roles",
                            json_parse(row->roles), "apps", json_parse(row->apps));

    if (row->environment)
        json_set_str(out, "environment", row->environment);
    return out;
}

static json_t *key_json(const struct key_row *row) {
    json_t *out = json_object();

    json_set_str(out, "id", row->id);
    json_set_str(out, "name", row->name);
    json_set_str(out, "kind", row->kind);
    json_object_set_new(out, "principal", principal_json(row));
    json_object_set_new(out, "secrets", secrets_json(row->secrets));
    json_object_set_new(out, "created_by", actor_value(row->created_by));
    json_set_time(out, "created_at", row->created_us);
    json_set_time(out, "expires_at", row->expires_us);
    json_set_time(out, "last_used_at", row->last_used_us);
    return out;
}

/* ---- secrets ---- */

struct key_write {
    struct request *q;
    struct reply *r;
    const char *id, *kind;
    const struct key_in *in;
    int64_t overlap_s, slot;
    char secret[APIKEY_TEXT]; /* the text that signs, or is sent */
};

static bool is_sent(const struct key_write *w) {
    return !strcmp(w->kind, "api");
}

static void make_signing_secret(struct key_write *w) {
    unsigned char bytes[SECRET_BYTES];
    _cleanup_free_ char *text = NULL;

    random_bytes(bytes, sizeof bytes);
    text = base64url_encode(bytes, sizeof bytes);
    snprintf(w->secret, sizeof w->secret, "sls_%s", text);
    explicit_bzero(text, strlen(text));
    explicit_bzero(bytes, sizeof bytes);
}

/* Kept as it is, encrypted: whoever verifies a signature needs it. */
static Status store_signing_secret(struct db_tx *tx, const struct key_write *w, int64_t slot) {
    const struct vault *vault = context_of(w->q)->vault;
    struct key_secret_row row = {.key_id = w->id, .kek = vault_key_id(vault), .slot = slot};
    char name[KEY_SECRET_NAME];

    _Static_assert(KEY_SEALED_MAX >= VAULT_NONCE + VAULT_SECRET_MAX + VAULT_TAG, "too short");
    row.sealed_n =
        vault_seal(vault, key_secret_name(&row, name), w->secret, strlen(w->secret), row.sealed);
    return row.sealed_n ? db_key_secret_insert(tx, &row) : FAULT_BUG;
}

static Status store_secret(struct db_tx *tx, const struct key_write *w, int64_t slot) {
    struct key_secret_row row = {.key_id = w->id, .slot = slot};

    if (!is_sent(w))
        return store_signing_secret(tx, w, slot);
    apikey_digest(w->secret, row.digest);
    return db_key_secret_insert(tx, &row);
}

/* Whether this server can store secrets of the key's kind. */
static Status can_store(const struct key_write *w) {
    if (is_sent(w) || vault_key_id(context_of(w->q)->vault))
        return STATUS_OK;
    return reply_refuse(w->r, E_NOT_SUPPORTED,
                        "This server has no SLUICE_KEY_ENCRYPTION_KEY, without which no secret "
                        "that signs is stored.");
}

/* The key as it is now, without its secret. */
static Status key_answer(struct db_tx *tx, const struct key_write *w, unsigned status) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_key_get_in(tx, w->id, &rows);
    struct key_row row;
    json_t *body;

    if (s != STATUS_OK)
        return s;
    row = key_row(rows, 0);
    body = key_json(&row);
    json_object_set_new(body, "key", json_null());
    w->r->location = arena_printf(w->q->arena, "/api/v1/keys/%s", w->id);
    return answer(w->r, status, body);
}

static Status key_record(const struct key_write *w, struct db_tx *tx, const char *action,
                         const struct key_row *row, const char *done) {
    const struct record_about about = {.action = action, .subject = w->id};
    json_t *data = json_pack("{ss ss so}", "name", row->name, "kind", row->kind, "principal",
                             principal_json(row));

    json_set_time(data, "expires_at", row->expires_us);
    if (w->slot)
        json_object_set_new(data, "slot", json_integer(w->slot));
    return record_by_caller(w->q, tx, &about, data, "Key %s (%s) %s.", w->id, row->name, done);
}

/* After the commit: here at once, elsewhere as soon as the bus says so. */
static void keys_changed(const struct request *q) {
    keyring_reload(context_of(q)->keys);
    announce(q, KEY_TOPIC);
}

/* Makes a secret and runs `create`; the secret goes into the answer after what is kept of that was
 * kept. */
static Status give_secret(struct key_write *w, create_fn *create) {
    Status s;

    if (is_sent(w))
        apikey_make(w->id, w->secret);
    else
        make_signing_secret(w);
    s = idempotent_run(w->q, w->r, create, w);
    if (s == STATUS_OK && !w->r->replayed)
        json_object_set_new(w->r->json, "key", json_string(w->secret));
    if (s == STATUS_OK)
        keys_changed(w->q);
    explicit_bzero(w->secret, sizeof w->secret);
    return s;
}

/* ---- POST /keys ---- */

static const char *texts(struct arena *a, const json_t *list) {
    size_t n = json_array_size(list);
    const char **items = arena_alloc(a, (n + 1) * sizeof *items);

    for (size_t i = 0; i < n; i++)
        items[i] = json_string_value(json_array_get(list, i));
    return db_text_array(a, items);
}

static Status key_create_tx(struct db_tx *tx, void *ctx) {
    const struct key_write *w = ctx;
    const json_t *principal = w->in->principal;
    const struct key_new new = {
        .id = w->id,
        .name = w->in->name,
        .kind = w->in->kind,
        .principal_kind = json_str(principal, "kind", ""),
        .roles = texts(w->q->arena, json_object_get(principal, "roles")),
        .apps = texts(w->q->arena, json_object_get(principal, "apps")),
        .environment = json_string_value(json_object_get(principal, "environment")),
        .created_by = w->q->principal->actor_json,
        .expires_us = w->in->expires_us,
    };
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct key_row row;
    Status s = db_key_insert(tx, &new);

    if (s == STATUS_OK)
        s = store_secret(tx, w, w->slot);
    if (s == STATUS_OK)
        s = key_answer(tx, w, 201);
    if (s == STATUS_OK)
        s = db_key_get_in(tx, w->id, &rows);
    if (s != STATUS_OK)
        return s;
    row = key_row(rows, 0);
    return key_record(w, tx, "key.created", &row, "was made");
}

static Status key_make(struct request *q, struct reply *r, void *ctx) {
    return idempotent_tx(q, r, "key_create", key_create_tx, ctx);
}

Status key_create(struct request *q, const void *body, struct reply *r) {
    const struct key_in *in = body;
    char id[UUID_TEXT];
    struct key_write w = {.q = q, .r = r, .kind = in->kind, .in = in, .slot = 1};
    Status s;

    if (in->expires_us && in->expires_us <= clock_now_us())
        return reply_field_error(r, "/expires_at", "range", "This is over.");
    s = grant_allowed(q, in->principal, r);
    if (s == STATUS_OK)
        s = can_store(&w);
    if (s != STATUS_OK)
        return s;
    w.id = arena_strdup(q->arena, uuid_v7(id));
    return give_secret(&w, key_make);
}

/* The key, locked until the transaction ends; *rows is yours.  Refuses E_NOT_FOUND. */
static Status key_locked(struct db_tx *tx, const struct key_write *w, struct db_rows **rows,
                         struct key_row *ret) {
    Status s = db_key_lock(tx, w->id);

    if (s == STATUS_OK)
        s = db_key_secret_purge(tx, w->id);
    if (s == STATUS_OK)
        s = db_key_get_in(tx, w->id, rows);
    if (s != STATUS_OK)
        return s;
    if (db_rows_count(*rows) == 0)
        return reply_refuse(w->r, E_NOT_FOUND, "There is no key %s.", w->id);
    *ret = key_row(*rows, 0);
    return STATUS_OK;
}

/* ---- POST /keys/{key}/rotate ---- */

static Status rotate_slot(const struct key_write *w, const struct key_row *row, int64_t *ret) {
    json_auto_t *secrets = json_parse(row->secrets);
    const json_t *old = json_array_get(secrets, 0);
    size_t n = json_array_size(secrets);
    char when[TIME_TEXT];

    *ret = json_int(json_array_get(secrets, n - 1), "slot", 0) + 1;
    if (n < SECRETS_MAX)
        return STATUS_OK;
    return reply_refuse(w->r, E_WRONG_STATE,
                        "The key has two secrets already: the older one ends at %s, or is deleted "
                        "with DELETE /api/v1/keys/%s/secrets/%lld.",
                        clock_format(json_int(old, "expires_us", 0), when), w->id,
                        (long long)json_int(old, "slot", 0));
}

static Status key_rotate_tx(struct db_tx *tx, void *ctx) {
    struct key_write *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct key_row row;
    Status s = key_locked(tx, w, &rows, &row);

    if (s == STATUS_OK)
        s = rotate_slot(w, &row, &w->slot);
    if (s == STATUS_OK)
        s = db_key_secret_end(tx, w->id, w->slot, w->overlap_s);
    if (s == STATUS_OK)
        s = store_secret(tx, w, w->slot);
    if (s == STATUS_OK)
        s = key_answer(tx, w, 201);
    return s != STATUS_OK ? s : key_record(w, tx, "key.rotated", &row, "got a second secret");
}

static Status key_exchange(struct request *q, struct reply *r, void *ctx) {
    return idempotent_tx(q, r, "key_rotate", key_rotate_tx, ctx);
}

/* Whoever gets a secret of a key may act as it: that is to be within the caller's own. */
static Status path_key_within(struct key_write *w) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_auto_t *principal = NULL;
    Status s = path_key(w->q, &rows, w->r);
    struct key_row row;

    if (s != STATUS_OK)
        return s;
    row = key_row(rows, 0);
    w->id = arena_strdup(w->q->arena, row.id);
    w->kind = arena_strdup(w->q->arena, row.kind);
    principal = principal_json(&row);
    return grant_allowed(w->q, principal, w->r);
}

Status key_rotate(struct request *q, const void *in, struct reply *r) {
    struct key_write w = {.q = q, .r = r, .overlap_s = json_int(q->json, "overlap_s", OVERLAP_S)};
    Status s = path_key_within(&w);

    (void)in;
    if (s == STATUS_OK)
        s = can_store(&w);
    return s == STATUS_OK ? give_secret(&w, key_exchange) : s;
}

/* ---- DELETE ---- */

static Status key_delete_tx(struct db_tx *tx, void *ctx) {
    const struct key_write *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    struct key_row row;
    Status s = key_locked(tx, w, &rows, &row);

    if (s == STATUS_OK)
        s = db_key_delete(tx, w->id);
    if (s != STATUS_OK)
        return s;
    w->r->status = 204;
    return key_record(w, tx, "key.revoked", &row, "was deleted");
}

static Status secret_delete_tx(struct db_tx *tx, void *ctx) {
    const struct key_write *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_auto_t *secrets = NULL;
    struct key_row row;
    Status s = key_locked(tx, w, &rows, &row);

    if (s != STATUS_OK)
        return s;
    secrets = json_parse(row.secrets);
    s = db_key_secret_delete(tx, w->id, w->slot);
    if (s == E_NOT_FOUND)
        return reply_refuse(w->r, s, "The key has no secret %lld.", (long long)w->slot);
    if (s == STATUS_OK && json_array_size(secrets) < SECRETS_MAX)
        return reply_refuse(w->r, E_IN_USE, "It is the key's only secret: delete the key.");
    if (s != STATUS_OK)
        return s;
    w->r->status = 204;
    return key_record(w, tx, "key.secret_revoked", &row, "lost a secret");
}

static Status delete_by(struct key_write *w, const char *name, db_tx_fn *fn) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = path_key(w->q, &rows, w->r);

    w->id = request_param(w->q, "key");
    if (s == STATUS_OK)
        s = db_tx_run(context_of(w->q)->pool, name, DB_READ_COMMITTED, fn, w);
    if (s == STATUS_OK)
        keys_changed(w->q);
    return s;
}

Status key_delete(struct request *q, const void *in, struct reply *r) {
    struct key_write w = {.q = q, .r = r};

    (void)in;
    return delete_by(&w, "key_delete", key_delete_tx);
}

Status key_secret_delete(struct request *q, const void *in, struct reply *r) {
    const char *slot = request_param(q, "slot");
    struct key_write w = {.q = q, .r = r};
    size_t n = strlen(slot);

    (void)in;
    if (n < 1 || n > 9 || strspn(slot, "0123456789") != n)
        return invalid_path(r, "slot", "is no number");
    w.slot = strtoll(slot, NULL, 10);
    return delete_by(&w, "key_secret_delete", secret_delete_tx);
}

/* ---- GET ---- */

Status key_get(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = path_key(q, &rows, r);
    struct key_row row;

    (void)in;
    if (s != STATUS_OK)
        return s;
    row = key_row(rows, 0);
    return answer(r, 200, key_json(&row));
}

Status key_list(struct request *q, const void *in, struct reply *r) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_t *items;
    struct page page;
    Status s = page_of_ids(q, &page, r);

    (void)in;
    if (s == STATUS_OK)
        s = db_key_list(context_of(q)->pool, page.after, caller_apps(q), page.limit + 1, &rows);
    if (s != STATUS_OK)
        return s;
    items = json_array();
    for (size_t i = 0; i < page_rows(&page, rows); i++) {
        struct key_row row = key_row(rows, i);

        json_array_append_new(items, key_json(&row));
    }
    reply_list(r, items, page_next(&page, rows, "id"));
    return STATUS_OK;
}
