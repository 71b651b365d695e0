/* bench/load/main.c: the command line of sluice-load. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/status.h"
#include "bench/load/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sluice-load URL [--rate N] [--seconds N | --until-stdin-closes] [--keep-alive N]\n"
    "                   [--timeout-ms N] [--live-ms N]\n"
    "Sends N requests per second (200) to an http URL, each when it is due, answered or not.\n"
    "Prints one line of JSON at the end, and with --live-ms one every so often.  Ends after\n"
    "--seconds, when its standard input closes, or at SIGINT and SIGTERM.  --keep-alive: keep up\n"
    "to N connections for reuse instead of a new one per request.  Exits 0, or 1 when any request\n"
    "failed (no answer; a 500 is an answer), 2 for bad usage.\n";

struct command {
    struct load_settings load;
    bool until_stdin_closes;
    int live_ms;
    char *host, *path; /* owned */
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

_Noreturn static void bad_usage(const char *what) {
    fprintf(stderr, "sluice-load: %s\n%s", what, usage);
    exit(2);
}

static double number(const char *text, double least, double most) {
    char *end;
    double n = strtod(text, &end);

    if (end == text || *end != 0 || !(n >= least && n <= most))
        bad_usage("a number is out of range");
    return n;
}

/* http://HOST[:PORT][/PATH] */
static void parse_url(const char *url, struct command *command) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    _cleanup_free_ char *name = NULL;
    const char *slash, *colon;

    if (strncmp(url, "http://", 7) != 0)
        bad_usage("the URL does not begin with http://");
    url += 7;
    slash = url + strcspn(url, "/");
    command->host = xstrndup(url, (size_t)(slash - url));
    command->path = xstrdup(*slash != 0 ? slash : "/");
    colon = strchr(command->host, ':');
    name = xstrndup(command->host, strcspn(command->host, ":"));
    if (getaddrinfo(name, colon != NULL ? colon + 1 : "80", &hints, &found) != 0)
        bad_usage("the URL's host is unknown");
    memcpy(&command->load.address, found->ai_addr, sizeof command->load.address);
    freeaddrinfo(found);
    command->load.host = command->host;
    command->load.path = command->path;
}

static struct command parse(int argc, char **argv) {
    static const struct option options[] = {{"rate", required_argument, NULL, 'r'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"keep-alive", required_argument, NULL, 'k'},
                                            {"timeout-ms", required_argument, NULL, 't'},
                                            {"live-ms", required_argument, NULL, 'l'},
                                            {"until-stdin-closes", no_argument, NULL, 'u'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct command command = {.load = {.rate = 200, .timeout_ms = 5000}};

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'r':
            command.load.rate = number(optarg, 0.01, 1e6);
            break;
        case 's':
            command.load.seconds = (int64_t)number(optarg, 1, 1e9);
            break;
        case 'k':
            command.load.keep_alive = (int)number(optarg, 0, 1e5);
            break;
        case 't':
            command.load.timeout_ms = (int)number(optarg, 1, 1e8);
            break;
        case 'l':
            command.live_ms = (int)number(optarg, 10, 1e8);
            break;
        case 'u':
            command.until_stdin_closes = true;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            bad_usage("unknown option");
        }
    }
    if (optind != argc - 1)
        bad_usage("one URL is needed");
    parse_url(argv[optind], &command);
    return command;
}

static bool stdin_closed(void) {
    char sink[256];
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&in, 1, 0) > 0 && read(STDIN_FILENO, sink, sizeof sink) <= 0;
}

static int64_t print_report(struct load *load, bool latencies) {
    json_auto_t *report = load_report(load, latencies);

    json_dumpf(report, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    puts("");
    fflush(stdout);
    return json_int(report, "failed", 0);
}

int main(int argc, char **argv) {
    struct command command = parse(argc, argv);
    struct sigaction action = {.sa_handler = interrupt};
    struct load *load;
    int64_t live_us, failed;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    load = load_start(&command.load);
    live_us = clock_monotonic_us() + command.live_ms * US_PER_MS;
    while (!load_finished(load)) {
        /* 10 ms: nothing here is urgent, and the load has a thread of its own */
        poll(NULL, 0, 10);
        if (interrupted != 0 || (command.until_stdin_closes && stdin_closed()))
            load_stop(load);
        if (command.live_ms > 0 && clock_monotonic_us() >= live_us) {
            live_us += command.live_ms * US_PER_MS;
            print_report(load, false);
        }
    }
    failed = print_report(load, true);
    load_free(load);
    free(command.host);
    free(command.path);
    return failed > 0 ? 1 : 0;
}
