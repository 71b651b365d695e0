/* tests/unit/apisig.c: the profile of API signatures: one text for one signature, RFC 9421's own
 * vector, and a table of what is refused. */
#include "auth/apisig.h"
#include "auth/apisig_body.h"
#include "auth/vault.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/status.h"
#include "tests/support/suite.h"
#include <openssl/evp.h>
#include <string.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define READS  "(\"@method\" \"@authority\" \"@path\" \"@query\")"
#define WRITES "(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\")"
#define KEYED                                                                                      \
    "(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\" \"idempotency-key\")"
#define NONCE  "0123456789abcdef"
#define PARAMS ";created=1790000000;nonce=\"" NONCE "\";keyid=\"builtin\";alg=\"hmac-sha256\""
#define ZEROS  ":AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
#define DIGEST                                                                                     \
    "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:" /* of {"hello": "world"}              \
                                                              */

static const struct apisig_message get = {
    .method = "GET", .authority = "sluice.example", .path = "/api/v1/apps", .query = NULL};
static const struct apisig_message post = {.method = "POST",
                                           .authority = "sluice.example",
                                           .path = "/api/v1/apps/a/releases",
                                           .query = "?b=2&a=1",
                                           .content_digest = DIGEST};
static const struct apisig_message keyed = {.method = "POST",
                                            .authority = "sluice.example",
                                            .path = "/api/v1/apps/a/releases",
                                            .query = "?b=2&a=1",
                                            .content_digest = DIGEST,
                                            .idempotency_key = " \"k 1\"\t"};

START_TEST(apisig__makes_the_base_and_mac_of_rfc_9421_b_2_5) {
    const struct apisig_component c[] = {{"date", "Tue, 20 Apr 2021 02:07:55 GMT"},
                                         {"@authority", "example.com"},
                                         {"content-type", "application/json"}};
    static const char secret[] = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtb"
                                 "mHhIDi6pcl8jsasjlTMtDQ==";
    static const char params[] =
        "(\"date\" \"@authority\" "
        "\"content-type\");created=1618884473;keyid=\"test-shared-secret\"";
    _cleanup_free_ unsigned char *key = NULL;
    unsigned char mac[APISIG_BYTES], text[64];
    char base[512];
    size_t key_n = 0, n = apisig_base(c, 3, params, base, sizeof base);

    base[n] = '\0';
    ck_assert_str_eq(base, "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
                           "\"@authority\": example.com\n"
                           "\"content-type\": application/json\n"
                           "\"@signature-params\": (\"date\" \"@authority\" \"content-type\");"
                           "created=1618884473;keyid=\"test-shared-secret\"");
    key = base64_decode(secret, &key_n);
    ck_assert_uint_eq(key_n, 64);
    ck_assert(apisig_mac(key, key_n, base, n, mac));
    EVP_EncodeBlock(text, mac, APISIG_BYTES);
    ck_assert_str_eq((char *)text, "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=");
    ck_assert_uint_eq(apisig_base(c, 3, params, base, n), 0); /* a byte too short */
}
END_TEST

START_TEST(apisig__takes_the_three_forms) {
    struct apisig a;

    ck_assert_ptr_null(apisig_parse("sig1=" READS PARAMS, "sig1=" ZEROS, &get, &a));
    ck_assert(!a.digested);
    ck_assert_int_eq(a.created_s, 1790000000);
    ck_assert_str_eq(a.nonce, NONCE);
    ck_assert_str_eq(a.keyid, "builtin");
    ck_assert_ptr_null(apisig_parse("sig1=" WRITES PARAMS, "sig1=" ZEROS, &post, &a));
    ck_assert(a.digested);
    ck_assert_ptr_null(apisig_parse("sig1=" KEYED PARAMS, "sig1=" ZEROS, &keyed, &a));
}
END_TEST

