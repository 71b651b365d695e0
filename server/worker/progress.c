#include "worker/progress.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "worker/transition.h"
#include <stdio.h>
#include <string.h>

#define COPY(field, text) snprintf(field, sizeof field, "%s", text)

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

/* Steps of undo and of a clean-up are not among those that people see. */
static bool shown(const struct job *j) {
    return !j->undoing && !job_is_cleanup(j);
}

static bool begun(const struct job_step *p) {
    return *p->state && strcmp(p->state, "pending") != 0;
}

void set_progress(struct job *j, const char *state, const char *detail) {
    struct job_step *p = job_progress(j);

    if (!p->started_us)
        p->started_us = clock_monotonic_us();
    if (strcmp(p->state, state) == 0 && strcmp(p->detail, detail) == 0)
        return;
    if (shown(j)) {
        if (!begun(p)) {
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

/* ---- the end ---- */

/* What stays for a while when traffic has left it; `found` is what was seen of its workload. */
static void keep_for_later(struct job *j, const char *color, const json_t *found) {
    Color c;

    if (!color_find(color, &c) || !json_bool(found, "exists", false)) {
        change_set(j, "cleanup", json_null());
        return;
    }
    change_set(j, "cleanup",
               json_pack("{s:s, s:s, s:s, s:s, s:I}", "color", color, "workload",
                         j->plan.colors[c].workload, "uid", json_str(found, "uid", ""),
                         "template_hash", json_str(found, "template_hash", ""), "after_s",
                         (json_int_t)j->plan.keep_previous_s));
}

/* A color's template was ours and was taken back: what is kept under it until later is whatever it
 * holds. */
static void any_template(struct job *j, Color color) {
    change_set(j, "cleanup_any", json_string(color_names[color]));
}

static void end_forward(struct job *j) {
    const json_t *resolved = j->plan.resolved;
    char detail[SEEN_TEXT];

    if (strcmp(j->kind, "deploy") == 0)
        keep_for_later(j, json_str(resolved, "color", ""), json_object_get(resolved, "from"));
    else if (json_is_object(json_object_get(j->plan_json, "took_over")))
        any_template(j, color_other(j->plan.target));
    else
        keep_for_later(j, color_names[color_other(j->plan.target)],
                       json_object_get(resolved, "left"));
    snprintf(detail, sizeof detail, "%s %s of %s", color_names[j->plan.target], j->version, j->app);
    change_state(
        j, EVENT_SUCCEED,
        json_pack("{s:s, s:s}", "version", j->version, "color", color_names[j->plan.target]),
        detail);
}

static void end_job(struct job *j) {
    const char *code = json_str(json_object_get(j->plan_json, "failure"), "code", "");

    if (job_is_cleanup(j)) {
        change_set(j, "cleaned", json_true());
        change_set(j, "release", json_true());
        change_record(j,
                      strcmp(job_progress(j)->state, "skipped") == 0 ? "cleanup.skipped"
                                                                     : "workload.scaled",
                      NULL, "Clean-up: %s", job_progress(j)->detail);
        return;
    }
    change_set(j, "end", json_true());
    if (!j->undoing) {
        end_forward(j);
        return;
    }
    any_template(j, j->plan.target);
    change_state(j, strcmp(code, "aborted") == 0 ? EVENT_ABORTED : EVENT_UNDONE,
                 json_pack("{s:s}", "version", j->version), "");
}

/* ---- steps that are done ---- */

static bool has_effect(const struct job_step *p) {
    static const char *const none[] = {"", "pending", "undone", "skipped", "failed"};

    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (strcmp(p->state, none[i]) == 0)
            return false;
    return true;
}

/* Marks the deploy steps whose effects are taken back by now. */
static void mark_undone(struct job *j, const char *first) {
    bool after = false;

    for (size_t i = 0; i < j->row_count; i++) {
        after = after || strcmp(j->rows[i].name, first) == 0;
        if (!after || !has_effect(&j->steps[i]))
            continue;
        COPY(j->steps[i].state, "undone");
        change_step(j, j->rows[i].name, "undone", j->steps[i].detail);
        change_record(j, "step.undone", json_pack("{s:s}", "step", j->rows[i].name), "Undone: %s",
                      j->rows[i].title);
    }
}

static void record_switch(struct job *j, const char *action, const char *to) {
    Color c;

    change_record(j, action,
                  json_pack("{s:s, s:s, s:s}", "service", j->plan.service, "from",
                            color_find(to, &c) ? color_names[color_other(c)] : "", "to", to),
                  "%s", job_progress(j)->detail);
}

static void undo_step_done(struct job *j, bool skipped) {
    const char *name = job_row(j)->name;

    if (job_row(j)->confirms)
        j->confirmed_us = clock_monotonic_us();
    if (skipped)
        return;
    if (strcmp(name, "undo-traffic") == 0) {
        record_switch(j, "traffic.restored", json_str(j->plan.resolved, "color", ""));
        mark_undone(j, "switch-traffic");
    } else if (strcmp(name, "undo-apply") == 0) {
        change_record(j, "workload.scaled",
                      json_pack("{s:s}", "workload", j->plan.colors[j->plan.target].workload), "%s",
                      job_progress(j)->detail);
        mark_undone(j, "apply");
    }
}

static void own_step_done(struct job *j) {
    const char *name = job_row(j)->name;
    struct job_step *p = job_progress(j);
    json_t *data = json_pack("{s:s, s:I}", "step", name, "took_ms",
                             (json_int_t)((clock_monotonic_us() - p->started_us) / US_PER_MS));

    change_record(j, "step.completed", data, "%s: %s", job_row(j)->title, p->detail);
    if (strcmp(name, "apply") == 0)
        change_record(j, "workload.applied",
                      json_pack("{s:s, s:s}", "workload", j->plan.colors[j->plan.target].workload,
                                "image", j->plan.image),
                      "%s", p->detail);
    if (strcmp(name, "switch-traffic") == 0)
        record_switch(j, job_backward(j) ? "traffic.restored" : "traffic.switched",
                      color_names[j->plan.target]);
    if (strcmp(name, "undo-apply") == 0)
        change_record(j, "workload.scaled", NULL, "%s", p->detail);
}

void step_done(struct job *j, struct decision *d) {
    bool skipped = d->kind == DECIDE_SKIP;

    if (d->resolved)
        change_resolved(j, TAKE_PTR(d->resolved));
    set_progress(j, skipped ? "skipped" : "done", d->detail);
    if (!skipped)
        metric_observe(METRIC_STEP_TIME, metric_place(LABEL_STEP, job_row(j)->name),
                       clock_monotonic_us() - job_progress(j)->started_us);
    if (job_row(j)->confirms)
        change_set(j, "confirmed", json_true());
    if (job_row(j)->flags)
        change_set(j, "flags", json_string(job_row(j)->flags));
    if (job_row(j)->adopts && !skipped)
        change_record(j, "history.adopted", NULL, "%s", d->detail);
    if (j->undoing)
        undo_step_done(j, skipped);
    else if (!skipped && shown(j))
        own_step_done(j);
    prober_free(j->prober);
    j->prober = NULL;
    if (!job_next(j))
        end_job(j);
}

/* ---- failures ---- */

static json_t *failure_json(const char *code, const char *detail, const char *hint) {
    return json_pack("{s:s, s:s, s:s}", "code", code, "detail", detail, "hint", hint ? hint : "");
}

static void begin_undo(struct job *j, json_t *failure, const char *detail) {
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

static void give_cleanup_up(struct job *j, const char *code, const char *detail) {
    change_set(j, "cleaned", json_true());
    change_set(j, "release", json_true());
    change_record(j, "cleanup.given_up", json_pack("{s:s}", "code", code), "Clean-up: %s", detail);
}

void fail_step(struct job *j, const char *code, const char *detail, const char *hint) {
    if (job_is_cleanup(j)) {
        give_cleanup_up(j, code, detail);
        return;
    }
    if (shown(j)) {
        set_progress(j, "failed", detail);
        change_record(j, "step.failed",
                      json_pack("{s:s, s:s}", "step", job_row(j)->name, "code", code), "%s: %s",
                      job_row(j)->title, detail);
    }
    if (j->undoing || strcmp(j->kind, "deploy") != 0)
        become_stuck(j, code, detail,
                     hint && *hint ? hint : "Put it right by hand, then retry, abort or resolve.");
    else
        begin_undo(j, failure_json(code, detail, hint), detail);
}

void become_stuck(struct job *j, const char *code, const char *detail, const char *hint) {
    json_t *failure, *cause = j->undoing ? json_object_get(j->plan_json, "failure") : NULL;

    if (job_is_cleanup(j)) { /* the deployment that it belongs to has ended */
        give_cleanup_up(j, code, detail);
        return;
    }
    failure = failure_json(code, detail, hint);
    change_state(j, EVENT_STUCK, json_pack("{s:s}", "code", code), detail);
    json_object_set(failure, "cause", cause); /* a retry takes it up again */
    change_set(j, "failure", failure);
    change_set(j, "release", json_true());
}

/* ---- pause ---- */

bool job_should_pause(struct job *j) {
    return j->pause_requested && !j->undoing && strcmp(j->kind, "deploy") == 0 &&
           !begun(job_progress(j));
}

void pause_job(struct job *j, const char *detail) {
    change_state(j, EVENT_PAUSE, json_pack("{s:s}", "step", job_row(j)->name), detail);
    change_set(j, "current_step", json_string(job_row(j)->name));
    change_set(j, "release", json_true());
}
