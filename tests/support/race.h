/* tests/support/race.h: rounds of verbs that meet, at random moments, in environments side by side.
 *
 * Each track is one environment and one thread: deploy, ask at random moments, see whether the laws
 * hold, again.  SLUICE_RACES says how many rounds; SLUICE_RACES_SEED repeats one run's random
 * delays (the cluster's and the database's own timing is not repeated). */
#pragma once
#include "tests/support/world.h"

enum { RACE_TRACKS = 6, RACE_REPLICAS = 2 };

struct race {
    struct world *w;
    struct replica replicas[RACE_REPLICAS];
    uint64_t seed;
    long rounds; /* of each race */
    bool chaos;  /* race_run() takes leases away meanwhile */
};
/* World, replicas, quick pods. */
void race_start(struct race *r, struct world *w);
void race_end(struct race *r);

struct track {
    struct race *race;
    char app[32];
    char *environment_id; /* owned */
    uint64_t random;
    long round;
    int version;     /* the last that was deployed */
    int64_t took_us; /* a deployment from its start until it succeeded, on average */
    Color serves;    /* when the round began */
    size_t switches; /* of the Service when the round began */
};
typedef void round_fn(struct track *t);
/* The rounds of one race, spread over tracks in environments like `place` (app: a prefix); then the
 * laws that hold over all of it. */
void race_run(struct race *r, const struct place *place, long rounds, round_fn *fn);

/* Ends the test with the seed, the round and this text. */
#define LAW(t, holds, ...)                                                                         \
    do {                                                                                           \
        if (!(holds))                                                                              \
            race_broken(t, #holds, __VA_ARGS__);                                                   \
    } while (0)
_Noreturn void race_broken(const struct track *t, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int64_t race_random(struct track *t, int64_t below);
void race_sleep(int64_t us);

/* ---- verbs ---- */
typedef enum Verb {
    VERB_ABORT,
    VERB_PROMOTE,
    VERB_PAUSE,
    VERB_RESUME,
    VERB_ROLLBACK,    /* of the environment */
    VERB_ROLLBACK_OF, /* of the deployment */
} Verb;
struct ask {
    Verb verb;
    const char *id; /* of the deployment; a rollback of the environment: not used */
    int64_t delay_us;
    Status status;
    char rollback[40]; /* of a rollback: the one that carries it */
    struct track *track;
    struct replica *at; /* the replica that hears of it first */
};
/* Asks all of them, each after its delay, in threads of their own. */
void race_ask(struct track *t, struct ask *asks, size_t n);

/* ---- the deployments of a track ---- */
/* A new version, with one or two pods; its id, yours. */
char *race_deploy(struct track *t);
/* The name of the image of the version that race_deploy() takes next; yours. */
char *race_next_image(const struct track *t);
/* Waits until it is in one of these states ("aborted succeeded"); 20 s. */
void race_await(struct track *t, const char *id, const char *states);
/* Until it is final, without the 30 s of law 6: what was confirmed is made older in the database,
 * and the lease is taken away. */
void race_settle(struct track *t, const char *id);
bool race_is(struct track *t, const char *id, const char *state);
/* Waits until the abort or rollback is confirmed, or until it is over; whether it is confirmed.
 * Then the selector is `color`, and the op on the Service is the confirmed one. */
bool race_confirmed(struct track *t, const char *id, Color color);
void race_expect_color(struct track *t, Color color);
/* The Service's selector went this way in this round, and no other: "", "target", "target back". */
void race_expect_way(struct track *t, const char *way);
