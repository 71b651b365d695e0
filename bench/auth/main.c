/* bench/auth/main.c: sluice-auth ISSUERS_FILE: how many bearer tokens a core verifies in a second.
 *
 * Reads tokens, one a line, from standard input (bench/auth.py makes them) and presents each once
 * (cold), then the first ones over and over (cached, as a client's are).  Prints one line of JSON.
 * Counts the thread's own time, so that neighbours do not. */
#include "auth/auth.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include <stdio.h>
#include <string.h>

#define SECRET                                                                                     \
    "0123456789abcdef0123456789abcdef" /* of the built-in issuer, which is not measured */
enum { TOKENS_MAX = 16000, HOT = 64, CACHED_CALLS = 2000000, LINE = 512 };

struct tokens {
    char *headers[TOKENS_MAX];
    size_t n;
};

static void tokens_read(struct tokens *t) {
    _cleanup_free_ char *line = NULL;
    size_t size = 0;
    ssize_t n;

    while (t->n < TOKENS_MAX && (n = getline(&line, &size, stdin)) > 0)
        t->headers[t->n++] = xasprintf("Bearer %.*s", (int)strcspn(line, "\n"), line);
}

/* Presentations a second of the first `among` tokens in turn. */
static double rate(struct auth *a, const struct tokens *t, size_t among, size_t calls) {
    double begun = (double)clock_thread_us() / US_PER_S;

    for (size_t i = 0; i < calls; i++) {
        _cleanup_(arena_done) struct arena arena = {0};
        const struct principal *p;
        const char *why;

        if (auth_bearer(a, t->headers[i % among], &arena, &p, &why) != STATUS_OK)
            die("token %zu: %s", i % among + 1, why);
    }
    return (double)calls / ((double)clock_thread_us() / US_PER_S - begun);
}

int main(int argc, char **argv) {
    static struct tokens tokens;
    char line[LINE] = "";
    struct auth *a;
    double cold, cached;

    if (argc != 2)
        die("usage: sluice-auth ISSUERS_FILE < TOKENS");
    a = auth_new(&(struct auth_settings){.jwt_secret = SECRET, .issuers_file = argv[1]}, line,
                 sizeof line);
    if (!a)
        die("%s", line);
    tokens_read(&tokens);
    if (tokens.n < HOT)
        die("fewer than %d tokens", HOT);
    cold = rate(a, &tokens, tokens.n, tokens.n);
    cached = rate(a, &tokens, HOT, CACHED_CALLS);
    printf("{\"tokens\":%zu,\"cold\":%.0f,\"cached\":%.0f}\n", tokens.n, cold, cached);
    auth_free(a);
    for (size_t i = 0; i < tokens.n; i++)
        free(tokens.headers[i]);
    return 0;
}
