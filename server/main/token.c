/* main/token.c: `sluiced token`: a bearer token of the built-in issuer, for the first
 * administrator, CI and stacks. */
#include "auth/auth.h"
#include "base/cleanup.h"
#include "config/config.h"
#include "main/commands.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_MAX = 32 };

struct names {
    const char *list[NAMES_MAX + 1];
    size_t n;
};

static bool names_add(struct names *to, const char *name) {
    if (to->n == NAMES_MAX)
        return false;
    to->list[to->n++] = name;
    return true;
}

/* "90", "90s", "30m", "1h", "7d". */
static bool duration(const char *text, int64_t *ret_s) {
    static const struct {
        const char *unit;
        int64_t s;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    size_t n = strspn(text, "0123456789");

    if (n < 1 || n > 9)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!strcmp(text + n, units[i].unit)) {
            *ret_s = strtoll(text, NULL, 10) * units[i].s;
            return true;
        }
    }
    return false;
}

struct words {
    struct token_request in;
    struct names roles, apps;
};

static int words_read(int argc, char **argv, struct words *w) {
    static const struct option options[] = {
        {"sub", required_argument, NULL, 's'},  {"role", required_argument, NULL, 'r'},
        {"kind", required_argument, NULL, 'k'}, {"app", required_argument, NULL, 'a'},
        {"ttl", required_argument, NULL, 't'},  {0},
    };
    int option;

    opterr = 0;
    w->in.ttl_s = 3600;
    while ((option = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
        if (option == 's')
            w->in.subject = optarg;
        else if (option == 'k')
            w->in.kind = optarg;
        else if (option == 'r' && !names_add(&w->roles, optarg))
            return usage_error("token: more than %d roles", NAMES_MAX);
        else if (option == 'a' && !names_add(&w->apps, optarg))
            return usage_error("token: more than %d apps", NAMES_MAX);
        else if (option == 't' && !duration(optarg, &w->in.ttl_s))
            return usage_error("token: \"%s\" is no duration such as 90s, 30m, 1h or 7d", optarg);
        else if (option == ':')
            return usage_error("token: %s needs a value", argv[optind - 1]);
        else if (option == '?')
            return usage_error("token: unknown word \"%s\"", argv[optind - 1]);
    }
    if (optind < argc)
        return usage_error("token: unknown word \"%s\"", argv[optind]);
    w->in.roles = w->roles.list;
    w->in.apps = w->apps.n ? w->apps.list : NULL;
    return EXIT_DONE;
}

int command_token(int argc, char **argv) {
    _cleanup_(config_done) struct config config = {0};
    _cleanup_free_ char *token = NULL;
    struct words w = {0};
    const char *why;
    char line[400];

    if (words_read(argc, argv, &w) != EXIT_DONE)
        return EXIT_USAGE;
    if (!config_load_for(&config, CONFIG_NEEDS_JWT_SECRET, line, sizeof line))
        return failure("%s", line);
    token = auth_mint(config.jwt_secret, &w.in, &why);
    if (!token)
        return usage_error("token: %s", why);
    return puts(token) < 0;
}
