/* tests/unit/config.c: settings from the environment, as tables. */
#include "config/config.h"
#include "base/cleanup.h"
#include "tests/support/suite.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEK    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define SECRET "0123456789abcdef0123456789abcdef"
#define METRICS_LISTEN(value)                                                                      \
    "SLUICE_METRICS_LISTEN: \"" value                                                              \
    "\" is not PORT or ADDRESS:PORT, such as 9100, 127.0.0.1:9100 or [::1]:9100"
#define REQUIRED "DATABASE_URL=postgres://sluice:hidden@db/sluice", "JWT_SECRET=" SECRET

/* An environment of nothing but these "NAME=value" texts. */
static void environment(const char *const *pairs) {
    clearenv();
    for (; *pairs; pairs++) {
        _cleanup_free_ char *name = xstrndup(*pairs, strcspn(*pairs, "="));

        setenv(name, strchr(*pairs, '=') + 1, 1);
    }
}
#define ENVIRONMENT(...) environment((const char *const[]){__VA_ARGS__, NULL})

static void load(struct config *c) {
    char why[300] = "";

    ck_assert_msg(config_load(c, why, sizeof why), "%s", why);
}

START_TEST(config__defaults) {
    _cleanup_(config_done) struct config c = {0};

    ENVIRONMENT(REQUIRED);
    load(&c);
    ck_assert_int_eq(c.port, 3000);
    ck_assert_str_eq(c.listen, "::");
    ck_assert_str_eq(c.log_level, "info");
    ck_assert_str_eq(c.log_format, "text");
    ck_assert_int_eq(c.feature_flags_cache_timeout_ms, 300000);
    ck_assert(c.enable_request_logging);
    ck_assert_int_eq(c.io_threads, 2);
    ck_assert_int_eq(c.handler_threads, 8);
    ck_assert_int_eq(c.worker_threads, 12);
    ck_assert_int_eq(c.max_connections, 10000);
    ck_assert_int_eq(c.queue_max, 1024);
    ck_assert_int_eq(c.large_bodies_max, 4);
    ck_assert_int_eq(c.header_timeout_ms, 10000);
    ck_assert_int_eq(c.idle_timeout_s, 60);
    ck_assert_int_eq(c.drain_timeout_s, 10);
    ck_assert_int_eq(c.lease_ms, 10000);
    ck_assert_int_eq(c.lease_renew_ms, 3000);
    ck_assert_int_eq(c.scan_ms, 500);
    ck_assert_ptr_null(c.slack_webhook_url);
    ck_assert_ptr_null(c.kubeconfig);
}
END_TEST

START_TEST(config__good_values) {
    static const char *const cases[] = {
        "PORT=0",
        "PORT=65535",
        "SLUICE_LISTEN=127.0.0.1",
        "SLUICE_LISTEN=::1",
        "SLUICE_LOG_LEVEL=debug",
        "SLUICE_LOG_FORMAT=json",
        "ENABLE_REQUEST_LOGGING=false",
        "ENABLE_REQUEST_LOGGING=0",
        "SLUICE_WORKER_THREADS=0",
        "SLUICE_METRICS_LISTEN=9100",
        "SLUICE_METRICS_LISTEN=127.0.0.1:0",
        "SLUICE_METRICS_LISTEN=[::1]:65535",
        "SLUICE_RATE_PRINCIPAL=1,1",
        "SLUICE_RATE_NETWORK=off",
        "SENTRY_DSN=https://key@sentry.example.org/1",
        "SLACK_WEBHOOK_URL=https://hooks.slack.com/services/T/B/x",
        "API_SIGNATURE_SECRET=" SECRET,
        "SLUICE_KEY_ENCRYPTION_KEY=" KEK,
        "SLUICE_KEY_ENCRYPTION_KEY=" KEK "," KEK,
        "SLUICE_KEY_ENCRYPTION_KEY=\n" KEK "\r\n\n " KEK " \n",
        "FEATURE_FLAGS_CACHE_TIMEOUT=0",
        "SLUICE_OUTBOUND_ALLOW=127.0.0.0/8",
        "DEPLOYMENT_EMAIL_RECIPIENTS=a@example.org,b@example.org",
        /* unset */
        "PORT=",
        "SLACK_WEBHOOK_URL=",
        "SLUICE_LISTEN=",
        "SLUICE_METRICS_LISTEN=",
        "JWT_SECRET_FILE=",
        /* other people's */
        "SLUICE_URL=http://127.0.0.1:3000",
        "SLUICE_URLS=a b",
        "SLUICE_TOKEN=x",
        "SLUICE_TOKEN_FILE=/x",
        "SLUICE_CA_FILE=/x",
        "SLUICE_SERVICE_HOST=10.0.0.1",
        "SLUICE_SERVICE_PORT=3000",
        "SLUICE_SERVICE_PORT_HTTP=3000",
        "SLUICE_PORT=tcp://10.0.0.1:3000",
        "SLUICE_PORT_3000_TCP_ADDR=10.0.0.1",
        "SLUICE_DB_SERVICE_HOST=10.0.0.2",
        "SLUICED_PIDS=1 2",
        "UNKNOWN=1",
        "HOSTNAME=web-7d9f",
        "HOSTNAME=",
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_(config_done) struct config c = {0};
        char why[300] = "";

        ENVIRONMENT(REQUIRED, cases[i]);
        ck_assert_msg(config_load(&c, why, sizeof why), "%s: %s", cases[i], why);
    }
}
END_TEST

