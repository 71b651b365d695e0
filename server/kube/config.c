/* kube/config.c: kubeconfig files and the service account as one record.
 *
 * What would act as somebody else, or not at all, if it were left out (impersonation, a proxy) is
 * refused instead of ignored. */
#include "kube/config.h"
#include "base/cleanup.h"
#include "base/ids.h"
#include "base/strbuf.h"
#include "kube/exec.h"
#include "kube/yaml.h"
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

struct loading {
    const char *file; /* relative paths count from its folder */
    char *reterr;
    size_t nerr;
};

static Status PRINTF(3, 4) no(const struct loading *l, Status s, const char *format, ...) {
    va_list args;
    int n = snprintf(l->reterr, l->nerr, "%s: ", l->file);

    va_start(args, format);
    if (n >= 0 && (size_t)n < l->nerr)
        vsnprintf(l->reterr + n, l->nerr - (size_t)n, format, args);
    va_end(args);
    text_one_line(l->reterr);
    return s;
}

static void secret_free(char **s) {
    if (*s)
        explicit_bzero(*s, strlen(*s));
    free(*s);
}

void kube_config_done(struct kube_config *c) {
    if (!c)
        return;
    secret_free(&c->key_pem);
    secret_free(&c->token);
    kube_exec_free(c->exec);
    free(c->server);
    free(c->ca_pem);
    free(c->cert_pem);
    free(c->token_file);
    free(c->tls_server_name);
    free(c->namespace_default);
    *c = (struct kube_config){0};
}

/* The entry of that name in the list at key ("clusters": [{name, cluster: {…}}]): its inner object.
 */
static const json_t *entry(const json_t *config, const char *list, const char *inner,
                           const char *name) {
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(config, list), i, item) {
        if (strcmp(json_str(item, "name", ""), name) == 0)
            return json_object_get(item, inner);
    }
    return NULL;
}

/* A setting that is text when it is there.  "" counts as absent, as kubectl has it. */
static Status text_setting(const struct loading *l, const json_t *from, const char *key,
                           const char **ret) {
    const json_t *v = json_object_get(from, key);

    *ret = NULL;
    if (v && !json_is_null(v) && !json_is_string(v))
        return no(l, E_INVALID_BODY, "%s is not text", key);
    if (json_is_string(v) && *json_string_value(v))
        *ret = json_string_value(v);
    return STATUS_OK;
}

static Status copied_setting(const struct loading *l, const json_t *from, const char *key,
                             char **ret) {
    const char *text;
    Status s = text_setting(l, from, key, &text);

    if (s == STATUS_OK)
        *ret = xstrdup(text);
    return s;
}

static char *beside(const char *file, const char *path) {
    const char *slash = strrchr(file, '/');

    if (*path == '/' || !slash)
        return xstrdup(path);
    return xasprintf("%.*s/%s", (int)(slash - file), file, path);
}

static bool is_pem(const char *text, size_t n) {
    return strlen(text) == n && strstr(text, "-----BEGIN ");
}

/* PEM from KEY-data (base64), else from the file that KEY names. */
static Status pem_setting(const struct loading *l, const json_t *from, const char *key,
                          char **ret) {
    _cleanup_free_ char *data_key = xasprintf("%s-data", key), *path = NULL;
    const char *text, *file;
    char why[256];
    size_t n = 0;
    Status s;

    s = text_setting(l, from, data_key, &text);
    if (s == STATUS_OK)
        s = text_setting(l, from, key, &file);
    if (s != STATUS_OK)
        return s;
    if (text) {
        *ret = (char *)base64_decode(text, &n);
        if (!*ret)
            return no(l, E_INVALID_BODY, "%s is not base64", data_key);
    } else if (file) {
        path = beside(l->file, file);
        *ret = kube_file_read(path, why, sizeof(why));
        if (!*ret)
            return no(l, E_INVALID_BODY, "%s: %s", key, why);
        n = strlen(*ret);
    }
    if (*ret && !is_pem(*ret, n))
        return no(l, E_INVALID_BODY, "%s holds no PEM", text ? data_key : key);
    return STATUS_OK;
}

/* Plain HTTP would show the token to the network: only `kubectl proxy` and tests have a use for it.
 */
static bool server_valid(const char *url) {
    static const char *const loopback[] = {"http://127.", "http://localhost:", "http://[::1]:"};

    if (strpbrk(url, " \t\r\n?#@"))
        return false;
    if (strncasecmp(url, "https://", 8) == 0)
        return url[8] && url[8] != '/';
    for (size_t i = 0; i < sizeof(loopback) / sizeof(*loopback); i++)
        if (strncasecmp(url, loopback[i], strlen(loopback[i])) == 0)
            return strspn(url + 7, "0123456789.:") == strlen(url + 7) || i > 0;
    return false;
}

