#include "worker/crash.h"
#ifdef SLUICE_TEST_POINTS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void crash_point(const char *name) {
    static atomic_long passed;
    const char *wanted = getenv("SLUICE_CRASH_POINT");
    const char *colon = wanted ? strchr(wanted, ':') : NULL;
    size_t n = strlen(name);

    if (!colon || (size_t)(colon - wanted) != n || strncmp(wanted, name, n) != 0)
        return;
    if (atomic_fetch_add(&passed, 1) + 1 == strtol(colon + 1, NULL, 10))
        kill(getpid(), SIGKILL);
}
#else
typedef int crash_points_are_not_built_in;
#endif
