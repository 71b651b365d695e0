/* worker/transition.h: the states of a deployment as one table {from, event, to, title}, and the
 * one function that changes a state: it updates the row and appends the record. */
#pragma once
#include "db/db.h"
#include "db/record.h"

typedef enum DeploymentEvent {
    EVENT_START,   /* (new) → running */
    EVENT_FAIL,    /* running → undoing: a step failed */
    EVENT_ABORT,   /* running, paused, undoing, stuck → undoing: somebody asked */
    EVENT_SUCCEED, /* running → succeeded */
    EVENT_UNDONE,  /* undoing → failed */
    EVENT_ABORTED, /* undoing → aborted, where an abort was the reason */
    EVENT_STUCK,   /* undoing, running → stuck */
} DeploymentEvent;

struct transition_row {
    const char *from, *to;
    DeploymentEvent event;
    const char *action, *title; /* of the record; the sentence people read */
};
const struct transition_row *transitions(size_t *ret_count);
/* The row of a pair; from NULL: of a new one; NULL: not possible, which from the worker is a bug.
 */
const struct transition_row *transition_find(const char *from, DeploymentEvent e);
const char *event_name(DeploymentEvent e);

/* Who did it, for the record. */
struct actor {
    const char *json; /* principal->actor_json, or the worker's own */
    const char *from; /* remote address, or "worker" */
};

/* Asks for an abort, in a transaction of the caller's: state undoing, epoch incremented, lease
 * cleared, on the record. Of one that is undoing already it joins.  E_NOT_FOUND, or E_WRONG_STATE
 * with *ret_state (in the arena). */
MUSTCHECK Status deployment_abort(struct db_tx *tx, struct arena *arena, const char *id,
                                  const char *reason, const struct actor *by,
                                  const char **ret_state);
