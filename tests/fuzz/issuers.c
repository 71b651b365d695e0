/* SLUICE_ISSUERS_FILE, as a file in memory.  Keys at a URL are not there yet, as after a start. */
#include "auth/issuers.h"
#include "tests/fuzz/fuzz.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static char *no_keys(void *ctx, const char *url, const char *ca_pem, size_t *ret_n, char *reterr,
                     size_t n) {
    (void)ctx;
    (void)url;
    (void)ca_pem;
    (void)ret_n;
    snprintf(reterr, n, "no network");
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static int fd = -1;
    char path[64], why[512] = "";
    struct issuers *all;

    if (fd < 0)
        fd = memfd_create("issuers", MFD_CLOEXEC);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, bytes, n, 0) != (ssize_t)n)
        die("no file in memory");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    all = issuers_new(&(struct auth_settings){.jwt_secret = "0123456789abcdef0123456789abcdef",
                                              .issuers_file = path,
                                              .fetch = no_keys},
                      why, sizeof why);
    FUZZ_HOLDS(all ? all->n >= 1 && all->n <= 1 + ISSUERS_MAX : *why && !strchr(why, '\n'));
    for (size_t i = 0; all && i < all->n; i++)
        FUZZ_HOLDS(all->list[i].name && all->list[i].alg);
    issuers_free(all);
    return 0;
}
