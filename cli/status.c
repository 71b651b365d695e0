/* cli/status.c: what serves where, since when, and what runs. */
#include "base/cleanup.h"
#include "base/ids.h"
#include "cli/commands.h"
#include "cli/gate.h"
#include "cli/overview.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>

/* What was waived for a deployment, a line each. */
static void print_waivers(const json_t *deployment) {
    const json_t *waiver;
    size_t i;

    json_array_foreach(json_object_get(deployment, "waivers"), i, waiver) {
        _cleanup_free_ char *line =
            xasprintf("waived:     %s (%s), by %s as %s: %s", json_str(waiver, "item", "?"),
                      json_str(waiver, "checklist", "?"),
                      json_str(json_object_get(waiver, "by"), "subject", "?"),
                      json_str(waiver, "role", "?"), json_str(waiver, "reason", "?"));

        text_print_clean(stdout, line);
        putchar('\n');
    }
}

/* What people have still to say of one that serves, or that they rejected it. */
static void print_acceptance(const json_t *deployment) {
    const char *said = acceptance_open(deployment), *id = json_str(deployment, "id", "?");
    const json_t *awaits = json_object_get(deployment, "acceptance_awaits"), *role;
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    _cleanup_free_ char *way = NULL;
    struct look look = screen_look();
    size_t i;

    if (!said)
        return;
    strbuf_addf(&b, "acceptance: %s", said);
    json_array_foreach(awaits, i, role) {
        strbuf_adds(&b, i == 0 ? ", waits for " : ", ");
        text_add_clean(&b, json_string_value(role) ? json_string_value(role) : "?");
    }
    strbuf_adds(&b, "\n");
    if (strcmp(said, "pending") == 0)
        way = xasprintf("sluice signoff approve --deployment %s --role ROLE", id);
    else
        way = xasprintf("sluice signoff list --deployment %s", id);
    draw_way(&b, way, strcmp(said, "pending") == 0 ? "accept it" : "who rejected it", &look);
    fputs(b.data, stdout);
}

static void print_said(const json_t *deployment) {
    print_waivers(deployment);
    print_acceptance(deployment);
}

/* The same of the deployment that brought what serves; nothing where it is none of ours. */
static ExitCode said_of_serving(struct session *s, const char *app, const char *env,
                                const char *version) {
    _cleanup_free_ char *list = api_path(
        "/deployments?app=%s&environment=%s&version=%s&state=succeeded&limit=1", app, env, version);
    _cleanup_(api_answer_done) struct api_answer found = {0}, answer = {0};
    _cleanup_free_ char *path = NULL;
    const json_t *newest;
    ExitCode code = api_try(s, &(struct api_call){.path = list}, &found);

    if (code == EXIT_REFUSED) /* an image's tag is no version */
        return EXIT_DONE;
    if (code != EXIT_DONE)
        report_answer(s, &found);
    newest = json_array_get(json_object_get(found.json, "items"), 0);
    if (code != EXIT_DONE || !newest)
        return code;
    path = api_path("/deployments/%s", json_str(newest, "id", ""));
    code = api_do(s, &(struct api_call){.path = path}, &answer);
    if (code == EXIT_DONE)
        print_said(answer.json);
    return code;
}

static ExitCode status_of_deployment(struct session *s, const char *id) {
    _cleanup_free_ char *path = api_path("/deployments/%s", id);
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code = api_do(s, &(struct api_call){.path = path}, &answer);
    struct look look = screen_look();

    if (code != EXIT_DONE)
        return code;
    if (s->json) {
        print_json(answer.json);
        return EXIT_DONE;
    }
    look.rows = 0;
    draw_deployment(&b, answer.json, &look);
    fputs(b.data, stdout);
    print_said(answer.json);
    return EXIT_DONE;
}

static void print_side(const char *title, const json_t *side) {
    char since[AGO_TEXT];

    if (!json_is_object(side))
        return;
    ago(json_str(side, "since", NULL), since);
    printf("%s", title);
    text_print_clean(stdout, json_str(side, "version", "?"));
    fputs(" (", stdout);
    text_print_clean(stdout, json_str(side, "color", "?"));
    fputs(")", stdout);
    if (json_is_integer(json_object_get(side, "ready")))
        printf(", %lld ready", (long long)json_int(side, "ready", 0));
    if (*since)
        printf(", since %s", since);
    fputs("  ", stdout);
    text_print_clean(stdout, json_str(side, "image", ""));
    putchar('\n');
}

