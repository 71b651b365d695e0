#include "domain/gate.h"
#include "base/clock.h"
#include "domain/signoff.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct asking {
    const json_t *facts;
    int64_t now_us;
    GateWhen when;
    struct gate_verdict *v;
    const char *app, *environment, *version;
};

/* The answer may change at t. */
static void may_change(struct gate_verdict *v, int64_t t, int64_t now_us) {
    if (t > now_us && (!v->next_us || t < v->next_us))
        v->next_us = t;
}

struct blocker {
    const char *gate, *code, *what;
    const char *who[3]; /* ended by NULL */
    json_t *also;       /* more of them; taken; or NULL */
    int64_t opens_us;
    json_t *link; /* taken */
};

static void PRINTF(3, 4) block(struct asking *a, const struct blocker *b, const char *why, ...) {
    json_t *out = json_object(), *who = json_array();
    va_list args;

    for (const char *const *w = b->who; *w; w++)
        json_array_append_new(who, json_string(*w));
    json_set_str(out, "gate", b->gate);
    json_set_str(out, "code", b->code);
    json_set_str(out, "what", b->what);
    va_start(args, why);
    json_object_set_new(out, "why", json_vsprintf(why, args));
    va_end(args);
    json_array_extend(who, b->also);
    json_decref(b->also);
    json_object_set_new(out, "who", who);
    if (b->opens_us)
        json_set_time(out, "opens_at", b->opens_us);
    json_object_set_new(out, "link", b->link);
    json_array_append_new(a->v->blockers, out);
    a->v->frozen_only = a->v->frozen_only && strcmp(b->gate, "freeze") == 0;
}

/* ---- the release ---- */

/* Whether what is asked for is about a release. */
static bool asks_about_release(const struct asking *a) {
    const json_t *gates = json_object_get(a->facts, "gates");

    return json_is_string(json_object_get(json_object_get(gates, "checklist"), "before")) ||
           json_array_size(json_object_get(gates, "approvals")) > 0 ||
           json_is_string(json_object_get(gates, "previous_environment"));
}

static void ask_release(struct asking *a) {
    const json_t *release = json_object_get(a->facts, "release");

    if (!json_is_object(release) && !asks_about_release(a) &&
        (a->when == GATE_TRAFFIC || a->when == GATE_CUTOVER))
        return;
    if (!json_is_object(release))
        block(a,
              &(struct blocker){.gate = "release",
                                .code = "release-missing",
                                .what = a->version,
                                .who = {"ci", "releaser"},
                                .link = json_sprintf("/api/v1/apps/%s/releases", a->app)},
              "App %s has no release %s: CI registers it.", a->app, a->version);
    else if (json_bool(release, "yanked", true))
        block(a,
              &(struct blocker){
                  .gate = "release",
                  .code = "release-yanked",
                  .what = a->version,
                  .who = {"releaser"},
                  .link = json_sprintf("/api/v1/apps/%s/releases/%s", a->app, a->version)},
              "Release %s was taken out of use: deploy another.", a->version);
}

static void ask_environment(struct asking *a) {
    const char *active = json_str(a->facts, "active", NULL);

    if (!active || a->when != GATE_ASKED)
        return;
    block(a,
          &(struct blocker){.gate = "environment",
                            .code = "environment-busy",
                            .what = active,
                            .who = {"releaser"},
                            .link = json_sprintf("/api/v1/deployments/%s", active)},
          "Deployment %s is active in %s.", active, a->environment);
}

/* ---- freezes ---- */

static bool counts(const struct asking *a, const json_t *freeze) {
    return a->when != GATE_CUTOVER || !json_bool(freeze, "let_running_finish", false);
}

/* The end of a window of the freeze that holds t, 0: none does. */
static int64_t frozen_until(const json_t *freeze, int64_t t) {
    const json_t *window;
    size_t i;

    json_array_foreach(json_object_get(freeze, "windows"), i, window) {
        int64_t from = json_integer_value(json_array_get(window, 0));
        int64_t to = json_integer_value(json_array_get(window, 1));

        if (from <= t && t < to)
            return to;
    }
    return 0;
}

/* The first moment from t on that no freeze holds; 0: it lies beyond what is known of one. */
static int64_t thawed(const struct asking *a, int64_t t) {
    const json_t *freezes = json_object_get(a->facts, "freezes"), *freeze;
    int64_t until = t, end, known;
    size_t i;

    do {
        t = until;
        json_array_foreach(freezes, i, freeze) if (counts(a, freeze) &&
                                                   (end = frozen_until(freeze, until))) until = end;
    } while (until > t);
    json_array_foreach(freezes, i, freeze) {
        known = json_int(freeze, "known_until_us", 0);
        if (counts(a, freeze) && known && known <= t)
            return 0;
    }
    return t;
}

