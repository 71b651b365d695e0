/* The gate: a token as its text, or, when the input begins with '{', as header and claims on two
 * lines of JSON, so that the fuzzer need not learn base64. */
#include "auth/auth.h"
#include "auth/gate.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "tests/fuzz/fuzz.h"

static const char *const audiences[] = {AUTH_ISSUER, NULL}, *const none[] = {NULL},
                         *const record[] = {"run_id", "/a/b", NULL};
static const struct issuer built_in = {.name = AUTH_ISSUER, .audiences = audiences, .alg = "HS256"};

/* A rule that denies, and one that allows whatever has a claim "a" of 1 or "x". */
static struct issuer other(void) {
    static struct rule rules[2] = {{.deny = true}, {.kind = "ci", .roles = none, .scopes = none}};

    if (!rules[0].match) {
        rules[0].match = json_parse("{\"/b/c\":[true]}");
        rules[1].match = json_parse("{\"a\":[1,\"x\"]}");
        rules[1].apps = none;
        rules[1].record = record;
    }
    return (struct issuer){.name = AUTH_ISSUER,
                           .audiences = audiences,
                           .alg = "RS256",
                           .access_tokens = true,
                           .subject = "/a/b",
                           .display_name = "name",
                           .rules = rules,
                           .n_rules = 2};
}

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

static void pass(const struct issuer *by, const struct token *t) {
    _cleanup_(arena_done) struct arena arena = {0};
    struct principal principal;
    int64_t exp_s;

    if (gate_header(by, t) || gate_claims(by, t->claims, 1800000000, &arena, &principal, &exp_s))
        return;
    FUZZ_HOLDS(principal_subject_valid(principal.subject));
    FUZZ_HOLDS(principal_subject_valid(principal.display_name));
    FUZZ_HOLDS(exp_s > 1800000000 - TOKEN_LEEWAY_S);
    if (gate_rights(by, t->claims, &arena, &principal))
        return;
    FUZZ_HOLDS(principal.kind && principal.roles && principal.scopes && principal.apps);
    json_decref(json_parse(principal.actor_json));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    _cleanup_free_ char *text = token_of(bytes, n);
    _cleanup_(token_done) struct token t;
    struct issuer rules = other();

    if (gate_open(text, strlen(text), &t))
        return 0;
    FUZZ_HOLDS(t.signature_len >= 1 && t.signature_len <= SIGNATURE_MAX);
    FUZZ_HOLDS(t.signed_len < strlen(text) && text[t.signed_len] == '.');
    pass(&built_in, &t);
    pass(&rules, &t);
    return 0;
}
