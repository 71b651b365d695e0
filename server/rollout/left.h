/* rollout/left.h: what our last write left of each object, and what of it somebody else changed
 * since.
 *
 * Before the first write of a deployment that is what resolve found: its plan has it. */
#pragma once
#include "rollout/step.h"

/* Notes what a write left; replaces what was noted of that object.  comparable NULL: nothing is
 * known. */
void left_set(struct journal *j, const char *kind, const char *name, const char *comparable,
              bool ours);
/* What this deployment's last write left, or resolve found; op: the one on the object now, or NULL.
 * *ret is borrowed, NULL where there was no object.  false: not known (another version of this
 * program resolved it, or a write whose outcome is unknown took effect). */
bool left_find(const struct plan *p, const struct journal *j, const char *kind, const char *name,
               const char *op, const char **ret);
/* What the last write of any deployment left: what a clean-up relies on. */
bool left_latest(const struct journal *j, const char *kind, const char *name, const char *op,
                 const char **ret);
/* The first of the two that is known: what a backward verb overwrites. */
bool left_find_any(const struct plan *p, const struct journal *j, const char *kind,
                   const char *name, const char *op, const char **ret);
/* What our writes should have left, also where one took effect whose answer is not known; yours.
 * NULL: not known. */
char *left_expected(const struct plan *p, const struct journal *j, const char *kind,
                    const char *name, const char *op);
/* Fills in seen->service.change and seen->workload[].change, but for who and when. */
void left_compare(const struct plan *p, const struct journal *j, struct seen *seen);

/* A forward step stops before what somebody else changed: true when it failed.  Of the version that
 * served only until traffic has left it, and not that it was deleted: going on is the way to a
 * version that serves. */
bool left_stops(const struct step_ask *a, struct decision *d);
