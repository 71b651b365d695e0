#include "base/note.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

enum { ED25519 = 0x01, KEY_BYTES = 32, ID_BYTES = 4, SIGNATURE_BYTES = 64, PEM_MAX = 4096 };

#define DASH "\xe2\x80\x94 " /* U+2014 and a space */

DEFINE_CLEANUP(BIO_free, BIO *);
DEFINE_CLEANUP(EVP_PKEY_free, EVP_PKEY *);
DEFINE_CLEANUP(EVP_MD_CTX_free, EVP_MD_CTX *);

struct note_signer {
    EVP_PKEY *key;
    char *name;
    unsigned char public[KEY_BYTES];
};

struct note_keys {
    struct trusted {
        EVP_PKEY *key;
        char *name; /* NULL: any, as a PEM has none */
        unsigned char public[KEY_BYTES];
    } * at;
    size_t n;
};

bool note_name_valid(const char *name) {
    size_t n = 0;

    for (; name[n]; n++)
        if (name[n] <= ' ' || name[n] >= 0x7f || name[n] == '+')
            return false;
    return n > 0 && n <= NOTE_KEY_NAME_MAX;
}

static void key_id(const char *name, size_t n, const unsigned char public[KEY_BYTES],
                   unsigned char ret[ID_BYTES]) {
    unsigned char bytes[NOTE_KEY_NAME_MAX + 2 + KEY_BYTES], hash[SHA256_BYTES];

    memcpy(bytes, name, n);
    bytes[n++] = '\n';
    bytes[n++] = ED25519;
    memcpy(bytes + n, public, KEY_BYTES);
    digest_of(bytes, n + KEY_BYTES, hash);
    memcpy(ret, hash, ID_BYTES);
}

static void base64(const void *bytes, size_t n, char *text) {
    EVP_EncodeBlock((unsigned char *)text, bytes, (int)n);
}

char *note_hash(const char *bytes, size_t n, char text[NOTE_HASH]) {
    unsigned char hash[SHA256_BYTES];

    digest_of(bytes, n, hash);
    base64(hash, sizeof hash, text);
    return text;
}

static bool public_of(const EVP_PKEY *key, unsigned char ret[KEY_BYTES]) {
    size_t n = KEY_BYTES;

    return key && EVP_PKEY_is_a(key, "ED25519") && EVP_PKEY_get_raw_public_key(key, ret, &n) == 1 &&
           n == KEY_BYTES;
}

/* An empty passphrase, so that an encrypted key is refused instead of asked about on a terminal. */
static int no_passphrase(char *text, int size, int writing, void *ctx) {
    (void)text;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

struct note_signer *note_signer_new(const char *pem, const char *name) {
    _cleanup_(BIO_free) BIO *in = BIO_new_mem_buf(pem, -1);
    _cleanup_(EVP_PKEY_free) EVP_PKEY *key =
        in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL) : NULL;
    struct note_signer *s;
    unsigned char public[KEY_BYTES];

    if (!public_of(key, public) || !note_name_valid(name))
        return NULL;
    s = xcalloc(1, sizeof *s);
    s->key = TAKE_PTR(key);
    s->name = xstrdup(name);
    memcpy(s->public, public, KEY_BYTES);
    return s;
}

void note_signer_free(struct note_signer *s) {
    if (!s)
        return;
    EVP_PKEY_free(s->key);
    free(s->name);
    free(s);
}

