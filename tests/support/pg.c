#include "tests/support/pg.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/status.h"
#include "db/migrate.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { START_MS = 30000 };

static struct {
    char directory[64], socket[96], url[192];
    char *bin; /* where initdb and postgres are */
    int commands, answers;
    pid_t owner, guardian;
    unsigned databases;
} pg;

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = 10 * 1000000}, NULL);
}

/* ---- the guardian ---- */

static pid_t run(const char *const *argv) {
    pid_t pid = fork();

    if (pid == 0) {
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

static bool run_to_end(const char *const *argv) {
    pid_t pid = run(argv);
    int status = 1;

    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void be_ordinary(void) {
    const struct passwd *user = getpwnam("postgres"); /* NOLINT(concurrency-mt-unsafe) */

    if (geteuid() != 0)
        return;
    if (!user)
        user = getpwnam("nobody"); /* NOLINT(concurrency-mt-unsafe) */
    if (!user || chown(pg.directory, user->pw_uid, user->pw_gid) != 0 ||
        setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
        _exit(1);
}

static bool make_cluster(const char *const *settings) {
    _cleanup_free_ char *initdb = xasprintf("%s/initdb", pg.bin);
    _cleanup_free_ char *data = xasprintf("%s/data", pg.directory);
    _cleanup_free_ char *conf = xasprintf("%s/data/postgresql.conf", pg.directory);
    FILE *f;

    if (!run_to_end((const char *const[]){initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E",
                                          "UTF8", "--locale=C", "--no-sync", "--no-instructions",
                                          NULL}))
        return false;
    f = fopen(conf, "a");
    if (!f)
        return false;
    fprintf(f,
            "listen_addresses=''\nunix_socket_directories='%s'\nfsync=off\nfull_page_writes=off\n"
            "shared_buffers=16MB\nmax_connections=120\nautovacuum=off\nmax_wal_size=256MB\n",
            pg.directory);
    for (; settings && *settings; settings++)
        fprintf(f, "%s\n", *settings);
    return fclose(f) == 0;
}

static pid_t start_postgres(void) {
    _cleanup_free_ char *postgres = xasprintf("%s/postgres", pg.bin);
    _cleanup_free_ char *data = xasprintf("%s/data", pg.directory);

    return run((const char *const[]){postgres, "-D", data, NULL});
}

static void end_postgres(pid_t pid) {
    if (pid <= 0)
        return;
    kill(pid, SIGQUIT);
    for (int i = 0; i < 500; i++) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return;
        nap();
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* Commands: c crash, s start, q quit; the program's end reads as q. */
static _Noreturn void guard(int commands, int answers, const char *const *settings) {
    char command = 'q';
    pid_t postgres;

    be_ordinary();
    if (!make_cluster(settings))
        _exit(1);
    postgres = start_postgres();
    while (write(answers, "", 1) == 1 && read(commands, &command, 1) == 1 && command != 'q') {
        end_postgres(postgres);
        postgres = command == 's' ? start_postgres() : 0;
    }
    end_postgres(postgres);
    run_to_end((const char *const[]){"/bin/rm", "-rf", pg.directory, NULL});
    _exit(0);
}

static void start_guardian(const char *const *settings) {
    int to[2], from[2], log;

    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        die("pipe: %s", strerror(errno));
    pg.guardian = fork();
    if (pg.guardian == 0) {
        _cleanup_free_ char *path = xasprintf("%s/log", pg.directory);

        setpgid(0, 0); /* Ctrl-C is for the program; its end is for us */
        signal(SIGPIPE, SIG_IGN);
        log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (log < 0 || dup2(open("/dev/null", O_RDONLY), 0) < 0 || dup2(log, 1) < 0 ||
            dup2(log, 2) < 0)
            _exit(1);
        close(to[1]);
        close(from[0]);
        guard(to[0], from[1], settings);
    }
    close(to[0]);
    close(from[1]);
    pg.commands = to[1];
    pg.answers = from[0];
}

/* ---- the program's side ---- */

static void end(void) {
    if (getpid() != pg.owner || !pg.guardian)
        return;
    (void)!write(pg.commands, "q", 1);
    waitpid(pg.guardian, NULL, 0);
    pg.guardian = 0;
}

static void await_answer(void) {
    char byte;

    if (read(pg.answers, &byte, 1) != 1)
        die("PostgreSQL cannot be started (is postgresql-15 installed?)");
}

static void await_ready(void) {
    int64_t deadline = clock_monotonic_us() + START_MS * US_PER_MS;

    while (PQping(pg.url) != PQPING_OK) {
        if (clock_monotonic_us() > deadline)
            die("PostgreSQL does not get ready: see %s/log", pg.directory);
        nap();
    }
}

static char *find_binaries(void) {
    glob_t found;
    char *bin = NULL;

    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0)
        bin = xstrdup(found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    if (!bin)
        die("no PostgreSQL below /usr/lib/postgresql");
    *strrchr(bin, '/') = '\0';
    return bin;
}

static char *url_of(const char *database) {
    return xasprintf("postgresql:///%s?host=%s&user=postgres", database, pg.directory);
}

void pg_start_with(const char *const *settings) {
    _cleanup_free_ char *template = NULL;
    char error[256] = "";
    int applied;

    snprintf(pg.directory, sizeof pg.directory, "/tmp/sluice-pg-XXXXXX");
    if (!mkdtemp(pg.directory))
        die("mkdtemp: %s", strerror(errno));
    snprintf(pg.socket, sizeof pg.socket, "%s/.s.PGSQL.5432", pg.directory);
    snprintf(pg.url, sizeof pg.url, "postgresql:///postgres?host=%s&user=postgres", pg.directory);
    pg.bin = find_binaries();
    pg.owner = getpid();
    start_guardian(settings);
    atexit(end);
    await_answer();
    await_ready();
    free(pg_sql(pg.url, "CREATE DATABASE sluice_template"));
    template = url_of("sluice_template");
    if (db_migrate(template, &applied, error, sizeof error) != STATUS_OK)
        die("migration of the template: %s", error);
}

void pg_start(void) {
    pg_start_with(NULL);
}

static char *create_database(const char *template) {
    _cleanup_free_ char *name = xasprintf("test_%d_%u", (int)getpid(), ++pg.databases);

    free(pg_sql(pg.url, "CREATE DATABASE %s TEMPLATE %s", name, template));
    return url_of(name);
}

char *pg_database(void) {
    return create_database("sluice_template");
}

char *pg_empty_database(void) {
    return create_database("template0");
}

const char *pg_socket(void) {
    return pg.socket;
}

static char *run_sql(const char *url, const char *sql) {
    PGconn *c = PQconnectdb(url);
    PGresult *r = PQexec(c, sql);
    ExecStatusType status = PQresultStatus(r);
    char *value = NULL;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        die("%s: %s", sql, PQerrorMessage(c));
    if (PQntuples(r) > 0 && !PQgetisnull(r, 0, 0))
        value = xstrdup(PQgetvalue(r, 0, 0));
    PQclear(r);
    PQfinish(c);
    return value;
}

PRINTF(1, 0)
static char *format_sql(const char *format, va_list args) {
    char *sql = NULL;

    if (vasprintf(&sql, format, args) < 0)
        die("out of memory");
    return sql;
}

char *pg_sql(const char *url, const char *format, ...) {
    _cleanup_free_ char *sql = NULL;
    va_list args;

    va_start(args, format);
    sql = format_sql(format, args);
    va_end(args);
    return run_sql(url, sql);
}

long pg_number(const char *url, const char *format, ...) {
    _cleanup_free_ char *sql = NULL, *value = NULL;
    va_list args;

    va_start(args, format);
    sql = format_sql(format, args);
    va_end(args);
    value = run_sql(url, sql);
    return value ? strtol(value, NULL, 10) : -1;
}

struct pg_session {
    PGconn *connection;
};

static void run_in(PGconn *c, const char *sql) {
    PGresult *r = PQexec(c, sql);
    ExecStatusType status = PQresultStatus(r);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        die("%s: %s", sql, PQerrorMessage(c));
    PQclear(r);
}

struct pg_session *pg_hold(const char *url, const char *sql) {
    struct pg_session *s = xcalloc(1, sizeof *s);

    s->connection = PQconnectdb(url);
    run_in(s->connection, "BEGIN");
    run_in(s->connection, sql);
    return s;
}

void pg_let_go(struct pg_session *s, const char *sql) {
    if (sql)
        run_in(s->connection, sql);
    run_in(s->connection, "COMMIT");
    PQfinish(s->connection);
    free(s);
}

static void command(const char *c) {
    if (write(pg.commands, c, 1) != 1)
        die("the cluster's guardian is gone");
    await_answer();
}

void pg_crash(void) {
    command("c");
}

void pg_start_again(void) {
    command("s");
    await_ready();
}
