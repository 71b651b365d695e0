/* rollout/step.h: strategies as tables of pure steps.  A step sees (plan, journal, what was
 * observed) and answers one decision.  No I/O, no clock: the same code runs under the worker, in
 * the simulator and in unit tests. */
#pragma once
#include "base/json.h"
#include "rollout/seen.h"
#include <stdbool.h>
#include <stddef.h>

/* ---- the plan, read (rollout/plan.c).  Everything is borrowed from the JSON. ---- */
struct plan_color {
    const char *workload, *service;
};
struct plan {
    const json_t *json, *spec;
    const char *namespace_, *service, *selector_key, *container;
    struct plan_color colors[COLORS];
    Color target;
    const char *version, *image;
    bool has_from;     /* a version serves already */
    bool idle_at_once; /* idle_rollout */
    bool promote_auto;
    const json_t *documents; /* rendered; NULL: only the image is changed */
    const json_t
        *resolved; /* what resolve found: {color, floor, target {…}, from {…}}; NULL before */
    int64_t available_s, checks_s, validate_s, keep_previous_s;
};
/* false when it is no plan: a row that this program did not write. */
bool plan_read(const json_t *json, struct plan *ret);

/* ---- the journal: intents of the deployment so far ---- */
typedef enum IntentResult { INTENT_OPEN, INTENT_DONE, INTENT_REFUSED, INTENT_VOID } IntentResult;
struct intent {
    char op[40];
    char *job, *step, *purpose, *kind, *name; /* owned */
    json_t *write;                            /* owned: {verb, body} */
    IntentResult result;
    char resource_version[32]; /* of the object after the write */
};
/* What our last write left of an object: rollout/left.h. */
struct left {
    char *kind, *name, *comparable; /* owned */
    bool ours;                      /* by this deployment; else by an earlier one */
};
struct journal {
    struct intent *intents; /* owned */
    size_t count;
    struct left *left; /* owned; one an object */
    size_t left_count;
};
/* The last intent of a purpose in a job that is not void, or NULL. */
const struct intent *journal_find(const struct journal *j, const char *job, const char *purpose);
bool journal_done(const struct journal *j, const char *job, const char *purpose);
/* Whether any intent of that job touches kind/name. */
bool journal_touched(const struct journal *j, const char *job, const char *kind, const char *name);
/* Whether a write of any job to kind/name is done. */
bool journal_wrote(const struct journal *j, const char *kind, const char *name);
void journal_drop_last(struct journal *j); /* there is one */
void journal_clear(struct journal *j);

/* ---- a decision ---- */
typedef enum DecisionKind {
    DECIDE_DONE,
    DECIDE_SKIP,
    DECIDE_WAIT,
    DECIDE_FAILED,
    DECIDE_WRITE,
    DECIDE_PAUSE, /* a person must go on with it */
} DecisionKind;
typedef enum CheckSet {
    CHECKS_NONE,
    CHECKS_HEALTH,
    CHECKS_SMOKE,
    CHECKS_PRODUCTION,
    CHECKS_LEFT, /* the health checks of the color that is not the target: a rollback asks */
} CheckSet;
struct decision {
    DecisionKind kind;
    char detail[SEEN_TEXT * 2]; /* one sentence for people; of FAILED: what is wrong */
    const char *code;           /* FAILED: failure.code */
    const char *hint;           /* FAILED: what to do */
    int64_t
        until_us; /* WAIT: look again then at the latest (monotonic); 0: the runner's poll floor */
    CheckSet checks;     /* WAIT: keep these running */
    const char *purpose; /* WRITE: unique within the job; static, or `named` */
    char named[SEEN_TEXT];
    const char *object_kind, *object_name; /* WRITE; borrowed from the plan */
    json_t *write;                         /* WRITE: {verb, body}, owned */
    json_t *resolved;                      /* DONE of resolve: what is added to the plan, owned */
};

/* What to do about gates that closed under a deployment. */
#define GATE_HINT "GET …/blockers says who can clear it: then deploy again."

/* The verbs of a write.  The runner adds annotations, label and metadata.resourceVersion to the
 * body. */
