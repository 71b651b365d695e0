/* cli/flag_change.c: what flags are in an environment: set, rolled out, scheduled. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "cli/commands.h"
#include "cli/flag.h"
#include "cli/gate.h"
#include "cli/resources.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>

/* ---- put over what was read ---- */

json_t *flag_file(const struct args *a) {
    json_auto_t *body = NULL;
    _cleanup_free_ char *text = read_json_option(a, "file", JSON_REJECT_DUPLICATES, &body);

    if (text && !json_is_object(body))
        usage_error("%s holds no JSON object", arg_text(a, "file"));
    return json_is_object(body) ? TAKE_PTR(body) : NULL;
}

/* Leaves out what `show --json` prints and nobody sets.  What says where it belongs, or that it is
 * killed, stays where it is not so: the server refuses it by its name. */
static void leave_out(json_t *body, const json_t *current) {
    static const char *const of_server[] = {"revision", "stale", "created_at", "updated_at"};
    static const char *const of_place[] = {"app", "environment", "flag", "killed"};

    for (size_t i = 0; i < sizeof(of_server) / sizeof(of_server[0]); i++)
        json_object_del(body, of_server[i]);
    for (size_t i = 0; i < sizeof(of_place) / sizeof(of_place[0]); i++) {
        if (json_equal(json_object_get(body, of_place[i]), json_object_get(current, of_place[i])))
            json_object_del(body, of_place[i]);
    }
}

ExitCode flag_put(struct session *s, const char *path, json_t *body, struct api_answer *ret) {
    _cleanup_(api_answer_done) struct api_answer current = {0};
    struct api_call put = {.method = "PUT", .path = path, .json = body};
    const json_t *of_body = json_object_get(body, "revision");
    ExitCode code = api_try(s, &(struct api_call){.path = path}, &current);

    if (code != EXIT_DONE && !(current.answered && current.status == 404)) {
        report_answer(s, &current);
        return code;
    }
    put.if_match = current.etag;
    if (of_body && !json_equal(of_body, json_object_get(current.json, "revision")))
        put.if_match = "\"changed-since\""; /* refused by the server, in its words */
    leave_out(body, current.json);
    return api_do(s, &put, ret);
}

static ExitCode put_flag(struct session *s, const struct args *a, struct flag_place place,
                         json_t *body) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_free_ char *path = flag_path(&place, "");
    ExitCode code;

    set_option(body, a, "reason", "reason");
    code = flag_put(s, path, body, &answer);
    if (code != EXIT_DONE)
        return code;
    if (place.environment || s->json)
        flag_print(s, &answer);
    else
        printf("flag %s/%s %s\n", place.app, place.flag,
               answer.status == 201 ? "created" : "is as given");
    return EXIT_DONE;
}

ExitCode run_flag_set(struct session *s, const struct args *a) {
    json_auto_t *body = flag_file(a);

    return body ? put_flag(s, a, flag_place(a, 0), body) : EXIT_USAGE;
}

/* ---- percentages ---- */

ExitCode add_percent(const struct args *a, const char *percent, const json_t *state,
                     json_t *change) {
    json_t *strategies;
    int64_t number;

    if (!number_parse(percent, 0, 100, &number))
        return usage_error("the percentage is a whole number from 0 to 100, not '%.40s'", percent);
    strategies =
        strategies_at(json_object_get(state, "strategies"), percent, arg_text(a, "stickiness"));
    if (!strategies)
        return usage_error("%s has several strategies flexibleRollout: say which with flag set",
                           json_str(state, "flag", "it"));
    json_object_set_new(change, "enabled", json_true());
    json_object_set_new(change, "strategies", strategies);
    return EXIT_DONE;
}

ExitCode run_flag_rollout(struct session *s, const struct args *a) {
    struct flag_place place = flag_place(a, 1);
    _cleanup_free_ char *path = flag_path(&place, "");
    _cleanup_(api_answer_done) struct api_answer current = {0};
    json_auto_t *body = NULL; /* what it is, so that all else stays, and its revision counts */
    ExitCode code = api_do(s, &(struct api_call){.path = path}, &current);

    if (code != EXIT_DONE)
        return code;
    body = json_deep_copy(current.json);
    code = add_percent(a, arg_operand(a, 3), current.json, body);
    return code == EXIT_DONE ? put_flag(s, a, place, body) : code;
}

