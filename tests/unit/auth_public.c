/* tests/unit/auth_public.c: hostile tokens against issuers with public keys (facts/security.md
 * §3.1). */
#include "auth/auth.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "tests/support/folder.h"
#include "tests/support/suite.h"
#include "tests/support/tokens.h"
#include <string.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define CLAIMS(issuer, rest)                                                                       \
    "{\"iss\":\"" issuer                                                                           \
    "\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":NOW+60,\"team\":\"a\"" rest "}"
#define ISSUER(name, alg, key, more)                                                               \
    "{\"issuer\":\"" name "\",\"audience\":\"sluice\",\"algorithm\":\"" alg "\",\"key\":{" key     \
    "},\"rules\":[{\"match\":{\"team\":\"a\"},\"roles\":[\"viewer\"],"                             \
    "\"kind\":\"user\",\"apps\":[\"*\"]}]" more "}"

/* Made once, before the tests fork. */
static EVP_PKEY *rsa, *rsa_other, *rsa_1024, *ec, *ec_other, *p384;
static char *rsa_pem, *ec_pem;

static struct auth *auth_with(const struct folder *f, const char *issuers) {
    _cleanup_free_ char *path = folder_file(f, "issuers.json"),
                        *file = xasprintf("{\"issuers\":[%s]}", issuers);
    char line[512] = "";
    struct auth *a;

    folder_put(f, "issuers.json", file);
    a = auth_new(&(struct auth_settings){.jwt_secret = SECRET, .issuers_file = path}, line,
                 sizeof line);
    ck_assert_msg(a != NULL, "%s", line);
    return a;
}

/* Issuers R (RS256), E (ES256), A (RS256, at+jwt), by PEM. */
static struct auth *auth_pem(const struct folder *f) {
    folder_put(f, "rsa.pem", rsa_pem);
    folder_put(f, "ec.pem", ec_pem);
    return auth_with(
        f, ISSUER("R", "RS256", "\"pem_file\":\"rsa.pem\"", "") "," ISSUER(
               "E", "ES256", "\"pem_file\":\"ec.pem\"",
               "") "," ISSUER("A", "RS256", "\"pem_file\":\"rsa.pem\"", ",\"type\":\"at+jwt\""));
}

/* NULL, or why it is refused (static text). */
static const char *refusal(struct auth *a, const char *token) {
    _cleanup_free_ char *header = xasprintf("Bearer %s", token);
    _cleanup_(arena_done) struct arena arena = {0};
    const struct principal *p;
    const char *why;
    Status s = auth_bearer(a, header, &arena, &p, &why);

    ck_assert((s == STATUS_OK) == (why == NULL) && (s == STATUS_OK) == (p != NULL));
    return why;
}

#define RS(rest) "{\"alg\":\"RS256\"" rest "}"
#define ES(rest) "{\"alg\":\"ES256\"" rest "}"

START_TEST(auth_public__good_tokens_pass) {
    struct folder f = folder_make();
    struct auth *a = auth_pem(&f);
    const struct {
        EVP_PKEY *key;
        const char *header, *claims;
    } cases[] = {
        {rsa, RS(",\"typ\":\"JWT\""), CLAIMS("R", "")},
        {rsa, RS(""), CLAIMS("R", "")},
        {rsa, RS(",\"kid\":\"any\",\"x5t\":\"a\""), CLAIMS("R", ",\"nbf\":NOW+30,\"iat\":NOW+30")},
        {rsa, RS(",\"typ\":\"at+jwt\""), CLAIMS("A", "")},
        {rsa, RS(",\"typ\":\"application/at+jwt\""), CLAIMS("A", "")},
        {ec, ES(",\"typ\":\"JWT\""), CLAIMS("E", "")},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *t =
            token_sign(cases[i].key, EVP_sha256(), cases[i].header, cases[i].claims);
        const char *why = refusal(a, t);

        ck_assert_msg(!why, "%zu: %s", i, why);
        ck_assert_ptr_null(refusal(a, t)); /* and from the cache */
    }
    auth_free(a);
    folder_remove(&f);
}
END_TEST