static void freeze_times(struct asking *a, const json_t *freeze) {
    const json_t *window;
    size_t i;

    json_array_foreach(json_object_get(freeze, "windows"), i, window) {
        may_change(a->v, json_integer_value(json_array_get(window, 0)), a->now_us);
        may_change(a->v, json_integer_value(json_array_get(window, 1)), a->now_us);
    }
}

static void ask_freezes(struct asking *a) {
    const json_t *freezes = json_object_get(a->facts, "freezes"), *freeze;
    int64_t lifted_us = json_int(a->facts, "break_glass_us", 0), end;
    size_t i;

    may_change(a->v, lifted_us, a->now_us);
    json_array_foreach(freezes, i, freeze) {
        freeze_times(a, freeze);
        end = frozen_until(freeze, a->now_us);
        if (!end || lifted_us > a->now_us || !counts(a, freeze))
            continue;
        block(a,
              &(struct blocker){.gate = "freeze",
                                .code = "frozen",
                                .what = json_str(freeze, "id", ""),
                                .who = {"operator"},
                                .opens_us = thawed(a, end),
                                .link =
                                    json_sprintf("/api/v1/freezes/%s", json_str(freeze, "id", ""))},
              "Frozen by %s: %s", json_str(freeze, "by", "?"), json_str(freeze, "reason", ""));
    }
}

/* ---- where it ran before, what is not accepted yet ---- */

static void ask_previous(struct asking *a) {
    const char *name = json_str(json_object_get(a->facts, "gates"), "previous_environment", NULL);

    if (!name || json_is_object(json_object_get(a->facts, "previous")))
        return;
    block(a,
          &(struct blocker){.gate = "previous-environment",
                            .code = "not-deployed-there",
                            .what = name,
                            .who = {"ci", "releaser"},
                            .link = json_sprintf("/api/v1/apps/%s/environments/%s", a->app, name)},
          "%s has not been deployed to %s with success.", a->version, name);
}

/* Who can accept it: those whose roles are missing; a reject, who gave it. */
static json_t *who_accepts(const json_t *last) {
    json_t *who = json_array(), *role;
    size_t i;

    json_array_extend(who, json_object_get(last, "rejected_by"));
    if (json_array_size(who)) {
        json_array_append_new(who, json_string("admin"));
        return who;
    }
    json_array_foreach(json_object_get(last, "missing"), i, role)
        json_array_append_new(who, json_sprintf("approver:%s", json_string_value(role)));
    return who;
}

static void ask_accepted(struct asking *a) {
    const json_t *last = json_object_get(a->facts, "unaccepted");
    const char *id = json_str(last, "deployment", ""), *acceptance;

    if (!json_is_object(last))
        return;
    acceptance = json_str(last, "acceptance", "unknown");
    block(a,
          &(struct blocker){.gate = "acceptance",
                            .code = "not-accepted",
                            .what = id,
                            .also = who_accepts(last),
                            .link = json_sprintf("/api/v1/deployments/%s/signoffs", id)},
          "%s serves, and its acceptance is %s: %s or roll it back.",
          json_str(last, "version", "?"), acceptance,
          strcmp(acceptance, "rejected") == 0 ? "withdraw the reject" : "accept it");
}

/* ---- the checklist ---- */

const char *const item_state_names[] = {
    [ITEM_OPEN] = "open",     [ITEM_PASSED] = "passed",   [ITEM_FAILED] = "failed",
    [ITEM_WAIVED] = "waived", [ITEM_EXPIRED] = "expired",
};

ItemState gate_item_state(const json_t *item, int64_t max_age_s, int64_t now_us,
                          int64_t *ret_until_us) {
    const json_t *fact = json_object_get(item, "fact"), *waiver = json_object_get(item, "waiver");
    const char *state = json_str(fact, "state", "open");
    int64_t until = json_int(waiver, "expires_us", 0), aged;

    *ret_until_us = until;
    if (json_is_object(waiver) && until > now_us)
        return ITEM_WAIVED;
    *ret_until_us = 0;
    if (strcmp(state, "failed") == 0)
        return ITEM_FAILED;
    if (strcmp(state, "passed") != 0)
        return ITEM_OPEN;
    until = json_int(fact, "expires_us", 0);
    aged = json_int(fact, "observed_us", 0) + max_age_s * US_PER_S;
    if (max_age_s && json_bool(fact, "evidence", false) && (!until || aged < until))
        until = aged;
    if (until && until <= now_us)
        return ITEM_EXPIRED;
    *ret_until_us = until;
    return ITEM_PASSED;
}