#define N64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
static const struct {
    const char *what, *input, *signature;
    const struct apisig_message *m;
} refused[] = {
    {"nothing", "", "sig1=" ZEROS, &get},
    {"another label", "sig2=" READS PARAMS, "sig1=" ZEROS, &get},
    {"another label of the MAC", "sig1=" READS PARAMS, "sig2=" ZEROS, &get},
    {"two labels", "sig1=" READS PARAMS ", sig2=" READS PARAMS, "sig1=" ZEROS, &get},
    {"the components of a write", "sig1=" WRITES PARAMS, "sig1=" ZEROS, &get},
    {"the components of a read", "sig1=" READS PARAMS, "sig1=" ZEROS, &post},
    {"a key that is not there", "sig1=" KEYED PARAMS, "sig1=" ZEROS, &post},
    {"a key that is not signed", "sig1=" WRITES PARAMS, "sig1=" ZEROS, &keyed},
    {"another order", "sig1=(\"@authority\" \"@method\" \"@path\" \"@query\")" PARAMS,
     "sig1=" ZEROS, &get},
    {"one missing", "sig1=(\"@method\" \"@authority\" \"@path\")" PARAMS, "sig1=" ZEROS, &get},
    {"one more", "sig1=(\"@method\" \"@authority\" \"@path\" \"@query\" \"date\")" PARAMS,
     "sig1=" ZEROS, &get},
    {"one twice", "sig1=(\"@method\" \"@method\" \"@authority\" \"@path\" \"@query\")" PARAMS,
     "sig1=" ZEROS, &get},
    {"a component's parameter", "sig1=(\"@method\";req \"@authority\" \"@path\" \"@query\")" PARAMS,
     "sig1=" ZEROS, &get},
    {"two spaces", "sig1=(\"@method\"  \"@authority\" \"@path\" \"@query\")" PARAMS, "sig1=" ZEROS,
     &get},
    {"upper case", "sig1=(\"@Method\" \"@authority\" \"@path\" \"@query\")" PARAMS, "sig1=" ZEROS,
     &get},
    {"no parameters", "sig1=" READS, "sig1=" ZEROS, &get},
    {"another alg",
     "sig1=" READS ";created=1;nonce=\"" NONCE "\";keyid=\"builtin\";alg=\"hmac-sha512\"",
     "sig1=" ZEROS, &get},
    {"no alg", "sig1=" READS ";created=1;nonce=\"" NONCE "\";keyid=\"builtin\"", "sig1=" ZEROS,
     &get},
    {"a parameter twice", "sig1=" READS ";created=1" PARAMS, "sig1=" ZEROS, &get},
    {"a parameter more", "sig1=" READS PARAMS ";expires=1790000300", "sig1=" ZEROS, &get},
    {"parameters in another order",
     "sig1=" READS ";nonce=\"" NONCE "\";created=1;keyid=\"builtin\";alg=\"hmac-sha256\"",
     "sig1=" ZEROS, &get},
    {"created as a string",
     "sig1=" READS ";created=\"1\";nonce=\"" NONCE "\";keyid=\"builtin\";alg=\"hmac-sha256\"",
     "sig1=" ZEROS, &get},
    {"created below zero",
     "sig1=" READS ";created=-1;nonce=\"" NONCE "\";keyid=\"builtin\";alg=\"hmac-sha256\"",
     "sig1=" ZEROS, &get},
    {"created as a fraction",
     "sig1=" READS ";created=1.0;nonce=\"" NONCE "\";keyid=\"builtin\";alg=\"hmac-sha256\"",
     "sig1=" ZEROS, &get},
    {"created with a zero before it",
     "sig1=" READS ";created=01;nonce=\"" NONCE "\";keyid=\"builtin\";alg=\"hmac-sha256\"",
     "sig1=" ZEROS, &get},
    {"created past every number",
     "sig1=" READS ";created=17900000001790000000;nonce=\"" NONCE
     "\";keyid=\"builtin\";alg=\"hmac-sha256\"",
     "sig1=" ZEROS, &get},
    {"a nonce of 15",
     "sig1=" READS ";created=1;nonce=\"0123456789abcde\";keyid=\"builtin\";alg=\"hmac-sha256\"",
     "sig1=" ZEROS, &get},
    {"a nonce of 65",
     "sig1=" READS ";created=1;nonce=\"" N64 "0\";keyid=\"builtin\";alg=\"hmac-sha256\"",
     "sig1=" ZEROS, &get},
    {"a nonce with a quote",
     "sig1=" READS
     ";created=1;nonce=\"0123456789\\\"abcdef\";keyid=\"builtin\";alg=\"hmac-sha256\"",
     "sig1=" ZEROS, &get},
    {"a nonce with a space",
     "sig1=" READS ";created=1;nonce=\"01234567 89abcdef\";keyid=\"builtin\";alg=\"hmac-sha256\"",
     "sig1=" ZEROS, &get},
    {"no keyid", "sig1=" READS ";created=1;nonce=\"" NONCE "\";keyid=\"\";alg=\"hmac-sha256\"",
     "sig1=" ZEROS, &get},
    {"a keyid of 37",
     "sig1=" READS ";created=1;nonce=\"" NONCE
     "\";keyid=\"0123456789abcdef0123456789abcdef01234\";alg=\"hmac-sha256\"",
     "sig1=" ZEROS, &get},
    {"a keyid in upper case",
     "sig1=" READS ";created=1;nonce=\"" NONCE "\";keyid=\"BUILTIN\";alg=\"hmac-sha256\"",
     "sig1=" ZEROS, &get},
    {"a MAC too short", "sig1=" READS PARAMS,
     "sig1=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==:", &get},
    {"a MAC without its padding", "sig1=" READS PARAMS,
     "sig1=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA:", &get},
    {"a MAC cut off", "sig1=" READS PARAMS, "sig1=:AAAA", &get},
    {"no MAC", "sig1=" READS PARAMS, "sig1=::", &get},
    {"a MAC with left-over bits", "sig1=" READS PARAMS,
     "sig1=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=:", &get},
    {"a MAC in base64url", "sig1=" READS PARAMS,
     "sig1=:-_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:", &get},
    {"a MAC and more", "sig1=" READS PARAMS, "sig1=" ZEROS ";x", &get},
};

