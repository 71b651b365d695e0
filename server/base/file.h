/* base/file.h: small files that configuration names. */
#pragma once
#include <stddef.h>

/* The whole text of a regular file of at most `max` bytes, NUL-terminated; yours.  NULL with one
 * line in reterr that begins with the path: it cannot be read, is none, is larger, or holds a NUL
 * character. */
char *file_text(const char *path, size_t max, char *reterr, size_t n);
