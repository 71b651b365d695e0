/* cli/flag_promote.c: from one environment to the next: what flags differ in, and make them so. */
#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/diff.h"
#include "cli/resources.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <stdio.h>

ExitCode run_flag_diff(struct session *s, const struct args *a) {
    const char *from = arg_text(a, "from");
    _cleanup_free_ char *path = api_path("/apps/%s/environments/%s/flags:diff?from=%s",
                                         arg_operand(a, 0), arg_operand(a, 1), from ? from : "");
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    struct look look = screen_look();
    json_auto_t *items = NULL;
    const json_t *item;
    ExitCode code;
    size_t i;

    if (!from)
        return usage_error("flag diff wants --from ENV");
    code = api_list(s, path, &items);
    if (code != EXIT_DONE)
        return code;
    if (s->json) {
        print_json(items);
        return EXIT_DONE;
    }
    json_array_foreach(items, i, item) {
        strbuf_clear(&b);
        strbuf_adds(&b, i ? "\n" : "");
        diff_objects(&b, json_str(item, "flag", "?"), json_object_get(item, "before"),
                     json_object_get(item, "after"), &look);
        fputs(b.data, stdout);
    }
    if (!json_array_size(items))
        fputs("none\n", stderr);
    return EXIT_DONE;
}

/* What was promoted, or would be, and how to do just that. */
static void say_promoted(const struct args *a, const struct api_answer *answer) {
    const json_t *flags = json_object_get(answer->json, "flags"), *flag;
    size_t n = json_array_size(flags), i;
    bool dry_run = json_bool(answer->json, "dry_run", false);
    struct look look = screen_look();
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST), way = STRBUF(DRAW_MOST);

    strbuf_addf(&b, "%zu flag%s of %s %s promoted from %s to %s\n", n, n == 1 ? "" : "s",
                arg_operand(a, 0),
                dry_run  ? "would be"
                : n == 1 ? "is"
                         : "are",
                arg_text(a, "from"), arg_operand(a, 1));
    strbuf_addf(&way, "sluice flag promote %s %s", arg_operand(a, 0), arg_operand(a, 1));
    json_array_foreach(flags, i, flag) {
        strbuf_adds(&b, "  ");
        text_add_clean(&b, json_is_string(flag) ? json_string_value(flag) : "?");
        strbuf_adds(&b, "\n");
        strbuf_addf(&way, " %s", json_is_string(flag) ? json_string_value(flag) : "?");
    }
    strbuf_addf(&way, " --from %s --if-match '%s'", arg_text(a, "from"),
                answer->etag ? answer->etag : "*");
    if (dry_run && n)
        draw_way(&b, way.data, "just that", &look);
    fputs(b.data, stdout);
}

ExitCode run_flag_promote(struct session *s, const struct args *a) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_free_ char *path =
        api_path("/apps/%s/environments/%s/flags:promote", arg_operand(a, 0), arg_operand(a, 1));
    json_auto_t *body = json_object(), *flags = json_array();
    ExitCode code;

    if (!arg_text(a, "from"))
        return usage_error("flag promote wants --from ENV");
    for (size_t i = 2; i < a->n_operands; i++)
        json_array_append_new(flags, json_string(arg_operand(a, i)));
    if (json_array_size(flags))
        json_object_set(body, "flags", flags);
    set_option(body, a, "from", "from");
    set_option(body, a, "reason", "reason");
    if (arg_flag(a, "dry-run"))
        json_object_set_new(body, "dry_run", json_true());
    code = api_do(s,
                  &(struct api_call){.method = "POST",
                                     .path = path,
                                     .json = body,
                                     .if_match = arg_text(a, "if-match"),
                                     .repeatable = arg_flag(a, "dry-run")},
                  &answer);
    if (code == EXIT_DONE && s->json)
        print_json(answer.json);
    else if (code == EXIT_DONE)
        say_promoted(a, &answer);
    return code;
}
