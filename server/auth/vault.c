/* auth/vault.c: AES-256-GCM through OpenSSL, with the name of what is sealed as associated data. */
#include "auth/vault.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include <openssl/evp.h>
#include <string.h>

enum { KEY_BYTES = 32, KEYS_MAX = 8 };

struct vault {
    size_t n;
    struct {
        unsigned char key[KEY_BYTES];
        char id[VAULT_KEY_ID + 1];
    } keys[KEYS_MAX];
};

DEFINE_CLEANUP(EVP_CIPHER_CTX_free, EVP_CIPHER_CTX *);

static bool add_key(struct vault *v, const char *text) {
    static const char salt[] = "sluice key-encryption key\n";
    unsigned char named[sizeof salt - 1 + KEY_BYTES];
    _cleanup_free_ unsigned char *bytes = NULL;
    char hex[SHA256_HEX];
    size_t n = 0;

    if (v->n == KEYS_MAX || !(bytes = base64_decode(text, &n)))
        return false;
    if (n == KEY_BYTES) {
        memcpy(v->keys[v->n].key, bytes, KEY_BYTES);
        memcpy(named, salt, sizeof salt - 1);
        memcpy(named + sizeof salt - 1, bytes, KEY_BYTES);
        sha256_hex(named, sizeof named, hex);
        memcpy(v->keys[v->n++].id, hex, VAULT_KEY_ID);
        explicit_bzero(named, sizeof named);
    }
    explicit_bzero(bytes, n);
    return n == KEY_BYTES;
}

struct vault *vault_new(const char *keys) {
    struct vault *v = xcalloc(1, sizeof *v);
    char *copy = xstrdup(keys), *rest = copy, *one;
    size_t length = keys ? strlen(keys) : 0;
    bool good = true;

    while (good && (one = strsep(&rest, ",\n"))) {
        one += strspn(one, " \t\r");
        one[strcspn(one, " \t\r")] = '\0';
        good = !*one || add_key(v, one);
    }
    if (copy)
        explicit_bzero(copy, length);
    free(copy);
    if (good && (v->n || !keys))
        return v;
    vault_free(v);
    return NULL;
}

void vault_free(struct vault *v) {
    if (v)
        explicit_bzero(v, sizeof *v);
    free(v);
}

const char *vault_key_id(const struct vault *v) {
    return v->n ? v->keys[0].id : NULL;
}

static const unsigned char *key_of(const struct vault *v, const char *id) {
    for (size_t i = 0; i < v->n; i++)
        if (!strcmp(v->keys[i].id, id))
            return v->keys[i].key;
    return NULL;
}

size_t vault_seal(const struct vault *v, const char *about, const void *secret, size_t n,
                  unsigned char ret[VAULT_NONCE + VAULT_SECRET_MAX + VAULT_TAG]) {
    _cleanup_(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    unsigned char *text = ret + VAULT_NONCE;
    int len = 0, last = 0;

    if (!v->n || n > VAULT_SECRET_MAX)
        return 0;
    random_bytes(ret, VAULT_NONCE);
    if (!c || EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, v->keys[0].key, ret) != 1 ||
        EVP_EncryptUpdate(c, NULL, &len, (const unsigned char *)about, (int)strlen(about)) != 1 ||
        EVP_EncryptUpdate(c, text, &len, secret, (int)n) != 1 ||
        EVP_EncryptFinal_ex(c, text + len, &last) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, VAULT_TAG, text + n) != 1)
        die("OpenSSL could not encrypt");
    return VAULT_NONCE + n + VAULT_TAG;
}

size_t vault_open(const struct vault *v, const char *key_id, const char *about,
                  const unsigned char *sealed, size_t n, unsigned char ret[VAULT_SECRET_MAX]) {
    _cleanup_(EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    const unsigned char *key = key_of(v, key_id), *text = sealed + VAULT_NONCE;
    unsigned char tag[VAULT_TAG];
    int len = 0, last = 0;
    size_t secret;

    if (!c || !key || n <= VAULT_NONCE + VAULT_TAG ||
        n > VAULT_NONCE + VAULT_SECRET_MAX + VAULT_TAG)
        return 0;
    secret = n - VAULT_NONCE - VAULT_TAG;
    memcpy(tag, text + secret, VAULT_TAG);
    if (EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, sealed) == 1 &&
        EVP_DecryptUpdate(c, NULL, &len, (const unsigned char *)about, (int)strlen(about)) == 1 &&
        EVP_DecryptUpdate(c, ret, &len, text, (int)secret) == 1 &&
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, VAULT_TAG, tag) == 1 &&
        EVP_DecryptFinal_ex(c, ret + len, &last) == 1)
        return secret;
    explicit_bzero(ret, secret);
    return 0;
}
