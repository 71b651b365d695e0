/* cli/resources.c: apps, clusters, environments and releases: made, listed, shown, deleted. */
#include "cli/resources.h"
#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/screen.h"
#include "cli/text.h"
#include <stdio.h>
#include <string.h>

enum { NEWEST = 20 };

void print_document(const struct api_answer *a, const char *key) {
    json_auto_t *document = a->json ? NULL : json_pack("{s:s%}", key, a->text, a->n);

    print_json(a->json ? a->json : document);
}

ExitCode resource_put(struct session *s, const struct args *a, struct api_call call,
                      const char *what, const char *name) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code;

    call.method = "PUT";
    call.if_match = arg_flag(a, "force") ? "*" : NULL;
    code = api_do(s, &call, &answer);
    if (code != EXIT_DONE)
        return code;
    if (s->json) {
        print_document(&answer, "manifests");
    } else {
        printf("%s ", what);
        text_print_clean(stdout, name);
        puts(answer.status == 201 ? " created" : call.if_match ? " is as given" : " unchanged");
    }
    return EXIT_DONE;
}

char *read_json_option(const struct args *a, const char *option, size_t flags, json_t **ret) {
    const char *file = arg_text(a, option);
    _cleanup_free_ char *text = NULL;
    json_error_t error;

    *ret = NULL;
    if (file)
        text = read_input(file);
    else
        usage_error("%s wants --%s FILE (or - for standard input)", a->command->words, option);
    if (!text)
        return NULL;
    *ret = json_loads(text, flags, &error);
    if (!*ret) {
        usage_error("%s, line %d: %s", file, error.line, error.text);
        return NULL;
    }
    return TAKE_PTR(text);
}

ExitCode resource_put_file(struct session *s, const struct args *a, const char *path,
                           const char *what, const char *name) {
    json_auto_t *body = NULL;
    _cleanup_free_ char *text = read_json_option(a, "file", 0, &body);

    if (!text)
        return EXIT_USAGE;
    /* Sent as it is: the server judges duplicates and unknown names. */
    return resource_put(
        s, a, (struct api_call){.path = path, .text = text, .content_type = "application/json"},
        what, name);
}

