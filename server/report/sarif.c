/* report/sarif.c: SARIF 2.1.0, as scanners write it (OASIS, March 2020).  What counts is every
 * result that is a failure, is there now, and was not suppressed; its level is its own, or its
 * rule's (§3.27.10) but at least what an invocation's overrides say of any, its severity what
 * GitHub reads: property "security-severity".
 *
 * One run's results are read one by one: 10^5 of them cost no more memory than one. */
#include "report/walk.h"
#include <stdio.h>
#include <string.h>

enum { RESULTS_MAX = 1000000, RULES_MAX = 50000, COMPONENTS_MAX = 256, RUNS_MAX = 1000 };

struct rule {
    ReportLevel level;
    double severity;
};
/* The rules of the driver (component 0) and of the extensions (1 …), one after the other. */
struct run {
    struct rule *rules;
    size_t n;
    size_t begin[COMPONENTS_MAX], count[COMPONENTS_MAX];
    json_t *by_id; /* id → index in rules */
    int raised;    /* the highest level that an invocation gave any rule */
    size_t results_at;
    bool tool, results, invocations;
};
struct reading {
    struct walk w;
    struct report *report;
    struct run run;
    int rank; /* of the results that report->first names */
};

static void run_done(struct run *run) {
    free(run->rules);
    json_decref(run->by_id);
    *run = (struct run){0};
}

/* ---- words and numbers ---- */

static double larger(double a, double b) {
    return a > b ? a : b;
}

/* Which of the words the member is; `otherwise` without it; -1: none of them. */
static int word_of(struct reading *d, const json_t *v, const char *key, const char *const *words,
                   int otherwise) {
    const json_t *given = json_object_get(v, key);
    char below[64];

    if (!given)
        return otherwise;
    for (int i = 0; words[i]; i++)
        if (json_is_string(given) && strcmp(words[i], json_string_value(given)) == 0)
            return i;
    snprintf(below, sizeof below, "/%s", key);
    walk_wrong(&d->w, below, "No %s of SARIF 2.1.0.", key);
    return -1;
}

static int level_of(struct reading *d, const json_t *v, int otherwise) {
    static const char *const levels[] = {"none", "note", "warning", "error", NULL};

    return word_of(d, v, "level", levels, otherwise);
}

/* properties["security-severity"], a number as a text; -1 without. */
static double severity_of(struct reading *d, const json_t *v) {
    const json_t *given = json_object_get(json_object_get(v, "properties"), "security-severity");
    const char *text = json_string_value(given);
    double n = json_number_value(given);

    if (!given || json_is_null(given))
        return -1;
    if (text) {
        size_t whole = strspn(text, "0123456789");
        size_t rest = text[whole] == '.' ? 1 + strspn(text + whole + 1, "0123456789") : 0;

        n = whole && whole + rest == strlen(text) && whole < 4 ? strtod(text, NULL) : -1;
    }
    if (n >= 0 && n <= 10 && (text || json_is_number(given)))
        return n;
    walk_wrong(&d->w, "/properties/security-severity", "A number from 0 to 10, as a text.");
    return -1;
}

/* ---- rules ---- */

/* Of two rules of one id the stricter one holds for both. */
static void name_rule(struct run *run, const char *id, size_t i) {
    const json_t *other = json_object_get(run->by_id, id);
    struct rule *a = &run->rules[i], *b = other ? &run->rules[json_integer_value(other)] : a;

    a->level = b->level = a->level > b->level ? a->level : b->level;
    a->severity = b->severity = larger(a->severity, b->severity);
    if (!other)
        json_object_set_new(run->by_id, id, json_integer((json_int_t)i));
}