START_TEST(apisig__refuses_every_other_form) {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct apisig a;

        ck_assert_msg(apisig_parse(refused[i].input, refused[i].signature, refused[i].m, &a) !=
                          NULL,
                      "%s was taken", refused[i].what);
    }
}
END_TEST

START_TEST(apisig__refuses_other_digests) {
    static const char *const digests[] = {NULL,
                                          "",
                                          "sha-512" ZEROS,
                                          "sha-256=" ZEROS ", sha-512=" ZEROS,
                                          "SHA-256=" ZEROS,
                                          "sha-256=:AAAA:",
                                          "sha-256=" ZEROS " ",
                                          " sha-256=" ZEROS};
    struct apisig_message m = post;
    struct apisig a;

    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
        m.content_digest = digests[i];
        ck_assert_ptr_nonnull(apisig_parse("sig1=" WRITES PARAMS, "sig1=" ZEROS, &m, &a));
    }
    ck_assert_ptr_nonnull(apisig_parse("sig1=" READS PARAMS, NULL, &get, &a));
    ck_assert_ptr_nonnull(apisig_parse(NULL, "sig1=" ZEROS, &get, &a));
}
END_TEST

/* A cut anywhere is refused, and so is one more byte at the end: there is one text. */
START_TEST(apisig__refuses_every_cut) {
    static const char whole[] = "sig1=" KEYED PARAMS;
    struct apisig a;

    for (size_t n = 0; n < sizeof whole - 1; n++) {
        _cleanup_free_ char *cut = xstrndup(whole, n);

        ck_assert_ptr_nonnull(apisig_parse(cut, "sig1=" ZEROS, &keyed, &a));
    }
    for (int c = 1; c < 256; c++) {
        _cleanup_free_ char *longer = xasprintf("%s%c", whole, c);

        ck_assert_ptr_nonnull(apisig_parse(longer, "sig1=" ZEROS, &keyed, &a));
    }
}
END_TEST