static void print_drift(const json_t *drift) {
    const json_t *element;
    size_t i;

    json_array_foreach(drift, i, element) {
        _cleanup_free_ char *text = json_is_string(element) ? NULL : json_text(element);
        const char *sentence = json_str(element, "message", json_str(element, "detail", text));

        fputs("drift:      ", stdout);
        text_print_clean(stdout, json_is_string(element) ? json_string_value(element) : sentence);
        putchar('\n');
    }
}

/* Where the caller may know. */
static void print_freezes(struct session *s, const char *app, const char *env) {
    json_auto_t *freezes = active_freezes(s);
    const json_t *freeze;
    size_t i;

    json_array_foreach(freezes, i, freeze) {
        const char *by = json_str(json_object_get(freeze, "created_by"), "subject", "somebody");
        char until[AGO_TEXT];

        if (!freeze_holds(freeze, app, env))
            continue;
        freeze_until(freeze, until);
        printf("frozen:     %s%sby ", until, *until ? ", " : "");
        text_print_clean(stdout, by);
        fputs(": ", stdout);
        text_print_clean(stdout, json_str(freeze, "reason", ""));
        putchar('\n');
    }
}

/* An open break-glass: the freezes that are told of do not hold meanwhile. */
static void print_thaw(const json_t *status) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    const char *until = json_str(status, "thawed_until", NULL);
    struct look look = screen_look();

    if (!until)
        return;
    strbuf_adds(&b, "thawed:     no freeze holds until ");
    draw_when(&b, until, &look);
    strbuf_adds(&b, ", by break-glass\n");
    fputs(b.data, stdout);
}

static ExitCode status_of_environment(struct session *s, const char *app, const char *env) {
    _cleanup_free_ char *path = api_path("/apps/%s/environments/%s", app, env);
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code = api_do(s, &(struct api_call){.path = path}, &answer);
    const json_t *status = json_object_get(answer.json, "status");
    const char *serves = json_str(json_object_get(status, "active"), "version", NULL);

    if (code != EXIT_DONE)
        return code;
    if (s->json) {
        print_json(answer.json);
        return EXIT_DONE;
    }
    printf("%s/%s\n", app, env);
    if (json_str(status, "error", NULL)) {
        fputs("unknown:    ", stdout);
        text_print_clean(stdout, json_str(status, "error", ""));
        putchar('\n');
    }
    if (!json_is_object(json_object_get(status, "active")))
        puts("serves:     nothing");
    print_side("serves:     ", json_object_get(status, "active"));
    print_side("previous:   ", json_object_get(status, "previous"));
    print_drift(json_object_get(status, "drift"));
    print_freezes(s, app, env);
    print_thaw(status);
    fflush(stdout);
    code = serves ? said_of_serving(s, app, env, serves) : EXIT_DONE;
    if (code == EXIT_DONE && json_str(status, "deployment", NULL)) {
        puts("deploying:");
        fflush(stdout);
        return status_of_deployment(s, json_str(status, "deployment", ""));
    }
    return code;
}

ExitCode run_status(struct session *s, const struct args *a) {
    const char *first = arg_operand(a, 0), *second = arg_operand(a, 1);

    if (first && !second && uuid_valid(first))
        return status_of_deployment(s, first);
    if (second)
        return status_of_environment(s, first, second);
    return overview(s, first);
}

/* Not for the API's people but for whatever looks after the process: containers, scripts. */
ExitCode run_health(struct session *s, const struct args *a) {
    const char *path = arg_flag(a, "ready") ? "/api/health/ready" : "/api/health";
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code = api_try(s, &(struct api_call){.path = path, .timeout_ms = 3000}, &answer);
    const char *status = json_str(answer.json, "status", NULL);

    if (!status) {
        report_answer(s, &answer);
        return EXIT_UNREACHABLE;
    }
    if (s->json) {
        print_json(answer.json);
    } else {
        text_print_clean(stdout, status);
        putchar('\n');
    }
    return code == EXIT_DONE ? EXIT_DONE : EXIT_UNREACHABLE;
}
