/* cli/keys.c: API keys, and keys that sign requests: made, listed, exchanged, revoked. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/resources.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>

static json_t *list_of(const struct args *a, const char *option) {
    json_t *all = json_array();
    const char *one;
    size_t at = 0;

    while ((one = arg_list(a, option, &at)))
        json_array_append_new(all, json_string(one));
    return all;
}

/* The secret alone on standard output, so that a pipe keeps it; what is meant for people beside it.
 */
static ExitCode give(struct session *s, const struct api_call *call) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code = api_do(s, call, &answer);

    if (code != EXIT_DONE)
        return code;
    if (s->json) {
        print_json(answer.json);
        return EXIT_DONE;
    }
    fputs("key ", stderr);
    text_print_clean(stderr, json_str(answer.json, "id", "?"));
    fputs("; its secret is shown once:\n", stderr);
    text_print_clean(stdout, json_str(answer.json, "key", ""));
    putchar('\n');
    return EXIT_DONE;
}

ExitCode run_keys_create(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/keys");
    const char *environment = arg_text(a, "environment");
    int64_t lifetime_s = arg_seconds(a, "expires-in", 0);
    char expires[TIME_TEXT];
    json_auto_t *body = json_pack("{s:s, s:s, s:{s:s, s:o, s:o}}", "name", arg_operand(a, 0),
                                  "kind", arg_flag(a, "api") ? "api" : "signature", "principal",
                                  "kind", arg_text(a, "kind") ? arg_text(a, "kind") : "service",
                                  "roles", list_of(a, "role"), "apps", list_of(a, "app"));

    if (!body)
        return usage_error("NAME is not UTF-8 text");
    if (json_array_size(json_at(body, "principal", "roles", NULL)) == 0 ||
        json_array_size(json_at(body, "principal", "apps", NULL)) == 0)
        return usage_error("keys create wants --role ROLE and --app APP (or --app '*')");
    if (environment && json_object_set_new(json_object_get(body, "principal"), "environment",
                                           json_string(environment)) != 0)
        return usage_error("--environment is not UTF-8 text");
    if (lifetime_s)
        json_set_str(body, "expires_at",
                     clock_format(clock_now_us() + lifetime_s * US_PER_S, expires));
    return give(s, &(struct api_call){.method = "POST", .path = path, .json = body});
}

ExitCode run_keys_list(struct session *s, const struct args *a) {
    (void)a;
    return LIST(s, "/api/v1/keys", {"KEY", "/id"}, {"NAME", "/name"}, {"TYPE", "/kind"},
                {"KIND", "/principal/kind"}, {"ROLES", "/principal/roles"},
                {"APPS", "/principal/apps"}, {"ENVIRONMENT", "/principal/environment"},
                {"CREATED", "/created_at"}, {"EXPIRES", "/expires_at"},
                {"LAST USED", "/last_used_at"});
}

ExitCode run_keys_show(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/keys/%s", arg_operand(a, 0));

    return resource_show(s, path);
}

ExitCode run_keys_rotate(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/keys/%s/rotate", arg_operand(a, 0));
    json_auto_t *body = json_object();

    if (arg_text(a, "overlap"))
        json_object_set_new(body, "overlap_s", json_integer(arg_seconds(a, "overlap", 0)));
    return give(s, &(struct api_call){.method = "POST", .path = path, .json = body});
}

ExitCode run_keys_revoke(struct session *s, const struct args *a) {
    const char *id = arg_operand(a, 0), *slot = arg_text(a, "secret");
    _cleanup_free_ char *path =
        slot ? api_path("/keys/%s/secrets/%s", id, slot) : api_path("/keys/%s", id);

    return resource_delete(s, path, slot ? "a secret of key" : "key", id);
}
