/* handlers/gate_fact.h: the form of every transaction that says something about a release in an
 * environment (an item, evidence, a sign-off):
 *
 *     s = gate_fact_begin(tx, f);          first: locks (law 4), reads the release
 *     …                                    the fact is stored and its own record appended
 *     s = gate_fact_end(tx, f, body) ;     last: notes what opened or closed; body then says
 *                                          {effective, deployment?, open}
 *
 * and gate_fact_announce() after the commit.  f is the caller's, outside the transaction, which may
 * run again: _cleanup_(gate_fact_done). */
#pragma once
#include "db/release.h"
#include "handlers/context.h"

struct gate_fact {
    const struct request *q;
    struct reply *r;
    const char *app, *environment;     /* environment NULL: every one of the app */
    const char *version, *version_key; /* version: as it was given, for people */
    struct db_rows *environments;      /* set by begin: id, app, name of what was locked */
    struct db_rows *rows;
    struct release_row release; /* borrowed from rows, without manifests */
};
/* Refuses E_NOT_FOUND: no such environment, no such release. */
MUSTCHECK Status gate_fact_begin(struct db_tx *tx, struct gate_fact *f);
/* The id of the i-th environment that is locked; NULL past the last. */
const char *gate_fact_environment(const struct gate_fact *f, size_t i);
/* Adds to body: open (in every environment meant), effective; where it is false, deployment: whose
 * cut-over was committed before. */
MUSTCHECK Status gate_fact_end(struct db_tx *tx, const struct gate_fact *f, json_t *body);
/* After the commit: whoever waits for the gates looks again. */
void gate_fact_announce(const struct gate_fact *f);
void gate_fact_done(struct gate_fact *f); /* NULL-safe, idempotent */
static inline void gate_fact_done_cleanup(struct gate_fact *f) {
    gate_fact_done(f);
}
