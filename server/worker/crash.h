/* worker/crash.h: named points at which a test build kills itself, as kill -9 would.
 *
 * SLUICE_CRASH_POINT="before-write:3" ends the process at the third pass of that point;
 * "stop:before-write:3" stops it there (SIGSTOP), as a machine that stalls would.  Builds without
 * SLUICE_TEST_POINTS (release) carry none. */
#pragma once

#ifdef SLUICE_TEST_POINTS
void crash_point(const char *name);
#else
static inline void crash_point(const char *name) {
    (void)name;
}
#endif
