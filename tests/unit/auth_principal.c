/* tests/unit/auth_principal.c: roles, what a token turns into, minting, and the cache of verified
 * tokens. */
#include "auth/auth.h"
#include "auth/cache.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "tests/support/suite.h"
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define SECRET "0123456789abcdef0123456789abcdef"
#define READS                                                                                      \
    "app:read cluster:read environment:read release:read deployment:read record:read "             \
    "checklist:read signoff:read freeze:read gate:read flag:read incident:read backup:read"
#define RELEASES                                                                                   \
    READS " release:write deployment:create deployment:promote deployment:rollback "               \
          "traffic:write checklist:write flag:write"

static char *joined(const char *const *list) {
    struct strbuf b = STRBUF(4096);

    for (; *list; list++)
        strbuf_addf(&b, "%s%s", b.len ? " " : "", *list);
    return strbuf_take(&b);
}

static bool has_word(const char *list, const char *word, size_t n) {
    for (; *list; list += strcspn(list, " "), list += *list == ' ')
        if (strcspn(list, " ") == n && !strncmp(list, word, n))
            return true;
    return false;
}

/* In whatever order. */
static bool same_words(const char *a, const char *b) {
    bool same = strlen(a) == strlen(b);

    for (const char *word = a; same && *word; word += *word == ' ') {
        size_t n = strcspn(word, " ");

        same = has_word(b, word, n);
        word += n;
    }
    return same;
}

START_TEST(principal__roles_stand_for_the_scopes_of_the_contract) {
    static const struct {
        const char *role, *scopes;
    } cases[] = {
        {"viewer", READS},
        {"ci", READS " release:write evidence:write deployment:create"},
        {"releaser", RELEASES},
        {"approver:engineering", READS " signoff:engineering"},
        {"approver:qa", READS " signoff:qa"},
        {"approver:devops", READS " signoff:devops"},
        {"approver:product", READS " signoff:product"},
        {"approver:customer-success", READS " signoff:customer-success"},
        {"approver:support", READS " signoff:support"},
        {"approver:final", READS " signoff:final"},
        {"operator",
         RELEASES " freeze:write checklist:waive incident:write backup:write audit:read"},
        {"admin",
         RELEASES " freeze:write checklist:waive incident:write backup:write audit:read app:write "
                  "cluster:write gate:write flag:admin key:read key:write deployment:resolve"},
        {"flags:client", "flag:evaluate"},
    };
    static const char *const unknown[] = {"",         "root",      "Viewer",    "viewer ",
                                          "approver", "approver:", "approver:x"};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *scopes = joined(role_scopes(cases[i].role));

        ck_assert_msg(!strcmp(scopes, cases[i].scopes), "%s: %s", cases[i].role, scopes);
        for (const char *const *scope = role_scopes(cases[i].role); *scope; scope++)
            ck_assert(scope_known(*scope));
    }
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        ck_assert_ptr_null(role_scopes(unknown[i]));
    ck_assert(!scope_known("app:delete") && !scope_known("") && !scope_known("signoff:*"));
}
END_TEST

