/* main/dump.c: the tables of this program, for tests and documents that must agree with them. */
#include "base/cleanup.h"
#include "base/metric.h"
#include "config/config.h"
#include "handlers/routes.h"
#include "main/commands.h"
#include "rollout/rollback.h"
#include "rollout/step.h"
#include "worker/transition.h"
#include <stdio.h>

static int print(json_t *v) {
    char *text = json_dumps(v, JSON_INDENT(2));

    if (!text)
        die("out of memory");
    puts(text);
    free(text);
    json_decref(v);
    return EXIT_DONE;
}

int command_dump_routes(int argc, char **argv) {
    if (no_words(argc, argv) != EXIT_DONE)
        return EXIT_USAGE;
    return print(routes_dump(routes));
}

int command_dump_steps(int argc, char **argv) {
    static const char *const kinds[] = {"rollback", "traffic", "clean-up"};
    size_t n = 0;
    const struct step_row *rows = strategy_steps("blue-green", &n);
    json_t *all;

    if (no_words(argc, argv) != EXIT_DONE)
        return EXIT_USAGE;
    all = json_pack("{so}", "blue-green", step_rows_json(rows, n));
    rows = undo_steps(&n);
    json_object_set_new(all, "undo", step_rows_json(rows, n));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        rows = job_steps(kinds[i], "", &n);
        json_object_set_new(all, kinds[i], step_rows_json(rows, n));
    }
    return print(all);
}

int command_dump_states(int argc, char **argv) {
    size_t n = 0;
    const struct transition_row *rows = transitions(&n);
    json_t *all;

    if (no_words(argc, argv) != EXIT_DONE)
        return EXIT_USAGE;
    all = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(all, json_pack("{s:s?, s:s, s:s, s:s, s:s}", "from", rows[i].from,
                                             "event", event_name(rows[i].event), "to", rows[i].to,
                                             "action", rows[i].action, "title", rows[i].title));
    return print(all);
}

int command_dump_settings(int argc, char **argv) {
    _cleanup_free_ char *reference = config_reference();

    if (no_words(argc, argv) != EXIT_DONE)
        return EXIT_USAGE;
    fputs(reference, stdout);
    return EXIT_DONE;
}

int command_dump_metrics(int argc, char **argv) {
    _cleanup_free_ char *reference = metrics_reference();

    if (no_words(argc, argv) != EXIT_DONE)
        return EXIT_USAGE;
    fputs(reference, stdout);
    return EXIT_DONE;
}
