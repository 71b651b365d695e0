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

static bool next_busy(const json_t *problem) {
    const char *id = problem_deployment(problem);

    if (!id)
        return false;
    fputs("  watch the active deployment:  sluice watch ", stderr);
    text_print_clean(stderr, id);
    fputs("\n  or take it back:              sluice abort ", stderr);
    text_print_clean(stderr, id);
    fputc('\n', stderr);
    return true;
}

/* What serves, as the server sees it, and the one that goes on. */
static bool next_unconfirmed(const json_t *problem) {
    const json_t *active = json_at(problem, "seen", "active", NULL);
    const char *id = problem_deployment(problem);
    bool stuck = strcmp(json_str(problem, "state", ""), "stuck") == 0;

    if (!json_str(active, "version", NULL) && !id)
        return false;
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
    return true;
}

static bool next_wrong_state(const json_t *problem) {
    const json_t *allowed = json_object_get(problem, "allowed"), *verb;
    size_t i;

    if (!json_str(problem, "state", NULL) || !json_array_size(allowed))
        return false;
    fputs("  it is ", stderr);
    text_print_clean(stderr, json_str(problem, "state", ""));
    fputs("; possible now:", stderr);
    json_array_foreach(allowed, i, verb) {
        fputs(i ? ", " : " ", stderr);
        text_print_clean(stderr, json_string_value(verb) ? json_string_value(verb) : "?");
    }
    fputc('\n', stderr);
    return true;
}

static bool next_blocked(const json_t *problem) {
    struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();
    bool told;

    look.color = false; /* of standard output */
    draw_blockers(&b, json_object_get(problem, "blockers"), &look);
    fputs(b.data ? b.data : "", stderr);
    told = b.len > 0;
    strbuf_done(&b);
    return told;
}

#define OTHER_VERSION "sluice and the server seem to be of different versions: sluice --version"

/* What to do next, for every code of errors.def and those that are made here. */
static const struct advice {
    const char *code, *text;
    bool (*tell)(
        const json_t *problem); /* says it better; false where the problem lacks for that */
} advices[] = {
    {"invalid-body", "correct what is named above, then give the command again", NULL},
    {"invalid-query", "correct the option that is named above", NULL},
    {"invalid-path", "a name or an id is not well formed; sluice status shows those there are",
     NULL},
    {"invalid-request",
     "something on the way may have changed the request: a proxy, or a URL that is not Sluice's",
     NULL},
    {"not-supported", "leave out what is named above: this server cannot do it", NULL},
    {"unauthenticated",
     "sluice login, or set SLUICE_TOKEN to a token of this server (on the server: sluiced token "
     "--sub YOU --role ROLE --ttl 1h)",
     NULL},
    {"forbidden",
     "sluice me says what you may do; who gives out keys can give one that may do more", NULL},
    {"not-found", "look at what there is: sluice status, sluice release list APP, sluice --help",
     NULL},
    {"method-not-allowed", OTHER_VERSION, NULL},
    {"not-acceptable", OTHER_VERSION, NULL},
    {"unsupported-media-type", OTHER_VERSION, NULL},
    {"release-exists",
     "a release never changes: register the new content under a new version number", NULL},
    {"release-yanked", "choose another version: sluice release list APP", NULL},
    {"environment-busy", "see what is active: sluice status", next_busy},
    {"blocked", "sluice why APP ENV says what is missing, and who can change that", next_blocked},
    {"approval-required",
     "ask for it: sluice flag request APP ENV FLAG --reason TEXT (kill needs no approval)", NULL},
    {"wrong-state", "sluice status says how it stands now", next_wrong_state},
    {"in-use", "first delete or end what uses it", NULL},
    {"no-capacity",
     "traffic moves only to as many ready pods as serve now: sluice status APP ENV shows both",
     NULL},
    {"idempotency-in-flight",
     "give the same command again in a moment: it starts nothing a second time", NULL},
    {"idempotency-mismatch", "this idempotency key was used for another request: choose a new one",
     NULL},
    {"precondition-failed", "somebody changed it meanwhile: look at it again, then repeat", NULL},
    {"precondition-required",
     "it exists with other content; to replace it, give the same command with --force", NULL},
    {"body-too-large", "make it smaller: manifests may have 1 MiB, everything else 256 KiB", NULL},
    {"rate-limited", "wait, then repeat", NULL},
    {"overloaded", "the server has too much to do: repeat in a moment", NULL},
    {"database-unavailable", "the server goes on by itself when its database is back", NULL},
    {"cluster-unavailable", "repeat in a moment; sluice cluster list says which clusters answer",
     NULL},
    {"issuer-unavailable", "repeat in a moment; if it lasts, sluiced check says why, on the server",
     NULL},
    {"not-confirmed", "the work goes on; repeating the command is safe", next_unconfirmed},
    {"internal", "repeat; if it lasts, the server's log has it under the request below", NULL},
    {"unreachable", "does the server run, and is this its URL? --url, SLUICE_URL, sluice login",
     NULL},
    {"not-sluice", "is this the URL of Sluice? --url, SLUICE_URL, sluice login", NULL},
};

const char *advice_on(const char *code) {
    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        if (strcmp(advices[i].code, code) == 0)
            return advices[i].text;
    }
    return NULL;
}

/* Of a code that a newer server made there is nothing to say. */
static void advise(const char *code, const json_t *problem) {
    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        if (strcmp(advices[i].code, code) == 0 && !(advices[i].tell && advices[i].tell(problem)))
            fprintf(stderr, "  next: %s\n", advices[i].text);
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
        advise("not-sluice", NULL);
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
    advise(json_str(a->json, "code", ""), a->json);
    if (a->retry_after_s > 0)
        fprintf(stderr, "  the server asks to wait %d s\n", a->retry_after_s);
    if (a->status >= 500 && json_str(a->json, "request_id", NULL))
        fprintf(stderr, "  in the server's log: request %s\n", json_str(a->json, "request_id", ""));
}

void report_answer(const struct session *s, const struct api_answer *a) {
    if (!a->answered) {
        fprintf(stderr, "sluice: %s does not answer: %s\n", s->url, a->error);
        advise("unreachable", NULL);
    } else {
        report_problem(a);
    }
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
