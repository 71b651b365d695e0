/* cli/flag_request.c: changes of flags where an environment asks for approvals: asked for, looked
 * at, approved, applied. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "cli/commands.h"
#include "cli/diff.h"
#include "cli/flag.h"
#include "cli/resources.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>

/* APP ENV REQUEST, with `tail`; yours. */
static char *request_path(const struct args *a, const char *tail) {
    _cleanup_free_ char *path = api_path("/apps/%s/environments/%s/flag-requests/%s",
                                         arg_operand(a, 0), arg_operand(a, 1), arg_operand(a, 2));

    return xasprintf("%s%s", path, tail);
}

/* "sluice flag VERB APP ENV ID", a line that may be pasted. */
static void add_way(struct strbuf *b, const struct args *a, const json_t *request, const char *verb,
                    const char *what, const struct look *look) {
    _cleanup_free_ char *command = xasprintf("sluice flag %s %s %s %s", verb, arg_operand(a, 0),
                                             arg_operand(a, 1), json_str(request, "id", "?"));

    draw_way(b, command, what, look);
}

/* "request 019… of ann is pending: 1 of 2 approvals", who approved, and what may be done next. */
static void add_request(struct strbuf *b, const struct args *a, const json_t *request,
                        const struct look *look) {
    const json_t *approvals = json_object_get(request, "approvals"), *one;
    const char *state = json_str(request, "state", "?");
    size_t i;

    strbuf_adds(b, "request ");
    text_add_clean(b, json_str(request, "id", "?"));
    strbuf_adds(b, " of ");
    text_add_clean(b, json_str(json_object_get(request, "requested_by"), "subject", "?"));
    strbuf_adds(b, " is ");
    text_add_clean(b, state);
    strbuf_addf(b, ": %zu of %lld approvals\n", json_array_size(approvals),
                (long long)json_int(request, "needed", 0));
    json_array_foreach(approvals, i, one) {
        strbuf_adds(b, "  approved by ");
        text_add_clean(b, json_str(json_object_get(one, "by"), "subject", "?"));
        strbuf_adds(b, json_str(one, "note", NULL) ? ": " : "");
        text_add_clean(b, json_str(one, "note", ""));
        strbuf_adds(b, "\n");
    }
    json_array_foreach(json_object_get(request, "stale"), i, one) {
        strbuf_adds(b, "  changed since: ");
        text_add_clean(b, json_is_string(one) ? json_string_value(one) : "?");
        strbuf_adds(b, "\n");
    }
    if (strcmp(state, "pending") == 0)
        add_way(b, a, request, "approve", "by somebody else", look);
    if (strcmp(state, "approved") == 0)
        add_way(b, a, request, "apply", "make it so", look);
}

static void print_request(const struct session *s, const struct args *a, const json_t *request) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();

    if (s->json) {
        print_json(request);
        return;
    }
    add_request(&b, a, request, &look);
    fputs(b.data, stdout);
}

/* ---- asked for ---- */

/* What is to be another of a flag, from what it is there now. */
static ExitCode add_set(struct session *s, const struct args *a, const char *flag, json_t *set) {
    struct flag_place place = {arg_operand(a, 0), arg_operand(a, 1), flag};
    _cleanup_free_ char *path = flag_path(&place, "");
    _cleanup_(api_answer_done) struct api_answer current = {0};
    json_auto_t *file = arg_text(a, "file") ? flag_file(a) : NULL;
    ExitCode code;

    if (arg_text(a, "file")) {
        json_object_update(set, file);
        return file ? EXIT_DONE : EXIT_USAGE;
    }
    if (arg_flag(a, "unkill"))
        json_object_set_new(set, "killed", json_false());
    if (arg_flag(a, "enable") || arg_flag(a, "disable"))
        json_object_set_new(set, "enabled", json_boolean(arg_flag(a, "enable")));
    if (!arg_text(a, "rollout"))
        return EXIT_DONE;
    code = api_do(s, &(struct api_call){.path = path}, &current);
    return code == EXIT_DONE ? add_percent(a, arg_text(a, "rollout"), current.json, set) : code;
}