char *note_sign(const struct note_signer *s, const char *text) {
    _cleanup_(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char signature[ID_BYTES + SIGNATURE_BYTES];
    char encoded[(sizeof signature + 2) / 3 * 4 + 1];
    size_t n = SIGNATURE_BYTES;

    key_id(s->name, strlen(s->name), s->public, signature);
    if (!ctx || EVP_DigestSignInit(ctx, NULL, NULL, NULL, s->key) != 1 ||
        EVP_DigestSign(ctx, signature + ID_BYTES, &n, (const unsigned char *)text, strlen(text)) !=
            1)
        die("Ed25519 does not sign");
    base64(signature, sizeof signature, encoded);
    return xasprintf("%s\n" DASH "%s %s\n", text, s->name, encoded);
}

static char *bio_text(BIO *out) {
    char *bytes;
    long n = BIO_get_mem_data(out, &bytes);

    return xstrndup(bytes, (size_t)n);
}

char *note_signer_pem(const struct note_signer *s) {
    _cleanup_(BIO_free) BIO *out = BIO_new(BIO_s_mem());

    if (!out || PEM_write_bio_PUBKEY(out, s->key) != 1)
        die("a public key cannot be written as PEM");
    return bio_text(out);
}

char *note_signer_vkey(const struct note_signer *s) {
    unsigned char bytes[1 + KEY_BYTES] = {ED25519}, id[ID_BYTES];
    char encoded[(sizeof bytes + 2) / 3 * 4 + 1], hex[2 * ID_BYTES + 1];

    key_id(s->name, strlen(s->name), s->public, id);
    memcpy(bytes + 1, s->public, KEY_BYTES);
    base64(bytes, sizeof bytes, encoded);
    return xasprintf("%s+%s+%s", s->name, hex_encode(id, ID_BYTES, hex), encoded);
}

char *note_key_new(void) {
    _cleanup_(EVP_PKEY_free) EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    _cleanup_(BIO_free) BIO *out = BIO_new(BIO_s_secmem());

    if (!key || !out || PEM_write_bio_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) != 1)
        die("no Ed25519 key can be made");
    return bio_text(out);
}

struct note_keys *note_keys_new(void) {
    return xcalloc(1, sizeof(struct note_keys));
}

void note_keys_free(struct note_keys *k) {
    if (!k)
        return;
    for (size_t i = 0; i < k->n; i++) {
        EVP_PKEY_free(k->at[i].key);
        free(k->at[i].name);
    }
    free(k->at);
    free(k);
}

/* NAME+ID+BASE64(01 ‖ key), whose id has to be that of name and key. */
static EVP_PKEY *vkey_read(const char *text, char **ret_name) {
    const char *first = strchr(text, '+'), *second = first ? strchr(first + 1, '+') : NULL;
    _cleanup_free_ char *name = second ? xstrndup(text, (size_t)(first - text)) : NULL;
    _cleanup_free_ char *encoded =
        second ? xstrndup(second + 1, strcspn(second + 1, " \t\r\n")) : NULL;
    _cleanup_free_ unsigned char *bytes = NULL;
    unsigned char id[ID_BYTES];
    char hex[2 * ID_BYTES + 1];
    size_t n = 0;

    if (!name || !note_name_valid(name))
        return NULL;
    bytes = base64_decode(encoded, &n);
    if (!bytes || n != 1 + KEY_BYTES || bytes[0] != ED25519)
        return NULL;
    key_id(name, strlen(name), bytes + 1, id);
    hex_encode(id, ID_BYTES, hex);
    if (second - first - 1 != 2 * ID_BYTES || memcmp(first + 1, hex, 2 * ID_BYTES) != 0)
        return NULL;
    *ret_name = TAKE_PTR(name);
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes + 1, KEY_BYTES);
}

bool note_keys_add(struct note_keys *k, const char *text) {
    struct trusted t = {0};

    if (strstr(text, "-----BEGIN ")) {
        _cleanup_(BIO_free) BIO *in = BIO_new_mem_buf(text, -1);

        t.key = in ? PEM_read_bio_PUBKEY(in, NULL, no_passphrase, NULL) : NULL;
    } else {
        t.key = vkey_read(text, &t.name);
    }
    if (!public_of(t.key, t.public)) {
        EVP_PKEY_free(t.key);
        free(t.name);
        return false;
    }
    k->at = xrealloc(k->at, (k->n + 1) * sizeof *k->at);
    k->at[k->n++] = t;
    return true;
}

