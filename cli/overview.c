#include "cli/overview.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/resources.h"
#include <stdio.h>
#include <string.h>

char *ago(const char *rfc3339, char text[AGO_TEXT]) {
    int64_t at = text_time(rfc3339);
    char duration[DURATION_TEXT];

    text[0] = '\0';
    if (at)
        snprintf(text, AGO_TEXT, "%s ago", text_duration(clock_now_us() - at, duration));
    return text;
}

/* ---- freezes ---- */

json_t *active_freezes(struct session *s) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    const struct api_call call = {.path = "/api/v1/freezes?active=true&limit=200"};

    if (api_try(s, &call, &answer) != EXIT_DONE)
        return NULL;
    return json_incref(json_object_get(answer.json, "items"));
}

static bool names_it(const json_t *freeze, const char *key, const char *name) {
    const char *named = json_str(freeze, key, NULL);

    return !named || strcmp(named, name) == 0;
}

bool freeze_holds(const json_t *freeze, const char *app, const char *env) {
    return names_it(freeze, "app", app) && names_it(freeze, "environment", env);
}

char *freeze_until(const json_t *freeze, char text[AGO_TEXT]) {
    const json_t *window = json_object_get(freeze, "next");
    char date[DURATION_TEXT];

    text_date(text_time(json_str(window, "ends_at", json_str(freeze, "ends_at", NULL))), date);
    snprintf(text, AGO_TEXT, "%s%.16s", *date ? "until " : "", date); /* without seconds */
    return text;
}

/* ---- what is known of an environment: added to what the API says of it ---- */

static ExitCode environments_of_app(struct session *s, const char *app, json_t *all) {
    _cleanup_free_ char *path = api_path("/apps/%s/environments", app);
    json_auto_t *items = NULL;
    json_t *item;
    ExitCode code = api_list(s, path, &items);
    size_t i;

    if (code != EXIT_DONE)
        return code;
    json_array_foreach(items, i, item) {
        if (!json_str(item, "app", NULL))
            json_set_str(item, "app", app);
        json_array_append(all, item);
    }
    return EXIT_DONE;
}

static ExitCode environments_of_all(struct session *s, json_t *all) {
    json_auto_t *apps = NULL;
    const json_t *app;
    ExitCode code = api_list(s, "/api/v1/apps", &apps);
    size_t i;

    if (code != EXIT_DONE)
        return code;
    json_array_foreach(apps, i, app) {
        code = environments_of_app(s, json_str(app, "name", ""), all);
        if (code != EXIT_DONE)
            return code;
    }
    return EXIT_DONE;
}

/* `running`: the active deployment, or null.  One that cannot be read is told of by its id alone.
 */
static void add_running(struct session *s, json_t *environment) {
    const char *id = json_str(json_object_get(environment, "status"), "deployment", NULL);
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_free_ char *path = id ? api_path("/deployments/%s", id) : NULL;

    if (id && api_try(s, &(struct api_call){.path = path}, &answer) == EXIT_DONE)
        json_object_set(environment, "running", answer.json);
    else
        json_object_set_new(environment, "running", json_null());
}

/* `freezes`: those that hold here now; null where they are not known. */
static void add_freezes(json_t *environment, const json_t *freezes) {
    json_t *here = freezes ? json_array() : json_null(), *freeze;
    size_t i;

    json_array_foreach(freezes, i, freeze) {
        if (freeze_holds(freeze, json_str(environment, "app", ""),
                         json_str(environment, "name", "")))
            json_array_append(here, freeze);
    }
    json_object_set_new(environment, "freezes", here);
}

/* ---- the table ---- */

/* The step that it is at, or the first gate that it waits for. */
static const char *where(const json_t *d) {
    const json_t *blocker = json_array_get(json_object_get(d, "blockers"), 0);

    if (strcmp(json_str(d, "state", ""), "blocked") == 0)
        return json_str(blocker, "gate", NULL);
    return json_str(d, "current_step", NULL);
}

/* "v1.2.3 running: health-checks", "rollback to v1.2.2 undoing" */
static void cell_of_running(struct table *t, const json_t *e) {
    const char *id = json_str(json_object_get(e, "status"), "deployment", NULL);
    const json_t *d = json_object_get(e, "running");
    const char *kind = json_str(d, "kind", "deploy");
    _cleanup_free_ char *text = NULL;

    if (json_is_object(d))
        text = xasprintf("%s%s%s %s%s%s", strcmp(kind, "deploy") ? kind : "",
                         strcmp(kind, "deploy") ? " to " : "", json_str(d, "version", "?"),
                         json_str(d, "state", "?"), where(d) ? ": " : "", where(d) ? where(d) : "");
    table_add(t, text ? text : id);
}

