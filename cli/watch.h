/* cli/watch.h: stays with a deployment until it is over, drawing it on a terminal, as lines in a
 * pipe. */
#pragma once
#include "cli/session.h"

typedef enum WatchOutput {
    WATCH_PEOPLE,  /* the drawing, or plain lines */
    WATCH_RECORDS, /* one JSON line per record */
    WATCH_LAST,    /* nothing until it is over, then the deployment as one JSON document */
} WatchOutput;

enum { WATCH_MOST = 64 };

/* timeout_s 0: without end.  EXIT_DONE when it succeeded, EXIT_UNDONE when it ended otherwise or is
 * stuck, EXIT_TIMED_OUT, EXIT_INTERRUPTED (the deployment goes on), EXIT_UNREACHABLE after two
 * minutes without an answer, EXIT_REFUSED. */
ExitCode watch_deployment(struct session *s, const char *id, int64_t timeout_s, WatchOutput output);
/* The same of 1 to WATCH_MOST, until all are over: EXIT_DONE when all succeeded. */
ExitCode watch_deployments(struct session *s, const char *const *ids, size_t n, int64_t timeout_s,
                           WatchOutput output);
