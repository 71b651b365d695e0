#include "worker/job.h"
#include "base/clock.h"
#include "base/ids.h"
#include "rollout/left.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COPY(field, text) snprintf(field, sizeof field, "%s", text)

static IntentResult result_of(const char *text) {
    if (!text)
        return INTENT_OPEN;
    if (strcmp(text, "done") == 0)
        return INTENT_DONE;
    return strcmp(text, "refused") == 0 ? INTENT_REFUSED : INTENT_VOID;
}

static struct intent *journal_add(struct journal *j) {
    j->intents = xrealloc(j->intents, (j->count + 1) * sizeof *j->intents);
    memset(&j->intents[j->count], 0, sizeof *j->intents);
    return &j->intents[j->count++];
}

static void read_journal(struct job *j, const json_t *intents) {
    json_t *row;
    size_t i;

    json_array_foreach(intents, i, row) {
        struct intent *n = journal_add(&j->journal);

        COPY(n->op, json_str(row, "op", ""));
        n->job = xstrdup(json_str(row, "job", ""));
        n->step = xstrdup(json_str(row, "step", ""));
        n->purpose = xstrdup(json_str(row, "purpose", ""));
        n->kind = xstrdup(json_str(row, "kind", ""));
        n->name = xstrdup(json_str(row, "name", ""));
        n->write = json_incref(json_object_get(row, "write"));
        n->result = result_of(json_str(row, "result", NULL));
        COPY(n->resource_version, json_str(row, "resource_version", ""));
    }
}

/* A clean-up never resumes an old intent: it begins with its seizures and looks again
 * (model/README.md, 1). */
static void void_old_cleanup(struct job *j) {
    for (size_t i = 0; i < j->journal.count; i++)
        if (strcmp(j->journal.intents[i].job, "clean-up") == 0 &&
            j->journal.intents[i].result != INTENT_VOID)
            change_result(j, &j->journal.intents[i], INTENT_VOID, "");
}

/* What the last writes left, of this deployment and of those before it. */
static void read_left(struct job *j, const json_t *left) {
    json_t *row;
    size_t i;

    json_array_foreach(left, i, row)
        left_set(&j->journal, json_str(row, "kind", ""), json_str(row, "name", ""),
                 json_str(row, "comparable", NULL),
                 strcmp(json_str(row, "deployment", ""), j->deployment_id) == 0);
}

static bool ended(const char *state) {
    return strcmp(state, "done") == 0 || strcmp(state, "skipped") == 0;
}

/* A deployment that began where there were no gates has no steps for them; nor for flags that its
 * release does not change, nor for a past that is not lost. */
static void leave_out(struct job *j) {
    for (size_t k = 0; k < j->row_count; k++)
        if ((j->rows[k].gates || j->rows[k].flags || j->rows[k].adopts) && !*j->steps[k].state)
            COPY(j->steps[k].state, "skipped");
}

bool job_next(struct job *j) {
    size_t last = (j->undoing ? j->undo_count : j->row_count) - 1;

    if (j->at == last)
        return false;
    do
        j->at++;
    while (!j->undoing && j->at < last && ended(j->steps[j->at].state));
    return true;
}

/* -1: never. */
static int64_t ago(int64_t age_us) {
    return age_us < 0 ? 0 : clock_monotonic_us() - age_us;
}

/* Progress by name; the deploy job goes on at the first step that has not ended. */
static void read_steps(struct job *j, const json_t *steps) {
    json_t *row;
    size_t i;

    json_array_foreach(steps, i,
                       row) for (size_t k = 0; k < j->row_count;
                                 k++) if (strcmp(j->rows[k].name, json_str(row, "name", "")) == 0) {
        COPY(j->steps[k].state, json_str(row, "state", "pending"));
        COPY(j->steps[k].detail, json_str(row, "detail", ""));
        j->steps[k].started_us = ago(json_int(row, "age_us", -1));
    }
    leave_out(j);
    if (!j->undoing && ended(j->steps[0].state))
        job_next(j);
    for (size_t k = 0; j->undoing && j->confirmed_us && k + 1 < j->undo_count; k++)
        if (j->undo_rows[k].confirms)
            j->at = k + 1; /* traffic is back, and on the record */
}

