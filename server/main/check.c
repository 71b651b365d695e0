/* main/check.c: `sluiced check`: what would be in effect, and whether what it names can be reached.
 */
#include "base/cleanup.h"
#include "base/log.h"
#include "config/config.h"
#include "db/cluster.h"
#include "db/migrate.h"
#include "kube/kube.h"
#include "main/commands.h"
#include "main/server.h"
#include "net/net.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 512, CLUSTERS_MAX = 1000, CALL_MS = 5000 };

static bool say(const char *what, const char *name, bool good, const char *line) {
    printf("%s%s%s: %s%s%s\n", what, name ? " " : "", name ? name : "", good ? "ok" : "failed",
           *line ? ": " : "", line);
    return good;
}

static void say_issuer(const char *issuer, bool good, const char *line) {
    say("issuer", issuer, good, line);
}

static bool check_issuers(const struct config *c) {
    struct net_client *client = net_client_new("sluiced-check");
    struct auth_settings in = server_auth_settings(c, client);
    char line[LINE] = "";
    bool good = auth_check(&in, say_issuer, line, sizeof line);

    net_client_free(client);
    return *line ? say("issuers", NULL, false, line) : good;
}

static bool check_tls(const struct config *c) {
    char line[LINE] = "";

    return !c->tls_cert ||
           say("tls", NULL, http_tls_check(c->tls_cert, c->tls_key, line, sizeof line), line);
}

static bool check_checkpoints(const struct config *c) {
    _cleanup_free_ char *line = checkpoints_line(c), *why = NULL;

    if (c->checkpoint_dir && access(c->checkpoint_dir, W_OK | X_OK) != 0) {
        why = xasprintf("%s: %s", c->checkpoint_dir, strerror(errno));
        return say("SLUICE_CHECKPOINT_DIR", NULL, false, why);
    }
    printf("checkpoints: %s\n", line);
    return true;
}

static bool check_cluster(struct kube_clusters *all, const struct cluster_row *row) {
    _cleanup_(kube_cluster_unref) struct kube_cluster *cluster = NULL;
    _cleanup_(kube_result_done) struct kube_result seen = {0};
    json_auto_t *spec = json_parse(row->spec);
    char line[LINE] = "";

    if (kube_clusters_get(all, row->name, spec, row->revision, &cluster, line, sizeof line) !=
        STATUS_OK)
        return say("cluster", row->name, false, line);
    kube_probe(cluster, &seen);
    if (seen.outcome != KUBE_DONE)
        return say("cluster", row->name, false, seen.message);
    if (row->uid && strcmp(row->uid, json_str(seen.object, "uid", "")) != 0)
        return say("cluster", row->name, false,
                   "another cluster answers there than when it was registered");
    return say("cluster", row->name, true, json_str(seen.object, "version", ""));
}

static bool check_clusters(const struct config *c) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_free_ char *kubeconfig_dir = server_kubeconfig_dir(c);
    struct db_pool *pool = db_pool_new(&(struct db_settings){
        .url = c->database_url, .size = 1, .wait_ms = CALL_MS, .app_name = "sluiced-check"});
    Status s = db_cluster_list(pool, NULL, CLUSTERS_MAX, &rows);
    bool good = s == STATUS_OK;

    if (!good)
        say("clusters", NULL, false, "the database did not list them");
    if (good) {
        struct kube_clusters *all = kube_clusters_new(kubeconfig_dir, NULL, NULL);

        if (!strcmp(c->kubeconfig_exec, "allow"))
            kube_clusters_allow_exec(all);
        for (size_t i = 0; i < db_rows_count(rows); i++) {
            struct cluster_row row = cluster_row(rows, i);

            good = check_cluster(all, &row) && good;
        }
        kube_clusters_free(all);
    }
    db_pool_free(pool);
    return good;
}

/* One role for everything is allowed, so that this is said and no more. */
static bool check_owner(const struct config *c) {
    char line[LINE] = "";

    if (db_owner_line(c->database_url, line, sizeof line) != STATUS_OK)
        return say("owner", NULL, false, line);
    printf("owner: %s\n", line);
    return true;
}

int command_check(int argc, char **argv) {
    _cleanup_(config_done) struct config config = {0};
    char line[LINE] = "";
    bool good;

    if (no_words(argc, argv) != EXIT_DONE)
        return EXIT_USAGE;
    if (!config_load(&config, line, sizeof line))
        return failure("%s", line);
    log_setup(LOG_ERROR, LOG_KEY_VALUE); /* what is said is on stdout, once */
    config_print(&config);
    net_setup();
    good = check_issuers(&config);
    good = check_tls(&config) && good;
    good = check_checkpoints(&config) && good;
    if (say("database", NULL, db_schema_check(config.database_url, line, sizeof line) == STATUS_OK,
            line)) {
        good = check_owner(&config) && good;
        good = check_clusters(&config) && good;
    } else {
        good = false;
    }
    return good ? EXIT_DONE : EXIT_FAILED;
}
