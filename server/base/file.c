/* base/file.c: see file.h. */
#include "base/file.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/status.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *error_text(char text[128]) {
    return strerror_r(errno, text, 128);
}

static char *read_all(int fd, size_t max, size_t *ret_n) {
    char *text = xmalloc(max + 2);
    size_t n = 0;
    ssize_t got;

    while (n <= max) {
        got = read(fd, text + n, max + 1 - n);
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

char *file_text(const char *path, size_t max, char *reterr, size_t n) {
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
    text = read_all(fd, max, &length);
    if (!text)
        snprintf(reterr, n, "%s: %s", path, error_text(why));
    else if (length > max)
        snprintf(reterr, n, "%s: larger than %zu bytes", path, max);
    else if (strlen(text) != length)
        snprintf(reterr, n, "%s: holds a NUL character", path);
    else
        return text;
    free(text);
    return NULL;
}

static bool write_whole(int fd, const char *bytes) {
    size_t n = strlen(bytes);

    while (n) {
        ssize_t done = write(fd, bytes, n);

        if (done < 0 && errno != EINTR)
            return false;
        if (done > 0) {
            bytes += done;
            n -= (size_t)done;
        }
    }
    return fsync(fd) == 0;
}

bool file_put(int dir, const char *name, const char *text, mode_t mode) {
    _cleanup_free_ char *temporary = NULL;
    _cleanup_(fd_close) int fd = -1;
    unsigned char random[4];
    char hex[9];

    random_bytes(random, sizeof random);
    temporary = xasprintf(".%s.%s", name, hex_encode(random, sizeof random, hex));
    fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return false;
    if (write_whole(fd, text) && renameat(dir, temporary, dir, name) == 0)
        return fsync(dir) == 0;
    unlinkat(dir, temporary, 0);
    return false;
}
