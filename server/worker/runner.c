/* worker/runner.c: asks the step, commits what it decided together with the last result, carries
 * out the write, again. */
#include "worker/runner.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/crash.h"
#include "worker/observe.h"
#include "worker/transition.h"
#include "worker/write.h"
#include <stdio.h>
#include <string.h>

/* Without a wake-up a waiting step looks again after this long: the floor under lost watch events.
 */
enum { POLL_FLOOR_S = 2 };

#define COPY(field, text) snprintf(field, sizeof field, "%s", text)

/* ---- the commit ---- */

/* The last commit of this holder: the deployment is final, or stuck until a person acts. */
static bool is_last(const struct job *j) {
    return j->changes &&
           (json_object_get(j->changes, "end") || json_object_get(j->changes, "release"));
}

/* Stores j->changes under the lease, if there are any. */
static RunEnd commit(const struct run_settings *in, struct job *j) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_free_ char *text = NULL;
    bool last = is_last(j);
    Status s;

    if (!j->changes)
        return RUN_WAIT;
    text = json_text(j->changes);
    crash_point("before-commit");
    s = db_once(
        in->pool, SQL_TICK_COMMIT, &rows,
        DB_PARAMS(j->environment_id, j->deployment_id, DB_INT(j->epoch), DB_INT(j->holder), text));
    crash_point("after-commit");
    if (s)
        return RUN_FAULT;
    if (!db_bool(rows, 0, "held"))
        return RUN_DROPPED;
    json_decref(j->changes);
    j->changes = NULL;
    in->changed(in->ctx, j->environment_id);
    return last ? RUN_ENDED : RUN_WAIT;
}

/* ---- transitions and steps, as changes ---- */

static void change_state(struct job *j, DeploymentEvent event, json_t *data, const char *detail) {
    const struct transition_row *row = transition_find(j->undoing ? "undoing" : "running", event);

    if (!row)
        die("no transition from %s by %s", job_name(j), event_name(event));
    change_set(j, "state", json_string(row->to));
    change_record(j, row->action, data, "%s%s%s", row->title, *detail ? ": " : "", detail);
    log_event(event == EVENT_SUCCEED ? LOG_INFO : LOG_WARNING, "transition", "deployment",
              j->deployment_id, "app", j->app, "environment", j->environment, "version", j->version,
              "to", row->to, "detail", detail, NULL);
}

static void set_progress(struct job *j, const char *state, const char *detail) {
    struct job_step *p = job_progress(j);

    if (!p->started_us)
        p->started_us = clock_now_us();
    if (strcmp(p->state, state) == 0 && strcmp(p->detail, detail) == 0)
        return;
    if (!j->undoing) {
        if (!*p->state || strcmp(p->state, "pending") == 0) {
            change_set(j, "current_step", json_string(job_row(j)->name));
            if (strcmp(state, "skipped") != 0)
                change_record(j, "step.started", json_pack("{s:s}", "step", job_row(j)->name), "%s",
                              job_row(j)->title);
        }
        change_step(j, job_row(j)->name, state, detail);
    }
    COPY(p->state, state);
    COPY(p->detail, detail);
}

static void end_deployment(struct job *j) {
    bool aborted =
        strcmp(json_str(json_object_get(j->plan_json, "failure"), "code", ""), "aborted") == 0;

    change_set(j, "end", json_true());
    if (!j->undoing) {
        char detail[SEEN_TEXT];

        snprintf(detail, sizeof detail, "%s %s of %s", color_names[j->plan.target], j->version,
                 j->app);
        change_state(
            j, EVENT_SUCCEED,
            json_pack("{s:s, s:s}", "version", j->version, "color", color_names[j->plan.target]),
            detail);
        return;
    }
    change_state(j, aborted ? EVENT_ABORTED : EVENT_UNDONE,
                 json_pack("{s:s}", "version", j->version), "");
}

/* Marks the deploy steps whose effects are taken back by now. */
static void mark_undone(struct job *j, const char *first) {
    bool after = false;

    for (size_t i = 0; i < j->row_count; i++) {
        after = after || strcmp(j->rows[i].name, first) == 0;
        if (!after || !*j->steps[i].state || strcmp(j->steps[i].state, "pending") == 0 ||
            strcmp(j->steps[i].state, "undone") == 0 || strcmp(j->steps[i].state, "skipped") == 0 ||
            strcmp(j->steps[i].state, "failed") == 0)
            continue;
        COPY(j->steps[i].state, "undone");
        change_step(j, j->rows[i].name, "undone", j->steps[i].detail);
        change_record(j, "step.undone", json_pack("{s:s}", "step", j->rows[i].name), "Undone: %s",
                      j->rows[i].title);
    }
}

