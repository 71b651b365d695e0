/* worker/runner.c: asks the step, commits what it decided together with the last result, carries
 * out the write, again. */
#include "worker/runner.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "db/flag.h"
#include "worker/crash.h"
#include "worker/cutover.h"
#include "worker/deployment_flags.h"
#include "worker/hands.h"
#include "worker/observe.h"
#include "worker/progress.h"
#include "worker/write.h"
#include <string.h>

/* Without a wake-up a waiting step looks again after this long: the floor under lost watch events.
 */
enum { POLL_FLOOR_S = 2 };
/* Progress of a step that goes on waiting is stored so much later, with what came in between. */
enum { TELL_AFTER_MS = 50 };

/* ---- failing ---- */

static void lose_history(struct job *j, const char *detail) {
    become_stuck(j, "history-lost", detail,
                 "Another Sluice, or a database restored from before: make sure that only one "
                 "acts, then abort: that takes over what it wrote.");
}

/* The object that carries a write which this database does not know; NULL: there is none. */
static const char *unknown_write(struct db_pool *pool, const struct job *j, const struct seen *seen,
                                 Status *ret) {
    const struct plan *p = &j->plan;

    if (!write_history_known(pool, j, seen->service.op, seen->service.epoch, ret))
        return p->service;
    for (Color c = COLOR_BLUE; !*ret && c < COLORS; c++)
        if (!write_history_known(pool, j, seen->workload[c].op, seen->workload[c].epoch, ret))
            return p->colors[c].workload;
    return NULL;
}

/* A deployment that fails is undone.  What it failed over may be of a future that this database has
 * lost, and what serves would be "undone" then: it fails by itself only where every mark that can
 * be seen is known.  false: the database did not say; what failed is to be looked at again. */
static bool fail(const struct run_settings *in, struct job *j, const char *code, const char *detail,
                 const char *hint) {
    _cleanup_(seen_done) struct seen seen = {0};
    const char *unknown = NULL;
    Status s = STATUS_OK;

    if (!job_backward(j)) {
        observe_after_writes(j->cluster, &j->plan, &j->journal, &seen);
        if (seen.reachable)
            unknown = unknown_write(in->pool, j, &seen, &s);
    }
    if (s)
        return false;
    if (unknown) {
        _cleanup_free_ char *why =
            xasprintf("%s carries a write that this database does not know", unknown);

        lose_history(j, why);
    } else {
        fail_step(j, code, detail, hint);
    }
    return true;
}

/* ---- the commit ---- */

/* The last commit of this holder: the deployment is final, or stuck until a person acts. */
static bool is_last(const struct job *j) {
    return j->changes &&
           (json_object_get(j->changes, "end") || json_object_get(j->changes, "release"));
}

/* Law 4: the gates closed before the cut-over, which is not made then. */
static void gates_closed(const struct run_settings *in, struct job *j,
                         const struct seen_gate *gate) {
    if (!gate->frozen_only) {
        fail(in, j, "gate-closed", gate->why, GATE_HINT); /* else the step asks for it again */
        return;
    }
    set_progress(j, "waiting", gate->why);
    pause_job(j, gate->why);
}

/* Stores j->changes under the lease, if there are any.  Where the gates forbid the cut-over that is
 * among them, nothing is stored and its intent is gone: what follows instead is in j->changes. */
static RunEnd commit(const struct run_settings *in, struct job *j) {
    _cleanup_(db_rows_free) struct db_rows *rows = NULL;
    _cleanup_free_ char *text = NULL;
    struct seen_gate gate = {0};
    bool last = is_last(j);
    Status s;

    if (!j->changes)
        return RUN_WAIT;
    if (job_is_cleanup(j))
        change_set(j, "idle", json_true());
    text = json_text(j->changes);
    crash_commit(j, false);
    if (cutover_is_gated(j))
        s = cutover_commit(in->pool, j, text, &rows, &gate);
    else if (deployment_flags_change(j))
        s = deployment_flags_commit(in->pool, j, text, &rows);
    else
        s = job_commit(in->pool, j, text, &rows);
    crash_commit(j, true);
    if (s)
        return RUN_FAULT;
    if (gate.known && !gate.open) {
        change_intent_dropped(j);
        json_object_del(j->changes, "cutover");
        gates_closed(in, j, &gate);
        return RUN_WAIT;
    }
    if (!db_bool(rows, 0, "held"))
        return RUN_DROPPED;
    j->epoch = json_int(j->changes, "epoch", j->epoch);
    if (deployment_flags_change(j))
        in->changed(in->ctx, flag_topic(j->app, j->environment, (char[FLAG_TOPIC]){0}));
    json_decref(j->changes);
    j->changes = NULL;
    j->untold_us = 0;
    in->changed(in->ctx, j->environment_id);
    return last ? RUN_ENDED : RUN_WAIT;
}