static void sign(const struct apisig_component *c, size_t n, struct apisig *a) {
    char base[1024];
    size_t len = apisig_base(c, n, a->params, base, sizeof base);

    ck_assert(apisig_mac(SECRET, strlen(SECRET), base, len, a->mac));
}

START_TEST(apisig__covers_method_authority_path_query_digest_and_key) {
    const struct apisig_component c[] = {{"@method", "POST"},
                                         {"@authority", "sluice.example"},
                                         {"@path", "/api/v1/apps/a/releases"},
                                         {"@query", "?b=2&a=1"},
                                         {"content-digest", DIGEST},
                                         {"idempotency-key", "\"k 1\""}};
    struct apisig_message other;
    struct apisig a;

    ck_assert_ptr_null(apisig_parse("sig1=" KEYED PARAMS, "sig1=" ZEROS, &keyed, &a));
    ck_assert(!apisig_verify(&a, &keyed, SECRET, strlen(SECRET)));
    sign(c, 6, &a);
    ck_assert(apisig_verify(&a, &keyed, SECRET, strlen(SECRET)));
    ck_assert(!apisig_verify(&a, &keyed, SECRET, strlen(SECRET) - 1));
    ck_assert(!apisig_verify(&a, &keyed, SECRET, 0));
#define CHANGED(field, value)                                                                      \
    other = keyed;                                                                                 \
    other.field = value;                                                                           \
    ck_assert(!apisig_verify(&a, &other, SECRET, strlen(SECRET)))
    CHANGED(method, "PUT");
    CHANGED(authority, "other.example");
    CHANGED(path, "/api/v1/apps/a/release");
    CHANGED(query, "?a=1&b=2");
    CHANGED(query, NULL);
    CHANGED(content_digest, "sha-256=" ZEROS);
    CHANGED(idempotency_key, "\"k 2\"");
    CHANGED(path, "/api/v1/apps/a/releases\n\"@query\": ?b=2&a=1");
    a.mac[31] ^= 1;
    ck_assert(!apisig_verify(&a, &keyed, SECRET, strlen(SECRET)));
}
END_TEST

START_TEST(apisig__an_absent_query_is_a_question_mark) {
    const struct apisig_component c[] = {{"@method", "GET"},
                                         {"@authority", "sluice.example"},
                                         {"@path", "/api/v1/apps"},
                                         {"@query", "?"}};
    struct apisig a;

    ck_assert_ptr_null(apisig_parse("sig1=" READS PARAMS, "sig1=" ZEROS, &get, &a));
    sign(c, 4, &a);
    ck_assert(apisig_verify(&a, &get, SECRET, strlen(SECRET)));
}
END_TEST

START_TEST(apisig__keeps_the_window) {
    const struct apisig a = {.created_s = 1790000000};

    ck_assert(apisig_timely(&a, 1790000300) && apisig_timely(&a, 1789999700));
    ck_assert(!apisig_timely(&a, 1790000301) && !apisig_timely(&a, 1789999699));
}
END_TEST

START_TEST(apisig__reads_the_authority_of_a_url) {
    static const struct {
        const char *url, *authority;
    } cases[] = {
        {"https://Sluice.Example/", "sluice.example"},
        {"https://sluice.example:443/x?y", "sluice.example"},
        {"http://sluice.example:80", "sluice.example"},
        {"https://sluice.example:80", "sluice.example:80"},
        {"http://[::1]:3000/", "[::1]:3000"},
        {"https://user:pw@sluice.example", "sluice.example"},
        {"sluice.example:3000", "sluice.example:3000"},
    };
    char text[64];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert(apisig_authority(cases[i].url, text, sizeof text));
        ck_assert_str_eq(text, cases[i].authority);
    }
    ck_assert(!apisig_authority("https://", text, sizeof text));
    ck_assert(!apisig_authority("https://abc", text, 3));
}
END_TEST

