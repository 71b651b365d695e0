#include "cli/session.h"
#include "base/cleanup.h"
#include "base/strbuf.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INPUT_MOST = 16 << 20 };

ExitCode usage_error(const char *format, ...) {
    va_list args;

    fputs("sluice: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
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

static ExitCode session_token(struct session *s) {
    const char *token = getenv("SLUICE_TOKEN"), *file = getenv("SLUICE_TOKEN_FILE");
    _cleanup_free_ char *owned = NULL;

    if ((!token || !*token) && file && *file) {
        token = owned = read_token(file);
        if (!token)
            return EXIT_USAGE;
    }
    if (!token || !*token)
        return EXIT_DONE;
    for (const char *c = token; *c; c++) {
        if (*c <= ' ' || *c > '~')
            return usage_error("SLUICE_TOKEN holds a character that no token has");
    }
    s->authorization = xasprintf("Authorization: Bearer %s", token);
    return EXIT_DONE;
}

ExitCode session_open(struct session *s, const char *url, bool json) {
    const char *ca = getenv("SLUICE_CA_FILE");
    size_t n;

    *s = (struct session){.json = json};
    if (!url)
        url = getenv("SLUICE_URL");
    if (!url || !*url)
        url = "http://127.0.0.1:3000";
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return usage_error("SLUICE_URL '%s' begins with neither http:// nor https://", url);
    s->url = xstrdup(url);
    for (n = strlen(s->url); n && s->url[n - 1] == '/';)
        s->url[--n] = '\0';
    if (ca && *ca) {
        s->tls.ca_pem = s->ca_pem = read_input(ca);
        if (!s->ca_pem)
            return EXIT_USAGE;
    }
    s->client = net_client_new("sluice/" SLUICE_VERSION);
    return session_token(s);
}

void session_done(struct session *s) {
    net_client_free(s->client);
    free(s->url);
    if (s->authorization)
        explicit_bzero(s->authorization, strlen(s->authorization));
    free(s->authorization);
    free(s->ca_pem);
    *s = (struct session){0};
}

void print_json(const json_t *v) {
    json_dumpf(v, stdout, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
    fputc('\n', stdout);
}

void print_json_line(const json_t *v) {
    json_dumpf(v, stdout, JSON_COMPACT);
    fputc('\n', stdout);
    fflush(stdout);
}
