/* cli/flag.c: feature flags: made, listed, shown, switched, killed, restored, deleted. */
#include "cli/flag.h"
#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/gate.h"
#include "cli/resources.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>

enum { WHOM_COLUMNS = 60 };

struct flag_place flag_place(const struct args *a, size_t after) {
    bool in_environment = a->n_operands - after == 3;

    return (struct flag_place){arg_operand(a, 0), in_environment ? arg_operand(a, 1) : NULL,
                               arg_operand(a, in_environment ? 2 : 1)};
}

char *flag_path(const struct flag_place *p, const char *tail) {
    _cleanup_free_ char *path = p->environment ? api_path("/apps/%s/environments/%s/flags/%s",
                                                          p->app, p->environment, p->flag)
                                               : api_path("/apps/%s/flags/%s", p->app, p->flag);

    return xasprintf("%s%s", path, tail);
}

void flag_print(const struct session *s, const struct api_answer *answer) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();

    if (s->json) {
        print_json(answer->json);
        return;
    }
    draw_flag_state(&b, answer->json, &look);
    fputs(b.data, stdout);
}

/* ---- listed, shown ---- */

static ExitCode list_definitions(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path(
        arg_flag(a, "stale") ? "/apps/%s/flags?stale=true" : "/apps/%s/flags", arg_operand(a, 0));

    return LIST(s, path, {"FLAG", "/name"}, {"TYPE", "/type"}, {"VALUE", "/value_type"},
                {"STALE", "/stale"}, {"STALE AFTER", "/stale_after"}, {"REVISION", "/revision"},
                {"DESCRIPTION", "/description"});
}

static void add_state(struct table *t, const json_t *state, bool wide) {
    _cleanup_(strbuf_done) struct strbuf whom = STRBUF(DRAW_MOST), cut = STRBUF(DRAW_MOST);
    char date[DURATION_TEXT], revision[DURATION_TEXT];

    draw_whom(&whom, json_object_get(state, "strategies"));
    text_add_fitted(&cut, whom.data, wide ? SIZE_MAX : WHOM_COLUMNS, false);
    snprintf(revision, sizeof(revision), "%lld", (long long)json_int(state, "revision", 0));
    table_add(t, json_str(state, "flag", NULL));
    table_add(t, flag_word(state));
    table_add(t, cut.data);
    table_add(t, json_bool(state, "stale", false) ? "yes" : "no");
    table_add(t, revision);
    table_add(t, text_date(text_time(json_str(state, "updated_at", NULL)), date));
}

static void print_states(const struct session *s, const json_t *states) {
    static const char *const heads[] = {"FLAG", "STATE", "FOR", "STALE", "REVISION", "CHANGED"};
    size_t n = sizeof(heads) / sizeof(heads[0]), i;
    _cleanup_(table_done) struct table table = {.columns = n};
    const json_t *state;

    for (i = 0; i < n; i++)
        table_add(&table, heads[i]);
    json_array_foreach(states, i, state) add_state(&table, state, s->wide);
    show_table(s, &table);
}

static ExitCode list_states(struct session *s, const struct args *a) {
    _cleanup_free_ char *path =
        api_path("/apps/%s/environments/%s/flags", arg_operand(a, 0), arg_operand(a, 1));
    json_auto_t *states = NULL;
    ExitCode code = api_list(s, path, &states);

    for (size_t i = json_array_size(states); arg_flag(a, "stale") && i-- > 0;) {
        if (!json_bool(json_array_get(states, i), "stale", false))
            json_array_remove(states, i);
    }
    if (code != EXIT_DONE)
        return code;
    if (s->json)
        print_json(states);
    else if (json_array_size(states))
        print_states(s, states);
    else
        fputs("none\n", stderr);
    return EXIT_DONE;
}

ExitCode run_flag_list(struct session *s, const struct args *a) {
    return arg_operand(a, 1) ? list_states(s, a) : list_definitions(s, a);
}

