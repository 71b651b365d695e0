/* The door for bearer tokens as a filter, for tests/api/test_token_differential.py, with the
 * issuers file that it may be given: reads the built-in issuer's secret, then tokens, each a line
 * of base64 on standard input; answers each with a line: "accept SUBJECT" or "refuse SENTENCE". */
#include "auth/auth.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include <stdio.h>
#include <string.h>

/* The next line's bytes as text; yours; NULL at the end. */
static char *next(char **line, size_t *room) {
    ssize_t n = getline(line, room, stdin);
    unsigned char *bytes;
    size_t length;

    if (n < 1)
        return NULL;
    (*line)[n - 1] = '\0';
    bytes = base64_decode(*line, &length);
    if (!bytes)
        die("not base64: %s", *line);
    return (char *)bytes;
}

int main(int argc, char **argv) {
    _cleanup_free_ char *line = NULL, *secret = NULL;
    char why_not[256] = "no secret", *token;
    size_t room = 0;
    struct auth *auth;

    (void)argc;
    secret = next(&line, &room);
    auth = auth_new(&(struct auth_settings){.jwt_secret = secret, .issuers_file = argv[1]}, why_not,
                    sizeof why_not);
    if (!auth)
        die("%s", why_not);
    while ((token = next(&line, &room))) {
        _cleanup_(arena_done) struct arena arena = {0};
        _cleanup_free_ char *header = xasprintf("Bearer %s", token);
        const struct principal *principal;
        const char *why;
        Status s = auth_bearer(auth, header, &arena, &principal, &why);

        printf("%s %s\n", s == STATUS_OK ? "accept" : "refuse",
               s == STATUS_OK ? principal->subject : why);
        free(token);
    }
    auth_free(auth);
    return 0;
}
