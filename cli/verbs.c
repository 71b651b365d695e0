/* cli/verbs.c: what people ask of a deployment that exists. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "cli/commands.h"
#include "cli/screen.h"
#include "cli/text.h"
#include "cli/watch.h"
#include <stdio.h>
#include <string.h>

enum { CONFIRM_TIMEOUT_MS = 20000, WAIT_S = 900 };

static json_t *reason_body(const struct args *a) {
    json_t *body = json_object();

    if (arg_text(a, "reason"))
        json_set_str(body, "reason", arg_text(a, "reason"));
    return body;
}

/* "inopnc/production: v1.2.3 is promoted; it is running" and what may come next. */
static void say_verb(const json_t *d, const char *said) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    const char *state = json_str(d, "state", "?");
    struct look look = screen_look();

    text_add_clean(&b, json_str(d, "app", "?"));
    strbuf_adds(&b, "/");
    text_add_clean(&b, json_str(d, "environment", "?"));
    strbuf_adds(&b, ": ");
    text_add_clean(&b, json_str(d, "version", "?"));
    strbuf_addf(&b, " %s; it is ", said);
    text_add_clean(&b, state);
    strbuf_adds(&b, "\n");
    if (state_is_over(state) || strcmp(state, "paused") == 0) {
        draw_next(&b, d, &look);
    } else {
        strbuf_adds(&b, "  sluice watch ");
        text_add_clean(&b, json_str(d, "id", "?"));
        strbuf_adds(&b, "\n");
    }
    fputs(b.data, stdout);
}

/* Asks for the verb of the deployment; `said` goes on in "v1.2.3 …". */
static ExitCode ask(struct session *s, const struct args *a, const char *verb, const json_t *body,
                    const char *said, bool wait) {
    _cleanup_free_ char *encoded = api_path("/deployments/%s/", arg_operand(a, 0));
    _cleanup_free_ char *path = xasprintf("%s%s", encoded, verb);
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code =
        api_do(s, &(struct api_call){.method = "POST", .path = path, .json = body}, &answer);

    if (code != EXIT_DONE)
        return code;
    if (!wait && s->json)
        print_json(answer.json);
    if (!s->json)
        say_verb(answer.json, said);
    fflush(stdout);
    return wait ? watch_deployment(s, arg_operand(a, 0), arg_seconds(a, "timeout", WAIT_S),
                                   s->json ? WATCH_LAST : WATCH_PEOPLE)
                : EXIT_DONE;
}

ExitCode run_promote(struct session *s, const struct args *a) {
    json_auto_t *body = reason_body(a);

    return ask(s, a, "promote", body, "is promoted", arg_flag(a, "wait"));
}

ExitCode run_pause(struct session *s, const struct args *a) {
    json_auto_t *body = reason_body(a);

    return ask(s, a, "pause", body, "stops before its next step", false);
}

ExitCode run_resume(struct session *s, const struct args *a) {
    json_auto_t *body = reason_body(a);

    return ask(s, a, "resume", body, "goes on", arg_flag(a, "wait"));
}

ExitCode run_retry(struct session *s, const struct args *a) {
    json_auto_t *body = reason_body(a);

    return ask(s, a, "retry", body, "tries again", arg_flag(a, "wait"));
}

ExitCode run_cancel(struct session *s, const struct args *a) {
    json_auto_t *body = reason_body(a);

    return ask(s, a, "cancel", body, "will not begin", false);
}

ExitCode run_resolve(struct session *s, const struct args *a) {
    json_auto_t *body = reason_body(a);

    if (!arg_text(a, "as") || !arg_text(a, "reason"))
        return usage_error("resolve wants --as failed or --as succeeded, and --reason TEXT");
    json_set_str(body, "as", arg_text(a, "as"));
    return ask(s, a, "resolve", body, "is resolved", false);
}

/* ---- abort ---- */

static void say_aborted(const json_t *deployment) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();

    if (state_is_over(json_str(deployment, "state", "?")))
        draw_outcome(&b, deployment, &look);
    else
        draw_confirmed(&b, deployment);
    fputs(b.data, stdout);
}

