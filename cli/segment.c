/* cli/segment.c: segments, which strategies of flags name. */
#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/flag.h"
#include "cli/resources.h"
#include <stdio.h>

static char *segment_path(const struct args *a) {
    return api_path("/apps/%s/segments/%s", arg_operand(a, 0), arg_operand(a, 1));
}

ExitCode run_segment_list(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/apps/%s/segments", arg_operand(a, 0));

    return LIST(s, path, {"SEGMENT", "/name"}, {"REVISION", "/revision"},
                {"CHANGED", "/updated_at"}, {"DESCRIPTION", "/description"});
}

ExitCode run_segment_show(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = segment_path(a);

    return resource_show(s, path);
}

ExitCode run_segment_history(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = segment_path(a), *history = xasprintf("%s/history", path);

    return flag_changes(s, a, history);
}

ExitCode run_segment_set(struct session *s, const struct args *a) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_free_ char *path = segment_path(a);
    json_auto_t *body = flag_file(a);
    ExitCode code;

    if (!body)
        return EXIT_USAGE;
    set_option(body, a, "reason", "reason");
    code = flag_put(s, path, body, &answer);
    if (code == EXIT_DONE && s->json)
        print_json(answer.json);
    else if (code == EXIT_DONE)
        printf("segment %s/%s %s\n", arg_operand(a, 0), arg_operand(a, 1),
               answer.status == 201 ? "created" : "is as given");
    return code;
}

ExitCode run_segment_delete(struct session *s, const struct args *a) {
    return flag_delete(s, a, "segment");
}