/* ---- reading ---- */

struct line {
    const char *name;
    size_t name_n;
    unsigned char bytes[256]; /* id and signature; of other algorithms: their beginning */
    size_t n;
};

/* "— NAME BASE64", without its newline. */
static bool line_read(const char *at, size_t n, struct line *ret) {
    const char *space;
    _cleanup_free_ unsigned char *bytes = NULL;
    _cleanup_free_ char *encoded = NULL;
    size_t got;

    if (n < strlen(DASH) || memcmp(at, DASH, strlen(DASH)) != 0)
        return false;
    at += strlen(DASH);
    n -= strlen(DASH);
    space = memchr(at, ' ', n);
    if (!space || space == at || memchr(at, '+', (size_t)(space - at)))
        return false;
    *ret = (struct line){.name = at, .name_n = (size_t)(space - at)};
    encoded = xstrndup(space + 1, n - ret->name_n - 1);
    if (strchr(encoded, ' ') || strlen(encoded) != n - ret->name_n - 1)
        return false;
    bytes = base64_decode(encoded, &got);
    if (!bytes || got <= ID_BYTES)
        return false;
    ret->n = got;
    memcpy(ret->bytes, bytes, got < sizeof ret->bytes ? got : sizeof ret->bytes);
    return true;
}

static const struct trusted *trusted_of(const struct note_keys *keys, const struct line *line) {
    unsigned char id[ID_BYTES];

    if (line->name_n > NOTE_KEY_NAME_MAX)
        return NULL;
    for (size_t i = 0; i < keys->n; i++) {
        const struct trusted *t = &keys->at[i];

        if (t->name &&
            (strlen(t->name) != line->name_n || memcmp(t->name, line->name, line->name_n) != 0))
            continue;
        key_id(line->name, line->name_n, t->public, id);
        if (memcmp(id, line->bytes, ID_BYTES) == 0)
            return t;
    }
    return NULL;
}

static bool signed_by(const struct trusted *t, const struct line *line, const char *text,
                      size_t n) {
    _cleanup_(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    return ctx && line->n == ID_BYTES + SIGNATURE_BYTES &&
           EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, t->key) == 1 &&
           EVP_DigestVerify(ctx, line->bytes + ID_BYTES, SIGNATURE_BYTES,
                            (const unsigned char *)text, n) == 1;
}

/* Where the signature lines begin: after the last empty line; NULL when there is none. */
static const char *signatures_of(const char *note, size_t n) {
    for (const char *at = note + n; at - note >= 2; at--)
        if (at[-1] == '\n' && at[-2] == '\n')
            return at;
    return NULL;
}

static bool characters_good(const char *note, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)note[i] < ' ' && note[i] != '\n')
            return false;
    return true;
}

NoteVerdict note_open(const char *note, size_t n, const struct note_keys *keys,
                      size_t *ret_text_n) {
    const char *at = n <= NOTE_TEXT_MAX ? signatures_of(note, n) : NULL, *end = note + n;
    NoteVerdict verdict = NOTE_UNKNOWN_KEY;
    size_t lines = 0, text_n;

    *ret_text_n = 0;
    if (!at || at == end || at - note < 3 || !characters_good(note, n))
        return NOTE_MALFORMED;
    text_n = (size_t)(at - note) - 1;
    for (; at < end; lines++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const struct trusted *t;
        struct line line;

        if (!stop || lines == NOTE_SIGNATURES_MAX || !line_read(at, (size_t)(stop - at), &line))
            return NOTE_MALFORMED;
        t = trusted_of(keys, &line);
        if (t && !signed_by(t, &line, note, text_n))
            return NOTE_BAD_SIGNATURE;
        if (t)
            verdict = NOTE_GOOD;
        at = stop + 1;
    }
    *ret_text_n = text_n;
    return verdict;
}
