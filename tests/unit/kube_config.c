/* kubeconfig files and the service account, good and bad. */
#include "base/cleanup.h"
#include "kube/config.h"
#include "tests/support/folder.h"
#include "tests/support/suite.h"
#include <stdio.h>
#include <string.h>

#define PEM     "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
#define PEM_B64 "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCngKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
#define CONTEXTS                                                                                   \
    "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n"                                \
    "- {name: a, context: {cluster: c, user: u, namespace: production}}\n"                         \
    "- {name: b, context: {cluster: d, user: u}}\n"
#define CLUSTER "clusters:\n- {name: c, cluster: {server: 'https://h:6443/'}}\n"
#define USER(x) "users:\n- name: u\n  user: " x "\n"

static struct folder config_folder(char file[128]) {
    struct folder f = folder_make();

    snprintf(file, 128, "%s/config", f.path);
    folder_put(&f, "ca.pem", PEM);
    folder_put(&f, "empty", "");
    folder_put(&f, "token", " file-token\n");
    return f;
}

static const char *text(const char *s) {
    return s ? s : "-";
}

START_TEST(kube_config__good_shapes_are_read) {
    static const struct {
        const char *config, *context;
        const char *want; /* server ca cert key token server_name namespace insecure */
    } cases[] = {
        {CONTEXTS CLUSTER USER("{token: t}"), NULL, "https://h:6443 - - - t - production 0"},
        {CONTEXTS CLUSTER USER("{tokenFile: token, token: t}"), "a",
         "https://h:6443 - - - file-token - production 0"},
        {CONTEXTS CLUSTER USER("{client-certificate: ca.pem, client-key-data: " PEM_B64 "}"), NULL,
         "https://h:6443 - " PEM " " PEM " - - production 0"},
        {CONTEXTS "clusters:\n- name: d\n  cluster:\n    server: https://[::1]:1/k8s/c\n"
                  "    certificate-authority-data: " PEM_B64
                  "\n    certificate-authority: nowhere\n"
                  "    tls-server-name: kubernetes\n" USER("{token: t, username: ''}"),
         "b", "https://[::1]:1/k8s/c " PEM " - - t kubernetes - 0"},
        {CONTEXTS "clusters: [{name: c, cluster: {server: 'https://h', insecure-skip-tls-verify: "
                  "true}}]\n" USER("{}"),
         NULL, "https://h - - - - - production 1"},
        {CONTEXTS "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:8001'}}]\n" USER("{}"),
         NULL, "http://127.0.0.1:8001 - - - - - production 0"},
        {"{\"current-context\":\"x\",\"contexts\":[{\"name\":\"x\",\"context\":{\"cluster\":\"c\"}}"
         "],\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"https://h\"}}]}",
         NULL, "https://h - - - - - - 0"},
    };
    char file[128];
    struct folder f = config_folder(file);

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct kube_config c;
        char why[256] = "";
        _cleanup_free_ char *got = NULL;

        folder_put(&f, "config", cases[i].config);
        ck_assert_msg(kube_config_load(file, cases[i].context, &c, why, sizeof(why)) == STATUS_OK,
                      "case %zu: %s", i, why);
        got = xasprintf("%s %s %s %s %s %s %s %d", c.server, text(c.ca_pem), text(c.cert_pem),
                        text(c.key_pem), text(c.token), text(c.tls_server_name),
                        text(c.namespace_default), c.insecure);
        ck_assert_str_eq(got, cases[i].want);
        kube_config_done(&c);
        kube_config_done(&c);
    }
    folder_remove(&f);
}
END_TEST