START_TEST(config__bad_values_are_one_clear_line) {
    static const struct {
        const char *pair, *line;
    } cases[] = {
        {"PORT=abc", "PORT: \"abc\" is not an integer from 0 to 65535"},
        {"PORT=65536", "PORT: \"65536\" is not an integer from 0 to 65535"},
        {"PORT=-1", "PORT: \"-1\" is not an integer from 0 to 65535"},
        {"PORT=+1", "PORT: \"+1\" is not an integer from 0 to 65535"},
        {"PORT= 80", "PORT: \" 80\" is not an integer from 0 to 65535"},
        {"PORT=080", "PORT: \"080\" is not an integer from 0 to 65535"},
        {"PORT=8e1", "PORT: \"8e1\" is not an integer from 0 to 65535"},
        {"PORT=0x50", "PORT: \"0x50\" is not an integer from 0 to 65535"},
        {"PORT=99999999999999999999",
         "PORT: \"99999999999999999999\" is not an integer from 0 to 65535"},
        {"PORT=3000\n", "PORT: the value is not an integer from 0 to 65535"},
        {"SLUICE_LISTEN=localhost",
         "SLUICE_LISTEN: \"localhost\" is not an IP address such as 127.0.0.1 or ::"},
        {"SLUICE_LOG_LEVEL=Info",
         "SLUICE_LOG_LEVEL: \"Info\" is not one of debug|info|warning|error"},
        {"SLUICE_LOG_LEVEL=debug|info",
         "SLUICE_LOG_LEVEL: \"debug|info\" is not one of debug|info|warning|error"},
        {"ENABLE_REQUEST_LOGGING=yes",
         "ENABLE_REQUEST_LOGGING: \"yes\" is not true, false, 1 or 0"},
        {"SLUICE_PUBLIC_URL=sluice.example.org",
         "SLUICE_PUBLIC_URL: \"sluice.example.org\" is not an http or https URL"},
        {"SLUICE_PUBLIC_URL=https://",
         "SLUICE_PUBLIC_URL: \"https://\" is not an http or https URL"},
        {"SLACK_WEBHOOK_URL=hidden", "SLACK_WEBHOOK_URL: the value is not an http or https URL"},
        {"JWT_SECRET=", "JWT_SECRET is required: at least 32 bytes"},
        {"JWT_SECRET=0123456789abcdef0123456789abcde",
         "JWT_SECRET: the value is not a text of 32 to 4096 bytes"},
        {"API_SIGNATURE_SECRET=x",
         "API_SIGNATURE_SECRET: the value is not a text of 32 to 4096 bytes"},
        {"SLUICE_KEY_ENCRYPTION_KEY=hidden",
         "SLUICE_KEY_ENCRYPTION_KEY: the value is not 1 to 8 keys, each 32 bytes in base64"},
        {"SLUICE_KEY_ENCRYPTION_KEY=" KEK "," KEK " hidden",
         "SLUICE_KEY_ENCRYPTION_KEY: the value is not 1 to 8 keys, each 32 bytes in base64"},
        {"SLUICE_KEY_ENCRYPTION_KEY=,\n",
         "SLUICE_KEY_ENCRYPTION_KEY: the value is not 1 to 8 keys, each 32 bytes in base64"},
        {"SLUICE_KEY_ENCRYPTION_KEY=AAAA",
         "SLUICE_KEY_ENCRYPTION_KEY: the value is not 1 to 8 keys, each 32 bytes in base64"},
        {"DATABASE_URL=", "DATABASE_URL is required: a PostgreSQL URL"},
        {"DATABASE_URL=a\nb",
         "DATABASE_URL: the value is not a text of at most 4096 bytes without control characters"},
        {"SLUICE_RATE_NETWORK=100",
         "SLUICE_RATE_NETWORK: \"100\" is not RATE,BURST, each from 1 to 1000000, or off"},
        {"SLUICE_RATE_NETWORK=0,5",
         "SLUICE_RATE_NETWORK: \"0,5\" is not RATE,BURST, each from 1 to 1000000, or off"},
        {"SLUICE_RATE_PRINCIPAL=5,1000001",
         "SLUICE_RATE_PRINCIPAL: \"5,1000001\" is not RATE,BURST, each from 1 to 1000000, or off"},
        {"SLUICE_RATE_PRINCIPAL=5,5,5",
         "SLUICE_RATE_PRINCIPAL: \"5,5,5\" is not RATE,BURST, each from 1 to 1000000, or off"},
        {"SLUICE_LEASE_RENEW_MS=6000",
         "SLUICE_LEASE_RENEW_MS is more than half of SLUICE_LEASE_MS"},
        {"SLUICE_METRICS_LISTEN=localhost:9", METRICS_LISTEN("localhost:9")},
        {"SLUICE_METRICS_LISTEN=::1:9", METRICS_LISTEN("::1:9")},
        {"SLUICE_METRICS_LISTEN=[127.0.0.1]:9", METRICS_LISTEN("[127.0.0.1]:9")},
        {"SLUICE_METRICS_LISTEN=127.0.0.1:65536", METRICS_LISTEN("127.0.0.1:65536")},
        {"SLUICE_METRICS_LISTEN=127.0.0.1:", METRICS_LISTEN("127.0.0.1:")},
        {"SLUICE_METRICS_LISTEN=127.0.0.1", METRICS_LISTEN("127.0.0.1")},
        {"SLUICE_METRICS_LISTEN=:9", METRICS_LISTEN(":9")},
        {"SLUICE_WROKER_THREADS=1",
         "SLUICE_WROKER_THREADS is no setting of Sluice; did you mean SLUICE_WORKER_THREADS?"},
        {"SLUICE_DATABASE_URL=x",
         "SLUICE_DATABASE_URL is no setting of Sluice; did you mean DATABASE_URL?"},
        {"SLUICE_TOKN=x", "SLUICE_TOKN is no setting of Sluice; did you mean SLUICE_TOKEN?"},
        {"SLUICE_SOMETHING_ELSE=",
         "SLUICE_SOMETHING_ELSE is no setting of Sluice (docs/settings.md lists them)"},
        {"SLUICE_SCAN_MS_FILE_FILE=x",
         "SLUICE_SCAN_MS_FILE_FILE is no setting of Sluice (docs/settings.md lists them)"},
        {"PORT_FILE=/nowhere-at-all",
         "PORT_FILE: cannot read /nowhere-at-all: No such file or directory"},
        {"PORT_FILE=/", "PORT_FILE: cannot read /: Is a directory"},
        {"PORT_FILE=/dev/null", "PORT_FILE: /dev/null is empty"},
        {"PORT_FILE=/dev/zero", "PORT_FILE: /dev/zero is longer than 64 KiB"},
        {"JWT_SECRET_FILE=/dev/null", "JWT_SECRET and JWT_SECRET_FILE are both set; set one"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config c;
        char why[300] = "";

        ENVIRONMENT(REQUIRED, cases[i].pair);
        ck_assert_msg(!config_load(&c, why, sizeof why), "accepted %s", cases[i].pair);
        ck_assert_msg(!strcmp(why, cases[i].line), "%s: %s", cases[i].pair, why);
        ck_assert_ptr_null(c.jwt_secret); /* nothing to release */
    }
}
END_TEST

START_TEST(config__only_test_builds_crash_on_request) {
    struct config c;
    char why[300] = "";
    bool ok;

    ENVIRONMENT(REQUIRED, "SLUICE_CRASH_POINT=x");
    ok = config_load(&c, why, sizeof why);
    if (ok)
        config_done(&c);
#ifndef SLUICE_TEST_POINTS
    ck_assert(!ok);
#else
    ck_assert_msg(ok, "%s", why);
#endif
}
END_TEST

START_TEST(config__commands_need_different_things) {
    static const struct {
        const char *pair;
        unsigned needs;
        bool ok;
    } cases[] = {
        {"A=", 0, true},
        {"A=", CONFIG_NEEDS_DATABASE, false},
        {"A=", CONFIG_NEEDS_JWT_SECRET, false},
        {"JWT_SECRET=" SECRET, CONFIG_NEEDS_JWT_SECRET, true},
        {"DATABASE_URL=x", CONFIG_NEEDS_DATABASE, true},
        {"DATABASE_URL=x", CONFIG_NEEDS_DATABASE | CONFIG_NEEDS_JWT_SECRET, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config c;
        char why[300] = "";

        ENVIRONMENT(cases[i].pair);
        ck_assert(config_load_for(&c, cases[i].needs, why, sizeof why) == cases[i].ok);
        config_done(&c);
    }
}
END_TEST

START_TEST(config__hostname_counts_only_as_an_ip_literal) {
    static const struct {
        const char *a, *b, *listen;
    } cases[] = {
        {"HOSTNAME=web-7d9f", "A=", "::"},
        {"HOSTNAME=0.0.0.0", "A=", "0.0.0.0"},
        {"HOSTNAME=::1", "A=", "::1"},
        {"HOSTNAME=10.0.0.7", "SLUICE_LISTEN=127.0.0.1", "127.0.0.1"},
        {"HOSTNAME=10.0.0.7", "SLUICE_LISTEN=", "10.0.0.7"},
        {"HOSTNAME=web", "SLUICE_LISTEN=127.0.0.1", "127.0.0.1"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_(config_done) struct config c = {0};

        ENVIRONMENT(REQUIRED, cases[i].a, cases[i].b);
        load(&c);
        ck_assert_str_eq(c.listen, cases[i].listen);
    }
}
END_TEST

static void write_file(const char *path, const char *bytes, size_t n) {
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

START_TEST(config__values_from_files) {
    static const struct {
        const char *content, *value;
    } cases[] = {
        {SECRET, SECRET},      {SECRET "\n", SECRET},      {SECRET "\r\n", SECRET},
        {SECRET "\n\n", NULL}, {SECRET " \n", SECRET " "}, {"short\n", NULL},
        {"\n", NULL},
    };
    char path[] = "/tmp/sluice-config-XXXXXX";
    int fd = mkstemp(path);
    _cleanup_free_ char *pair = xasprintf("JWT_SECRET_FILE=%s", path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config c;
        char why[300] = "";

        write_file(path, cases[i].content, strlen(cases[i].content));
        ENVIRONMENT("DATABASE_URL=x", pair);
        if (config_load(&c, why, sizeof why)) {
            ck_assert_ptr_nonnull(cases[i].value);
            ck_assert_str_eq(c.jwt_secret, cases[i].value);
            config_done(&c);
        } else {
            ck_assert_msg(!cases[i].value, "%zu: %s", i, why);
            ck_assert_msg(!strstr(why, "0123") && !strstr(why, "short"), "%s", why);
        }
    }
    write_file(path, SECRET "\0" SECRET, 2 * sizeof SECRET - 1);
    ENVIRONMENT("DATABASE_URL=x", pair);
    struct config c;
    char why[300] = "";
    ck_assert(!config_load(&c, why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "holds a NUL byte"));
    unlink(path);
}
END_TEST

START_TEST(config__passwords_in_database_urls_are_masked) {
    static const struct {
        const char *url, *masked;
    } cases[] = {
        {"postgres://db/sluice", "postgres://db/sluice"},
        {"postgres://sluice@db/sluice", "postgres://sluice@db/sluice"},
        {"postgres://sluice:pw@db:5432/sluice", "postgres://sluice:***@db:5432/sluice"},
        {"postgres://sluice:p:w@h1:1,h2:2/sluice", "postgres://sluice:***@h1:1,h2:2/sluice"},
        {"postgres://sluice:p@w/x?y@db/sluice", "postgres://sluice:***@db/sluice"},
        {"postgres://db/sluice?user=a&password=pw", "postgres://db/sluice?user=a&password=***"},
        {"postgres://db/s?sslpassword=pw&sslmode=require",
         "postgres://db/s?sslpassword=***&sslmode=require"},
        {"postgres://db:5432/s?password=p@w", "postgres://db:5432/s?password=***"},
        {"postgres://db/s?PASSWORD=pw", "postgres://db/s?PASSWORD=***"},
        {"host=db password=pw dbname=sluice", "host=db password=*** dbname=sluice"},
        {"host=db password = 'p w\\' x' dbname=sluice", "host=db password = *** dbname=sluice"},
        {"password=a\\ b host=db", "password=*** host=db"},
        {"host=db dbname=password", "host=db dbname=password"},
        {"", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        _cleanup_free_ char *masked = config_mask_database(cases[i].url);

        ck_assert_str_eq(masked, cases[i].masked);
    }
}
END_TEST

START_TEST(config__printing_shows_no_secret) {
    _cleanup_(config_done) struct config c = {0};
    _cleanup_free_ char *text = NULL;

    ENVIRONMENT("DATABASE_URL=postgres://sluice:hidden@db/sluice",
                "JWT_SECRET=hidden hidden hidden hidden hidden",
                "API_SIGNATURE_SECRET=hidden hidden hidden hidden hidden",
                "SLACK_WEBHOOK_URL=https://hooks/hidden",
                "SLACK_ALERT_WEBHOOK_URL=https://hooks/hidden",
                "SENTRY_DSN=https://hidden@sentry/1", "PORT=81");
    load(&c);
    text = config_text(&c);
    ck_assert_msg(!strstr(text, "hidden"), "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "PORT=81  # environment\n"));
    ck_assert_ptr_nonnull(strstr(text, "JWT_SECRET=***  # environment\n"));
    ck_assert_ptr_nonnull(strstr(text, "SLUICE_SCAN_MS=500  # default\n"));
    ck_assert_ptr_nonnull(strstr(text, "KUBECONFIG=  # unset\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "DATABASE_URL=postgres://sluice:***@db/sluice  # environment\n"));
}
END_TEST

/* docs/settings.md is what `sluiced dump-settings` prints. */
START_TEST(config__the_reference_is_current) {
    _cleanup_free_ char *path = xasprintf("%.*s/../../docs/settings.md",
                                          (int)(strrchr(__FILE__, '/') - __FILE__), __FILE__);
    _cleanup_free_ char *reference = config_reference(), *stored = xcalloc(1, 1 << 16);
    FILE *f = fopen(path, "r");

    ck_assert_msg(f != NULL, "%s is missing", path);
    ck_assert_uint_gt(fread(stored, 1, (1 << 16) - 1, f), 0);
    fclose(f);
    ck_assert_str_eq(stored, reference);
}
END_TEST

int main(void) {
    return RUN_SUITE(
        "config", 30, config__defaults, config__good_values, config__bad_values_are_one_clear_line,
        config__only_test_builds_crash_on_request, config__commands_need_different_things,
        config__hostname_counts_only_as_an_ip_literal, config__values_from_files,
        config__passwords_in_database_urls_are_masked, config__printing_shows_no_secret,
        config__the_reference_is_current);
}