/* "Service inopnc-prod spec.selector.environment and 1 more", "unknown: the cluster …" */
static void cell_of_drift(struct table *t, const json_t *status) {
    const json_t *drift = json_object_get(status, "drift"), *first = json_array_get(drift, 0);
    const char *error = json_str(status, "error", NULL), *field = json_str(first, "field", "");
    _cleanup_free_ char *text = NULL;
    size_t n = json_array_size(drift);
    char more[32] = "";

    if (n > 1)
        snprintf(more, sizeof(more), " and %zu more", n - 1);
    if (error)
        text = xasprintf("unknown: %s", error);
    else if (first && json_is_string(first))
        text = xasprintf("%s%s", json_string_value(first), more);
    else if (first)
        text =
            xasprintf("%s%s%s%s", json_str(first, "object", "?"), *field ? " " : "", field, more);
    table_add(t, text);
}

/* "until 2026-11-24 18:00: closing"; while a break-glass is open, until when none of them holds. */
static void cell_of_freezes(struct table *t, const json_t *freezes, const json_t *status) {
    const json_t *first = json_array_get(freezes, 0);
    const char *thawed = json_str(status, "thawed_until", NULL);
    _cleanup_free_ char *text = NULL;
    char until[AGO_TEXT], date[DURATION_TEXT];

    freeze_until(first, until);
    if (thawed)
        text = xasprintf("thawed until %.16s", text_date(text_time(thawed), date));
    else if (!json_is_array(freezes))
        text = xstrdup("?");
    else if (first)
        text = xasprintf("%s%s%s", until, *until ? ": " : "", json_str(first, "reason", ""));
    table_add(t, text);
}

static void row_of_environment(struct table *t, const json_t *e, bool wide) {
    const json_t *status = json_object_get(e, "status"),
                 *active = json_object_get(status, "active");
    char since[AGO_TEXT], ready[24] = "";

    table_add(t, json_str(e, "app", NULL));
    table_add(t, json_str(e, "name", NULL));
    table_add(t, json_str(active, "version", NULL));
    table_add(t, json_str(active, "color", NULL));
    table_add(t, ago(json_str(active, "since", NULL), since));
    cell_of_running(t, e);
    cell_of_drift(t, status);
    cell_of_freezes(t, json_object_get(e, "freezes"), status);
    if (!wide)
        return;
    if (json_is_integer(json_object_get(active, "ready")))
        snprintf(ready, sizeof(ready), "%lld", (long long)json_int(active, "ready", 0));
    table_add(t, ready);
    table_add(t, json_str(json_object_get(status, "previous"), "version", NULL));
    table_add(t, json_str(e, "cluster", NULL));
    table_add(t, json_str(status, "deployment", NULL));
    table_add(t, json_str(active, "image", NULL));
}

static void print_overview(const struct session *s, const json_t *all) {
    static const char *const heads[] = {"APP",     "ENVIRONMENT", "SERVES", "COLOR", "SINCE",
                                        "RUNS",    "DRIFT",       "FROZEN", "READY", "PREVIOUS",
                                        "CLUSTER", "DEPLOYMENT",  "IMAGE"};
    _cleanup_(table_done) struct table table = {.columns = s->wide ? 13 : 8};
    const json_t *environment;
    size_t i;

    for (i = 0; i < table.columns; i++)
        table_add(&table, heads[i]);
    json_array_foreach(all, i, environment) row_of_environment(&table, environment, s->wide);
    if (json_array_size(all))
        show_table(s, &table);
    else
        fputs("no environment yet: sluice env create APP ENV --file env.json\n", stderr);
}

ExitCode overview(struct session *s, const char *app) {
    json_auto_t *all = json_array(), *freezes = NULL;
    json_t *environment;
    ExitCode code = app ? environments_of_app(s, app, all) : environments_of_all(s, all);
    size_t i;

    if (code != EXIT_DONE)
        return code;
    freezes = json_array_size(all) ? active_freezes(s) : NULL;
    json_array_foreach(all, i, environment) {
        add_running(s, environment);
        add_freezes(environment, freezes);
    }
    if (s->json)
        print_json(all);
    else
        print_overview(s, all);
    return EXIT_DONE;
}
