/* auth/apisig.c: a parser that knows one form.  It never searches, never skips and never allocates:
 * each step expects the next bytes, or the signature is refused. */
#include "auth/apisig.h"
#include "base/ids.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <strings.h>

enum { BASE64 = 44, BASE_MAX = 16 * 1024, CREATED_MAX = 12, KEY_MAX = 4096 };

static const char not_the_profile[] =
    "The signature is not of the one form that is accepted (docs/identity.md, \"API signatures\").";

bool apisig_reads(const char *method) {
    return !strcmp(method, "GET") || !strcmp(method, "HEAD");
}

static bool expect(const char **at, const char *text) {
    size_t n = strlen(text);

    if (strncmp(*at, text, n) != 0)
        return false;
    *at += n;
    return true;
}

static bool take_number(const char **at, int64_t *ret) {
    size_t n = strspn(*at, "0123456789");

    *ret = 0;
    if (n < 1 || n > CREATED_MAX || **at == '0')
        return false;
    for (; n; n--)
        *ret = *ret * 10 + (*(*at)++ - '0');
    return true;
}

static bool nonce_char(char c) {
    return c > 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static bool keyid_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool take_text(const char **at, bool (*allowed)(char), size_t least, size_t most,
                      char *ret) {
    size_t n = 0;

    while (n <= most && allowed((*at)[n]))
        n++;
    if (n < least || n > most)
        return false;
    memcpy(ret, *at, n);
    ret[n] = '\0';
    *at += n;
    return true;
}

/* The canonical base64 of 32 bytes, between colons. */
static bool take_bytes(const char **at, unsigned char ret[APISIG_BYTES]) {
    unsigned char bytes[BASE64];
    char text[BASE64];

    if (!expect(at, ":") || strnlen(*at, BASE64 + 1) < BASE64 + 1 || (*at)[BASE64 - 1] != '=')
        return false;
    for (int i = 0; i < BASE64 - 1; i++) {
        char c = (*at)[i];

        if (c == '-' || c == '_')
            return false;
        text[i] = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    if (base64url_decode(text, BASE64 - 1, bytes) != APISIG_BYTES)
        return false;
    memcpy(ret, bytes, APISIG_BYTES);
    *at += BASE64;
    return expect(at, ":");
}

static bool take_components(const char **at, const struct apisig_message *m, bool reads) {
    return expect(at, "(\"@method\" \"@authority\" \"@path\" \"@query\"") &&
           (reads || expect(at, " \"content-digest\"")) &&
           (reads || !m->idempotency_key || expect(at, " \"idempotency-key\"")) && expect(at, ")");
}

static bool take_params(const char **at, struct apisig *ret) {
    return expect(at, ";created=") && take_number(at, &ret->created_s) && expect(at, ";nonce=\"") &&
           take_text(at, nonce_char, APISIG_NONCE_MIN, APISIG_NONCE_MAX, ret->nonce) &&
           expect(at, "\";keyid=\"") &&
           take_text(at, keyid_char, 1, APISIG_KEYID_MAX, ret->keyid) &&
           expect(at, "\";alg=\"hmac-sha256\"");
}

static bool parse_digest(const char *value, unsigned char ret[APISIG_BYTES]) {
    return value && expect(&value, "sha-256=") && take_bytes(&value, ret) && !*value;
}

const char *apisig_parse(const char *input, const char *signature, const struct apisig_message *m,
                         struct apisig *ret) {
    bool reads = apisig_reads(m->method);
    const char *at = input;

    *ret = (struct apisig){.digested = !reads};
    if (!input || !signature)
        return "Signature and Signature-Input belong together.";
    if (strnlen(input, APISIG_INPUT_MAX + 1) > APISIG_INPUT_MAX || !expect(&at, "sig1="))
        return not_the_profile;
    ret->params = at;
    if (!take_components(&at, m, reads) || !take_params(&at, ret) || *at)
        return not_the_profile;
    if (!expect(&signature, "sig1=") || !take_bytes(&signature, ret->mac) || *signature)
        return not_the_profile;
    if (!reads && !parse_digest(m->content_digest, ret->digest))
        return "A signed write needs Content-Digest: sha-256=:BASE64: of its body.";
    return NULL;
}

bool apisig_timely(const struct apisig *a, int64_t now_s) {
    return a->created_s >= now_s - APISIG_WINDOW_S && a->created_s <= now_s + APISIG_WINDOW_S;
}

/* Appends to text of max bytes; *n is max when it did not fit. */
static void add(char *text, size_t max, size_t *n, const char *more, size_t more_n) {
    if (*n + more_n >= max) {
        *n = max;
        return;
    }
    memcpy(text + *n, more, more_n);
    *n += more_n;
}

static void add_line(char *text, size_t max, size_t *n, const char *name, const char *value) {
    size_t length;

    value += strspn(value, " \t");
    length = strlen(value);
    while (length && strchr(" \t", value[length - 1]))
        length--;
    add(text, max, n, "\"", 1);
    add(text, max, n, name, strlen(name));
    add(text, max, n, "\": ", 3);
    add(text, max, n, value, length);
}

size_t apisig_base(const struct apisig_component *c, size_t n, const char *params, char *text,
                   size_t max) {
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        add_line(text, max, &len, c[i].name, c[i].value);
        add(text, max, &len, "\n", 1);
    }
    add_line(text, max, &len, "@signature-params", params);
    return len < max ? len : 0;
}

bool apisig_mac(const void *key, size_t key_n, const char *base, size_t n,
                unsigned char ret[APISIG_BYTES]) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int mac_n = 0;

    if (!key_n || key_n > KEY_MAX ||
        !HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)base, n, mac, &mac_n) ||
        mac_n != APISIG_BYTES)
        return false;
    memcpy(ret, mac, APISIG_BYTES);
    return true;
}

bool apisig_verify(const struct apisig *a, const struct apisig_message *m, const void *key,
                   size_t key_n) {
    const struct apisig_component all[] = {
        {"@method", m->method},
        {"@authority", m->authority},
        {"@path", m->path},
        {"@query", m->query ? m->query : "?"},
        {"content-digest", m->content_digest},
        {"idempotency-key", m->idempotency_key},
    };
    size_t n = !a->digested ? 4 : m->idempotency_key ? 6 : 5;
    unsigned char mac[APISIG_BYTES];
    char base[BASE_MAX];
    size_t len = apisig_base(all, n, a->params, base, sizeof base);

    return len && apisig_mac(key, key_n, base, len, mac) &&
           CRYPTO_memcmp(mac, a->mac, APISIG_BYTES) == 0;
}

bool apisig_authority(const char *url, char *text, size_t n) {
    bool https = !strncasecmp(url, "https://", 8);
    const char *host = strstr(url, "://"), *own = https ? ":443" : ":80";
    size_t len, own_n = strlen(own);

    host = host ? host + 3 : url;
    len = strcspn(host, "/?#");
    if (memchr(host, '@', len)) {
        size_t before = (size_t)((const char *)memrchr(host, '@', len) - host) + 1;

        host += before;
        len -= before;
    }
    if (len > own_n && !memcmp(host + len - own_n, own, own_n))
        len -= own_n;
    if (!len || len >= n)
        return false;
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] | 0x20 : host[i]);
    text[len] = '\0';
    return true;
}
