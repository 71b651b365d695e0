/* auth/gate.c: a token's form and header.
 *
 * libjwt copies the token with alloca (a long one is a SIGSEGV), skips bytes that are not base64
 * (one signature, many texts), takes the algorithm from the token, and ignores `crit` and
 * duplicates.  All that ends here. */
#include "auth/gate.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include <string.h>

enum { JSON_DEPTH_MAX = 8, KID_MAX = 64, PARTS = 3, HS256_BYTES = 32 };

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

static const char *header_check(const struct issuer *by, const json_t *header) {
    static const char *const refused[] = {"crit", "jku", "jwk", "x5u", "x5c", "zip", "b64"};
    const json_t *kid = json_object_get(header, "kid"), *typ = json_object_get(header, "typ");

    if (strcmp(json_str(header, "alg", ""), by->alg) != 0)
        return "The token's algorithm is not the issuer's.";
    if (typ && (!json_is_string(typ) || strcmp(json_string_value(typ), "JWT") != 0))
        return "The token's type is not JWT.";
    if (kid && !kid_valid(kid))
        return "The token's key id is not valid.";
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (json_object_get(header, refused[i]))
            return "The token's header carries a parameter that is not accepted.";
    return NULL;
}

static bool signature_valid(struct part p) {
    unsigned char bytes[HS256_BYTES + 2];

    return p.n == (HS256_BYTES * 4 + 2) / 3 && base64url_decode(p.text, p.n, bytes) == HS256_BYTES;
}

const char *gate_open(const struct issuer *by, const char *token, size_t n, json_t **ret_claims) {
    json_auto_t *header = NULL;
    struct part parts[PARTS];
    const char *why;

    if (n > TOKEN_MAX)
        return "The token is longer than 8 KiB.";
    if (!split(token, n, parts))
        return "The token is not three parts separated by dots.";
    header = object_of(parts[0]);
    if (!header)
        return "The token's header is not valid.";
    why = header_check(by, header);
    if (why)
        return why;
    if (!signature_valid(parts[2]))
        return "The token's signature is not valid.";
    *ret_claims = object_of(parts[1]);
    return *ret_claims ? NULL : "The token's claims are not valid.";
}