START_TEST(kube_config__refusals_say_why) {
    static const struct {
        const char *config, *context;
        Status status;
        const char *why; /* part of the line */
    } cases[] = {
        {CONTEXTS CLUSTER USER("{exec: {command: aws}}"), NULL, E_INVALID_BODY,
         "user \"u\": exec: apiVersion"},
        {CONTEXTS CLUSTER USER("{auth-provider: {name: gcp}}"), NULL, E_NOT_SUPPORTED,
         "user \"u\": auth-provider is not supported"},
        {CONTEXTS CLUSTER USER("{username: x}"), NULL, E_NOT_SUPPORTED,
         "user \"u\": username and password"},
        {CONTEXTS CLUSTER USER("{password: 1}"), NULL, E_NOT_SUPPORTED,
         "user \"u\": username and password"},
        {CONTEXTS CLUSTER USER("{token: t, as: admin}"), NULL, E_NOT_SUPPORTED, "impersonation"},
        {CONTEXTS CLUSTER USER("{token: t, as-groups: [x]}"), NULL, E_NOT_SUPPORTED,
         "impersonation"},
        {CONTEXTS
         "clusters: [{name: c, cluster: {server: 'https://h', proxy-url: 'http://p'}}]\n" USER(
             "{}"),
         NULL, E_NOT_SUPPORTED, "cluster \"c\": proxy-url is not supported"},
        {CONTEXTS CLUSTER USER("{token: t}"), "z", E_INVALID_BODY, "there is no context \"z\""},
        {CONTEXTS CLUSTER USER("{token: t}"), "b", E_INVALID_BODY, "there is no cluster \"d\""},
        {CONTEXTS CLUSTER, NULL, E_INVALID_BODY, "there is no user \"u\""},
        {CONTEXTS "clusters: [{name: c, cluster: {}}]\n" USER("{}"), NULL, E_INVALID_BODY,
         "server is missing"},
        {CONTEXTS "clusters: [{name: c, cluster: {server: 'http://h'}}]\n" USER("{}"), NULL,
         E_INVALID_BODY, "not an https address"},
        {CONTEXTS "clusters: [{name: c, cluster: {server: 'http://127.evil'}}]\n" USER("{}"), NULL,
         E_INVALID_BODY, "not an https address"},
        {CONTEXTS "clusters: [{name: c, cluster: {server: 'https://u@h'}}]\n" USER("{}"), NULL,
         E_INVALID_BODY, "not an https address"},
        {CONTEXTS "clusters: [{name: c, cluster: {server: 7}}]\n" USER("{}"), NULL, E_INVALID_BODY,
         "server is not text"},
        {CONTEXTS "clusters: [{name: c, cluster: {server: 'https://h', certificate-authority: "
                  "nowhere.pem}}]\n" USER("{}"),
         NULL, E_INVALID_BODY, "nowhere.pem: No such file"},
        {CONTEXTS "clusters: [{name: c, cluster: {server: 'https://h', certificate-authority: "
                  "empty}}]\n" USER("{}"),
         NULL, E_INVALID_BODY, "certificate-authority holds no PEM"},
        {CONTEXTS "clusters: [{name: c, cluster: {server: 'https://h', certificate-authority: "
                  "ca.pem, insecure-skip-tls-verify: true}}]\n" USER("{}"),
         NULL, E_INVALID_BODY, "insecure-skip-tls-verify"},
        {CONTEXTS CLUSTER USER("{client-certificate-data: '!!!'}"), NULL, E_INVALID_BODY,
         "client-certificate-data is not base64"},
        {CONTEXTS CLUSTER USER("{client-certificate-data: aGVsbG8=}"), NULL, E_INVALID_BODY,
         "client-certificate-data holds no PEM"},
        {CONTEXTS CLUSTER USER("{client-certificate: ca.pem}"), NULL, E_INVALID_BODY,
         "belong together"},
        {CONTEXTS CLUSTER USER("{tokenFile: empty}"), NULL, E_INVALID_BODY, "not a token"},
        {CONTEXTS CLUSTER USER("{tokenFile: nowhere}"), NULL, E_INVALID_BODY, "No such file"},
        {CONTEXTS CLUSTER USER("{token: \"a\\nX-Evil: 1\"}"), NULL, E_INVALID_BODY, "token:"},
        {"kind: Config\n", NULL, E_INVALID_BODY, "no current-context"},
        {"", NULL, E_INVALID_BODY, "not one kubeconfig"},
        {"[]", NULL, E_INVALID_BODY, "not one kubeconfig"},
        {"a: 1\n---\nb: 1\n", NULL, E_INVALID_BODY, "not one kubeconfig"},
        {"a: &x 1\n", NULL, E_INVALID_BODY, "line 1: anchors"},
    };
    char file[128];
    struct folder f = config_folder(file);

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct kube_config c;
        char why[256] = "";
        Status s;

        folder_put(&f, "config", cases[i].config);
        s = kube_config_load(file, cases[i].context, &c, why, sizeof(why));
        ck_assert_msg(s == cases[i].status, "case %zu: status %d, %s", i, s, why);
        ck_assert_msg(strstr(why, cases[i].why), "case %zu: %s", i, why);
        ck_assert(!strchr(why, '\n'));
        ck_assert_ptr_null(c.server);
    }
    folder_remove(&f);
}
END_TEST