static const char *item_why(bool by_ci, ItemState state) {
    if (state == ITEM_FAILED)
        return "It failed";
    if (state == ITEM_EXPIRED)
        return "It passed, too long ago";
    return by_ci ? "No evidence has come from CI" : "Nobody has confirmed it";
}

static void block_item(struct asking *a, const json_t *item, ItemState state) {
    const json_t *fact = json_object_get(item, "fact");
    const char *said = json_str(fact, "summary", json_str(fact, "note", NULL));
    bool by_ci = strcmp(json_str(item, "kind", ""), "evidence") == 0;
    const char *key = json_str(item, "key", "");
    char code[32];

    snprintf(code, sizeof code, "item-%s", item_state_names[state]);
    block(a,
          &(struct blocker){.gate = "checklist",
                            .code = code,
                            .what = key,
                            .who = {by_ci ? "ci" : "releaser", "operator"},
                            .link = json_sprintf("/api/v1/apps/%s/releases/%s/checklists/%s",
                                                 a->app, a->version, a->environment)},
          "%s: %s%s%s.", json_str(item, "title", key), item_why(by_ci, state),
          state == ITEM_FAILED && said ? ": " : "", state == ITEM_FAILED && said ? said : "");
}

static void ask_checklist(struct asking *a) {
    const json_t *gates = json_object_get(a->facts, "gates");
    const json_t *checklist = json_object_get(a->facts, "checklist"), *item;
    const char *template = json_str(json_object_get(gates, "checklist"), "before", NULL);
    int64_t max_age_s = json_int(gates, "evidence_max_age_s", 0), until;
    size_t i;

    if (template && !json_is_object(checklist)) {
        block(a,
              &(struct blocker){.gate = "checklist",
                                .code = "template-missing",
                                .what = template,
                                .who = {"admin"},
                                .link = json_sprintf("/api/v1/checklist-templates/%s", template)},
              "The gates name the checklist template %s, which does not exist.", template);
    }
    json_array_foreach(json_object_get(checklist, "items"), i, item) {
        ItemState state = gate_item_state(item, max_age_s, a->now_us, &until);

        may_change(a->v, until, a->now_us);
        if (state != ITEM_PASSED && state != ITEM_WAIVED && json_bool(item, "required", true))
            block_item(a, item, state);
    }
}

/* ---- approvals ---- */

static bool same_person(const json_t *a, const json_t *b) {
    return json_equal(json_object_get(a, "subject"), json_object_get(b, "subject")) &&
           json_equal(json_object_get(a, "issuer"), json_object_get(b, "issuer"));
}

/* Bound to this content and this checklist; an approval by somebody who neither made nor asked.
 * NULL: it counts; else why not. */
static const char *why_void(const struct asking *a, const json_t *signoff) {
    const json_t *release = json_object_get(a->facts, "release");
    json_t *made_by = json_object_get(release, "created_by");
    bool self = json_bool(json_object_get(a->facts, "gates"), "self_approval", false);
    json_auto_t *authors =
        self ? NULL : json_pack("[O*, O*]", made_by, json_object_get(a->facts, "requested_by"));
    const struct signoff_about about = {
        .content_digest = json_str(release, "content_digest", NULL),
        .checklist = json_str(json_object_get(a->facts, "checklist"), "name", ""),
        .authors = authors,
    };
    const char *why = signoff_void(signoff, &about);

    if (!why)
        return NULL;
    if (strcmp(why, "content-changed") == 0)
        return "it is about other content";
    if (strcmp(why, "checklist-changed") == 0)
        return "the checklist has changed since";
    return same_person(signoff, made_by) ? "who creates a release does not approve it"
                                         : "who asks for a deployment does not approve it";
}

static json_t *signoffs_link(const struct asking *a) {
    return json_sprintf("/api/v1/apps/%s/releases/%s/signoffs", a->app, a->version);
}

