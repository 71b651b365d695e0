/* rollout/step.h: strategies as tables of pure steps.  No I/O, no clock: the same code runs under
 * the worker, in the simulator and in unit tests. */
#pragma once
#include "base/json.h"
#include "rollout/seen.h"
#include <stdbool.h>
#include <stddef.h>

/* A row of a strategy. */
struct step_row {
    const char *name;  /* "switch-traffic" */
    const char *title; /* for people: "Point the Service at the target color" */
};
/* The rows of a strategy in order; NULL for an unknown one. */
const struct step_row *strategy_steps(const char *strategy, size_t *ret_count);
