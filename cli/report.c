/* cli/report.c: what went wrong with a call, in words: the problem document of the server, and what
 * to do next. */
#include "cli/gate.h"
#include "cli/screen.h"
#include "cli/session.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>

/* The id of the deployment that a problem is about. */
static const char *problem_deployment(const json_t *problem) {
    static const char *const names[] = {"deployment", "active", "deployment_id"};
    const json_t *v;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        v = json_object_get(problem, names[i]);
        if (json_is_string(v))
            return json_string_value(v);
        if (json_str(v, "id", NULL))
            return json_str(v, "id", NULL);
    }
    return NULL;
}

static void next_busy(const json_t *problem) {
    const char *id = problem_deployment(problem);

    if (!id) {
        fputs("  see what is active:  sluice status\n", stderr);
        return;
    }
    fputs("  watch the active deployment:  sluice watch ", stderr);
    text_print_clean(stderr, id);
    fputs("\n  or take it back:              sluice abort ", stderr);
    text_print_clean(stderr, id);
    fputc('\n', stderr);
}

/* What serves, as the server sees it, and the one that goes on. */
static void next_unconfirmed(const json_t *problem) {
    const json_t *active = json_at(problem, "seen", "active", NULL);
    const char *id = problem_deployment(problem);
    bool stuck = strcmp(json_str(problem, "state", ""), "stuck") == 0;

    if (json_str(active, "version", NULL)) {
        fputs("  seen serving:  ", stderr);
        text_print_clean(stderr, json_str(active, "version", "?"));
        fputs(" (", stderr);
        text_print_clean(stderr, json_str(active, "color", "?"));
        fputs(")\n", stderr);
    }
    if (id) {
        fputs(stuck ? "  what to do:    sluice status " : "  watch it:      sluice watch ", stderr);
        text_print_clean(stderr, id);
        fputc('\n', stderr);
    }
    if (!stuck)
        fputs("  the work goes on; repeating the command is safe\n", stderr);
}

static void next_wrong_state(const json_t *problem) {
    const json_t *allowed = json_object_get(problem, "allowed"), *verb;
    size_t i;

    if (json_str(problem, "state", NULL) && json_array_size(allowed)) {
        fputs("  it is ", stderr);
        text_print_clean(stderr, json_str(problem, "state", ""));
        fputs("; possible now:", stderr);
        json_array_foreach(allowed, i, verb) {
            fputs(i ? ", " : " ", stderr);
            text_print_clean(stderr, json_string_value(verb) ? json_string_value(verb) : "?");
        }
        fputc('\n', stderr);
    }
}

static void next_blocked(const json_t *problem) {
    struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();

    look.color = false; /* of standard output */
    draw_blockers(&b, json_object_get(problem, "blockers"), &look);
    fputs(b.data ? b.data : "", stderr);
    strbuf_done(&b);
}

static const struct advice {
    const char *code, *text;
    void (*tell)(const json_t *problem);
} advices[] = {
    {"environment-busy", NULL, next_busy},
    {"approval-required",
     "ask for it:  sluice flag request APP ENV FLAG --reason TEXT  (kill needs no approval)", NULL},
    {"wrong-state", NULL, next_wrong_state},
    {"blocked", NULL, next_blocked},
    {"precondition-required",
     "it exists with other content; to replace it, give the same command with --force", NULL},
    {"precondition-failed", "somebody changed it meanwhile: look at it again, then repeat", NULL},
    {"unauthenticated",
     "sluice login, or set SLUICE_TOKEN to a token of this server (on the server: sluiced token "
     "--sub YOU --role ROLE --ttl 1h)",
     NULL},
    {"release-exists",
     "a release never changes: register the new content under a new version number", NULL},
    {"release-yanked", "choose another version: sluice release list APP", NULL},
    {"in-use", "first delete or end what uses it", NULL},
    {"rate-limited", "wait, then repeat", NULL},
    {"overloaded", "the server has too much to do: repeat in a moment", NULL},
    {"database-unavailable", "the server goes on by itself when its database is back", NULL},
    {"idempotency-mismatch", "this idempotency key was used for another request: choose a new one",
     NULL},
    {"not-confirmed", NULL, next_unconfirmed},
    {"no-capacity", "traffic moves only to as many ready pods as serve now", NULL},
};

static void advise(const json_t *problem) {
    const char *code = json_str(problem, "code", "");

    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        if (strcmp(advices[i].code, code) != 0)
            continue;
        if (advices[i].tell)
            advices[i].tell(problem);
        else
            fprintf(stderr, "  %s\n", advices[i].text);
    }
}

static void report_fields(const json_t *problem) {
    const json_t *error;
    size_t i;

    json_array_foreach(json_object_get(problem, "errors"), i, error) {
        const char *field = json_str(error, "field", "");

        fputs("  ", stderr);
        text_print_clean(stderr, field);
        fputs(*field ? ": " : "", stderr);
        text_print_clean(stderr, json_str(error, "detail", json_str(error, "code", "not valid")));
        fputc('\n', stderr);
    }
}

/* What a dry run says to do about what the deployment would fail with. */
static void report_hint(const json_t *failure) {
    if (!json_str(failure, "hint", NULL))
        return;
    fputs("  what to do: ", stderr);
    text_print_clean(stderr, json_str(failure, "hint", ""));
    fputc('\n', stderr);
}

static void report_problem(const struct api_answer *a) {
    const char *title = json_str(a->json, "title", NULL), *detail;

    fputs("sluice: ", stderr);
    if (!title) {
        fprintf(stderr, "the server answered %u, and not as Sluice does\n", a->status);
        return;
    }
    text_print_clean(stderr, title);
    detail = json_str(a->json, "detail", "");
    if (*detail && strcmp(detail, title) != 0) {
        fputs(": ", stderr);
        text_print_clean(stderr, detail);
    }
    if (json_str(a->json, "code", NULL)) {
        fputs(" (", stderr);
        text_print_clean(stderr, json_str(a->json, "code", ""));
        fputc(')', stderr);
    }
    fputc('\n', stderr);
    report_fields(a->json);
    report_hint(json_object_get(a->json, "failure"));
    advise(a->json);
    if (a->retry_after_s > 0)
        fprintf(stderr, "  the server asks to wait %d s\n", a->retry_after_s);
    if (a->status >= 500 && json_str(a->json, "request_id", NULL))
        fprintf(stderr, "  in the server's log: request %s\n", json_str(a->json, "request_id", ""));
}

void report_answer(const struct session *s, const struct api_answer *a) {
    if (!a->answered)
        fprintf(stderr, "sluice: %s does not answer: %s\n", s->url, a->error);
    else
        report_problem(a);
    if (a->may_have_acted)
        fputs("  it may have been carried out all the same: see  sluice status\n", stderr);
    if (!s->json)
        return;
    if (a->answered && json_is_object(a->json)) {
        print_json(a->json);
    } else {
        json_auto_t *made = json_object();

        json_set_str(made, "code", a->answered ? "not-sluice" : "unreachable");
        json_set_str(made, "detail", a->answered ? "the answer is not JSON" : a->error);
        if (a->answered)
            json_object_set_new(made, "status", json_integer(a->status));
        print_json(made);
    }
}
