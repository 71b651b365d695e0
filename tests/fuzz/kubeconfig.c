/* A kubeconfig, as a file in memory. */
#include "base/cleanup.h"
#include "kube/config.h"
#include "tests/fuzz/fuzz.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static int fd = -1;
    struct kube_config config;
    char path[64], why[256] = "";

    if (fd < 0)
        fd = memfd_create("kubeconfig", MFD_CLOEXEC);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, bytes, n, 0) != (ssize_t)n)
        die("no file in memory");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (kube_config_load(path, NULL, &config, why, sizeof why) == STATUS_OK) {
        FUZZ_HOLDS(config.server && !config.cert_pem == !config.key_pem);
        FUZZ_HOLDS(!config.token || !kube_token_bad(config.token));
        kube_config_done(&config);
    } else {
        FUZZ_HOLDS(*why && !strchr(why, '\n') && !config.server);
    }
    return 0;
}
