#include "base/status.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct status_row rows[] = {
#define ERR(symbol, code, http, title) {E_##symbol, code, http, title},
#include "base/errors.def"
#undef ERR
};
static const struct status_row internal = {FAULT_BUG, "internal", 500, "Something went wrong here"};

const struct status_row *status_row(Status s) {
    if (s == FAULT_DB_DOWN)
        s = E_DATABASE_UNAVAILABLE;
    if (s <= STATUS_OK || s >= STATUS_REFUSALS_END)
        return &internal;
    return &rows[s - 1];
}

const struct status_row *status_row_at(unsigned i) {
    return i < sizeof rows / sizeof *rows ? &rows[i] : NULL;
}

Status fault_fold(Status s) {
    return s > STATUS_OK ? FAULT_BUG : s;
}

void die(const char *format, ...) {
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static void *checked(void *p) {
    if (!p)
        die("out of memory");
    return p;
}

void *xmalloc(size_t n) {
    return checked(malloc(n ? n : 1));
}

void *xcalloc(size_t n, size_t size) {
    return checked(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t n) {
    return checked(realloc(p, n ? n : 1));
}

char *xstrdup(const char *s) {
    return s ? checked(strdup(s)) : NULL;
}

char *xstrndup(const char *s, size_t n) {
    return checked(strndup(s, n));
}

char *xasprintf(const char *format, ...) {
    va_list args;
    char *s = NULL;

    va_start(args, format);
    if (vasprintf(&s, format, args) < 0)
        die("out of memory");
    va_end(args);
    return s;
}
