/* worker/progress.h: what became of a step, as changes for the next commit: progress, ends,
 * failures, states, records. */
#pragma once
#include "worker/job.h"

/* The step that runs is in that state, with one sentence; the first time it is on record as
 * started. */
void set_progress(struct job *j, const char *state, const char *detail);
/* DONE or SKIP: on record, and on to the next step; after the last one the job ends. */
void step_done(struct job *j, struct decision *d);
/* The step failed: a deployment is taken back; what has no undo is stuck; a clean-up is given up.
 * code is static. */
void fail_step(struct job *j, const char *code, const char *detail, const char *hint);
void become_stuck(struct job *j, const char *code, const char *detail, const char *hint);
/* Whether somebody asked for a pause and the next step has not begun. */
bool job_should_pause(struct job *j);
void pause_job(struct job *j, const char *detail);
