/* worker/transition.h: the states of a deployment as one table {from, event, to, title}, and the
 * one function that changes a state: it updates the row and appends the record. */
#pragma once
#include "db/db.h"
#include "db/record.h"

typedef enum DeploymentEvent {
    EVENT_START,
    EVENT_BLOCK,   /* made, and waits for its gates */
    EVENT_OPEN,    /* they opened */
    EVENT_REFUSED, /* they opened, and it cannot begin */
    EVENT_FAIL,
    EVENT_ABORT,
    EVENT_PAUSE,
    EVENT_RESUME,
    EVENT_PROMOTE,
    EVENT_SUCCEED,
    EVENT_UNDONE,
    EVENT_ABORTED, /* undone, where an abort was the reason */
    EVENT_STUCK,
    EVENT_RETRY,      /* of its own job */
    EVENT_RETRY_UNDO, /* of its undo */
    EVENT_RESOLVE_FAILED,
    EVENT_RESOLVE_SUCCEEDED,
    EVENT_TAKEN_OVER, /* by a rollback */
    EVENT_CANCEL,
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
extern const struct actor worker_actor;
