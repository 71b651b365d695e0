/* worker/crash.h: the crash points around a commit of the runner (base/crash.h): of the commit, of
 * each step that ends with it, of the write whose result it stores, of the one whose intent it
 * stores. */
#pragma once
#include "base/crash.h"
#include "worker/job.h"

#ifdef SLUICE_TEST_POINTS
void crash_commit(const struct job *j, bool after);
#else
static inline void crash_commit(const struct job *j, bool after) {
    (void)j, (void)after;
}
#endif
