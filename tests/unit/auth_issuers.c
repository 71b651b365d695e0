/* tests/unit/auth_issuers.c: the issuers' file: what stops the start, and what its rules grant. */
#include "auth/auth.h"
#include "base/cleanup.h"
#include "tests/support/folder.h"
#include "tests/support/suite.h"
#include "tests/support/tokens.h"
#include <string.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define OTHER  "another secret of at least 32 bytes"
#define HEAD   "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static struct folder folder;
static struct auth *made; /* by the test under way */
static char line[512];

/* Made once, before the tests fork. */
static EVP_PKEY *rsa_512, *rsa_1024, *rsa_pss, *p384, *ec;
static char *private_pem;

static void set_up(void) {
    _cleanup_free_ char *weak = token_pem(rsa_1024), *wide = token_pem(p384), *fine = token_pem(ec),
                        *pss = token_pem(rsa_pss), *tiny = token_pem(rsa_512);

    folder = folder_make();
    folder_put(&folder, "secret", OTHER "\n");
    folder_put(&folder, "short", "0123456789abcdef0123456789abcde\n");
    folder_put(&folder, "weak.pem", weak);
    folder_put(&folder, "tiny.pem", tiny);
    folder_put(&folder, "wide.pem", wide);
    folder_put(&folder, "fine.pem", fine);
    folder_put(&folder, "pss.pem", pss);
    folder_put(&folder, "private.pem", private_pem);
    folder_put(&folder, "none.jwks", "{\"keys\":[]}");
}

static void tear_down(void) {
    auth_free(made);
    made = NULL;
    folder_remove(&folder);
}

static bool starts(const char *file) {
    _cleanup_free_ char *path = folder_file(&folder, "issuers.json");

    folder_put(&folder, "issuers.json", file);
    line[0] = '\0';
    made = auth_new(&(struct auth_settings){.jwt_secret = SECRET, .issuers_file = path}, line,
                    sizeof line);
    return made != NULL;
}

#define RULES                                                                                      \
    "\"rules\":[{\"match\":{\"a\":1},\"roles\":[\"ci\"],\"kind\":\"ci\",\"apps\":[\"*\"]}]"
#define WITH(members)                                                                              \
    "{\"issuers\":[{\"issuer\":\"I\",\"audience\":\"us\",\"algorithm\":\"HS256\"," members "}]}"
#define KEY(text)  "\"key\":{" text "}"
#define SECRET_KEY KEY("\"secret_file\":\"secret\"")
#define RULE(text) WITH(SECRET_KEY ",\"rules\":[" text "]")
#define PUBLIC(alg, key)                                                                           \
    "{\"issuers\":[{\"issuer\":\"I\",\"audience\":\"us\",\"algorithm\":\"" alg                     \
    "\"," KEY(key) "," RULES "}]}"
#define ALLOW(text)                                                                                \
    RULE("{\"match\":{\"a\":1},\"roles\":[\"ci\"],\"kind\":\"ci\",\"apps\":[\"*\"]" text "}")

