/* auth/apisig.h: API signatures: one rigid profile of RFC 9421 (HTTP Message Signatures).
 *
 *     Signature-Input: sig1=("@method" "@authority" "@path" "@query" "content-digest"
 *         "idempotency-key");created=1790000000;nonce="…";keyid="…";alg="hmac-sha256"
 *     Signature: sig1=:BASE64:
 *     Content-Digest: sha-256=:BASE64:
 *
 * on one line each.  Reads (GET, HEAD) cover the first four components and nothing else; every
 * other method covers "content-digest" too, also of an empty body, and "idempotency-key" exactly
 * when the header is there.  Order, spelling and spaces are as above: there is one text for one
 * signature, and anything else is refused.
 *
 * Pure: no clock, no allocation, no state.  Everything that a MAC covers is in the headers, so that
 * it is verified before a body is read; the body is held to its digest when it is complete. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    APISIG_INPUT_MAX = 512, /* bytes of Signature-Input */
    APISIG_NONCE_MIN = 16,  /* characters: visible ASCII but `"` and `\` */
    APISIG_NONCE_MAX = 64,
    APISIG_KEYID_MAX = 36, /* characters: a-z 0-9 - */
    APISIG_WINDOW_S = 300,
    APISIG_BYTES = 32, /* of a MAC, and of a digest */
};

/* What is signed.  Texts are borrowed; header values as they came, NULL when absent. */
struct apisig_message {
    const char *method;    /* as sent: "POST" */
    const char *authority; /* in lower case, without the scheme's own port */
    const char *path;      /* raw */
    const char *query;     /* raw, with its '?'; NULL: there is none */
    const char *content_digest, *idempotency_key;
};

struct apisig {
    const char *params; /* borrowed from Signature-Input: what "@signature-params" says */
    int64_t created_s;
    char nonce[APISIG_NONCE_MAX + 1], keyid[APISIG_KEYID_MAX + 1];
    unsigned char mac[APISIG_BYTES];
    bool digested; /* it covers a body, whose SHA-256 has to be `digest` */
    unsigned char digest[APISIG_BYTES];
};

/* Whether a method's signature covers no body. */
bool apisig_reads(const char *method);

/* NULL and *ret, or why this is not the profile: one static sentence. */
const char *apisig_parse(const char *input, const char *signature, const struct apisig_message *m,
                         struct apisig *ret);

/* Whether created lies within the window around now. */
bool apisig_timely(const struct apisig *a, int64_t now_s);

/* One line of a signature base. */
struct apisig_component {
    const char *name, *value; /* value: with the spaces around it, which do not count */
};
/* The signature base (RFC 9421 §2.5) into text of max bytes.  Its length, or 0 when it is longer.
 */
size_t apisig_base(const struct apisig_component *c, size_t n, const char *params, char *text,
                   size_t max);
bool apisig_mac(const void *key, size_t key_n, const char *base, size_t n,
                unsigned char ret[APISIG_BYTES]);

/* Whether the MAC is that of the message under this key. */
bool apisig_verify(const struct apisig *a, const struct apisig_message *m, const void *key,
                   size_t key_n);

/* The authority of an http or https URL into text of n bytes: host, and port unless it is the
 * scheme's own, in lower case.  false: it does not fit. */
bool apisig_authority(const char *url, char *text, size_t n);
