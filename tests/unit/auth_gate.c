/* tests/unit/auth_gate.c: hostile tokens against the door (facts/security.md §3.1: each row that
 * concerns HMAC; auth_public.c has those of public keys). */
#include "auth/auth.h"
#include "auth/gate.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "tests/support/suite.h"
#include "tests/support/tokens.h"
#include <check.h>
#include <openssl/evp.h>
#include <string.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define GOOD   "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static char *token_bytes(const EVP_MD *md, const char *header, size_t header_n, const char *claims,
                         size_t claims_n) {
    _cleanup_free_ char *h = base64url_encode(header, header_n),
                        *c = base64url_encode(claims, claims_n);
    _cleanup_free_ char *text = xasprintf("%s.%s", h, c), *mac = token_mac_of(md, SECRET, text);

    return xasprintf("%s.%s", text, mac);
}

static char *token(const char *header, const char *claims) {
    return token_mac(EVP_sha256(), SECRET, header, claims);
}

/* Whether the door opens; the principal is in the arena. */
static bool opens(struct auth *a, const char *text, struct arena *arena,
                  const struct principal **ret, const char **why) {
    _cleanup_free_ char *header = xasprintf("Bearer %s", text);
    Status s = auth_bearer(a, header, arena, ret, why);

    ck_assert(s == STATUS_OK || s == E_UNAUTHENTICATED);
    ck_assert((s == STATUS_OK) == (*ret != NULL) && (s == STATUS_OK) == (*why == NULL));
    return s == STATUS_OK;
}

static bool accepted(const char *text) {
    struct auth *a = auth_new(&(struct auth_settings){.jwt_secret = SECRET}, NULL, 0);
    _cleanup_(arena_done) struct arena arena = {0};
    const struct principal *p;
    const char *why;
    bool ok = opens(a, text, &arena, &p, &why);

    auth_free(a);
    return ok;
}

#define CLAIMS(rest)                                                                               \
    "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":NOW+60" rest "}"

START_TEST(auth_gate__hostile_headers_are_refused) {
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"typ\":\"JWT\"}",
        "{\"typ\":\"JWT\"}",
        "{}",
        "{\"alg\":null}",
        "{\"alg\":[\"HS256\"]}",
        "{\"alg\":\"HS512\",\"typ\":\"JWT\"}",
        "{\"alg\":\"hs256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256 \",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256\\u0000\",\"typ\":\"JWT\"}",
        "{\"alg\":\"RS256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":\"jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":null}",
        "{\"alg\":\"HS256\",\"typ\":[\"JWT\"]}",
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"crit\":null}",
        "{\"alg\":\"HS256\",\"jku\":\"https://example.org/keys\"}",
        "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}",
        "{\"alg\":\"HS256\",\"x5u\":\"https://example.org/cert\"}",
        "{\"alg\":\"HS256\",\"x5c\":[]}",
        "{\"alg\":\"HS256\",\"zip\":\"DEF\"}",
        "{\"alg\":\"HS256\",\"b64\":false}",
        "{\"alg\":\"HS256\",\"kid\":\"\"}",
        "{\"alg\":\"HS256\",\"kid\":7}",
        "{\"alg\":\"HS256\",\"kid\":null}",
        "{\"alg\":\"HS256\",\"kid\":\"a\\u0007b\"}",
        "{\"alg\":\"HS256\",\"kid\":\"\xc3\xa9\"}",
        "{\"alg\":\"HS256\",\"kid\":"
        "\"0123456789012345678901234567890123456789012345678901234567890123x\"}",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
        "{\"alg\":\"none\",\"alg\":\"HS256\"}",
        "[\"HS256\"]",
        "\"HS256\"",
        "{\"alg\":\"HS256\"} {}",
        "{\"alg\":\"HS256\"",
        "null",
        "x",
    };

    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        _cleanup_free_ char *t = token(headers[i], CLAIMS(""));

        ck_assert_msg(!accepted(t), "accepted header %s", headers[i]);
    }
}
END_TEST

