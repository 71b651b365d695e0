/* cli/flag_eval.c: what flags are for somebody, asked as an application asks. */
#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/flag.h"
#include "cli/resources.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>

/* The context of --file, with what --user and --context say. */
static json_t *context_of(const struct args *a) {
    json_auto_t *context = arg_text(a, "file") ? flag_file(a) : json_object();
    const char *word, *equals;
    size_t at = 0;

    set_option(context, a, "user", "targetingKey");
    while (context && (word = arg_list(a, "context", &at))) {
        equals = strchr(word, '=');
        if (!equals || equals == word) {
            usage_error("--context wants FIELD=VALUE, not '%.60s'", word);
            return NULL;
        }
        if (json_object_setn_new(context, word, (size_t)(equals - word), json_string(equals + 1)) !=
            0) {
            usage_error("--context is not UTF-8 text");
            return NULL;
        }
    }
    return TAKE_PTR(context);
}

/* OpenFeature's protocol has refusals of its own form. */
static void report_evaluation(const struct session *s, const struct api_answer *a) {
    if (!json_str(a->json, "errorCode", NULL)) {
        report_answer(s, a);
    } else {
        fputs("sluice: ", stderr);
        text_print_clean(stderr, json_str(a->json, "errorDetails", "it cannot be evaluated"));
        fputs(" (", stderr);
        text_print_clean(stderr, json_str(a->json, "errorCode", ""));
        fputs(")\n", stderr);
        if (s->json)
            print_json(a->json);
    }
    if (a->status == 401 || a->status == 403)
        fputs("  SLUICE_TOKEN has to be a key of the environment: sluice keys create NAME --api "
              "--role flags:client --app APP --environment ENV\n",
              stderr);
}

/* A line of the list: an error stands where the reason would. */
static json_t *row_of(const json_t *result) {
    const json_t *value = json_object_get(result, "value");
    _cleanup_free_ char *text = json_is_string(value) ? xstrdup(json_string_value(value))
                                : value               ? json_text(value)
                                                      : NULL;
    json_t *row = json_object();

    json_set_str(row, "flag", json_str(result, "key", "?"));
    json_set_str(row, "value", text);
    json_set_str(row, "variant", json_str(result, "variant", NULL));
    json_set_str(row, "reason", json_str(result, "errorCode", json_str(result, "reason", NULL)));
    return row;
}

static void print_results(struct session *s, const json_t *results) {
    json_auto_t *rows = json_array();
    const json_t *result;
    size_t i;

    json_array_foreach(results, i, result) json_array_append_new(rows, row_of(result));
    print_list(s, rows,
               COLUMNS({"FLAG", "/flag"}, {"VALUE", "/value"}, {"VARIANT", "/variant"},
                       {"REASON", "/reason"}));
}

ExitCode run_flag_eval(struct session *s, const struct args *a) {
    const char *flag = arg_operand(a, 0);
    _cleanup_free_ char *encoded = flag ? api_path("/%s", flag) : NULL;
    _cleanup_free_ char *path =
        xasprintf("/ofrep/v1/evaluate/flags%s", flag ? encoded + strlen("/api/v1") : "");
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    json_t *context = context_of(a);
    json_auto_t *body = context ? json_pack("{s:o}", "context", context) : NULL;
    json_auto_t *one = NULL;
    ExitCode code;

    if (!body)
        return EXIT_USAGE;
    code = api_try(
        s, &(struct api_call){.method = "POST", .path = path, .json = body, .repeatable = true},
        &answer);
    if (code != EXIT_DONE) {
        report_evaluation(s, &answer);
        return code;
    }
    one = json_pack("[O]", answer.json);
    if (s->json)
        print_json(flag ? answer.json : json_object_get(answer.json, "flags"));
    else
        print_results(s, flag ? one : json_object_get(answer.json, "flags"));
    return EXIT_DONE;
}
