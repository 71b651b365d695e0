/* cli/exit.h: what the program exits with. */
#pragma once

/* Scripts rely on these. */
typedef enum ExitCode {
    EXIT_DONE = 0,        /* done; the deployment succeeded */
    EXIT_UNDONE = 1,      /* the deployment failed, was aborted or is stuck; the chain is broken */
    EXIT_USAGE = 2,       /* the command line or a file it names is wrong */
    EXIT_REFUSED = 3,     /* the server refused (4xx) */
    EXIT_UNREACHABLE = 4, /* no answer, or the server failed (5xx) */
    EXIT_TIMED_OUT = 5,   /* the time to wait was over; the work goes on */
    EXIT_INTERRUPTED = 130,
} ExitCode;
