/* main/main.c: sluiced, the server, and the few things that one asks of it on its machine. */
#include "base/status.h"
#include "main/commands.h"
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    command_fn *run;
} commands[] = {
    {"serve", command_serve},
    {"migrate", command_migrate},
    {"check", command_check},
    {"token", command_token},
    {"keys", command_keys},
    {"checkpoint-key", command_checkpoint_key},
    {"dump-settings", command_dump_settings},
    {"dump-routes", command_dump_routes},
    {"dump-steps", command_dump_steps},
    {"dump-states", command_dump_states},
    {"dump-metrics", command_dump_metrics},
};

static const char usage[] =
    "usage: sluiced [serve] [--migrate]   run the server; --migrate: bring the schema up first\n"
    "       sluiced migrate [--roles]     bring the database to this program's schema; --roles: "
    "set\n"
    "                                     up the roles sluice_owner, sluice_app, sluice_auditor\n"
    "       sluiced check                 print the effective settings; try database and clusters\n"
    "       sluiced token --sub SUBJECT --role ROLE… [--kind KIND] [--app APP…] [--ttl 1h]\n"
    "                                     print a bearer token of the built-in issuer\n"
    "       sluiced keys rewrap           put every stored secret under the first key of\n"
    "                                     SLUICE_KEY_ENCRYPTION_KEY\n"
    "       sluiced checkpoint-key [--new FILE]\n"
    "                                     print the public key of the checkpoints; --new: make a "
    "key first\n"
    "       sluiced dump-settings         docs/settings.md\n"
    "       sluiced dump-metrics          docs/observability/metrics.md\n"
    "       sluiced dump-routes | dump-steps | dump-states\n"
    "                                     the tables of this program, as JSON\n"
    "       sluiced --version | --help\n"
    "\n"
    "Settings come from the environment: docs/settings.md.\n";

PRINTF(1, 0)
static void complain(const char *format, va_list args) {
    fputs("sluiced: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int usage_error(const char *format, ...) {
    va_list args;

    va_start(args, format);
    complain(format, args);
    va_end(args);
    fputs(usage, stderr);
    return EXIT_USAGE;
}

int failure(const char *format, ...) {
    va_list args;

    va_start(args, format);
    complain(format, args);
    va_end(args);
    return EXIT_FAILED;
}

int no_words(int argc, char **argv) {
    return argc > 1 ? usage_error("%s takes no \"%s\"", argv[0], argv[1]) : EXIT_DONE;
}

static int run(int argc, char **argv) {
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(commands[i].name, argv[0]))
            return commands[i].run(argc, argv);
    return usage_error("unknown command \"%s\"", argv[0]);
}

int main(int argc, char **argv) {
    static char serve[] = "serve";
    const char *first = argc > 1 ? argv[1] : "";

    if (!strcmp(first, "--help") || !strcmp(first, "-h") || !strcmp(first, "help"))
        return fputs(usage, stdout) < 0;
    if (!strcmp(first, "--version"))
        return puts("sluiced " SLUICE_VERSION) < 0;
    if (argc > 1 && first[0] != '-')
        return run(argc - 1, argv + 1);
    argv[0] = serve;
    return run(argc > 0 ? argc : 1, argv);
}
