/* config/settings.c: the table.  A new setting is a field of struct config and a row here;
 * docs/settings.md follows
 * (`sluiced dump-settings`). */
#include "config/settings.h"
#include <stddef.h>

#define AT(field) .offset = offsetof(struct config, field)
#define MINUTE_MS 60000
#define DAY_MS    (24 * 60 * MINUTE_MS)

// clang-format off
const struct setting settings[] = {
    {"DATABASE_URL", SETTING_DATABASE, AT(database_url),
     .about = "PostgreSQL, as a libpq URL or keyword string; several hosts may be named. Required."},
    {"PORT", SETTING_INT, AT(port), .otherwise = "3000", .max = 65535,
     .about = "Port to listen on; 0 takes any free one."},
    {"SLUICE_LISTEN", SETTING_ADDRESS, AT(listen), .otherwise = "::",
     .about = "Address to listen on, an IP literal; `::` is every address, IPv4 included."},
    {"HOSTNAME", SETTING_HOSTNAME, AT(listen),
     .about = "Address to listen on where SLUICE_LISTEN is unset; counts only if it is an IP literal, because shells and pods set it to a name."},
    {"JWT_SECRET", SETTING_TEXT, AT(jwt_secret), .min = 32, .max = 4096, .secret = true,
     .about = "Secret of the built-in issuer of bearer tokens (HS256). Required."},
    {"API_SIGNATURE_SECRET", SETTING_TEXT, AT(api_signature_secret), .min = 32, .max = 4096, .secret = true,
     .about = "Secret of the API signatures with keyid `builtin`: kind ci, role ci, every app."},
    {"SLUICE_KEY_ENCRYPTION_KEY", SETTING_KEYS, AT(key_encryption_key), .max = 8, .secret = true,
     .about = "Keys that secrets are stored under (AES-256-GCM), each 32 random bytes in base64 (`openssl rand -base64 32`), separated by commas or newlines: the first encrypts, all decrypt. `sluiced keys rewrap` puts every secret under the first. Without one, no keys can be made."},
    {"FEATURE_FLAGS_CACHE_TIMEOUT", SETTING_INT, AT(feature_flags_cache_timeout_ms), .otherwise = "300000", .max = DAY_MS,
     .about = "Milliseconds after which a served flag snapshot is reported stale."},
    {"SLACK_WEBHOOK_URL", SETTING_URL, AT(slack_webhook_url), .secret = true,
     .about = "Slack webhook for deployments."},
    {"SLACK_ALERT_WEBHOOK_URL", SETTING_URL, AT(slack_alert_webhook_url), .secret = true,
     .about = "Slack webhook for alerts."},
    {"DEPLOYMENT_EMAIL_RECIPIENTS", SETTING_TEXT, AT(deployment_email_recipients),
     .about = "Mail addresses for deployments, comma-separated."},
    {"ENABLE_REQUEST_LOGGING", SETTING_BOOL, AT(enable_request_logging), .otherwise = "true",
     .about = "One log line per request."},
    {"SENTRY_DSN", SETTING_URL, AT(sentry_dsn), .secret = true,
     .about = "Where faults are reported."},
    {"KUBECONFIG", SETTING_TEXT, AT(kubeconfig),
     .about = "A kubeconfig file; its folder stands in where SLUICE_KUBECONFIG_DIR is unset. Clusters registered with `in_cluster` use the pod's service account."},
    {"SLUICE_KUBECONFIG_DIR", SETTING_TEXT, AT(kubeconfig_dir),
     .about = "The only folder that a cluster's `kubeconfig_file` may name."},
    {"SLUICE_KUBECONFIG_EXEC", SETTING_WORD, AT(kubeconfig_exec), .otherwise = "deny", .words = "deny|allow",
     .about = "Whether a kubeconfig's exec plugin is run for a credential. Whoever may write these files then runs programs as this server."},
    {"SLUICE_OUTBOUND_ALLOW", SETTING_TEXT, AT(outbound_allow),
     .about = "CIDRs that checks and webhooks may reach beside public addresses, comma-separated."},
    {"SLUICE_PUBLIC_URL", SETTING_URL, AT(public_url),
     .about = "Where people and callers reach this server; its host and port are what API signatures are made for (otherwise the Host header)."},
    {"SLUICE_METRICS_LISTEN", SETTING_TEXT, AT(metrics_listen), .not_yet = true,
     .about = "Listener of its own for /metrics."},
    {"SLUICE_ISSUERS_FILE", SETTING_TEXT, AT(issuers_file),
     .about = "Further issuers of bearer tokens, as a JSON file: docs/identity.md."},
    {"SLUICE_LOG_LEVEL", SETTING_WORD, AT(log_level), .otherwise = "info", .words = "debug|info|warning|error",
     .about = "Least level that is logged."},
    {"SLUICE_LOG_FORMAT", SETTING_WORD, AT(log_format), .otherwise = "text", .words = "text|json",
     .about = "Form of log lines: key=value or JSON."},
    {"SLUICE_IO_THREADS", SETTING_INT, AT(io_threads), .otherwise = "2", .min = 1, .max = 64,
     .about = "Threads that parse, authenticate and answer without the database."},
    {"SLUICE_HANDLER_THREADS", SETTING_INT, AT(handler_threads), .otherwise = "8", .min = 1, .max = 256,
     .about = "Threads, with a database connection each, that run handlers."},
    {"SLUICE_WORKER_THREADS", SETTING_INT, AT(worker_threads), .otherwise = "4", .max = 64,
     .about = "Threads that carry deployments, beside the one reserved for abort and rollback; 0: this server carries none."},
    {"SLUICE_MAX_CONNECTIONS", SETTING_INT, AT(max_connections), .otherwise = "10000", .min = 16, .max = 1000000,
     .about = "Open HTTP connections at most."},
    {"SLUICE_QUEUE_MAX", SETTING_INT, AT(queue_max), .otherwise = "1024", .min = 1, .max = 1000000,
     .about = "Requests waiting for a handler thread at most; more are answered 503 `overloaded`."},
    {"SLUICE_RATE_PRINCIPAL", SETTING_RATE, AT(rate_principal), .otherwise = "100,200", .max = 1000000,
     .about = "Requests that one caller may make: each second, and at once; more are answered 429 `rate-limited`. Abort, rollback, health and metrics are not counted. Each server counts for itself."},
    {"SLUICE_RATE_NETWORK", SETTING_RATE, AT(rate_network), .otherwise = "300,600", .max = 1000000,
     .about = "The same for all callers of one network (/24, or /48 of IPv6), those without a valid credential too. Behind a proxy every caller comes from the proxy's network: raise it, or turn it off and let the proxy count."},
    {"SLUICE_HEADER_TIMEOUT_MS", SETTING_INT, AT(header_timeout_ms), .otherwise = "10000", .min = 100, .max = 10 * MINUTE_MS,
     .about = "Time that a request's header may take."},
    {"SLUICE_IDLE_TIMEOUT_S", SETTING_INT, AT(idle_timeout_s), .otherwise = "60", .min = 1, .max = 3600,
     .about = "Time after which a connection without traffic is closed."},
    {"SLUICE_DRAIN_TIMEOUT_S", SETTING_INT, AT(drain_timeout_s), .otherwise = "10", .max = 3600,
     .about = "Time that requests and steps under way get when the server is told to end."},
    {"SLUICE_DB_STATEMENT_MS", SETTING_INT, AT(db_statement_ms), .otherwise = "5000", .min = 100, .max = 10 * MINUTE_MS,
     .about = "Deadline of a database statement."},
    {"SLUICE_DB_WAIT_MS", SETTING_INT, AT(db_wait_ms), .otherwise = "2000", .min = 10, .max = 10 * MINUTE_MS,
     .about = "Wait for a free database connection at most."},
    {"SLUICE_DB_IDLE_IN_TX_MS", SETTING_INT, AT(db_idle_in_tx_ms), .otherwise = "5000", .min = 100, .max = 10 * MINUTE_MS,
     .about = "Time after which PostgreSQL ends a worker's transaction that does nothing, so that a frozen process lets go of its locks."},
    {"SLUICE_LEASE_MS", SETTING_INT, AT(lease_ms), .otherwise = "10000", .min = 1000, .max = 10 * MINUTE_MS,
     .about = "How long a worker's right to act on an environment lasts unless renewed."},
    {"SLUICE_LEASE_RENEW_MS", SETTING_INT, AT(lease_renew_ms), .otherwise = "3000", .min = 100, .max = 5 * MINUTE_MS,
     .about = "How often leases are renewed; at most half of SLUICE_LEASE_MS."},
    {"SLUICE_SCAN_MS", SETTING_INT, AT(scan_ms), .otherwise = "500", .min = 10, .max = MINUTE_MS,
     .about = "How often workers look for work that nobody told them of."},
    {"SLUICE_CRASH_POINT", SETTING_TEXT, AT(crash_point),
     .about = "Where a build with test points kills itself (`POINT:PASS`) or stops (`stop:POINT:PASS`); refused by other builds."},
    {0},
};
// clang-format on
_Static_assert(sizeof settings / sizeof *settings <= CONFIG_SETTINGS_MAX,
               "config.source is too short");

const char *const foreign_names[] = {
    "SLUICE_URL",  "SLUICE_TOKEN", "SLUICE_TOKEN_FILE", "SLUICE_CA_FILE", /* the command line's */
    "SLUICE_URLS",                                                        /* scripts/stack's */
    "SLUICE_BIN",  "SLUICE_LOAD",                                         /* the tests' */
    NULL,
};