/* Whether nothing but progress is to be stored, and that may wait: the pod that comes next, which
 * may be the last, does not wait for the commit that tells of this one.  *until_us: until then. */
static bool may_wait(struct job *j, int64_t *until_us) {
    static const char *const progress[] = {"steps", "current_step", "records"};
    int64_t now = clock_monotonic_us(), due;
    size_t known = 0;

    for (size_t i = 0; i < sizeof progress / sizeof *progress; i++)
        known += json_object_get(j->changes, progress[i]) != NULL;
    if (!j->changes || known < json_object_size(j->changes))
        return false;
    if (!j->untold_us)
        j->untold_us = now;
    due = j->untold_us + TELL_AFTER_MS * US_PER_MS;
    if (now >= due)
        return false;
    if (!*until_us || due < *until_us)
        *until_us = due;
    return true;
}

/* ---- looking and asking ---- */

static void look(const struct run_settings *in, struct job *j, struct seen *seen) {
    const struct step_row *row = job_row(j);

    switch (row->look) {
    case LOOK_BLIND:
        *seen = (struct seen){.now_us = clock_monotonic_us(), .reachable = true};
        break;
    case LOOK_GLANCE:
        observe_cached(j->cluster, j->plan.spec, seen);
        break;
    case LOOK_NAMED:
        observe_named(j->cluster, &j->plan, &j->journal, seen);
        break;
    case LOOK_FRESH:
    case LOOK_KNOWN:
        observe_fresh(j->cluster, &j->plan, &j->journal, seen);
        if (!seen->reachable && row->look == LOOK_KNOWN)
            observe_cached(j->cluster, j->plan.spec, seen);
        break;
    case LOOK_FOLLOWS:
        observe_after_writes(j->cluster, &j->plan, &j->journal, seen);
        break;
    }
    if (row->gates)
        cutover_gates(in->pool, j, &seen->gate);
    if (row->flags)
        deployment_flags_look(in->pool, j, row->flags, &seen->flags);
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
        p->started_us = clock_monotonic_us();
    return j->undoing && j->confirmed_us ? j->confirmed_us : p->started_us;
}

/* The last look.  A step may go by the one that has just ended the step before it. */
struct sight {
    struct seen seen;
    bool counts;
};

static void sight_done_cleanup(struct sight *s) {
    seen_done(&s->seen);
}

/* What a step that looks with LOOK_FOLLOWS may go by. */
static bool shows_our_writes(Look look) {
    return look == LOOK_FOLLOWS || look == LOOK_NAMED || look == LOOK_FRESH;
}

static void ask(const struct run_settings *in, struct job *j, struct sight *sight,
                struct decision *d) {
    const struct step_row *row = job_row(j);
    struct seen *seen = &sight->seen;
    struct step_ask a = {&j->plan, &j->journal, seen, step_started(j)};
    int64_t next = 0;

    if (!sight->counts || row->look != LOOK_FOLLOWS) {
        seen_done(seen);
        look(in, j, seen);
    }
    if (j->prober)
        run_checks(in, j, prober_set(j->prober), seen, &next);
    row->decide(&a, d);
    /* law 3: checks that passed in one step are none of another's */
    sight->counts = (d->kind == DECIDE_DONE || d->kind == DECIDE_SKIP) && seen->check_count == 0 &&
                    shows_our_writes(row->look);
    if (d->kind == DECIDE_WAIT && d->checks != CHECKS_NONE && !j->prober)
        run_checks(in, j, d->checks, seen, &next);
    if (d->kind == DECIDE_WAIT && next && (!d->until_us || next < d->until_us))
        d->until_us = next;
}

/* ---- the turn ---- */

