/* kube/exec_config.c: how a kubeconfig says that a plugin is run. */
#include "base/cleanup.h"
#include "base/strbuf.h"
#include "kube/exec.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 64, WORD_BYTES = 4096, INFO_BYTES = 1 << 20 };
#define INFO "KUBERNETES_EXEC_INFO"

static void list_free(char **list) {
    for (char **at = list; at && *at; at++)
        free(*at);
    free(list);
}

void kube_exec_free(struct kube_exec *e) {
    if (!e)
        return;
    list_free(e->argv);
    list_free(e->env);
    free(e->command);
    free(e->api_version);
    free(e->install_hint);
    free(e);
}
DEFINE_CLEANUP(kube_exec_free, struct kube_exec *);

/* A list of `max` texts at most, with room for two more and the end. */
static char **list_new(size_t max) {
    return xcalloc(max + 3, sizeof(char *));
}

/* "" when it is absent, NULL when it is no text. */
static const char *text_at(const json_t *from, const char *key) {
    const json_t *v = json_object_get(from, key);

    return !v || json_is_null(v) ? "" : json_string_value(v);
}

static char *command_path(const char *command, const char *file) {
    const char *slash = strrchr(file, '/');

    if (*command == '/' || !strchr(command, '/') || !slash)
        return xstrdup(command);
    command += strncmp(command, "./", 2) ? 0 : 2;
    return xasprintf("%.*s/%s", (int)(slash - file), file, command);
}

static const char *read_args(const json_t *exec, struct kube_exec *e) {
    const json_t *args = json_object_get(exec, "args"), *one;
    size_t i;

    if (args && !json_is_null(args) && !json_is_array(args))
        return "args is not a list";
    if (json_array_size(args) > WORDS_MAX)
        return "args has too many words";
    e->argv = list_new(WORDS_MAX + 1);
    e->argv[0] = xstrdup(e->command);
    json_array_foreach(args, i, one) {
        if (!json_is_string(one) || json_string_length(one) > WORD_BYTES)
            return "args is not a list of short texts";
        e->argv[i + 1] = xstrdup(json_string_value(one));
    }
    return NULL;
}

static bool has(char *const *env, const char *name) {
    size_t n = strlen(name);

    for (; *env; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return true;
    return false;
}

static const char *read_env(const json_t *exec, struct kube_exec *e) {
    static const char *const ours[] = {"PATH", "HOME"};
    const json_t *env = json_object_get(exec, "env"), *one;
    size_t i;

    if (env && !json_is_null(env) && !json_is_array(env))
        return "env is not a list";
    if (json_array_size(env) > WORDS_MAX)
        return "env has too many names";
    e->env = list_new(WORDS_MAX);
    json_array_foreach(env, i, one) {
        const char *name = json_str(one, "name", ""), *value = text_at(one, "value");

        if (!*name || strchr(name, '=') || !value || strlen(value) > WORD_BYTES)
            return "env is not a list of names and short values";
        if (strcmp(name, INFO) == 0)
            return "env names " INFO ", which is not the file's to set";
        e->env[i] = xasprintf("%s=%s", name, value);
    }
    for (size_t k = 0; k < sizeof(ours) / sizeof(*ours); k++)
        if (!has(e->env, ours[k]) && getenv(ours[k]))
            e->env[i++] = xasprintf("%s=%s", ours[k], getenv(ours[k]));
    return NULL;
}

/* KUBERNETES_EXEC_INFO, the last of the environment. */
static void add_info(struct kube_exec *e, const json_t *cluster) {
    json_auto_t *info = json_pack("{s:s, s:s, s:{s:b}}", "kind", "ExecCredential", "apiVersion",
                                  e->api_version, "spec", "interactive", 0);
    _cleanup_free_ char *text = NULL;
    size_t n = 0;

    if (cluster)
        json_object_set_new(json_object_get(info, "spec"), "cluster",
                            json_incref((json_t *)(uintptr_t)cluster));
    text = json_text(info);
    while (e->env[n])
        n++;
    e->env[n] = xasprintf(INFO "=%s", text);
}

static const char *read_version(const json_t *exec, struct kube_exec *e) {
    const char *version = text_at(exec, "apiVersion");

    if (!version || (strcmp(version, "client.authentication.k8s.io/v1") != 0 &&
                     strcmp(version, "client.authentication.k8s.io/v1beta1") != 0))
        return "apiVersion is neither client.authentication.k8s.io/v1 nor v1beta1";
    e->api_version = xstrdup(version);
    return NULL;
}

static const char *read_mode(const json_t *exec) {
    const char *mode = text_at(exec, "interactiveMode");

    if (mode && strcmp(mode, "Always") == 0)
        return "interactiveMode is Always, and there is no terminal here";
    if (!mode || (*mode && strcmp(mode, "Never") != 0 && strcmp(mode, "IfAvailable") != 0))
        return "interactiveMode is none of Never, IfAvailable and Always";
    return NULL;
}

static const char *read_command(const json_t *exec, const char *file, struct kube_exec *e) {
    const char *command = text_at(exec, "command"), *hint = text_at(exec, "installHint");

    if (!command || !*command)
        return "command is missing";
    if (!hint)
        return "installHint is not text";
    e->command = command_path(command, file);
    e->install_hint = *hint ? xstrdup(hint) : NULL;
    return NULL;
}

struct kube_exec *kube_exec_read(const json_t *exec, const char *file, const json_t *cluster,
                                 char *reterr, size_t n) {
    _cleanup_(kube_exec_free) struct kube_exec *e = xcalloc(1, sizeof(*e));
    const char *why = json_is_object(exec) ? read_command(exec, file, e) : "it is not a mapping";

    if (!why)
        why = read_version(exec, e);
    if (!why)
        why = read_mode(exec);
    if (!why)
        why = read_args(exec, e);
    if (!why)
        why = read_env(exec, e);
    if (why) {
        snprintf(reterr, n, "exec: %s", why);
        return NULL;
    }
    add_info(e, json_bool(exec, "provideClusterInfo", false) ? cluster : NULL);
    return TAKE_PTR(e);
}