static void add_rule(struct reading *d, const json_t *rule) {
    struct run *run = &d->run;
    const char *id = json_str(rule, "id", NULL);
    int level = level_of(d, json_object_get(rule, "defaultConfiguration"), LEVEL_WARNING);
    double severity = severity_of(d, rule);

    if (!id)
        walk_wrong(&d->w, "/id", "Required.");
    else if (run->n == RULES_MAX)
        walk_wrong(&d->w, "", "More than %d rules.", RULES_MAX);
    if (*d->w.fault->detail || level < 0)
        return;
    if ((run->n & (run->n - 1)) == 0) /* it is full at each power of two */
        run->rules = xrealloc(run->rules, (run->n ? 2 * run->n : 1) * sizeof *run->rules);
    run->rules[run->n] = (struct rule){.level = (ReportLevel)level, .severity = severity};
    name_rule(run, id, run->n++);
}

static void read_rules(struct reading *d) {
    static const char *const members[] = {"id", "defaultConfiguration", "properties", NULL};
    size_t i = 0;

    if (walk_null(&d->w) || !walk_open(&d->w, '['))
        return;
    while (walk_item(&d->w, &i)) {
        size_t up = walk_down(&d->w, NULL, i - 1);
        json_auto_t *rule = walk_some(&d->w, members);

        if (rule)
            add_rule(d, rule);
        walk_up(&d->w, up);
    }
}

static void read_component(struct reading *d, size_t component) {
    char key[WALK_KEY_MAX];
    size_t i = 0, up;

    if (component >= COMPONENTS_MAX)
        walk_wrong(&d->w, "", "More than %d extensions.", COMPONENTS_MAX - 1);
    if (!walk_open(&d->w, '{'))
        return;
    d->run.begin[component] = d->run.n;
    while (walk_member(&d->w, &i, key)) {
        if (strcmp(key, "rules") != 0) {
            walk_pass(&d->w);
            continue;
        }
        up = walk_down(&d->w, key, 0);
        read_rules(d);
        walk_up(&d->w, up);
    }
    d->run.count[component] = d->run.n - d->run.begin[component];
}

static void read_extensions(struct reading *d) {
    size_t i = 0;

    if (walk_null(&d->w) || !walk_open(&d->w, '['))
        return;
    while (walk_item(&d->w, &i)) {
        size_t up = walk_down(&d->w, NULL, i - 1);

        read_component(d, i);
        walk_up(&d->w, up);
    }
}

static void read_tool(struct reading *d) {
    char key[WALK_KEY_MAX];
    size_t i = 0;

    if (!walk_open(&d->w, '{'))
        return;
    while (walk_member(&d->w, &i, key)) {
        size_t up = walk_down(&d->w, key, 0);

        if (strcmp(key, "driver") == 0)
            read_component(d, 0);
        else if (strcmp(key, "extensions") == 0)
            read_extensions(d);
        else
            walk_pass(&d->w);
        walk_up(&d->w, up);
    }
}

/* ---- results ---- */

static const struct rule *rule_named(const struct run *run, const char *id) {
    const json_t *found;
    char part[256];

    snprintf(part, sizeof part, "%s", id);
    for (;;) { /* "CA1000/1" is of the rule "CA1000" (§3.27.5) */
        char *slash = strrchr(part, '/');

        found = json_object_get(run->by_id, part);
        if (found)
            return &run->rules[json_integer_value(found)];
        if (!slash)
            return NULL;
        *slash = '\0';
    }
}

/* By its place in a component, else by its id; NULL: it is described nowhere. */
static const struct rule *rule_of(struct reading *d, const json_t *result, const char *id) {
    const json_t *rule = json_object_get(result, "rule");
    int64_t extension = json_int(json_object_get(rule, "toolComponent"), "index", -1);
    int64_t i = json_int(rule, "index", json_int(result, "ruleIndex", -1));
    size_t component = extension >= 0 && extension < COMPONENTS_MAX - 1 ? (size_t)extension + 1 : 0;

    if (i < 0 || extension >= COMPONENTS_MAX - 1 ||
        (extension < 0 && json_object_get(rule, "toolComponent")))
        return id ? rule_named(&d->run, id) : NULL;
    if ((uint64_t)i < d->run.count[component])
        return &d->run.rules[d->run.begin[component] + (size_t)i];
    walk_wrong(&d->w, "/ruleIndex", "There is no such rule.");
    return NULL;
}