static void undo_step_done(struct job *j, bool skipped) {
    const char *name = job_row(j)->name;

    if (strcmp(name, "undo-traffic") == 0) {
        change_set(j, "confirmed", json_true());
        j->confirmed_us = clock_now_us();
        if (!skipped) {
            change_record(j, "traffic.restored",
                          json_pack("{s:s, s:s}", "service", j->plan.service, "color",
                                    json_str(j->plan.resolved, "color", "")),
                          "Service %s selects %s", j->plan.service,
                          json_str(j->plan.resolved, "color", ""));
            mark_undone(j, "switch-traffic");
        }
    } else if (strcmp(name, "undo-apply") == 0 && !skipped) {
        change_record(j, "workload.scaled",
                      json_pack("{s:s}", "workload", j->plan.colors[j->plan.target].workload), "%s",
                      job_progress(j)->detail);
        mark_undone(j, "apply");
    }
}

static void deploy_step_done(struct job *j) {
    const char *name = job_row(j)->name;
    struct job_step *p = job_progress(j);
    json_t *data = json_pack("{s:s, s:I}", "step", name, "took_ms",
                             (json_int_t)((clock_now_us() - p->started_us) / US_PER_MS));

    change_record(j, "step.completed", data, "%s: %s", job_row(j)->title, p->detail);
    if (strcmp(name, "apply") == 0)
        change_record(j, "workload.applied",
                      json_pack("{s:s, s:s}", "workload", j->plan.colors[j->plan.target].workload,
                                "image", j->plan.image),
                      "%s", p->detail);
    if (strcmp(name, "switch-traffic") == 0)
        change_record(j, "traffic.switched",
                      json_pack("{s:s, s:s, s:s}", "service", j->plan.service, "from",
                                json_str(j->plan.resolved, "color", ""), "to",
                                color_names[j->plan.target]),
                      "%s", p->detail);
}

static void step_done(struct job *j, struct decision *d) {
    bool skipped = d->kind == DECIDE_SKIP;

    if (d->resolved)
        change_resolved(j, TAKE_PTR(d->resolved));
    set_progress(j, skipped ? "skipped" : "done", d->detail);
    if (j->undoing)
        undo_step_done(j, skipped);
    else if (!skipped)
        deploy_step_done(j);
    prober_free(j->prober);
    j->prober = NULL;
    if (j->at + 1 < (j->undoing ? j->undo_count : j->row_count))
        j->at++;
    else
        end_deployment(j);
}

static void begin_undo(struct job *j, const char *code, const char *detail, const char *hint) {
    json_t *failure =
        json_pack("{s:s, s:s, s:s}", "code", code, "detail", detail, "hint", hint ? hint : "");

    set_progress(j, "failed", detail);
    change_record(j, "step.failed", json_pack("{s:s, s:s}", "step", job_row(j)->name, "code", code),
                  "%s: %s", job_row(j)->title, detail);
    change_state(j, EVENT_FAIL, json_incref(failure), detail);
    change_set(j, "job", json_string("undo"));
    change_set(j, "failure", json_incref(failure));
    json_object_set_new(j->plan_json, "failure", failure);
    prober_free(j->prober);
    j->prober = NULL;
    j->undoing = true;
    j->at = 0;
    j->failures = 0;
}

static void become_stuck(struct job *j, const char *code, const char *detail, const char *hint) {
    change_state(j, EVENT_STUCK, json_pack("{s:s}", "code", code), detail);
    change_set(j, "failure",
               json_pack("{s:s, s:s, s:s}", "code", code, "detail", detail, "hint", hint));
    change_set(j, "release", json_true());
}

/* ---- looking and asking ---- */

static void look(const struct run_settings *in, struct job *j, struct seen *seen) {
    const struct step_row *row = job_row(j);

    (void)in;
    if (row->blind)
        *seen = (struct seen){.now_us = clock_now_us(), .reachable = true};
    else if (row->fresh)
        observe_fresh(j->cluster, j->plan.spec, &j->journal, seen);
    else
        observe_after_writes(j->cluster, j->plan.spec, &j->journal, seen);
}

static void run_checks(const struct run_settings *in, struct job *j, CheckSet set,
                       struct seen *seen, int64_t *next_us) {
    if (prober_set(j->prober) != set) {
        const struct prober_settings settings = {.clusters = in->clusters,
                                                 .cluster = j->cluster,
                                                 .direct = plan_checks_direct(&j->plan, j->direct),
                                                 .outbound_allow = in->outbound_allow,
                                                 .wake = in->wake,
                                                 .wake_ctx = in->ctx,
                                                 .environment_id = j->environment_id};

        prober_free(j->prober);
        j->prober = prober_new(&settings, &j->plan, set);
    }
    *next_us = prober_run(j->prober, seen);
}

