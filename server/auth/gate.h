/* auth/gate.h: the strict gate in front of every signature (facts/security.md §3.1 says what libjwt
 * gets wrong).
 *
 * Pure: no clock, no key.  A token passes only when its form, its header and its claims leave
 * nothing to decide but the signature.  Every function answers NULL, or why the token is refused:
 * one static sentence. */
#pragma once
#include "auth/issuer.h"
#include "auth/principal.h"
#include "base/arena.h"

enum { TOKEN_MAX = 8192, TOKEN_LEEWAY_S = 60, SIGNATURE_MAX = 1024, KID_MAX = 64 };

/* A token taken apart.  Nothing of it is verified. */
struct token {
    const char *text;        /* borrowed: the caller's, NUL-terminated */
    size_t signed_len;       /* of the text: header and claims with the dot between them */
    json_t *header, *claims; /* owned; objects */
    const char *kid;         /* borrowed from the header; NULL: none */
    unsigned char signature[SIGNATURE_MAX + 2];
    size_t signature_len;
};
void token_done(struct token *t); /* NULL-safe, idempotent */
static inline void token_done_cleanup(struct token *t) {
    token_done(t);
}

/* Form, and what no header may hold.  n: the text's length.  *ret is to be released whatever the
 * answer. */
const char *gate_open(const char *text, size_t n, struct token *ret);
/* Whether the header is one of this issuer's: algorithm, type, length of the signature. */
const char *gate_header(const struct issuer *by, const struct token *t);
/* Who it is, for whom and when: subject, issuer and display name of *ret (in the arena), and the
 * `exp` claim. */
const char *gate_claims(const struct issuer *by, const json_t *claims, int64_t now_s,
                        struct arena *arena, struct principal *ret, int64_t *ret_exp_s);
/* What they may do: fills in the rest of *ret, after the signature was found good. */
const char *gate_rights(const struct issuer *by, const json_t *claims, struct arena *arena,
                        struct principal *ret);
