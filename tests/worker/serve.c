/* sluiced as a program against a database: its workers wait for the schema to be known. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/support/pg.h"
#include "tests/support/suite.h"
#include "tests/support/world.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct world world, *const w = &world;
static char *environment, *deployment;

static void setup(void) {
    world_start(w);
    environment = world_environment(w, &(struct place){.app = "inopnc"});
    deployment = world_deploy(w, "inopnc", "v1.2.3", 1);
}

static void teardown(void) {
    world_end(w);
    free(environment);
    free(deployment);
}

/* sluiced is in bin/ beside the folder of this program. */
static char *program(void) {
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    ck_assert(n > 0);
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    return xasprintf("%s/../bin/sluiced", self);
}

_Noreturn static void run(const char *path) {
    _cleanup_free_ char *kubeconfig = folder_file(&w->sim.folder, "kubeconfig");
    int log = open("/dev/null", O_WRONLY);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(log, STDERR_FILENO);
    setenv("DATABASE_URL", w->url, 1);
    setenv("KUBECONFIG", kubeconfig, 1);
    setenv("JWT_SECRET", "0123456789abcdef0123456789abcdef", 1);
    setenv("SLUICE_LISTEN", "127.0.0.1", 1);
    setenv("SLUICE_SCAN_MS", "10", 1);
    setenv("PORT", "0", 1);
    execl(path, "sluiced", "serve", (char *)NULL);
    _exit(127);
}

static pid_t start(void) {
    _cleanup_free_ char *path = program();
    pid_t pid = fork();

    if (pid == 0)
        run(path);
    return pid;
}

static int end_of(pid_t pid) {
    int status = 0;

    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The schema is looked at while another migrates: the look waits, the scanner would not. */
START_TEST(serve__an_older_program_never_acts_on_a_newer_schema) {
    struct pg_session *migrating =
        pg_hold(w->url, "LOCK TABLE schema_migration IN ACCESS EXCLUSIVE MODE");
    long since = world_mark(w);
    pid_t pid = start();

    world_await(w, 20,
                "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND query LIKE '%%schema_migration%%' AND pid <> pg_backend_pid()");
    world_await(w, 20,
                "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND classid ="
                " 1397510483 AND objid <> %lld",
                (long long)db_replica_number(w->replica)); /* it could claim */
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(pg_number(w->url, "SELECT epoch FROM environment_lease"), 0);
    pg_let_go(migrating, "INSERT INTO schema_migration (version, name, sha256) VALUES (9999,"
                         " '9999_from_the_future', '')");
    ck_assert_int_ne(end_of(pid), 0);
    ck_assert_int_eq(pg_number(w->url, "SELECT epoch FROM environment_lease"), 0);
    ck_assert_int_eq(world_count(w, since, "PATCH", "/services/inopnc-prod"), 0);
}
END_TEST

START_TEST(serve__carries_what_is_active_and_gives_it_back_at_its_end) {
    pid_t pid;

    world_image(w, "{\"image\": \"ghcr.io/your-org/inopnc:v1.2.3\", \"never_ready\": true}");
    pid = start();
    world_await(w, 20, "SELECT state = 'waiting' FROM step WHERE name = 'await-available'");
    kill(pid, SIGTERM);
    ck_assert_int_eq(end_of(pid), 0);
    ck_assert_int_eq(pg_number(w->url, "SELECT count(*) FROM environment_lease WHERE holder IS NULL"
                                       " AND epoch = 1"),
                     1);
}
END_TEST

int main(void) {
    log_setup(LOG_ERROR, LOG_KEY_VALUE);
    pg_start();
    return RUN_SUITE_WITH("serve", 60, setup, teardown,
                          serve__an_older_program_never_acts_on_a_newer_schema,
                          serve__carries_what_is_active_and_gives_it_back_at_its_end);
}
