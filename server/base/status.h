/* base/status.h: how a function says what became of it.
 *
 * Status is 0 when done.  Positive: a refusal from errors.def, with one meaning everywhere; it may
 * travel to the edge, which answers it, and is never logged as an error.  Negative: a fault (ours
 * or a dependency's), forwarded unchanged and logged once, at the edge, with the request's id. */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef enum Status {
    STATUS_OK = 0,
#define ERR(symbol, code, http, title) E_##symbol,
#include "base/errors.def"
#undef ERR
    STATUS_REFUSALS_END,

    FAULT_BUG = -1,      /* something that this code said cannot happen */
    FAULT_DATABASE = -2, /* PostgreSQL refused a statement that should have worked */
    FAULT_DB_DOWN = -3,  /* PostgreSQL is away or did not answer in time: 503 with Retry-After */
    FAULT_IO = -4,       /* a file or socket failed */
} Status;

#define MUSTCHECK    __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))

struct status_row {
    Status status;
    const char *code;  /* on the wire: "not-found" */
    unsigned http;     /* HTTP status */
    const char *title; /* one short sentence */
};

/* The row of a refusal; of FAULT_DB_DOWN the row of E_DATABASE_UNAVAILABLE; of any other fault
 * {"internal", 500}. */
const struct status_row *status_row(Status s);
/* Rows by position, for dumps and tests: NULL after the last. */
const struct status_row *status_row_at(unsigned i);
/* Turns a refusal that the caller says cannot come here into FAULT_BUG; leaves the rest. */
Status fault_fold(Status s);
/* Ends the process with one line on stderr (allocation failure, a broken invariant at start):
 * crash-only. */
_Noreturn void die(const char *format, ...) PRINTF(1, 2);
/* Allocation that cannot fail: it ends the process instead. */
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s); /* NULL gives NULL */
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *format, ...) PRINTF(1, 2);