static const struct principal *presented(struct auth *a, const struct token_request *in,
                                         struct arena *arena) {
    const struct principal *p;
    const char *why;
    _cleanup_free_ char *token = auth_mint(SECRET, in, &why), *header = NULL;

    ck_assert_msg(token != NULL, "%s", why);
    ck_assert_ptr_null(why);
    header = xasprintf("Bearer %s", token);
    ck_assert_int_eq(auth_bearer(a, header, arena, &p, &why), STATUS_OK); /* verified */
    ck_assert_int_eq(auth_bearer(a, header, arena, &p, &why), STATUS_OK); /* from the cache */
    return p;
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(principal__minted_tokens_come_back_as_they_were_asked_for) {
    _cleanup_(arena_done) struct arena arena = {0};
    struct auth *a = auth_new(&(struct auth_settings){.jwt_secret = SECRET}, NULL, 0);
    struct token_request in = {.subject = "élan \"x\"",
                               .roles = LIST("releaser", "approver:qa"),
                               .apps = LIST("inopnc", "other"),
                               .ttl_s = 60};
    const struct principal *p = presented(a, &in, &arena);

    ck_assert_str_eq(p->kind, "user");
    ck_assert_str_eq(p->subject, "élan \"x\"");
    ck_assert_str_eq(p->issuer, "sluice");
    ck_assert_str_eq(p->display_name, p->subject);
    ck_assert_str_eq(p->roles[0], "releaser");
    ck_assert_str_eq(p->roles[1], "approver:qa");
    ck_assert_ptr_null(p->roles[2]);
    ck_assert_str_eq(p->actor_json,
                     "{\"kind\":\"user\",\"subject\":\"élan \\\"x\\\"\",\"issuer\":\"sluice\"}");
    ck_assert(principal_may(p, "signoff:qa") && principal_may(p, "deployment:rollback"));
    ck_assert(!principal_may(p, "app:write") && !principal_may(p, "signoff:final"));
    ck_assert(principal_may_app(p, "inopnc") && !principal_may_app(p, "third") &&
              !principal_may_app(p, "*"));
    auth_free(a);
}
END_TEST

START_TEST(principal__kind_and_apps_have_defaults) {
    static const struct {
        const char *role, *kind, *becomes;
    } cases[] = {{"ci", NULL, "ci"},
                 {"admin", NULL, "user"},
                 {"admin", "service", "service"},
                 {"ci", "bot", "bot"}};
    struct auth *a = auth_new(&(struct auth_settings){.jwt_secret = SECRET}, NULL, 0);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        struct token_request in = {
            .subject = "s", .kind = cases[i].kind, .roles = LIST(cases[i].role), .ttl_s = 60};
        const struct principal *p = presented(a, &in, &arena);

        ck_assert_str_eq(p->kind, cases[i].becomes);
        ck_assert(principal_may_app(p, "anything"));
    }
    auth_free(a);
}
END_TEST

START_TEST(principal__of_an_environment_reaches_that_one_alone) {
    const struct principal all = {.kind = "user", .apps = LIST("*")},
                           some = {.kind = "user", .apps = LIST("a", "b")},
                           one = {.kind = "service", .apps = LIST("a"), .environment = "prod"};

    ck_assert(principal_may_environment(&all, "x", "prod"));
    ck_assert(principal_may_environment(&some, "b", "prod"));
    ck_assert(!principal_may_environment(&some, "c", "prod"));
    ck_assert(principal_may_environment(&one, "a", "prod"));
    ck_assert(!principal_may_environment(&one, "a", "production"));
    ck_assert(!principal_may_environment(&one, "b", "prod"));
    ck_assert(!principal_may_environment(NULL, "a", "prod"));
}
END_TEST

START_TEST(principal__is_copied_whole) {
    const struct principal from = {.kind = "service",
                                   .subject = "s",
                                   .issuer = "i",
                                   .display_name = "a name",
                                   .roles = LIST("flags:client"),
                                   .scopes = LIST("flag:evaluate"),
                                   .apps = LIST("a"),
                                   .environment = "production",
                                   .actor_json = "{}"};
    size_t n = principal_size(&from);
    _cleanup_free_ unsigned char *memory = xmalloc(n + 1);
    const struct principal *p;

    memory[n] = 0xa5;
    p = principal_place(memory, &from);
    ck_assert_uint_eq(memory[n], 0xa5);
    ck_assert_str_eq(p->subject, "s");
    ck_assert_str_eq(p->display_name, "a name");
    ck_assert_str_eq(p->apps[0], "a");
    ck_assert_str_eq(p->environment, "production");
    ck_assert(p->environment != from.environment && p->apps[0] != from.apps[0]);
    ck_assert_str_eq(p->actor_json, "{}");
}
END_TEST

START_TEST(principal__nobody_may_nothing) {
    static const struct principal none = {.kind = "user"};

    ck_assert(!principal_may(NULL, "app:read") && !principal_may_app(NULL, "a"));
    ck_assert(!principal_may(&none, "app:read") && !principal_may_app(&none, "a"));
}
END_TEST

#define SIGNS                                                                                      \
    "signoff:engineering signoff:qa signoff:devops signoff:product signoff:customer-success "      \
    "signoff:support signoff:final"

