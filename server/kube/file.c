/* kube/file.c: the small files that a cluster's configuration consists of. */
#include "base/file.h"
#include "base/cleanup.h"
#include "kube/config.h"
#include <stdio.h>
#include <string.h>

char *kube_file_read(const char *path, char *reterr, size_t n) {
    return file_text(path, KUBE_FILE_BYTES, reterr, n);
}

const char *kube_token_bad(const char *token) {
    if (!*token)
        return "it is empty";
    for (const char *c = token; *c; c++)
        if (*c <= ' ' || *c > '~')
            return "it holds a character that no token has";
    return NULL;
}

char *kube_token_read(const char *path, char *reterr, size_t n) {
    _cleanup_free_ char *text = kube_file_read(path, reterr, n);
    const char *start, *bad;
    char *token;
    size_t length;

    if (!text)
        return NULL;
    start = text + strspn(text, " \t\r\n");
    length = strlen(start);
    while (length && strchr(" \t\r\n", start[length - 1]))
        length--;
    token = xstrndup(start, length);
    explicit_bzero(text, strlen(text));
    bad = kube_token_bad(token);
    if (!bad)
        return token;
    snprintf(reterr, n, "%s: not a token: %s", path, bad);
    free(token);
    return NULL;
}
