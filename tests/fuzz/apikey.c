/* Two lines: Authorization and X-API-Key.  What is taken for an API key is the one text that there
 * is for its id and secret; without keys nobody gets in. */
#include "auth/apikey.h"
#include "auth/caller.h"
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

static void one_text(const char *text) {
    char id[UUID_TEXT];

    if (!text || !apikey_parse(text, id))
        return;
    FUZZ_HOLDS(apikey_claimed(text) && uuid_valid(id));
    FUZZ_HOLDS(strlen(text) == APIKEY_TEXT - 1);
    FUZZ_HOLDS(!memcmp(text + 4, id, UUID_TEXT - 1) && text[4 + UUID_TEXT - 1] == '_');
    for (const char *c = text + 4 + UUID_TEXT; *c; c++)
        FUZZ_HOLDS((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'f'));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static struct auth *auth;
    _cleanup_(arena_done) struct arena arena = {0};
    _cleanup_free_ char *authorization = fuzz_line(&bytes, &n), *key = fuzz_line(&bytes, &n);
    const struct principal *p = NULL;
    const char *why = NULL;

    if (!auth)
        auth = auth_new(&(struct auth_settings){.jwt_secret = "0123456789abcdef0123456789abcdef"},
                        NULL, 0);
    one_text(authorization);
    one_text(key);
    for (int bare = 0; bare < 2; bare++) {
        const struct presented in = {
            .authorization = authorization, .api_key = key, .bare_key = bare};

        FUZZ_HOLDS(caller_find(auth, NULL, &in, &arena, &p, &why) == E_UNAUTHENTICATED);
        FUZZ_HOLDS(!p && why);
    }
    return 0;
}
