/* tests/unit/apikey.c: the one form of an API key, and which of two headers counts. */
#include "auth/apikey.h"
#include "auth/caller.h"
#include "base/cleanup.h"
#include "tests/support/suite.h"
#include <stdio.h>
#include <string.h>

#define ID     "01a20fd5-94fa-7c3e-8a51-6f0c2c4b7d10"
#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define KEY    "slk_" ID "_" HEX
#define SECRET "0123456789abcdef0123456789abcdef"

START_TEST(apikey__made_is_read_back_and_never_the_same) {
    char one[APIKEY_TEXT], two[APIKEY_TEXT], id[UUID_TEXT];

    ck_assert(apikey_parse(apikey_make(ID, one), id));
    ck_assert_str_eq(id, ID);
    ck_assert_uint_eq(strlen(one), APIKEY_TEXT - 1);
    ck_assert(strcmp(one, apikey_make(ID, two)) != 0);
    ck_assert(apikey_parse(KEY, id) && !strcmp(id, ID));
}
END_TEST

START_TEST(apikey__other_forms_are_refused) {
    static const char *const bad[] = {
        "",
        "slk_",
        "slk_" ID,
        "slk_" ID "_",
        "slk_1_abc",
        KEY "0",
        KEY " ",
        " " KEY,
        "SLK_" ID "_" HEX,
        "sls_" ID "_" HEX,
        "slk_" ID "-" HEX,
        "slk-" ID "_" HEX,
        "slk_01A20FD5-94fa-7c3e-8a51-6f0c2c4b7d10_" HEX,
        "slk_01a20fd5-94fa-7c3e-8a51_6f0c2c4b7d10_" HEX,
        "slk_" ID "_0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
        "slk_" ID "_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
        "slk_" ID "_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\xff",
        "slk_" ID "_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n",
    };
    char id[UUID_TEXT];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!apikey_parse(bad[i], id), "%s", bad[i]);
}
END_TEST

START_TEST(apikey__digest_is_the_sha_256_of_the_whole_text) {
    unsigned char digest[APIKEY_DIGEST];
    char hex[2 * APIKEY_DIGEST + 1], whole[SHA256_HEX];

    apikey_digest(KEY, digest);
    ck_assert_str_eq(hex_encode(digest, sizeof digest, hex), sha256_hex(KEY, strlen(KEY), whole));
}
END_TEST

#define NO_KEY    "The API key is not one that is valid here."
#define NO_BEARER "The Authorization header is not of the form Bearer TOKEN."
#define TWO       "Authorization and X-API-Key carry different credentials."
#define NO_FORM   "X-API-Key is not of the form slk_ID_SECRET."

/* Without keys: what is said tells which way a credential went.  tests/db/apikey.c has keys. */
START_TEST(caller__each_pair_of_headers_goes_its_way) {
    static const struct {
        struct presented in;
        const char *why; /* NULL: let in */
    } cases[] = {
        {{.authorization = "Bearer $TOKEN"}, NULL},
        {{.authorization = "Bearer $TOKEN", .bare_key = true}, NULL},
        {{0}, "An Authorization header with a bearer token or an API key is required."},
        {{.authorization = "Bearer " KEY}, NO_KEY},
        {{.authorization = "bearer   " KEY}, NO_KEY},
        {{.authorization = "Bearer slk_x"}, NO_KEY},
        {{.api_key = KEY}, NO_KEY},
        {{.api_key = "slk_"}, NO_KEY},
        {{.authorization = "Bearer " KEY, .api_key = KEY}, NO_KEY},
        {{.authorization = KEY}, NO_BEARER},
        {{.authorization = KEY, .bare_key = true}, NO_KEY},
        {{.authorization = KEY, .api_key = KEY}, TWO},
        {{.authorization = KEY, .api_key = KEY, .bare_key = true}, NO_KEY},
        {{.authorization = "$TOKEN"}, NO_BEARER},
        {{.authorization = "$TOKEN", .bare_key = true}, NO_BEARER},
        {{.authorization = "Bearer $TOKEN", .api_key = KEY}, TWO},
        {{.authorization = "Bearer $TOKEN", .api_key = ""}, TWO},
        {{.authorization = "Bearer " KEY, .api_key = KEY "0"}, TWO},
        {{.authorization = "Basic eDp5", .api_key = KEY}, TWO},
        {{.authorization = "", .api_key = KEY}, TWO},
        {{.authorization = "Bearer $TOKEN", .api_key = "$TOKEN"}, NO_FORM},
        {{.api_key = "$TOKEN"}, NO_FORM},
        {{.api_key = ""}, NO_FORM},
    };
    static const char *const roles[] = {"viewer", NULL};
    struct auth *a = auth_new(&(struct auth_settings){.jwt_secret = SECRET}, NULL, 0);
    _cleanup_free_ char *token = NULL;
    const char *why;

    token = auth_mint(SECRET, &(struct token_request){.subject = "s", .roles = roles, .ttl_s = 60},
                      &why);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        struct presented in = cases[i].in;
        const struct principal *p;
        Status s;

        if (in.authorization && strstr(in.authorization, "$TOKEN"))
            in.authorization = arena_printf(&arena, "%.*s%s",
                                            (int)(strstr(in.authorization, "$") - in.authorization),
                                            in.authorization, token);
        if (in.api_key && !strcmp(in.api_key, "$TOKEN"))
            in.api_key = token;
        s = caller_find(a, NULL, &in, &arena, &p, &why);
        ck_assert_msg(s == (cases[i].why ? E_UNAUTHENTICATED : STATUS_OK), "%zu: %d", i, (int)s);
        ck_assert((s == STATUS_OK) == (p != NULL));
        if (cases[i].why)
            ck_assert_msg(why && !strcmp(why, cases[i].why), "%zu: %s", i, why);
    }
    auth_free(a);
}
END_TEST

int main(void) {
    return RUN_SUITE(
        "apikey", 10, apikey__made_is_read_back_and_never_the_same, apikey__other_forms_are_refused,
        apikey__digest_is_the_sha_256_of_the_whole_text, caller__each_pair_of_headers_goes_its_way);
}
