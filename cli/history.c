/* cli/history.c: the deployments of an app or an environment, newest first. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/draw.h"
#include "cli/resources.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>

enum { ROWS = 20 };

/* How long it took, or has taken so far with a "+". */
static char *took(const json_t *d, char text[DURATION_TEXT + 2]) {
    int64_t start = text_time(json_str(d, "started_at", NULL)),
            end = text_time(json_str(d, "ended_at", NULL));
    char duration[DURATION_TEXT];

    text[0] = '\0';
    if (start)
        snprintf(text, DURATION_TEXT + 2, "%s%s",
                 text_duration((end ? end : clock_now_us()) - start, duration), end ? "" : " +");
    return text;
}

/* Columns that not every table has. */
struct shown {
    bool environment, acceptance;
};

static void add_row(struct table *t, const json_t *d, const struct shown *shown) {
    char when[DURATION_TEXT], duration[DURATION_TEXT + 2];

    table_add(t, text_date(text_time(json_str(d, "created_at", NULL)), when));
    if (shown->environment)
        table_add(t, json_str(d, "environment", NULL));
    table_add(t, json_str(d, "version", NULL));
    table_add(t, json_str(d, "kind", NULL));
    table_add(t, json_str(d, "state", NULL));
    if (shown->acceptance)
        table_add(t, acceptance_open(d));
    table_add(t, took(d, duration));
    table_add(t, json_str(json_object_get(d, "requested_by"), "subject", NULL));
    table_add(t, json_str(d, "id", NULL));
    table_add(t, json_str(d, "rolled_back_by", NULL));
    table_add(t, json_str(d, "reason", NULL));
}

static bool any_acceptance_open(const json_t *items) {
    const json_t *d;
    size_t i;

    json_array_foreach(items, i, d) {
        if (acceptance_open(d))
            return true;
    }
    return false;
}

static void print_rows(const struct session *s, const json_t *items, bool with_environment) {
    const struct shown shown = {with_environment, any_acceptance_open(items)};
    const struct {
        const char *head;
        bool shown;
    } columns[] = {
        {"WHEN", true},       {"ENVIRONMENT", shown.environment}, {"VERSION", true}, {"KIND", true},
        {"STATE", true},      {"ACCEPTANCE", shown.acceptance},   {"TOOK", true},    {"BY", true},
        {"DEPLOYMENT", true}, {"ROLLED BACK BY", true},           {"REASON", true}};
    size_t n = sizeof(columns) / sizeof(columns[0]), i;
    _cleanup_(table_done) struct table table = {.columns =
                                                    n - !shown.environment - !shown.acceptance};
    const json_t *d;

    for (i = 0; i < n; i++) {
        if (columns[i].shown)
            table_add(&table, columns[i].head);
    }
    json_array_foreach(items, i, d) add_row(&table, d, &shown);
    show_table(s, &table);
}

ExitCode run_history(struct session *s, const struct args *a) {
    const char *app = arg_operand(a, 0), *environment = arg_operand(a, 1);
    _cleanup_free_ char *filter =
        environment ? api_path("/deployments?app=%s&environment=%s", app, environment)
                    : api_path("/deployments?app=%s", app);
    _cleanup_free_ char *path =
        xasprintf("%s&limit=%lld", filter, (long long)arg_count(a, "limit", ROWS));
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code = api_do(s, &(struct api_call){.path = path}, &answer);
    const json_t *items = json_object_get(answer.json, "items");

    if (code != EXIT_DONE)
        return code;
    if (s->json)
        print_json(items);
    else if (json_array_size(items))
        print_rows(s, items, !environment);
    else
        fputs("none\n", stderr);
    return EXIT_DONE;
}