/* For how long a step has been going on counts from its start; taking back counts from the
 * confirmation. */
static int64_t step_started(struct job *j) {
    struct job_step *p = job_progress(j);

    if (!p->started_us)
        p->started_us = clock_now_us();
    return j->undoing && j->confirmed_us ? j->confirmed_us : p->started_us;
}

static void ask(const struct run_settings *in, struct job *j, struct decision *d) {
    struct seen seen;
    struct step_ask a = {&j->plan, &j->journal, &seen, step_started(j)};
    int64_t next = 0;

    look(in, j, &seen);
    if (j->prober)
        run_checks(in, j, prober_set(j->prober), &seen, &next);
    job_row(j)->decide(&a, d);
    if (d->kind == DECIDE_WAIT && d->checks != CHECKS_NONE && !j->prober)
        run_checks(in, j, d->checks, &seen, &next);
    if (d->kind == DECIDE_WAIT && next && (!d->until_us || next < d->until_us))
        d->until_us = next;
}

/* ---- the turn ---- */

/* A write came back.  true: go on at once. */
static bool take_outcome(struct job *j, struct intent *intent, const struct write_outcome *w,
                         int64_t *until_us) {
    int64_t give_up = step_started(j) + j->plan.available_s * US_PER_S;

    switch (w->end) {
    case WRITE_DONE:
        change_result(j, intent, INTENT_DONE, w->resource_version);
        return true;
    case WRITE_NO:
        change_result(j, intent, INTENT_REFUSED, "");
        if (j->undoing)
            become_stuck(j, w->code, w->detail,
                         "Put the object right by hand, then abort again or resolve.");
        else
            begin_undo(j, w->code, w->detail, w->hint);
        return true;
    case WRITE_HISTORY:
        change_result(j, intent, INTENT_REFUSED, "");
        become_stuck(j, "history-lost", w->detail,
                     "Another Sluice, or a database restored from before: make sure that only one "
                     "acts, then abort.");
        return true;
    case WRITE_VETO:
        if (w->decision.kind == DECIDE_FAILED) {
            begin_undo(j, w->decision.code, w->decision.detail, w->decision.hint);
            return true;
        }
        set_progress(j, "waiting", w->decision.detail);
        *until_us = w->decision.until_us;
        return false;
    case WRITE_LATER:
        if (!j->undoing && clock_now_us() > give_up) {
            begin_undo(j, "cluster-unavailable", w->detail,
                       "Check the API server and the credentials of the cluster.");
            return true;
        }
        set_progress(j, "waiting", w->detail);
        *until_us = w->until_us;
        return false;
    case WRITE_DROPPED:
        break;
    }
    return false;
}

/* true: go on at once. */
static bool take_decision(struct job *j, struct decision *d, int64_t *until_us) {
    switch (d->kind) {
    case DECIDE_DONE:
    case DECIDE_SKIP:
        step_done(j, d);
        return true;
    case DECIDE_FAILED:
        begin_undo(j, d->code, d->detail, d->hint);
        return true;
    case DECIDE_WRITE:
        set_progress(j, "running", d->detail);
        change_intent(j, d->purpose, d->object_kind, d->object_name, TAKE_PTR(d->write));
        if (job_row(j)->cutover)
            change_set(j, "cutover", json_true());
        return true;
    case DECIDE_WAIT:
        set_progress(j, "waiting", d->detail);
        *until_us = d->until_us;
        return false;
    }
    return false;
}

RunEnd run_job(const struct run_settings *in, struct job *j, int64_t *ret_until_us) {
    for (;;) {
        struct intent *open = job_open_intent(j);
        int64_t until = 0, floor;
        bool again;
        RunEnd end;

        if (open) {
            struct write_outcome w;

            end = commit(in, j); /* an intent is committed before it is sent */
            if (end != RUN_WAIT)
                return end;
            write_intent(in->pool, j, open, &w);
            if (w.end == WRITE_DROPPED)
                return RUN_DROPPED;
            again = take_outcome(j, open, &w, &until);
        } else {
            struct decision d = {0};

            ask(in, j, &d);
            again = take_decision(j, &d, &until);
        }
        if (again && !is_last(j))
            continue;
        end = commit(in, j);
        if (end != RUN_WAIT)
            return end;
        floor = clock_now_us() + POLL_FLOOR_S * US_PER_S;
        *ret_until_us = until && until < floor ? until : floor;
        return RUN_WAIT;
    }
}
