/* main/rewrap.c: `sluiced keys rewrap`: every stored secret under the first key of
 * SLUICE_KEY_ENCRYPTION_KEY. */
#include "auth/vault.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "config/config.h"
#include "db/key.h"
#include "main/commands.h"
#include <stdio.h>
#include <string.h>

enum { BATCH = 100, LINE = 512, WAIT_MS = 5000 };

DEFINE_CLEANUP(vault_free, struct vault *);

/* One small transaction after another, each from where the one before came to: whatever is
 * committed stays so, and a run that was cut is simply made again. */
struct rewrap {
    const struct vault *vault;
    char after_key[UUID_TEXT], next_key[UUID_TEXT]; /* next: of the last row seen */
    int64_t after_slot, next_slot;
    size_t seen, sealed, unopened; /* of the last transaction */
};

static Status seal_again(struct db_tx *tx, const struct vault *vault, struct key_secret_row *row,
                         bool *ret_opened) {
    unsigned char secret[VAULT_SECRET_MAX];
    char name[KEY_SECRET_NAME];
    size_t n;

    key_secret_name(row, name);
    n = vault_open(vault, row->kek, name, row->sealed, row->sealed_n, secret);
    *ret_opened = n > 0;
    if (!n)
        return STATUS_OK;
    row->kek = vault_key_id(vault);
    row->sealed_n = vault_seal(vault, name, secret, n, row->sealed);
    explicit_bzero(secret, sizeof secret);
    return db_key_seal_again(tx, row);
}

static Status rewrap_tx(struct db_tx *tx, void *ctx) {
    struct rewrap *w = ctx;
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    Status s =
        db_key_sealed_otherwise(tx, vault_key_id(w->vault), *w->after_key ? w->after_key : NULL,
                                w->after_slot, BATCH, &rows);

    w->seen = db_rows_count(rows);
    w->sealed = w->unopened = 0;
    for (size_t i = 0; i < w->seen && s == STATUS_OK; i++) {
        struct key_secret_row row = key_secret_row(rows, i);
        bool opened = false;

        s = seal_again(tx, w->vault, &row, &opened);
        *(opened ? &w->sealed : &w->unopened) += 1;
        snprintf(w->next_key, sizeof w->next_key, "%s", row.key_id);
        w->next_slot = row.slot;
    }
    return s;
}

static Status rewrap_all(struct db_pool *pool, const struct vault *vault, size_t *ret_sealed,
                         size_t *ret_unopened) {
    struct rewrap w = {.vault = vault};
    Status s;

    do {
        s = db_tx_run(pool, "keys_rewrap", DB_READ_COMMITTED, rewrap_tx, &w);
        *ret_sealed += s == STATUS_OK ? w.sealed : 0;
        *ret_unopened += s == STATUS_OK ? w.unopened : 0;
        memcpy(w.after_key, w.next_key, sizeof w.after_key);
        w.after_slot = w.next_slot;
    } while (s == STATUS_OK && w.seen == BATCH);
    return s;
}

static int rewrap(const struct config *c) {
    _cleanup_(vault_free) struct vault *vault = vault_new(c->key_encryption_key);
    size_t sealed = 0, unopened = 0;
    struct db_pool *pool;
    Status s;

    if (!vault || !vault_key_id(vault))
        return failure("SLUICE_KEY_ENCRYPTION_KEY is required: the new key first, then the old");
    pool = db_pool_new(&(struct db_settings){
        .url = c->database_url, .size = 1, .wait_ms = WAIT_MS, .app_name = "sluiced-keys"});
    s = rewrap_all(pool, vault, &sealed, &unopened);
    if (s != STATUS_OK)
        failure("keys rewrap: %s", db_fault_text());
    db_pool_free(pool);
    printf("%zu secret%s put under the first key\n", sealed, sealed == 1 ? "" : "s");
    if (unopened)
        return failure("keys rewrap: %zu secret%s cannot be opened: the key that sealed %s is not "
                       "in SLUICE_KEY_ENCRYPTION_KEY",
                       unopened, unopened == 1 ? "" : "s", unopened == 1 ? "it" : "them");
    return s == STATUS_OK ? EXIT_DONE : EXIT_FAILED;
}

int command_keys(int argc, char **argv) {
    _cleanup_(config_done) struct config config = {0};
    char line[LINE] = "";

    if (argc != 2 || strcmp(argv[1], "rewrap") != 0)
        return usage_error("keys: what is asked for is keys rewrap");
    if (!config_load_for(&config, CONFIG_NEEDS_DATABASE, line, sizeof line))
        return failure("%s", line);
    return rewrap(&config);
}
