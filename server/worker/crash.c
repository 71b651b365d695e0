#include "worker/crash.h"
#ifdef SLUICE_TEST_POINTS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define STOP "stop:"

void crash_point(const char *name) {
    static atomic_long passed;
    const char *wanted = getenv("SLUICE_CRASH_POINT"), *colon;
    size_t n = strlen(name);
    int how = SIGKILL;

    if (wanted && strncmp(wanted, STOP, strlen(STOP)) == 0) {
        wanted += strlen(STOP);
        how = SIGSTOP;
    }
    colon = wanted ? strchr(wanted, ':') : NULL;
    if (!colon || (size_t)(colon - wanted) != n || strncmp(wanted, name, n) != 0)
        return;
    if (atomic_fetch_add(&passed, 1) + 1 == strtol(colon + 1, NULL, 10))
        raise(how); /* to this thread: it goes no further */
}
#else
typedef int crash_points_are_not_built_in;
#endif