static Status load_cluster(const struct loading *l, const json_t *cluster, const char *name,
                           struct kube_config *ret) {
    const char *proxy;
    size_t n;
    Status s;

    s = copied_setting(l, cluster, "server", &ret->server);
    if (s == STATUS_OK)
        s = text_setting(l, cluster, "proxy-url", &proxy);
    if (s == STATUS_OK)
        s = copied_setting(l, cluster, "tls-server-name", &ret->tls_server_name);
    if (s == STATUS_OK)
        s = pem_setting(l, cluster, "certificate-authority", &ret->ca_pem);
    if (s != STATUS_OK)
        return s;
    if (proxy)
        return no(l, E_NOT_SUPPORTED, "cluster \"%s\": proxy-url is not supported", name);
    if (!ret->server)
        return no(l, E_INVALID_BODY, "cluster \"%s\": server is missing", name);
    if (!server_valid(ret->server))
        return no(l, E_INVALID_BODY,
                  "cluster \"%s\": server is not an https address (http only on loopback)", name);
    n = strlen(ret->server);
    while (n && ret->server[n - 1] == '/')
        ret->server[--n] = '\0';
    ret->insecure = json_bool(cluster, "insecure-skip-tls-verify", false);
    if (ret->insecure && ret->ca_pem)
        return no(l, E_INVALID_BODY,
                  "cluster \"%s\": insecure-skip-tls-verify with a certificate-authority", name);
    return STATUS_OK;
}

static Status refuse_user(const struct loading *l, const json_t *user, const char *name) {
    static const struct {
        const char *key, *what;
    } refused[] = {
        {"auth-provider", "auth-provider is not supported: use exec, a client certificate, token "
                          "or tokenFile"},
        {"username", "username and password are not supported"},
        {"password", "username and password are not supported"},
        {"as", "impersonation is not supported"},
        {"as-uid", "impersonation is not supported"},
        {"as-groups", "impersonation is not supported"},
        {"as-user-extra", "impersonation is not supported"},
    };

    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        const json_t *v = json_object_get(user, refused[i].key);

        if (v && !json_is_null(v) && strcmp(json_string_value(v) ? json_string_value(v) : "x", ""))
            return no(l, E_NOT_SUPPORTED, "user \"%s\": %s", name, refused[i].what);
    }
    return STATUS_OK;
}

static Status load_user(const struct loading *l, const json_t *user, const char *name,
                        struct kube_config *ret) {
    const char *file = NULL, *bad;
    char why[256];
    Status s;

    s = refuse_user(l, user, name);
    if (s == STATUS_OK)
        s = pem_setting(l, user, "client-certificate", &ret->cert_pem);
    if (s == STATUS_OK)
        s = pem_setting(l, user, "client-key", &ret->key_pem);
    if (s == STATUS_OK)
        s = copied_setting(l, user, "token", &ret->token);
    if (s == STATUS_OK)
        s = text_setting(l, user, "tokenFile", &file);
    if (s != STATUS_OK)
        return s;
    if (!ret->cert_pem != !ret->key_pem)
        return no(l, E_INVALID_BODY,
                  "user \"%s\": client-certificate and client-key belong together", name);
    if (file) { /* wins over token, as in kubectl: it is the one that gets renewed */
        ret->token_file = beside(l->file, file);
        secret_free(&ret->token);
        ret->token = kube_token_read(ret->token_file, why, sizeof(why));
        if (!ret->token)
            return no(l, E_INVALID_BODY, "user \"%s\": %s", name, why);
    }
    bad = ret->token ? kube_token_bad(ret->token) : NULL;
    if (bad)
        return no(l, E_INVALID_BODY, "user \"%s\": token: %s", name, bad);
    return STATUS_OK;
}

static char *base64(const char *text) {
    size_t n = strlen(text);
    unsigned char *out = xmalloc(n / 3 * 4 + 5);

    EVP_EncodeBlock(out, (const unsigned char *)text, (int)n); /* at most KUBE_FILE_BYTES */
    return (char *)out;
}

/* The cluster as a plugin is told of it; yours. */
static json_t *cluster_told(const json_t *cluster, const struct kube_config *c) {
    json_t *told = json_pack("{s:s}", "server", c->server);
    _cleanup_free_ char *ca = c->ca_pem ? base64(c->ca_pem) : NULL;
    const json_t *extension;
    size_t i;

    if (c->tls_server_name)
        json_set_str(told, "tls-server-name", c->tls_server_name);
    if (c->insecure)
        json_object_set_new(told, "insecure-skip-tls-verify", json_true());
    if (ca)
        json_set_str(told, "certificate-authority-data", ca);
    json_array_foreach(json_object_get(cluster, "extensions"), i, extension) {
        if (!strcmp(json_str(extension, "name", ""), "client.authentication.k8s.io/exec"))
            json_object_set(told, "config", json_object_get(extension, "extension"));
    }
    return told;
}

