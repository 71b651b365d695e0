/* cli/deploy.c: starting deployments, and asking what one would do. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "cli/commands.h"
#include "cli/diff.h"
#include "cli/draw.h"
#include "cli/resources.h"
#include "cli/screen.h"
#include "cli/text.h"
#include "cli/watch.h"
#include <stdio.h>
#include <string.h>

enum { WAIT_S = 900, DRY_RUN_MS = 60000, PLAN_MOST = 4 << 20 };

static json_t *deploy_body(const struct args *a) {
    json_t *body = json_object(), *params = json_object();

    json_set_str(body, "app", arg_operand(a, 0));
    json_set_str(body, "environment", arg_operand(a, 1));
    json_set_str(body, "version", arg_operand(a, 2));
    set_option(body, a, "reason", "reason");
    set_option(params, a, "promote", "promote");
    if (arg_flag(a, "wait-for-gates"))
        json_object_set_new(params, "wait", json_true());
    if (json_object_size(params))
        json_object_set(body, "params", params);
    json_decref(params);
    if (arg_flag(a, "dry-run"))
        json_object_set_new(body, "dry_run", json_true());
    return body;
}

static void say_started(const json_t *deployment) {
    const char *id = json_str(deployment, "id", "?");
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();

    text_print_clean(stdout, json_str(deployment, "app", "?"));
    fputs("/", stdout);
    text_print_clean(stdout, json_str(deployment, "environment", "?"));
    fputs(": deployment ", stdout);
    text_print_clean(stdout, id);
    fputs(" of ", stdout);
    text_print_clean(stdout, json_str(deployment, "version", "?"));
    fputs(" is ", stdout);
    text_print_clean(stdout, json_str(deployment, "state", "?"));
    fputs("\n  watch it:      sluice watch ", stdout);
    text_print_clean(stdout, id);
    fputs("\n  take it back:  sluice abort ", stdout);
    text_print_clean(stdout, id);
    fputc('\n', stdout);
    if (strcmp(json_str(deployment, "state", ""), "blocked") == 0)
        draw_next(&b, deployment, &look);
    fputs(b.data ? b.data : "", stdout);
}

/* After the blockers: the ways on. */
static void say_blocked(const struct args *a) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    _cleanup_free_ char *words =
        xasprintf("%s %s %s", arg_operand(a, 0), arg_operand(a, 1), arg_operand(a, 2));
    _cleanup_free_ char *why = xasprintf("sluice why %s", words);
    _cleanup_free_ char *wait = xasprintf("sluice deploy %s --wait-for-gates", words);
    struct look look = screen_look();

    draw_way(&b, why, "the commands that open them", &look);
    draw_way(&b, wait, "it begins when they open", &look);
    fputs(b.data, stderr);
}

static ExitCode dry_run(struct session *s, const json_t *body) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(PLAN_MOST);
    struct look look = screen_look();
    ExitCode code = api_do(s,
                           &(struct api_call){.method = "POST",
                                              .path = "/api/v1/deployments",
                                              .json = body,
                                              .repeatable = true,
                                              .timeout_ms = DRY_RUN_MS},
                           &answer);

    if (code != EXIT_DONE)
        return code;
    if (s->json) {
        print_json(answer.json);
        return EXIT_DONE;
    }
    draw_plan(&b, answer.json, &look);
    fputs(b.data, stdout);
    return EXIT_DONE;
}

ExitCode run_deploy(struct session *s, const struct args *a) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    json_auto_t *body = deploy_body(a);
    const char *id, *key = arg_text(a, "idempotency-key");
    char own_key[UUID_TEXT];
    ExitCode code;

    if (arg_flag(a, "dry-run") && arg_flag(a, "wait"))
        return usage_error("--dry-run starts nothing to --wait for");
    if (arg_flag(a, "dry-run"))
        return dry_run(s, body);
    if (!key)
        key = uuid_v7(own_key);
    code = api_do(
        s,
        &(struct api_call){
            .method = "POST", .path = "/api/v1/deployments", .json = body, .idempotency_key = key},
        &answer);
    if (answer.may_have_acted)
        fprintf(stderr, "  to repeat it without a second deployment: --idempotency-key %s\n", key);
    if (code == EXIT_REFUSED && strcmp(json_str(answer.json, "code", ""), "blocked") == 0)
        say_blocked(a);
    if (code != EXIT_DONE)
        return code;
    id = json_str(answer.json, "id", NULL);
    if (arg_flag(a, "wait") && id)
        return watch_deployment(s, id, arg_seconds(a, "timeout", WAIT_S),
                                s->json ? WATCH_LAST : WATCH_PEOPLE);
    if (s->json)
        print_json(answer.json);
    else
        say_started(answer.json);
    return EXIT_DONE;
}
