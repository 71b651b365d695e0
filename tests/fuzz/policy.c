/* SLUICE_OUTBOUND_ALLOW and the addresses that it lets through: a list, then 16 bytes of an
 * address. */
#include "net/policy.h"
#include "base/address.h"
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"
#include <netinet/in.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    _cleanup_free_ char *allow = fuzz_line(&bytes, &n);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    const char *bad;

    if (!allow)
        return 0;
    bad = cidrs_bad(allow);
    FUZZ_HOLDS(!bad || (bad >= allow && bad <= allow + strlen(allow)));
    memcpy(&six.sin6_addr, bytes, n < 16 ? n : 16);
    memcpy(&four.sin_addr, bytes, n < 4 ? n : 4);
    policy_allows(allow, (struct sockaddr *)&six);
    policy_allows(allow, (struct sockaddr *)&four);
    FUZZ_HOLDS(policy_allows(NULL, (struct sockaddr *)&four) <=
               policy_allows(allow, (struct sockaddr *)&four));
    return 0;
}