static ExitCode request_body(struct session *s, const struct args *a, json_t *body) {
    json_t *changes = json_array();
    ExitCode code = EXIT_DONE;

    json_object_set_new(body, "changes", changes);
    set_option(body, a, "reason", "reason");
    for (size_t i = 2; i < a->n_operands && code == EXIT_DONE; i++) {
        json_t *set = json_object();

        json_array_append_new(changes,
                              json_pack("{s:s, s:o}", "flag", arg_operand(a, i), "set", set));
        code = add_set(s, a, arg_operand(a, i), set);
    }
    return code;
}

ExitCode run_flag_request(struct session *s, const struct args *a) {
    _cleanup_free_ char *path =
        api_path("/apps/%s/environments/%s/flag-requests", arg_operand(a, 0), arg_operand(a, 1));
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    json_auto_t *body = json_object();
    char key[UUID_TEXT];
    ExitCode code;

    if (arg_flag(a, "enable") + arg_flag(a, "disable") + arg_flag(a, "unkill") +
            arg_flag(a, "rollout") + arg_flag(a, "file") !=
        1)
        return usage_error("flag request wants one of --enable, --disable, --unkill, --rollout "
                           "PERCENT and --file FILE");
    if (arg_text(a, "stickiness") && !arg_text(a, "rollout"))
        return usage_error("--stickiness belongs to --rollout");
    if (!arg_text(a, "reason"))
        return usage_error("flag request wants --reason TEXT");
    code = request_body(s, a, body);
    if (code == EXIT_DONE)
        code = api_do(
            s,
            &(struct api_call){
                .method = "POST", .path = path, .json = body, .idempotency_key = uuid_v7(key)},
            &answer);
    if (code == EXIT_DONE)
        print_request(s, a, answer.json);
    return code;
}

/* ---- looked at ---- */

ExitCode run_flag_requests(struct session *s, const struct args *a) {
    const char *state = arg_text(a, "state");
    _cleanup_free_ char *path = state ? api_path("/apps/%s/environments/%s/flag-requests?state=%s",
                                                 arg_operand(a, 0), arg_operand(a, 1), state)
                                      : api_path("/apps/%s/environments/%s/flag-requests",
                                                 arg_operand(a, 0), arg_operand(a, 1));

    return LIST(s, path, {"REQUEST", "/id"}, {"STATE", "/state"}, {"FLAGS", "/flags"},
                {"BY", "/requested_by/subject"}, {"REQUESTED", "/requested_at"},
                {"CHANGED SINCE", "/stale"}, {"REASON", "/reason"});
}

ExitCode run_flag_review(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = request_path(a, "");
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();
    const json_t *change;
    ExitCode code = api_do(s, &(struct api_call){.path = path}, &answer);
    size_t i;

    if (code == EXIT_DONE && !s->json) {
        json_array_foreach(json_object_get(answer.json, "changes"), i, change) {
            strbuf_clear(&b);
            diff_objects(&b, json_str(change, "flag", "?"), json_object_get(change, "before"),
                         json_object_get(change, "after"), &look);
            fputs(b.data, stdout);
        }
    }
    if (code == EXIT_DONE)
        print_request(s, a, answer.json);
    return code;
}

/* ---- decided ---- */

static ExitCode decide(struct session *s, const struct args *a, const char *tail) {
    _cleanup_free_ char *path = request_path(a, tail);
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    json_auto_t *body = json_object();
    ExitCode code;

    set_option(body, a, "note", "note");
    code = api_do(s, &(struct api_call){.method = "POST", .path = path, .json = body}, &answer);
    if (code == EXIT_DONE)
        print_request(s, a, answer.json);
    return code;
}

ExitCode run_flag_approve(struct session *s, const struct args *a) {
    return decide(s, a, "/approve");
}

ExitCode run_flag_reject(struct session *s, const struct args *a) {
    if (!arg_text(a, "note"))
        return usage_error("flag reject wants --note TEXT");
    return decide(s, a, "/reject");
}

ExitCode run_flag_apply(struct session *s, const struct args *a) {
    return decide(s, a, "/apply");
}

ExitCode run_flag_cancel(struct session *s, const struct args *a) {
    return decide(s, a, "/cancel");
}
