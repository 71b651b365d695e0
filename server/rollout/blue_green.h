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
/* Decides the write that a backward verb points the Service at a color with: the whole selector as
 * resolve recorded it (of a rollback: the deployment that it goes back by), else the color alone.
 */
void blue_green_select(const struct plan *p, const char *color, const char *purpose,
                       struct decision *d);
