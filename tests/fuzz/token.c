/* The gate: a token as its text, or, when the input begins with '{', as header and claims on two
 * lines of JSON, so that the fuzzer need not learn base64. */
#include "auth/auth.h"
#include "auth/gate.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "tests/fuzz/fuzz.h"

static const struct issuer issuer = {AUTH_ISSUER, AUTH_ISSUER, "HS256",
                                     (const unsigned char *)"0123456789abcdef0123456789abcdef", 32};

static char *token_of(const uint8_t *bytes, size_t n) {
    static const char signature[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    _cleanup_free_ char *header = NULL, *claims = NULL, *one = NULL, *two = NULL;

    if (n == 0 || *bytes != '{')
        return fuzz_text(bytes, n);
    header = fuzz_line(&bytes, &n);
    claims = fuzz_text(bytes, n);
    one = base64url_encode(header, strlen(header));
    two = base64url_encode(claims, strlen(claims));
    return xasprintf("%s.%s.%s", one, two, signature);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    _cleanup_free_ char *token = token_of(bytes, n);
    _cleanup_(arena_done) struct arena arena = {0};
    json_auto_t *claims = NULL;
    struct principal principal;
    int64_t exp_s;

    if (!gate_open(&issuer, token, strlen(token), &claims) &&
        !gate_claims(&issuer, claims, 1800000000, &arena, &principal, &exp_s)) {
        FUZZ_HOLDS(principal_subject_valid(principal.subject) && principal.kind);
        FUZZ_HOLDS(exp_s > 1800000000 - TOKEN_LEEWAY_S);
        json_decref(json_parse(principal.actor_json));
    }
    return 0;
}