/* All of them accepted, and there are some (§3.27.23). */
static bool suppressed(const json_t *result) {
    const json_t *all = json_object_get(result, "suppressions"), *one;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)all, i, one) {
        if (strcmp(json_str(one, "status", "accepted"), "accepted") != 0)
            return false;
    }
    return json_array_size(all) > 0;
}

static void name_result(struct reading *d, const char *id, ReportLevel level, double severity) {
    int rank = severity >= 9 ? (int)LEVELS : (int)level;

    if (rank > d->rank) {
        d->rank = rank;
        *d->report->first = '\0';
    }
    if (rank == d->rank && !strstr(d->report->first, id))
        report_name(d->report, id);
}

static void count_result(struct reading *d, const json_t *result) {
    static const char *const kinds[] = {"fail",          "pass",   "open", "informational",
                                        "notApplicable", "review", NULL};
    const char *id =
        json_str(result, "ruleId", json_str(json_object_get(result, "rule"), "id", NULL));
    const struct rule *rule = rule_of(d, result, id);
    int kind = word_of(d, result, "kind", kinds, 0);
    int usual = rule ? (int)rule->level : (int)LEVEL_WARNING;
    int level = level_of(d, result, usual > d->run.raised ? usual : d->run.raised);
    double severity = larger(severity_of(d, result), rule ? rule->severity : -1);

    if (*d->w.fault->detail || kind < 0 || level < 0)
        return;
    if (kind > 0 || suppressed(result) ||
        strcmp(json_str(result, "baselineState", ""), "absent") == 0) {
        d->report->sarif.ignored++;
        return;
    }
    d->report->sarif.results[level]++;
    d->report->sarif.severity = larger(d->report->sarif.severity, severity);
    name_result(d, id ? id : "a result without a rule", (ReportLevel)level, severity);
}

static void read_results(struct reading *d) {
    static const char *const members[] = {"ruleId",     "ruleIndex",     "rule",
                                          "level",      "kind",          "suppressions",
                                          "properties", "baselineState", NULL};
    size_t i = 0, all = walk_down(&d->w, "results", 0);

    if (!walk_open(&d->w, '['))
        return;
    while (walk_item(&d->w, &i)) {
        size_t up = walk_down(&d->w, NULL, i - 1);
        json_auto_t *result = walk_some(&d->w, members);

        if (i > RESULTS_MAX)
            walk_wrong(&d->w, "", "More than %d results.", RESULTS_MAX);
        else if (result)
            count_result(d, result);
        walk_up(&d->w, up);
    }
    walk_up(&d->w, all);
}

/* ---- runs ---- */

/* Which rule it is for does not matter: no result without a level of its own is below it. */
static void read_overrides(struct reading *d, const json_t *overrides) {
    const json_t *one;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)overrides, i, one) {
        int level = level_of(d, json_object_get(one, "configuration"), LEVEL_NONE);

        if (level > d->run.raised)
            d->run.raised = level;
    }
}

static void read_invocations(struct reading *d) {
    static const char *const members[] = {"executionSuccessful", "ruleConfigurationOverrides",
                                          NULL};
    size_t i = 0;

    if (walk_null(&d->w) || !walk_open(&d->w, '['))
        return;
    while (walk_item(&d->w, &i)) {
        json_auto_t *one = walk_some(&d->w, members);
        const json_t *successful = json_object_get(one, "executionSuccessful");

        read_overrides(d, json_object_get(one, "ruleConfigurationOverrides"));
        if (one && !json_is_boolean(successful))
            walk_wrong(&d->w, "", "executionSuccessful is required, true or false.");
        else if (one && !json_is_true(successful))
            d->report->broken =
                "The tool says that it did not finish: executionSuccessful is false";
    }
}

