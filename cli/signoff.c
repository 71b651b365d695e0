/* cli/signoff.c: people's decisions: approvals before a deployment, acceptance after it. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "cli/commands.h"
#include "cli/gate.h"
#include "cli/resources.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>

/* The sign-offs of APP VERSION, or of --deployment; yours. */
static char *signoffs_path(const struct args *a, const char *app, const char *version) {
    const char *deployment = arg_text(a, "deployment");

    return deployment ? api_path("/deployments/%s/signoffs", deployment)
                      : api_path("/apps/%s/releases/%s/signoffs", app, version);
}

/* One person counts once: the sign-off before is withdrawn, also where it was in another role. */
static void add_replaced(struct strbuf *b, const json_t *signoff) {
    const char *role = json_str(signoff, "replaces_role", NULL);

    if (!role)
        return;
    strbuf_adds(b, "  it replaces the one as ");
    text_add_clean(b, role);
    strbuf_adds(b, ", which is withdrawn: one person counts once\n");
}

/* "approved by ann as qa: 019…" and what it has changed. */
static void say_decided(const json_t *signoff, const struct gate_place *place) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();
    bool approve = strcmp(json_str(signoff, "decision", ""), "approve") == 0;

    text_add_clean(&b, approve ? "approved by " : "rejected by ");
    text_add_clean(&b, json_str(json_object_get(signoff, "by"), "subject", "?"));
    strbuf_adds(&b, " as ");
    text_add_clean(&b, json_str(signoff, "role", "?"));
    strbuf_adds(&b, ": sign-off ");
    text_add_clean(&b, json_str(signoff, "id", "?"));
    strbuf_adds(&b, "\n");
    add_replaced(&b, signoff);
    if (json_str(signoff, "acceptance", NULL)) {
        strbuf_adds(&b, "  the deployment's acceptance is ");
        text_add_clean(&b, json_str(signoff, "acceptance", ""));
        strbuf_adds(&b, "\n");
    }
    draw_effect(&b, signoff, place, &look);
    fputs(b.data, stdout);
}

static ExitCode decide(struct session *s, const struct args *a, const char *decision) {
    struct gate_place place = {arg_operand(a, 0), arg_operand(a, 1), arg_operand(a, 2)};
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    json_auto_t *body = json_object();
    _cleanup_free_ char *path = NULL;
    char key[UUID_TEXT];
    ExitCode code;

    if (a->n_operands != (arg_text(a, "deployment") ? 0 : 3))
        return usage_error("%s wants APP ENV VERSION, or --deployment ID", a->command->words);
    if (!arg_text(a, "role"))
        return usage_error("%s wants --role ROLE", a->command->words);
    if (place.environment)
        json_set_str(body, "environment", place.environment);
    json_set_str(body, "decision", decision);
    set_option(body, a, "role", "role");
    set_option(body, a, "note", "note");
    path = signoffs_path(a, place.app, place.version);
    code =
        api_do(s,
               &(struct api_call){
                   .method = "POST", .path = path, .json = body, .idempotency_key = uuid_v7(key)},
               &answer);
    if (code == EXIT_DONE && s->json)
        print_json(answer.json);
    else if (code == EXIT_DONE)
        say_decided(answer.json, &place);
    return code;
}

ExitCode run_signoff_approve(struct session *s, const struct args *a) {
    return decide(s, a, "approve");
}

ExitCode run_signoff_reject(struct session *s, const struct args *a) {
    return decide(s, a, "reject");
}

ExitCode run_signoff_withdraw(struct session *s, const struct args *a) {
    bool deployed = arg_text(a, "deployment");
    const char *id = arg_operand(a, a->n_operands - 1);
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    _cleanup_free_ char *list = NULL, *last = NULL, *path = NULL;
    struct look look = screen_look();
    ExitCode code;

    if (a->n_operands != (deployed ? 1 : 3))
        return usage_error("signoff withdraw wants APP VERSION SIGNOFF, or SIGNOFF --deployment "
                           "ID");
    list = signoffs_path(a, arg_operand(a, 0), arg_operand(a, 1));
    last = api_path("/%s", id);
    path = xasprintf("%s%s", list, last + strlen("/api/v1"));
    code = api_do(s, &(struct api_call){.method = "DELETE", .path = path}, &answer);
    if (code != EXIT_DONE)
        return code;
    if (s->json) {
        print_json(answer.json);
        return EXIT_DONE;
    }
    printf("sign-off %s is withdrawn\n", id);
    draw_effect(&b, answer.json, &(struct gate_place){0}, &look);
    fputs(b.data ? b.data : "", stdout);
    return EXIT_DONE;
}

ExitCode run_signoff_list(struct session *s, const struct args *a) {
    const char *environment = arg_text(a, "env");
    _cleanup_free_ char *list = NULL, *filter = NULL, *path = NULL;

    if (a->n_operands != (arg_text(a, "deployment") ? 0 : 2))
        return usage_error("signoff list wants APP VERSION, or --deployment ID");
    list = signoffs_path(a, arg_operand(a, 0), arg_operand(a, 1));
    filter = environment ? api_path("?environment=%s", environment) : NULL;
    path = xasprintf("%s%s", list, filter ? filter + strlen("/api/v1") : "");
    return LIST(s, path, {"SIGN-OFF", "/id"}, {"ENVIRONMENT", "/environment"}, {"ROLE", "/role"},
                {"DECISION", "/decision"}, {"BY", "/by/subject"}, {"CREATED", "/created_at"},
                {"VALID", "/valid"}, {"VOID", "/void_reason"}, {"WITHDRAWN", "/withdrawn_at"},
                {"NOTE", "/note"});
}