START_TEST(kube_config__file_must_be_a_small_regular_file) {
    char file[128];
    struct folder f = config_folder(file);
    struct kube_config c;
    char why[256], *big;

    ck_assert_int_eq(kube_config_load(f.path, NULL, &c, why, sizeof(why)), E_INVALID_BODY);
    ck_assert_msg(strstr(why, "not a regular file"), "%s", why);
    ck_assert_int_eq(kube_config_load("/nonexistent", NULL, &c, why, sizeof(why)), E_INVALID_BODY);
    big = xmalloc(KUBE_FILE_BYTES + 2);
    memset(big, '#', KUBE_FILE_BYTES + 1);
    big[KUBE_FILE_BYTES + 1] = '\0';
    folder_put(&f, "config", big);
    free(big);
    ck_assert_int_eq(kube_config_load(file, NULL, &c, why, sizeof(why)), E_INVALID_BODY);
    ck_assert_msg(strstr(why, "larger than"), "%s", why);
    folder_remove(&f);
}
END_TEST

START_TEST(kube_config__service_account_is_read) {
    char file[128];
    struct folder f = config_folder(file);
    struct kube_config c;
    char why[256];

    ck_assert_int_eq(kube_config_service_account(f.path, NULL, "1", &c, why, sizeof(why)),
                     E_INVALID_BODY);
    ck_assert_msg(strstr(why, "not in a cluster"), "%s", why);
    ck_assert_int_eq(kube_config_service_account(f.path, "h", "443", &c, why, sizeof(why)),
                     E_INVALID_BODY);
    ck_assert_msg(strstr(why, "ca.crt"), "%s", why);
    folder_put(&f, "ca.crt", "junk");
    ck_assert_int_eq(kube_config_service_account(f.path, "h", "443", &c, why, sizeof(why)),
                     E_INVALID_BODY);
    ck_assert_msg(strstr(why, "no PEM"), "%s", why);
    folder_put(&f, "ca.crt", PEM);
    folder_put(&f, "namespace", "sluice");
    ck_assert_int_eq(kube_config_service_account(f.path, "fd00::1", "443", &c, why, sizeof(why)),
                     STATUS_OK);
    ck_assert_str_eq(c.server, "https://[fd00::1]:443");
    ck_assert_str_eq(c.token, "file-token");
    ck_assert_str_eq(c.namespace_default, "sluice");
    ck_assert(strstr(c.token_file, "/token"));
    kube_config_done(&c);
    folder_remove(&f);
}
END_TEST

int main(void) {
    return RUN_SUITE("kube_config", 20, kube_config__good_shapes_are_read,
                     kube_config__refusals_say_why, kube_config__file_must_be_a_small_regular_file,
                     kube_config__service_account_is_read);
}
