#include "db/key.h"
#include "base/cleanup.h"
#include <stdio.h>
#include <string.h>

struct key_row key_row(const struct db_rows *rows, size_t i) {
    return (struct key_row){
        .id = db_text(rows, i, "id"),
        .name = db_text(rows, i, "name"),
        .kind = db_text(rows, i, "kind"),
        .principal_kind = db_text(rows, i, "principal_kind"),
        .roles = db_text(rows, i, "roles_json"),
        .apps = db_text(rows, i, "apps_json"),
        .environment = db_text(rows, i, "environment"),
        .created_by = db_text(rows, i, "created_by"),
        .secrets = db_text(rows, i, "secrets"),
        .created_us = db_time(rows, i, "created_at"),
        .expires_us = db_time(rows, i, "expires_at"),
        .last_used_us = db_time(rows, i, "last_used_at"),
    };
}

Status db_key_insert(struct db_tx *tx, const struct key_new *k) {
    return db_query(tx, SQL_KEY_INSERT, NULL,
                    DB_PARAMS(k->id, k->name, k->kind, k->principal_kind, k->roles, k->apps,
                              k->environment, k->created_by,
                              k->expires_us ? DB_TIMESTAMP(k->expires_us) : NULL));
}

Status db_key_get(struct db_pool *p, const char *id, struct db_rows **ret) {
    return db_once(p, SQL_KEY_LIST, ret, DB_PARAMS(NULL, NULL, DB_INT(1), id));
}

Status db_key_get_in(struct db_tx *tx, const char *id, struct db_rows **ret) {
    return db_query(tx, SQL_KEY_LIST, ret, DB_PARAMS(NULL, NULL, DB_INT(1), id));
}

Status db_key_list(struct db_pool *p, const char *after, const char *apps, int64_t limit,
                   struct db_rows **ret) {
    return db_once(p, SQL_KEY_LIST, ret, DB_PARAMS(after, apps, DB_INT(limit), NULL));
}

Status db_key_lock(struct db_tx *tx, const char *id) {
    return db_query(tx, SQL_KEY_LOCK, NULL, DB_PARAMS(id));
}

Status db_key_used(struct db_pool *p, const char *ids, const char *times) {
    return db_once(p, SQL_KEY_USED, NULL, DB_PARAMS(ids, times));
}

Status db_key_delete(struct db_tx *tx, const char *id) {
    return db_query(tx, SQL_KEY_DELETE, NULL, DB_PARAMS(id));
}

/* ---- secrets ---- */

/* A null, and whatever is longer than there is room for, are nothing. */
static size_t read_bytes(const struct db_rows *rows, size_t i, const char *column,
                         unsigned char *ret, size_t max) {
    size_t n = 0;
    _cleanup_free_ unsigned char *bytes = db_bytea(rows, i, column, &n);

    if (!bytes || n > max)
        return 0;
    memcpy(ret, bytes, n);
    return n;
}

char *key_secret_name(const struct key_secret_row *s, char text[KEY_SECRET_NAME]) {
    snprintf(text, KEY_SECRET_NAME, "%s/%lld", s->key_id, (long long)s->slot);
    return text;
}

Status db_key_secret_insert(struct db_tx *tx, const struct key_secret_row *s) {
    _cleanup_free_ char *sealed = s->kek ? db_bytea_text(s->sealed, s->sealed_n) : NULL;
    _cleanup_free_ char *digest = s->kek ? NULL : db_bytea_text(s->digest, KEY_DIGEST);

    return db_query(tx, SQL_KEY_SECRET_INSERT, NULL,
                    DB_PARAMS(s->key_id, DB_INT(s->slot), s->kek, sealed, digest));
}

Status db_key_secret_purge(struct db_tx *tx, const char *id) {
    return db_query(tx, SQL_KEY_SECRET_PURGE, NULL, DB_PARAMS(id));
}

Status db_key_secret_end(struct db_tx *tx, const char *id, int64_t slot, int64_t overlap_s) {
    return db_query(tx, SQL_KEY_SECRET_END, NULL, DB_PARAMS(id, DB_INT(slot), DB_INT(overlap_s)));
}

Status db_key_secret_delete(struct db_tx *tx, const char *id, int64_t slot) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s = db_query(tx, SQL_KEY_SECRET_DELETE, &rows, DB_PARAMS(id, DB_INT(slot)));

    return s == STATUS_OK && db_rows_count(rows) == 0 ? E_NOT_FOUND : s;
}

Status db_key_snapshot(struct db_pool *p, struct db_rows **ret) {
    return db_once(p, SQL_KEY_SNAPSHOT, ret, DB_NO_PARAMS);
}

struct key_snapshot_row key_snapshot_row(const struct db_rows *rows, size_t i) {
    struct key_snapshot_row row = {
        .name = db_text(rows, i, "name"),
        .principal_kind = db_text(rows, i, "principal_kind"),
        .roles = db_text(rows, i, "roles_json"),
        .apps = db_text(rows, i, "apps_json"),
        .environment = db_text(rows, i, "environment"),
        .expires_us = db_time(rows, i, "expires_at"),
        .secret = {.key_id = db_text(rows, i, "id"),
                   .kek = db_text(rows, i, "kek"),
                   .slot = db_int(rows, i, "slot")},
    };

    row.secret.sealed_n =
        read_bytes(rows, i, "sealed", row.secret.sealed, sizeof row.secret.sealed);
    (void)read_bytes(rows, i, "digest", row.secret.digest, sizeof row.secret.digest);
    return row;
}

struct key_secret_row key_secret_row(const struct db_rows *rows, size_t i) {
    struct key_secret_row row = {.key_id = db_text(rows, i, "key_id"),
                                 .kek = db_text(rows, i, "kek"),
                                 .slot = db_int(rows, i, "slot")};

    row.sealed_n = read_bytes(rows, i, "sealed", row.sealed, sizeof row.sealed);
    return row;
}

Status db_key_sealed_otherwise(struct db_tx *tx, const char *kek, const char *after_key,
                               int64_t after_slot, int64_t limit, struct db_rows **ret) {
    return db_query(tx, SQL_KEY_SEALED_OTHERWISE, ret,
                    DB_PARAMS(kek, after_key, DB_INT(after_slot), DB_INT(limit)));
}

Status db_key_seal_again(struct db_tx *tx, const struct key_secret_row *s) {
    _cleanup_free_ char *sealed = db_bytea_text(s->sealed, s->sealed_n);

    return db_query(tx, SQL_KEY_SEAL_AGAIN, NULL,
                    DB_PARAMS(s->key_id, DB_INT(s->slot), s->kek, sealed));
}
