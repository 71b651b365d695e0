/* tests/simulate/simulate.h: one environment in memory, at random: the runner, the writes, the
 * verbs and the steps are the product's own; PostgreSQL, the API server, the clock and the pods are
 * here.
 *
 * Processes are coroutines: at each call to PostgreSQL or Kubernetes another may go first, for as
 * long as it likes, or the caller is killed. */
#pragma once
#include "db/db.h"
#include "rollout/step.h"
#include "worker/job.h"
#include "worker/verbs.h"
#include <ucontext.h>

enum { DEPLOYMENTS = 24, INTENTS = 512, PROCESSES = 3, FLIGHTS = 8, VERSIONS = 32, OBJECTS = 3 };
enum { SERVICE, WORKLOAD }; /* WORKLOAD + color */

/* What is built wrong on purpose, so that a simulation that sees nothing is found out. */
typedef enum Wrong {
    WRONG_NOTHING,
    WRONG_NO_FENCE,       /* the API server takes any resourceVersion */
    WRONG_NO_LEASE_CHECK, /* an epoch that is gone is good enough */
    WRONG_NO_EPOCH,       /* an abort, a rollback or a pause fences nobody */
    WRONG_ABORT_DB,       /* an abort is confirmed from the database alone */
    WRONG_NOOP_WRITE,     /* the API server drops what changes no spec */
    WRONG_GATE_SKEW,      /* the gate is read in another snapshot than the cut-over's */
    WRONG_PUT_BY,      /* a rollback goes behind what put the serving version there (finding 2) */
    WRONG_NO_TEMPLATE, /* a rollback's target is a color alone (finding 3) */
    WRONG_OLD_PLAN,    /* a target that was fixed when it was asked for (finding 4) */
    WRONG_OLD_LOOK,    /* what was seen before the seizures counts */
    WRONG_NOT_JOURNALLED, /* a write is sent before its intent is committed */
    WRONGS,
} Wrong;
extern const char *const wrong_names[WRONGS];

struct object {
    bool exists;
    int64_t revision, epoch;
    char op[40];
    Color selector;            /* of the Service */
    int replicas, version;     /* of a workload: pods of that version's template */
    int ready;                 /* pods */
    int64_t ready_at, left_at; /* when the pods are there; when traffic left them, 0 never */
};
struct sight { /* what can be seen at one moment */
    int64_t at;
    struct object object[OBJECTS];
    int endpoints[COLORS];
};
struct flight { /* a write that its sender does not wait for any more */
    bool used;
    int object;
    int64_t revision, epoch;
    char op[40];
    int selector, replicas, version; /* -1: not written */
    bool creates;
};
struct deployed {
    char id[40];
    const char *kind, *state, *current_step;
    bool undoing, pause_requested, confirmed;
    json_t *plan, *failure, *steps, *intents;
    int rollback_of; /* -1 none */
    int version;
    Color target, from;
    bool has_from;
    /* what the laws are checked by */
    bool cut, withdrawn, taken_back, closed;
    int switches, passed; /* bits of CheckSet */
    int64_t seized_at;
};
struct sent {
    char op[40];
    int deployment;
    const char *job, *purpose; /* borrowed from the row */
    json_t *row;
};
struct process {
    ucontext_t context;
    void *stack;
    bool begun, dead, idle;
    int64_t holder, due;
    struct job *job;
    struct object service; /* as it was read last */
    struct sight look;     /* the last before a cut-over */
};

struct world {
    uint64_t random;
    int64_t now;
    Wrong wrong;
    bool trace, over, calm;
    char broken[256]; /* which law, how; "": none */
    uint64_t number;  /* of the next id */
    int faults;       /* of 256 calls */
    bool outages;     /* whether the API server is away for a while, now and then */
    int64_t away_until;
    /* Kubernetes */
    struct object object[OBJECTS];
    struct sight cache;
    int endpoints[COLORS];
    int64_t endpoints_at, revision;
    struct flight flight[FLIGHTS];
    uint8_t sick[VERSIONS]; /* SICK_… */
    /* PostgreSQL */
    int64_t epoch, holder, until;
    struct deployed d[DEPLOYMENTS];
    int count, cutover;
    struct sent sent[INTENTS];
    int sent_count;
    struct {
        int deployment; /* -1: none */
        Color color;
        char uid[8], hash[16];
        int64_t due;
    } cleanup;
    bool gated, gate_open, gate_frozen, gate_was;
    /* processes */
    struct process process[PROCESSES];
    struct process *running;
    ucontext_t scheduler;
    /* people */
    json_t *spec, *ready_plan, *first_plan;
    int ready_cutover, next_version, wanted, verbs;
};
extern struct world world;
enum { SICK_NEVER_READY = 1, SICK_FAILS = 2, SICK_LATER = 4 };

uint64_t roll(uint64_t below); /* 0 … below - 1 */
static inline bool chance(unsigned of_256) {
    return of_256 && roll(256) < of_256;
}
/* A law: ends the world when it does not hold. */
#define HOLDS(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            broke(__VA_ARGS__);                                                                    \
    } while (0)
void broke(const char *format, ...) PRINTF(1, 2);
#define TRACE(...)                                                                                 \
    do {                                                                                           \
        if (world.trace)                                                                           \
            trace(__VA_ARGS__);                                                                    \
    } while (0)
void trace(const char *format, ...) PRINTF(1, 2);

/* A moment at which others may go first; false: the process that called is dead. */
bool elsewhere(void);

/* ---- cluster.c ---- */
void cluster_keep(void); /* makes what all worlds share */
void cluster_begin(void);
bool cluster_move(void); /* pods and endpoints, as the time says; whether anything did */
void cluster_heal(void); /* somebody mends every version */
bool cluster_sick(int version, int how); /* SICK_… */
int64_t cluster_next(void);              /* when they move next, 0: not by themselves */
void cluster_remember(void);             /* what a watch cache may show for a while */
void cluster_see(const struct sight *from, struct seen *ret);
struct sight cluster_now(void);
bool cluster_away(void);     /* it does not answer, and its watches tell nothing */
bool cluster_land_one(void); /* one of the writes under way; false: there is none */

/* ---- rows.c ---- */
void rows_begin(void);
void rows_end(void);
int rows_active(void); /* the active deployment, -1 none */
bool rows_work(void);  /* for whoever takes the lease */
bool rows_free(void);  /* the lease */
int rows_find(const char *id);
struct sent *rows_sent(const char *op); /* NULL: not in the journal */
int rows_insert(const char *id, const char *kind, json_t *plan, json_t *steps, int of);
void rows_state(int deployment, const char *to);
bool rows_held(const struct job *j);
json_t *rows_step(const struct deployed *d, const char *name); /* borrowed; NULL: none */
bool rows_gates_allow(bool committing);
/* What migrations/0003 makes of a job's changes; false: nothing was stored. */
bool rows_commit(const struct job *j, bool *ret_held);

/* ---- people.c ---- */
void people_keep(void);
void people_begin(void);
void people_act(void);    /* one of the things people do, or nothing */
bool people_finish(void); /* what it takes for everything to end; false: it has */