START_TEST(auth_gate__hostile_claims_are_refused) {
    static const char *const claims[] = {
        /* times */
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\"}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":NOW-61}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":-1}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":0}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":\"NOW+60\"}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":NOW+60.0}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":NOW+60e0}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":null}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":true}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":[NOW+60]}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":99999999999999999999}",
        CLAIMS(",\"nbf\":NOW+120"),
        CLAIMS(",\"nbf\":\"0\""),
        CLAIMS(",\"nbf\":1.5"),
        CLAIMS(",\"iat\":NOW+120"),
        CLAIMS(",\"iat\":\"now\""),
        CLAIMS(",\"iat\":null"),
        /* issuer, audience, subject */
        "{\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":NOW+60}",
        "{\"iss\":\"Sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice \",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":NOW+60}",
        "{\"iss\":[\"sluice\"],\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"sub\":\"ann\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":\"other\",\"sub\":\"ann\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":[\"other\"],\"sub\":\"ann\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":[],\"sub\":\"ann\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":[\"sluice\",1],\"sub\":\"ann\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":{\"sluice\":1},\"sub\":\"ann\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":null,\"sub\":\"ann\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":7,\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"a\\nb\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"a\\u007fb\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"a\\u0085b\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"a\\u0000b\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"a\xff\",\"exp\":NOW+60}",
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"a\\ud800\",\"exp\":NOW+60}",
        /* rights */
        CLAIMS(",\"roles\":[\"root\"]"),
        CLAIMS(",\"roles\":[\"viewer\",\"Admin\"]"),
        CLAIMS(",\"roles\":[\"approver:nobody\"]"),
        CLAIMS(",\"roles\":[7]"),
        CLAIMS(",\"roles\":\"admin\""),
        CLAIMS(",\"roles\":null"),
        CLAIMS(",\"scope\":[\"app:read\"]"),
        CLAIMS(",\"apps\":\"*\""),
        CLAIMS(",\"apps\":[\"Bad_Name\"]"),
        CLAIMS(",\"apps\":[\"**\"]"),
        CLAIMS(",\"apps\":[1]"),
        CLAIMS(",\"kind\":\"root\""),
        CLAIMS(",\"kind\":1"),
        CLAIMS(",\"jti\":1"),
        /* form */
        CLAIMS(",\"sub\":\"bob\""),
        CLAIMS(",\"exp\":NOW+90"),
        CLAIMS(",\"x\":{\"y\":1,\"y\":2}"),
        CLAIMS(",\"x\":[[[[[[[[[[1]]]]]]]]]]"),
        CLAIMS("} {"),
        CLAIMS(",\"x\":NaN"),
        "[]",
        "\"claims\"",
        "7",
        "null",
        "{",
    };

    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        _cleanup_free_ char *t = token(GOOD, claims[i]);

        ck_assert_msg(!accepted(t), "accepted claims %s", claims[i]);
    }
}
END_TEST

