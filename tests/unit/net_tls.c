/* TLS of outbound calls against openssl's own server: whom it trusts, which name it checks, who it
 * says it is. */
#include "base/cleanup.h"
#include "base/status.h"
#include "net/net.h"
#include "tests/support/suite.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A folder with ca.pem and key.pem (self-signed for sluice.test and 127.0.0.1), and a server that
 * shows it. */
struct tls_server {
    char folder[32];
    char *ca, *key; /* owned */
    pid_t pid;
    char *url; /* owned */
};

/* Runs openssl in the folder, silently, with whatever arguments follow; `out` (or -1) is its
 * standard output. */
static pid_t openssl(const char *folder, int out, const char *const *words) {
    pid_t pid = fork();

    if (pid == 0) {
        int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(nothing, STDIN_FILENO);
        dup2(out >= 0 ? out : nothing, STDOUT_FILENO);
        dup2(nothing, STDERR_FILENO);
        if (chdir(folder) == 0)
            execvp("openssl", (char *const *)(uintptr_t)words);
        _exit(127);
    }
    ck_assert_int_gt(pid, 0);
    return pid;
}

static void make_certificate(const char *folder) {
    const char *words[] = {"openssl",
                           "req",
                           "-x509",
                           "-newkey",
                           "ec",
                           "-pkeyopt",
                           "ec_paramgen_curve:P-256",
                           "-nodes",
                           "-days",
                           "2",
                           "-keyout",
                           "key.pem",
                           "-out",
                           "ca.pem",
                           "-subj",
                           "/CN=sluice.test",
                           "-addext",
                           "subjectAltName=DNS:sluice.test,IP:127.0.0.1",
                           NULL};
    int status;

    waitpid(openssl(folder, -1, words), &status, 0);
    ck_assert_int_eq(status, 0);
}

static void remove_file(const char *folder, const char *name) {
    char *path = xasprintf("%s/%s", folder, name);

    unlink(path);
    free(path);
}

static char *content(const char *folder, const char *name) {
    char *path = xasprintf("%s/%s", folder, name), text[8192];
    FILE *file = fopen(path, "re");
    size_t n;

    ck_assert_ptr_nonnull(file);
    n = fread(text, 1, sizeof(text), file);
    fclose(file);
    free(path);
    return xstrndup(text, n);
}

/* Starts openssl's server and reads the port that it chose. */
static void start(struct tls_server *s, const char *verify) {
    const char *words[] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-cert",
                           "ca.pem",  "-key",     "key.pem", "-CAfile",     "ca.pem",
                           "-www",    verify,     "1",       NULL};
    char line[256];
    unsigned port = 0;
    int out[2];
    FILE *from;

    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    s->pid = openssl(s->folder, out[1], words);
    close(out[1]);
    from = fdopen(out[0], "r");
    while (!port && fgets(line, sizeof(line), from)) {
        if (sscanf(line, "ACCEPT 127.0.0.1:%u", &port) == 1)
            break;
    }
    ck_assert_uint_ne(port, 0);
    s->url = xasprintf("https://127.0.0.1:%u/", port);
    fclose(from); /* the server goes on without its standard output: SIGPIPE is ignored in it too */
}

static struct tls_server tls_server_new(const char *verify) {
    struct tls_server s = {.folder = "/tmp/sluice-tls-XXXXXX"};

    net_setup();
    ck_assert_ptr_nonnull(mkdtemp(s.folder));
    make_certificate(s.folder);
    s.ca = content(s.folder, "ca.pem");
    s.key = content(s.folder, "key.pem");
    start(&s, verify);
    return s;
}

static void tls_server_done(struct tls_server *s) {
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    remove_file(s->folder, "ca.pem");
    remove_file(s->folder, "key.pem");
    rmdir(s->folder);
    free(s->ca);
    free(s->key);
    free(s->url);
}

static NetOutcome call(struct net_client *client, const char *url, const struct net_tls *tls) {
    const struct net_request in = {
        .method = "GET", .url = url, .timeout_ms = 5000, .max_bytes = 1 << 20, .tls = tls};
    struct net_response r;
    NetOutcome outcome;

    net_call(client, &in, &r);
    outcome = r.outcome;
    ck_assert_msg(outcome == NET_ANSWERED || r.error[0], "no word about what went wrong");
    net_response_done(&r);
    return outcome;
}

START_TEST(net_tls__trusts_only_the_given_authority) {
    struct tls_server s = tls_server_new("-verify"), other = tls_server_new("-verify");
    struct net_client *client = net_client_new("test");
    const struct net_tls good = {.ca_pem = s.ca}, wrong = {.ca_pem = other.ca},
                         careless = {.insecure = true}, garbage = {.ca_pem = "no certificate"};

    ck_assert_int_eq(call(client, s.url, NULL), NET_NOT_SENT);
    ck_assert_int_eq(call(client, s.url, &wrong), NET_NOT_SENT);
    ck_assert_int_eq(call(client, s.url, &garbage), NET_NOT_SENT);
    ck_assert_int_eq(call(client, s.url, &good), NET_ANSWERED);
    ck_assert_int_eq(call(client, s.url, &careless), NET_ANSWERED);
    ck_assert_int_eq(call(client, s.url, NULL), NET_NOT_SENT); /* what others open is not lent */
    net_client_free(client);
    tls_server_done(&s);
    tls_server_done(&other);
}
END_TEST

START_TEST(net_tls__checks_the_given_name) {
    struct tls_server s = tls_server_new("-verify");
    struct net_client *client = net_client_new("test");
    const struct net_tls named = {.ca_pem = s.ca, .server_name = "sluice.test"},
                         other = {.ca_pem = s.ca, .server_name = "other.test"};

    ck_assert_int_eq(call(client, s.url, &named), NET_ANSWERED);
    ck_assert_int_eq(call(client, s.url, &other), NET_NOT_SENT);
    net_client_free(client);
    tls_server_done(&s);
}
END_TEST

START_TEST(net_tls__shows_the_client_certificate) {
    struct tls_server s = tls_server_new("-Verify"); /* capital: one is required */
    struct net_client *client = net_client_new("test");
    const struct net_tls with = {.ca_pem = s.ca, .cert_pem = s.ca, .key_pem = s.key},
                         without = {.ca_pem = s.ca};

    ck_assert_int_eq(call(client, s.url, &with), NET_ANSWERED);
    ck_assert_int_ne(call(client, s.url, &without), NET_ANSWERED);
    net_client_free(client);
    tls_server_done(&s);
}
END_TEST

int main(void) {
    return RUN_SUITE("net_tls", 30, net_tls__trusts_only_the_given_authority,
                     net_tls__checks_the_given_name, net_tls__shows_the_client_certificate);
}