#define WRITE_MERGE     "merge"     /* merge patch */
#define WRITE_SELECT    "select"    /* merge patch whose spec.selector is the whole selector */
#define WRITE_STRATEGIC "strategic" /* strategic merge patch */
#define WRITE_APPLY     "apply"     /* server-side apply, or POST where the object does not exist */
#define WRITE_ADOPT     "adopt" /* merge patch, only onto an object that carries a mark of Sluice's */
#define WRITE_REPLACE   "replace" /* PUT of the object with these members of its spec, whole */

struct step_ask {
    const struct plan *plan;
    const struct journal *journal;
    const struct seen *seen;
    int64_t started_us; /* when the step began (monotonic) */
};

/* What a step sees of the cluster. */
typedef enum Look {
    LOOK_FOLLOWS, /* Service and workloads at least as our own writes left them */
    LOOK_BLIND,   /* nothing */
    LOOK_GLANCE,  /* what the watch cache has, or nothing: waits for no answer */
    LOOK_NAMED,   /* Service and workloads as they are now; it counts no pods */
    LOOK_FRESH,   /* counts only what was seen after the seizures */
    LOOK_KNOWN,   /* the same; of a cluster that does not answer what the watch cache has (law 2) */
} Look;

/* A row of a strategy. */
struct step_row {
    const char *name;  /* "switch-traffic" */
    const char *title; /* for people: "Point the Service at the target color" */
    Look look;
    bool gates;        /* sees what the gates say; only where the environment has gates */
    const char *flags; /* makes the release's flag changes of that `at`; only where it has such */
    bool adopts; /* takes over a lost past; only in what takes over a deployment that met one */
    const char *cutover; /* purpose of the write whose intent's commit is the cut-over (law 4) */
    bool confirms;       /* its end confirms an abort or rollback to whoever asked */
    int patience_ms; /* after that long a write that is not done does not hold the rest up (law 2);
                        0: for ever */
    void (*decide)(const struct step_ask *ask, struct decision *ret);
    /* Asked again, on a fresh look, right before each sending of the cut-over's write; true: send
     * it.  Else *ret is a WAIT or FAILED.  NULL: it may always be sent again. */
    bool (*may_send)(const struct step_ask *ask, struct decision *ret);
};
/* The rows of a strategy in order; NULL for an unknown one. */
const struct step_row *strategy_steps(const char *strategy, size_t *ret_count);
/* What takes a deployment of any strategy back, in order: traffic first. */
const struct step_row *undo_steps(size_t *ret_count);
/* What goes back to a version that served (kind rollback), and what only moves traffic (kind
 * traffic). */
const struct step_row *rollback_steps(size_t *ret_count);
const struct step_row *traffic_steps(size_t *ret_count);
/* What scales a previous color down when its time has come. */
const struct step_row *cleanup_steps(size_t *ret_count);
/* By kind of job: "deploy" (then by strategy), "rollback", "traffic", "clean-up"; NULL for an
 * unknown one. */
const struct step_row *job_steps(const char *kind, const char *strategy, size_t *ret_count);

/* [{name, title}]; yours. */
json_t *step_rows_json(const struct step_row *rows, size_t n);
/* The same of a strategy's rows, without those that a deployment has nothing to do in: it is not
 * gated, or its plan makes no such flag change. */
json_t *deployment_steps_json(const char *strategy, bool gated, const json_t *plan);
/* The plan's changes of flags that a step makes: one of them is at [*i] or later; NULL: no more. */
const json_t *plan_flag_change(const json_t *plan, const char *at, size_t *i);

/* The checks of a set in the environment's spec: a JSON array, or NULL. */
const json_t *plan_checks(const struct plan *p, CheckSet set);
/* Whether checks go to the cluster IP instead of through the API server (`reach`). */
bool plan_checks_direct(const struct plan *p, bool in_cluster);

/* ---- for steps ---- */
void decide_done(struct decision *d, const char *format, ...) PRINTF(2, 3);
void decide_skip(struct decision *d, const char *format, ...) PRINTF(2, 3);
/* A person must resume it. */
void decide_pause(struct decision *d, const char *format, ...) PRINTF(2, 3);
void decide_wait(struct decision *d, int64_t until_us, const char *format, ...) PRINTF(3, 4);
/* code and hint are static. */
void decide_failed(struct decision *d, const char *code, const char *hint, const char *format, ...)
    PRINTF(4, 5);
/* Takes body; purpose is static (or d->named). */
void decide_write(struct decision *d, const char *purpose, const char *kind, const char *name,
                  const char *verb, json_t *body);
