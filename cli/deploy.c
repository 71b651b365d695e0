/* cli/deploy.c: starting and taking back deployments. */
#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/screen.h"
#include "cli/text.h"
#include "cli/watch.h"
#include <stdio.h>
#include <string.h>

enum { ABORT_TIMEOUT_MS = 20000, WAIT_S = 900 };

static json_t *deploy_body(const struct args *a) {
    json_t *body = json_object();

    json_set_str(body, "app", arg_operand(a, 0));
    json_set_str(body, "environment", arg_operand(a, 1));
    json_set_str(body, "version", arg_operand(a, 2));
    if (arg_text(a, "reason"))
        json_set_str(body, "reason", arg_text(a, "reason"));
    return body;
}

static void say_started(const json_t *deployment) {
    const char *id = json_str(deployment, "id", "?");

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
}

ExitCode run_deploy(struct session *s, const struct args *a) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    json_auto_t *body = deploy_body(a);
    const char *id;
    ExitCode code;

    code = api_do(s,
                  &(struct api_call){.method = "POST",
                                     .path = "/api/v1/deployments",
                                     .json = body,
                                     .idempotency_key = arg_text(a, "idempotency-key")},
                  &answer);
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

static void say_aborted(const json_t *deployment) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();

    if (state_is_over(json_str(deployment, "state", "?")))
        draw_outcome(&b, deployment, &look);
    else
        draw_confirmed(&b, deployment);
    fputs(b.data, stdout);
}

ExitCode run_abort(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/deployments/%s/abort", arg_operand(a, 0));
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    json_auto_t *body = json_object();
    ExitCode code;

    if (arg_text(a, "reason"))
        json_set_str(body, "reason", arg_text(a, "reason"));
    code = api_do(s,
                  &(struct api_call){
                      .method = "POST", .path = path, .json = body, .timeout_ms = ABORT_TIMEOUT_MS},
                  &answer);
    if (code != EXIT_DONE)
        return code;
    if (s->json)
        print_json(answer.json);
    else
        say_aborted(answer.json);
    return EXIT_DONE;
}