static void ask_rejections(struct asking *a) {
    const json_t *signoff;
    size_t i;

    json_array_foreach(json_object_get(a->facts, "signoffs"), i, signoff) {
        const char *note = json_str(signoff, "note", NULL);

        if (strcmp(json_str(signoff, "decision", ""), "approve") == 0 || why_void(a, signoff))
            continue;
        block(a,
              &(struct blocker){.gate = "approvals",
                                .code = "rejected",
                                .what = json_str(signoff, "id", ""),
                                .who = {json_str(signoff, "subject", "?"), "admin"},
                                .link = signoffs_link(a)},
              "Rejected by %s (%s)%s%s.", json_str(signoff, "subject", "?"),
              json_str(signoff, "role", "?"), note ? ": " : "", note ? note : "");
    }
}

/* How many approvals of a role count.  *ret_not: one that does not (NULL: none), *ret_why: why. */
static int64_t approvals(const struct asking *a, const char *role, const json_t **ret_not,
                         const char **ret_why) {
    const json_t *signoff;
    int64_t n = 0;
    size_t i;

    *ret_not = NULL;
    json_array_foreach(json_object_get(a->facts, "signoffs"), i, signoff) {
        const char *why;

        if (strcmp(json_str(signoff, "role", ""), role) != 0 ||
            strcmp(json_str(signoff, "decision", ""), "approve") != 0)
            continue;
        why = why_void(a, signoff);
        n += !why;
        if (why) {
            *ret_not = signoff;
            *ret_why = why;
        }
    }
    return n;
}

static void ask_approvals(struct asking *a) {
    const json_t *asked = json_object_get(json_object_get(a->facts, "gates"), "approvals"), *one;
    const json_t *not_counted;
    const char *why;
    char who[64];
    size_t i;

    ask_rejections(a);
    json_array_foreach(asked, i, one) {
        const char *role = json_str(one, "role", "");
        int64_t needed = json_int(one, "count", 1), there = approvals(a, role, &not_counted, &why);

        snprintf(who, sizeof who, "approver:%s", role);
        if (there < needed)
            block(a,
                  &(struct blocker){.gate = "approvals",
                                    .code = "approval-missing",
                                    .what = role,
                                    .who = {who},
                                    .link = signoffs_link(a)},
                  "%lld of %lld approvals of %s are there%s%s%s%s.", (long long)there,
                  (long long)needed, role, not_counted ? "; that of " : "",
                  not_counted ? json_str(not_counted, "subject", "?") : "",
                  not_counted ? " does not count: " : "", not_counted ? why : "");
    }
}

/* ---- the whole ---- */

/* When time alone opens what only freezes close: unless something else will have expired. */
static int64_t opens(const struct asking *a) {
    int64_t t = thawed(a, a->now_us);
    struct gate_verdict then;

    if (!t)
        return 0;
    gate_evaluate(a->facts, t, a->when, &then);
    gate_verdict_done(&then);
    return then.open ? t : 0;
}

void gate_evaluate(const json_t *facts, int64_t now_us, GateWhen when, struct gate_verdict *ret) {
    const json_t *environment = json_object_get(facts, "environment");
    struct asking a = {.facts = facts,
                       .now_us = now_us,
                       .when = when,
                       .v = ret,
                       .app = json_str(environment, "app", ""),
                       .environment = json_str(environment, "name", ""),
                       .version = json_str(json_object_get(facts, "release"), "version",
                                           json_str(facts, "version", ""))};

    *ret = (struct gate_verdict){.blockers = json_array(), .frozen_only = true};
    ask_release(&a);
    ask_environment(&a);
    ask_freezes(&a);
    ask_previous(&a);
    ask_accepted(&a);
    ask_checklist(&a);
    ask_approvals(&a);
    ret->open = json_array_size(ret->blockers) == 0;
    ret->frozen_only = ret->frozen_only && !ret->open;
    if (ret->frozen_only)
        ret->opens_us = opens(&a);
}

void gate_verdict_done(struct gate_verdict *v) {
    if (!v)
        return;
    json_decref(v->blockers);
    v->blockers = NULL;
}

void gate_verdict_add(const struct gate_verdict *v, json_t *out) {
    if (v->opens_us)
        json_set_time(out, "opens_at", v->opens_us);
    json_object_set(out, "blockers", v->blockers);
}

json_t *gate_verdict_json(const struct gate_verdict *v) {
    json_t *out = json_object();

    json_object_set_new(out, "open", json_boolean(v->open));
    gate_verdict_add(v, out);
    return out;
}

char *gate_verdict_text(const struct gate_verdict *v) {
    size_t count = json_array_size(v->blockers);
    const char *first = json_str(json_array_get(v->blockers, 0), "why", "");

    return count > 1 ? xasprintf("%s (and %zu more)", first, count - 1) : xstrdup(first);
}