START_TEST(auth_gate__good_tokens_pass) {
    static const struct {
        const char *header, *claims;
    } cases[] = {
        {GOOD, CLAIMS("")},
        {"{\"alg\":\"HS256\"}", CLAIMS("")},
        {"{\"alg\":\"HS256\",\"kid\":\"key 1\"}", CLAIMS("")},
        {"{\"kid\":\"0123456789012345678901234567890123456789012345678901234567890123\",\"alg\":"
         "\"HS256\"}",
         CLAIMS("")},
        {"{\"alg\":\"HS256\",\"x5t\":\"a\",\"other\":1}", CLAIMS("")},
        {GOOD,
         "{\"iss\":\"sluice\",\"aud\":[\"other\",\"sluice\"],\"sub\":\"ann\",\"exp\":NOW+60}"},
        {GOOD, "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":NOW-30}"},
        {GOOD,
         "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":9223372036854775807}"},
        {GOOD, CLAIMS(",\"nbf\":NOW+30,\"iat\":NOW+30")},
        {GOOD, CLAIMS(",\"nbf\":0,\"iat\":0,\"jti\":\"x\",\"foreign\":[{\"a\":[1.5]}]")},
        {GOOD, CLAIMS(",\"roles\":[],\"scope\":\"\",\"apps\":[]")},
        {GOOD,
         CLAIMS(",\"roles\":[\"admin\",\"approver:customer-success\",\"admin\"],\"kind\":\"bot\"")},
        {GOOD, "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"\xc3\xa9lan\",\"exp\":NOW+60}"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *t = token(cases[i].header, cases[i].claims);

        ck_assert_msg(accepted(t), "refused %s %s", cases[i].header, cases[i].claims);
    }
}
END_TEST

START_TEST(auth_gate__a_nul_byte_is_refused) {
    static const char header[] = "{\"alg\":\"HS256\"}\0",
                      claims[] = "{\"iss\":\"sluice\"}\0{\"aud\":\"sluice\"}";
    static const char inside[] =
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"a\0b\",\"exp\":99999999999}";
    static const char sound[] =
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"a\",\"exp\":99999999999}\0";
    _cleanup_free_ char *a =
        token_bytes(EVP_sha256(), header, sizeof header - 1, sound, sizeof sound - 2);
    _cleanup_free_ char *b =
        token_bytes(EVP_sha256(), GOOD, sizeof GOOD - 1, claims, sizeof claims - 1);
    _cleanup_free_ char *c =
        token_bytes(EVP_sha256(), GOOD, sizeof GOOD - 1, inside, sizeof inside - 1);
    _cleanup_free_ char *d =
        token_bytes(EVP_sha256(), GOOD, sizeof GOOD - 1, sound, sizeof sound - 1);
    _cleanup_free_ char *e =
        token_bytes(EVP_sha256(), GOOD, sizeof GOOD - 1, sound, sizeof sound - 2);

    ck_assert(!accepted(a) && !accepted(b) && !accepted(c) && !accepted(d));
    ck_assert(accepted(e));
}
END_TEST

START_TEST(auth_gate__texts_that_are_no_token_are_refused) {
    static const char *const texts[] = {
        "",  ".",    "..",    "...",   "a.b",    "a.b.c", "a.b.c.d",   "e30.e30.",
        " ", "e30.", ".e30.", "a b.c", "Bearer", "null",  "slk_1_abc", "\xff.\xff.\xff"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!accepted(texts[i]), "accepted %s", texts[i]);
}
END_TEST

START_TEST(auth_gate__headers_of_another_form_are_refused) {
    _cleanup_free_ char *t = token(GOOD, CLAIMS(""));
    static const struct {
        const char *format;
        bool ok;
    } cases[] = {
        {"Bearer %s", true},    {"bearer %s", true},      {"Bearer  %s", true},
        {"Bearer%s", false},    {"Basic %s", false},      {"%s", false},
        {" Bearer %s", false},  {"Bearer %s ", false},    {"Bearer\t%s", false},
        {"Bearer %s,x", false}, {"Bearer \"%s\"", false},
    };
    struct auth *a = auth_new(&(struct auth_settings){.jwt_secret = SECRET}, NULL, 0);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *at = strstr(cases[i].format, "%s");
        _cleanup_free_ char *header =
            xasprintf("%.*s%s%s", (int)(at - cases[i].format), cases[i].format, t, at + 2);
        _cleanup_(arena_done) struct arena arena = {0};
        const struct principal *p;
        const char *why;

        ck_assert_msg((auth_bearer(a, header, &arena, &p, &why) == STATUS_OK) == cases[i].ok, "%s",
                      cases[i].format);
        ck_assert_int_eq(auth_bearer(a, NULL, &arena, &p, &why), E_UNAUTHENTICATED);
    }
    auth_free(a);
}
END_TEST

