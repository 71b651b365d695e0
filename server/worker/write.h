/* worker/write.h: carries one intended write to the cluster, fenced: GET, is it done already, may
 * it still be sent, is the lease still ours, write under that resourceVersion.  design.md §3,
 * Fencing.  Of a Service that the job has written before, the watch cache stands for the GET where
 * it follows (docs/adr/0012). */
#pragma once
#include "worker/job.h"

typedef enum WriteEnd {
    WRITE_DONE,  /* in effect: our op is on the object (or there is nothing left to write to, and
                    that is as good) */
    WRITE_LATER, /* not known, or not now: come back at until_us */
    WRITE_NO, /* the API server refused it, or the object is gone: code, detail and hint say so */
    WRITE_HISTORY, /* the object carries an op or epoch that our journal does not know */
    WRITE_DROPPED, /* the lease is not ours any more */
    WRITE_VETO,    /* the step does not want it sent now: decision says WAIT or FAILED */
} WriteEnd;

struct write_outcome {
    WriteEnd end;
    char resource_version[32];
    int64_t until_us;
    const char *code, *hint;
    char detail[SEEN_TEXT * 2];
    struct decision decision; /* of WRITE_VETO */
    char *left;      /* owned: of WRITE_DONE, the comparable of what it left; NULL: none is kept */
    json_t *changes; /* owned: of a backward WRITE_DONE, what others had changed */
    json_t *before;  /* owned: the object that the last sending was made against */
};
void write_outcome_done(struct write_outcome *w);
static inline void write_outcome_done_cleanup(struct write_outcome *w) {
    write_outcome_done(w);
}
/* *ret is released with write_outcome_done(). */
void write_intent(struct db_pool *pool, struct job *j, const struct intent *intent,
                  struct write_outcome *ret);

/* ---- its parts, for worker/dry_run.c ---- */
KubeKind write_kind(const struct intent *intent);
/* Going forward, and failing by oneself, need a past that we know (design.md, Fencing): the op on
 * the object is ours or absent (NULL, ""), and no epoch is ahead of ours. */
bool write_history_known(struct db_pool *pool, const struct job *j, const char *op, int64_t epoch,
                         Status *ret);
/* One sending, fenced; object: what it is written over, NULL to create. */
void write_send(struct job *j, const struct intent *intent, const json_t *object, bool dry_run,
                struct kube_result *r);
