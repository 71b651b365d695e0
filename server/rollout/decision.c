#include "rollout/step.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAY(d, format)                                                                             \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        vsnprintf((d)->detail, sizeof(d)->detail, format, args);                                   \
        va_end(args);                                                                              \
    } while (0)

void decide_done(struct decision *d, const char *format, ...) {
    d->kind = DECIDE_DONE;
    SAY(d, format);
}

void decide_skip(struct decision *d, const char *format, ...) {
    d->kind = DECIDE_SKIP;
    SAY(d, format);
}

void decide_wait(struct decision *d, int64_t until_us, const char *format, ...) {
    d->kind = DECIDE_WAIT;
    d->until_us = until_us;
    SAY(d, format);
}

void decide_pause(struct decision *d, const char *format, ...) {
    d->kind = DECIDE_PAUSE;
    SAY(d, format);
}

void decide_failed(struct decision *d, const char *code, const char *hint, const char *format,
                   ...) {
    d->kind = DECIDE_FAILED;
    d->code = code;
    d->hint = hint;
    SAY(d, format);
}

void decide_write(struct decision *d, const char *purpose, const char *kind, const char *name,
                  const char *verb, json_t *body) {
    d->kind = DECIDE_WRITE;
    d->purpose = purpose;
    d->object_kind = kind;
    d->object_name = name;
    d->write = json_pack("{s:s, s:o}", "verb", verb, "body", body);
    snprintf(d->detail, sizeof d->detail, "writing %s %s", kind, name);
}

static void add_row(json_t *all, const struct step_row *row) {
    json_array_append_new(all, json_pack("{s:s, s:s}", "name", row->name, "title", row->title));
}

json_t *step_rows_json(const struct step_row *rows, size_t n) {
    json_t *all = json_array();

    for (size_t i = 0; i < n; i++)
        add_row(all, &rows[i]);
    return all;
}

json_t *deployment_steps_json(const char *strategy, bool gated, const json_t *plan) {
    size_t n = 0, first;
    const struct step_row *rows = strategy_steps(strategy, &n);
    json_t *all = json_array();

    for (size_t k = 0; k < n; k++) {
        first = 0;
        if (rows[k].gates ? gated : !rows[k].flags || plan_flag_change(plan, rows[k].flags, &first))
            add_row(all, &rows[k]);
    }
    return all;
}

const json_t *plan_flag_change(const json_t *plan, const char *at, size_t *i) {
    const json_t *changes = json_object_get(plan, "flags");

    for (; *i < json_array_size(changes); (*i)++)
        if (strcmp(json_str(json_array_get(changes, *i), "at", ""), at) == 0)
            return json_array_get(changes, *i);
    return NULL;
}

const struct intent *journal_find(const struct journal *j, const char *job, const char *purpose) {
    for (size_t i = j->count; i-- > 0;) {
        const struct intent *n = &j->intents[i];

        if (n->result != INTENT_VOID && strcmp(n->job, job) == 0 &&
            strcmp(n->purpose, purpose) == 0)
            return n;
    }
    return NULL;
}

bool journal_done(const struct journal *j, const char *job, const char *purpose) {
    const struct intent *n = journal_find(j, job, purpose);

    return n && n->result == INTENT_DONE;
}

bool journal_touched(const struct journal *j, const char *job, const char *kind, const char *name) {
    for (size_t i = 0; i < j->count; i++)
        if (strcmp(j->intents[i].job, job) == 0 && strcmp(j->intents[i].kind, kind) == 0 &&
            strcmp(j->intents[i].name, name) == 0)
            return true;
    return false;
}

bool journal_wrote(const struct journal *j, const char *kind, const char *name) {
    for (size_t i = 0; i < j->count; i++)
        if (j->intents[i].result == INTENT_DONE && strcmp(j->intents[i].kind, kind) == 0 &&
            strcmp(j->intents[i].name, name) == 0)
            return true;
    return false;
}

void journal_drop_last(struct journal *j) {
    struct intent *n = &j->intents[--j->count];

    free(n->job);
    free(n->step);
    free(n->purpose);
    free(n->kind);
    free(n->name);
    json_decref(n->write);
}

void journal_clear(struct journal *j) {
    while (j->count > 0)
        journal_drop_last(j);
    free(j->intents);
    for (size_t i = 0; i < j->left_count; i++) {
        free(j->left[i].kind);
        free(j->left[i].name);
        free(j->left[i].comparable);
    }
    free(j->left);
    *j = (struct journal){0};
}