static Status load_exec(const struct loading *l, const json_t *user, const char *name,
                        const json_t *cluster, struct kube_config *ret) {
    const json_t *exec = json_object_get(user, "exec");
    json_auto_t *told = NULL;
    char why[256];

    if (!exec || json_is_null(exec))
        return STATUS_OK;
    if (ret->token || ret->cert_pem)
        return no(
            l, E_INVALID_BODY,
            "user \"%s\": exec stands beside a token or client certificate: which one is meant?",
            name);
    told = cluster_told(cluster, ret);
    ret->exec = kube_exec_read(exec, l->file, told, why, sizeof(why));
    return ret->exec ? STATUS_OK : no(l, E_INVALID_BODY, "user \"%s\": %s", name, why);
}

/* `config` is a whole kubeconfig. */
static Status load_context(const struct loading *l, const json_t *config, const char *context,
                           struct kube_config *ret) {
    const json_t *in, *cluster, *user;
    const char *cluster_name, *user_name;
    Status s;

    if (!context)
        context = json_str(config, "current-context", "");
    if (!*context)
        return no(l, E_INVALID_BODY, "no context is named and there is no current-context");
    in = entry(config, "contexts", "context", context);
    if (!json_is_object(in))
        return no(l, E_INVALID_BODY, "there is no context \"%s\"", context);
    cluster_name = json_str(in, "cluster", "");
    user_name = json_str(in, "user", "");
    cluster = entry(config, "clusters", "cluster", cluster_name);
    if (!json_is_object(cluster))
        return no(l, E_INVALID_BODY, "there is no cluster \"%s\"", cluster_name);
    user = entry(config, "users", "user", user_name);
    if (!json_is_object(user) && (*user_name || user))
        return no(l, E_INVALID_BODY, "there is no user \"%s\"", user_name);
    s = copied_setting(l, in, "namespace", &ret->namespace_default);
    if (s == STATUS_OK)
        s = load_cluster(l, cluster, cluster_name, ret);
    if (s == STATUS_OK)
        s = load_user(l, user, user_name, ret);
    if (s == STATUS_OK)
        s = load_exec(l, user, user_name, cluster, ret);
    return s;
}

Status kube_config_load(const char *file, const char *context, struct kube_config *ret,
                        char *reterr, size_t n) {
    struct loading l = {.file = file, .reterr = reterr, .nerr = n};
    json_auto_t *documents = NULL;
    _cleanup_free_ char *text = NULL;
    char why[200];
    Status s;

    *ret = (struct kube_config){0};
    text = kube_file_read(file, reterr, n);
    if (!text)
        return E_INVALID_BODY;
    documents = kube_yaml_documents(text, strlen(text), why, sizeof(why));
    explicit_bzero(text, strlen(text));
    if (!documents)
        return no(&l, E_INVALID_BODY, "%s", why);
    if (json_array_size(documents) != 1 || !json_is_object(json_array_get(documents, 0)))
        return no(&l, E_INVALID_BODY, "not one kubeconfig document");
    s = load_context(&l, json_array_get(documents, 0), context, ret);
    if (s != STATUS_OK)
        kube_config_done(ret);
    return s;
}

Status kube_config_service_account(const char *folder, const char *host, const char *port,
                                   struct kube_config *ret, char *reterr, size_t n) {
    _cleanup_free_ char *ca = xasprintf("%s/ca.crt", folder);
    _cleanup_free_ char *space = xasprintf("%s/namespace", folder);
    struct loading l = {.file = ca, .reterr = reterr, .nerr = n};
    char why[256];

    *ret = (struct kube_config){0};
    if (!host || !*host || !port || !*port) {
        snprintf(reterr, n, "not in a cluster: KUBERNETES_SERVICE_HOST and _PORT are not set");
        return E_INVALID_BODY;
    }
    ret->server = xasprintf(strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
    ret->token_file = xasprintf("%s/token", folder);
    ret->token = kube_token_read(ret->token_file, reterr, n);
    ret->ca_pem = ret->token ? kube_file_read(ca, reterr, n) : NULL;
    if (!ret->ca_pem) {
        kube_config_done(ret);
        return E_INVALID_BODY;
    }
    if (!is_pem(ret->ca_pem, strlen(ret->ca_pem)) || !server_valid(ret->server)) {
        Status s = is_pem(ret->ca_pem, strlen(ret->ca_pem))
                       ? no(&l, E_INVALID_BODY, "%s is not an address", ret->server)
                       : no(&l, E_INVALID_BODY, "holds no PEM");

        kube_config_done(ret);
        return s;
    }
    ret->namespace_default = kube_token_read(space, why, sizeof(why)); /* a word, like a token */
    return STATUS_OK;
}

Status kube_config_in_cluster(struct kube_config *ret, char *reterr, size_t n) {
    return kube_config_service_account(SERVICE_ACCOUNT, getenv("KUBERNETES_SERVICE_HOST"),
                                       getenv("KUBERNETES_SERVICE_PORT"), ret, reterr, n);
}
