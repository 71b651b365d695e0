/* live/census.h: what only the database knows and GET /metrics shows: how many deployments are in
 * each state, how far the record is, its checkpoints.
 *
 * A thread reads it every few seconds, so that nobody who looks waits for the database, and an
 * answer without one says so instead of failing. */
#pragma once
#include "db/db.h"

enum { CENSUS_STATES = 16, CENSUS_POLL_MS = 2000, CENSUS_READ_MS = 10000, CENSUS_OLD_S = 60 };

struct census_facts {
    bool ready;   /* the database answered with our schema when it was asked last */
    double age_s; /* of what follows; less than 0: nothing was read, or CENSUS_OLD_S ago */
    struct {
        char name[24];
        int64_t count;
    } states[CENSUS_STATES]; /* those that there are */
    size_t states_n;
    int64_t chains, records;
    double record_age_s;                           /* less than 0: there is none */
    int64_t checkpoint_number, checkpoint_records; /* number 0: there is none */
    double checkpoint_age_s;
};

struct census;
struct census *census_new(struct db_pool *pool);    /* borrows */
void census_free(struct census *c);                 /* NULL-safe */
struct census_facts census_facts(struct census *c); /* any thread, never blocks; ages are now's */