START_TEST(duties__each_kind_never_does_what_the_contract_says) {
    static const struct {
        const char *kind, *never;
    } cases[] = {
        {"user", "evidence:write"},
        {"ci", "checklist:write checklist:waive key:write deployment:resolve " SIGNS},
        {"bot", "checklist:write checklist:waive key:write deployment:resolve " SIGNS},
        {"service", "checklist:write checklist:waive key:write deployment:resolve " SIGNS}};
    static const char *const everything[] = {"viewer",
                                             "ci",
                                             "releaser",
                                             "operator",
                                             "admin",
                                             "flags:client",
                                             "approver:qa",
                                             "approver:engineering",
                                             "approver:devops",
                                             "approver:product",
                                             "approver:customer-success",
                                             "approver:support",
                                             "approver:final",
                                             NULL};
    struct auth *a = auth_new(&(struct auth_settings){.jwt_secret = SECRET}, NULL, 0);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        struct strbuf never = STRBUF(4096);
        struct token_request in = {
            .subject = "s", .kind = cases[i].kind, .roles = everything, .ttl_s = 60};
        const struct principal *p = presented(a, &in, &arena);

        for (const char *const *scope = p->scopes; *scope; scope++) {
            ck_assert(principal_may(p, *scope) == !kind_never(p->kind, *scope));
            if (!principal_may(p, *scope))
                strbuf_addf(&never, "%s%s", never.len ? " " : "", *scope);
        }
        _cleanup_free_ char *text = strbuf_take(&never);
        ck_assert_msg(same_words(text, cases[i].never), "%s: %s", cases[i].kind, text);
    }
    auth_free(a);
}
END_TEST

START_TEST(duties__an_unknown_kind_may_nothing) {
    static const char *const all[] = {"app:read", NULL};
    static const char *const kinds[] = {NULL, "", "root", "User", "worker"};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct principal p = {.kind = kinds[i], .scopes = all};

        ck_assert(!principal_may(&p, "app:read"));
    }
}
END_TEST

