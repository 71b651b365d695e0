/* The ExecCredential that a plugin printed. */
#include "kube/exec.h"
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static const struct net_tls tls = {.server_name = "kubernetes"};
    _cleanup_free_ char *text = fuzz_text(bytes, n);
    char why[128] = "";
    struct kube_login *login =
        kube_login_read(text, "client.authentication.k8s.io/v1", &tls, why, sizeof why);

    FUZZ_HOLDS(!login == !!*why);
    if (login) {
        FUZZ_HOLDS(login->authorization || login->cert_pem);
        FUZZ_HOLDS(!login->cert_pem == !login->key_pem);
        FUZZ_HOLDS(login->refresh_us <= login->expires_us && login->made_us <= login->refresh_us);
        FUZZ_HOLDS(!login->authorization || !strpbrk(login->authorization, "\r\n"));
    }
    kube_login_unref(login);
    return 0;
}
