#include "cli/session.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "cli/credentials.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INPUT_MOST = 16 << 20 };

static bool usage_json; /* once: one document is all that standard output may hold */

void usage_errors_json(void) {
    usage_json = true;
}

ExitCode usage_error(const char *format, ...) {
    _cleanup_free_ char *text = NULL;
    json_auto_t *document = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    fprintf(stderr, "sluice: %s\n", text ? text : "the command line is wrong");
    if (!usage_json)
        return EXIT_USAGE;
    usage_json = false;
    document = json_pack("{ss}", "code", "usage");
    json_set_str(document, "detail", text);
    print_json(document);
    return EXIT_USAGE;
}

char *read_bytes(const char *path, size_t *ret_n) {
    bool standard = strcmp(path, "-") == 0;
    FILE *from = standard ? stdin : fopen(path, "re");
    struct strbuf b = STRBUF(INPUT_MOST);
    char chunk[65536];
    bool failed;
    size_t n;

    if (!from) {
        usage_error("%s: %s", path, strerror(errno));
        return NULL;
    }
    while ((n = fread(chunk, 1, sizeof(chunk), from)) > 0)
        strbuf_add(&b, chunk, n);
    failed = ferror(from);
    if (failed)
        usage_error("%s: %s", path, strerror(errno));
    else if (b.overflowed)
        usage_error("%s is larger than %d bytes", path, INPUT_MOST);
    if (!standard)
        fclose(from);
    if (failed || b.overflowed) {
        strbuf_done(&b);
        return NULL;
    }
    *ret_n = b.len;
    return strbuf_take(&b);
}

char *read_input(const char *path) {
    return read_bytes(path, &(size_t){0});
}

static char *read_token(const char *path) {
    char *token = read_input(path);

    if (token)
        token[strcspn(token, " \t\r\n")] = '\0';
    return token;
}

ExitCode session_begin(struct session *s, const char *url, const char *token) {
    const char *ca = getenv("SLUICE_CA_FILE");
    size_t n;

    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return usage_error("the server's URL '%s' begins with neither http:// nor https://", url);
    if (token && !key_valid(token))
        return usage_error("%s holds a character that no token has",
                           s->token_from ? s->token_from : "what was given");
    s->url = xstrdup(url);
    for (n = strlen(s->url); n && s->url[n - 1] == '/';)
        s->url[--n] = '\0';
    if (ca && *ca) {
        s->tls.ca_pem = s->ca_pem = read_input(ca);
        if (!s->ca_pem)
            return EXIT_USAGE;
    }
    s->client = net_client_new("sluice/" SLUICE_VERSION);
    session_token(s, token);
    return EXIT_DONE;
}

void session_token(struct session *s, const char *token) {
    free(s->authorization);
    s->authorization = token ? xasprintf("Authorization: Bearer %s", token) : NULL;
}

/* What the environment says, the file's content in *ret_owned. */
static ExitCode token_of_environment(struct session *s, const char **ret, char **ret_owned) {
    const char *file = getenv("SLUICE_TOKEN_FILE");

    *ret = getenv("SLUICE_TOKEN");
    if (*ret && **ret) {
        s->token_from = xstrdup("SLUICE_TOKEN");
        return EXIT_DONE;
    }
    *ret = NULL;
    if (!file || !*file)
        return EXIT_DONE;
    s->token_from = xstrdup(file);
    *ret = *ret_owned = read_token(file);
    if (*ret && !**ret)
        return usage_error("%s, which SLUICE_TOKEN_FILE names, holds no token", file);
    return *ret ? EXIT_DONE : EXIT_USAGE;
}

ExitCode session_open(struct session *s, const char *url) {
    _cleanup_(credentials_done) struct credentials stored = {0};
    _cleanup_free_ char *owned = NULL;
    char why[CREDENTIALS_ERROR];
    const char *token;
    ExitCode code = token_of_environment(s, &token, &owned);

    if (code != EXIT_DONE)
        return code;
    if (!url)
        url = getenv("SLUICE_URL");
    if (url && !*url)
        url = NULL;
    if ((!url || !token) && !credentials_load(&stored, why))
        return usage_error("%s", why);
    code = session_begin(s, url ? url : stored.url ? stored.url : DEFAULT_URL, token);
    if (code == EXIT_DONE && !token && stored.key && strcmp(s->url, stored.url) == 0) {
        /* a key goes to the server that it was given for, and to no other */
        session_token(s, stored.key);
        s->token_from = credentials_path();
    }
    return code;
}

void session_done(struct session *s) {
    net_client_free(s->client);
    free(s->url);
    if (s->authorization)
        explicit_bzero(s->authorization, strlen(s->authorization));
    free(s->authorization);
    free(s->ca_pem);
    free(s->token_from);
    *s = (struct session){0};
}

void print_json(const json_t *v) {
    json_dumpf(v, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
    fputc('\n', stdout);
}

void print_text(const struct session *s, const char *key, const char *text) {
    json_auto_t *document = s->json ? json_pack("{ss}", key, text) : NULL;

    if (document)
        print_json(document);
    else
        fputs(text, stdout);
}

void print_json_line(const json_t *v) {
    json_dumpf(v, stdout, JSON_COMPACT);
    fputc('\n', stdout);
    fflush(stdout);
}