static Status job_read(struct job *j, const struct db_rows *rows, char *reterr, size_t n) {
    json_auto_t *steps = db_json(rows, 0, "steps"), *intents = db_json(rows, 0, "intents");
    json_auto_t *left = db_json(rows, 0, "left_behind");

    COPY(j->deployment_id, db_text(rows, 0, "id"));
    COPY(j->cluster_name, db_text(rows, 0, "cluster"));
    j->app = xstrdup(db_text(rows, 0, "app"));
    j->environment = xstrdup(db_text(rows, 0, "environment"));
    j->version = xstrdup(db_text(rows, 0, "version"));
    j->kind = xstrdup(db_text(rows, 0, "kind"));
    j->pause_requested = db_bool(rows, 0, "pause_requested");
    trace_from_kept(db_text(rows, 0, "trace"), &j->trace);
    j->undoing = strcmp(db_text(rows, 0, "job"), "undo") == 0;
    j->confirmed_us = ago(db_int(rows, 0, "confirmed_age_us"));
    j->plan_json = db_json(rows, 0, "plan");
    json_object_set_new(j->plan_json, "failure", db_json(rows, 0, "failure"));
    j->rows = job_steps(j->kind, db_text(rows, 0, "strategy"), &j->row_count);
    j->undo_rows = undo_steps(&j->undo_count);
    if (!j->rows || j->row_count > JOB_STEPS || j->undo_count > JOB_STEPS ||
        !plan_read(j->plan_json, &j->plan)) {
        snprintf(reterr, n, "deployment %s was written by another version of this program",
                 j->deployment_id);
        return E_NOT_SUPPORTED;
    }
    read_steps(j, steps);
    read_journal(j, intents);
    if (job_is_cleanup(j))
        void_old_cleanup(j);
    read_left(j, left);
    return STATUS_OK;
}

Status job_load(struct db_pool *pool, struct kube_clusters *clusters, const char *environment_id,
                int64_t epoch, int64_t holder, struct job **ret, char *reterr, size_t n) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    json_auto_t *cluster_spec = NULL;
    struct job *j;
    Status s;

    *ret = NULL;
    s = db_once(pool, SQL_TICK_LOAD, &rows, DB_PARAMS(environment_id));
    if (s || db_rows_count(rows) == 0)
        return s;
    j = xcalloc(1, sizeof *j);
    COPY(j->environment_id, environment_id);
    j->epoch = epoch;
    j->holder = holder;
    cluster_spec = db_json(rows, 0, "cluster_spec");
    j->direct = json_bool(cluster_spec, "in_cluster", false);
    s = job_read(j, rows, reterr, n);
    if (!s)
        s = kube_clusters_get(clusters, j->cluster_name, cluster_spec,
                              db_int(rows, 0, "cluster_revision"), &j->cluster, reterr, n);
    if (s) {
        job_free(j);
        return s;
    }
    kube_watch(j->cluster, j->plan.namespace_);
    *ret = j;
    return STATUS_OK;
}

void job_clear(struct job *j) {
    prober_free(j->prober);
    journal_clear(&j->journal);
    json_decref(j->plan_json);
    json_decref(j->changes);
    if (j->cluster)
        kube_cluster_unref(j->cluster);
    free(j->app);
    free(j->environment);
    free(j->version);
    free(j->kind);
    *j = (struct job){0};
}

void job_free(struct job *j) {
    if (!j)
        return;
    job_clear(j);
    free(j);
}

bool job_backward(const struct job *j) {
    return j->undoing || strcmp(j->kind, "rollback") == 0;
}

bool job_is_cleanup(const struct job *j) {
    return strcmp(j->kind, "clean-up") == 0;
}

const struct step_row *job_row(const struct job *j) {
    return j->undoing ? &j->undo_rows[j->at] : &j->rows[j->at];
}

struct job_step *job_progress(struct job *j) {
    return j->undoing ? &j->undo_steps[j->at] : &j->steps[j->at];
}

bool journal_is_ahead(const struct journal *j, const char *kind, const char *name,
                      const char *version) {
    for (size_t i = 0; i < j->count; i++) {
        const struct intent *n = &j->intents[i];

        if (strcmp(n->kind, kind) == 0 && strcmp(n->name, name) == 0 &&
            kube_version_newer(n->resource_version, version))
            return true;
    }
    return false;
}

