/* cli/evidence.c: what a pipeline found, said or read from a report, and what was said so far. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ids.h"
#include "cli/commands.h"
#include "cli/gate.h"
#include "cli/resources.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPORT_MS = 120000 }; /* 16 MiB over a slow line */

static const char *environment_word(const char *name) {
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

/* What ran, by what GitHub and GitLab tell their jobs. */
static const char *default_source(void) {
    return environment_word("GITHUB_RUN_ID") ? "github-actions"
           : environment_word("CI_JOB_URL")  ? "gitlab-ci"
                                             : "sluice";
}

/* Where it ran; yours, or NULL. */
static char *default_url(void) {
    const char *server = environment_word("GITHUB_SERVER_URL"),
               *repository = environment_word("GITHUB_REPOSITORY"),
               *run = environment_word("GITHUB_RUN_ID"), *job = environment_word("CI_JOB_URL");

    if (server && repository && run)
        return xasprintf("%s/%s/actions/runs/%s", server, repository, run);
    return job ? xstrdup(job) : NULL;
}

/* What all evidence says of itself, whatever its form. */
static json_t *evidence_body(const struct args *a, const char *item) {
    const char *source = arg_text(a, "source");
    _cleanup_free_ char *url = arg_text(a, "link") ? xstrdup(arg_text(a, "link")) : default_url();
    json_t *body = json_object();
    int64_t observed_us = arg_time(a, "observed-at", 0);

    json_set_str(body, "item", item);
    set_option(body, a, "env", "environment");
    json_set_str(body, "source", source ? source : default_source());
    if (url)
        json_set_str(body, "url", url);
    if (observed_us)
        json_set_time(body, "observed_at", observed_us);
    if (arg_text(a, "expires-in"))
        json_object_set_new(body, "expires_s", json_integer(arg_seconds(a, "expires-in", 0)));
    return body;
}

static void say_stored(const struct args *a, const json_t *evidence) {
    struct gate_place place = {arg_operand(a, 0), arg_text(a, "env"), arg_operand(a, 1)};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();

    strbuf_addf(&b, "%s of %s %s %s", json_str(evidence, "item", "?"), place.app, place.version,
                json_str(evidence, "state", "?"));
    if (json_str(evidence, "summary", NULL))
        strbuf_addf(&b, ": %s", json_str(evidence, "summary", ""));
    text_print_clean(stdout, b.data);
    fputc('\n', stdout);
    strbuf_clear(&b);
    draw_effect(&b, evidence, &place, &look);
    fputs(b.data ? b.data : "", stdout);
}

/* Makes the call and says what was stored.  A repeated one stores nothing a second time. */
static ExitCode store(struct session *s, const struct args *a, struct api_call call,
                      const char **ret_state, struct api_answer *ret) {
    char key[UUID_TEXT];
    ExitCode code;

    call.method = "POST";
    call.idempotency_key = uuid_v7(key);
    code = api_do(s, &call, ret);
    *ret_state = json_str(ret->json, "state", "");
    if (code == EXIT_DONE && s->json)
        print_json(ret->json);
    else if (code == EXIT_DONE)
        say_stored(a, ret->json);
    return code;
}

/* ---- said ---- */

static ExitCode say(struct session *s, const struct args *a, const char *state) {
    _cleanup_free_ char *path =
        api_path("/apps/%s/releases/%s/evidence", arg_operand(a, 0), arg_operand(a, 1));
    json_auto_t *body = evidence_body(a, arg_operand(a, 2));
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    const char *stored;

    if (!arg_text(a, "summary"))
        return usage_error("%s wants --summary TEXT", a->command->words);
    json_set_str(body, "state", state);
    set_option(body, a, "summary", "summary");
    set_option(body, a, "digest", "digest");
    return store(s, a, (struct api_call){.path = path, .json = body}, &stored, &answer);
}

ExitCode run_evidence_pass(struct session *s, const struct args *a) {
    return say(s, a, "passed");
}

ExitCode run_evidence_fail(struct session *s, const struct args *a) {
    return say(s, a, "failed");
}

/* ---- read from a report ---- */

/* "?item=tests&environment=production…"; yours. */
static char *query_of(const json_t *fields) {
    struct strbuf b = STRBUF(1 << 14);
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)fields, key, value) {
        _cleanup_free_ char *number =
            json_is_integer(value) ? xasprintf("%lld", (long long)json_integer_value(value)) : NULL;
        _cleanup_free_ char *encoded = api_path("%s", number ? number : json_string_value(value));

        strbuf_addf(&b, "%s%s=%s", b.len ? "&" : "?", key, encoded + strlen("/api/v1"));
    }
    return strbuf_take(&b);
}

/* EXIT_UNDONE where it was stored and says that it failed. */
static ExitCode report(struct session *s, const struct args *a, const char *media_type) {
    const char *item = arg_text(a, "item"), *state;
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_free_ char *list = NULL, *query = NULL, *path = NULL, *text = NULL;
    json_auto_t *fields = NULL;
    ExitCode code;
    size_t n;

    if (!item)
        return usage_error("%s wants --item ITEM", a->command->words);
    text = read_bytes(arg_operand(a, 2), &n);
    if (!text)
        return EXIT_USAGE;
    if (!n)
        return usage_error("%s is empty", arg_operand(a, 2));
    fields = evidence_body(a, item);
    query = query_of(fields);
    list = api_path("/apps/%s/releases/%s/evidence", arg_operand(a, 0), arg_operand(a, 1));
    path = xasprintf("%s%s", list, query);
    code = store(s, a,
                 (struct api_call){.path = path,
                                   .text = text,
                                   .text_len = n,
                                   .content_type = media_type,
                                   .timeout_ms = REPORT_MS},
                 &state, &answer);
    return code == EXIT_DONE && strcmp(state, "passed") != 0 ? EXIT_UNDONE : code;
}

ExitCode run_evidence_junit(struct session *s, const struct args *a) {
    return report(s, a, "application/junit+xml");
}

ExitCode run_evidence_sarif(struct session *s, const struct args *a) {
    return report(s, a, "application/sarif+json");
}

ExitCode run_evidence_bundle(struct session *s, const struct args *a) {
    return report(s, a, "application/vnd.sluice.bundle+json");
}

/* ---- looked at ---- */

ExitCode run_evidence_list(struct session *s, const struct args *a) {
    json_auto_t *filter = json_object();
    _cleanup_free_ char *list =
        api_path("/apps/%s/releases/%s/evidence", arg_operand(a, 0), arg_operand(a, 1));
    _cleanup_free_ char *query = NULL, *path = NULL;

    set_option(filter, a, "item", "item");
    set_option(filter, a, "env", "environment");
    query = query_of(filter);
    path = xasprintf("%s%s", list, query);
    return LIST(s, path, {"OBSERVED", "/observed_at"}, {"ITEM", "/item"},
                {"ENVIRONMENT", "/environment"}, {"STATE", "/state"}, {"SOURCE", "/source"},
                {"BY", "/by/subject"}, {"EXPIRES", "/expires_at"}, {"REPORT", "/report"},
                {"SUMMARY", "/summary"});
}

ExitCode run_evidence_report(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/apps/%s/releases/%s/reports/%s", arg_operand(a, 0),
                                         arg_operand(a, 1), arg_operand(a, 2));
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code = api_do(s, &(struct api_call){.path = path, .accept = "*/*"}, &answer);

    if (code == EXIT_DONE && s->json)
        print_document(&answer, "report");
    else if (code == EXIT_DONE)
        fwrite(answer.text, 1, answer.n, stdout);
    return code;
}
