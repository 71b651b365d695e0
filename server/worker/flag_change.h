/* worker/flag_change.h: changes of flags and segments, by whoever makes them: a person, a schedule,
 * a promotion.  Each in a transaction of the caller's:
 *
 *     s = flag_change_begin(tx, &change);            first: others wait
 *     …   what is there is read, the new is checked and stored
 *     s = flag_change_note(tx, &change, &noted);     last: history and record, once for each thing
 *
 * After the commit the caller publishes flag_topic() (db/flag.h). */
#pragma once
#include "db/flag.h"
#include "worker/transition.h"

struct flag_change {
    const char *app;
    const char *environment; /* NULL: it concerns all of the app's */
    struct actor by;
    /* how it came: api, restore, promote, import, schedule, request, deployment */
    const char *source;
    const char *reason; /* NULL: none given */
    int wait_ms;        /* for others who change flags of the app; 0: as long as any statement */
    int64_t revision;   /* this change's, set by begin */
};
/* Refuses E_NOT_FOUND: no such app; with wait_ms E_OVERLOADED, which ends the transaction or its
 * savepoint. */
MUSTCHECK Status flag_change_begin(struct db_tx *tx, struct flag_change *c);

/* Whether it is older; false where one of them is no version. */
bool version_before(const char *version, const char *required);

struct flag_noted {
    const char *kind, *name; /* kind: flag, environment, segment */
    const char *action;      /* of the record: "flag.killed" */
    const char *done;        /* the end of its sentence: "killed" */
    int64_t before;          /* the revision that was there; 0: none */
    json_t *after;           /* NULL: deleted; borrowed */
};
/* Refuses E_APPROVAL_REQUIRED, which ends the transaction: an environment that it concerns asks for
 * approvals (migrations/0016). */
MUSTCHECK Status flag_change_note(struct db_tx *tx, const struct flag_change *c,
                                  const struct flag_noted *what);

/* {enabled, killed, strategies, default_variant, requires_release}: what a flag is in an
 * environment; yours. */
json_t *flag_state(const struct flag_state_row *row);
/* Adds to errors what is wrong with a state (at this pointer) for the flag of `there`, in its
 * environment: on, where an older version serves than it requires, too. */
MUSTCHECK Status flag_state_check(struct db_tx *tx, const char *app,
                                  const struct flag_state_row *there, const json_t *state,
                                  const char *at, json_t *errors);
/* Adds an error at `at` for each flag that is on in the environment and requires a later version
 * than the one that serves. */
MUSTCHECK Status flag_guarded_check(struct db_tx *tx, const char *environment_id, const char *at,
                                    json_t *errors);
/* What `there` is with what `set` ({enabled?, strategies?, …}) makes different, into *ret (yours),
 * and the same check of that. */
MUSTCHECK Status flag_state_with(struct db_tx *tx, const char *app,
                                 const struct flag_state_row *there, const json_t *set,
                                 const char *at, json_t *errors, json_t **ret);
/* Stores it in place of `row`, which is then what is there (but for its spec), and notes it.
 * Refuses as flag_change_note. */
MUSTCHECK Status flag_state_store(struct db_tx *tx, const struct flag_change *c,
                                  struct flag_state_row *row, json_t *state, const char *action,
                                  const char *done);
