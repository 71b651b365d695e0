/* report/readers.h: one reader per kind, and what they share (internal to report/). */
#pragma once
#include "report/report.h"
#include <stdarg.h>

typedef Status report_reader(const char *text, size_t n, struct report *ret,
                             struct report_fault *reterr);
report_reader junit_read, sarif_read, bundle_read;

/* Sets *reterr, if it is not set yet; returns E_INVALID_BODY. */
Status report_wrong(struct report_fault *reterr, const char *field, const char *format, ...)
    PRINTF(3, 4);
/* Appends a name to ret->first, ", …" where it is full; one line, whole characters. */
void report_name(struct report *ret, const char *name);
