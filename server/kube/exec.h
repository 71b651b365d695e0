/* kube/exec.h: credentials from a program that a kubeconfig names (an exec plugin: ExecCredential
 * of client.authentication.k8s.io/v1 and v1beta1).  Private to kube/ and its tests. */
#pragma once
#include "base/json.h"
#include "net/net.h"
#include <stdatomic.h>

enum { KUBE_EXEC_BYTES = 64 << 10, KUBE_EXEC_TEXT = 480 };

/* ---- exec_config.c: users[].user.exec ---- */
struct kube_exec {
    char *command;                    /* as it is run: a bare name is looked for in PATH */
    char **argv, **env;               /* ended by NULL; env: "NAME=value", the whole environment */
    char *api_version, *install_hint; /* install_hint: NULL when not given */
};
/* `file`: the kubeconfig, beside which a relative command lies.  `cluster`: what
 * KUBERNETES_EXEC_INFO says of it if the plugin wants to know; borrowed.  NULL with a sentence in
 * reterr when it is not well-formed or asks for a terminal. */
struct kube_exec *kube_exec_read(const json_t *exec, const char *file, const json_t *cluster,
                                 char *reterr, size_t n);
void kube_exec_free(struct kube_exec *e); /* NULL-safe */

/* ---- exec_run.c: one run ---- */
/* What the plugin printed, at most KUBE_EXEC_BYTES; yours.  Waits until it has ended: at most
 * `timeout_ms`, less when *canceled becomes true.  NULL with a sentence, in which a failing
 * plugin's own complaint is shown, never what it printed on standard output.  Nothing of its
 * process group is left behind. */
char *kube_exec_run(const struct kube_exec *e, int timeout_ms, const atomic_bool *canceled,
                    char *reterr, size_t n);

/* ---- exec_login.c: what it printed ---- */
/* A credential.  Counted, and never changed. */
struct kube_login {
    atomic_int references;
    char *authorization;            /* a header line, or NULL */
    char *cert_pem, *key_pem;       /* both or neither */
    struct net_tls tls;             /* the cluster's, with this certificate */
    int64_t refresh_us, expires_us; /* monotonic; INT64_MAX: never */
    int64_t made_us;
};
/* NULL with a sentence, which quotes nothing of the text.  `tls` is copied, its texts are borrowed.
 */
struct kube_login *kube_login_read(const char *text, const char *api_version,
                                   const struct net_tls *tls, char *reterr, size_t n);
struct kube_login *kube_login_ref(struct kube_login *l);
void kube_login_unref(struct kube_login *l); /* NULL-safe */

/* ---- exec.c: a plugin at work ---- */
/* Runs the plugin on a thread of its own: at once; and, if somebody asked since, again shortly
 * before its credential expires, after a 401, and after a failure in growing pauses.  So there is
 * one run at a time, and only who waits waits. */
struct kube_plugin;
struct kube_plugin_timing {
    int run_ms;                  /* a run at most */
    int retry_ms, retry_most_ms; /* the first pause after a failure; then doubled, up to this */
    int renew_ms;                /* a credential younger than this is not given up after a 401 */
};
/* `exec`, `tls` and `cluster` (the name, for the log) are borrowed. */
struct kube_plugin *kube_plugin_new(const struct kube_exec *exec, const struct net_tls *tls,
                                    const char *cluster, const struct kube_plugin_timing *timing);
/* Ends a run under way: takes some milliseconds.  NULL-safe.  Nobody may wait for it any more. */
void kube_plugin_free(struct kube_plugin *p);
/* Whoever waits stops waiting, and nothing is run any more.  Any thread. */
void kube_plugin_cancel(struct kube_plugin *p);

typedef enum KubeLogin { LOGIN_READY, LOGIN_SOON, LOGIN_FAILED } KubeLogin;
/* A credential that has not expired: a new reference.  Waits at most wait_ms (0: does not).
 * LOGIN_SOON: there is none, but the plugin is at work; LOGIN_FAILED: it failed, and is not run
 * again for a while.  Both with a sentence.  Any thread. */
KubeLogin kube_plugin_login(struct kube_plugin *p, int wait_ms, struct kube_login **ret,
                            char *reterr, size_t n);
/* After a 401 with that credential.  True when there is another one now; waits for it at most
 * wait_ms.  Any thread. */
bool kube_plugin_refused(struct kube_plugin *p, const struct kube_login *l, int wait_ms);
