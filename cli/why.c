/* cli/why.c: why a version cannot be deployed, and what an environment asks for: its gates and the
 * templates that they name. */
#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/gate.h"
#include "cli/resources.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <stdio.h>

/* The newest release that is in use, yours in *ret. */
static ExitCode newest_version(struct session *s, const char *app, char **ret) {
    _cleanup_free_ char *path = api_path("/apps/%s/releases", app);
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code = api_do(s, &(struct api_call){.path = path}, &answer);
    const json_t *release;
    size_t i;

    if (code != EXIT_DONE)
        return code;
    json_array_foreach(json_object_get(answer.json, "items"), i, release) {
        if (!json_str(release, "yanked_at", NULL) && json_str(release, "version", NULL)) {
            *ret = xstrdup(json_str(release, "version", NULL));
            return EXIT_DONE;
        }
    }
    return usage_error("%s has no release to ask about: give a VERSION", app);
}

ExitCode run_why(struct session *s, const struct args *a) {
    struct gate_place place = {arg_operand(a, 0), arg_operand(a, 1), arg_operand(a, 2)};
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(DRAW_MOST);
    _cleanup_free_ char *newest = NULL, *path = NULL;
    struct look look = screen_look();
    ExitCode code = place.version ? EXIT_DONE : newest_version(s, place.app, &newest);

    if (code != EXIT_DONE)
        return code;
    if (newest)
        place.version = newest;
    path = api_path("/apps/%s/environments/%s/blockers?version=%s", place.app, place.environment,
                    place.version);
    code = api_do(s, &(struct api_call){.path = path}, &answer);
    if (code != EXIT_DONE)
        return code;
    if (s->json) {
        print_json(answer.json);
    } else {
        draw_verdict(&b, answer.json, &place, &look);
        fputs(b.data, stdout);
    }
    return json_bool(answer.json, "open", false) ? EXIT_DONE : EXIT_REFUSED;
}

/* ---- what is asked for ---- */

static char *gates_path(const struct args *a) {
    return api_path("/apps/%s/environments/%s/gates", arg_operand(a, 0), arg_operand(a, 1));
}

ExitCode run_gates_show(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = gates_path(a);

    return resource_show(s, path);
}

ExitCode run_gates_set(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = gates_path(a);
    _cleanup_free_ char *name = xasprintf("%s/%s", arg_operand(a, 0), arg_operand(a, 1));

    return resource_put_file(s, a, path, "gates of", name);
}

ExitCode run_template_list(struct session *s, const struct args *a) {
    (void)a;
    return LIST(s, "/api/v1/checklist-templates", {"TEMPLATE", "/name"}, {"VERSION", "/version"},
                {"BUILT IN", "/built_in"}, {"BY", "/created_by/subject"},
                {"CREATED", "/created_at"});
}

ExitCode run_template_show(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/checklist-templates/%s", arg_operand(a, 0));

    return resource_show(s, path);
}

ExitCode run_template_set(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/checklist-templates/%s", arg_operand(a, 0));

    return resource_put_file(s, a, path, "checklist template", arg_operand(a, 0));
}