struct intent *job_open_intent(struct job *j) {
    for (size_t i = j->journal.count; i-- > 0;)
        if (j->journal.intents[i].result == INTENT_OPEN &&
            strcmp(j->journal.intents[i].job, job_name(j)) == 0)
            return &j->journal.intents[i];
    return NULL;
}

/* ---- changes ---- */

static json_t *change_list(struct job *j, const char *key) {
    json_t *list;

    if (!j->changes)
        j->changes = json_object();
    list = json_object_get(j->changes, key);
    if (!list) {
        list = json_array();
        json_object_set_new(j->changes, key, list);
    }
    return list;
}

void change_set(struct job *j, const char *key, json_t *value) {
    if (!j->changes)
        j->changes = json_object();
    json_object_set_new(j->changes, key, value);
}

void change_step(struct job *j, const char *name, const char *state, const char *detail) {
    json_t *list = change_list(j, "steps"), *row;
    size_t i;

    json_array_foreach(list, i, row) /* an UPDATE joins each row once */
        if (strcmp(json_str(row, "name", ""), name) == 0) {
        json_array_remove(list, i);
        break;
    }
    json_array_append_new(
        list, json_pack("{s:s, s:s, s:s}", "name", name, "state", state, "detail", detail));
}

void change_record(struct job *j, const char *action, json_t *data, const char *format, ...) {
    char message[SEEN_TEXT * 3];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    json_array_append_new(change_list(j, "records"),
                          json_pack("{s:s, s:s, s:o}", "action", action, "message", message, "data",
                                    data ? data : json_object()));
}

void change_result(struct job *j, struct intent *intent, IntentResult result,
                   const char *resource_version) {
    static const char *const names[] = {NULL, "done", "refused", "void"};

    intent->result = result;
    COPY(intent->resource_version, resource_version);
    json_array_append_new(change_list(j, "results"),
                          json_pack("{s:s, s:s, s:s}", "op", intent->op, "result", names[result],
                                    "resource_version", resource_version));
}

void change_intent(struct job *j, const char *purpose, const char *kind, const char *name,
                   json_t *write) {
    struct intent *n = journal_add(&j->journal);

    uuid_v7(n->op);
    n->job = xstrdup(job_name(j));
    n->step = xstrdup(job_row(j)->name);
    n->purpose = xstrdup(purpose);
    n->kind = xstrdup(kind);
    n->name = xstrdup(name);
    n->write = write;
    json_array_append_new(change_list(j, "intents"),
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "op", n->op, "job",
                                    n->job, "step", n->step, "purpose", n->purpose, "kind", n->kind,
                                    "name", n->name, "write", n->write));
}

void change_intent_dropped(struct job *j) {
    json_t *list = change_list(j, "intents");

    journal_drop_last(&j->journal);
    json_array_remove(list, json_array_size(list) - 1);
}

void change_left(struct job *j, const char *kind, const char *name, const char *comparable,
                 const char *resource_version) {
    json_t *list = change_list(j, "left"), *row;
    size_t i;

    left_set(&j->journal, kind, name, comparable, true);
    json_array_foreach(list, i, row) if (strcmp(json_str(row, "kind", ""), kind) == 0 &&
                                         strcmp(json_str(row, "name", ""), name) == 0) {
        json_array_remove(list, i);
        break;
    }
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "kind", kind, "name", name,
                                          "comparable", comparable, "resource_version",
                                          resource_version));
}

void change_resolved(struct job *j, json_t *resolved) {
    change_set(j, "resolved", json_incref(resolved));
    json_object_set_new(j->plan_json, "resolved", resolved);
    if (!plan_read(j->plan_json, &j->plan))
        die("a plan that was read before cannot be read again");
}

#define COMMIT_PARAMS(j, changes)                                                                  \
    DB_PARAMS((j)->environment_id, (j)->deployment_id, DB_INT((j)->epoch), DB_INT((j)->holder),    \
              (changes))

Status job_commit_in(struct db_tx *tx, const struct job *j, const char *changes,
                     struct db_rows **ret) {
    db_rows_free(*ret);
    *ret = NULL;
    return db_query(tx, SQL_TICK_COMMIT, ret, COMMIT_PARAMS(j, changes));
}

Status job_commit(struct db_pool *p, const struct job *j, const char *changes,
                  struct db_rows **ret) {
    return db_once(p, SQL_TICK_COMMIT, ret, COMMIT_PARAMS(j, changes));
}