/* What it is in every environment. */
static ExitCode add_states(struct session *s, struct flag_place place, struct strbuf *b,
                           const struct look *look) {
    _cleanup_free_ char *path = api_path("/apps/%s/environments", place.app);
    json_auto_t *environments = NULL;
    const json_t *environment;
    ExitCode code = api_list(s, path, &environments);
    size_t i;

    json_array_foreach(environments, i, environment) {
        _cleanup_(api_answer_done) struct api_answer answer = {0};
        _cleanup_free_ char *state = NULL;

        place.environment = json_str(environment, "name", "");
        state = flag_path(&place, "");
        code = api_do(s, &(struct api_call){.path = state}, &answer);
        if (code != EXIT_DONE)
            break;
        draw_flag_state(b, answer.json, look);
    }
    return code;
}

ExitCode run_flag_show(struct session *s, const struct args *a) {
    struct flag_place place = flag_place(a, 0);
    _cleanup_free_ char *path = flag_path(&place, "");
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();
    ExitCode code = api_do(s, &(struct api_call){.path = path}, &answer);

    if (code != EXIT_DONE)
        return code;
    if (place.environment || s->json) {
        flag_print(s, &answer);
        return EXIT_DONE;
    }
    draw_flag(&b, answer.json, &look);
    code = add_states(s, place, &b, &look);
    fputs(b.data, stdout);
    return code;
}

ExitCode flag_changes(struct session *s, const struct args *a, const char *path) {
    return resource_newest(s, a, path,
                           COLUMNS({"REVISION", "/revision"}, {"WHEN", "/at"},
                                   {"ENVIRONMENT", "/environment"}, {"ACTION", "/action"},
                                   {"BY", "/by/subject"}, {"FROM", "/source"},
                                   {"REASON", "/reason"}));
}

ExitCode run_flag_history(struct session *s, const struct args *a) {
    struct flag_place place = flag_place(a, 0);
    _cleanup_free_ char *path = flag_path(&place, "/history");

    return flag_changes(s, a, path);
}

/* What clients reported by the hour, and when they last did. */
static void print_exposure(const struct session *s, const json_t *exposure) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    const char *seen = json_str(exposure, "last_seen_at", NULL);
    json_t *items = json_object_get(exposure, "items"), *item;
    struct look look = screen_look();
    size_t i;

    json_array_foreach(items, i, item) {
        strbuf_clear(&b);
        draw_counts(&b, json_object_get(item, "variants"));
        json_set_str(item, "given", b.len ? b.data : NULL);
    }
    print_list(s, items,
               COLUMNS({"HOUR", "/hour"}, {"APPLICATION", "/app_name"}, {"ON", "/yes"},
                       {"OFF", "/no"}, {"VARIANTS", "/given"}));
    strbuf_clear(&b);
    strbuf_adds(&b, seen ? "last reported " : "never reported");
    if (seen)
        draw_when(&b, seen, &look);
    printf("%s\n", b.data);
}

ExitCode run_flag_exposure(struct session *s, const struct args *a) {
    struct flag_place place = flag_place(a, 0);
    int64_t hours = (arg_seconds(a, "last", 24 * 3600) + 3599) / 3600;
    _cleanup_free_ char *plain = flag_path(&place, "/exposure");
    _cleanup_free_ char *path = xasprintf("%s?hours=%lld", plain, (long long)hours);
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code = api_do(s, &(struct api_call){.path = path}, &answer);

    if (code != EXIT_DONE)
        return code;
    if (s->json)
        print_json(answer.json);
    else
        print_exposure(s, answer.json);
    return EXIT_DONE;
}

/* ---- made, deleted ---- */