START_TEST(issuers__mistakes_are_one_line_that_names_the_field) {
    static const struct {
        const char *file, *says;
    } cases[] = {
        {"", "line 1"},
        {"{", "line 1"},
        {"[]", "issuers: a list of 1 to 64 issuers is needed"},
        {"{\"issuers\":[]}", "issuers: a list of 1 to 64 issuers is needed"},
        {"{\"issuers\":[1]}", "issuer 1: an object is needed"},
        {"{\"issuers\":[{}],\"more\":1}", "more: there is no such field"},
        {"{\"issuers\":[{}],\"issuers\":[{}]}", "duplicate object key"},
        {"{\"issuers\":[{}]}", "issuer 1: issuer: 1 to 255 printable characters"},
        {"{\"issuers\":[{\"issuer\":\"a b\"}]}", "issuer 1: issuer: 1 to 255 printable characters"},
        {"{\"issuers\":[{\"issuer\":\"sluice\"}]}",
         "issuer: this is the name of the built-in issuer"},
        {WITH("\"algorithms\":1"), "issuer 1 (I): algorithms: there is no such field"},
        {"{\"issuers\":[{\"issuer\":\"I\",\"algorithm\":\"none\"}]}",
         "issuer 1 (I): algorithm: RS256, ES256 or HS256 is needed"},
        {"{\"issuers\":[{\"issuer\":\"I\",\"algorithm\":[\"HS256\"]}]}", "algorithm: RS256"},
        {"{\"issuers\":[{\"issuer\":\"I\",\"algorithm\":\"HS256\"}]}",
         "audience: a string or a list of 1 to 16 strings is needed"},
        {"{\"issuers\":[{\"issuer\":\"I\",\"algorithm\":\"HS256\",\"audience\":[]}]}",
         "audience: a string or"},
        {"{\"issuers\":[{\"issuer\":\"I\",\"algorithm\":\"HS256\",\"audience\":[1]}]}",
         "audience: it is no string"},
        {"{\"issuers\":[{\"issuer\":\"I\",\"algorithm\":\"HS256\",\"audience\":\"\"}]}",
         "audience: an audience is 1 to 255"},
        {WITH("\"type\":\"at+jwt\""), "type: at+jwt needs RS256 or ES256"},
        {WITH("\"type\":1"), "type: JWT or at+jwt is needed"},
        {WITH("\"subject_claim\":7"), "subject_claim: the name of a claim"},
        {WITH("\"display_name_claim\":\"\""), "display_name_claim: the name of a claim"},
        /* rules */
        {WITH(SECRET_KEY), "rules: a list of 1 to 64 rules is needed"},
        {RULE(""), "rules: a list of 1 to 64 rules is needed"},
        {RULE("7"), "rules/0: an object is needed"},
        {RULE("{}"), "rules/0/match: an object with 1 to 16 claims is needed"},
        {RULE("{\"match\":{}}"), "rules/0/match: an object with 1 to 16 claims is needed"},
        {RULE("{\"match\":{\"a\":[]}}"),
         "rules/0/match/a: a string, integer or boolean, or a list"},
        {RULE("{\"match\":{\"a\":1.5}}"), "rules/0/match/a: a string"},
        {RULE("{\"match\":{\"a\":null}}"), "rules/0/match/a: a string"},
        {RULE("{\"match\":{\"a\":{\"b\":1}}}"), "rules/0/match/a: a string"},
        {RULE("{\"match\":{\"a\":[\"x\",[\"y\"]]}}"), "rules/0/match/a: a string"},
        {RULE("{\"match\":{\"\":1}}"), "rules/0/match/: this is no name of a claim"},
        {RULE("{\"match\":{\"a\":1},\"deny\":false}"), "rules/0/deny: true is needed"},
        {RULE("{\"match\":{\"a\":1},\"deny\":true,\"roles\":[\"ci\"]}"),
         "rules/0/roles: there is no such field"},
        {RULE("{\"match\":{\"a\":1}}"), "rules/0/kind: user, ci, bot or service is needed"},
        {RULE("{\"match\":{\"a\":1},\"kind\":\"root\"}"), "rules/0/kind: user, ci"},
        {RULE("{\"match\":{\"a\":1},\"kind\":\"ci\"}"), "rules/0/roles: a list of 1 to 32 strings"},
        {RULE("{\"match\":{\"a\":1},\"kind\":\"ci\",\"roles\":\"ci\"}"), "rules/0/roles: a list"},
        {RULE("{\"match\":{\"a\":1},\"kind\":\"ci\",\"roles\":[\"root\"]}"),
         "rules/0/roles: one of them is no role"},
        {RULE("{\"match\":{\"a\":1},\"kind\":\"ci\",\"roles\":[\"ci\"]}"), "rules/0/apps: a list"},
        {RULE("{\"match\":{\"a\":1},\"kind\":\"ci\",\"roles\":[\"ci\"],\"apps\":[\"A b\"]}"),
         "rules/0/apps: one of them is neither"},
        {ALLOW(",\"record\":[]"), "rules/0/record: a list of 1 to 12 strings is needed"},
        {ALLOW(",\"record\":[\"\"]"), "rules/0/record: one of them is no name of a claim"},
        {ALLOW(",\"matches\":1"), "rules/0/matches: there is no such field"},
        {RULE("{\"match\":{\"a\":1},\"deny\":true},{\"match\":{}}"), "rules/1/match: an object"},
        /* keys */
        {WITH(RULES), "key: an object is needed"},
        {WITH(RULES "," KEY("")), "key: one of secret_file, pem_file, jwks_file and jwks_url"},
        {WITH(RULES "," KEY("\"secret_file\":\"secret\",\"pem_file\":\"fine.pem\"")),
         "key: one of"},
        {WITH(RULES "," KEY("\"secret\":\"" OTHER "\"")), "key/secret: there is no such field"},
        {WITH(RULES "," KEY("\"pem_file\":\"fine.pem\"")), "key: HS256 needs secret_file"},
        {WITH(RULES "," KEY("\"secret_file\":7")), "key: secret_file is no name of a file or URL"},
        {WITH(RULES "," KEY("\"secret_file\":\"away\"")), "/away: No such file or directory"},
        {WITH(RULES "," KEY("\"secret_file\":\"short\"")),
         "/short: a secret has at least 32 bytes"},
        {WITH(RULES "," KEY("\"secret_file\":\"fine.pem\"")), "/fine.pem: a PEM file is no secret"},
        {WITH(RULES "," KEY("\"secret_file\":\".\"")), "not a regular file"},
        {WITH(RULES "," KEY("\"secret_file\":\"secret\",\"ca_file\":\"fine.pem\"")),
         "key/ca_file: it is for jwks_url only"},
        {PUBLIC("RS256", "\"secret_file\":\"secret\""), "key: secret_file is for HS256 only"},
        {PUBLIC("RS256", "\"pem_file\":\"weak.pem\""), "weak.pem: its RSA key has fewer than 2048"},
        {PUBLIC("RS256", "\"pem_file\":\"tiny.pem\""), "tiny.pem: its RSA key has fewer than 2048"},
        {PUBLIC("RS256", "\"pem_file\":\"fine.pem\""), "fine.pem: it is no RSA key"},
        {PUBLIC("RS256", "\"pem_file\":\"pss.pem\""), "pss.pem: it is no RSA key"},
        {PUBLIC("RS256", "\"pem_file\":\"secret\""), "secret: it holds no public key in PEM"},
        {PUBLIC("ES256", "\"pem_file\":\"private.pem\""), "private.pem: it holds a private key"},
        {PUBLIC("ES256", "\"pem_file\":\"wide.pem\""), "wide.pem: it is no key on the curve P-256"},
        {PUBLIC("ES256", "\"pem_file\":\"weak.pem\""), "weak.pem: it is no key on the curve P-256"},
        {PUBLIC("ES256", "\"jwks_file\":\"none.jwks\""), "none.jwks: it holds no usable key"},
        {PUBLIC("ES256", "\"jwks_file\":\"fine.pem\""), "fine.pem: it is no JSON Web Key Set"},
        {PUBLIC("ES256", "\"jwks_url\":\"http://a\""), "key/jwks_url: an https URL is needed"},
        {PUBLIC("ES256", "\"jwks_url\":\"https://\""), "key/jwks_url: an https URL is needed"},
        {PUBLIC("ES256", "\"jwks_url\":\"https://u:p@a/\""), "key/jwks_url: an https URL"},
        {PUBLIC("ES256", "\"jwks_url\":\"file:///etc/passwd\""), "key/jwks_url: an https URL"},
        {PUBLIC("ES256", "\"jwks_url\":\"https://a/\",\"ca_file\":\"secret\""),
         "secret: it holds no certificate in PEM"},
        {PUBLIC("ES256", "\"pem_file\":\"fine.pem\",\"ca_file\":\"secret\""),
         "key/ca_file: a file's name is needed, and jwks_url beside it"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *start =
            xasprintf("SLUICE_ISSUERS_FILE: %s/issuers.json: ", folder.path);

        ck_assert_msg(!starts(cases[i].file), "started with %s", cases[i].file);
        ck_assert_msg(!strncmp(line, start, strlen(start)), "%s", line);
        ck_assert_msg(strstr(line, cases[i].says) != NULL, "%s\nsays %s\nnot %s", cases[i].file,
                      line, cases[i].says);
        ck_assert_ptr_null(strstr(line, OTHER));
        ck_assert_ptr_null(strchr(line, '\n'));
    }
    ck_assert(!auth_new(&(struct auth_settings){.jwt_secret = SECRET, .issuers_file = "/nowhere"},
                        line, sizeof line));
    ck_assert_str_eq(line, "SLUICE_ISSUERS_FILE: /nowhere: No such file or directory");
}
END_TEST

START_TEST(issuers__there_are_at_most_64) {
    for (int n = 64; n <= 65; n++) {
        _cleanup_free_ char *file = xstrdup("{\"issuers\":[");

        for (int i = 0; i < n; i++) {
            char *longer = xasprintf("%s%s{\"issuer\":\"i%d\",\"audience\":\"us\",\"algorithm\":"
                                     "\"HS256\"," SECRET_KEY "," RULES "}",
                                     file, i ? "," : "", i);

            free(file);
            file = longer;
        }
        char *whole = xasprintf("%s]}", file);
        free(file);
        file = whole;
        ck_assert_int_eq(starts(file), n == 64);
        auth_free(made);
        made = NULL;
    }
}
END_TEST

START_TEST(issuers__a_name_may_come_back_with_another_algorithm_only) {
#define TWICE(alg, key)                                                                            \
    "{\"issuers\":[{\"issuer\":\"I\",\"audience\":\"us\",\"algorithm\":\"HS256\"," SECRET_KEY      \
    "," RULES "},{\"issuer\":\"I\",\"audience\":\"us\",\"algorithm\":\"" alg                       \
    "\"," KEY(key) "," RULES "}]}"
    ck_assert(!starts(TWICE("HS256", "\"secret_file\":\"secret\"")));
    ck_assert_ptr_nonnull(
        strstr(line, "issuer 2 (I): algorithm: this issuer is there already with the same"));
    ck_assert_msg(starts(TWICE("ES256", "\"pem_file\":\"fine.pem\"")), "%s", line);
}
END_TEST

/* ---- rules ---- */

static const struct principal *enters(const char *claims, struct arena *arena, const char **why) {
    _cleanup_free_ char *whole =
        xasprintf("{\"iss\":\"I\",\"aud\":\"us\",\"sub\":\"ann\",\"exp\":NOW+60,%s}", claims);
    _cleanup_free_ char *token = token_mac(EVP_sha256(), OTHER, HEAD, whole),
                        *header = xasprintf("Bearer %s", token);
    const struct principal *p;

    ck_assert_int_eq(auth_bearer(made, header, arena, &p, why) == STATUS_OK, p != NULL);
    return p;
}

#define VIEW(match)                                                                                \
    RULE("{\"match\":{" match "},\"roles\":[\"viewer\"],\"kind\":\"user\",\"apps\":[\"*\"]}")

START_TEST(rules__match_exactly) {
    static const struct {
        const char *file, *claims;
        bool ok;
    } cases[] = {
        {VIEW("\"a\":\"x\""), "\"a\":\"x\"", true},
        {VIEW("\"a\":\"x\""), "\"a\":\"X\"", false},
        {VIEW("\"a\":\"x\""), "\"a\":\"xy\"", false},
        {VIEW("\"a\":\"x\""), "\"a\":\"x \"", false},
        {VIEW("\"a\":\"x\""), "\"a\":[\"x\"]", false},
        {VIEW("\"a\":\"x\""), "\"a\":null", false},
        {VIEW("\"a\":\"x\""), "\"A\":\"x\"", false},
        {VIEW("\"a\":\"x\""), "\"b\":\"x\"", false},
        {VIEW("\"a\":\"*\""), "\"a\":\"x\"", false},
        {VIEW("\"a\":\"x\",\"b\":\"y\""), "\"a\":\"x\",\"b\":\"y\"", true},
        {VIEW("\"a\":\"x\",\"b\":\"y\""), "\"a\":\"x\"", false},
        {VIEW("\"a\":[\"x\",\"y\"]"), "\"a\":\"y\"", true},
        {VIEW("\"a\":[\"x\",\"y\"]"), "\"a\":\"z\"", false},
        {VIEW("\"a\":1"), "\"a\":1", true},
        {VIEW("\"a\":1"), "\"a\":\"1\"", false},
        {VIEW("\"a\":\"1\""), "\"a\":1", false},
        {VIEW("\"a\":1"), "\"a\":1.0", false},
        {VIEW("\"a\":1"), "\"a\":true", false},
        {VIEW("\"a\":true"), "\"a\":true", true},
        {VIEW("\"a\":true"), "\"a\":1", false},
        {VIEW("\"a\":true"), "\"a\":\"true\"", false},
        {VIEW("\"a\":false"), "\"a\":false", true},
        {VIEW("\"a\":false"), "\"b\":true", false},
        {VIEW("\"/app/role\":\"x\""), "\"app\":{\"role\":\"x\"}", true},
        {VIEW("\"/app/role\":\"x\""), "\"app\":{\"role\":\"y\"}", false},
        {VIEW("\"/app/role\":\"x\""), "\"/app/role\":\"x\"", false},
        {VIEW("\"/app/role\":\"x\""), "\"app\":\"x\"", false},
        {VIEW("\"https://example.org/role\":\"x\""), "\"https://example.org/role\":\"x\"", true},
        {VIEW("\"/https:~1~1example.org~1role\":\"x\""), "\"https://example.org/role\":\"x\"",
         true},
        {VIEW("\"a.b\":\"x\""), "\"a\":{\"b\":\"x\"}", false},
        /* what a token says about its rights counts for nothing */
        {VIEW("\"a\":\"x\""), "\"roles\":[\"admin\"],\"apps\":[\"*\"],\"kind\":\"user\"", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        const char *why;

        ck_assert_msg(starts(cases[i].file), "%s", line);
        ck_assert_msg((enters(cases[i].claims, &arena, &why) != NULL) == cases[i].ok, "%zu: %s", i,
                      cases[i].claims);
        if (!cases[i].ok)
            ck_assert_str_eq(why, "No rule for this issuer's tokens allows this one.");
        auth_free(made);
        made = NULL;
    }
}
END_TEST

START_TEST(rules__denials_first_then_the_first_that_allows) {
    static const char file[] = RULE(
        "{\"match\":{\"a\":\"x\"},\"roles\":[\"viewer\"],\"kind\":\"user\",\"apps\":[\"one\"]},"
        "{\"match\":{\"b\":\"y\"},\"roles\":[\"releaser\",\"approver:qa\"],\"kind\":\"service\","
        "\"apps\":[\"two\",\"three\"]},"
        "{\"match\":{\"event\":[\"pull\",\"pull_target\"]},\"deny\":true}");
    _cleanup_(arena_done) struct arena arena = {0};
    const struct principal *p;
    const char *why;

    ck_assert_msg(starts(file), "%s", line);
    ck_assert_ptr_null(enters("\"a\":\"x\",\"event\":\"pull\"", &arena, &why));
    ck_assert_str_eq(why, "A rule for this issuer's tokens refuses this one.");
    ck_assert_ptr_null(enters("\"a\":\"x\",\"event\":\"pull_target\"", &arena, &why));
    /* rights of two rules never add up, nor do those that the token claims */
    p = enters("\"a\":\"x\",\"b\":\"y\",\"event\":\"push\",\"roles\":[\"admin\"],\"scope\":\"app:"
               "write\",\"apps\":[\"*\"],\"kind\":\"bot\"",
               &arena, &why);
    ck_assert(p && principal_may(p, "app:read") && !principal_may(p, "deployment:promote"));
    ck_assert(!principal_may(p, "app:write"));
    ck_assert(principal_may_app(p, "one") && !principal_may_app(p, "two"));
    ck_assert_str_eq(p->kind, "user");
    p = enters("\"b\":\"y\"", &arena, &why);
    ck_assert(p && principal_may(p, "deployment:promote"));
    ck_assert_str_eq(p->roles[1], "approver:qa");
    ck_assert(!principal_may(p, "signoff:qa")); /* a service never signs off */
    ck_assert(!principal_may_app(p, "one") && principal_may_app(p, "three"));
    ck_assert_str_eq(p->kind, "service");
    ck_assert_str_eq(p->roles[0], "releaser");
    ck_assert_str_eq(p->issuer, "I");
}
END_TEST

START_TEST(rules__name_who_it_is_and_what_is_recorded) {
    static const char file[] = WITH(
        SECRET_KEY ",\"subject_claim\":\"/user/id\",\"display_name_claim\":\"name\","
                   "\"rules\":[{\"match\":{\"a\":1},\"roles\":[\"ci\"],\"kind\":\"ci\",\"apps\":["
                   "\"*\"],\"record\":[\"run_id\",\"attempt\",\"ok\",\"/user/id\",\"list\","
                   "\"long\",\"away\"]}]");
    _cleanup_(arena_done) struct arena arena = {0};
    _cleanup_free_ char *claims = xasprintf(
        "\"a\":1,\"user\":{\"id\":\"u-7\"},\"name\":\"Ann\",\"run_id\":\"12\",\"attempt\":2,"
        "\"ok\":true,\"list\":[1],\"long\":\"%257s\"",
        "");
    const struct principal *p;
    const char *why;

    ck_assert_msg(starts(file), "%s", line);
    p = enters(claims, &arena, &why);
    ck_assert_msg(p != NULL, "%s", why);
    ck_assert_str_eq(p->subject, "u-7");
    ck_assert_str_eq(p->display_name, "Ann");
    ck_assert_str_eq(p->actor_json,
                     "{\"kind\":\"ci\",\"subject\":\"u-7\",\"issuer\":\"I\",\"claims\":{\"run_id\":"
                     "\"12\",\"attempt\":2,\"ok\":true,\"/user/id\":\"u-7\"}}");
    /* a name is for people only: without a good one the subject stands in */
    p = enters("\"a\":1,\"user\":{\"id\":\"u-8\"},\"name\":\"a\\nb\"", &arena, &why);
    ck_assert_str_eq(p->display_name, "u-8");
    ck_assert_str_eq(p->actor_json,
                     "{\"kind\":\"ci\",\"subject\":\"u-8\",\"issuer\":\"I\",\"claims\":"
                     "{\"/user/id\":\"u-8\"}}");
    ck_assert_ptr_null(enters("\"a\":1", &arena, &why));
    ck_assert_str_eq(why, "The token's subject is not valid.");
    ck_assert_ptr_null(enters("\"a\":1,\"user\":{\"id\":7}", &arena, &why));
}
END_TEST

static EVP_PKEY *pss_made(void) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *key = NULL;

    if (EVP_PKEY_keygen_init(ctx) != 1 || EVP_PKEY_generate(ctx, &key) != 1)
        die("no RSA-PSS key");
    EVP_PKEY_CTX_free(ctx);
    return key;
}

int main(void) {
    rsa_512 = token_rsa(512);
    rsa_1024 = token_rsa(1024);
    rsa_pss = pss_made();
    p384 = token_ec("P-384");
    ec = token_ec("P-256");
    private_pem = token_pem_private(ec);
    return RUN_SUITE_WITH(
        "auth_issuers", 60, set_up, tear_down, issuers__mistakes_are_one_line_that_names_the_field,
        issuers__there_are_at_most_64, issuers__a_name_may_come_back_with_another_algorithm_only,
        rules__match_exactly, rules__denials_first_then_the_first_that_allows,
        rules__name_who_it_is_and_what_is_recorded);
}
