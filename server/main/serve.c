/* main/serve.c: `sluiced serve`: start, watch over the schema, end on a signal.
 *
 * The listener comes first; the schema is looked at by a thread of its own, because the database
 * may be away for as long as it likes: the server then answers 503 and goes on by itself. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "db/migrate.h"
#include "handlers/routes.h"
#include "main/commands.h"
#include "main/reload.h"
#include "main/server.h"
#include "net/net.h"
#include "rollout/step.h"
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 512, SCHEMA_AGAIN_MS = 500 };

/* Looks at the schema until it is right, or wrong for good. */
struct schema {
    const struct config *config;
    struct server *server; /* whose workers begin once it is right */
    bool migrate;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop;       /* under lock */
    atomic_bool bad; /* wrong for good: set before SIGTERM is raised */
    char line[LINE];
};

static Status schema_try(struct schema *s) {
    int applied = 0;
    Status status;

    if (!s->migrate)
        return db_schema_check(s->config->database_url, s->line, sizeof s->line);
    status = db_migrate(s->config->database_url, &applied, s->line, sizeof s->line);
    if (status == STATUS_OK)
        log_event(LOG_INFO, "migrated", "applied", log_int(applied, (char[24]){0}), NULL);
    return status;
}

/* false: the server is ending. */
static bool schema_pause(struct schema *s) {
    int64_t until = clock_monotonic_us() + SCHEMA_AGAIN_MS * US_PER_MS;
    bool stop;

    pthread_mutex_lock(&s->lock);
    while (!s->stop && clock_cond_wait(&s->changed, &s->lock, until))
        ;
    stop = s->stop;
    pthread_mutex_unlock(&s->lock);
    return !stop;
}

/* An older program never acts on what a newer one stored: workers wait for this. */
static void schema_right(struct schema *s) {
    pthread_mutex_lock(&s->lock);
    if (!s->stop)
        server_work(s->server);
    pthread_mutex_unlock(&s->lock);
}

static void *schema_run(void *ctx) {
    struct schema *s = ctx;
    Status status;

    do
        status = schema_try(s);
    while (status == FAULT_DB_DOWN && schema_pause(s));
    if (status == STATUS_OK) {
        schema_right(s);
    } else if (status != FAULT_DB_DOWN) {
        s->bad = true;
        kill(getpid(), SIGTERM);
    }
    return NULL;
}

static void schema_watch(struct schema *s) {

    clock_cond_init(&s->changed);
    pthread_mutex_init(&s->lock, NULL);
    if (pthread_create(&s->thread, NULL, schema_run, s) != 0)
        die("cannot start a thread");
}

/* From now on it begins nothing: before the server is stopped. */
static void schema_stop(struct schema *s) {
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void schema_done(struct schema *s) {
    pthread_join(s->thread, NULL);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
}

static void at_once(int number) {
    _exit(128 + number);
}

static sigset_t our_signals(void) {
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

/* Blocked before other threads exist, so that only the main thread ever sees them. */
static void signals_hold(void) {
    sigset_t set = our_signals();

    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* Reads settings again at each SIGHUP, until another signal comes; from then on one more of those
 * ends the program at once. */
static int signals_wait(struct reload *reload) {
    sigset_t set = our_signals();
    int number;

    while ((number = sigtimedwait(&set, NULL, &(struct timespec){.tv_sec = RELOAD_LOOK_S})) < 0 ||
           number == SIGHUP) {
        if (number == SIGHUP)
            reload_all(reload);
        else
            reload_look(reload);
    }
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = at_once}, NULL);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = at_once}, NULL);
    signal(SIGHUP, SIG_IGN);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    return number;
}

static void checkpoints_log(const struct config *config) {
    _cleanup_free_ char *line = checkpoints_line(config);

    log_event(LOG_INFO, "checkpoints", "detail", line, NULL);
}

enum { NAMES_MAX = 400 };

static size_t add_steps(const char **names, size_t n, const struct step_row *rows, size_t count) {
    for (size_t i = 0; i < count && n < NAMES_MAX; i++)
        names[n++] = rows[i].name;
    return n;
}

/* What metrics are told apart by: the tables of routes and steps. */
static void metrics_open(void) {
    static const char *const kinds[] = {"rollback", "traffic", "clean-up"};
    const char *operations[NAMES_MAX + 1] = {0}, *steps[NAMES_MAX + 1] = {0};
    const struct step_row *rows;
    size_t n = 0, count = 0;

    for (; routes[n].operation && n < NAMES_MAX; n++)
        operations[n] = routes[n].operation;
    n = 0;
    rows = strategy_steps("blue-green", &count);
    n = add_steps(steps, n, rows, count);
    rows = undo_steps(&count);
    n = add_steps(steps, n, rows, count);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        rows = job_steps(kinds[i], "", &count);
        n = add_steps(steps, n, rows, count);
    }
    metrics_begin(operations, steps);
}

static int run(const struct config *config, bool migrate) {
    struct server server = {0};
    struct reload reload;
    struct schema schema = {.config = config, .server = &server, .migrate = migrate};
    char line[LINE] = "";
    int number;

    signals_hold();
    net_setup();
    metrics_open();
    if (!server_start(&server, config, line, sizeof line))
        return failure("%s", line);
    log_event(LOG_INFO, "listening", "version", SLUICE_VERSION, "address", config->listen, "port",
              log_int(http_port(server.context.http), (char[24]){0}), "tls",
              config->tls_cert ? "true" : NULL, NULL);
    if (server.metrics)
        log_event(LOG_INFO, "listening", "for", "metrics", "port",
                  log_int(http_port(server.metrics), (char[24]){0}), NULL);
    checkpoints_log(config);
    schema_watch(&schema);
    reload_begin(&reload, &server);
    number = signals_wait(&reload);
    log_event(LOG_INFO, "stopping", "why",
              schema.bad         ? "schema"
              : number == SIGINT ? "SIGINT"
                                 : "SIGTERM",
              NULL);
    schema_stop(&schema);
    server_stop(&server);
    schema_done(&schema);
    reload_done(&reload);
    if (schema.bad)
        return failure("%s", schema.line);
    log_event(LOG_INFO, "stopped", NULL);
    return EXIT_DONE;
}

int command_serve(int argc, char **argv) {
    _cleanup_(config_done) struct config config = {0};
    char line[LINE] = "";
    bool migrate = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--migrate") != 0)
            return usage_error("serve: unknown word \"%s\"", argv[i]);
        migrate = true;
    }
    if (!config_load(&config, line, sizeof line))
        return failure("%s", line);
    /* an arena for each of some twenty threads keeps what none of them uses: docs/performance.md */
    mallopt(M_ARENA_MAX, 2);
    server_log_setup(&config);
    return run(&config, migrate);
}
