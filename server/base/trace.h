/* base/trace.h: which trace a thread works for (W3C Trace Context): of a request, and of the
 * deployment that it began.  What the thread logs, records and calls says so. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { TRACE_ID_TEXT = 33, TRACE_KEPT_TEXT = 36, TRACE_PARENT_TEXT = 56 };

struct trace {
    char id[TRACE_ID_TEXT]; /* 32 digits of lower-case hex; "": none */
    bool sampled;           /* the caller may have recorded it: handed on as it came */
};

/* A traceparent; false: it is none, and *ret is not touched. */
bool trace_parse(const char *traceparent, struct trace *ret);
/* From a UUID (lower case): one that nobody has given. */
void trace_of_uuid(const char *uuid, struct trace *ret);
/* As it is kept with a deployment, "ID-FLAGS", and back; anything else: none. */
char *trace_kept(const struct trace *t, char text[TRACE_KEPT_TEXT]); /* NULL for none */
void trace_from_kept(const char *kept, struct trace *ret);

/* The calling thread's; never NULL.  trace_enter takes a copy; NULL: none any more. */
const struct trace *trace_current(void);
const char *trace_current_id(void); /* NULL: none */
void trace_enter(const struct trace *t);
/* "traceparent: …" for a call of the calling thread, with a span of its own; NULL: it works for
 * none. Returns text. */
enum { TRACE_HEADER_TEXT = TRACE_PARENT_TEXT + sizeof "traceparent: " };
char *trace_header(char text[TRACE_HEADER_TEXT]);