/* Each part, with base64 that a lenient decoder would read as the same bytes. */
START_TEST(auth_gate__base64_is_strict) {
    static const char *const inserted[] = {"!", "=", "==", "\n", "\t", "%", "+", "/", "A"};
    _cleanup_free_ char *t = token(GOOD, CLAIMS(""));
    size_t ends[3] = {(size_t)(strchr(t, '.') - t), (size_t)(strrchr(t, '.') - t), strlen(t)};
    size_t starts[3] = {0, ends[0] + 1, ends[1] + 1};

    ck_assert(accepted(t));
    for (size_t i = 0; i < sizeof inserted / sizeof *inserted; i++) {
        for (int part = 0; part < 3; part++) {
            size_t places[] = {starts[part], (starts[part] + ends[part]) / 2, ends[part]};

            for (int place = 0; place < 3; place++) {
                _cleanup_free_ char *bad =
                    xasprintf("%.*s%s%s", (int)places[place], t, inserted[i], t + places[place]);

                ck_assert_msg(!accepted(bad), "accepted %s", bad);
            }
        }
    }
}
END_TEST

START_TEST(auth_gate__any_changed_character_is_refused) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/";
    _cleanup_free_ char *t = token(GOOD, CLAIMS(",\"roles\":[\"admin\"]"));
    _cleanup_(arena_done) struct arena arena = {0};
    struct auth *a = auth_new(&(struct auth_settings){.jwt_secret = SECRET}, NULL, 0);
    const struct principal *p;
    const char *why;

    ck_assert(opens(a, t, &arena, &p, &why)); /* cached from here on */
    for (size_t i = 0; t[i]; i++) {
        char was = t[i];

        for (const char *c = alphabet; *c; c++) {
            _cleanup_(arena_done) struct arena one = {0};

            t[i] = *c;
            ck_assert_msg(*c == was || !opens(a, t, &one, &p, &why), "accepted %c at %zu", *c, i);
        }
        t[i] = was;
    }
    ck_assert(opens(a, t, &arena, &p, &why));
    auth_free(a);
}
END_TEST

START_TEST(auth_gate__truncated_tokens_are_refused) {
    _cleanup_free_ char *t = token(GOOD, CLAIMS(""));

    for (size_t n = strlen(t); n-- > 0;) {
        t[n] = '\0';
        ck_assert(!accepted(t));
    }
}
END_TEST

START_TEST(auth_gate__long_tokens_are_refused) {
    static const size_t sizes[] = {8193, 200 << 10, 9 << 20};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        _cleanup_free_ char *pad = xmalloc(sizes[i] + 1), *claims = NULL, *t = NULL;

        memset(pad, 'x', sizes[i]);
        pad[sizes[i]] = '\0';
        claims = xasprintf("{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":"
                           "99999999999,\"x\":\"%s\"}",
                           pad);
        t = token(GOOD, claims);
        ck_assert(!accepted(t));
        ck_assert(!accepted(pad));
    }
}
END_TEST

START_TEST(auth_gate__the_longest_token_passes) {
    for (size_t pad = 5900; pad < 6200; pad++) {
        _cleanup_free_ char *t = NULL, *claims = NULL;

        claims = xasprintf("{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":"
                           "99999999999,\"x\":\"%*s\"}",
                           (int)pad, "");
        t = token(GOOD, claims);
        ck_assert_msg(accepted(t) == (strlen(t) <= TOKEN_MAX), "%zu bytes", strlen(t));
    }
}
END_TEST

START_TEST(auth_gate__deep_json_is_refused) {
    for (int depth = 1; depth <= 2800; depth += depth < 20 ? 1 : 500) {
        struct strbuf b = STRBUF(1 << 16);
        _cleanup_free_ char *claims = NULL, *t = NULL;

        strbuf_adds(
            &b,
            "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":99999999999,\"x\":");
        for (int i = 0; i < depth; i++)
            strbuf_adds(&b, "[");
        for (int i = 0; i < depth; i++)
            strbuf_adds(&b, "]");
        strbuf_adds(&b, "}");
        claims = strbuf_take(&b);
        t = token(GOOD, claims);
        ck_assert_msg(accepted(t) == (depth <= 7), "depth %d", depth);
    }
    /* Brackets within strings are no depth. */
    _cleanup_free_ char *t = token(GOOD, CLAIMS(",\"x\":\"[[[[[[[[[[[[\\\"[[[[[[[\""));
    ck_assert(accepted(t));
}
END_TEST

