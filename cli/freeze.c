/* cli/freeze.c: windows in which nothing is deployed, and the glass that two people break. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "cli/commands.h"
#include "cli/gate.h"
#include "cli/resources.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const days[] = {"monday", "tuesday",  "wednesday", "thursday",
                                   "friday", "saturday", "sunday"};

/* "mon" and longer. */
static const char *day_named(const char *word) {
    size_t n = strlen(word);

    for (size_t i = 0; n >= 3 && i < sizeof(days) / sizeof(days[0]); i++) {
        if (strncasecmp(days[i], word, n) == 0)
            return days[i];
    }
    return NULL;
}

/* Adds the days of "mon,fri". */
static ExitCode add_days(json_t *out, const char *text) {
    _cleanup_free_ char *words = xstrdup(text);
    char *word, *rest;

    for (word = strtok_r(words, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest)) {
        if (!day_named(word))
            return usage_error("--days wants days such as mon,fri, not '%.20s'", word);
        json_array_append_new(out, json_string(day_named(word)));
    }
    return EXIT_DONE;
}

static ExitCode weekly_body(json_t *body, const struct args *a) {
    json_t *weekly = json_object(), *out = json_array();

    json_object_set_new(body, "weekly", weekly);
    json_object_set_new(weekly, "days", out);
    if (!arg_text(a, "start") || !arg_text(a, "for") || !arg_text(a, "timezone"))
        return usage_error("--days wants --start HH:MM, --for TIME and --timezone ZONE");
    if (arg_text(a, "from") || arg_text(a, "to"))
        return usage_error("--from and --to belong to a single freeze, --days to a weekly one");
    set_option(weekly, a, "start", "start");
    set_option(weekly, a, "timezone", "timezone");
    json_object_set_new(weekly, "duration_s", json_integer(arg_seconds(a, "for", 0)));
    return add_days(out, arg_text(a, "days"));
}

static ExitCode single_body(json_t *body, const struct args *a) {
    int64_t from_us = arg_time(a, "from", clock_now_us()), to_us = arg_time(a, "to", 0);

    if (arg_text(a, "start") || arg_text(a, "timezone"))
        return usage_error("--start and --timezone belong to --days");
    if (arg_flag(a, "to") && arg_flag(a, "for"))
        return usage_error("freeze create takes --to TIME or --for TIME, not both: each says when "
                           "it ends");
    if (!arg_flag(a, "to") && !arg_flag(a, "for"))
        return usage_error("freeze create wants --to TIME, --for TIME, or --days");
    if (!to_us)
        to_us = from_us + arg_seconds(a, "for", 0) * US_PER_S;
    json_set_time(body, "starts_at", from_us);
    json_set_time(body, "ends_at", to_us);
    return EXIT_DONE;
}

/* What it found running: "  inopnc/production: 019… stops before its cut-over". */
static void add_found(struct strbuf *b, const json_t *running) {
    const json_t *found;
    size_t i;

    json_array_foreach(running, i, found) {
        strbuf_adds(b, "  ");
        text_add_clean(b, json_str(found, "app", "?"));
        strbuf_adds(b, "/");
        text_add_clean(b, json_str(found, "environment", "?"));
        strbuf_adds(b, ": deployment ");
        text_add_clean(b, json_str(found, "deployment", "?"));
        strbuf_adds(b, json_bool(found, "finishes", false)
                           ? " finishes\n"
                           : " stops before its cut-over, and goes on when it is resumed after "
                             "the freeze\n");
    }
}

static void say_frozen(const json_t *freeze) {
    const json_t *weekly = json_object_get(freeze, "weekly");
    const char *app = json_str(freeze, "app", NULL), *where = json_str(freeze, "environment", NULL);
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    _cleanup_free_ char *end = xasprintf("sluice freeze end %s", json_str(freeze, "id", "?"));
    struct look look = screen_look();
    char date[DURATION_TEXT];

    text_add_clean(&b, app ? app : "every app");
    strbuf_adds(&b, where ? "/" : "");
    text_add_clean(&b, where ? where : "");
    if (json_is_object(weekly))
        strbuf_adds(&b, " freezes every week");
    else
        strbuf_addf(&b, " is frozen until %s",
                    text_date(text_time(json_str(freeze, "ends_at", NULL)), date));
    strbuf_adds(&b, json_bool(freeze, "active", false) ? ", now too\n" : "\n");
    add_found(&b, json_object_get(freeze, "running"));
    draw_way(&b, end, "take it back", &look);
    fputs(b.data, stdout);
}