/* ---- at a time ---- */

/* What is to change, from what the flag is there now. */
static ExitCode change_body(const struct args *a, const json_t *state, json_t *body) {
    json_t *change = json_object();

    json_object_set_new(body, "change", change);
    json_set_time(body, "at", arg_time(a, "at", 0));
    set_option(body, a, "reason", "reason");
    if (arg_flag(a, "if-unchanged"))
        json_object_set(body, "if_revision", json_object_get(state, "revision"));
    if (arg_text(a, "rollout"))
        return add_percent(a, arg_text(a, "rollout"), state, change);
    json_object_set_new(change, "enabled", json_boolean(arg_flag(a, "enable")));
    return EXIT_DONE;
}

static void say_scheduled(const struct flag_place *p, const json_t *schedule) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    _cleanup_free_ char *back = xasprintf("sluice flag unschedule %s %s %s %s", p->app,
                                          p->environment, p->flag, json_str(schedule, "id", "?"));
    const json_t *change = json_object_get(schedule, "change");
    struct look look = screen_look();

    strbuf_addf(&b, "%s/%s: %s will be %s", p->app, p->environment, p->flag, flag_word(change));
    if (json_object_get(change, "strategies")) {
        strbuf_adds(&b, " for ");
        draw_whom(&b, json_object_get(change, "strategies"));
    }
    strbuf_adds(&b, " at ");
    draw_when(&b, json_str(schedule, "at", NULL), &look);
    strbuf_adds(&b, "\n");
    draw_way(&b, back, "take it back", &look);
    fputs(b.data, stdout);
}

ExitCode run_flag_schedule(struct session *s, const struct args *a) {
    struct flag_place place = flag_place(a, 0);
    _cleanup_free_ char *path = flag_path(&place, ""), *schedule = flag_path(&place, "/schedule");
    _cleanup_(api_answer_done) struct api_answer current = {0}, answer = {0};
    json_auto_t *body = json_object();
    char key[UUID_TEXT];
    ExitCode code;

    if (!arg_text(a, "at"))
        return usage_error("flag schedule wants --at TIME");
    if (arg_flag(a, "enable") + arg_flag(a, "disable") + arg_flag(a, "rollout") != 1)
        return usage_error("flag schedule wants one of --enable, --disable and --rollout PERCENT");
    if (arg_text(a, "stickiness") && !arg_text(a, "rollout"))
        return usage_error("--stickiness belongs to --rollout");
    code = api_do(s, &(struct api_call){.path = path}, &current);
    if (code == EXIT_DONE)
        code = change_body(a, current.json, body);
    if (code == EXIT_DONE)
        code = api_do(
            s,
            &(struct api_call){
                .method = "POST", .path = schedule, .json = body, .idempotency_key = uuid_v7(key)},
            &answer);
    if (code == EXIT_DONE && s->json)
        print_json(answer.json);
    else if (code == EXIT_DONE)
        say_scheduled(&place, answer.json);
    return code;
}

ExitCode run_flag_schedules(struct session *s, const struct args *a) {
    struct flag_place place = flag_place(a, 0);
    const char *state = arg_text(a, "state");
    _cleanup_free_ char *tail = state ? xasprintf("/schedule?state=%s", state) : NULL;
    _cleanup_free_ char *path = flag_path(&place, state ? tail : "/schedule");

    return LIST(s, path, {"SCHEDULE", "/id"}, {"STATE", "/state"}, {"AT", "/at"},
                {"BY", "/created_by/subject"}, {"CHANGE", "/change"}, {"ENDED", "/ended_at"},
                {"FAILURE", "/failure"}, {"REASON", "/reason"});
}

ExitCode run_flag_unschedule(struct session *s, const struct args *a) {
    struct flag_place place = flag_place(a, 1);
    _cleanup_free_ char *path = api_path("/apps/%s/environments/%s/flags/%s/schedule/%s", place.app,
                                         place.environment, place.flag, arg_operand(a, 3));

    return resource_end(s, path, "schedule", arg_operand(a, 3), "canceled");
}