START_TEST(auth_gate__subjects_have_a_maximum) {
    for (int n = 254; n <= 257; n++) {
        _cleanup_free_ char *sub = xmalloc((size_t)n + 1), *claims = NULL, *t = NULL;

        memset(sub, 's', (size_t)n);
        sub[n] = '\0';
        claims = xasprintf(
            "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"%s\",\"exp\":99999999999}", sub);
        t = token(GOOD, claims);
        ck_assert_msg(accepted(t) == (n <= PRINCIPAL_NAME_MAX), "%d", n);
    }
}
END_TEST

START_TEST(auth_gate__signatures_of_another_key_or_digest_are_refused) {
    static const char pem[] =
        "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJB\n-----END PUBLIC KEY-----\n";
    static const char *const secrets[] = {"", "0", SECRET "x", "0123456789abcdef0123456789abcdeF",
                                          pem};
    static const char claims[] =
        "{\"iss\":\"sluice\",\"aud\":\"sluice\",\"sub\":\"ann\",\"exp\":99999999999}";
    _cleanup_free_ char *h = base64url_encode(GOOD, sizeof GOOD - 1),
                        *c = base64url_encode(claims, sizeof claims - 1);
    _cleanup_free_ char *text = xasprintf("%s.%s", h, c);

    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        _cleanup_free_ char *mac = token_mac_of(EVP_sha256(), secrets[i], text),
                            *t = xasprintf("%s.%s", text, mac);

        ck_assert_msg(!accepted(t), "accepted key %s", secrets[i]);
    }
    _cleanup_free_ char *sha512 =
        token_bytes(EVP_sha512(), GOOD, sizeof GOOD - 1, claims, sizeof claims - 1);
    _cleanup_free_ char *sha384 =
        token_bytes(EVP_sha384(), GOOD, sizeof GOOD - 1, claims, sizeof claims - 1);
    _cleanup_free_ char *other =
        token_bytes(EVP_sha512_256(), GOOD, sizeof GOOD - 1, claims, sizeof claims - 1);
    ck_assert(!accepted(sha512) && !accepted(sha384) && !accepted(other));
}
END_TEST

START_TEST(auth_gate__short_secrets_are_refused) {
    static const char *const secrets[] = {NULL, "", "0123456789abcdef0123456789abcde"};

    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        char line[100];

        ck_assert_ptr_null(
            auth_new(&(struct auth_settings){.jwt_secret = secrets[i]}, line, sizeof line));
        ck_assert_str_eq(line, "JWT_SECRET has fewer than 32 bytes");
    }
}
END_TEST

START_TEST(auth_gate__refusals_never_quote_the_token) {
    _cleanup_free_ char *t = token(GOOD, CLAIMS(",\"roles\":[\"marker-role\"]"));
    _cleanup_(arena_done) struct arena arena = {0};
    struct auth *a = auth_new(&(struct auth_settings){.jwt_secret = SECRET}, NULL, 0);
    const struct principal *p;
    const char *why;

    ck_assert(!opens(a, t, &arena, &p, &why));
    ck_assert_str_eq(why, "The token names an unknown role.");
    auth_free(a);
}
END_TEST

int main(void) {
    return RUN_SUITE(
        "auth_gate", 60, auth_gate__hostile_headers_are_refused,
        auth_gate__hostile_claims_are_refused, auth_gate__good_tokens_pass,
        auth_gate__a_nul_byte_is_refused, auth_gate__texts_that_are_no_token_are_refused,
        auth_gate__headers_of_another_form_are_refused, auth_gate__base64_is_strict,
        auth_gate__any_changed_character_is_refused, auth_gate__truncated_tokens_are_refused,
        auth_gate__long_tokens_are_refused, auth_gate__the_longest_token_passes,
        auth_gate__deep_json_is_refused, auth_gate__subjects_have_a_maximum,
        auth_gate__signatures_of_another_key_or_digest_are_refused,
        auth_gate__short_secrets_are_refused, auth_gate__refusals_never_quote_the_token);
}
