#include "rollout/left.h"
#include "rollout/change.h"
#include <stdlib.h>
#include <string.h>

static struct left *entry_of(const struct journal *j, const char *kind, const char *name) {
    for (size_t i = 0; i < j->left_count; i++)
        if (strcmp(j->left[i].kind, kind) == 0 && strcmp(j->left[i].name, name) == 0)
            return &j->left[i];
    return NULL;
}

void left_set(struct journal *j, const char *kind, const char *name, const char *comparable,
              bool ours) {
    struct left *l = entry_of(j, kind, name);

    if (!comparable)
        return;
    if (!l) {
        j->left = xrealloc(j->left, (j->left_count + 1) * sizeof *j->left);
        l = &j->left[j->left_count++];
        *l = (struct left){.kind = xstrdup(kind), .name = xstrdup(name)};
    }
    free(l->comparable);
    l->comparable = xstrdup(comparable);
    l->ours = ours;
}

/* Whether the object carries an op of ours of which nothing was noted. */
static bool in_doubt(const struct journal *j, const char *op) {
    for (size_t i = 0; op && *op && i < j->count; i++)
        if (strcmp(j->intents[i].op, op) == 0)
            return j->intents[i].result != INTENT_DONE;
    return false;
}

/* What resolve found of an object: {exists, comparable}; NULL when it is none of the three. */
static const json_t *resolved_of(const struct plan *p, const char *kind, const char *name) {
    if (strcmp(kind, "Service") == 0 && strcmp(name, p->service) == 0)
        return json_object_get(p->resolved, "service");
    if (strcmp(kind, "Deployment") == 0)
        return json_object_get(
            p->resolved, strcmp(name, p->colors[p->target].workload) == 0 ? "target" : "from");
    return NULL;
}

bool left_find(const struct plan *p, const struct journal *j, const char *kind, const char *name,
               const char *op, const char **ret) {
    const struct left *l = entry_of(j, kind, name);
    const json_t *found = resolved_of(p, kind, name);

    *ret = NULL;
    if (in_doubt(j, op))
        return false;
    if (l && l->ours) {
        *ret = l->comparable;
        return true;
    }
    *ret = json_str(found, "comparable", NULL);
    return *ret || (json_is_false(json_object_get(found, "exists")) &&
                    !journal_wrote(j, kind, name)); /* by now it may be there */
}

bool left_latest(const struct journal *j, const char *kind, const char *name, const char *op,
                 const char **ret) {
    const struct left *l = entry_of(j, kind, name);

    *ret = l && !in_doubt(j, op) ? l->comparable : NULL;
    return *ret != NULL;
}

bool left_find_any(const struct plan *p, const struct journal *j, const char *kind,
                   const char *name, const char *op, const char **ret) {
    return left_find(p, j, kind, name, op, ret) || left_latest(j, kind, name, op, ret);
}

/* RFC 7396, for the members of an object. */
static void merge(json_t *object, const json_t *patch) {
    const char *key;
    json_t *value, *now;

    json_object_foreach((json_t *)(uintptr_t)patch, key, value) {
        now = json_object_get(object, key);
        if (json_is_null(value)) {
            json_object_del(object, key);
        } else if (json_is_object(value)) {
            if (!json_is_object(now)) {
                now = json_object();
                json_object_set_new(object, key, now);
            }
            merge(now, value);
        } else {
            json_object_set_new(object, key, json_deep_copy(value));
        }
    }
}

static bool merges(const struct intent *n) {
    const char *verb = json_str(n->write, "verb", "");

    return strcmp(verb, WRITE_MERGE) == 0 || strcmp(verb, WRITE_SELECT) == 0;
}

char *left_expected(const struct plan *p, const struct journal *j, const char *kind,
                    const char *name, const char *op) {
    json_auto_t *object = NULL;
    const char *was;

    if (!left_find_any(p, j, kind, name, NULL, &was) || !was)
        return NULL;
    if (!in_doubt(j, op))
        return xstrdup(was);
    for (size_t i = 0; i < j->count; i++)
        if (strcmp(j->intents[i].op, op) == 0 && merges(&j->intents[i])) {
            object = json_parse(was);
            merge(json_object_get(object, "spec"),
                  json_at(j->intents[i].write, "body", "spec", NULL));
        }
    return object ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
}

static void compare(const struct plan *p, const struct journal *j, const char *kind,
                    const char *name, const char *op, const char *is, bool autoscaled,
                    struct seen_change *ret) {
    const char *was;

    if (left_find(p, j, kind, name, op, &was))
        change_find(was, is, autoscaled, ret);
}

void left_compare(const struct plan *p, const struct journal *j, struct seen *seen) {
    struct seen_service *s = &seen->service;

    compare(p, j, "Service", p->service, s->op, s->comparable, false, &s->change);
    for (Color c = COLOR_BLUE; c < COLORS; c++) {
        struct seen_workload *w = &seen->workload[c];

        compare(p, j, "Deployment", p->colors[c].workload, w->op, w->comparable,
                w->autoscaler.exists, &w->change);
    }
}

static bool stop(const char *kind, const char *name, const struct seen_change *c,
                 struct decision *d) {
    char sentence[sizeof d->detail];

    if (c->kind == CHANGE_NONE)
        return false;
    change_sentence(kind, name, c, sentence, sizeof sentence);
    decide_failed(d, "third-party-change",
                  c->kind == CHANGE_GONE
                      ? "Somebody deleted it: agree with them, then deploy again."
                      : "Somebody else changes it: agree with them, then deploy again.",
                  "%s", sentence);
    return true;
}

bool left_stops(const struct step_ask *a, struct decision *d) {
    const struct plan *p = a->plan;
    const struct seen_workload *from = &a->seen->workload[color_other(p->target)];
    bool left_already = journal_done(a->journal, "deploy", "switch");

    return stop("Service", p->service, &a->seen->service.change, d) ||
           stop("Deployment", p->colors[p->target].workload, &a->seen->workload[p->target].change,
                d) ||
           (!left_already && from->change.kind != CHANGE_GONE &&
            stop("Deployment", p->colors[color_other(p->target)].workload, &from->change, d));
}