ExitCode resource_show(struct session *s, const char *path) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code = api_do(s, &(struct api_call){.path = path}, &answer);

    if (code != EXIT_DONE)
        return code;
    if (s->json) {
        print_json(answer.json);
    } else {
        json_dumpf(answer.json, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    return EXIT_DONE;
}

ExitCode resource_end(struct session *s, const char *path, const char *what, const char *name,
                      const char *done) {
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code = api_do(s, &(struct api_call){.method = "DELETE", .path = path}, &answer);

    if (code == EXIT_DONE && s->json)
        printf("{\"%s\":true}\n", done);
    else if (code == EXIT_DONE)
        printf("%s %s %s\n", what, name, done);
    return code;
}

ExitCode resource_delete(struct session *s, const char *path, const char *what, const char *name) {
    return resource_end(s, path, what, name, "deleted");
}

void show_table(const struct session *s, const struct table *t) {
    table_print(t, stdout, s->wide ? SIZE_MAX : screen_look().width);
}

static void add_value(struct table *t, const json_t *v) {
    _cleanup_(strbuf_done) struct strbuf b = STRBUF(4096);
    _cleanup_free_ char *text = NULL;
    const json_t *element;
    size_t i;

    if (json_is_string(v)) {
        table_add(t, json_string_value(v));
    } else if (json_is_array(v)) {
        json_array_foreach(v, i, element) {
            strbuf_adds(&b, i ? ", " : "");
            strbuf_adds(&b, json_is_string(element) ? json_string_value(element) : "…");
        }
        table_add(t, b.data);
    } else if (json_is_boolean(v)) {
        table_add(t, json_is_true(v) ? "yes" : "no");
    } else if (v && !json_is_null(v)) {
        text = json_text(v);
        table_add(t, text);
    } else {
        table_add(t, NULL);
    }
}

void print_list(const struct session *s, const json_t *items, const struct column *columns,
                size_t n) {
    _cleanup_(table_done) struct table table = {.columns = n};
    const json_t *item;
    size_t i;

    if (s->json) {
        print_json(items);
        return;
    }
    for (size_t c = 0; c < n; c++)
        table_add(&table, columns[c].title);
    json_array_foreach(items, i, item) {
        for (size_t c = 0; c < n; c++)
            add_value(&table, json_pointer(item, columns[c].pointer));
    }
    if (json_array_size(items))
        show_table(s, &table);
    else
        fputs("none\n", stderr);
}

ExitCode resource_list(struct session *s, const char *path, const struct column *columns,
                       size_t n) {
    json_auto_t *items = NULL;
    ExitCode code = api_list(s, path, &items);

    if (code == EXIT_DONE)
        print_list(s, items, columns, n);
    return code;
}

ExitCode resource_newest(struct session *s, const struct args *a, const char *path,
                         const struct column *columns, size_t n) {
    _cleanup_free_ char *page =
        xasprintf("%s?limit=%lld", path, (long long)arg_count(a, "limit", NEWEST));
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code = api_do(s, &(struct api_call){.path = page}, &answer);

    if (code == EXIT_DONE)
        print_list(s, json_object_get(answer.json, "items"), columns, n);
    return code;
}

void set_option(json_t *body, const struct args *a, const char *option, const char *key) {
    if (arg_text(a, option))
        json_set_str(body, key, arg_text(a, option));
}

ExitCode run_app_create(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/apps/%s", arg_operand(a, 0));
    json_auto_t *body = json_object(), *owners = json_array();
    const char *owner;
    size_t at = 0;

    set_option(body, a, "description", "description");
    set_option(body, a, "repository", "repository");
    set_option(body, a, "image", "image");
    while ((owner = arg_list(a, "owner", &at)))
        json_array_append_new(owners, json_string(owner));
    if (json_array_size(owners))
        json_object_set(body, "owners", owners);
    return resource_put(s, a, (struct api_call){.path = path, .json = body}, "app",
                        arg_operand(a, 0));
}

ExitCode run_app_list(struct session *s, const struct args *a) {
    (void)a;
    return LIST(s, "/api/v1/apps", {"APP", "/name"}, {"IMAGE", "/image"}, {"OWNERS", "/owners"},
                {"DESCRIPTION", "/description"});
}

ExitCode run_app_show(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/apps/%s", arg_operand(a, 0));

    return resource_show(s, path);
}

ExitCode run_app_delete(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/apps/%s", arg_operand(a, 0));

    return resource_delete(s, path, "app", arg_operand(a, 0));
}

ExitCode run_cluster_create(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/clusters/%s", arg_operand(a, 0));
    bool in_cluster = arg_flag(a, "in-cluster");
    json_auto_t *body = json_object();

    if (in_cluster == arg_flag(a, "kubeconfig-file"))
        return usage_error("cluster create wants either --kubeconfig-file F or --in-cluster");
    if (in_cluster && arg_flag(a, "context"))
        return usage_error("--context belongs to --kubeconfig-file");
    if (in_cluster)
        json_object_set_new(body, "in_cluster", json_true());
    set_option(body, a, "kubeconfig-file", "kubeconfig_file");
    set_option(body, a, "context", "context");
    return resource_put(s, a, (struct api_call){.path = path, .json = body}, "cluster",
                        arg_operand(a, 0));
}

ExitCode run_cluster_list(struct session *s, const struct args *a) {
    (void)a;
    return LIST(s, "/api/v1/clusters", {"CLUSTER", "/name"}, {"REACHABLE", "/status/reachable"},
                {"VERSION", "/status/version"}, {"KUBECONFIG", "/kubeconfig_file"},
                {"CONTEXT", "/context"}, {"MISSING PERMISSIONS", "/status/missing_permissions"});
}

ExitCode run_cluster_show(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/clusters/%s", arg_operand(a, 0));

    return resource_show(s, path);
}

ExitCode run_cluster_delete(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/clusters/%s", arg_operand(a, 0));

    return resource_delete(s, path, "cluster", arg_operand(a, 0));
}

static char *environment_path(const struct args *a) {
    return api_path("/apps/%s/environments/%s", arg_operand(a, 0), arg_operand(a, 1));
}

static char *environment_name(const struct args *a) {
    return xasprintf("%s/%s", arg_operand(a, 0), arg_operand(a, 1));
}

ExitCode run_env_create(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = environment_path(a), *name = environment_name(a);

    return resource_put_file(s, a, path, "environment", name);
}

ExitCode run_env_list(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/apps/%s/environments", arg_operand(a, 0));

    return LIST(s, path, {"ENVIRONMENT", "/name"}, {"CLUSTER", "/cluster"},
                {"NAMESPACE", "/namespace"}, {"STRATEGY", "/strategy"},
                {"SERVES", "/status/active/version"}, {"COLOR", "/status/active/color"});
}

ExitCode run_env_show(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = environment_path(a);

    return resource_show(s, path);
}

ExitCode run_env_delete(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = environment_path(a), *name = environment_name(a);

    return resource_delete(s, path, "environment", name);
}

ExitCode run_env_manifests(struct session *s, const struct args *a) {
    static const char accept[] = "application/yaml, application/problem+json";
    _cleanup_free_ char *path =
        api_path("/apps/%s/environments/%s/manifests", arg_operand(a, 0), arg_operand(a, 1));
    _cleanup_free_ char *name = environment_name(a), *text = NULL;
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    ExitCode code;

    if (arg_text(a, "file")) {
        text = read_input(arg_text(a, "file"));
        if (!text)
            return EXIT_USAGE;
        return resource_put(
            s, a,
            (struct api_call){
                .path = path, .text = text, .content_type = "application/yaml", .accept = accept},
            "manifests of", name);
    }
    code = api_do(s, &(struct api_call){.path = path, .accept = accept}, &answer);
    if (code != EXIT_DONE)
        return code;
    if (s->json)
        print_document(&answer, "manifests");
    else
        fwrite(answer.text, 1, answer.n, stdout);
    return EXIT_DONE;
}

/* What files say of a release. */
static ExitCode add_release_files(json_t *body, const struct args *a) {
    _cleanup_free_ char *manifests = NULL, *text = NULL;
    json_t *flags;

    if (arg_text(a, "manifests")) {
        manifests = read_input(arg_text(a, "manifests"));
        if (!manifests)
            return EXIT_USAGE;
        json_set_str(body, "manifests", manifests);
    }
    if (arg_text(a, "flags")) {
        text = read_json_option(a, "flags", JSON_REJECT_DUPLICATES, &flags);
        if (!text)
            return EXIT_USAGE;
        json_object_set_new(body, "flags", flags);
    }
    return EXIT_DONE;
}

ExitCode run_release_create(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/apps/%s/releases", arg_operand(a, 0));
    _cleanup_(api_answer_done) struct api_answer answer = {0};
    json_auto_t *body = json_object();
    ExitCode code;

    if (!arg_text(a, "image"))
        return usage_error("release create wants --image IMAGE");
    json_set_str(body, "version", arg_operand(a, 1));
    set_option(body, a, "image", "image");
    set_option(body, a, "digest", "digest");
    set_option(body, a, "commit", "commit");
    set_option(body, a, "notes", "notes");
    code = add_release_files(body, a);
    if (code == EXIT_DONE)
        code = api_do(s, &(struct api_call){.method = "POST", .path = path, .json = body}, &answer);
    if (code != EXIT_DONE)
        return code;
    if (s->json) {
        print_json(answer.json);
    } else {
        printf("release %s ", arg_operand(a, 0));
        text_print_clean(stdout, json_str(answer.json, "version", arg_operand(a, 1)));
        puts(answer.status == 201 ? " created" : " exists with this content");
    }
    return EXIT_DONE;
}

ExitCode run_release_list(struct session *s, const struct args *a) {
    _cleanup_free_ char *path = api_path("/apps/%s/releases", arg_operand(a, 0));

    return LIST(s, path, {"VERSION", "/version"}, {"IMAGE", "/image"}, {"COMMIT", "/commit"},
                {"CREATED", "/created_at"}, {"YANKED", "/yanked_at"}, {"NOTES", "/notes"});
}

ExitCode run_release_show(struct session *s, const struct args *a) {
    _cleanup_free_ char *path =
        api_path("/apps/%s/releases/%s", arg_operand(a, 0), arg_operand(a, 1));

    return resource_show(s, path);
}
