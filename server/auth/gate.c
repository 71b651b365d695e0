/* auth/gate.c: a token's form and header.
 *
 * libjwt copies the token with alloca (a long one is a SIGSEGV), skips bytes that are not base64
 * (one signature, many texts), takes the algorithm from the token, and ignores `crit` and
 * duplicates.  All that ends here. */
#include "auth/gate.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include <string.h>

enum { JSON_DEPTH_MAX = 8, PARTS = 3, HS256_BYTES = 32, ES256_BYTES = 64 };

struct part {
    const char *text;
    size_t n;
};

static bool split(const char *token, size_t n, struct part ret[PARTS]) {
    const char *end = token + n;

    for (int i = 0; i < PARTS; i++) {
        const char *dot = memchr(token, '.', (size_t)(end - token));
        const char *stop = dot ? dot : end;

        if ((i < PARTS - 1) != (dot != NULL) || stop == token)
            return false;
        ret[i] = (struct part){token, (size_t)(stop - token)};
        token = stop + 1;
    }
    return true;
}

/* jansson recurses, and so does libjwt's use of it: the thread's stack is not the caller's to
 * choose. */
static bool shallow(const char *json, size_t n) {
    bool quoted = false;
    int depth = 0;

    for (size_t i = 0; i < n; i++) {
        if (quoted && json[i] == '\\')
            i++;
        else if (json[i] == '"')
            quoted = !quoted;
        else if (!quoted && (json[i] == '{' || json[i] == '[') && ++depth > JSON_DEPTH_MAX)
            return false;
        else if (!quoted && (json[i] == '}' || json[i] == ']'))
            depth--;
    }
    return true;
}

static json_t *object_of(struct part p) {
    _cleanup_free_ unsigned char *bytes = xmalloc(3 * (p.n / 4) + 2);
    long n = base64url_decode(p.text, p.n, bytes);
    json_t *v;

    if (n < 0 || !shallow((const char *)bytes, (size_t)n))
        return NULL;
    v = json_loadb((const char *)bytes, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(v))
        return v;
    json_decref(v);
    return NULL;
}

static bool kid_valid(const json_t *kid) {
    const char *s = json_string_value(kid);
    size_t n = s ? strlen(s) : 0;

    if (n < 1 || n > KID_MAX)
        return false;
    for (; *s; s++)
        if (*s < 0x20 || *s > 0x7e)
            return false;
    return true;
}

/* What no header may hold, whoever issued the token. */
static const char *header_check(const json_t *header) {
    static const char *const refused[] = {"crit", "jku", "jwk", "x5u", "x5c", "zip", "b64"};
    const json_t *kid = json_object_get(header, "kid");

    if (kid && !kid_valid(kid))
        return "The token's key id is not valid.";
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (json_object_get(header, refused[i]))
            return "The token's header carries a parameter that is not accepted.";
    return NULL;
}

static bool signature_read(struct part p, struct token *ret) {
    long n = -1;

    if (p.n <= (SIGNATURE_MAX * 4 + 2) / 3)
        n = base64url_decode(p.text, p.n, ret->signature);
    ret->signature_len = n > 0 ? (size_t)n : 0;
    return n > 0;
}

const char *gate_open(const char *text, size_t n, struct token *ret) {
    struct part parts[PARTS];
    const char *why;

    *ret = (struct token){.text = text};
    if (n > TOKEN_MAX)
        return "The token is longer than 8 KiB.";
    if (!split(text, n, parts))
        return "The token is not three parts separated by dots.";
    ret->signed_len = (size_t)(parts[1].text + parts[1].n - text);
    ret->header = object_of(parts[0]);
    if (!ret->header)
        return "The token's header is not valid.";
    why = header_check(ret->header);
    if (why)
        return why;
    ret->kid = json_str(ret->header, "kid", NULL);
    if (!signature_read(parts[2], ret))
        return "The token's signature is not valid.";
    ret->claims = object_of(parts[1]);
    return ret->claims ? NULL : "The token's claims are not valid.";
}

void token_done(struct token *t) {
    if (!t)
        return;
    json_decref(t->header);
    json_decref(t->claims);
    t->header = t->claims = NULL;
}

static bool type_fits(const struct issuer *by, const json_t *typ) {
    const char *text = json_string_value(typ);

    if (by->access_tokens)
        return text && (!strcmp(text, "at+jwt") || !strcmp(text, "application/at+jwt"));
    return !typ || (text && !strcmp(text, "JWT"));
}

/* RS256's is as long as its key: OpenSSL compares. */
static bool length_fits(const struct issuer *by, size_t n) {
    return !strcmp(by->alg, "HS256")   ? n == HS256_BYTES
           : !strcmp(by->alg, "ES256") ? n == ES256_BYTES
                                       : true;
}

const char *gate_header(const struct issuer *by, const struct token *t) {
    if (strcmp(json_str(t->header, "alg", ""), by->alg) != 0)
        return "The token's algorithm is not the issuer's.";
    if (!type_fits(by, json_object_get(t->header, "typ")))
        return by->access_tokens ? "The token's type is not at+jwt."
                                 : "The token's type is not JWT.";
    return length_fits(by, t->signature_len) ? NULL : "The token's signature is not valid.";
}