/* Results that were not sent. */
static void refuse_elsewhere(struct reading *d) {
    static const char *const members[] = {"results", "invocations", "driver", "extensions", NULL};
    json_auto_t *elsewhere = walk_null(&d->w) ? NULL : walk_some(&d->w, members);

    if (json_object_size(elsewhere))
        walk_wrong(&d->w, "", "Parts of the report are in other files, which were not sent.");
}

static void once(struct reading *d, bool *there) {
    if (*there)
        walk_wrong(&d->w, "", "It is there twice.");
    *there = true;
}

static void read_run_member(struct reading *d, const char *key) {
    struct run *run = &d->run;

    if (strcmp(key, "tool") == 0) {
        once(d, &run->tool);
        read_tool(d);
    } else if (strcmp(key, "invocations") == 0) {
        once(d, &run->invocations);
        read_invocations(d);
    } else if (strcmp(key, "externalPropertyFileReferences") == 0) {
        refuse_elsewhere(d);
    } else if (strcmp(key, "results") != 0) {
        walk_pass(&d->w);
    } else if (!walk_null(&d->w)) {
        once(d, &run->results);
        run->results_at = d->w.at; /* the rules may come behind them */
        walk_leap(&d->w);
    }
}

static void read_run(struct reading *d) {
    char key[WALK_KEY_MAX];
    size_t i = 0, end;

    if (!walk_open(&d->w, '{'))
        return;
    d->run = (struct run){.by_id = json_object()};
    while (walk_member(&d->w, &i, key)) {
        size_t up = walk_down(&d->w, key, 0);

        read_run_member(d, key);
        walk_up(&d->w, up);
    }
    if (!*d->w.fault->detail && !d->run.tool)
        walk_wrong(&d->w, "/tool", "Required.");
    if (!d->run.results)
        d->report->broken = "A run has no results: its tool did not scan";
    if (!*d->w.fault->detail && d->run.results) {
        end = d->w.at;
        d->w.at = d->run.results_at;
        read_results(d);
        d->w.at = end;
    }
    run_done(&d->run);
    d->report->sarif.runs++;
}

static void read_runs(struct reading *d) {
    size_t i = 0;

    if (!walk_open(&d->w, '['))
        return;
    while (walk_item(&d->w, &i)) {
        size_t up = walk_down(&d->w, NULL, i - 1);

        if (i > RUNS_MAX)
            walk_wrong(&d->w, "", "More than %d runs.", RUNS_MAX);
        read_run(d);
        walk_up(&d->w, up);
    }
}

static void read_log(struct reading *d) {
    char key[WALK_KEY_MAX];
    bool version = false, runs = false;
    size_t i = 0;

    while (walk_member(&d->w, &i, key)) {
        size_t up = walk_down(&d->w, key, 0);

        if (strcmp(key, "version") == 0) {
            json_auto_t *v = walk_value(&d->w);
            const char *text = json_string_value(v);

            once(d, &version);
            if (!text || strcmp(text, "2.1.0") != 0)
                walk_wrong(&d->w, "", "Only 2.1.0 is read.");
        } else if (strcmp(key, "runs") == 0) {
            once(d, &runs);
            read_runs(d);
        } else if (strcmp(key, "inlineExternalProperties") == 0) {
            walk_wrong(&d->w, "", "External properties are not read.");
        } else {
            walk_pass(&d->w);
        }
        walk_up(&d->w, up);
    }
    if (walk_end(&d->w) && !(version && runs))
        walk_wrong(&d->w, version ? "/runs" : "/version", "Required.");
}

Status sarif_read(const char *text, size_t n, struct report *ret, struct report_fault *reterr) {
    struct reading d = {.report = ret, .rank = -1};

    if (walk_begin(&d.w, text, n, reterr) && walk_open(&d.w, '{'))
        read_log(&d);
    if (!*reterr->detail && !ret->sarif.runs)
        ret->broken = "It has no run: nothing was scanned";
    return *reterr->detail ? E_INVALID_BODY : STATUS_OK;
}