START_TEST(auth_mint__refuses_what_the_gate_would_refuse) {
    const struct {
        struct token_request in;
        const char *secret, *why;
    } cases[] = {
        {{.subject = NULL, .roles = LIST("admin"), .ttl_s = 1}, SECRET, "A subject of"},
        {{.subject = "", .roles = LIST("admin"), .ttl_s = 1}, SECRET, "A subject of"},
        {{.subject = "a\nb", .roles = LIST("admin"), .ttl_s = 1}, SECRET, "A subject of"},
        {{.subject = "a\xff", .roles = LIST("admin"), .ttl_s = 1},
         SECRET,
         "The subject is not UTF-8"},
        {{.subject = "a", .roles = NULL, .ttl_s = 1}, SECRET, "At least one role"},
        {{.subject = "a", .roles = LIST("root"), .ttl_s = 1}, SECRET, "A role is unknown"},
        {{.subject = "a", .kind = "x", .roles = LIST("admin"), .ttl_s = 1}, SECRET, "The kind is"},
        {{.subject = "a", .roles = LIST("admin"), .apps = LIST("A"), .ttl_s = 1},
         SECRET,
         "An app is"},
        {{.subject = "a", .roles = LIST("admin"), .ttl_s = 0}, SECRET, "The time to live"},
        {{.subject = "a", .roles = LIST("admin"), .ttl_s = TOKEN_TTL_MAX_S + 1},
         SECRET,
         "The time to live"},
        {{.subject = "a", .roles = LIST("admin"), .ttl_s = 1}, "short", "JWT_SECRET"},
        {{.subject = "a", .roles = LIST("admin"), .ttl_s = 1}, NULL, "JWT_SECRET"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *why = NULL;

        ck_assert_ptr_null(auth_mint(cases[i].secret, &cases[i].in, &why));
        ck_assert_msg(why && !strncmp(why, cases[i].why, strlen(cases[i].why)), "%zu: %s", i, why);
    }
}
END_TEST

static void key_of(unsigned n, unsigned char key[TOKEN_KEY]) {
    for (int i = 0; i < TOKEN_KEY; i++) /* spread as a digest would be */
        key[i] = (unsigned char)((n * 2654435761u) >> (i % 4 * 8));
    memcpy(key + TOKEN_KEY - sizeof n, &n, sizeof n);
}

static const struct principal sample = {
    .kind = "user", .subject = "s", .issuer = "sluice", .display_name = "s", .actor_json = "{}"};

START_TEST(token_cache__forgets_at_expiry) {
    struct token_cache *c = token_cache_new();
    _cleanup_(arena_done) struct arena arena = {0};
    unsigned char key[TOKEN_KEY];

    key_of(1, key);
    token_cache_put(c, key, 1, &sample, 100, 200);
    ck_assert_ptr_nonnull(token_cache_get(c, key, 1, 199, &arena));
    ck_assert_ptr_null(token_cache_get(c, key, 1, 200, &arena));
    token_cache_put(c, key, 1, &sample, 200, 300);
    ck_assert_ptr_nonnull(token_cache_get(c, key, 1, 200, &arena));
    ck_assert_ptr_null(token_cache_get(c, key, 2, 200, &arena)); /* a key was withdrawn */
    token_cache_free(c);
}
END_TEST

START_TEST(token_cache__is_bounded_and_keeps_what_is_used) {
    struct token_cache *c = token_cache_new();
    unsigned char hot[TOKEN_KEY], key[TOKEN_KEY];
    unsigned kept = 0;

    key_of(0, hot);
    token_cache_put(c, hot, 1, &sample, 0, 1000);
    for (unsigned n = 1; n < 5 * TOKEN_CACHE_ENTRIES; n++) {
        _cleanup_(arena_done) struct arena arena = {0};

        key_of(n, key);
        token_cache_put(c, key, 1, &sample, 0, 1000);
        ck_assert_ptr_nonnull(token_cache_get(c, hot, 1, 0, &arena));
    }
    for (unsigned n = 0; n < 5 * TOKEN_CACHE_ENTRIES; n++) {
        _cleanup_(arena_done) struct arena arena = {0};

        key_of(n, key);
        kept += token_cache_get(c, key, 1, 0, &arena) != NULL;
    }
    ck_assert_uint_le(kept, TOKEN_CACHE_ENTRIES);
    ck_assert_uint_ge(kept, 4096);
    token_cache_free(c);
}
END_TEST

enum { TOKENS = 64, THREADS = 4, CALLS = 50000 };
struct crowd {
    struct auth *auth;
    char *headers[TOKENS];
};

static void *present_many(void *ctx) {
    struct crowd *crowd = ctx;

    for (unsigned i = 0; i < CALLS; i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        const struct principal *p;
        const char *why;
        char subject[16];

        snprintf(subject, sizeof subject, "s%u", i % TOKENS);
        if (auth_bearer(crowd->auth, crowd->headers[i % TOKENS], &arena, &p, &why) != STATUS_OK ||
            strcmp(p->subject, subject) != 0)
            return crowd;
    }
    return NULL;
}

/* Also the figure that the edge relies on: ≥ 200 k cached verifications a second (printed;
 * sanitizers are slower). */
START_TEST(auth__many_threads_share_one_door) {
    struct crowd crowd = {.auth = auth_new(&(struct auth_settings){.jwt_secret = SECRET}, NULL, 0)};
    pthread_t threads[THREADS];
    int64_t began;

    for (int i = 0; i < TOKENS; i++) {
        char subject[16];
        struct token_request in = {.subject = subject, .roles = LIST("admin"), .ttl_s = 600};
        const char *why;
        _cleanup_free_ char *token = NULL;

        snprintf(subject, sizeof subject, "s%d", i);
        token = auth_mint(SECRET, &in, &why);
        crowd.headers[i] = xasprintf("Bearer %s", token);
    }
    began = clock_monotonic_us();
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, present_many, &crowd), 0);
    for (int i = 0; i < THREADS; i++) {
        void *bad;

        pthread_join(threads[i], &bad);
        ck_assert_ptr_null(bad);
    }
    fprintf(stderr, "# %lld cached verifications/s\n",
            (long long)(INT64_C(1) * THREADS * CALLS * US_PER_S / (clock_monotonic_us() - began)));
    for (int i = 0; i < TOKENS; i++)
        free(crowd.headers[i]);
    auth_free(crowd.auth);
}
END_TEST

int main(void) {
    return RUN_SUITE(
        "auth_principal", 60, principal__roles_stand_for_the_scopes_of_the_contract,
        principal__minted_tokens_come_back_as_they_were_asked_for,
        principal__kind_and_apps_have_defaults, principal__of_an_environment_reaches_that_one_alone,
        principal__is_copied_whole, principal__nobody_may_nothing,
        duties__each_kind_never_does_what_the_contract_says, duties__an_unknown_kind_may_nothing,
        auth_mint__refuses_what_the_gate_would_refuse, token_cache__forgets_at_expiry,
        token_cache__is_bounded_and_keeps_what_is_used, auth__many_threads_share_one_door);
}
