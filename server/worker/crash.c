#include "worker/crash.h"
#ifdef SLUICE_TEST_POINTS
#include <string.h>

static void at(CrashPoint p, const char *step, const char *purpose) {
    crash_place(step, purpose);
    crash_point(p);
    crash_place(NULL, NULL);
}

static void at_write(CrashPoint p, const struct job *j, const char *op) {
    for (size_t i = 0; i < j->journal.count; i++)
        if (strcmp(j->journal.intents[i].op, op) == 0)
            at(p, j->journal.intents[i].step, j->journal.intents[i].purpose);
}

void crash_commit(const struct job *j, bool after) {
    static const char *const over[] = {"done", "skipped", "failed"};
    json_t *row;
    size_t i;

    at(after ? CRASH_AFTER_COMMIT : CRASH_BEFORE_COMMIT, job_row(j)->name, NULL);
    json_array_foreach(json_object_get(j->changes, "steps"), i,
                       row) for (size_t k = 0; k < sizeof over / sizeof *over;
                                 k++) if (strcmp(json_str(row, "state", ""), over[k]) == 0)
        at(after ? CRASH_AFTER_STEP_END : CRASH_BEFORE_STEP_END, json_str(row, "name", ""), NULL);
    json_array_foreach(json_object_get(j->changes, "results"), i, row)
        at_write(after ? CRASH_AFTER_RESULT : CRASH_BEFORE_RESULT, j, json_str(row, "op", ""));
    json_array_foreach(json_object_get(j->changes, "intents"), i, row)
        at_write(after ? CRASH_AFTER_INTENT : CRASH_BEFORE_INTENT, j, json_str(row, "op", ""));
}
#else
typedef int crash_points_of_commits_are_not_built_in;
#endif