START_TEST(auth_public__hostile_headers_are_refused) {
    struct folder f = folder_make();
    struct auth *a = auth_pem(&f);
    static const char *const headers[] = {
        RS(",\"typ\":\"at+jwt\""),
        RS(",\"typ\":\"jwt\""),
        RS(",\"typ\":null"),
        RS(",\"typ\":[\"JWT\"]"),
        RS(",\"crit\":[\"exp\"]"),
        RS(",\"crit\":null"),
        RS(",\"jku\":\"https://example.org/keys\""),
        RS(",\"jwk\":{\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AQAB\"}"),
        RS(",\"x5u\":\"https://example.org/cert\""),
        RS(",\"x5c\":[]"),
        RS(",\"zip\":\"DEF\""),
        RS(",\"b64\":false"),
        RS(",\"kid\":\"\""),
        RS(",\"kid\":7"),
        RS(",\"kid\":\"a\\u0007b\""),
        RS(",\"kid\":\"0123456789012345678901234567890123456789012345678901234567890123x\""),
        RS(",\"alg\":\"RS256\""),
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"rs256\"}",
        "{\"alg\":\"RS256 \"}",
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"ES256\"}",
        "{\"alg\":\"RS512\"}",
        "{\"alg\":\"PS256\"}",
        "{\"alg\":[\"RS256\"]}",
        "{\"typ\":\"JWT\"}",
        "{}",
    };

    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        _cleanup_free_ char *t = token_sign(rsa, EVP_sha256(), headers[i], CLAIMS("R", ""));

        ck_assert_msg(refusal(a, t) != NULL, "accepted header %s", headers[i]);
    }
    /* who asks for at+jwt accepts nothing else: an ID token is no access token */
    for (int i = 0; i < 2; i++) {
        _cleanup_free_ char *t =
            token_sign(rsa, EVP_sha256(), i ? RS(",\"typ\":\"JWT\"") : RS(""), CLAIMS("A", ""));

        ck_assert_str_eq(refusal(a, t), "The token's type is not at+jwt.");
    }
    auth_free(a);
    folder_remove(&f);
}
END_TEST

START_TEST(auth_public__hostile_claims_are_refused) {
    static const char *const claims[] = {
        "{\"iss\":\"R\",\"aud\":\"sluice\",\"sub\":\"ann\",\"team\":\"a\"}",
        "{\"iss\":\"R\",\"aud\":\"sluice\",\"sub\":\"ann\",\"team\":\"a\",\"exp\":NOW-61}",
        "{\"iss\":\"R\",\"aud\":\"sluice\",\"sub\":\"ann\",\"team\":\"a\",\"exp\":\"NOW+60\"}",
        "{\"iss\":\"R\",\"aud\":\"sluice\",\"sub\":\"ann\",\"team\":\"a\",\"exp\":NOW+60.0}",
        "{\"iss\":\"R\",\"aud\":\"sluice\",\"sub\":\"ann\",\"team\":\"a\",\"exp\":true}",
        "{\"iss\":\"R\",\"sub\":\"ann\",\"team\":\"a\",\"exp\":NOW+60}",
        "{\"iss\":\"R\",\"aud\":\"Sluice\",\"sub\":\"ann\",\"team\":\"a\",\"exp\":NOW+60}",
        "{\"iss\":\"R\",\"aud\":[\"x\"],\"sub\":\"ann\",\"team\":\"a\",\"exp\":NOW+60}",
        "{\"iss\":\"R\",\"aud\":[\"sluice\",1],\"sub\":\"ann\",\"team\":\"a\",\"exp\":NOW+60}",
        "{\"iss\":\"r\",\"aud\":\"sluice\",\"sub\":\"ann\",\"team\":\"a\",\"exp\":NOW+60}",
        "{\"iss\":\"R\",\"aud\":\"sluice\",\"team\":\"a\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"roles\":[\"admin\"],\"exp\":NOW+"
        "60}",
        CLAIMS("E", ""),
        CLAIMS("R", ",\"nbf\":NOW+120"),
        CLAIMS("R", ",\"iat\":NOW+120"),
        CLAIMS("R", ",\"nbf\":\"0\""),
        CLAIMS("R", ",\"jti\":1"),
        CLAIMS("R", ",\"team\":\"a\""),
        CLAIMS("R", ",\"x\":[[[[[[[[[[1]]]]]]]]]]"),
        CLAIMS("R", "} {"),
    };
    struct folder f = folder_make();
    struct auth *a = auth_pem(&f);

    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        _cleanup_free_ char *t = token_sign(rsa, EVP_sha256(), RS(""), claims[i]);

        ck_assert_msg(refusal(a, t) != NULL, "accepted claims %s", claims[i]);
    }
    auth_free(a);
    folder_remove(&f);
}
END_TEST

/* HS256, MACed with what everybody can read: the public key. */
START_TEST(auth_public__a_public_key_is_no_secret) {
    struct folder f = folder_make();
    struct auth *a = auth_pem(&f);
    static const char *const headers[] = {"{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
                                          RS(",\"typ\":\"JWT\""), ES(",\"typ\":\"JWT\"")};
    const char *const pems[] = {rsa_pem, ec_pem};

    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        for (size_t pem = 0; pem < 2; pem++) {
            _cleanup_free_ char *r =
                token_mac(EVP_sha256(), pems[pem], headers[i], CLAIMS("R", ""));
            _cleanup_free_ char *e =
                token_mac(EVP_sha256(), pems[pem], headers[i], CLAIMS("E", ""));
            _cleanup_free_ char *built_in =
                token_mac(EVP_sha256(), pems[pem], headers[i], CLAIMS("sluice", ""));

            ck_assert(refusal(a, r) && refusal(a, e) && refusal(a, built_in));
        }
    }
    auth_free(a);
    folder_remove(&f);
}
END_TEST