START_TEST(apisig__hashes_a_body_in_pieces) {
    struct apisig_body *whole = apisig_body_new(), *cut = apisig_body_new();
    struct apisig a;

    ck_assert_ptr_null(apisig_parse("sig1=" WRITES PARAMS, "sig1=" ZEROS, &post, &a));
    apisig_body_add(whole, "{\"hello\": \"world\"}", 18);
    apisig_body_add(cut, "{\"hello\"", 8);
    apisig_body_add(cut, ": \"world\"", 9);
    ck_assert(apisig_body_is(whole, a.digest));
    ck_assert(!apisig_body_is(cut, a.digest));
    apisig_body_free(whole);
    apisig_body_free(cut);
    apisig_body_free(NULL);
}
END_TEST

/* ---- the vault ---- */

#define KEK1 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEK2 "/////////////////////////////////////////w8="

START_TEST(vault__opens_what_it_sealed_where_it_belongs) {
    struct vault *v = vault_new(KEK1);
    unsigned char sealed[VAULT_NONCE + VAULT_SECRET_MAX + VAULT_TAG], again[sizeof sealed],
        secret[VAULT_SECRET_MAX];
    const char *id = vault_key_id(v);
    size_t n = vault_seal(v, "key/1", "secret", 6, sealed);

    ck_assert_uint_eq(n, VAULT_NONCE + 6 + VAULT_TAG);
    ck_assert_uint_eq(vault_open(v, id, "key/1", sealed, n, secret), 6);
    ck_assert_mem_eq(secret, "secret", 6);
    ck_assert_uint_eq(vault_open(v, id, "key/2", sealed, n, secret), 0);
    ck_assert_uint_eq(vault_open(v, "0123456789abcdef", "key/1", sealed, n, secret), 0);
    ck_assert_uint_eq(vault_open(v, id, "key/1", sealed, VAULT_NONCE + VAULT_TAG, secret), 0);
    vault_seal(v, "key/1", "secret", 6, again);
    ck_assert_mem_ne(sealed, again, VAULT_NONCE); /* never a nonce twice */
    for (size_t i = 0; i < n; i++) {
        sealed[i] ^= 1;
        ck_assert_uint_eq(vault_open(v, id, "key/1", sealed, n, secret), 0);
        sealed[i] ^= 1;
    }
    vault_free(v);
}
END_TEST

START_TEST(vault__seals_under_the_first_key_and_opens_under_all) {
    struct vault *old = vault_new(KEK1), *both = vault_new(KEK2 "\n\n " KEK1 "\r\n"),
                 *none = vault_new(NULL);
    unsigned char sealed[VAULT_NONCE + VAULT_SECRET_MAX + VAULT_TAG], secret[VAULT_SECRET_MAX];
    size_t n = vault_seal(old, "a", "secret", 6, sealed);

    ck_assert_str_ne(vault_key_id(old), vault_key_id(both));
    ck_assert_uint_eq(vault_open(both, vault_key_id(old), "a", sealed, n, secret), 6);
    ck_assert_uint_eq(vault_open(none, vault_key_id(old), "a", sealed, n, secret), 0);
    ck_assert_ptr_null(vault_key_id(none));
    ck_assert_uint_eq(vault_seal(none, "a", "secret", 6, sealed), 0);
    ck_assert_ptr_null(vault_new("x"));
    ck_assert_ptr_null(vault_new(""));
    ck_assert_ptr_null(vault_new(KEK1 ",AAAA"));
    vault_free(old);
    vault_free(both);
    vault_free(none);
}
END_TEST

int main(void) {
    return RUN_SUITE("apisig", 10, apisig__makes_the_base_and_mac_of_rfc_9421_b_2_5,
                     apisig__takes_the_three_forms, apisig__refuses_every_other_form,
                     apisig__refuses_other_digests, apisig__refuses_every_cut,
                     apisig__covers_method_authority_path_query_digest_and_key,
                     apisig__an_absent_query_is_a_question_mark, apisig__keeps_the_window,
                     apisig__reads_the_authority_of_a_url, apisig__hashes_a_body_in_pieces,
                     vault__opens_what_it_sealed_where_it_belongs,
                     vault__seals_under_the_first_key_and_opens_under_all);
}