ExitCode run_freeze_create(struct session *s, const struct args *a) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    json_auto_t *body = json_object();
    char key[UUID_TEXT];
    ExitCode code;

    if (!arg_text(a, "reason"))
        return usage_error("freeze create wants --reason TEXT: whoever it stops reads it");
    if (arg_operand(a, 0))
        json_set_str(body, "app", arg_operand(a, 0));
    if (arg_operand(a, 1))
        json_set_str(body, "environment", arg_operand(a, 1));
    set_option(body, a, "reason", "reason");
    if (arg_flag(a, "let-running-finish"))
        json_object_set_new(body, "let_running_finish", json_true());
    code = arg_text(a, "days") ? weekly_body(body, a) : single_body(body, a);
    if (code != EXIT_DONE)
        return code;
    code = api_do(s,
                  &(struct api_call){.method = "POST",
                                     .path = "/api/v1/freezes",
                                     .json = body,
                                     .idempotency_key = uuid_v7(key)},
                  &answer);
    if (code == EXIT_DONE && s->json)
        print_json(answer.json);
    else if (code == EXIT_DONE)
        say_frozen(answer.json);
    return code;
}

ExitCode run_freeze_list(struct session *s, const struct args *a) {
    const char *app = arg_operand(a, 0), *environment = arg_operand(a, 1);
    _cleanup_free_ char *path = environment
                                    ? api_path("/freezes?app=%s&environment=%s", app, environment)
                                : app ? api_path("/freezes?app=%s", app)
                                      : api_path("/freezes");
    _cleanup_free_ char *filtered =
        arg_flag(a, "active") ? xasprintf("%s%cactive=true", path, app ? '&' : '?') : NULL;

    return LIST(s, filtered ? filtered : path, {"FREEZE", "/id"}, {"APP", "/app"},
                {"ENVIRONMENT", "/environment"}, {"ACTIVE", "/active"}, {"FROM", "/starts_at"},
                {"TO", "/ends_at"}, {"DAYS", "/weekly/days"}, {"START", "/weekly/start"},
                {"FOR (S)", "/weekly/duration_s"}, {"TIME ZONE", "/weekly/timezone"},
                {"BY", "/created_by/subject"}, {"ENDED", "/ended_at"}, {"REASON", "/reason"});
}

ExitCode run_freeze_end(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/freezes/%s", arg_operand(a, 0));
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code = api_do(s, &(struct api_call){.method = "DELETE", .path = path}, &answer);

    if (code == EXIT_DONE && s->json)
        puts("{\"ended\":true}");
    else if (code == EXIT_DONE)
        printf("freeze %s is ended\n", arg_operand(a, 0));
    return code;
}

/* ---- break-glass ---- */

static void say_glass(const struct args *a, const json_t *glass) {
    const char *state = json_str(glass, "state", "?"), *id = json_str(glass, "id", "?");
    const char *app = arg_operand(a, 0), *environment = arg_operand(a, 1);
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    _cleanup_free_ char *confirm =
        xasprintf("sluice break-glass confirm %s %s %s", app, environment, id);
    struct look look = screen_look();

    if (strcmp(state, "open") == 0) {
        strbuf_addf(&b, "no freeze holds %s/%s until ", app, environment);
        draw_when(&b, json_str(glass, "until", NULL), &look);
        strbuf_adds(&b, "; it is on the record\n");
    } else {
        strbuf_addf(&b, "break-glass %s of %s/%s is ", id, app, environment);
        text_add_clean(&b, state);
        strbuf_adds(&b, "\n");
    }
    if (strcmp(state, "requested") == 0)
        draw_way(&b, confirm, "by a second person", &look);
    fputs(b.data, stdout);
}

static ExitCode glass(struct session *s, const struct args *a, const struct api_call *call) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code = api_do(s, call, &answer);

    if (code == EXIT_DONE && s->json)
        print_json(answer.json);
    else if (code == EXIT_DONE)
        say_glass(a, answer.json);
    return code;
}

static char *glass_path(const struct args *a) {
    return api_path("/apps/%s/environments/%s/break-glass", arg_operand(a, 0), arg_operand(a, 1));
}

ExitCode run_break_glass_request(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = glass_path(a);
    json_auto_t *body = json_object();
    char key[UUID_TEXT];

    if (!arg_text(a, "reason") || !arg_text(a, "for"))
        return usage_error("break-glass request wants --reason TEXT and --for TIME, 60m at most");
    set_option(body, a, "reason", "reason");
    json_object_set_new(body, "duration_s", json_integer(arg_seconds(a, "for", 0)));
    return glass(
        s, a,
        &(struct api_call){
            .method = "POST", .path = path, .json = body, .idempotency_key = uuid_v7(key)});
}

ExitCode run_break_glass_confirm(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/apps/%s/environments/%s/break-glass/%s/confirm",
                                         arg_operand(a, 0), arg_operand(a, 1), arg_operand(a, 2));

    return glass(s, a, &(struct api_call){.method = "POST", .path = path});
}

ExitCode run_break_glass_list(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = glass_path(a);

    return LIST(s, path, {"BREAK-GLASS", "/id"}, {"STATE", "/state"}, {"FOR (S)", "/duration_s"},
                {"REQUESTED BY", "/requested_by/subject"}, {"REQUESTED", "/requested_at"},
                {"CONFIRMED BY", "/confirmed_by/subject"}, {"UNTIL", "/until"},
                {"REASON", "/reason"});
}
