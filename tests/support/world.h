/* tests/support/world.h: a database, a simulated cluster and deployments in them, for tests of the
 * worker.
 *
 * A test may run a deployment step by step (world_load, world_run …), or begin worker threads. */
#pragma once
#include "db/bus.h"
#include "db/db.h"
#include "db/session.h"
#include "kube/kube.h"
#include "tests/support/sim.h"
#include "worker/job.h"
#include "worker/runner.h"
#include "worker/worker.h"
#include "worker/write.h"
#include <pthread.h>

#define WORLD_SPACE "production"

struct world {
    struct sim sim;
    char *url; /* of the database */
    struct db_pool *pool, *reserved;
    struct db_replica *replica;
    struct kube_clusters *clusters; /* the worker's */
    struct kube_clusters *hands;    /* the test's own: other hands */
    struct kube_cluster *other;     /* cluster local, by other hands */
    struct run_settings run;
};

/* After pg_start().  Cluster `local` is registered; kubesim holds INOPNC's Services. */
void world_start(struct world *w);
/* Every job and worker is gone by then. */
void world_end(struct world *w);

/* ---- what is deployed ---- */
struct place { /* one environment: production of an app */
    const char *app;
    const char *cluster, *namespace_; /* NULL: local, production */
    const char *checks, *blue_green;  /* JSON that replaces what is in the spec, or NULL */
    int available_s;                  /* 0: 600 */
};
/* Registers cluster (the same simulated one by another name), app and environment; makes the app's
 * Services APP-prod, APP-blue-service, APP-green-service unless they exist.  *ret_id: the
 * environment's, yours. */
char *world_environment(struct world *w, const struct place *in);
/* A deployment of one document (Deployment APP-COLOR with that many replicas), as POST /deployments
 * starts it: observed, planned, one transaction.  Its id, yours. */
char *world_deploy(struct world *w, const char *app, const char *version, int replicas);
/* The same with one replica and further documents (JSON array). */
char *world_deploy_with(struct world *w, const char *app, const char *version, const char *more);
/* Without a document: only the image changes. */
char *world_deploy_image(struct world *w, const char *app, const char *version);
/* The whole of it, until it succeeded: version serves in the other color. */
void world_serve(struct world *w, const char *app, const char *environment_id, const char *version,
                 int replicas);
/* deployment_abort() as the API asks for it. */
Status world_abort(struct world *w, const char *deployment_id);
/* deployment_rollback(), to what was before; of: of that deployment; version: to that one. */
Status world_rollback(struct world *w, const char *app, const char *of, const char *version);

/* ---- one holder, step by step ---- */
/* Takes the lease (which must be free) for that holder, and loads.  holder 0: the world's own
 * number. */
struct job *world_load(struct world *w, const char *environment_id, int64_t holder);
/* Runs until it waits in that step, or ends; ends the test after 20 s. */
RunEnd world_run_to_step(struct world *w, struct job *j, const char *step);
RunEnd world_run_to_end(struct world *w, struct job *j);
/* The same, and it is over; frees the job. */
void world_end_job(struct world *w, struct job *j);
/* To where its pods are waited for: until then none becomes ready. */
void world_run_to_pods(struct world *w, struct job *j);
/* Runs until the intent of that purpose is committed, but answered with 503 by the cluster. */
void world_run_to_intent(struct world *w, struct job *j, const char *purpose, const char *path);
/* A new intent on an object, committed under the job's lease; borrowed from the journal. */
struct intent *world_intent(struct world *w, struct job *j, const char *purpose, const char *kind,
                            const char *name, const char *body);

/* ---- replicas: worker threads, with clusters and a number of their own ---- */
struct replica {
    struct world *world;
    struct db_replica *session;
    struct kube_clusters *clusters;
    struct worker *worker;
    pthread_mutex_t lock; /* as server/main/server.c has it */
    struct worker *watching;
};
/* Everything but the begin: worker_begin(r->worker). */
void replica_start(struct replica *r, struct world *w, int threads);
void replica_stop(struct replica *r, int timeout_ms);

/* ---- facts ---- */
/* Waits for SQL (a boolean) to be true; ends the test after `seconds`. */
void world_await(struct world *w, int seconds, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
char *world_state(struct world *w, const char *deployment_id); /* yours */
/* code: of its failure, "" without one. */
void world_expect_state(struct world *w, const char *deployment_id, const char *state,
                        const char *code);
void world_faults(struct world *w, const char *list);
void world_image(struct world *w, const char *body);    /* PUT /images */
void world_behavior(struct world *w, const char *body); /* PUT /behavior */
/* The number of the cluster's last request; and how many came since, of a method and a path's end.
 */
long world_mark(struct world *w);
int world_count(struct world *w, long since, const char *method, const char *path_end);
/* Every write since, in order: "PATCH inopnc-prod, POST deployments"; yours.  Not those that a
 * conflict refused: when controllers write in between is theirs to choose. */
char *world_writes(struct world *w, long since);
char *world_reads(struct world *w, long since); /* the same of every read but watches, sorted: some
                                                   go out at the same time; yours */
void world_expect_writes(struct world *w, long since, const char *wanted);
/* [{n, at, verb, path, query, code …}]; yours. */
json_t *world_requests(struct world *w, long since);
/* Waits until the cluster got such a request. */
void world_await_request(struct world *w, long since, const char *method, const char *path_end);
/* An object as other hands read it; yours.  kind: KUBE_SERVICE or KUBE_DEPLOYMENT. */
json_t *world_object(struct world *w, KubeKind kind, const char *namespace_, const char *name);
/* A merge patch by other hands. */
void world_patch(struct world *w, KubeKind kind, const char *name, const char *body);
/* The color that APP-prod selects; static text. */
const char *world_color(struct world *w, const char *namespace_, const char *app);
/* How often APP-prod's selector changed. */
size_t world_switches(struct world *w, const char *namespace_, const char *app);
