/* main/reload.c: what changes when the server is told to read its settings again (SIGHUP), and when
 * a certificate is renewed.  Everything is read and checked first: when anything is not right,
 * nothing changes.
 *
 * Threads: the main thread's.  Others may still look at texts of earlier settings, which stay until
 * the end. */
#include "main/reload.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "db/record.h"
#include "live/flag_loader.h"
#include <string.h>
#include <unistd.h>

enum { HOST_TEXT = 256 };

struct kept_config {
    struct kept_config *older;
    struct config config;
};

static const char *const tls_settings[2] = {"SLUICE_TLS_CERT", "SLUICE_TLS_KEY"};

static void look_at_files(const struct config *c, struct stat ret[2]) {
    for (size_t i = 0; i < 2; i++) {
        _cleanup_free_ char *path = config_file_of(c, tls_settings[i]);

        if (!path || stat(path, &ret[i]) != 0)
            ret[i] = (struct stat){0};
    }
}

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static char *names_text(const char *const *names) {
    char *text = NULL;

    for (; *names; names++) {
        char *longer = text ? xasprintf("%s %s", text, *names) : xstrdup(*names);

        free(text);
        text = longer;
    }
    return text;
}

static json_t *names_json(const char *const *names) {
    json_t *list = json_array();

    for (; *names; names++)
        json_array_append_new(list, json_string(*names));
    return list;
}

/* ---- the record ---- */

static Status record_tx(struct db_tx *tx, void *ctx) {
    _cleanup_free_ char *data = json_text(ctx);

    return record_append(
        tx,
        &(struct record_entry){
            .actor = "{\"kind\": \"service\", \"subject\": \"sluiced\", \"issuer\": \"sluice\"}",
            .from = "server",
            .action = "settings.reloaded",
            .subject = "settings",
            .message = "A server took over changed settings",
            .data = data});
}

/* The server runs on as it was told to; a database that is away gets its record when it is back. */
static void record_pending(struct reload *r) {
    if (!r->unrecorded || db_tx_run(r->server->context.pool, "settings_record", DB_READ_COMMITTED,
                                    record_tx, r->unrecorded) != STATUS_OK)
        return;
    json_decref(r->unrecorded);
    r->unrecorded = NULL;
}

static void record_changes(struct reload *r, const struct config_changes *changes) {
    char host[HOST_TEXT] = "";

    gethostname(host, sizeof host - 1);
    json_decref(r->unrecorded); /* what could not be recorded before is in the log */
    r->unrecorded = json_pack("{s:o, s:o, s:s}", "changed", names_json(changes->changed),
                              "needs_restart", names_json(changes->waiting), "server", host);
    record_pending(r);
    if (r->unrecorded)
        log_event(LOG_WARNING, "settings-not-recorded-yet", NULL);
}

/* ---- taking over ---- */

/* The file may say something else under the same name. */
static void issuers_change(struct reload *r, struct issuers *issuers, struct config_changes *ch) {
    size_t n = 0;

    if (!auth_take(r->server->auth, issuers))
        return;
    while (ch->changed[n] && strcmp(ch->changed[n], "SLUICE_ISSUERS_FILE") != 0)
        n++;
    ch->changed[n] = "SLUICE_ISSUERS_FILE";
}

static bool tls_change(struct server *s, const struct config *c, const struct config_changes *ch,
                       char *reterr, size_t n) {
    for (const char *const *name = ch->changed; *name; name++)
        if (!strcmp(*name, tls_settings[0]) || !strcmp(*name, tls_settings[1]))
            return http_tls_use(s->context.http, c->tls_cert, c->tls_key, reterr, n);
    return true;
}

static void take_over(struct reload *r, struct kept_config *kept) {
    struct server *s = r->server;
    struct http_settings http = server_http_settings(s, &kept->config);

    kept->older = r->kept;
    r->kept = kept;
    s->context.config = &kept->config;
    server_log_setup(&kept->config);
    http_change(s->context.http, &http);
    flag_loader_stale(s->context.flags, kept->config.feature_flags_cache_timeout_ms);
}

/* Reads and checks everything; the certificate is the last, because it is taken over at once. */
static bool read_some(struct reload *r, const char *only, struct config *ret,
                      struct config_changes *changes, struct issuers **ret_issuers, char *reterr,
                      size_t n) {
    const struct config *now = r->server->context.config;
    struct auth_settings in;

    if (!config_reload(now, only, ret, changes, reterr, n))
        return false;
    in = server_auth_settings(ret, r->server->keys_client);
    if (!*only && (now->issuers_file || ret->issuers_file) &&
        !(*ret_issuers = auth_read(&in, reterr, n)))
        return false;
    return tls_change(r->server, ret, changes, reterr, n);
}

/* Of settings whose names begin with `only`; false: nothing changed, because not everything is
 * right, which is said once. */
static bool reload_some(struct reload *r, const char *only) {
    struct kept_config *kept = xcalloc(1, sizeof *kept);
    _cleanup_free_ char *changed = NULL, *waiting = NULL;
    struct config_changes changes;
    char line[sizeof r->refused] = "";
    struct issuers *issuers = NULL;
    bool good = read_some(r, only, &kept->config, &changes, &issuers, line, sizeof line);

    if (good) {
        if (issuers)
            issuers_change(r, issuers, &changes);
        changed = names_text(changes.changed);
        waiting = names_text(changes.waiting);
        if (changed || waiting || !*only)
            log_event(waiting ? LOG_WARNING : LOG_INFO, "reloaded", "changed",
                      changed ? changed : "nothing", "needs_a_restart", waiting, NULL);
    } else if (strcmp(line, r->refused) != 0) {
        log_event(LOG_WARNING, "reload-refused", "detail", line, NULL);
    }
    if (!good)
        auth_drop(issuers);
    memcpy(r->refused, line, sizeof line);
    if (changed) {
        take_over(r, kept);
        record_changes(r, &changes);
        return true;
    }
    config_done(&kept->config);
    free(kept);
    return good;
}

void reload_begin(struct reload *r, struct server *s) {
    *r = (struct reload){.server = s}; /* files may have changed since they were read: look soon */
}

void reload_all(struct reload *r) {
    *r->refused = '\0';
    look_at_files(r->server->context.config, r->tls);
    reload_some(r, "");
}

void reload_look(struct reload *r) {
    struct stat now[2];

    record_pending(r);
    look_at_files(r->server->context.config, now);
    if (same_file(&now[0], &r->tls[0]) && same_file(&now[1], &r->tls[1]))
        return;
    if (reload_some(r, "SLUICE_TLS_")) /* else again: the second file may come a moment later */
        memcpy(r->tls, now, sizeof now);
}

void reload_done(struct reload *r) {
    json_decref(r->unrecorded);
    for (struct kept_config *k = r->kept, *older; k; k = older) {
        older = k->older;
        config_done(&k->config);
        free(k);
    }
}
