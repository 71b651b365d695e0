/* base/crash.h: named points at which a test build ends itself, as kill -9 would.  The table is the
 * registry: tests/e2e/test_crash.py dies at each point of each step, and fails when no run passed
 * one.
 *
 * SLUICE_CRASH_POINT says where: "after-send:3" ends the process at its third pass of that point,
 * "after-send:switch-traffic:1" at its first there, "after-send:apply/seize-target:1" of that
 * write; "stop:after-send:3" stops it (SIGSTOP), as a machine that stalls would.  "@FILE" reads
 * such words, without a number, from FILE at each pass: the first of several servers to get there
 * removes the file and dies.  SLUICE_CRASH_LOG is a file that gets a line for each point when a
 * server first passes it. Builds without SLUICE_TEST_POINTS (release) carry none of this. */
#pragma once
#include <stdbool.h>

/* of: a commit while that step runs, the end of a step, one write, or a request by itself. */
#define CRASH_POINTS(POINT)                                                                        \
    POINT(BEFORE_COMMIT, "before-commit")                                                          \
    POINT(AFTER_COMMIT, "after-commit")                                                            \
    POINT(BEFORE_STEP_END, "before-step-end")                                                      \
    POINT(AFTER_STEP_END, "after-step-end")                                                        \
    POINT(BEFORE_INTENT, "before-intent")                                                          \
    POINT(AFTER_INTENT, "after-intent")                                                            \
    POINT(BEFORE_READ, "before-read")                                                              \
    POINT(AFTER_READ, "after-read")                                                                \
    POINT(BEFORE_SEND, "before-send")                                                              \
    POINT(AFTER_SEND, "after-send")     /* all of it is out, nothing came back */                  \
    POINT(AFTER_EFFECT, "after-effect") /* the answer has begun, none of it was looked at */       \
    POINT(AFTER_REPLY, "after-reply")   /* the call is over, whatever came of it */                \
    POINT(BEFORE_RESULT, "before-result")                                                          \
    POINT(AFTER_RESULT, "after-result")                                                            \
    POINT(BEFORE_CREATE, "before-create")                                                          \
    POINT(AFTER_CREATE, "after-create")                                                            \
    POINT(BEFORE_START, "before-start") /* of a deployment whose gates opened */                   \
    POINT(AFTER_START, "after-start")                                                              \
    POINT(BEFORE_ABORT, "before-abort")                                                            \
    POINT(AFTER_ABORT, "after-abort")                                                              \
    POINT(BEFORE_ROLLBACK, "before-rollback")                                                      \
    POINT(AFTER_ROLLBACK, "after-rollback")

#define CRASH_POINT_SYMBOL(symbol, name) CRASH_##symbol,
typedef enum CrashPoint { CRASH_POINTS(CRASH_POINT_SYMBOL) CRASH_POINT_COUNT } CrashPoint;

#ifdef SLUICE_TEST_POINTS
void crash_point(CrashPoint p);
/* Where this thread is from now on; borrowed; purpose NULL: no single write; step NULL: nowhere. */
void crash_place(const char *step, const char *purpose);
bool crash_placed(void);
#else
static inline void crash_point(CrashPoint p) {
    (void)p;
}
static inline void crash_place(const char *step, const char *purpose) {
    (void)step, (void)purpose;
}
#endif
