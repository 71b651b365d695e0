/* config/config.h: settings from the environment: one table of names, types, ranges and defaults
 * (config.c).
 *
 * NAME_FILE gives the value as a file's content.  An unknown SLUICE_ name or a bad value is one
 * clear line. */
#pragma once
#include "base/json.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

enum { CONFIG_SETTINGS_MAX = 64 };

struct config_rate {
    int64_t per_s, burst; /* per_s 0: off */
};

struct config {
    /* fixed names (design.md §7) */
    char *database_url;
    int64_t port; /* 3000; 0: any free one */
    char *listen; /* SLUICE_LISTEN, else HOSTNAME when it is an IP literal, else "::" */
    char *jwt_secret, *api_signature_secret;
    char *key_encryption_key; /* base64 of 32 bytes each, separated by commas or newlines */
    int64_t feature_flags_cache_timeout_ms;
    char *slack_webhook_url, *slack_alert_webhook_url, *deployment_email_recipients, *sentry_dsn;
    bool enable_request_logging;
    char *kubeconfig;
    /* SLUICE_… */
    char *kubeconfig_exec; /* deny | allow */
    char *outbound_allow, *kubeconfig_dir, *public_url, *metrics_listen, *issuers_file;
    char *tls_cert, *tls_key; /* PEM; both or neither */
    char *cors_origins, *trusted_proxies, *flags_dir;
    char *log_level, *log_format; /* debug | info | warning | error; text | json */
    int64_t io_threads, handler_threads, worker_threads;
    struct config_rate rate_principal, rate_network;
    int64_t max_connections, queue_max, large_bodies_max, header_timeout_ms, idle_timeout_s,
        drain_timeout_s;
    int64_t db_statement_ms, db_wait_ms, db_idle_in_tx_ms;
    int64_t lease_ms, lease_renew_ms, scan_ms; /* 10000, 3000, 500 */
    char *checkpoint_key, *checkpoint_name;    /* PEM; its name, which is never NULL */
    char *checkpoint_dir, *checkpoint_url;
    int64_t checkpoint_s, checkpoint_records; /* 60, 1000 */
    char *crash_point; /* SLUICE_CRASH_POINT: where a test build kills itself; refused by other
                          builds */
    char *crash_log;   /* SLUICE_CRASH_LOG: gets what points are passed; likewise */

    char *env_file, *env_text; /* SLUICE_ENV_FILE; what it holds */

    unsigned char
        source[CONFIG_SETTINGS_MAX]; /* of each row of the table: where its value came from */
};

/* What a command cannot do without; unset otherwise they stay NULL. */
enum { CONFIG_NEEDS_DATABASE = 1, CONFIG_NEEDS_JWT_SECRET = 2 };

/* Reads the environment; an empty value counts as unset.  false with one line in reterr (it never
 * quotes a secret), and nothing to release.  Before other threads exist.  config_load needs all. */
bool config_load(struct config *ret, char *reterr, size_t n);
bool config_load_for(struct config *ret, unsigned needs, char *reterr, size_t n);

/* Names, each list ended by NULL. */
struct config_changes {
    const char *changed[CONFIG_SETTINGS_MAX];
    const char *waiting[CONFIG_SETTINGS_MAX]; /* changed, but only a restart takes them over */
};
/* Reads all settings again, while other threads run.  *ret is what is in effect from then on: of
 * what may not change, and of names that do not begin with `only`, it has the old values.  false
 * with one line in reterr, and nothing to release: something is not right, and nothing changes. */
bool config_reload(const struct config *now, const char *only, struct config *ret,
                   struct config_changes *changes, char *reterr, size_t n);
/* The path of NAME_FILE; yours; NULL where NAME is not given so. */
char *config_file_of(const struct config *c, const char *name);
void config_done(struct config *c); /* NULL-safe, idempotent */
static inline void config_done_cleanup(struct config *c) {
    config_done(c);
}
/* Prints "NAME=value  # default | environment | file" lines, secrets as ***. */
void config_print(const struct config *c);
char *config_text(const struct config *c); /* the same lines; yours */
/* A copy of a libpq URL or keyword string with every password as ***; yours.  For people and logs.
 */
char *config_mask_database(const char *url);
/* "PORT", "127.0.0.1:PORT", "[::1]:PORT"; address "" where none is given; false: it is neither. */
enum { CONFIG_ADDRESS = 48 };
bool config_listen(const char *s, char ret_address[CONFIG_ADDRESS], int64_t *ret_port);
/* The first of comma-separated origins that is none ("https://shop.example", no path; "*" alone is
 * good); NULL: all are. */
const char *origins_bad(const char *origins);
/* docs/settings.md, made from the table; yours. */
char *config_reference(void);
