/* kube/file.c: the small files that a cluster's configuration consists of. */
#include "base/cleanup.h"
#include "kube/config.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline void fd_close_cleanup(int *fd) {
    if (*fd >= 0)
        close(*fd);
}

static const char *error_text(char text[128]) {
    return strerror_r(errno, text, 128);
}

static char *read_all(int fd, size_t *ret_n) {
    char *text = xmalloc(KUBE_FILE_BYTES + 2);
    size_t n = 0;
    ssize_t got;

    while (n <= KUBE_FILE_BYTES) {
        got = read(fd, text + n, KUBE_FILE_BYTES + 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(text);
            return NULL;
        }
        if (got == 0)
            break;
        n += (size_t)got;
    }
    text[n] = '\0';
    *ret_n = n;
    return xrealloc(text, n + 1);
}

char *kube_file_read(const char *path, char *reterr, size_t n) {
    _cleanup_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char why[128], *text;
    struct stat st;
    size_t length = 0;

    if (fd < 0) {
        snprintf(reterr, n, "%s: %s", path, error_text(why));
        return NULL;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        snprintf(reterr, n, "%s: not a regular file", path);
        return NULL;
    }
    text = read_all(fd, &length);
    if (!text)
        snprintf(reterr, n, "%s: %s", path, error_text(why));
    else if (length > KUBE_FILE_BYTES)
        snprintf(reterr, n, "%s: larger than %d bytes", path, KUBE_FILE_BYTES);
    else if (strlen(text) != length)
        snprintf(reterr, n, "%s: holds a NUL character", path);
    else
        return text;
    free(text);
    return NULL;
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
