/* base/file.h: small files that configuration names, and what is written beside them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>

static inline void fd_close_cleanup(int *fd) { /* _cleanup_(fd_close) int fd = open(…) */
    if (*fd >= 0)
        close(*fd);
}

/* The whole text of a regular file of at most `max` bytes, NUL-terminated; yours.  NULL with one
 * line in reterr that begins with the path: it cannot be read, is none, is larger, or holds a NUL
 * character. */
char *file_text(const char *path, size_t max, char *reterr, size_t n);
/* Writes the file of that name in an open directory, replacing one that is there: it is whole under
 * its name, or what was there stays; durable when it returns.  false with errno set. */
bool file_put(int dir, const char *name, const char *text, mode_t mode);