/* A refusal because nothing is confirmed yet; stuck is no matter of waiting. */
static ExitCode unconfirmed(ExitCode code, const struct api_answer *answer) {
    return code == EXIT_TIMED_OUT && strcmp(json_str(answer->json, "state", ""), "stuck") == 0
               ? EXIT_UNDONE
               : code;
}

ExitCode run_abort(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/deployments/%s/abort", arg_operand(a, 0));
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    json_auto_t *body = reason_body(a);
    ExitCode code;

    code =
        api_do(s,
               &(struct api_call){
                   .method = "POST", .path = path, .json = body, .timeout_ms = CONFIRM_TIMEOUT_MS},
               &answer);
    if (code != EXIT_DONE)
        return unconfirmed(code, &answer);
    if (s->json)
        print_json(answer.json);
    else
        say_aborted(answer.json);
    return EXIT_DONE;
}

/* ---- rollback and traffic ---- */

/* The deployment that an answer is about, also one that is not confirmed yet; NULL for none. */
static const char *carrier(const struct api_answer *answer) {
    const json_t *d = json_object_get(answer->json, "deployment");

    return json_str(answer->json, "id", json_str(d, "id", NULL));
}

/* Makes the call, says when it was confirmed and, with --wait, follows what it began. */
static ExitCode move(struct session *s, const struct args *a, struct api_call call) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();
    int64_t began = clock_monotonic_us();
    char key[UUID_TEXT];
    bool wait = arg_flag(a, "wait");
    ExitCode code;

    call.method = "POST";
    call.timeout_ms = CONFIRM_TIMEOUT_MS;
    call.idempotency_key = uuid_v7(key); /* a lost answer is asked for again */
    code = api_try(s, &call, &answer);
    look.now_us = clock_now_us();
    wait = wait && carrier(&answer) && (code == EXIT_DONE || code == EXIT_TIMED_OUT);
    if (code != EXIT_DONE && !(wait && s->json)) /* with both, one document: the last */
        report_answer(s, &answer);
    if (code == EXIT_DONE && s->json && !wait)
        print_json(answer.json);
    if (code == EXIT_DONE && !s->json) {
        draw_moved(&b, answer.json, arg_text(a, "reason"), clock_monotonic_us() - began, wait,
                   &look);
        fputs(b.data, stdout);
        fflush(stdout);
    }
    return wait ? watch_deployment(s, carrier(&answer), arg_seconds(a, "timeout", WAIT_S),
                                   s->json ? WATCH_LAST : WATCH_PEOPLE)
                : unconfirmed(code, &answer);
}

static ExitCode rollback_of_environment(struct session *s, const struct args *a) {
    _cleanup_free_ char *path =
        api_path("/apps/%s/environments/%s/rollback", arg_operand(a, 0), arg_operand(a, 1));
    json_auto_t *body = reason_body(a);

    if (!arg_text(a, "reason"))
        return usage_error("rollback of an environment wants --reason TEXT: it goes on the record");
    if (arg_text(a, "to"))
        json_set_str(body, "to", arg_text(a, "to"));
    return move(s, a, (struct api_call){.path = path, .json = body});
}

ExitCode run_rollback(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = NULL;
    json_auto_t *body = NULL;

    if (arg_operand(a, 1))
        return rollback_of_environment(s, a);
    if (!uuid_valid(arg_operand(a, 0)))
        return usage_error("rollback wants APP ENV, or the id of a deployment");
    if (arg_text(a, "to"))
        return usage_error("--to belongs to rollback APP ENV");
    path = api_path("/deployments/%s/rollback", arg_operand(a, 0));
    body = reason_body(a);
    return move(s, a, (struct api_call){.path = path, .json = body});
}

ExitCode run_traffic(struct session *s, const struct args *a) {
    _cleanup_free_ char *path =
        api_path("/apps/%s/environments/%s/traffic", arg_operand(a, 0), arg_operand(a, 1));
    json_auto_t *body = reason_body(a);

    if (!arg_text(a, "reason"))
        return usage_error("traffic wants --reason TEXT: it goes on the record");
    json_set_str(body, "color", arg_operand(a, 2));
    return move(s, a, (struct api_call){.path = path, .json = body});
}
