/* rollout/blue_green.h: the steps of blue-green: prepare the idle color, check it, point the
 * Service at it. */
#pragma once
#include "rollout/step.h"

extern const struct step_row blue_green_steps[];
extern const size_t blue_green_step_count;

/* The floor (law 6): ready pods that the target must have before traffic may move. */
int blue_green_floor(const struct plan *p, const struct seen *seen);
/* Body of a merge patch that points the Service at a color; new. */
json_t *blue_green_selector_patch(const struct plan *p, const char *color);
