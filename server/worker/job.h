/* worker/job.h: the active deployment of one environment in the memory of the worker that holds its
 * lease.
 *
 * What is in memory is what is in PostgreSQL as long as the epoch is ours: only the holder changes
 * it, and whoever else may (an abort) increments the epoch first. */
#pragma once
#include "base/cleanup.h"
#include "base/trace.h"
#include "db/db.h"
#include "kube/kube.h"
#include "rollout/step.h"
#include "worker/prober.h"

enum { JOB_STEPS = 16 };

struct job_step {
    char state[16];
    char detail[SEEN_TEXT * 2];
    int64_t started_us; /* 0: not yet */
};

/* Times are clock_monotonic_us() of this process: how long ago something was, PostgreSQL's clock
 * says, so replicas whose clocks are apart agree, and a clock that is set moves no deadline. */
struct job {
    char environment_id[40], deployment_id[40], cluster_name[64];
    int64_t epoch, holder;
    struct trace trace;                       /* of the request that asked for it */
    char *app, *environment, *version, *kind; /* kind: deploy, rollback, traffic, clean-up */
    bool undoing, pause_requested;
    json_t *plan_json;
    struct plan plan;
    struct journal journal;
    struct kube_cluster *cluster;
    bool direct; /* the cluster is the one that we run in */
    const struct step_row *rows, *undo_rows;
    size_t row_count, undo_count, at; /* at: index into the rows of the job that runs */
    struct job_step steps[JOB_STEPS], undo_steps[JOB_STEPS];
    int64_t confirmed_us; /* 0: not yet */
    struct prober *prober;
    json_t *changes;   /* what the next commit stores; NULL: nothing */
    int64_t untold_us; /* since when they are nothing but progress that waits; 0: they are not */
    int failures;      /* in a row, of calls to the cluster: for back-off */
};

/* Whether it takes something back: urgent, and with nothing to undo in its turn. */
bool job_backward(const struct job *j);
bool job_is_cleanup(const struct job *j);
/* Loads what is active in the environment.  *ret NULL when nothing is.  E_NOT_SUPPORTED with a line
 * when the row or its cluster cannot be used by this program. */
MUSTCHECK Status job_load(struct db_pool *pool, struct kube_clusters *clusters,
                          const char *environment_id, int64_t epoch, int64_t holder,
                          struct job **ret, char *reterr, size_t n);
void job_free(struct job *j);  /* NULL-safe */
void job_clear(struct job *j); /* of one that is no allocation of its own */

static inline const char *job_name(const struct job *j) {
    return j->undoing ? "undo" : j->kind;
}
const struct step_row *job_row(const struct job *j); /* the step that runs */
struct job_step *job_progress(struct job *j);        /* its progress */
bool job_next(struct job *j); /* goes to the next step that has not ended; false: there is none */
/* Whether a write of ours left that object newer than this resourceVersion: then what shows it so
 * is behind. */
bool journal_is_ahead(const struct journal *j, const char *kind, const char *name,
                      const char *version);
/* The intent of the running job that has no result yet, or NULL. */
struct intent *job_open_intent(struct job *j);

/* ---- changes: the JSON of tick_commit (migrations/0003_create_tick.sql) ---- */
void change_step(struct job *j, const char *name, const char *state, const char *detail);
void change_record(struct job *j, const char *action, json_t *data, const char *format, ...)
    PRINTF(4, 5);
void change_result(struct job *j, struct intent *intent, IntentResult result,
                   const char *resource_version);
/* A new intent, with its op; goes into the journal too.  Takes write. */
void change_intent(struct job *j, const char *purpose, const char *kind, const char *name,
                   json_t *write);
/* tick_commit of `changes` (JSON text) in the caller's transaction; *ret has `held`: whether the
 * lease is still this holder's (else nothing was stored). */
MUSTCHECK Status job_commit_in(struct db_tx *tx, const struct job *j, const char *changes,
                               struct db_rows **ret);
/* The same as a transaction of its own. */
MUSTCHECK Status job_commit(struct db_pool *p, const struct job *j, const char *changes,
                            struct db_rows **ret);
/* Takes the last intent back, which no commit has stored yet. */
void change_intent_dropped(struct job *j);
/* What a write left of a shared object; goes into the journal too. */
void change_left(struct job *j, const char *kind, const char *name, const char *comparable,
                 const char *resource_version);
void change_resolved(struct job *j, json_t *resolved);          /* takes it; re-reads the plan */
void change_set(struct job *j, const char *key, json_t *value); /* takes value */
