/* kube/exec_login.c: the ExecCredential that a plugin printed. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "kube/config.h"
#include "kube/exec.h"
#include <stdio.h>
#include <string.h>

#define AHEAD_MOST_US (60 * US_PER_S) /* so long before it expires a credential is renewed ... */
enum { AHEAD_PART = 5 };              /* ... but in the last fifth of its life */

struct kube_login *kube_login_ref(struct kube_login *l) {
    atomic_fetch_add(&l->references, 1);
    return l;
}

static void secret_free(char *s) {
    if (s)
        explicit_bzero(s, strlen(s));
    free(s);
}

void kube_login_unref(struct kube_login *l) {
    if (!l || atomic_fetch_sub(&l->references, 1) > 1)
        return;
    secret_free(l->authorization);
    secret_free(l->key_pem);
    free(l->cert_pem);
    free(l);
}
DEFINE_CLEANUP(kube_login_unref, struct kube_login *);

/* A text of the status; "" counts as absent.  False when it is something else. */
static bool text_at(const json_t *status, const char *key, const char **ret) {
    const json_t *v = json_object_get(status, key);

    *ret = json_is_string(v) && json_string_length(v) ? json_string_value(v) : NULL;
    return !v || json_is_null(v) || json_is_string(v);
}

static const char *read_token(const json_t *status, struct kube_login *l) {
    const char *token;

    if (!text_at(status, "token", &token) || (token && kube_token_bad(token)))
        return "whose token is no token";
    if (token)
        l->authorization = xasprintf("Authorization: Bearer %s", token);
    return NULL;
}

static const char *read_certificate(const json_t *status, struct kube_login *l) {
    const char *cert, *key;

    if (!text_at(status, "clientCertificateData", &cert) ||
        !text_at(status, "clientKeyData", &key) || !cert != !key)
        return "whose clientCertificateData and clientKeyData do not belong together";
    if (cert && (!strstr(cert, "-----BEGIN ") || !strstr(key, "-----BEGIN ")))
        return "whose clientCertificateData or clientKeyData is not PEM";
    l->cert_pem = xstrdup(cert);
    l->key_pem = xstrdup(key);
    return NULL;
}

static const char *read_expiry(const json_t *status, struct kube_login *l) {
    int64_t at_us, left_us, ahead_us;
    const char *text;

    l->made_us = clock_monotonic_us();
    l->refresh_us = l->expires_us = INT64_MAX;
    if (!text_at(status, "expirationTimestamp", &text) || (text && !clock_parse(text, &at_us)))
        return "whose expirationTimestamp is not a time";
    if (!text)
        return NULL;
    left_us = at_us - clock_now_us();
    if (left_us <= 0)
        return "that has expired already";
    ahead_us = left_us / AHEAD_PART < AHEAD_MOST_US ? left_us / AHEAD_PART : AHEAD_MOST_US;
    l->expires_us = l->made_us + left_us;
    l->refresh_us = l->expires_us - ahead_us;
    return NULL;
}

static const char *read_credential(const json_t *credential, const char *api_version,
                                   struct kube_login *l) {
    const json_t *status = json_object_get(credential, "status");
    const char *why;

    if (strcmp(json_str(credential, "kind", ""), "ExecCredential") != 0)
        return "that is not of kind ExecCredential";
    if (strcmp(json_str(credential, "apiVersion", ""), api_version) != 0)
        return "of another apiVersion than the kubeconfig asks for";
    if (!json_is_object(status))
        return "without a status";
    why = read_token(status, l);
    if (!why)
        why = read_certificate(status, l);
    if (!why)
        why = read_expiry(status, l);
    if (!why && !l->authorization && !l->cert_pem)
        why = "with neither a token nor a certificate";
    return why;
}

struct kube_login *kube_login_read(const char *text, const char *api_version,
                                   const struct net_tls *tls, char *reterr, size_t n) {
    _cleanup_(kube_login_unref) struct kube_login *l = xcalloc(1, sizeof(*l));
    json_auto_t *credential = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const char *why;

    atomic_init(&l->references, 1);
    why = json_is_object(credential) ? read_credential(credential, api_version, l)
                                     : "that is not JSON";
    if (why) {
        snprintf(reterr, n, "printed a credential %s", why);
        return NULL;
    }
    l->tls = *tls;
    if (l->cert_pem) {
        l->tls.cert_pem = l->cert_pem;
        l->tls.key_pem = l->key_pem;
    }
    return TAKE_PTR(l);
}