ExitCode run_flag_create(struct session *s, const struct args *a) {
    static const char *const options[][2] = {{"type", "type"},
                                             {"value-type", "value_type"},
                                             {"description", "description"},
                                             {"reason", "reason"}};
    struct flag_place place = flag_place(a, 0);
    _cleanup_free_ char *path = flag_path(&place, "");
    _cleanup_free_ char *name = xasprintf("%s/%s", place.app, place.flag);
    json_auto_t *body = arg_text(a, "file") ? flag_file(a) : json_object();

    if (!body)
        return EXIT_USAGE;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        set_option(body, a, options[i][0], options[i][1]);
    if (arg_text(a, "stale-after"))
        json_set_time(body, "stale_after", arg_time(a, "stale-after", 0));
    return resource_put(s, a, (struct api_call){.path = path, .json = body}, "flag", name);
}

ExitCode flag_delete(struct session *s, const struct args *a, const char *what) {
    const char *app = arg_operand(a, 0), *one = arg_operand(a, 1), *why = arg_text(a, "reason");
    _cleanup_free_ char *plain = api_path("/apps/%s/%ss/%s", app, what, one);
    _cleanup_free_ char *path =
        why ? api_path("/apps/%s/%ss/%s?reason=%s", app, what, one, why) : xstrdup(plain);
    _cleanup_free_ char *name = xasprintf("%s/%s", app, one);

    return resource_delete(s, path, what, name);
}

ExitCode run_flag_delete(struct session *s, const struct args *a) {
    return flag_delete(s, a, "flag");
}

/* ---- switched ---- */

/* `repeatable`: made twice it does no more than once, whatever happens between. */
static ExitCode verb(struct session *s, const struct args *a, const char *tail, bool repeatable,
                     struct api_answer *ret) {
    struct flag_place place = flag_place(a, 0);
    _cleanup_free_ char *path = flag_path(&place, tail);
    json_auto_t *body = json_object();
    ExitCode code;

    set_option(body, a, "reason", "reason");
    code = api_do(
        s,
        &(struct api_call){.method = "POST", .path = path, .json = body, .repeatable = repeatable},
        ret);
    if (code == EXIT_DONE)
        flag_print(s, ret);
    return code;
}

ExitCode run_flag_enable(struct session *s, const struct args *a) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};

    return verb(s, a, "/enable", false, &answer);
}

ExitCode run_flag_disable(struct session *s, const struct args *a) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};

    return verb(s, a, "/disable", false, &answer);
}

ExitCode run_flag_kill(struct session *s, const struct args *a) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    _cleanup_free_ char *back = xasprintf("sluice flag unkill %s %s %s", arg_operand(a, 0),
                                          arg_operand(a, 1), arg_operand(a, 2));
    struct look look = screen_look();
    ExitCode code = verb(s, a, "/kill", true, &answer);

    if (code == EXIT_DONE && !s->json) {
        draw_way(&b, back, "let it be what it was", &look);
        fputs(b.data, stdout);
    }
    return code;
}

ExitCode run_flag_unkill(struct session *s, const struct args *a) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};

    return verb(s, a, "/unkill", false, &answer);
}

ExitCode run_flag_restore(struct session *s, const struct args *a) {
    struct flag_place place = flag_place(a, 1);
    _cleanup_free_ char *path = flag_path(&place, "/restore");
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    json_auto_t *body = json_object();
    const char *revision = arg_operand(a, a->n_operands - 1);
    int64_t number;
    ExitCode code;

    if (!number_parse(revision, 1, INT64_MAX, &number))
        return usage_error("REVISION is a number of the history, not '%.40s'", revision);
    if (!arg_text(a, "reason"))
        return usage_error("flag restore wants --reason TEXT");
    json_object_set_new(body, "revision", json_integer(number));
    set_option(body, a, "reason", "reason");
    code = api_do(s, &(struct api_call){.method = "POST", .path = path, .json = body}, &answer);
    if (code != EXIT_DONE)
        return code;
    if (place.environment || s->json)
        flag_print(s, &answer);
    else
        printf("flag %s/%s is as it was at revision %s\n", place.app, place.flag, revision);
    return EXIT_DONE;
}