START_TEST(auth_public__signatures_of_other_keys_or_digests_are_refused) {
    struct folder f = folder_make();
    struct auth *a = auth_pem(&f);
    const struct {
        EVP_PKEY *key;
        const EVP_MD *md;
        const char *header, *claims;
    } cases[] = {
        {rsa_other, EVP_sha256(), RS(""), CLAIMS("R", "")},
        {rsa_1024, EVP_sha256(), RS(""), CLAIMS("R", "")},
        {rsa, EVP_sha512(), RS(""), CLAIMS("R", "")},
        {rsa, EVP_sha1(), RS(""), CLAIMS("R", "")},
        {ec, EVP_sha256(), RS(""), CLAIMS("R", "")},
        {ec_other, EVP_sha256(), ES(""), CLAIMS("E", "")},
        {p384, EVP_sha256(), ES(""), CLAIMS("E", "")},
        {p384, EVP_sha384(), ES(""), CLAIMS("E", "")},
        {ec, EVP_sha384(), ES(""), CLAIMS("E", "")},
        {rsa, EVP_sha256(), ES(""), CLAIMS("E", "")},
        {rsa, EVP_sha256(), "{\"alg\":\"HS256\"}", CLAIMS("sluice", "")},
    };
    static const char *const zeros[] = {"AAAA", "AA"};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *t =
            token_sign(cases[i].key, cases[i].md, cases[i].header, cases[i].claims);

        ck_assert_msg(refusal(a, t) != NULL, "accepted %zu", i);
    }
    /* r = s = 0, and signatures that are much too short */
    for (size_t i = 0; i < 2; i++) {
        _cleanup_free_ char *t = token_sign(ec, EVP_sha256(), ES(""), CLAIMS("E", "")), *bad = NULL;
        unsigned char none[64] = {0};
        _cleanup_free_ char *zero = i ? xstrdup(zeros[i]) : base64url_encode(none, sizeof none);

        *strrchr(t, '.') = '\0';
        bad = xasprintf("%s.%s", t, zero);
        ck_assert(refusal(a, bad) != NULL);
    }
    auth_free(a);
    folder_remove(&f);
}
END_TEST

/* One signature is one text: strict base64url, and every character counts. */
START_TEST(auth_public__texts_are_not_malleable) {
    static const char *const inserted[] = {"!", "=", "==", "\n", "%", "+", "/", "A"};
    struct folder f = folder_make();
    struct auth *a = auth_pem(&f);

    for (int alg = 0; alg < 2; alg++) {
        _cleanup_free_ char *t = alg ? token_sign(ec, EVP_sha256(), ES(""), CLAIMS("E", ""))
                                     : token_sign(rsa, EVP_sha256(), RS(""), CLAIMS("R", ""));

        ck_assert_ptr_null(refusal(a, t));
        for (size_t i = 0; i < sizeof inserted / sizeof *inserted; i++) {
            for (const char *at = t; at; at = *at ? strpbrk(at + 1, ".") : NULL) {
                _cleanup_free_ char *bad = xasprintf("%.*s%s%s", (int)(at - t), t, inserted[i], at);

                ck_assert_msg(refusal(a, bad) != NULL, "accepted %s", bad);
            }
            _cleanup_free_ char *end = xasprintf("%s%s", t, inserted[i]);
            ck_assert(refusal(a, end) != NULL);
        }
        for (size_t i = 0; t[i]; i++) {
            char was = t[i];

            t[i] = was == 'B' ? 'C' : 'B';
            ck_assert_msg(refusal(a, t) != NULL, "accepted a change at %zu", i);
            t[i] = was;
        }
        ck_assert_ptr_null(refusal(a, t));
        for (size_t n = strlen(t); n-- > 0;) {
            t[n] = '\0';
            ck_assert(refusal(a, t) != NULL);
        }
    }
    auth_free(a);
    folder_remove(&f);
}
END_TEST

START_TEST(auth_public__long_tokens_are_refused) {
    struct folder f = folder_make();
    struct auth *a = auth_pem(&f);

    for (int pad = 5200; pad < 5800; pad += 25) {
        _cleanup_free_ char *claims = xasprintf(CLAIMS("R", ",\"x\":\"%*s\""), pad, ""),
                            *t = token_sign(rsa, EVP_sha256(), RS(""), claims);

        ck_assert_msg(!refusal(a, t) == (strlen(t) <= 8192), "%zu bytes", strlen(t));
    }
    auth_free(a);
    folder_remove(&f);
}
END_TEST

int main(void) {
    rsa = token_rsa(2048);
    rsa_other = token_rsa(2048);
    rsa_1024 = token_rsa(1024);
    ec = token_ec("P-256");
    ec_other = token_ec("P-256");
    p384 = token_ec("P-384");
    rsa_pem = token_pem(rsa);
    ec_pem = token_pem(ec);
    return RUN_SUITE(
        "auth_public", 60, auth_public__good_tokens_pass, auth_public__hostile_headers_are_refused,
        auth_public__hostile_claims_are_refused, auth_public__a_public_key_is_no_secret,
        auth_public__signatures_of_other_keys_or_digests_are_refused,
        auth_public__texts_are_not_malleable, auth_public__long_tokens_are_refused);
}
