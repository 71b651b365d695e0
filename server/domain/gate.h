/* domain/gate.h: whether a release may go out: a pure function of stored facts and the time.
 *
 * Laws 3 and 4: it is open only when every required fact is positively there; what is missing,
 * unknown or expired closes it.  Asked when a deployment starts and again in the transaction that
 * commits its cut-over, about the facts of db/sql/gate/facts.sql:
 *
 *   {environment {id, app, name}, gates {the environment's spec}, version,
 *    release {id, version, content_digest, created_by, yanked} | null, requested_by | null,
 *    active: id | null,
 *    checklist {name "TEMPLATE@VERSION", items [{an item of the template, group, group_title,
 *      fact {state, observed_us, expires_us, evidence, source, url, summary, note, person, report,
 *        by} | null,
 *      probed: the fact is Sluice's own, made now, unless a person failed it,
 *      waiver {at_us, expires_us, reason, role, by} | null}]} | null,
 *    signoffs [{id, role, decision, issuer, subject, content_digest, checklist, note}] | null,
 *    freezes [{id, reason, app, environment, let_running_finish, by, windows [[from_us, to_us]],
 *      known_until_us: of a weekly one, whose windows have no end}] | null,
 *    break_glass_us | null, previous {environment, deployment} | null,
 *    unaccepted {deployment, version, acceptance, rejected_by [subject], missing [role]} | null}
 *
 * Times are µs since 1970. */
#pragma once
#include "base/json.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum GateWhen {
    GATE_ASKED,   /* "why can't I deploy?": also says that another deployment is active */
    GATE_START,   /* law 1 answers for what is active */
    GATE_TRAFFIC, /* traffic by hand, at its start: what serves may be no release of ours, unless
                     something is asked about it */
    GATE_CUTOVER, /* a freeze that lets what runs finish does not count */
} GateWhen;

struct gate_verdict {
    bool open;
    bool frozen_only; /* closed by freezes and by nothing else: a running deployment waits */
    int64_t opens_us; /* closed, and time alone opens it then, never before; 0: it does not */
    int64_t next_us;  /* when time alone may change the answer next; 0: never */
    json_t *blockers; /* [{gate, code, what, why, who [], opens_at?, link}]; owned */
};
void gate_evaluate(const json_t *facts, int64_t now_us, GateWhen when, struct gate_verdict *ret);
void gate_verdict_done(struct gate_verdict *v); /* NULL-safe, idempotent */
static inline void gate_verdict_done_cleanup(struct gate_verdict *v) {
    gate_verdict_done(v);
}
/* The answer of …/blockers and of dry runs: {open, opens_at?, blockers}; yours. */
json_t *gate_verdict_json(const struct gate_verdict *v);
/* Adds opens_at, where there is one, and blockers to an answer. */
void gate_verdict_add(const struct gate_verdict *v, json_t *out);
/* Why it is closed, for people: "Frozen by ann: holidays (and 2 more)"; "" where it is open; yours.
 */
char *gate_verdict_text(const struct gate_verdict *v);

typedef enum ItemState { ITEM_OPEN, ITEM_PASSED, ITEM_FAILED, ITEM_WAIVED, ITEM_EXPIRED } ItemState;
extern const char *const item_state_names[]; /* by ItemState */
/* What an item of the facts is now.  max_age_s: of evidence, 0: any age.  *ret_until_us: until when
 * time alone leaves it so; 0: for ever. */
ItemState gate_item_state(const json_t *item, int64_t max_age_s, int64_t now_us,
                          int64_t *ret_until_us);
