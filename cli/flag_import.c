/* cli/flag_import.c: flags of an environment as a document of Unleash's: read, and written. */
#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/flag.h"
#include "cli/resources.h"
#include "cli/text.h"
#include <stdio.h>

/* "  made:     banner, checkout", where there are any. */
static void add_names(struct strbuf *b, const char *word, const json_t *names) {
    const json_t *name;
    size_t i;

    json_array_foreach(names, i, name) {
        if (i == 0)
            strbuf_addf(b, "  %-10s", word);
        strbuf_adds(b, i ? ", " : "");
        text_add_clean(b, json_is_string(name) ? json_string_value(name) : "?");
    }
    strbuf_adds(b, json_array_size(names) ? "\n" : "");
}

static void say_imported(const json_t *answer) {
    static const char *const lists[] = {"flags", "segments"};
    static const char *const words[] = {"made", "changed", "kept", "unchanged"};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const json_t *list = json_object_get(answer, lists[i]);

        strbuf_addf(&b, "%s of %s/%s%s\n", lists[i], json_str(answer, "app", "?"),
                    json_str(answer, "environment", "?"),
                    json_bool(answer, "dry_run", false) ? ", as they would be" : "");
        for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++)
            add_names(&b, words[k], json_object_get(list, words[k]));
    }
    fputs(b.data, stdout);
}

ExitCode run_flag_import(struct session *s, const struct args *a) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_free_ char *path =
        api_path("/apps/%s/environments/%s/flags:import", arg_operand(a, 0), arg_operand(a, 1));
    json_auto_t *document = flag_file(a), *body = json_object();
    ExitCode code;

    if (!document)
        return EXIT_USAGE;
    json_object_set(body, "document", document);
    set_option(body, a, "existing", "existing");
    set_option(body, a, "reason", "reason");
    if (arg_flag(a, "dry-run"))
        json_object_set_new(body, "dry_run", json_true());
    code = api_do(
        s, &(struct api_call){.method = "POST", .path = path, .json = body, .repeatable = true},
        &answer);
    if (code == EXIT_DONE && s->json)
        print_json(answer.json);
    else if (code == EXIT_DONE)
        say_imported(answer.json);
    return code;
}

ExitCode run_flag_export(struct session *s, const struct args *a) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_free_ char *path =
        api_path("/apps/%s/environments/%s/flags:export", arg_operand(a, 0), arg_operand(a, 1));
    ExitCode code = api_do(s, &(struct api_call){.path = path}, &answer);

    if (code == EXIT_DONE)
        print_json(answer.json);
    return code;
}
