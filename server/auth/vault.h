/* auth/vault.h: secrets at rest, under AES-256-GCM with keys that only the configuration knows.
 *
 * SLUICE_KEY_ENCRYPTION_KEY holds one key or several: the first seals, all open, so that a new one
 * is put first and the old one stays until `sluiced keys rewrap` has re-sealed every row.
 * Immutable after vault_new: any thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum {
    VAULT_NONCE = 12, /* random for each seal */
    VAULT_TAG = 16,
    VAULT_SECRET_MAX = 256,
    VAULT_KEY_ID = 16, /* hex digits that name a key without telling it */
};

struct vault;
/* keys: base64 of 32 bytes each, separated by commas or newlines; NULL: none, then nothing can be
 * sealed or opened.  NULL when they are not that. */
struct vault *vault_new(const char *keys);
void vault_free(struct vault *v); /* NULL-safe; wipes */

/* The name of the key that seals; NULL without one. */
const char *vault_key_id(const struct vault *v);

/* Seals n bytes (at most VAULT_SECRET_MAX) under the first key into ret: nonce, ciphertext, tag.
 * `about` says what the secret belongs to: sealed text that is moved to another row does not open.
 * Returns the length; 0 without a key. */
size_t vault_seal(const struct vault *v, const char *about, const void *secret, size_t n,
                  unsigned char ret[VAULT_NONCE + VAULT_SECRET_MAX + VAULT_TAG]);
/* Opens what the key of that name sealed.  Returns the secret's length; 0 when it does not open. */
size_t vault_open(const struct vault *v, const char *key_id, const char *about,
                  const unsigned char *sealed, size_t n, unsigned char ret[VAULT_SECRET_MAX]);
