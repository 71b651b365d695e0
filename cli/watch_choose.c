/* cli/watch_choose.c: sluice watch: which deployments, by their ids or by where they run. */
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "cli/commands.h"
#include "cli/watch.h"
#include <stdio.h>
#include <string.h>

/* Appends the ids of those in an app (NULL: every one) and environment that are in this state. */
static ExitCode add_state(struct session *s, const char *app, const char *env, const char *state,
                          json_t *ids) {
    _cleanup_free_ char *path =
        env   ? api_path("/deployments?state=%s&app=%s&environment=%s", state, app, env)
        : app ? api_path("/deployments?state=%s&app=%s", state, app)
              : api_path("/deployments?state=%s", state);
    json_auto_t *found = NULL;
    const json_t *one;
    ExitCode code = api_list(s, path, &found);
    size_t i;

    json_array_foreach(found, i, one) json_array_append(ids, json_object_get(one, "id"));
    return code;
}

static ExitCode find_active(struct session *s, const char *app, const char *env, json_t *ids) {
    static const char *const active[] = {"running",   "undoing", "paused", "stuck",
                                         "scheduled", "queued",  "blocked"};
    ExitCode code = EXIT_DONE;

    for (size_t i = 0; i < sizeof(active) / sizeof(active[0]) && code == EXIT_DONE; i++)
        code = add_state(s, app, env, active[i], ids);
    return code;
}

/* Each once. */
static size_t distinct(const json_t *found, const char *ids[WATCH_MOST + 1]) {
    const json_t *id;
    size_t n = 0, i, k;

    json_array_foreach(found, i, id) {
        for (k = 0; k < n && strcmp(ids[k], json_string_value(id)) != 0; k++)
            ;
        if (k == n && n <= WATCH_MOST)
            ids[n++] = json_string_value(id);
    }
    return n;
}

ExitCode run_watch(struct session *s, const struct args *a) {
    const char *app = arg_text(a, "app"), *env = arg_text(a, "env"), *ids[WATCH_MOST + 1];
    bool named = a->n_operands > 0, by_place = app || arg_flag(a, "all");
    json_auto_t *found = json_array();
    ExitCode code = EXIT_DONE;
    size_t n;

    if (named == by_place || (app && arg_flag(a, "all")) || (env && !app))
        return usage_error("watch wants DEPLOYMENT…, or --app APP [--env ENV], or --all");
    for (size_t i = 0; i < a->n_operands; i++) {
        if (json_array_append_new(found, json_string(a->operands[i])) != 0)
            return usage_error("'%s' is no id of a deployment", a->operands[i]);
    }
    if (by_place)
        code = find_active(s, app, env, found);
    if (code != EXIT_DONE)
        return code;
    n = distinct(found, ids);
    if (n > WATCH_MOST)
        return usage_error("these are more than %d deployments; sluice status shows them all",
                           WATCH_MOST);
    if (n == 0) {
        fputs("nothing runs there now: sluice status\n", stderr);
        return EXIT_DONE;
    }
    return watch_deployments(s, ids, n, arg_seconds(a, "timeout", 0),
                             s->json ? WATCH_RECORDS : WATCH_PEOPLE);
}
