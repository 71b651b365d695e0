/* kubesim: a Kubernetes cluster in one process, for demos, fault injection and fast tests. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/log.h"
#include "kubesim/certs.h"
#include "kubesim/control.h"
#include "kubesim/front.h"
#include "kubesim/rest.h"
#include <errno.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_BODY = 3145728 }; /* as the API server's limit */

struct options {
    const char *dir;
    int api_port, control_port;
    size_t history;
    bool inopnc;
};

static const char usage[] =
    "usage: kubesim --dir DIR [--api-port N (or --port)] [--control-port N] [--seed-inopnc] "
    "[--history N]\n"
    "Runs a simulated Kubernetes cluster until SIGTERM or SIGINT.  Writes DIR/kubeconfig and\n"
    "DIR/kubesim.env, then prints 'ready'.  --history: events kept per kind for watches (1000).\n";

static int number(const char *text, int least, int most) {
    char *end;
    long n = strtol(text, &end, 10);

    if (!*text || *end || n < least || n > most) {
        fprintf(stderr, "kubesim: '%s' is not a number from %d to %d\n%s", text, least, most,
                usage);
        exit(2);
    }
    return (int)n;
}

static struct options options_parse(int argc, char **argv) {
    static const struct option table[] = {
        {"dir", required_argument, NULL, 'd'},   {"api-port", required_argument, NULL, 'a'},
        {"port", required_argument, NULL, 'a'},  {"control-port", required_argument, NULL, 'c'},
        {"seed-inopnc", no_argument, NULL, 's'}, {"history", required_argument, NULL, 'h'},
        {"help", no_argument, NULL, '?'},        {0}};
    struct options o = {.history = 1000};
    int c;

    while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (c == 'd')
            o.dir = optarg;
        else if (c == 'a')
            o.api_port = number(optarg, 0, 65535);
        else if (c == 'c')
            o.control_port = number(optarg, 0, 65535);
        else if (c == 's')
            o.inopnc = true;
        else if (c == 'h')
            o.history = (size_t)number(optarg, 1, 10000000);
        else {
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (!o.dir || optind < argc) {
        fputs(usage, stderr);
        exit(2);
    }
    return o;
}

/* The token in the folder, or a new one. */
static char *token_load(const char *dir) {
    char *token = folder_read(dir, "token");
    unsigned char random[24];
    char hex[49];

    if (token && *token)
        return token;
    free(token);
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, hex);
    folder_write(dir, "token", hex, true);
    return xstrdup(hex);
}

static char *base64(const char *text) {
    size_t n = strlen(text);
    unsigned char *out = xmalloc(4 * (n / 3 + 1) + 1);

    EVP_EncodeBlock(out, (const unsigned char *)text, (int)n);
    return (char *)out;
}

static void write_files(const struct options *o, const struct certs *certs, const char *token,
                        int api_port, int control_port) {
    _cleanup_free_ char *ca = base64(certs->ca_pem), *real = realpath(o->dir, NULL);
    _cleanup_free_ char *kubeconfig = xasprintf(
        "apiVersion: v1\nkind: Config\ncurrent-context: kubesim\nclusters:\n- name: kubesim\n"
        "  cluster:\n    server: https://127.0.0.1:%d\n    certificate-authority-data: %s\n"
        "users:\n- name: kubesim\n  user:\n    token: %s\ncontexts:\n- name: kubesim\n"
        "  context:\n    cluster: kubesim\n    user: kubesim\n    namespace: production\n",
        api_port, ca, token);
    _cleanup_free_ char *env =
        xasprintf("KUBESIM_URL='http://127.0.0.1:%d'\nKUBECONFIG='%s/kubeconfig'\n", control_port,
                  real ? real : o->dir);

    folder_write(o->dir, "kubeconfig", kubeconfig, true);
    folder_write(o->dir, "kubesim.env", env, false);
}

static void on_signal(void *ctx) {
    simloop_stop(ctx);
}

static int signals_open(struct simloop *l) {
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd < 0)
        die("signalfd: %s", strerror(errno));
    simloop_watch(l, fd, EPOLLIN, on_signal, l);
    return fd;
}

static void raise_file_limit(void) {
    struct rlimit limit;

    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static struct front *open_front(struct simloop *l, const struct front_options *options) {
    struct front *f = front_new(l, options);

    if (!f)
        die("kubesim: cannot listen on 127.0.0.1:%d: %s", options->port, strerror(errno));
    return f;
}

int main(int argc, char **argv) {
    struct options o = options_parse(argc, argv);
    struct simloop *l = simloop_new();
    int signal_fd = signals_open(l); /* before any thread, which would not block them */
    _cleanup_free_ char *token = NULL;
    _cleanup_(certs_done) struct certs certs = {0};
    struct front *api, *control;
    struct sim *sim;

    log_setup(LOG_INFO, LOG_KEY_VALUE);
    raise_file_limit();
    if (mkdir(o.dir, 0755) && errno != EEXIST)
        die("kubesim: cannot make %s: %s", o.dir, strerror(errno));
    certs = certs_load(o.dir);
    token = token_load(o.dir);
    sim = sim_new(l, o.history, token);
    api = open_front(l, &(struct front_options){.port = o.api_port,
                                                .cert_pem = certs.cert_pem,
                                                .key_pem = certs.key_pem,
                                                .max_body = MAX_BODY,
                                                .fn = rest_call,
                                                .ctx = sim});
    control = open_front(
        l, &(struct front_options){
               .port = o.control_port, .max_body = MAX_BODY, .fn = control_call, .ctx = sim});
    sim_seed(sim, o.inopnc);
    write_files(&o, &certs, token, front_port(api), front_port(control));
    puts("ready");
    fflush(stdout);
    simloop_run(l);
    front_free(api);
    front_free(control);
    sim_free(sim);
    simloop_unwatch(l, signal_fd);
    close(signal_fd);
    simloop_free(l);
    return 0;
}
