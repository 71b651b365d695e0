/* rollout/adopt.h: the end of a lost past (design.md, Fencing): a person has seen `history-lost`
 * and aborted or rolled back, and what is in the cluster is this database's from then on.
 *
 * Every object that Sluice writes gets a mark of ours over the one that nobody knows, each under an
 * epoch above what is found there, so that the lease ends up above them all and what another Sluice
 * still has under way fails.  The production Service is left out: undo and rollback write it
 * anyway. */
#pragma once
#include "rollout/step.h"

/* Comes after traffic; what the cluster has not taken by then is given up: the next deployment may
 * meet it, and can be aborted too. */
enum { ADOPT_PATIENCE_MS = 30000 };
#define ADOPT_TITLE "Take over the marks of a past that the database has lost"

/* job: the one that it is a step of.  SKIP where no past was lost. */
void adopt_decide(const struct step_ask *a, const char *job, struct decision *d);