/* What is done about a write that did not go through.  true: go on at once. */
static bool take_refusal(const struct run_settings *in, struct job *j, struct intent *intent,
                         const struct write_outcome *w, int64_t *until_us) {
    int64_t since = step_started(j), now = clock_monotonic_us();
    int patience_ms = job_row(j)->patience_ms;

    if (patience_ms && (w->end == WRITE_NO || now > since + patience_ms * US_PER_MS)) {
        change_result(j, intent, INTENT_REFUSED, ""); /* law 2 wins: traffic first, this later */
        return true;
    }
    if (w->end == WRITE_NO || (!job_backward(j) && now > since + j->plan.available_s * US_PER_S)) {
        change_result(j, intent, INTENT_REFUSED, "");
        return fail(in, j, w->end == WRITE_NO ? w->code : "cluster-unavailable", w->detail,
                    w->end == WRITE_NO
                        ? w->hint
                        : "Check the API server and the credentials of the cluster.");
    }
    set_progress(j, "waiting", w->detail);
    *until_us = w->until_us;
    return false;
}

/* A write came back.  true: go on at once. */
static bool take_outcome(const struct run_settings *in, struct job *j, struct intent *intent,
                         const struct write_outcome *w, int64_t *until_us) {
    switch (w->end) {
    case WRITE_DONE:
        change_result(j, intent, INTENT_DONE, w->resource_version);
        hands_keep(j, intent, w);
        return true;
    case WRITE_HISTORY:
        change_result(j, intent, INTENT_REFUSED, "");
        lose_history(j, w->detail);
        return true;
    case WRITE_VETO:
        if (w->decision.kind == DECIDE_FAILED)
            return fail(in, j, w->decision.code, w->decision.detail, w->decision.hint);
        set_progress(j, "waiting", w->decision.detail);
        *until_us = w->decision.until_us;
        return false;
    case WRITE_NO:
    case WRITE_LATER:
        return take_refusal(in, j, intent, w, until_us);
    case WRITE_DROPPED:
        break;
    }
    return false;
}

/* true: go on at once. */
static bool take_decision(const struct run_settings *in, struct job *j, struct decision *d,
                          int64_t *until_us) {
    switch (d->kind) {
    case DECIDE_DONE:
    case DECIDE_SKIP:
        step_done(j, d);
        return true;
    case DECIDE_FAILED:
        return fail(in, j, d->code, d->detail, d->hint);
    case DECIDE_WRITE:
        set_progress(j, "running", d->detail);
        change_intent(j, d->purpose, d->object_kind, d->object_name, TAKE_PTR(d->write));
        if (job_row(j)->cutover && strcmp(d->purpose, job_row(j)->cutover) == 0)
            change_set(j, "cutover", json_true());
        return true;
    case DECIDE_WAIT:
        set_progress(j, "waiting", d->detail);
        *until_us = d->until_us;
        return false;
    case DECIDE_PAUSE:
        set_progress(j, "waiting", d->detail);
        pause_job(j, d->detail);
        return true;
    }
    return false;
}

static RunEnd run_traced(const struct run_settings *in, struct job *j, int64_t *ret_until_us) {
    _cleanup_(sight_done) struct sight sight = {0};

    for (;;) {
        struct intent *open = job_open_intent(j);
        int64_t until = 0, floor;
        bool again;
        RunEnd end;

        if (!open && job_should_pause(j)) {
            pause_job(j, "asked for by a person");
            again = true;
        } else if (open) {
            _cleanup_(write_outcome_done) struct write_outcome w = {0};

            sight.counts = false;
            end = commit(in, j); /* an intent is committed before it is sent */
            if (end != RUN_WAIT)
                return end;
            again = job_open_intent(j) != open; /* the gates closed */
            if (!again)
                write_intent(in->pool, j, open, &w);
            if (w.end == WRITE_DROPPED)
                return RUN_DROPPED;
            again = again || take_outcome(in, j, open, &w, &until);
        } else {
            struct decision d = {0};

            end = job_row(j)->flags ? commit(in, j) : RUN_WAIT; /* flags see rows: what serves */
            if (end != RUN_WAIT)
                return end;
            ask(in, j, &sight, &d);
            again = take_decision(in, j, &d, &until);
        }
        if (again && !is_last(j) && !deployment_flags_change(j))
            continue;
        end = !again && may_wait(j, &until) ? RUN_WAIT : commit(in, j);
        if (end == RUN_WAIT && again)
            continue;
        if (end != RUN_WAIT)
            return end;
        floor = clock_monotonic_us() + POLL_FLOOR_S * US_PER_S;
        *ret_until_us = until && until < floor ? until : floor;
        return RUN_WAIT;
    }
}

RunEnd run_job(const struct run_settings *in, struct job *j, int64_t *ret_until_us) {
    RunEnd end;

    trace_enter(&j->trace);
    end = run_traced(in, j, ret_until_us);
    trace_enter(NULL);
    return end;
}
